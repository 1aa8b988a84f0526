//! Why a table or a row is not encoded.

/// Each fold reads all rows of each category column once; more folds than this only cost time.
pub(super) const FOLDS_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EncodingError {
    #[error("column `{name}` was there in training and is not in this table, which has: {found}; add or rename it")]
    ColumnMissing { name: String, found: String },
    #[error("column `{name}` was a {expected} in training and is a {found} here; give it the type it was trained with")]
    KindDiffers { name: String, expected: &'static str, found: &'static str },
    #[error("a row of {found} values was given where the encoder was trained on {expected} columns; give one each")]
    RowWidth { expected: usize, found: usize },
    #[error("{found} {what} were given for {expected} rows; give one a row")]
    Lengths { what: &'static str, expected: usize, found: usize },
    #[error("there are no rows to learn an encoding from; check the training period and the source")]
    NoRows,
    #[error("the target of row {row} is `{value}`; leave out rows whose outcome is not known")]
    Target { row: usize, value: f64 },
    #[error("the rows lie in {found} folds; out-of-fold encoding takes 2 to {FOLDS_MAX}, so put groups together")]
    Folds { found: usize },
    #[error("smoothing is `{0}`; it is a number of rows, 0 or more")]
    Smoothing(f64),
}
