//! How large a calibration error is by chance alone: of a few hundred rows with a few dozen positives, no bin ever has the share
//! that was promised, however right the promise is.

use crate::bootstrap::SplitMix64;
use crate::metrics::Ranking;
use rayon::prelude::*;

/// Simulated samples; 500 place the 99th percentile to within a tenth of the spread.
const SAMPLES: usize = 500;
/// Of the simulated errors, the one that is taken for the most that chance does: one right model in a hundred is above it.
const PERCENTILE: usize = 99;

/// The calibration error, mean over folds, that a model whose probabilities are all true stays below in 99 of 100 samples.
/// folds: the probabilities that were served; bins: see [`Ranking::reliability_curve`]. `None` where a fold has no rows.
/// O(samples * rows). Source: Bröcker & Smith 2007, consistency resampling.
pub fn calibration_error_by_chance(folds: &[&[f64]], bins: usize, seed: u64) -> Option<f64> {
    let rankings: Vec<(Ranking, &[f64])> = folds.iter().map(|fold| (Ranking::new(fold), *fold)).collect();
    let sample = |number: usize| {
        let mut random = SplitMix64::new(SplitMix64::new(seed.wrapping_add(number as u64)).next_u64());
        let mut errors = 0.0;
        for (ranking, probability) in &rankings {
            let truth: Vec<bool> = probability.iter().map(|&probability| random.unit() < probability).collect();
            errors += ranking.calibration_error(&truth, &vec![1; truth.len()], bins)?;
        }
        Some(errors / rankings.len() as f64)
    };
    let errors: Option<Vec<f64>> = (0..SAMPLES).into_par_iter().map(sample).collect();
    let mut errors = errors.filter(|_| !folds.is_empty())?;
    errors.sort_unstable_by(f64::total_cmp);
    errors.get(SAMPLES * PERCENTILE / 100).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measures::CALIBRATION_BINS;

    /// The error of a sample whose truths come with these probabilities.
    fn error(probability: &[f64], served: &[f64], seed: u64) -> f64 {
        let mut random = SplitMix64::new(seed);
        let truth: Vec<bool> = probability.iter().map(|&probability| random.unit() < probability).collect();
        Ranking::new(served).calibration_error(&truth, &vec![1; truth.len()], CALIBRATION_BINS).unwrap()
    }

    #[test]
    fn a_right_model_is_above_it_once_in_a_hundred_samples_and_a_wrong_one_mostly() {
        let right: Vec<f64> = (0..1_000).map(|row| 0.005 + 0.1 * f64::from(row) / 1_000.0).collect();
        let limit = calibration_error_by_chance(&[&right], CALIBRATION_BINS, 1).unwrap();
        assert!(limit > 0.02, "more by chance than a customary limit allows: {limit}");
        let above = (0..300).filter(|&seed| error(&right, &right, 1_000 + seed) > limit).count();
        assert!(above <= 9, "{above} of 300");
        let wrong: Vec<f64> = right.iter().map(|probability| probability + 0.05).collect();
        let caught = (0..300).filter(|&seed| error(&right, &wrong, 1_000 + seed) > limit).count();
        assert!(caught >= 270, "{caught} of 300");
    }

    #[test]
    fn more_rows_leave_less_to_chance_and_none_leave_nothing_to_say() {
        let probability: Vec<f64> = (0..40_000).map(|row| f64::from(row % 100) / 1_000.0).collect();
        let limit = |rows: usize| calibration_error_by_chance(&[&probability[..rows]], CALIBRATION_BINS, 1);
        assert!(limit(40_000) < limit(400).map(|limit| limit / 2.0));
        assert_eq!(calibration_error_by_chance(&[], CALIBRATION_BINS, 1), None);
        assert_eq!(calibration_error_by_chance(&[&[]], CALIBRATION_BINS, 1), None);
        assert_eq!(limit(400), limit(400));
    }
}
