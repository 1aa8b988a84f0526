//! Drawing, from whole numbers to shares of a count: what resampling quiet windows needs.

use super::special::ln_choose;
use crate::bootstrap::SplitMix64;

/// A multiple of 2^-53 in 0..1.
pub(crate) fn unit(random: &mut SplitMix64) -> f64 {
    (random.next_u64() >> 11) as f64 * (0.5f64).powi(53)
}

/// A standard normal number. Source: Box & Muller 1958.
pub(crate) fn normal(random: &mut SplitMix64) -> f64 {
    // 1 - u is never 0, so the logarithm is finite.
    let radius = (-2.0 * (1.0 - unit(random)).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * unit(random)).cos()
}

/// How many of each bin's rows are among `rows` drawn without replacement; all counts if that is as many as there are
/// or more. O(bins), and the root of the count for a rare bin.
pub(super) fn thin(counts: &[u64], rows: u64, random: &mut SplitMix64) -> Vec<u64> {
    let mut left: u64 = counts.iter().sum();
    let mut to_draw = rows.min(left);
    let mut drawn = Vec::with_capacity(counts.len());
    for &count in counts {
        let taken = hypergeometric(left, count, to_draw, random);
        drawn.push(taken);
        left -= count;
        to_draw -= taken;
    }
    drawn
}

/// Below this variance the exact distribution is walked through, above it a rounded normal number is taken: our
/// choice, at a spread of 8 rows rounding no longer shows.
const WALK_VARIANCE_MAX: f64 = 64.0;

/// How many of `draws` rows, drawn without replacement from `rows`, are among the `marked` ones.
fn hypergeometric(rows: u64, marked: u64, draws: u64, random: &mut SplitMix64) -> u64 {
    let lowest = (draws + marked).saturating_sub(rows);
    let highest = marked.min(draws);
    if lowest == highest {
        return lowest;
    }
    let (all, share) = (rows as f64, marked as f64 / rows as f64);
    let mean = draws as f64 * share;
    let variance = mean * (1.0 - share) * (all - draws as f64) / (all - 1.0);
    if variance > WALK_VARIANCE_MAX {
        let drawn = (mean + variance.sqrt() * normal(random)).round();
        return (drawn.max(lowest as f64) as u64).min(highest);
    }
    walk(rows, marked, draws, lowest..=highest, unit(random))
}

/// The count at which the summed probability passes `target`.
fn walk(rows: u64, marked: u64, draws: u64, range: std::ops::RangeInclusive<u64>, target: f64) -> u64 {
    let (rows, marked, draws) = (rows as f64, marked as f64, draws as f64);
    let (mut count, last) = (*range.start(), *range.end());
    let first = count as f64;
    let logarithm = ln_choose(marked, first) + ln_choose(rows - marked, draws - first) - ln_choose(rows, draws);
    let mut probability = logarithm.exp();
    let mut passed = probability;
    while passed < target && count < last {
        let at = count as f64;
        probability *= (marked - at) * (draws - at) / ((at + 1.0) * (rows - marked - draws + at + 1.0));
        passed += probability;
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_total_and_each_bins_share() {
        let counts = [5, 0, 50, 945, 9_000];
        let mut random = SplitMix64::new(1);
        let mut sums = [0u64; 5];
        for _ in 0..2_000 {
            let drawn = thin(&counts, 500, &mut random);
            assert_eq!(drawn.iter().sum::<u64>(), 500);
            assert!(drawn.iter().zip(&counts).all(|(drawn, count)| drawn <= count));
            sums.iter_mut().zip(drawn).for_each(|(sum, drawn)| *sum += drawn);
        }
        for (sum, count) in sums.iter().zip(counts) {
            let (expected, found) = (count as f64 / 20.0, *sum as f64 / 2_000.0);
            assert!((found - expected).abs() < 0.04 * expected.max(0.5), "found {found}, expected {expected}");
        }
    }

    #[test]
    fn a_drawn_count_varies_as_the_formula_says() {
        let mut random = SplitMix64::new(2);
        for (rows, marked, draws) in [(1_000, 100, 200), (100_000, 40_000, 5_000)] {
            let values: Vec<f64> =
                (0..20_000).map(|_| hypergeometric(rows, marked, draws, &mut random) as f64).collect();
            let mean = values.iter().sum::<f64>() / 20_000.0;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 20_000.0;
            let share = marked as f64 / rows as f64;
            let expected = draws as f64 * share * (1.0 - share) * (rows - draws) as f64 / (rows - 1) as f64;
            assert!((variance / expected - 1.0).abs() < 0.05, "found {variance}, expected {expected}");
        }
    }

    #[test]
    fn as_many_rows_as_there_are_is_all_of_them() {
        assert_eq!(thin(&[3, 4], 7, &mut SplitMix64::new(1)), [3, 4]);
        assert_eq!(thin(&[3, 4], 70, &mut SplitMix64::new(1)), [3, 4]);
        assert_eq!(thin(&[], 7, &mut SplitMix64::new(1)), [0u64; 0]);
    }
}
