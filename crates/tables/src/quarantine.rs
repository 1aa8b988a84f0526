//! Where rows go that break the contract: never to the floor, always with place and reason.

use crate::TablesError;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Raw text kept of a line or value that could not be read.
const TEXT_CHARACTERS_MAX: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The line is not a row of this format.
    Unparseable,
    /// A required value is missing.
    Required,
    /// The value is not of the column's type.
    Type,
    /// The number lies outside min and max.
    Range,
    /// The word is not among the allowed values, or holds what no text may.
    Values,
    /// A text has more characters than it may have, or none where one is required.
    Length,
    /// The key was seen in an earlier row.
    DuplicateKey,
}

impl Reason {
    pub fn word(self) -> &'static str {
        match self {
            Reason::Unparseable => "unparseable",
            Reason::Required => "required",
            Reason::Type => "type",
            Reason::Range => "range",
            Reason::Values => "values",
            Reason::Length => "length",
            Reason::DuplicateKey => "duplicate_key",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct QuarantineRow {
    pub source: String,
    /// Row of the source, from 1; a header does not count.
    pub row: i64,
    pub column: Option<String>,
    pub value: Option<String>,
    pub reason: Reason,
    pub message: String,
    /// Time of the event in microseconds, where it could be read.
    pub at: Option<i64>,
}

/// Rows in quarantine, and how many for each (column, reason).
#[derive(Debug, Default)]
pub struct Quarantine {
    rows: Vec<QuarantineRow>,
    pub counts: BTreeMap<(String, &'static str), u64>,
    pub total: u64,
}

impl Quarantine {
    pub fn push(&mut self, mut row: QuarantineRow) {
        row.value = row.value.map(|text| text.chars().take(TEXT_CHARACTERS_MAX).collect());
        *self.counts.entry((row.column.clone().unwrap_or_default(), row.reason.word())).or_default() += 1;
        self.total += 1;
        self.rows.push(row);
    }

    /// What breaks the contract most often, as a phrase.
    pub fn most_often(&self) -> String {
        let most = self.counts.iter().max_by_key(|(_, count)| **count);
        most.map_or_else(String::new, |((column, reason), count)| match column.as_str() {
            "" => format!("{reason} ({count} rows)"),
            column => format!("{reason} of `{column}` ({count} rows)"),
        })
    }

    pub fn schema() -> SchemaRef {
        let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
        Arc::new(Schema::new(vec![
            text("input", false),
            text("source", false),
            Field::new("row", DataType::Int64, false),
            text("column", true),
            text("value", true),
            text("reason", false),
            text("message", false),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, None), true),
        ]))
    }

    pub fn batch(&self, input: &str) -> Result<RecordBatch, TablesError> {
        let text = |of: fn(&QuarantineRow) -> Option<&str>| -> ArrayRef {
            Arc::new(self.rows.iter().map(of).collect::<StringArray>())
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![input; self.rows.len()])),
            text(|row| Some(&row.source)),
            Arc::new(self.rows.iter().map(|row| row.row).collect::<Int64Array>()),
            text(|row| row.column.as_deref()),
            text(|row| row.value.as_deref()),
            text(|row| Some(row.reason.word())),
            text(|row| Some(&row.message)),
            Arc::new(self.rows.iter().map(|row| row.at).collect::<TimestampMicrosecondArray>()),
        ];
        RecordBatch::try_new(Quarantine::schema(), columns).map_err(|error| TablesError::Engine(error.to_string()))
    }
}
