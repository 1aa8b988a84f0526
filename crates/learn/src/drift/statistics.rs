//! How far a tally is from another one of the same profile: the statistics that run in production, at a cost of a few
//! hundred additions whatever the number of rows.
//!
//! Missing rows are left out of all but [`missing_z`], which looks at nothing else: a gap in a feed must not pass as a
//! shift of the values. `None` means that a tally has no value, or that the tallies are not of one profile.

use serde::{Deserialize, Serialize};

use super::exact;
use super::profile::{NumberProfile, Profile};
use super::special::chi_square_above;
use super::tally::Tally;

/// Rows added on both sides to every bin that either side uses, before shares are taken: an empty bin gives a finite
/// index that shrinks with the number of rows. Bins that nobody uses are left out, or they would look like drift as
/// soon as the sides differ in size. Source: Jeffreys' prior for shares; our choice, Evidently uses a fixed share.
const PSI_ROWS_ADDED: f64 = 0.5;

/// What is watched of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    Psi,
    JensenShannon,
    ChiSquare,
    /// Numbers only.
    Ks,
    /// Numbers only.
    Wasserstein,
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquare {
    /// At least 0.
    pub statistic: f64,
    /// 0..=1; holds if the rows of both sides are independent, which rows of one day seldom are.
    pub p_value: f64,
}

impl Statistic {
    /// Those that a column of this kind has, in a fixed order.
    pub fn of_kind(profile: &Profile) -> &'static [Statistic] {
        use Statistic::{ChiSquare, JensenShannon, Ks, Missing, Psi, Wasserstein};
        match profile {
            Profile::Numbers(_) => &[Psi, JensenShannon, ChiSquare, Ks, Wasserstein, Missing],
            Profile::Words(_) => &[Psi, JensenShannon, ChiSquare, Missing],
        }
    }

    /// The statistic's value, higher = further apart. O(bins).
    pub fn value(self, profile: &Profile, reference: &Tally, current: &Tally) -> Option<f64> {
        match (self, profile) {
            (Statistic::Psi, _) => psi(reference, current),
            (Statistic::JensenShannon, _) => jensen_shannon(reference, current),
            (Statistic::ChiSquare, _) => chi_square(reference, current).map(|found| found.statistic),
            (Statistic::Missing, _) => missing_z(reference, current),
            (Statistic::Ks, Profile::Numbers(_)) => ks(reference, current),
            (Statistic::Wasserstein, Profile::Numbers(numbers)) => wasserstein(numbers, reference, current),
            (Statistic::Ks | Statistic::Wasserstein, Profile::Words(_)) => None,
        }
    }
}

/// The population stability index, after half a row is added to every bin in use. At least 0. O(bins).
/// Source: Siddiqi 2006; without drift its mean is about (bins - 1) (1/n + 1/m) (Yurdakul 2018), so the customary .1
/// and .25 mean little for few rows.
pub fn psi(reference: &Tally, current: &Tally) -> Option<f64> {
    comparable(reference, current)?;
    let used: Vec<bool> = reference.counts.iter().zip(&current.counts).map(|(a, b)| a + b > 0).collect();
    let smooth = |tally: &Tally| -> Vec<f64> {
        let added = PSI_ROWS_ADDED * used.iter().filter(|used| **used).count() as f64;
        let rows = tally.present() as f64 + added;
        let counts = tally.counts.iter().zip(&used).filter(|(_, used)| **used);
        counts.map(|(&count, _)| (count as f64 + PSI_ROWS_ADDED) / rows).collect()
    };
    Some(exact::psi(&smooth(reference), &smooth(current)))
}

/// The Jensen-Shannon distance, 0..=0.8326. O(bins).
pub fn jensen_shannon(reference: &Tally, current: &Tally) -> Option<f64> {
    comparable(reference, current)?;
    exact::jensen_shannon(&shares(reference), &shares(current))
}

/// Pearson's test that both tallies are samples of one distribution, over the bins that either side uses (`None` for
/// fewer than two). Unlike [`exact::chi_square_test`] the reference is a sample too, so an empty bin there is no
/// certainty. O(bins).
pub fn chi_square(reference: &Tally, current: &Tally) -> Option<ChiSquare> {
    let (rows, rows_now) = comparable(reference, current)?;
    let ratio = (rows_now / rows).sqrt();
    let (mut statistic, mut bins) = (0.0, 0);
    for (&count, &count_now) in reference.counts.iter().zip(&current.counts).filter(|(a, b)| **a + **b > 0) {
        let misfit = count as f64 * ratio - count_now as f64 / ratio;
        statistic += misfit * misfit / (count + count_now) as f64;
        bins += 1;
    }
    let degrees_of_freedom = (bins > 1).then(|| f64::from(bins - 1))?;
    Some(ChiSquare { statistic, p_value: chi_square_above(statistic, degrees_of_freedom) })
}

/// The largest gap between the empirical distributions at the cuts: at most the exact statistic, and short of it by no
/// more than a bin's share. 0..=1. O(bins).
pub fn ks(reference: &Tally, current: &Tally) -> Option<f64> {
    comparable(reference, current)?;
    let mut apart = 0.0f64;
    let gaps = shares(reference).into_iter().zip(shares(current)).map(|(share, now)| {
        apart += share - now;
        apart.abs()
    });
    Some(gaps.fold(0.0, f64::max).min(1.0))
}

/// How far rows must be moved on average, in training's standard deviations. At least 0. Exact outside the range and
/// in bins where one distribution stays on one side of the other; where they cross inside a bin it is too small by a
/// part of that bin's width times the gap at its ends. O(bins).
pub fn wasserstein(profile: &NumberProfile, reference: &Tally, current: &Tally) -> Option<f64> {
    let (rows, rows_now) = comparable(reference, current)?;
    let outside = |bin: usize| {
        let mean = |tally: &Tally, rows: f64| tally.offsets.get(bin).map(|offset| offset / rows);
        Some((mean(reference, rows)? - mean(current, rows_now)?).abs())
    };
    let mut distance = outside(0)? + outside(profile.cuts.len())?;
    let start = |tally: &Tally, rows: f64| tally.counts.first().map(|&count| count as f64 / rows);
    let mut gap = start(reference, rows)? - start(current, rows_now)?;
    for (bin, pair) in profile.cuts.windows(2).enumerate().map(|(bin, pair)| (bin + 1, pair)) {
        let count = |tally: &Tally, rows: f64| tally.counts.get(bin).map(|&count| count as f64 / rows);
        let offset = |tally: &Tally, rows: f64| tally.offsets.get(bin).map(|offset| offset / rows);
        let gap_after = gap + count(reference, rows)? - count(current, rows_now)?;
        let width = pair[1] - pair[0];
        // The integral of the gap by parts: no assumption about where in the bin its rows are.
        distance += (width * gap_after - offset(reference, rows)? + offset(current, rows_now)?).abs();
        gap = gap_after;
    }
    let normed = distance / profile.deviation.max(exact::SPREAD_MIN);
    normed.is_finite().then_some(normed)
}

/// How many standard errors the missing shares are apart (pooled, without sign). `None` if a tally has no row at all.
/// O(bins).
pub fn missing_z(reference: &Tally, current: &Tally) -> Option<f64> {
    let (rows, rows_now) = (reference.rows() as f64, current.rows() as f64);
    if rows == 0.0 || rows_now == 0.0 {
        return None;
    }
    let pooled = (reference.missing + current.missing) as f64 / (rows + rows_now);
    let error = (pooled * (1.0 - pooled) * (1.0 / rows + 1.0 / rows_now)).sqrt();
    let apart = (reference.missing as f64 / rows - current.missing as f64 / rows_now).abs();
    Some(if error > 0.0 { apart / error } else { 0.0 })
}

/// The rows with a value on both sides, if the tallies can be compared.
fn comparable(reference: &Tally, current: &Tally) -> Option<(f64, f64)> {
    let (rows, rows_now) = (reference.present(), current.present());
    let same_bins = reference.counts.len() == current.counts.len();
    (same_bins && rows > 0 && rows_now > 0).then_some((rows as f64, rows_now as f64))
}

fn shares(tally: &Tally) -> Vec<f64> {
    let rows = tally.present() as f64;
    tally.counts.iter().map(|&count| count as f64 / rows).collect()
}

#[cfg(test)]
mod tests {
    use super::super::exact::{ks_test, wasserstein_normed};
    use super::super::sampling::{normal, unit};
    use super::*;
    use crate::bootstrap::SplitMix64;

    fn tallied(profile: &NumberProfile, values: &[f64]) -> Tally {
        let mut tally = profile.tally();
        values.iter().for_each(|&value| profile.add(&mut tally, value));
        tally
    }

    fn bells(rows: usize, seed: u64, shape: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut random = SplitMix64::new(seed);
        (0..rows).map(|_| shape(normal(&mut random))).collect()
    }

    #[test]
    fn the_binned_distances_are_close_to_the_exact_ones() {
        let shapes: [fn(f64) -> f64; 4] = [|z| z + 0.2, |z| 1.3 * z, |z| (1.5 * z).exp() * 1.2, |z| (z * 5.0).floor()];
        let bases: [fn(f64) -> f64; 4] = [|z| z, |z| z, |z| (1.5 * z).exp(), |z| (z * 4.0).floor()];
        for (shape, base) in shapes.into_iter().zip(bases) {
            let (reference, current) = (bells(20_000, 1, base), bells(5_000, 2, shape));
            let profile = NumberProfile::learn(&reference, 64).unwrap();
            let tally = tallied(&profile, &current);
            let (exact, found) = (
                wasserstein_normed(&reference, &current).unwrap(),
                wasserstein(&profile, &profile.training, &tally).unwrap(),
            );
            assert!((found / exact - 1.0).abs() < 0.05, "found {found}, exact {exact}");
            let exact = ks_test(&reference, &current).unwrap().statistic;
            let found = ks(&profile.training, &tally).unwrap();
            assert!(found <= exact + 1e-12 && found > exact - 1.0 / 64.0, "found {found}, exact {exact}");
        }
    }

    #[test]
    fn values_far_outside_the_range_count_with_their_distance() {
        let reference = bells(1_000, 1, |z| z);
        let current: Vec<f64> = reference.iter().map(|value| value + 100.0).collect();
        let profile = NumberProfile::learn(&reference, 64).unwrap();
        let found = wasserstein(&profile, &profile.training, &tallied(&profile, &current)).unwrap();
        assert!((found - 100.0 / profile.deviation).abs() < 1e-9, "{found}");
    }

    #[test]
    fn without_drift_the_index_is_what_theory_says_for_so_few_rows() {
        let reference = bells(50_000, 1, |z| z);
        let profile = NumberProfile::learn(&reference, 20).unwrap();
        let window = |seed| psi(&profile.training, &tallied(&profile, &bells(500, seed, |z| z))).unwrap();
        let mean = (2..202).map(window).sum::<f64>() / 200.0;
        let expected = 19.0 * (1.0 / 500.0 + 1.0 / 50_000.0);
        assert!((mean / expected - 1.0).abs() < 0.1, "found {mean}, expected {expected}");
    }

    #[test]
    fn without_drift_chi_square_p_values_are_uniform() {
        let profile = NumberProfile::learn(&bells(5_000, 1, |z| z), 10).unwrap();
        let p_value = |seed: u64| {
            let reference = tallied(&profile, &bells(2_000, 2 * seed, |z| z));
            chi_square(&reference, &tallied(&profile, &bells(500, 2 * seed + 1, |z| z))).unwrap().p_value
        };
        let p_values: Vec<f64> = (1..1_001).map(p_value).collect();
        let below = |level: f64| p_values.iter().filter(|&&found| found <= level).count();
        assert!((30..=70).contains(&below(0.05)) && (450..=550).contains(&below(0.5)), "{}", below(0.05));
    }

    #[test]
    fn the_same_rows_are_at_no_distance_and_nothing_is_said_of_none() {
        let profile = NumberProfile::learn(&bells(500, 1, |z| z), 16).unwrap();
        let (training, empty) = (profile.training.clone(), profile.tally());
        let profile = Profile::Numbers(profile);
        for statistic in Statistic::of_kind(&profile) {
            assert_eq!(statistic.value(&profile, &training, &training), Some(0.0), "{statistic:?}");
            assert_eq!(statistic.value(&profile, &training, &empty), None, "{statistic:?}");
        }
    }

    #[test]
    fn a_gap_in_a_feed_shows_in_the_missing_share_alone() {
        let reference = bells(2_000, 1, |z| z);
        let profile = NumberProfile::learn(&reference, 16).unwrap();
        let mut random = SplitMix64::new(9);
        let mut with_gaps = |value: f64| if unit(&mut random) < 0.2 { f64::NAN } else { value };
        let current: Vec<f64> = bells(2_000, 2, |z| z).into_iter().map(&mut with_gaps).collect();
        let tally = tallied(&profile, &current);
        assert!(missing_z(&profile.training, &tally).unwrap() > 15.0);
        assert!(chi_square(&profile.training, &tally).unwrap().p_value > 0.01);
    }
}
