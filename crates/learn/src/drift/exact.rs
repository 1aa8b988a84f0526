//! The classic two-sample numbers on whole columns: what people compare our drift against, and what the binned forms
//! are tested with.
//!
//! Samples hold finite numbers in any order (a NaN or an infinity makes the result meaningless, never a panic). `None`
//! always means that nothing can be said.

use super::kolmogorov::{one_sample_tail, two_sample_tail};
use super::special::{chi_square_above, normal_beyond};

/// Up to here the p-value is counted exactly; scipy 1.17, `ks_2samp`.
const EXACT_ROWS_MAX: usize = 10_000;

/// A standard deviation below this counts as this, so that a constant column does not divide by 0. Evidently 0.7.
pub(super) const SPREAD_MIN: f64 = 0.001;

/// The largest gap between two empirical distributions, and how often one distribution gives a gap as wide.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KsTest {
    /// 0..=1.
    pub statistic: f64,
    /// Two-sided, 0..=1; too high with many ties, which the test does not know of.
    pub p_value: f64,
}

/// Two samples walked in order: at each distinct value, how many rows of each sample are at or below it.
struct Steps {
    value: f64,
    reference: usize,
    current: usize,
}

/// The Kolmogorov-Smirnov test; `None` if a sample is empty. The p-value is exact up to [`EXACT_ROWS_MAX`] rows in
/// either sample, above that the one of a single sample of `n m / (n + m)` rows, as scipy's `ks_2samp` has it.
/// O(n log n) for the statistic, O(n m) at the worst for an exact p-value of two different sizes.
pub fn ks_test(reference: &[f64], current: &[f64]) -> Option<KsTest> {
    let (rows, rows_now) = (reference.len() as u64, current.len() as u64);
    if rows == 0 || rows_now == 0 {
        return None;
    }
    let gap_at = |step: &Steps| (step.reference as u64 * rows_now).abs_diff(step.current as u64 * rows);
    let gap = steps(reference, current).iter().map(gap_at).max()?;
    let statistic = gap as f64 / (rows * rows_now) as f64;
    let p_value = if reference.len().max(current.len()) <= EXACT_ROWS_MAX {
        two_sample_tail(rows.max(rows_now), rows.min(rows_now), gap)
    } else {
        let equivalent_rows = (rows * rows_now) as f64 / (rows + rows_now) as f64;
        one_sample_tail(equivalent_rows.round_ties_even() as u64, statistic)
    };
    Some(KsTest { statistic, p_value })
}

/// How far rows must be moved on average to turn one sample into the other, in standard deviations (population form)
/// of the reference. At least 0; `None` if a sample is empty. O(n log n). Source: Vallender 1974.
pub fn wasserstein_normed(reference: &[f64], current: &[f64]) -> Option<f64> {
    if reference.is_empty() || current.is_empty() {
        return None;
    }
    let share_apart = |step: &Steps| {
        (step.reference as f64 / reference.len() as f64 - step.current as f64 / current.len() as f64).abs()
    };
    let steps = steps(reference, current);
    let distance: f64 = steps.windows(2).map(|pair| share_apart(&pair[0]) * (pair[1].value - pair[0].value)).sum();
    Some(distance / population_deviation(reference).max(SPREAD_MIN))
}

/// The Jensen-Shannon distance (the root of the divergence, natural logarithm: 0..=0.8326) between two lists of counts
/// or shares over the same bins, each scaled to sum 1. `None` if either sums to 0. O(bins).
/// Source: Endres & Schindelin 2003; scipy's `jensenshannon`.
pub fn jensen_shannon(reference: &[f64], current: &[f64]) -> Option<f64> {
    let (total, total_now) = (reference.iter().sum::<f64>(), current.iter().sum::<f64>());
    if !(total > 0.0 && total_now > 0.0) {
        return None;
    }
    let against = |share: f64, mean: f64| if share > 0.0 { share * (share / mean).ln() } else { 0.0 };
    let bin = |(&count, &count_now): (&f64, &f64)| {
        let (share, share_now) = (count / total, count_now / total_now);
        let mean = (share + share_now) / 2.0;
        against(share, mean) + against(share_now, mean)
    };
    let divergence: f64 = reference.iter().zip(current).map(bin).sum();
    Some((divergence / 2.0).max(0.0).sqrt())
}

/// The population stability index of shares over the same bins, all above 0: fill empty bins first. At least 0.
/// O(bins). Source: Siddiqi 2006 (the bounds .1 and .25 that go with it are a convention).
pub fn psi(reference: &[f64], current: &[f64]) -> f64 {
    reference.iter().zip(current).map(|(&share, &now)| (share - now) * (share / now).ln()).sum()
}

/// The p-value of Pearson's test that current counts follow the reference's shares, which it takes for the truth
/// (so a small reference makes it see drift too often). A bin that the reference lacks gives 0. `None` for fewer than
/// two bins in use or an empty side. O(bins). Source: Pearson 1900, as Evidently applies it.
pub fn chi_square_test(reference: &[u64], current: &[u64]) -> Option<f64> {
    let (total, total_now) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    let used = || reference.iter().zip(current).filter(|(count, count_now)| **count + **count_now > 0);
    let bins = used().count();
    if total == 0 || total_now == 0 || bins < 2 {
        return None;
    }
    let scale = total_now as f64 / total as f64;
    let misfit = |(&count, &count_now): (&u64, &u64)| {
        let expected = count as f64 * scale;
        (count_now as f64 - expected).powi(2) / expected
    };
    Some(chi_square_above(used().map(misfit).sum(), (bins - 1) as f64))
}

/// How many of how many rows are of one kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proportion {
    pub hits: u64,
    pub rows: u64,
}

/// The two-sided p-value that both proportions are one, by the pooled z test. 1 if both are 0 or both are 1; `None`
/// without rows on either side.
pub fn proportions_test(reference: Proportion, current: Proportion) -> Option<f64> {
    if reference.rows == 0 || current.rows == 0 {
        return None;
    }
    let (rows, rows_now) = (reference.rows as f64, current.rows as f64);
    let pooled = (reference.hits + current.hits) as f64 / (rows + rows_now);
    let error = (pooled * (1.0 - pooled) * (1.0 / rows + 1.0 / rows_now)).sqrt();
    if error == 0.0 {
        return Some(1.0);
    }
    Some(normal_beyond((reference.hits as f64 / rows - current.hits as f64 / rows_now) / error))
}

fn steps(reference: &[f64], current: &[f64]) -> Vec<Steps> {
    let sorted = |values: &[f64]| {
        // Adding 0 turns -0 into 0: both are one value.
        let mut values: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (left, right) = (sorted(reference), sorted(current));
    let (mut steps, mut reference, mut current) = (Vec::new(), 0, 0);
    while reference < left.len() || current < right.len() {
        let value = match (left.get(reference), right.get(current)) {
            (Some(&left), Some(&right)) if left.total_cmp(&right).is_le() => left,
            (_, Some(&right)) => right,
            (Some(&left), None) => left,
            (None, None) => break,
        };
        reference += left[reference..].iter().take_while(|other| other.total_cmp(&value).is_eq()).count();
        current += right[current..].iter().take_while(|other| other.total_cmp(&value).is_eq()).count();
        steps.push(Steps { value, reference, current });
    }
    steps
}

fn population_deviation(values: &[f64]) -> f64 {
    let rows = values.len() as f64;
    let mean = values.iter().sum::<f64>() / rows;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / rows).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_does_not_differ_from_itself() {
        let values = [3.0, 1.0, 1.0, -0.0, 0.0];
        assert_eq!(ks_test(&values, &values), Some(KsTest { statistic: 0.0, p_value: 1.0 }));
        assert_eq!(wasserstein_normed(&values, &values), Some(0.0));
        assert_eq!(jensen_shannon(&[1.0, 3.0], &[10.0, 30.0]), Some(0.0));
        assert_eq!(psi(&[0.25, 0.75], &[0.25, 0.75]), 0.0);
        assert_eq!(chi_square_test(&[10, 30], &[1, 3]), Some(1.0));
    }

    #[test]
    fn samples_that_do_not_overlap_are_as_far_apart_as_can_be() {
        let found = ks_test(&[1.0, 2.0, 3.0], &[4.0, 5.0]).unwrap();
        assert!(found.statistic == 1.0 && (found.p_value - 0.2).abs() < 1e-12, "{found:?}");
        assert!((jensen_shannon(&[1.0, 0.0], &[0.0, 1.0]).unwrap() - 2f64.ln().sqrt()).abs() < 1e-12);
        assert_eq!(chi_square_test(&[5, 0], &[4, 1]), Some(0.0));
    }

    #[test]
    fn the_p_value_of_large_samples_is_scipys() {
        // scipy.stats.ks_2samp; 900 * 11,000 / 11,900 rows are rounded up to 832.
        let reference: Vec<f64> = (0..900).map(|row| f64::from(row) / 900.0).collect();
        let current: Vec<f64> = (0..11_000).map(|row| f64::from(row) / 11_000.0 * 0.96).collect();
        let found = ks_test(&reference, &current).unwrap();
        assert!((found.statistic - 0.040_020_202_020_201_956).abs() < 1e-12, "{found:?}");
        assert!((found.p_value - 0.135_446_676_596_830_4).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_shift_by_one_deviation_is_a_distance_of_one() {
        let values = [0.0, 2.0];
        assert_eq!(wasserstein_normed(&values, &[1.0, 3.0]), Some(1.0));
        assert_eq!(wasserstein_normed(&[7.0, 7.0], &[7.5]), Some(0.5 / SPREAD_MIN));
    }

    #[test]
    fn proportions_that_are_both_certain_agree() {
        let none = Proportion { hits: 0, rows: 9 };
        assert_eq!(proportions_test(none, none), Some(1.0));
        // (0.5 - 0.4) / sqrt(0.45 * 0.55 * 0.02): z = 1.4213, p = 0.1552
        let found = proportions_test(Proportion { hits: 50, rows: 100 }, Proportion { hits: 40, rows: 100 }).unwrap();
        assert!((found - 0.155_218).abs() < 1e-6, "{found}");
    }

    #[test]
    fn where_nothing_can_be_said_nothing_is_said() {
        assert_eq!((ks_test(&[], &[1.0]), wasserstein_normed(&[1.0], &[])), (None, None));
        assert_eq!((jensen_shannon(&[0.0], &[1.0]), chi_square_test(&[5], &[5])), (None, None));
        assert_eq!(proportions_test(Proportion { hits: 0, rows: 0 }, Proportion { hits: 1, rows: 2 }), None);
        assert!(ks_test(&[f64::NAN, 1.0], &[f64::INFINITY]).is_some(), "no panic on what should not be there");
    }
}
