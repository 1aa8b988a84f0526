//! What is asked for, what is refused, and the fitted model, which scores a batch and a single row to the same bit.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::frame::Matrix;

/// Rows worked on at once: 4 kB a column, nine of which fit in the first cache.
pub(super) const BLOCK_ROWS: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// For a target of 0 or 1; the model's raw score is the log-odds of 1.
    Logistic,
    /// Half the squared error, for any real target; the raw score is the prediction. Ridge has alpha = 1 / c.
    Squared,
}

/// What is minimised: `c * sum(weight * loss) + l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2`, intercept free, as in
/// scikit-learn's LogisticRegression. The penalty asks for columns of like scale: standardise first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearSettings {
    pub loss: Loss,
    /// Trust in the data over the penalty, above 0.
    pub c: f64,
    /// 0 is ridge, 1 is lasso, between is elastic net.
    pub l1_ratio: f64,
    /// Converged when no component of the gradient of (objective / c / sum of weights), each divided by its column's
    /// root mean square, exceeds this. Free of units; with the elastic net the smallest subgradient counts.
    pub tolerance: f64,
    /// Newton takes about 10, L-BFGS hundreds.
    pub iterations_max: u32,
}

impl Default for LinearSettings {
    fn default() -> Self {
        // c = 1 is scikit-learn's default. The tolerance leaves six good digits even where the penalty alone holds a
        // weight (collinear columns), and is a million times the rounding of the sums.
        LinearSettings { loss: Loss::Logistic, c: 1.0, l1_ratio: 0.0, tolerance: 1e-10, iterations_max: 1_000 }
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LinearError {
    #[error("there are no rows to fit a linear model to; check the training period and the source")]
    NoRows,
    #[error("{found} {what} were given for {expected} rows; give one a row")]
    Lengths { what: &'static str, expected: usize, found: usize },
    #[error("column {column} holds `{value}` at row {row}; a linear model takes finite numbers, so fill gaps first")]
    NotFinite { column: usize, row: usize, value: f64 },
    #[error("the target of row {row} is `{value}`; {expected}")]
    Target { row: usize, value: f64, expected: &'static str },
    #[error("the weight of row {row} is `{value}`; weights are finite, 0 or more, and not all 0")]
    Weight { row: usize, value: f64 },
    #[error("all rows with weight have the same target; two outcomes are needed to tell them apart")]
    OneClass,
    #[error("`{name}` is `{value}`; it is {range}")]
    Setting { name: &'static str, value: f64, range: &'static str },
    #[error("{found} columns with l1_ratio above 0, {max} at most; set l1_ratio = 0 or give fewer columns")]
    TooManyColumns { found: usize, max: usize },
}

/// A fitted linear model: `intercept + sum(weight * value)`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LinearModel {
    pub intercept: f64,
    /// One a column.
    pub weights: Vec<f64>,
}

impl LinearModel {
    /// The raw score of each row: log-odds, or the prediction itself under squared loss. NaN in, NaN out.
    /// Panics if the matrix has rows and another number of columns. O(values), parallel.
    pub fn predict_raw(&self, matrix: &Matrix) -> Vec<f64> {
        assert!(matrix.rows == 0 || matrix.columns() == self.weights.len(), "one weight a column");
        let mut raw = vec![self.intercept; matrix.rows];
        raw.par_chunks_mut(BLOCK_ROWS).enumerate().for_each(|(block, raw)| {
            for (column, weight) in self.weights.iter().enumerate() {
                let values = &matrix.column(column)[block * BLOCK_ROWS..][..raw.len()];
                raw.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
            }
        });
        raw
    }

    /// The raw score of one row, equal to [`LinearModel::predict_raw`] to the bit: both add in column order.
    pub fn raw_row(&self, row: &[f64]) -> f64 {
        assert_eq!(row.len(), self.weights.len(), "one weight a value");
        self.weights.iter().zip(row).fold(self.intercept, |sum, (weight, value)| sum + weight * value)
    }

    /// What each value adds to the raw score over an average row: `weight * (value - mean)`. The exact SHAP values
    /// of a linear model whose columns are independent (Lundberg & Lee 2017, corollary 1).
    pub fn contributions(&self, row: &[f64], means: &[f64]) -> Vec<f64> {
        assert!(row.len() == self.weights.len() && means.len() == row.len(), "one mean and one weight a value");
        self.weights.iter().zip(row.iter().zip(means)).map(|(weight, (value, mean))| weight * (value - mean)).collect()
    }
}

/// The model with how the search for it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearFit {
    pub model: LinearModel,
    pub iterations: u32,
    pub converged: bool,
    /// In the units of [`LinearSettings::tolerance`].
    pub gradient_norm: f64,
}
