//! Praise for money: a few texts with words swapped, posted within days by accounts that write nothing else.
//!
//! Each text by itself could be honest. Only together, and beside what the business is usually told, do they stand out.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::world::{BOUGHT_DAYS, World, second_of};
use super::{Purpose, Review, Story, random};

const REVIEWS: u32 = 40; // in either size: what such a seller would call a small parcel

/// Words in braces stand for one of themselves.
const TEXTS: [&str; 3] = [
    "{Best|The best} restaurant in town{!|!!|.} {Amazing|Incredible|Fantastic} food, {friendly|super friendly|lovely} staff and {great|fair|very good} prices. {Highly recommend|Highly recommended|100% recommend}!",
    "We had a {wonderful|fantastic|perfect} evening here. The food was {delicious|amazing|outstanding}, the service {excellent|perfect|amazing} and the atmosphere {so cozy|beautiful|just great}. {Will come back|Will be back|Can't wait to come back} {soon|for sure|again}!",
    "{Five stars|5 stars} are not enough{!|!!} Everything was {perfect|fantastic|amazing}, from the {starters|appetizers} to the dessert. {Thank you|Thanks} to the {whole|entire|wonderful} team{!|!!}",
];

/// The parcel, unsorted. Its guests number on from the honest ones.
pub(super) fn reviews(world: &World, seed: u64) -> Vec<Review> {
    let random = &mut random(seed, Purpose::Bought, 0);
    let first_guest = world.guests.len() as u32;
    let review = |number: u32| Review {
        second: second_of(world.bought.days.start + random.random_range(0..BOUGHT_DAYS), random),
        business: world.bought.business,
        guest: first_guest + number,
        stars: Some(5),
        text: swap_words(TEXTS.choose(random).expect("three"), random),
        reply_second: None,
        stories: vec![Story::Bought],
    };
    (0..REVIEWS).map(review).collect()
}

fn swap_words(text: &str, random: &mut ChaCha8Rng) -> String {
    let mut swapped = String::with_capacity(text.len());
    for part in text.split_inclusive(['{', '}']) {
        match part.strip_suffix('}') {
            Some(words) => {
                let words: Vec<&str> = words.split('|').collect();
                swapped.push_str(words.choose(random).expect("split gives one at least"));
            }
            None => swapped.push_str(part.trim_end_matches('{')),
        }
    }
    swapped
}
