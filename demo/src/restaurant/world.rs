//! Who cooks how well, who eats where, and what each guest makes of it.
//!
//! A visit is good or bad in each aspect by itself; stars are the guest's sum over all of it, words are about the few
//! aspects that stood out. That is why the two agree mostly and not always.

use std::ops::Range;

use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Poisson, StandardNormal};

use super::grammar::{Voice, write_text};
use super::words::{CUISINES, Noun};
use super::{DAYS, Extent, Purpose, Review, Story, random};
use crate::almanac::{DAY_SECONDS, log_normal};

const ASPECTS: usize = 6;
const CHANGED_SHARE: f64 = 0.3; // of the businesses
const CHANGE_DAYS: Range<u32> = 60..130; // enough before and after to tell them apart
const CHANGE_STEP: Range<f64> = 0.4..0.6; // of the share of good visits
/// A change that nobody writes about cannot be found, by whatever means.
const CHANGED_REVIEWS_MIN: f64 = 100.0;
const CROWD_DAYS: u32 = 4;
const CROWD_FACTOR: f64 = 10.0;
pub(super) const BOUGHT_DAYS: u32 = 4;

const INDIFFERENT_SHARE: f64 = 0.15; // of an aspect's visits: neither good nor bad
const MIXED_UP_SHARE: f64 = 0.01;
const WITHOUT_STARS_SHARE: f64 = 0.02;
const NEGATIVE_WEIGHS: f64 = 1.4; // a bad impression on a good one, in stars as in words
const WRITTEN_WEIGHS: f64 = 4.0; // in stars: what stood out, on what did not
const STARS_MEAN: f64 = 3.2; // of a visit that was neither good nor bad
const STARS_PER_IMPRESSION: f64 = 3.0;
const STARS_NOISE: f64 = 0.4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aspect {
    Food,
    Service,
    Price,
    Ambience,
    Cleanliness,
    Waiting,
}

impl Aspect {
    pub const ALL: [Aspect; ASPECTS] =
        [Aspect::Food, Aspect::Service, Aspect::Price, Aspect::Ambience, Aspect::Cleanliness, Aspect::Waiting];

    pub fn name(self) -> &'static str {
        match self {
            Aspect::Food => "food",
            Aspect::Service => "service",
            Aspect::Price => "price",
            Aspect::Ambience => "ambience",
            Aspect::Cleanliness => "cleanliness",
            Aspect::Waiting => "waiting",
        }
    }

    /// How much it counts in the stars of a usual guest.
    fn weight(self) -> f64 {
        [1.0, 0.6, 0.35, 0.3, 0.25, 0.3][self as usize]
    }

    /// How often it comes to mind while writing.
    fn mention(self) -> f64 {
        [1.0, 0.7, 0.35, 0.35, 0.3, 0.35][self as usize]
    }
}

/// Everybody and everything that exists.
pub(super) struct World {
    pub businesses: Vec<Business>,
    pub guests: Vec<Guest>,
    /// Where and when praise is bought.
    pub bought: Episode,
    /// Where and when many come at once, honestly.
    pub crowd: Episode,
    choice: WeightedIndex<f64>,
}

/// Some days at one business.
pub(super) struct Episode {
    pub business: u32,
    pub days: Range<u32>,
}

pub(super) struct Business {
    pub menu: &'static [Noun],
    /// Share of good visits by aspect, 0..=1, in the order of [`Aspect::ALL`].
    pub quality: [f64; ASPECTS],
    pub change: Option<Change>,
    reviews_per_day: f64,
    reply_share: f64,
    /// The median.
    reply_hours: f64,
}

/// The quality of one aspect from a day on.
pub(super) struct Change {
    pub day: u32,
    pub aspect: Aspect,
    pub quality: f64,
}

pub(super) struct Guest {
    taste: [f64; ASPECTS],
    /// Stars that this guest gives less than others would.
    strictness: f64,
    activity: f64,
    voice: Voice,
}

/// What a guest found, by aspect: -1 (as bad as can be) to 1.
type Impressions = [f64; ASPECTS];

impl World {
    pub fn draw(extent: &Extent, seed: u64) -> World {
        let mut businesses: Vec<Business> =
            (0..extent.businesses).map(|number| Business::draw(&mut random(seed, Purpose::Business, number))).collect();
        let scale = extent.reviews_per_day / businesses.iter().map(|business| business.reviews_per_day).sum::<f64>();
        businesses.iter_mut().for_each(|business| business.reviews_per_day *= scale);
        let guests: Vec<Guest> =
            (0..extent.guests).map(|number| Guest::draw(&mut random(seed, Purpose::Guest, number))).collect();
        let choice = WeightedIndex::new(guests.iter().map(|guest| guest.activity)).expect("each is above 0");

        let random = &mut random(seed, Purpose::Changes, 0);
        turn_some(&mut businesses, random);
        let unchanged = |number: &u32| businesses[*number as usize].change.is_none();
        let mut quiet: Vec<u32> = (0..extent.businesses).filter(unchanged).collect();
        quiet.sort_by(|left, right| {
            let quality = |number: &u32| businesses[*number as usize].quality.iter().sum::<f64>();
            quality(left).total_cmp(&quality(right))
        });
        // Who does badly buys praise; who does well is talked about.
        let bought = Episode::draw(quiet[0], BOUGHT_DAYS, random);
        let crowd = Episode::draw(quiet[quiet.len() - 1], CROWD_DAYS, random);
        World { businesses, guests, bought, crowd, choice }
    }

    /// What everybody writes of their own accord, business by business.
    pub fn honest_reviews(&self, seed: u64) -> Vec<Review> {
        let mut reviews = Vec::new();
        for (number, business) in (0_u32..).zip(&self.businesses) {
            let random = &mut random(seed, Purpose::Reviews, number);
            for day in 0..DAYS {
                let crowded = self.crowd.business == number && self.crowd.days.contains(&day);
                let mean = business.reviews_per_day * weekday_weight(day) * if crowded { CROWD_FACTOR } else { 1.0 };
                let count = Poisson::new(mean).expect("positive, and far below a million").sample(random) as u32;
                for _ in 0..count {
                    reviews.push(self.honest_review(number, day, random));
                }
            }
        }
        reviews
    }

    fn honest_review(&self, number: u32, day: u32, random: &mut ChaCha8Rng) -> Review {
        let business = &self.businesses[number as usize];
        let guest_number = self.choice.sample(random) as u32;
        let guest = &self.guests[guest_number as usize];
        let impressions = business.visit(day, random);
        let points = guest.points(&impressions, random);
        let meant = guest.stars(&impressions, &points, random);
        let (text, sarcastic) = write_text(&guest.voice, &points, meant, business.menu, random);
        let mixed_up = meant != 3 && random.random_bool(MIXED_UP_SHARE);
        let stars = if mixed_up { 6 - meant } else { meant };
        let silent = !mixed_up && random.random_bool(WITHOUT_STARS_SHARE);
        let second = second_of(day, random);
        let told = [(Story::Sarcasm, sarcastic), (Story::MixedUpStars, mixed_up)];
        Review {
            second,
            business: number,
            guest: guest_number,
            stars: (!silent).then_some(stars),
            text,
            reply_second: business.reply(second, stars, random),
            stories: told.into_iter().filter(|(_, is_so)| *is_so).map(|(story, _)| story).collect(),
        }
    }
}

/// Two of three changes are for the worse; the aspects take turns, as far as a business has room to fall or rise.
fn turn_some(businesses: &mut [Business], random: &mut ChaCha8Rng) {
    let wanted = (businesses.len() as f64 * CHANGED_SHARE).round() as usize;
    let mut order: Vec<usize> = (0..businesses.len()).collect();
    order.shuffle(random);
    let mut done = 0;
    for number in order {
        let business = &mut businesses[number];
        if done == wanted || business.reviews_per_day * f64::from(DAYS) < CHANGED_REVIEWS_MIN {
            continue;
        }
        let worse = done % 3 != 2;
        let turn = if worse { done - done / 3 } else { done / 3 };
        let has_room = |aspect: &Aspect| {
            let quality = business.quality[*aspect as usize];
            if worse { quality > 0.65 } else { quality < 0.45 } // so that a whole step fits, nearly
        };
        let turns = (0..ASPECTS).map(|step| Aspect::ALL[(turn + step) % ASPECTS]);
        if let Some(aspect) = turns.into_iter().find(has_room) {
            let step = random.random_range(CHANGE_STEP) * if worse { -1.0 } else { 1.0 };
            let quality = (business.quality[aspect as usize] + step).clamp(0.08, 0.95);
            business.change = Some(Change { day: random.random_range(CHANGE_DAYS), aspect, quality });
            done += 1;
        }
    }
}

impl Episode {
    fn draw(business: u32, days: u32, random: &mut ChaCha8Rng) -> Episode {
        let start = random.random_range(CHANGE_DAYS);
        Episode { business, days: start..start + days }
    }
}

impl Business {
    fn draw(random: &mut ChaCha8Rng) -> Business {
        let level = 1.0 + 0.6 * normal(random);
        let usual = [0.4, 0.2, -0.2, 0.2, 0.4, -0.2]; // what most places do better and worse than the rest
        let quality = usual.map(|usual| 1.0 / (1.0 + (-(level + usual + 0.7 * normal(random))).exp()));
        Business {
            menu: CUISINES[random.random_range(0..CUISINES.len())],
            quality: quality.map(|quality: f64| quality.clamp(0.08, 0.95)),
            change: None,
            reviews_per_day: log_normal(1.0, 0.5, random),
            reply_share: random.random_range(0.0..0.8),
            reply_hours: log_normal(36.0, 1.1, random),
        }
    }

    fn visit(&self, day: u32, random: &mut ChaCha8Rng) -> Impressions {
        Aspect::ALL.map(|aspect| {
            let quality = match &self.change {
                Some(change) if change.aspect == aspect && day >= change.day => change.quality,
                _ => self.quality[aspect as usize],
            };
            if random.random_bool(INDIFFERENT_SHARE) {
                return random.random_range(-0.2..0.2);
            }
            let strength = random.random_range(0.25..1.0);
            if random.random_bool(quality) { strength } else { -strength }
        })
    }

    /// Whoever replies at all replies to complaints first. A reply after the last day is not in the data.
    fn reply(&self, second: u32, stars: u8, random: &mut ChaCha8Rng) -> Option<u32> {
        let share = self.reply_share * if stars <= 2 { 1.25 } else { 0.8 };
        let delay_seconds = log_normal(self.reply_hours, 0.8, random) * 3_600.0;
        let replies = random.random_bool(share.min(1.0));
        Some(second + delay_seconds.min(1e9) as u32).filter(|reply| replies && *reply < DAYS * DAY_SECONDS)
    }
}

impl Guest {
    fn draw(random: &mut ChaCha8Rng) -> Guest {
        Guest {
            taste: Aspect::ALL.map(|aspect| aspect.weight() * log_normal(1.0, 0.5, random)),
            strictness: 0.3 * normal(random),
            activity: log_normal(1.0, 1.0, random),
            voice: Voice::draw(random),
        }
    }

    /// 1..=5.
    fn stars(&self, impressions: &Impressions, points: &[(Aspect, f64)], random: &mut ChaCha8Rng) -> u8 {
        let everything = Aspect::ALL.into_iter().zip(*impressions).map(|point| (point, 1.0));
        let written = points.iter().map(|point| (*point, WRITTEN_WEIGHS));
        let (mut sum, mut weights) = (0.0, 0.0);
        for ((aspect, impression), weighs) in everything.chain(written) {
            let weight = weighs * self.taste[aspect as usize] * if impression < 0.0 { NEGATIVE_WEIGHS } else { 1.0 };
            sum += weight * impression;
            weights += weight;
        }
        let noise = STARS_NOISE * normal(random);
        let stars = STARS_MEAN + STARS_PER_IMPRESSION * sum / weights - self.strictness + noise;
        stars.round().clamp(1.0, 5.0) as u8
    }

    /// What the guest writes about, in the order of writing, each with the impression. Food may come up several times,
    /// dish by dish; dishes of one visit differ.
    fn points(&self, impressions: &Impressions, random: &mut ChaCha8Rng) -> Vec<(Aspect, f64)> {
        let mut weights: Vec<f64> = Vec::with_capacity(ASPECTS);
        for aspect in Aspect::ALL {
            let impression = impressions[aspect as usize];
            let stands_out = (0.3 + impression.abs()) * if impression < 0.0 { NEGATIVE_WEIGHS } else { 1.0 };
            weights.push(aspect.mention() * self.taste[aspect as usize] / aspect.weight() * stands_out);
        }
        let mut points = Vec::new();
        for _ in 0..self.voice.clauses(random) {
            let drawn = WeightedIndex::new(&weights).expect("food's weight is halved and never 0").sample(random);
            let aspect = Aspect::ALL[drawn];
            let again = points.iter().any(|(other, _)| *other == aspect);
            let moved = if again { 0.45 * normal(random) } else { 0.0 };
            points.push((aspect, (impressions[drawn] + moved).clamp(-1.0, 1.0)));
            weights[drawn] = if aspect == Aspect::Food { weights[drawn] / 2.0 } else { 0.0 };
        }
        points
    }
}

/// A second of the day that people write at: after lunch, and in the evening.
pub(super) fn second_of(day: u32, random: &mut ChaCha8Rng) -> u32 {
    let (centre, spread) = if random.random_bool(0.35) { (14.0, 1.5) } else { (21.0, 2.0) };
    let hour = (centre + spread * normal(random)).clamp(0.0, 23.999);
    day * DAY_SECONDS + (hour * 3_600.0) as u32
}

/// Of the day on which a review is posted, mean 1. 2026-01-01 is a Thursday.
fn weekday_weight(day: u32) -> f64 {
    [0.85, 0.75, 0.8, 0.9, 1.05, 1.35, 1.3][((day + 3) % 7) as usize]
}

fn normal(random: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(random)
}
