//! What all floors hand to each other: one value of a row, a column as small numbers, a file's JSON.

use crate::error::PlatformError;
use septet_learn::encoding::RowValue;
use serde::Serialize;

/// One value of one row, as a service holds it. Its JSON is a number, a text or null.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum OwnedValue {
    /// NaN is missing.
    Number(f64),
    Word(Option<String>),
}

impl OwnedValue {
    pub fn as_row_value(&self) -> RowValue<'_> {
        match self {
            OwnedValue::Number(value) => RowValue::Number(*value),
            OwnedValue::Word(word) => RowValue::Word(word.as_deref()),
        }
    }

    /// Equal to the bit; missing equals missing.
    pub fn same(&self, other: &OwnedValue) -> bool {
        match (self, other) {
            (OwnedValue::Number(a), OwnedValue::Number(b)) => a == b || (a.is_nan() && b.is_nan()),
            (a, b) => a == b,
        }
    }

    /// Numbers that differ by rounding alone: at most 1e-9 of the larger one.
    pub fn almost(&self, other: &OwnedValue) -> bool {
        match (self, other) {
            (OwnedValue::Number(a), OwnedValue::Number(b)) => (a - b).abs() <= 1e-9 * a.abs().max(b.abs()),
            _ => false,
        }
    }
}

/// A column as small numbers: `codes[row]` is an index into `words`; null is a word of its own.
#[derive(Debug)]
pub struct Interned {
    pub codes: Vec<u32>,
    pub words: Vec<String>,
}

pub fn to_json(value: &impl Serialize) -> Result<Vec<u8>, PlatformError> {
    serde_json::to_vec_pretty(value).map_err(|error| PlatformError::Training(error.to_string()))
}
