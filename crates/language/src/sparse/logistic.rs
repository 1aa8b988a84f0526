//! The model, and what it refuses to learn from.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SparseRows;
use super::search::search;

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

#[derive(Clone, Debug, PartialEq)]
pub enum LogisticError {
    NoRows,
    Lengths { rows: usize, labels: usize },
    Label { row: usize, label: u32, classes: usize },
    MissingClass { class: usize },
    NotFinite { row: usize, column: u32 },
    Setting { name: &'static str, value: f64 },
}

impl fmt::Display for LogisticError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            LogisticError::NoRows => write!(f, "there are no rows to learn from; check the training period"),
            LogisticError::Lengths { rows, labels } => write!(f, "{labels} labels for {rows} rows; give one a row"),
            LogisticError::Label { row, label, classes } => {
                write!(f, "the label of row {row} is {label}; it is below the number of classes, {classes}")
            }
            LogisticError::MissingClass { class } => {
                write!(f, "no row is of class {class}; give at least one of each class, and two classes or more")
            }
            LogisticError::NotFinite { row, column } => {
                write!(f, "row {row} holds no finite number in column {column}; fill gaps first")
            }
            LogisticError::Setting { name, value } => write!(f, "`{name}` is {value}; it is above 0 and finite"),
        }
    }
}

impl std::error::Error for LogisticError {}

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
    fn zeros(width: usize, classes: usize) -> LogisticModel {
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

/// Fits the model by L-BFGS. labels: one a row, 0..classes, each class present. A penalty exists always, so separable
/// data has an optimum too. O(iterations * (values + columns) * outputs).
pub fn fit(
    rows: &SparseRows,
    labels: &[u32],
    classes: usize,
    settings: &LogisticSettings,
) -> Result<LogisticFit, LogisticError> {
    check(rows, labels, classes, settings)?;
    Ok(search(rows, labels, settings, LogisticModel::zeros(rows.width, classes)))
}

fn check(rows: &SparseRows, labels: &[u32], classes: usize, settings: &LogisticSettings) -> Result<(), LogisticError> {
    if rows.is_empty() {
        return Err(LogisticError::NoRows);
    }
    if labels.len() != rows.len() {
        return Err(LogisticError::Lengths { rows: rows.len(), labels: labels.len() });
    }
    if let Some(row) = labels.iter().position(|&label| label as usize >= classes) {
        return Err(LogisticError::Label { row, label: labels[row], classes });
    }
    let mut present = vec![false; classes.max(2)];
    labels.iter().for_each(|&label| present[label as usize] = true);
    if let Some(class) = present.iter().position(|&present| !present) {
        return Err(LogisticError::MissingClass { class });
    }
    let gap = |row: usize| rows.row(row).find(|(_, value)| !value.is_finite()).map(|(column, _)| (row, column));
    if let Some((row, column)) = (0..rows.len()).find_map(gap) {
        return Err(LogisticError::NotFinite { row, column });
    }
    for (name, value) in [("c", settings.c), ("tolerance", settings.tolerance)] {
        if !(value > 0.0 && value.is_finite()) {
            return Err(LogisticError::Setting { name, value });
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_of(width: usize, cells: &[&[(u32, f64)]]) -> SparseRows {
        let mut rows = SparseRows::new(width);
        cells.iter().for_each(|cells| rows.push(cells));
        rows
    }

    /// Four rows of two columns; column 0 speaks for class 1.
    fn small() -> (SparseRows, [u32; 4]) {
        (rows_of(2, &[&[(0, 1.0)], &[(0, 0.5), (1, 1.0)], &[(1, 1.0)], &[]]), [1, 1, 0, 0])
    }

    /// The rows of a case file are `row<TAB>label<TAB>column:value ...`, its fits `fit<TAB>c<TAB>intercept weights`,
    /// one line an output, as scikit-learn gave them.
    fn check_against_scikit_learn(case: &str, classes: usize) {
        let (mut rows, mut labels, mut fits) = (SparseRows::new(12), Vec::new(), Vec::new());
        for line in case.lines() {
            let cells: Vec<&str> = line.split('\t').collect();
            let cell =
                |cell: &str| cell.split_once(':').map(|(c, v)| (c.parse().unwrap(), v.parse().unwrap())).unwrap();
            if cells[0] == "row" {
                labels.push(cells[1].parse().unwrap());
                rows.push(&cells[2].split_whitespace().map(cell).collect::<Vec<(u32, f64)>>());
            } else {
                let expected: Vec<f64> = cells[2].split(' ').map(|value| value.parse().unwrap()).collect();
                fits.push((cells[1].parse().unwrap(), expected));
            }
        }
        let outputs = if classes == 2 { 1 } else { classes };
        assert_eq!(fits.len(), 3 * outputs);
        for (at, (c, expected)) in fits.iter().enumerate() {
            let settings = LogisticSettings { c: *c, tolerance: 1e-11, ..LogisticSettings::default() };
            let fitted = fit(&rows, &labels, classes, &settings).unwrap();
            assert!(fitted.converged, "{fitted:?}");
            let output = at % outputs;
            let weights = fitted.model.weights.iter().skip(output).step_by(outputs);
            let found = std::iter::once(&fitted.model.intercepts[output]).chain(weights);
            let difference = found.zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(difference < 1e-5, "c = {c}, output {output}: {difference:e}");
        }
    }

    #[test]
    fn two_classes_have_the_coefficients_of_scikit_learn() {
        check_against_scikit_learn(include_str!("../../cases/logistic_two.tsv"), 2);
    }

    #[test]
    fn three_classes_have_the_coefficients_of_scikit_learn() {
        check_against_scikit_learn(include_str!("../../cases/logistic_three.tsv"), 3);
    }

    #[test]
    fn chances_sum_to_one_and_a_column_never_seen_counts_nothing() {
        let (rows, labels) = small();
        let model = fit(&rows, &labels, 2, &LogisticSettings::default()).unwrap().model;
        let chances = model.chances([(0, 1.0), (77, 5.0)].into_iter());
        assert_eq!(chances, model.chances(rows.row(0)));
        assert!(chances[1] > 0.8 && (chances[0] + chances[1] - 1.0).abs() < 1e-15, "{chances:?}");
    }

    #[test]
    fn rows_without_columns_leave_the_shares_of_the_classes() {
        let rows = rows_of(0, &[&[], &[], &[], &[]]);
        let fitted = fit(&rows, &[0, 1, 1, 2], 3, &LogisticSettings::default()).unwrap();
        let chances = fitted.model.chances(std::iter::empty());
        assert!(fitted.converged);
        assert!(chances.iter().zip([0.25, 0.5, 0.25]).all(|(found, expected)| (found - expected).abs() < 1e-6));
    }

    #[test]
    fn what_cannot_be_fitted_is_named() {
        let (rows, labels) = small();
        let refuse = |rows: &SparseRows, labels: &[u32], classes, c| {
            fit(rows, labels, classes, &LogisticSettings { c, ..LogisticSettings::default() }).unwrap_err()
        };
        assert_eq!(refuse(&SparseRows::new(3), &[], 2, 1.0), LogisticError::NoRows);
        assert_eq!(refuse(&rows, &labels[1..], 2, 1.0), LogisticError::Lengths { rows: 4, labels: 3 });
        assert_eq!(refuse(&rows, &labels, 3, 1.0), LogisticError::MissingClass { class: 2 });
        assert_eq!(refuse(&rows, &[0; 4], 1, 1.0), LogisticError::MissingClass { class: 1 });
        assert_eq!(refuse(&rows, &[0, 1, 2, 1], 2, 1.0), LogisticError::Label { row: 2, label: 2, classes: 2 });
        assert!(matches!(refuse(&rows, &labels, 2, 0.0), LogisticError::Setting { name: "c", .. }));
        let gap = rows_of(2, &[&[(1, f64::NAN)], &[]]);
        assert_eq!(refuse(&gap, &[0, 1], 2, 1.0), LogisticError::NotFinite { row: 0, column: 1 });
    }
}
