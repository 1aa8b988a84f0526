//! From an amount of money to things and quantities that cost about as much.
//!
//! The amount comes first and decides: what is picked goes in while the money lasts, then one more piece of this or that,
//! then small things for what is left. So the amounts' law survives in the rows, but for the last piece that is a little
//! too dear or too cheap: 1 % of the money on average.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

use super::calendar::season;
use super::shelf::Shelf;

const LINES_MAX: usize = 12;
const LINES_BEYOND_MEAN: f64 = 2.4; // the first, for an order of the median amount
const MEDIAN_MINOR: f64 = 3_000.0;
const LINES_PER_AMOUNT: f64 = 0.35; // exponents: more money and busier days give more lines, far from in proportion
const LINES_PER_SEASON: f64 = 0.2;
const BUNDLE_SHARE: f64 = 0.2; // of the orders
const BUNDLE_MEMBER_SHARE: f64 = 0.85; // of those, for each thing of the bundle
const SMALL_CHANGE_SHARE: f64 = 0.03; // of the amount: less is not worth another thing
const PICKS_MAX: usize = 12; // to find something within the money

/// One thing of an order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub thing: u16,
    /// 1 or more.
    pub quantity: u32,
    pub price_minor: u32,
}

/// 1..=12 different things for about that much money; the least is one piece of the cheapest thing.
pub(super) fn fill(shelf: &Shelf, day: u32, amount_minor: f64, random: &mut ChaCha8Rng) -> Vec<Item> {
    let mut basket = Basket { shelf, day, left_minor: amount_minor, items: Vec::new() };
    for thing in wanted(shelf, day, amount_minor, random) {
        basket.add_if_affordable(thing);
    }
    for _ in 0..PICKS_MAX {
        if basket.items.is_empty() {
            basket.add_if_affordable(shelf.pick(day, random));
        }
    }
    if basket.items.is_empty() {
        basket.add(shelf.cheapest());
    }
    basket.take_more(random);
    for _ in 0..PICKS_MAX {
        if basket.left_minor > SMALL_CHANGE_SHARE * amount_minor {
            basket.add_if_affordable(shelf.pick(day, random));
        }
    }
    basket.take_more(random);
    basket.round();
    basket.items
}

/// What the buyer has in mind, the things that belong together first; the same thing may come up twice.
fn wanted(shelf: &Shelf, day: u32, amount_minor: f64, random: &mut ChaCha8Rng) -> Vec<u16> {
    let scale = (amount_minor / MEDIAN_MINOR).powf(LINES_PER_AMOUNT) * season(day).powf(LINES_PER_SEASON);
    let beyond = Poisson::new(LINES_BEYOND_MEAN * scale).expect("above 0 and small").sample(random);
    let mut things = Vec::new();
    if random.random_bool(BUNDLE_SHARE) {
        let bundle = shelf.bundles.choose(random).expect("there are some");
        things.extend(bundle.iter().copied().filter(|_| random.random_bool(BUNDLE_MEMBER_SHARE)));
    }
    for _ in 0..=beyond as usize {
        things.push(shelf.pick(day, random));
    }
    things
}

struct Basket<'a> {
    shelf: &'a Shelf,
    day: u32,
    /// Below 0 once the last piece was a little too dear.
    left_minor: f64,
    items: Vec<Item>,
}

impl Basket<'_> {
    fn add_if_affordable(&mut self, thing: u16) {
        let fresh = self.items.len() < LINES_MAX && self.items.iter().all(|item| item.thing != thing);
        if fresh && f64::from(self.shelf.price_minor(thing, self.day)) <= self.left_minor {
            self.add(thing);
        }
    }

    fn add(&mut self, thing: u16) {
        let price_minor = self.shelf.price_minor(thing, self.day);
        self.left_minor -= f64::from(price_minor);
        self.items.push(Item { thing, quantity: 1, price_minor });
    }

    /// One more piece of this or that, for as long as the money reaches for any.
    fn take_more(&mut self, random: &mut ChaCha8Rng) {
        loop {
            let left_minor = self.left_minor;
            let mut affordable: Vec<&mut Item> =
                self.items.iter_mut().filter(|item| f64::from(item.price_minor) <= left_minor).collect();
            if affordable.is_empty() {
                return;
            }
            let chosen = random.random_range(0..affordable.len());
            let item = &mut affordable[chosen];
            if random.random_bool(self.shelf.appetite(item.thing, self.day)) {
                item.quantity += 1;
                self.left_minor -= f64::from(item.price_minor);
            }
        }
    }

    /// One more piece of the cheapest, where that comes nearer to the amount.
    fn round(&mut self) {
        let cheapest = self.items.iter_mut().min_by_key(|item| item.price_minor).expect("one at least");
        if f64::from(cheapest.price_minor) < 2.0 * self.left_minor {
            cheapest.quantity += 1;
            self.left_minor -= f64::from(cheapest.price_minor);
        }
    }
}
