//! What every maker of demo data shares: the year its rows lie in, runs of random numbers, counts of different things.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeSet;

pub(crate) const DAY_SECONDS: u32 = 86_400;

/// `2026-01-05 13:45:07`, UTC. The data starts at 2026-01-01 00:00:00 and stays within that year.
pub(crate) fn timestamp(second: u32) -> String {
    const MONTH_DAYS: [u32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let (mut month, mut day) = (0, second / DAY_SECONDS);
    while day >= MONTH_DAYS[month] {
        day -= MONTH_DAYS[month];
        month += 1;
    }
    let second = second % DAY_SECONDS;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("2026-{:02}-{:02} {hour:02}:{minute:02}:{second:02}", month + 1, day + 1)
}

pub(crate) fn distinct(numbers: impl Iterator<Item = u32>) -> u64 {
    numbers.collect::<BTreeSet<_>>().len() as u64
}

/// A run of random numbers of its own for each entity and purpose, so that one more draw for one entity leaves everybody
/// else as they were.
pub(crate) fn stream(seed: u64, purpose: u64, entity: u32) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream((purpose << 32) | u64::from(entity));
    random
}

/// A positive number whose logarithm is normal around `median.ln()`; `spread` is the logarithm's deviation.
pub(crate) fn log_normal(median: f64, spread: f64, random: &mut ChaCha8Rng) -> f64 {
    let normal: f64 = StandardNormal.sample(random);
    median * (spread * normal).exp()
}
