//! Where rows go that break the contract: never to the floor, always with place and reason.

use crate::TablesError;
use crate::reader::shortened;
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Raw text kept of a line or value that could not be read.
const TEXT_CHARACTERS_MAX: usize = 2_000;
/// Reasons that a message lists.
const REASONS_MAX: usize = 4;

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

    /// What breaks the contract, most often first, as a phrase with one row as an example. `personal` says of a column
    /// whether its values may not be shown, and of none whether a whole line may not.
    pub fn most_often(&self, personal: impl Fn(Option<&str>) -> bool) -> String {
        let mut counts: Vec<_> = self.counts.iter().collect();
        counts.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let phrase = |((column, reason), count): &(&(String, &'static str), &u64)| match column.as_str() {
            "" => format!("{reason} ({count} rows)"),
            column => format!("{reason} of `{}` ({count} rows)", shortened(column)),
        };
        let mut phrases: Vec<String> = counts.iter().take(REASONS_MAX).map(phrase).collect();
        if counts.len() > REASONS_MAX {
            phrases.push(format!("{} reasons more", counts.len() - REASONS_MAX));
        }
        let example = counts.first().and_then(|((column, reason), _)| {
            let of = |row: &&QuarantineRow| {
                row.column.as_deref().unwrap_or_default() == column && row.reason.word() == *reason
            };
            self.rows.iter().find(of)
        });
        let example = example.map(|row| {
            let value = row.value.as_deref().filter(|_| !personal(row.column.as_deref()));
            let value = value.map(|value| format!(", found `{}`", shortened(value))).unwrap_or_default();
            format!("; such as row {} of `{}`: {}{value}", row.row, row.source, row.message)
        });
        format!("{}{}", phrases.join(", "), example.unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_most_often_comes_with_an_example_that_shows_nobody() {
        let row = |row, column: Option<&str>, reason, message: &str| QuarantineRow {
            source: "x.csv".to_owned(),
            row,
            column: column.map(str::to_owned),
            value: Some("12,50".to_owned()),
            reason,
            message: message.to_owned(),
            at: None,
        };
        let mut quarantine = Quarantine::default();
        quarantine.push(row(1, None, Reason::Unparseable, "line 2 has 7 fields, expected 6"));
        quarantine.push(row(2, Some("amount"), Reason::Type, "expected a number"));
        quarantine.push(row(3, Some("amount"), Reason::Type, "expected a number"));
        assert_eq!(
            quarantine.most_often(|_| false),
            "type of `amount` (2 rows), unparseable (1 rows); such as row 2 of `x.csv`: expected a number, found `12,50`"
        );
        assert!(quarantine.most_often(|_| true).ends_with("row 2 of `x.csv`: expected a number"));
    }
}
