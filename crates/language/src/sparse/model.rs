//! The model: what it is asked for, what it says of a row.

use serde::{Deserialize, Serialize};

/// What is minimised: `c * sum(log-loss) + |w|^2 / 2`, intercepts free, as in scikit-learn's LogisticRegression.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticSettings {
    /// Trust in the data over the penalty, above 0.
    pub c: f64,
    /// Converged when no component of the gradient of (objective / c / rows) exceeds this.
    pub tolerance: f64,
    pub iterations_max: u32,
}

impl Default for LogisticSettings {
    fn default() -> Self {
        // Rows of length 1 want a larger c than scikit-learn's 1; the tolerance leaves six digits of every weight.
        LogisticSettings { c: 10.0, tolerance: 1e-8, iterations_max: 1_000 }
    }
}

/// A fitted model. With two classes there is one output, the log-odds of class 1; with more, one per class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogisticModel {
    pub classes: usize,
    /// One an output. With more than two classes only their differences matter; they sum to 0.
    pub intercepts: Vec<f64>,
    /// Column by column, outputs within a column.
    pub weights: Vec<f64>,
}

impl LogisticModel {
    pub(super) fn zeros(width: usize, classes: usize) -> LogisticModel {
        let outputs = if classes == 2 { 1 } else { classes };
        LogisticModel { classes, intercepts: vec![0.0; outputs], weights: vec![0.0; width * outputs] }
    }

    /// Raw scores of one row, one an output. cells: (column, value); a column beyond the model's counts nothing.
    pub fn raw(&self, cells: impl Iterator<Item = (u32, f64)>) -> Vec<f64> {
        let mut raw = self.intercepts.clone();
        self.add_raw(cells, &mut raw);
        raw
    }

    pub(super) fn add_raw(&self, cells: impl Iterator<Item = (u32, f64)>, raw: &mut [f64]) {
        let outputs = raw.len();
        for (column, value) in cells {
            let start = column as usize * outputs;
            let weights = self.weights.get(start..start + outputs).unwrap_or_default();
            raw.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight * value);
        }
    }

    /// The chance of each class for one row, 0..=1, summing to 1; one per class.
    pub fn chances(&self, cells: impl Iterator<Item = (u32, f64)>) -> Vec<f64> {
        let mut raw = self.raw(cells);
        if self.classes == 2 {
            let chance = logistic(raw[0]);
            return vec![1.0 - chance, chance];
        }
        softmax(&mut raw);
        raw
    }

    /// Intercepts, then weights: one list of numbers for the search.
    pub(super) fn parameters(&mut self) -> impl Iterator<Item = &mut f64> {
        self.intercepts.iter_mut().chain(&mut self.weights)
    }
}

/// The model with how the search for it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticFit {
    pub model: LogisticModel,
    pub iterations: u32,
    pub converged: bool,
    /// In the units of [`LogisticSettings::tolerance`].
    pub gradient_norm: f64,
}

pub(super) fn logistic(raw: f64) -> f64 {
    let small = (-raw.abs()).exp();
    if raw >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) }
}

/// Turns raw scores into chances; returns the logarithm of the sum of their exponentials.
pub(super) fn softmax(raw: &mut [f64]) -> f64 {
    let largest = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    raw.iter_mut().for_each(|score| *score = (*score - largest).exp());
    let total: f64 = raw.iter().sum();
    raw.iter_mut().for_each(|chance| *chance /= total);
    total.ln() + largest
}
