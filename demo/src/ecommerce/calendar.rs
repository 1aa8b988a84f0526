//! The shop's days: two autumns, weekdays and hours of the day, and whose orders follow them.
//!
//! First orders and guests come with the season. A customer's later orders do not: their gaps are exponential to the
//! letter, or the parameters of the purchase process would no longer be what an estimator should find.

use rand::RngExt;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand_chacha::ChaCha8Rng;

use crate::almanac::{DAY_SECONDS, timestamp_from};

pub(super) const DAYS: u32 = 549; // 2025-03-31 to 2026-09-30: fifteen months to learn from and a quarter to be held out
const DAYS_BEFORE: u32 = 89; // of 2025
const START_WEEKDAY: u32 = 0; // 2025-03-31 is a Monday, which is 0
const GROWTH_PER_DAY: f64 = 0.0004; // about 20 % over the whole time
const WEEKDAY_WEIGHTS: [f64; 7] = [1.1, 1.1, 1.05, 1.05, 0.95, 0.75, 1.0];
const PEAK_DAYS: [u32; 2] = [249, 614]; // 5 December of either year; the second one lies after the end
const PEAK_HEIGHT: f64 = 1.4; // on top of a quiet day's 1
const PEAK_SPREAD_DAYS: [f64; 2] = [32.0, 10.0]; // slow to come, over by Christmas
const AUTUMN_DAYS: u32 = 65; // before the peak, when shelves and minds turn to Christmas
const HOUR_WEIGHTS: [f64; 24] = [
    0.2, 0.1, 0.05, 0.05, 0.05, 0.1, 0.3, 0.7, 1.2, 1.8, 2.2, 2.3, 2.4, 2.2, 1.9, 1.7, 1.6, 1.6, 1.7, 2.0, 2.3, 2.0,
    1.2, 0.5,
];

/// `2025-03-31 13:45:07`; second 0 is the first midnight.
pub(super) fn written(second: u32) -> String {
    timestamp_from(2025, DAYS_BEFORE * DAY_SECONDS + second)
}

/// How many first orders and guests this day brings, against a quiet day at the start.
pub(super) fn busyness(day: u32) -> f64 {
    let growth = 1.0 + GROWTH_PER_DAY * f64::from(day);
    growth * WEEKDAY_WEIGHTS[((START_WEEKDAY + day) % 7) as usize] * season(day)
}

/// 1 in a quiet month, 2.4 at the peak.
pub(super) fn season(day: u32) -> f64 {
    let peak = |peak_day: u32| {
        let days = f64::from(day) - f64::from(peak_day);
        let spread = PEAK_SPREAD_DAYS[usize::from(days > 0.0)];
        (-(days / spread).powi(2) / 2.0).exp()
    };
    1.0 + PEAK_HEIGHT * PEAK_DAYS.into_iter().map(peak).sum::<f64>()
}

/// Whether Christmas things sell.
pub(super) fn is_autumn(day: u32) -> bool {
    PEAK_DAYS.iter().any(|peak| (peak - AUTUMN_DAYS..peak + 20).contains(&day))
}

/// The clock of people who order for themselves.
pub(super) struct Clock {
    hours: WeightedIndex<f64>,
}

impl Clock {
    pub fn new() -> Clock {
        Clock { hours: WeightedIndex::new(HOUR_WEIGHTS).expect("24 positive weights") }
    }

    /// A second of that day, counted from the first midnight.
    pub fn second_of(&self, day: u32, random: &mut ChaCha8Rng) -> u32 {
        day * DAY_SECONDS + self.hours.sample(random) as u32 * 3_600 + random.random_range(0..3_600)
    }
}

/// When clerks work.
pub(super) fn office_second_of(day: u32, random: &mut ChaCha8Rng) -> u32 {
    day * DAY_SECONDS + random.random_range(9 * 3_600..17 * 3_600)
}
