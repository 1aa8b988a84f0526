//! Says how far a number could be off, by drawing whole groups again: one customer's payments
//! resemble each other, so drawing rows one by one would make every interval too narrow.
//!
//! A draw is never a copy of rows: it is a weight, how many times each group was drawn.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The share of replicates inside an interval. A convention.
pub const INTERVAL_LEVEL: f64 = 0.95;

/// A range of plausible values, in the unit of the statistic; `low <= high`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The range of a statistic over `replicates` samples of groups, at [`INTERVAL_LEVEL`].
///
/// groups: each row's group, in 0..group_count (panics otherwise). statistic: given how many times each row
/// counts and how many times each group was drawn, the value for that sample, or `None` where it has none (no
/// positive was drawn). It must depend on its arguments alone; then the interval is the same to the bit for any
/// number of threads. Samples without a value are left out; `None` if they are more than half (our convention:
/// such an interval would describe the lucky draws).
///
/// To ask whether one model beats another, let the statistic return the difference of the two on the same
/// weights: an interval that excludes 0 says so far more sharply than two intervals side by side.
/// Cost: replicates * (rows + groups + statistic), on all threads of the current rayon pool.
/// Source: Efron & Tibshirani 1993, ch. 13 (percentile); Field & Welsh 2007 (groups drawn whole).
pub fn grouped_interval(
    groups: &[u32],
    group_count: usize,
    replicates: usize,
    seed: u64,
    statistic: impl Fn(&[u32], &[u32]) -> Option<f64> + Sync,
) -> Option<Interval> {
    grouped_intervals(groups, group_count, replicates, seed, |rows, groups| vec![statistic(rows, groups)])
        .pop()
        .flatten()
}

/// The ranges of several statistics over the same samples, in their order: drawing and weighing costs more than most
/// statistics. Each as [`grouped_interval`] has it; `statistics` returns the same number of values each time. Empty if
/// there are no replicates.
pub fn grouped_intervals(
    groups: &[u32],
    group_count: usize,
    replicates: usize,
    seed: u64,
    statistics: impl Fn(&[u32], &[u32]) -> Vec<Option<f64>> + Sync,
) -> Vec<Option<Interval>> {
    let values_of = |row_weights: &mut Vec<u32>, replicate: usize| {
        let group_weights = resample_weights(group_count, seed, replicate as u64);
        row_weights.clear();
        row_weights.extend(groups.iter().map(|&group| group_weights[group as usize]));
        statistics(row_weights, &group_weights)
    };
    let drawn = || Vec::with_capacity(groups.len());
    let samples: Vec<Vec<Option<f64>>> = (0..replicates).into_par_iter().map_init(drawn, values_of).collect();
    let interval_of = |statistic: usize| {
        let mut values: Vec<f64> = samples.iter().filter_map(|sample| sample[statistic]).collect();
        if 2 * values.len() < replicates { None } else { interval(&mut values, INTERVAL_LEVEL) }
    };
    (0..samples.first().map_or(0, Vec::len)).map(interval_of).collect()
}

/// The middle `level` (0..=1) of the values, which are sorted on the way; `None` if there are none. Between two
/// values the bounds are interpolated linearly, as in numpy's `percentile`. No value may be NaN. O(n log n).
pub fn interval(values: &mut [f64], level: f64) -> Option<Interval> {
    values.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level.clamp(0.0, 1.0)) / 2.0;
    Some(Interval { low: quantile(values, tail)?, high: quantile(values, 1.0 - tail)? })
}

fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let position = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    Some(below + (above - below) * position.fract())
}

/// How many times each of `groups` groups is drawn when as many are drawn with replacement; the sum is
/// `groups`. The same seed and replicate give the same draw on every machine. O(groups).
pub fn resample_weights(groups: usize, seed: u64, replicate: u64) -> Vec<u32> {
    // Both numbers go through the mixer: neighbouring seeds and replicates must not share a stream.
    let mut random = SplitMix64::new(mix(mix(seed) ^ replicate));
    let mut weights = vec![0; groups];
    for _ in 0..groups {
        weights[random.below(groups)] += 1;
    }
    weights
}

/// A small generator whose numbers are fixed for ever by these few lines, which a dependency's version is not.
/// For drawing samples, not for secrets. Source: Steele, Lea & Flood 2014.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    pub fn new(seed: u64) -> SplitMix64 {
        SplitMix64 { state: seed }
    }

    /// Any of the 2^64 numbers.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// Any of the 2^53 evenly spaced numbers of 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number in 0..end. Panics if `end` is 0. Favours some numbers by at most end / 2^64, far below what
    /// any sample could show. Source: Lemire 2019.
    pub fn below(&mut self, end: usize) -> usize {
        assert!(end > 0, "there is no number below 0");
        ((u128::from(self.next_u64()) * end as u128) >> 64) as usize
    }
}

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of `values` under row weights.
    fn mean(values: &[f64], weights: &[u32]) -> Option<f64> {
        let total: u32 = weights.iter().sum();
        let sum: f64 = values.iter().zip(weights).map(|(value, &weight)| value * f64::from(weight)).sum();
        (total > 0).then(|| sum / f64::from(total))
    }

    fn coins(rows: usize) -> Vec<f64> {
        let mut random = SplitMix64::new(5);
        (0..rows).map(|_| random.below(2) as f64).collect()
    }

    #[test]
    fn the_generator_gives_the_published_numbers() {
        // The first outputs of the reference C code (Vigna, splitmix64.c) for the seed 1234567.
        let mut random = SplitMix64::new(1_234_567);
        let numbers: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn a_draw_has_as_many_groups_as_there_are_and_leaves_out_about_a_third() {
        let weights = resample_weights(10_000, 7, 0);
        assert_eq!(weights.iter().sum::<u32>(), 10_000);
        let missed = weights.iter().filter(|&&weight| weight == 0).count();
        assert!((3_500..3_860).contains(&missed), "1/e of the groups are missed, found {missed}");
        assert!(resample_weights(0, 7, 0).is_empty());
    }

    #[test]
    fn seeds_and_replicates_that_are_neighbours_give_unrelated_draws() {
        let draws = [resample_weights(50, 1, 0), resample_weights(50, 1, 1), resample_weights(50, 0, 1)];
        assert_ne!(draws[0], draws[1]);
        assert_ne!(draws[1], draws[2]);
        assert_eq!(draws[1], resample_weights(50, 1, 1));
    }

    #[test]
    fn bounds_are_interpolated_as_numpy_does() {
        // numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6], [5, 95]) = [1.0, 7.95]
        let found = interval(&mut [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0], 0.9).unwrap();
        assert!((found.low - 1.0).abs() < 1e-12 && (found.high - 7.95).abs() < 1e-12, "{found:?}");
        assert_eq!(interval(&mut [2.5], 0.9), Some(Interval { low: 2.5, high: 2.5 }));
        assert_eq!(interval(&mut [], 0.9), None);
    }

    #[test]
    fn the_interval_of_a_mean_is_two_standard_errors_wide_on_both_sides() {
        let values = coins(1_000);
        let groups: Vec<u32> = (0..1_000).collect();
        let found = grouped_interval(&groups, 1_000, 2_000, 3, |rows, _| mean(&values, rows)).unwrap();
        let expected_width = 2.0 * 1.96 * (0.25f64 / 1_000.0).sqrt();
        assert!(((found.high - found.low) / expected_width - 1.0).abs() < 0.06, "{found:?}");
    }

    #[test]
    fn rows_that_only_repeat_their_group_do_not_narrow_the_interval() {
        let single = coins(100);
        let repeated: Vec<f64> = single.iter().flat_map(|&value| [value; 20]).collect();
        let groups: Vec<u32> = (0..2_000).map(|row| row / 20).collect();
        let own: Vec<u32> = (0..100).collect();
        let expected = grouped_interval(&own, 100, 200, 3, |rows, _| mean(&single, rows));
        assert_eq!(grouped_interval(&groups, 100, 200, 3, |rows, _| mean(&repeated, rows)), expected);
    }

    #[test]
    fn one_thread_and_four_agree_to_the_bit() {
        let values = coins(500);
        let groups: Vec<u32> = (0..500).map(|row| row % 60).collect();
        let on_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| grouped_interval(&groups, 60, 100, 11, |rows, _| mean(&values, rows)))
        };
        assert_eq!(on_threads(1), on_threads(4));
    }

    #[test]
    fn a_difference_of_a_statistic_with_itself_is_zero_in_every_sample() {
        let values = coins(50);
        let groups: Vec<u32> = (0..50).collect();
        let difference = |rows: &[u32], _: &[u32]| Some(mean(&values, rows)? - mean(&values, rows)?);
        assert_eq!(grouped_interval(&groups, 50, 40, 1, difference), Some(Interval { low: 0.0, high: 0.0 }));
    }

    #[test]
    fn a_statistic_that_most_samples_lack_has_no_interval() {
        let groups: Vec<u32> = (0..50).collect();
        let only_if_drawn_thrice = |_: &[u32], drawn: &[u32]| (drawn[0] >= 3).then_some(1.0);
        assert_eq!(grouped_interval(&groups, 50, 100, 1, only_if_drawn_thrice), None);
        assert_eq!(grouped_interval(&[], 0, 10, 1, |rows, _| mean(&[], rows)), None);
        assert_eq!(grouped_interval(&groups, 50, 0, 1, |_, _| Some(1.0)), None);
    }
}
