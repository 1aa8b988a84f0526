//! The table a model sees: named columns of equal length, numbers with NaN for missing or
//! categories with a word list, because encodings and models must agree on what a row is.

use std::collections::HashMap;
use std::sync::Arc;

/// The code of a missing category.
pub const MISSING: u32 = u32::MAX;

#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// One value a row; NaN is missing.
    Number(Vec<f64>),
    /// One code a row, an index into `words`; [`MISSING`] is missing.
    Category { codes: Vec<u32>, words: Arc<Vec<String>> },
}

impl Column {
    pub fn len(&self) -> usize {
        match self {
            Column::Number(values) => values.len(),
            Column::Category { codes, .. } => codes.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// These values, then those of another column of the same kind (it panics if not).
    fn followed_by(&self, other: &Column) -> Column {
        match (self, other) {
            (Column::Number(own), Column::Number(other)) => Column::Number([own.as_slice(), other].concat()),
            (Column::Category { codes, words }, Column::Category { codes: more, words: other }) => {
                let mut all = words.as_ref().clone();
                let mut known: HashMap<String, u32> =
                    all.iter().enumerate().map(|(code, word)| (word.clone(), code as u32)).collect();
                let mut codes = codes.clone();
                for &code in more {
                    codes.push(match code {
                        MISSING => MISSING,
                        code => *known.entry(other[code as usize].clone()).or_insert_with_key(|word| {
                            all.push(word.clone());
                            all.len() as u32 - 1
                        }),
                    });
                }
                Column::Category { codes, words: Arc::new(all) }
            }
            _ => panic!("columns of one kind"),
        }
    }

    /// The given rows in the given order. Panics if a row is out of range.
    pub fn take(&self, rows: &[u32]) -> Column {
        match self {
            Column::Number(values) => Column::Number(rows.iter().map(|&row| values[row as usize]).collect()),
            Column::Category { codes, words } => {
                let codes = rows.iter().map(|&row| codes[row as usize]).collect();
                Column::Category { codes, words: words.clone() }
            }
        }
    }
}

/// Named columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    pub names: Vec<String>,
    pub columns: Vec<Column>,
}

impl Frame {
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    pub fn push(&mut self, name: impl Into<String>, column: Column) {
        debug_assert!(
            self.columns.is_empty() || column.len() == self.rows(),
            "columns of one frame are of equal length"
        );
        self.names.push(name.into());
        self.columns.push(column);
    }

    /// These rows, then those of another frame with the same columns. Panics if a column is of another kind.
    pub fn followed_by(&self, other: &Frame) -> Frame {
        let columns = self.columns.iter().zip(&other.columns).map(|(own, other)| own.followed_by(other));
        Frame { names: self.names.clone(), columns: columns.collect() }
    }

    pub fn take(&self, rows: &[u32]) -> Frame {
        Frame { names: self.names.clone(), columns: self.columns.iter().map(|column| column.take(rows)).collect() }
    }
}

/// Numbers only, stored column after column: `values[column * rows + row]`. NaN is missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    pub rows: usize,
    pub values: Vec<f64>,
}

impl Matrix {
    /// An empty matrix of `rows` rows, to be filled by [`Matrix::push`].
    pub fn with_rows(rows: usize) -> Matrix {
        Matrix { rows, values: Vec::new() }
    }

    /// Adds a column on the right. Panics if its length is not `rows`.
    pub fn push(&mut self, column: &[f64]) {
        assert_eq!(column.len(), self.rows, "columns of one matrix are of equal length");
        self.values.extend_from_slice(column);
    }

    pub fn columns(&self) -> usize {
        self.values.len().checked_div(self.rows).unwrap_or(0)
    }

    pub fn column(&self, index: usize) -> &[f64] {
        &self.values[index * self.rows..(index + 1) * self.rows]
    }

    /// Copies one row into `out`, which must hold as many values as there are columns.
    pub fn row_into(&self, row: usize, out: &mut [f64]) {
        for (column, slot) in out.iter_mut().enumerate() {
            *slot = self.values[column * self.rows + row];
        }
    }
}
