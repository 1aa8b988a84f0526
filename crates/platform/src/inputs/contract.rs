//! What a row must be: JSON or text becomes the columns of the contract, and everything that is wrong with it is said at once, each
//! with the place in the caller's own document.

use super::cells::read_fields;
pub use super::cells::{Cell, EventColumn, Violation, escaped};
use super::document::{Document, read_document};
use super::history::History;
use super::places::contract_schema;
use super::series::{SeriesInputs, SeriesRequest};
use crate::PlatformError;
use crate::error::arrow_error;
use crate::registry::clock::now_micros;
use crate::registry::ids::fresh_id;
use crate::values::OwnedValue;
use septet_domain::{ColumnType, Domain};
use septet_tables::arrow::array::{RecordBatch, new_null_array};
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::{Field, Schema, SchemaRef};
use septet_tables::{integer, number, truth};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A row that keeps the contract.
#[derive(Clone, Debug)]
pub struct Event {
    /// One a column of the contract's schema.
    pub cells: Vec<Cell>,
    pub time: i64,
    pub key: Arc<str>,
    /// The JSON object as it was given.
    pub input: Arc<str>,
    /// Of the contract that it was read by.
    pub contract: u64,
    /// Where they are had while it is read; else its windows are needed first.
    pub features: Option<Arc<Vec<OwnedValue>>>,
}

/// Why a text is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    NotJson(String),
    Violations(Vec<Violation>),
}

/// What a request must be.
#[derive(Clone, Debug)]
pub struct EventContract {
    pub columns: Vec<EventColumn>,
    pub key: usize,
    pub time: usize,
    /// Tells contracts of one process apart.
    pub number: u64,
    schema: SchemaRef,
    /// Where a request is a question about a key: how it is answered. It has no key and no time of its own.
    question: Option<Arc<Question>>,
}

#[derive(Debug)]
struct Question {
    request: SeriesRequest,
    inputs: Arc<SeriesInputs>,
}

impl EventContract {
    /// One row of the first input; `published`: the columns of the table that history is read from.
    pub fn new(domain: &Domain, published: &SchemaRef, number: u64) -> EventContract {
        let (_, input) = domain.spec.first_input();
        let column = |field: &Arc<Field>| {
            let spec =
                input.columns.iter().find(|(name, _)| name.get_ref() == field.name()).map(|(_, spec)| spec.clone());
            let kind = spec.as_ref().map_or_else(|| super::columns::kind_of(field.data_type()), |spec| spec.kind);
            let key = field.name() == input.key.get_ref();
            EventColumn {
                name: field.name().clone(),
                kind,
                spec,
                data_type: field.data_type().clone(),
                key,
                rows: None,
            }
        };
        let columns: Vec<EventColumn> = published.fields().iter().map(column).collect();
        let place =
            |name: &str| columns.iter().position(|column| column.name == name).expect("extracted by this contract");
        let (key, time) = (place(input.key.get_ref()), place(input.time.get_ref()));
        let schema = schema_of(&columns);
        EventContract { columns, key, time, number, schema, question: None }
    }

    /// The same of a domain that has no data yet.
    pub fn planned(domain: &Domain) -> EventContract {
        EventContract::new(domain, &contract_schema(domain.spec.first_input().1), 0)
    }

    /// A question about a key.
    pub(super) fn of_questions(
        columns: Vec<EventColumn>,
        request: SeriesRequest,
        inputs: Arc<SeriesInputs>,
        number: u64,
    ) -> EventContract {
        let schema = schema_of(&columns);
        EventContract {
            columns,
            key: 0,
            time: 0,
            number,
            schema,
            question: Some(Arc::new(Question { request, inputs })),
        }
    }

    /// Sets of fields of which a request must give exactly one; none where required fields are all.
    pub fn alternatives(&self) -> Vec<Vec<&str>> {
        let Some(question) = &self.question else { return Vec::new() };
        let name = |at: usize| self.columns[at].name.as_str();
        let request = &question.request;
        let needed = request.given.iter().filter(|(.., optional)| !optional).map(|(at, ..)| name(*at));
        let given: Vec<&str> = needed.collect();
        let ways = [vec![name(request.key)], vec![name(request.sent)], given];
        ways.into_iter().filter(|way| !way.is_empty()).collect()
    }

    /// The field that rows are sent in; empty where requests are rows themselves.
    pub(super) fn sent_field(&self) -> &str {
        self.question.as_ref().map_or("", |question| &self.columns[question.request.sent].name)
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Reads the text of a JSON object; `pointer` is where it stands in the caller's document.
    pub fn read_json(&self, text: &str, pointer: &str) -> Result<Event, Unread> {
        let input: Arc<str> = text.trim().into();
        let lost = if super::json::may_lose_digits(text) { super::json::lost_digits(text) } else { Vec::new() };
        if lost.is_empty()
            && let Some(cells) = self.cells_at_once(text)
        {
            return Ok(self.event(cells, input));
        }
        let Document { value, twice } = read_document(text, pointer)?;
        let read = self.read(&value, input, pointer);
        let lost = self.lost_digits(&lost, pointer);
        let wrong = [twice, lost, read.as_ref().err().cloned().unwrap_or_default()].concat();
        if wrong.is_empty() { read.map_err(Unread::Violations) } else { Err(Unread::Violations(wrong)) }
    }

    fn lost_digits(&self, lost: &[String], pointer: &str) -> Vec<Violation> {
        let wrong = |name: &String| {
            let column = self.columns.iter().find(|column| column.name == *name && !column.label())?;
            let pointer = format!("{pointer}/{}", escaped(name));
            let detail = format!("expected {}, found one of more digits than that holds", column.expected());
            Some(Violation { pointer, code: "type", detail })
        };
        lost.iter().filter_map(wrong).collect()
    }

    /// The cells of a text that keeps the contract, without a document in between; none where anything is unusual.
    fn cells_at_once(&self, text: &str) -> Option<Vec<Cell>> {
        if self.question.is_some() { None } else { super::json::cells_at_once(self, text) }
    }

    /// Reads a JSON object; `pointer` is where it stands in the caller's document.
    pub fn read(&self, value: &Value, input: impl Into<Arc<str>>, pointer: &str) -> Result<Event, Vec<Violation>> {
        self.read_as_of(value, input, pointer, now_micros())
    }

    /// The same as it was read at `now`: a question that names no moment is about the one at which it was asked.
    pub fn read_as_of(
        &self,
        value: &Value,
        input: impl Into<Arc<str>>,
        pointer: &str,
        now: i64,
    ) -> Result<Event, Vec<Violation>> {
        let (cells, violations) = read_fields(&self.columns, value, pointer);
        if !violations.is_empty() {
            return Err(violations);
        }
        match &self.question {
            None => Ok(self.event(cells, input.into())),
            Some(question) => self.question_event(question, cells, input.into(), pointer, now),
        }
    }

    /// The cells of a request that was read before; none if it breaks this contract.
    pub fn cells_of(&self, text: &str) -> Option<Vec<Cell>> {
        let (cells, violations) = read_fields(&self.columns, &serde_json::from_str(text).ok()?, "");
        violations.is_empty().then_some(cells)
    }

    /// A request of a case: it says what matters to it, and what it leaves out is null.
    /// Names of the fields that a request may have.
    pub fn field_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.columns.iter().map(|column| column.name.as_str())
    }

    pub fn read_case(&self, value: &Value) -> Result<Event, Vec<Violation>> {
        if self.question.is_some() {
            return self.read(value, "", "");
        }
        let (cells, mut violations) = read_fields(&self.columns, value, "");
        violations.retain(|violation| violation.code != "required");
        if violations.is_empty() { Ok(self.event(cells, Arc::from(""))) } else { Err(violations) }
    }

    fn question_event(
        &self,
        question: &Question,
        cells: Vec<Cell>,
        input: Arc<str>,
        pointer: &str,
        now: i64,
    ) -> Result<Event, Vec<Violation>> {
        let whole = |code: &'static str, detail: String| vec![Violation { pointer: pointer.to_owned(), code, detail }];
        // An engine's words may quote values: they are not repeated.
        let failed = |_: PlatformError| whole("values", "features.sql cannot be computed of these values".to_owned());
        let Question { request, inputs } = question;
        let wrong = request.check(&cells, &self.columns, pointer, inputs.rows()).map_err(failed)?;
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let features = request.features(&cells, now, inputs).map_err(failed)?;
        let nothing = || whole("values", "nothing that counts was known of this key by then".to_owned());
        let features = Some(Arc::new(features.ok_or_else(nothing)?));
        let key = fresh_id().to_string().into();
        Ok(Event { cells, time: now, key, input, contract: self.number, features })
    }

    /// Reads a row of text, such as a line of CSV: `fields` by column name; an empty text is missing.
    pub fn read_text(&self, fields: &[(&str, &str)], pointer: &str) -> Result<Event, Vec<Violation>> {
        let (mut object, mut twice) = (Map::new(), Vec::new());
        for (name, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
            let column = self.columns.iter().find(|column| column.name == *name);
            let value = match column.map(|column| column.kind) {
                _ if column.is_some_and(|column| column.rows.is_some()) => {
                    let rows = read_document(text, &format!("{pointer}/{}", escaped(name))).ok();
                    rows.map(|rows| {
                        twice.extend(rows.twice);
                        rows.value
                    })
                }
                Some(ColumnType::Number) => number(text, '.').map(Value::from),
                Some(ColumnType::Integer) => integer(text, '.').map(Value::from),
                Some(ColumnType::Bool) => truth(text).map(Value::from),
                _ => None,
            };
            object.insert((*name).to_owned(), value.unwrap_or_else(|| Value::from(*text)));
        }
        let value = Value::Object(object);
        let input = value.to_string();
        let read = self.read(&value, input, pointer);
        if twice.is_empty() { read } else { Err([twice, read.err().unwrap_or_default()].concat()) }
    }

    fn event(&self, cells: Vec<Cell>, input: Arc<str>) -> Event {
        let time = if let Cell::Time(time) = cells[self.time] { time } else { 0 };
        let key: Arc<str> = match &cells[self.key] {
            Cell::Text(text) => text.as_str().into(),
            Cell::Integer(number) => number.to_string().into(),
            _ => Arc::default(),
        };
        Event { cells, time, key, input, contract: self.number, features: None }
    }

    /// The event with another value in a label's column, as the history will have it.
    pub fn with_label(&self, event: &Event, label: usize, value: Cell) -> Event {
        let mut event = event.clone();
        event.cells[label] = value;
        event
    }

    /// The rows of a published table as events, labels with them.
    pub fn events_of(&self, batch: &RecordBatch) -> Result<Vec<Event>, PlatformError> {
        let mut rows = vec![Vec::with_capacity(self.columns.len()); batch.num_rows()];
        for column in &self.columns {
            let array = batch
                .column_by_name(&column.name)
                .ok_or_else(|| arrow_error(format!("no column `{}`", column.name)))?;
            rows.iter_mut().zip(column.cells_of(array)?).for_each(|(row, cell)| row.push(cell));
        }
        let nothing: Arc<str> = Arc::from("");
        Ok(rows.into_iter().map(|cells| self.event(cells, nothing.clone())).collect())
    }

    /// A history in the contract's columns: those of another contract may be others, or of other types.
    pub fn of_its_columns(&self, history: &History) -> Result<History, PlatformError> {
        let column = |field: &Arc<Field>| match history.batch.column_by_name(field.name()) {
            Some(column) => cast(column, field.data_type()).map_err(arrow_error),
            None => Ok(new_null_array(field.data_type(), history.rows())),
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(arrow_error)?;
        Ok(History::new(batch, history.times.clone()))
    }

    /// Events as one batch of the contract's schema.
    pub fn batch(&self, events: &[&Event]) -> Result<RecordBatch, PlatformError> {
        let column = |at: usize| self.columns[at].array(events.iter().map(|event| &event.cells[at]));
        let arrays = (0..self.columns.len()).map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(arrow_error)
    }
}

fn schema_of(columns: &[EventColumn]) -> SchemaRef {
    let fields = columns.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_domain::Domains;
    use septet_learn::bootstrap::SplitMix64;

    fn contract() -> EventContract {
        EventContract { number: 1, ..EventContract::planned(&Domains::default().load("fraud").unwrap()) }
    }

    const PAYMENT: &str =
        r#"{"payment_id":"p","paid_at":"2026-05-04T10:00:00Z","customer_id":"c","terminal_id":"t","amount":12.5}"#;

    fn check(text: &str) -> Result<Event, Vec<(String, &'static str)>> {
        let value = serde_json::from_str(text).unwrap();
        let read = contract().read(&value, text.to_owned(), "");
        read.map_err(|violations| violations.into_iter().map(|v| (v.pointer, v.code)).collect())
    }

    #[test]
    fn a_payment_becomes_typed_cells() {
        let event = check(PAYMENT).unwrap();
        assert_eq!((&*event.key, event.time), ("p", 1_777_888_800_000_000));
        assert!(event.cells.contains(&Cell::Number(12.5)) && event.cells.contains(&Cell::Null), "{:?}", event.cells);
    }

    #[test]
    fn every_violation_has_its_place() {
        let found = check(r#"{"payment_id":"","paid_at":5,"customer_id":null,"amount":"12","a/b":1}"#).unwrap_err();
        let expected = [
            ("/a~1b", "unknown"),
            ("/payment_id", "length"),
            ("/paid_at", "type"),
            ("/customer_id", "type"),
            ("/terminal_id", "required"),
            ("/amount", "type"),
        ];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn a_number_of_which_digits_would_be_lost_is_refused() {
        for (amount, taken) in [
            ("9007199254740992", true),
            ("9007199254740993", false),
            ("18446744073709551615", false),
            ("18446744073709551616", true),
            ("18446744073709551617", false),
            ("123456789012345678901234567890", false),
            ("0.12345678901234567890123", true),
        ] {
            let mut spec = contract();
            let at = spec.columns.iter().position(|column| column.name == "amount").unwrap();
            spec.columns[at].spec.iter_mut().for_each(|spec| (spec.min, spec.max) = (None, None));
            let text = PAYMENT.replace("12.5", amount);
            assert_eq!(spec.read_json(&text, "").is_ok(), taken, "{amount}");
            let fields: Map<String, Value> = serde_json::from_str(PAYMENT).unwrap();
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap_or(amount))).collect();
            assert_eq!(spec.read_text(&fields, "").is_ok(), taken, "{amount} as text");
        }
    }

    #[test]
    fn a_second_sixty_is_a_time_only_after_a_leap_second() {
        for (time, taken) in [("2026-05-04T10:00:60Z", false), ("2016-12-31T23:59:60Z", true)] {
            let text = PAYMENT.replace("2026-05-04T10:00:00Z", time);
            assert_eq!(contract().read_json(&text, "").is_ok(), taken, "{time}");
        }
    }

    #[test]
    fn a_row_of_text_is_read_like_json() {
        let fields = [
            ("payment_id", "p"),
            ("paid_at", "2026-05-04 10:00:00"),
            ("customer_id", "c"),
            ("terminal_id", "t"),
            ("amount", "12.5"),
        ];
        let (text, json) = (contract().read_text(&fields, "").unwrap(), check(PAYMENT).unwrap());
        assert_eq!(text.cells, json.cells);
    }

    #[test]
    fn a_published_row_is_the_event_that_made_it() {
        let (contract, event) = (contract(), check(PAYMENT).unwrap());
        let again = contract.events_of(&contract.batch(&[&event]).unwrap()).unwrap();
        assert_eq!(again[0].cells, event.cells);
    }

    #[test]
    fn a_million_mutated_bodies_are_read_without_a_panic() {
        let contract = contract();
        let mut random = SplitMix64::new(7);
        let pieces: [&[u8]; 12] = [
            b"\"",
            b"{",
            b"}",
            b"null",
            b"1e999",
            b"-",
            b"\\u0000",
            b"[[[[",
            b"2026-99-99T99:99:99Z",
            b"\xf0\x9f\x92\xb6",
            b"~",
            b"9223372036854775808",
        ];
        let (mut taken, mut at_once) = (0, 0);
        for _ in 0..1_000_000 {
            let mut body = PAYMENT.as_bytes().to_vec();
            for _ in 0..1 + random.below(3) {
                let at = random.below(body.len());
                match random.below(4) {
                    0 => body[at] = random.next_u64() as u8,
                    1 => drop(body.drain(at..(at + random.below(9)).min(body.len()))),
                    2 => drop(body.splice(at..at, pieces[random.below(pieces.len())].iter().copied())),
                    _ => body.truncate(at.max(1)),
                }
                if body.is_empty() {
                    break;
                }
            }
            let Ok(text) = std::str::from_utf8(&body) else { continue };
            let Ok(value) = serde_json::from_str::<Value>(text) else {
                assert!(contract.read_json(text, "/0").is_err(), "{text}");
                continue;
            };
            let read = contract.read(&value, text.to_owned(), "/0");
            if let Some(cells) = contract.cells_at_once(text) {
                read.iter().for_each(|event| assert_eq!(event.cells, cells, "{text}"));
                at_once += 1;
            }
            if let Ok(event) = read {
                taken += 1;
                if taken % 1000 == 0 {
                    contract.batch(&[&event]).unwrap();
                }
            }
        }
        // What is said twice is read with care.
        assert!(taken > 10_000 && at_once <= taken && at_once > taken / 100 * 99, "{at_once} of {taken}");
    }
}
