//! Fits the model, and says what it refuses to learn from.

use std::fmt;

use super::SparseRows;
use super::model::{LogisticFit, LogisticModel, LogisticSettings};
use super::search::search;

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
