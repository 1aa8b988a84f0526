//! Categories as the mean of the target among their rows, for trees.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::encoder::{Coding, Encoder, Feature, slots, word_counts};
use super::error::{EncodingError, FOLDS_MAX};
use crate::frame::{Column, Frame, Matrix};

/// Settings of target encoding: each category becomes the smoothed mean of the target among the rows that have it,
/// `(sum + smoothing * prior) / (count + smoothing)`. Missing counts as a word of its own; numbers pass unchanged.
/// Source: Micci-Barreca 2001, equation 7; out-of-fold as in scikit-learn's TargetEncoder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TargetEncoding {
    /// Rows' worth of trust in the overall mean, 0 or more.
    pub smoothing: f64,
}

impl TargetEncoding {
    /// Learns from all rows; the matrix holds for each row what the rows of the *other* folds say, prior included,
    /// so that a row never sees its own target. target: finite, 0/1 or any real. folds: one id a row, any numbers,
    /// 2 to 100 of them. A word that the other folds lack gets their prior. O(columns * folds * rows).
    pub fn fit_transform(
        &self,
        frame: &Frame,
        target: &[f64],
        folds: &[u32],
    ) -> Result<(Encoder, Matrix), EncodingError> {
        let fold_ids = self.check(frame, target, folds)?;
        let fit_one = |column: &Column| match column {
            Column::Number(values) => (Coding::Number, values.clone()),
            Column::Category { codes, words } => self.fit_category(codes, words, target, folds, &fold_ids),
        };
        let fitted: Vec<(Coding, Vec<f64>)> = frame.columns.par_iter().map(fit_one).collect();
        let mut matrix = Matrix::with_rows(frame.rows());
        let mut features = Vec::with_capacity(fitted.len());
        for (name, (coding, values)) in frame.names.iter().zip(fitted) {
            matrix.push(&values);
            features.push(Feature { name: name.clone(), coding });
        }
        Ok((Encoder { features }, matrix))
    }

    /// The distinct fold ids, ascending.
    fn check(&self, frame: &Frame, target: &[f64], folds: &[u32]) -> Result<Vec<u32>, EncodingError> {
        let expected = frame.rows();
        if expected == 0 {
            return Err(EncodingError::NoRows);
        }
        for (what, found) in [("targets", target.len()), ("fold ids", folds.len())] {
            if found != expected {
                return Err(EncodingError::Lengths { what, expected, found });
            }
        }
        if !(self.smoothing >= 0.0 && self.smoothing.is_finite()) {
            return Err(EncodingError::Smoothing(self.smoothing));
        }
        if let Some(row) = target.iter().position(|value| !value.is_finite()) {
            return Err(EncodingError::Target { row, value: target[row] });
        }
        let fold_ids: BTreeSet<u32> = folds.iter().copied().collect();
        match fold_ids.len() {
            2..=FOLDS_MAX => Ok(fold_ids.into_iter().collect()),
            found => Err(EncodingError::Folds { found }),
        }
    }

    fn fit_category(
        &self,
        codes: &[u32],
        words: &[String],
        target: &[f64],
        folds: &[u32],
        fold_ids: &[u32],
    ) -> (Coding, Vec<f64>) {
        let vocabulary: Vec<String> = word_counts(codes, words).into_keys().map(str::to_owned).collect();
        let slots = slots(&vocabulary, codes, words);
        let mut encoded = vec![0.0; codes.len()];
        for &fold in fold_ids {
            // Summed anew rather than taken off the total: a subtraction would leave the row's own target in the
            // last bits, and trees do split on last bits.
            let means = self.means(&slots, vocabulary.len() + 2, target, |row| folds[row] != fold);
            for row in (0..codes.len()).filter(|&row| folds[row] == fold) {
                encoded[row] = means[slots[row]];
            }
        }
        let means = self.means(&slots, vocabulary.len() + 2, target, |_| true);
        (Coding::TargetMean { words: vocabulary, means }, encoded)
    }

    /// The smoothed mean of each slot over the rows that `counts_in` lets in; the prior where there are none.
    fn means(&self, slots: &[usize], slot_count: usize, target: &[f64], counts_in: impl Fn(usize) -> bool) -> Vec<f64> {
        let (mut sums, mut counts) = (vec![0.0; slot_count], vec![0.0; slot_count]);
        let (mut sum, mut count) = (0.0, 0.0);
        for row in (0..slots.len()).filter(|&row| counts_in(row)) {
            sums[slots[row]] += target[row];
            counts[slots[row]] += 1.0;
            sum += target[row];
            count += 1.0;
        }
        let prior = sum / count;
        let smoothed = |(&sum, &count): (&f64, &f64)| match count {
            0.0 => prior,
            _ => (sum + self.smoothing * prior) / (count + self.smoothing),
        };
        sums.iter().zip(&counts).map(smoothed).collect()
    }
}
