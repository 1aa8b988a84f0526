//! Logistic regression on rows that are nearly all zeros, as word counts are: two classes or more, penalised. The optimum
//! is scikit-learn's to the fifth digit and the same to the bit each time.

mod logistic;
mod model;
mod search;

pub use logistic::{LogisticError, fit};
pub use model::{LogisticFit, LogisticModel, LogisticSettings};

/// A matrix by rows, of which only what is not 0 is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseRows {
    /// Number of columns; every column index is below it.
    pub width: usize,
    /// Where each row begins in `columns` and `values`, and where the last one ends; starts with 0.
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f64>,
}

impl SparseRows {
    /// No rows yet, of `width` columns.
    pub fn new(width: usize) -> SparseRows {
        SparseRows { width, starts: vec![0], columns: Vec::new(), values: Vec::new() }
    }

    /// Adds a row. cells: (column, value), each column once, in any order. Panics at a column beyond the width.
    pub fn push(&mut self, cells: &[(u32, f64)]) {
        for &(column, value) in cells {
            assert!((column as usize) < self.width, "column {column} of a matrix of {} columns", self.width);
            self.columns.push(column);
            self.values.push(value);
        }
        self.starts.push(self.columns.len());
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Columns and values of a row, in the order given. Panics beyond the last row.
    pub(super) fn cells(&self, row: usize) -> (&[u32], &[f64]) {
        let cells = self.starts[row]..self.starts[row + 1];
        (&self.columns[cells.clone()], &self.values[cells])
    }

    /// The (column, value) cells of a row, in the order given. Panics beyond the last row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (u32, f64)> + Clone {
        let cells = self.starts[row]..self.starts[row + 1];
        self.columns[cells.clone()].iter().zip(&self.values[cells]).map(|(&column, &value)| (column, value))
    }
}
