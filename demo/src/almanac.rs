//! What every maker of demo data shares: how its days are written down, runs of random numbers, counts of different things.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeSet;

pub(crate) const DAY_SECONDS: u32 = 86_400;

/// `2026-01-05 13:45:07`, UTC; second 0 is 2026-01-01 00:00:00.
pub(crate) fn timestamp(second: u32) -> String {
    timestamp_from(2026, second)
}

/// The same with second 0 at the start of that year, 1901..=2099.
pub(crate) fn timestamp_from(mut year: u32, second: u32) -> String {
    let mut day = second / DAY_SECONDS;
    while day >= days_of(year) {
        day -= days_of(year);
        year += 1;
    }
    let mut month_days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    month_days[1] += days_of(year) - 365;
    let mut month = 0;
    while day >= month_days[month] {
        day -= month_days[month];
        month += 1;
    }
    let second = second % DAY_SECONDS;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year}-{:02}-{:02} {hour:02}:{minute:02}:{second:02}", month + 1, day + 1)
}

fn days_of(year: u32) -> u32 {
    if year.is_multiple_of(4) { 366 } else { 365 }
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

#[cfg(test)]
mod tests {
    use super::{DAY_SECONDS, timestamp, timestamp_from};

    #[test]
    fn years_follow_each_other_and_leap_years_have_their_day() {
        assert_eq!(timestamp(365 * DAY_SECONDS - 1), "2026-12-31 23:59:59");
        assert_eq!(timestamp(365 * DAY_SECONDS), "2027-01-01 00:00:00");
        assert_eq!(timestamp_from(2023, (365 + 59) * DAY_SECONDS), "2024-02-29 00:00:00");
        assert_eq!(timestamp_from(2023, (365 + 366) * DAY_SECONDS), "2025-01-01 00:00:00");
    }
}
