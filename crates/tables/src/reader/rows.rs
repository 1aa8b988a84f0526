//! Text columns being filled, row by row, with each row's place.

use super::{BATCH_ROWS, ByteCount, Reader, Sink, csv, json};
use crate::TablesError;
use crate::guess::{Claim, JsonKinds};
use crate::json_row::{self, JsonValue};
use crate::quarantine::{QuarantineRow, Reason};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StringBuilder};
use datafusion::arrow::datatypes::SchemaRef;
use std::borrow::Cow;
use std::sync::Arc;

pub(super) struct Rows<'a> {
    columns: Vec<StringBuilder>,
    places: Vec<i64>,
    /// Rows so far, broken ones too.
    pub row: u64,
    location: &'a str,
    null_words: &'a [String],
    /// Name of the text's encoding.
    encoding: String,
    schema: &'a SchemaRef,
    /// Of JSON, to note what its values say they are.
    claims: &'a [Claim],
}

impl<'a> Rows<'a> {
    pub(super) fn new(reader: &'a Reader, location: &'a str) -> Rows<'a> {
        let Reader { schema, format, claims, .. } = reader;
        let columns = (2..schema.fields().len()).map(|_| StringBuilder::new()).collect();
        let (null_words, encoding) = (format.null_words.as_slice(), format.encoding.name());
        Rows { columns, places: Vec::new(), row: 0, location, null_words, encoding, schema, claims }
    }

    pub(super) fn full(&self) -> bool {
        self.places.len() >= BATCH_ROWS
    }

    fn broken(&self, column: Option<&str>, text: &[u8], message: String, sink: &mut dyn Sink) -> bool {
        sink.broken(QuarantineRow {
            source: self.location.to_owned(),
            row: self.row as i64,
            column: column.map(str::to_owned),
            value: Some(String::from_utf8_lossy(text).into_owned()),
            reason: Reason::Unparseable,
            message,
            at: None,
        })
    }

    /// Text that is no row, and why.
    pub(super) fn push_broken(&mut self, text: &[u8], message: String, sink: &mut dyn Sink) -> bool {
        self.row += 1;
        self.broken(None, text.trim_ascii_end(), message, sink)
    }

    fn not_text(&self, line: u64) -> String {
        let hint = if self.encoding == "utf-8" { "; set the layout's encoding, such as windows-1252" } else { "" };
        format!("line {line} is not {}{hint}", self.encoding.to_uppercase())
    }

    /// `order` is the column of each field.
    pub(super) fn push_csv(
        &mut self,
        record: &csv::Record,
        line: u64,
        text: &[u8],
        order: &[usize],
        sink: &mut dyn Sink,
    ) -> bool {
        if record.len() != self.columns.len() {
            let trailing = record.len() == self.columns.len() + 1 && record.fields().last() == Some(b"");
            let hint = if trailing { "; the last is empty: a delimiter at the end of the line?" } else { "" };
            let message = format!("line {line} has {} fields, expected {}{hint}", record.len(), self.columns.len());
            return self.push_broken(text, message, sink);
        }
        self.row += 1;
        if let Some((at, field)) = record.fields().enumerate().find(|(_, field)| std::str::from_utf8(field).is_err()) {
            let column = self.schema.field(order[at]).name();
            return self.broken(Some(column), field, self.not_text(line), sink);
        }
        for (column, field) in order.iter().zip(record.fields()) {
            let field = std::str::from_utf8(field).unwrap_or_default();
            self.columns[*column].append_option(Some(field).filter(|field| !is_null(field, self.null_words)));
        }
        self.places.push(self.row as i64);
        true
    }

    pub(super) fn push_json(&mut self, text: &[u8], line: u64, keys: &json::Keys, sink: &mut dyn Sink) -> bool {
        if std::str::from_utf8(text).is_err() {
            return self.push_broken(text, self.not_text(line), sink);
        }
        let fields = match json_row::fields(text) {
            Ok(fields) => fields,
            Err(what) => return self.push_broken(text, format!("line {line} is not a JSON object: {what}"), sink),
        };
        self.row += 1;
        let mut values: Vec<Option<JsonValue>> = (0..self.columns.len()).map(|_| None).collect();
        for (at, (name, value)) in fields.into_iter().enumerate() {
            // The file has changed since its keys were read, or this one would be there.
            let Some(place) = keys.place(&name, at) else { continue };
            values[place] = Some(value);
        }
        for (at, (builder, value)) in self.columns.iter_mut().zip(values).enumerate() {
            let (kind, value) = match value {
                None | Some(JsonValue::Null) => (0, None),
                Some(JsonValue::Text(text)) => (JsonKinds::TEXT, Some(Cow::Owned(text))),
                Some(JsonValue::Nested(text)) => (JsonKinds::TEXT, Some(Cow::Owned(json::compact(text)))),
                Some(JsonValue::Number(text)) => (JsonKinds::NUMBER, Some(Cow::Borrowed(text))),
                Some(JsonValue::Truth(text)) => (JsonKinds::TRUTH, Some(Cow::Borrowed(text))),
            };
            let value = value.filter(|value| !is_null(value, self.null_words));
            if let (Some(Claim::Json(kinds)), true) = (self.claims.get(at), value.is_some()) {
                kinds.saw(kind);
            }
            builder.append_option(value);
        }
        self.places.push(self.row as i64);
        true
    }

    /// Gives the sink what was filled; false if it wants no more.
    pub(super) fn hand_over(&mut self, read: &ByteCount, sink: &mut dyn Sink) -> Result<bool, TablesError> {
        sink.bytes(read.take());
        let count = self.places.len();
        let mut columns: Vec<ArrayRef> =
            self.columns.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        columns.push(Arc::new(StringArray::from(vec![self.location; count])));
        columns.push(Arc::new(Int64Array::from(std::mem::take(&mut self.places))));
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        Ok(sink.batch(batch.map_err(|error| TablesError::Engine(error.to_string()))?))
    }
}

fn is_null(field: &str, null_words: &[String]) -> bool {
    field.is_empty() || null_words.iter().any(|word| word == field)
}
