//! One event as a caller has it: JSON or text becomes the columns of the contract, and everything that is wrong with it is
//! said at once, each with the place in the caller's own document.

use crate::PlatformError;
use crate::history::arrow_error;
use crate::purchases::{Known, QuestionColumns, check, orders, question_columns};
use crate::serve::ids::fresh_id;
use septet_domain::{Column, ColumnType, Domain, Purchases, did_you_mean};
use septet_tables::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::{
    DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use septet_tables::{instant, integer, number, truth};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Characters of one text: 5 times the longest review on the large portals.
pub const TEXT_CHARACTERS_MAX: usize = 25_000;

/// Characters of an event's key, of four bytes at the most: an index entry of PostgreSQL holds 2,704.
pub const KEY_CHARACTERS_MAX: usize = 125;

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Number(f64),
    Integer(i64),
    Truth(bool),
    Text(String),
    /// Microseconds since 1970 UTC.
    Time(i64),
}

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
}

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer to the field, or to where it should be.
    pub pointer: String,
    /// `required`, `type`, `range`, `values`, `length`, `unknown` or `label`.
    pub code: &'static str,
    pub detail: String,
}

/// Why a text is no event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    NotJson(String),
    Violations(Vec<Violation>),
}

/// A column that requests may or must have.
#[derive(Clone, Debug)]
pub struct EventColumn {
    pub name: String,
    pub kind: ColumnType,
    /// What the contract says of it; none for a column beyond it.
    pub spec: Option<Column>,
    data_type: DataType,
}

impl EventColumn {
    pub fn required(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.required) && !self.label()
    }

    pub fn label(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.label)
    }
}

/// What a request's row must be: the first input's contract, and what the published table has beyond it.
#[derive(Clone, Debug)]
pub struct EventContract {
    pub columns: Vec<EventColumn>,
    pub key: usize,
    pub time: usize,
    /// Of a domain of purchases: who can be looked up. Such a request is a question; it has no key and no time of its own.
    pub customers: Option<Arc<Known>>,
    /// Tells contracts of one process apart.
    pub number: u64,
    schema: SchemaRef,
}

impl EventContract {
    /// `published`: the columns of the table that history is read from.
    pub fn new(domain: &Domain, published: &SchemaRef, number: u64) -> EventContract {
        let (_, input) = domain.spec.input.first().expect("checked: a domain has an input");
        let column = |field: &Arc<Field>| {
            let spec =
                input.columns.iter().find(|(name, _)| name.get_ref() == field.name()).map(|(_, spec)| spec.clone());
            let kind = spec.as_ref().map_or_else(|| kind_of(field.data_type()), |spec| spec.kind);
            EventColumn { name: field.name().clone(), kind, spec, data_type: field.data_type().clone() }
        };
        let columns: Vec<EventColumn> = published.fields().iter().map(column).collect();
        let place =
            |name: &str| columns.iter().position(|column| column.name == name).expect("extracted by this contract");
        let (key, time) = (place(input.key.get_ref()), place(input.time.get_ref()));
        let fields = columns.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        EventContract { columns, key, time, number, schema, customers: None }
    }

    /// What a question about a customer must be.
    pub fn of_questions(spec: &Purchases, customers: Arc<Known>, number: u64) -> EventContract {
        let column = |(name, spec): (String, Column)| {
            let data_type = septet_tables::arrow_type(spec.kind);
            EventColumn { name, kind: spec.kind, spec: Some(spec), data_type }
        };
        let columns: Vec<EventColumn> = question_columns(spec).into_iter().map(column).collect();
        let fields = columns.iter().map(|column| Field::new(&column.name, column.data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        EventContract { columns, key: 0, time: 0, number, schema, customers: Some(customers) }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Reads the text of a JSON object; `pointer` is where it stands in the caller's document.
    pub fn read_json(&self, text: &str, pointer: &str) -> Result<Event, Unread> {
        let input: Arc<str> = text.trim().into();
        let at_once = self.cells_at_once(text).map(|cells| self.event(cells, input.clone(), pointer, Vec::new()));
        if let Some(Ok(event)) = at_once {
            return Ok(event);
        }
        let value: Value = serde_json::from_str(text).map_err(|error| Unread::NotJson(error.to_string()))?;
        self.read(&value, input, pointer).map_err(Unread::Violations)
    }

    /// The cells of a text that keeps the contract, without a document in between; none where anything is unusual.
    fn cells_at_once(&self, text: &str) -> Option<Vec<Cell>> {
        if self.customers.is_some() {
            return None;
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let cells = CellsOf(self).deserialize(&mut reader).ok()?;
        reader.end().ok()?;
        Some(cells)
    }

    /// Reads a JSON object; `pointer` is where it stands in the caller's document.
    pub fn read(&self, value: &Value, input: impl Into<Arc<str>>, pointer: &str) -> Result<Event, Vec<Violation>> {
        let Some(object) = value.as_object() else {
            let detail = "expected an object with one field a column".to_owned();
            return Err(vec![Violation { pointer: pointer.to_owned(), code: "type", detail }]);
        };
        let mut violations = self.unknown_fields(object, pointer);
        let cell = |column: &EventColumn| match object.get(&column.name) {
            None => Ok(Cell::Null),
            Some(Value::Null) if !column.required() => Ok(Cell::Null),
            Some(value) if self.is_orders(column) => orders(value),
            Some(value) => column.cell(value),
        };
        let cells = self.cells(cell, pointer, &mut violations);
        if let Some(customers) = self.customers.as_ref().filter(|_| violations.is_empty()) {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            let is_known = |customer: &str| customers.summaries.contains_key(customer);
            violations.extend(check(&cells, &names, pointer, &is_known));
        }
        self.event(cells, input.into(), pointer, violations)
    }

    /// Reads a row of text, such as a line of CSV: `fields` by column name; an empty text is missing.
    pub fn read_text(&self, fields: &[(&str, &str)], pointer: &str) -> Result<Event, Vec<Violation>> {
        let mut object = Map::new();
        for (name, text) in fields.iter().filter(|(_, text)| !text.is_empty()) {
            let kind = self.columns.iter().find(|column| column.name == *name).map(|column| column.kind);
            let value = match kind {
                Some(ColumnType::Number) => number(text, '.').map(Value::from),
                Some(ColumnType::Integer) => integer(text).map(Value::from),
                Some(ColumnType::Bool) => truth(text).map(Value::from),
                _ if self.customers.is_some() && text.starts_with('[') => serde_json::from_str(text).ok(),
                _ => None,
            };
            object.insert((*name).to_owned(), value.unwrap_or_else(|| Value::from(*text)));
        }
        let value = Value::Object(object);
        let input = value.to_string();
        self.read(&value, input, pointer)
    }

    /// Whether the column holds a list of orders instead of one value.
    pub fn is_orders(&self, column: &EventColumn) -> bool {
        self.customers.is_some() && column.name == self.columns[QuestionColumns::ORDERS].name
    }

    fn unknown_fields(&self, object: &Map<String, Value>, pointer: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        for name in object.keys() {
            let pointer = format!("{pointer}/{}", escaped(name));
            match self.columns.iter().find(|column| column.name == *name) {
                None => {
                    let known = self.columns.iter().filter(|column| !column.label()).map(|column| column.name.as_str());
                    let hint = did_you_mean(name, known).map(|hint| format!("; {hint}")).unwrap_or_default();
                    violations.push(Violation {
                        pointer,
                        code: "unknown",
                        detail: format!("not a column of this input{hint}"),
                    });
                }
                Some(column) if column.label() => {
                    let detail = "this is the truth that comes later: send it to /feedback".to_owned();
                    violations.push(Violation { pointer, code: "label", detail });
                }
                Some(_) => {}
            }
        }
        violations
    }

    fn cells(
        &self,
        cell: impl Fn(&EventColumn) -> Result<Cell, (&'static str, String)>,
        pointer: &str,
        violations: &mut Vec<Violation>,
    ) -> Vec<Cell> {
        let mut cells = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let found = if column.label() { Ok(Cell::Null) } else { cell(column) };
            let found = found.and_then(|cell| match cell {
                Cell::Null if column.required() => Err(("required", "a required value is missing".to_owned())),
                cell => Ok(cell),
            });
            match found {
                Ok(cell) => cells.push(cell),
                Err((code, detail)) => {
                    let pointer = format!("{pointer}/{}", escaped(&column.name));
                    violations.push(Violation { pointer, code, detail });
                    cells.push(Cell::Null);
                }
            }
        }
        cells
    }

    fn event(
        &self,
        cells: Vec<Cell>,
        input: Arc<str>,
        pointer: &str,
        violations: Vec<Violation>,
    ) -> Result<Event, Vec<Violation>> {
        if !violations.is_empty() {
            return Err(violations);
        }
        if self.customers.is_some() {
            let key = fresh_id().to_string().into();
            return Ok(Event { cells, time: crate::now_micros(), key, input, contract: self.number });
        }
        let time = if let Cell::Time(time) = cells[self.time] { time } else { 0 };
        let key: Arc<str> = match &cells[self.key] {
            Cell::Text(text) => text.as_str().into(),
            Cell::Integer(number) => number.to_string().into(),
            _ => Arc::default(),
        };
        if key.chars().count() > KEY_CHARACTERS_MAX {
            let pointer = format!("{pointer}/{}", escaped(&self.columns[self.key].name));
            let detail = format!("a key has at most {KEY_CHARACTERS_MAX} characters");
            return Err(vec![Violation { pointer, code: "length", detail }]);
        }
        Ok(Event { cells, time, key, input, contract: self.number })
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
        let event = |cells: Vec<Cell>| self.event(cells, nothing.clone(), "", Vec::new()).ok();
        Ok(rows.into_iter().filter_map(event).collect())
    }

    /// Events as one batch of the contract's schema.
    pub fn batch(&self, events: &[&Event]) -> Result<RecordBatch, PlatformError> {
        let column = |at: usize| self.columns[at].array(events.iter().map(|event| &event.cells[at]));
        let arrays = (0..self.columns.len()).map(column).collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(self.schema.clone(), arrays).map_err(arrow_error)
    }
}

impl EventColumn {
    /// A JSON value as this column's cell, or the code and detail of what is wrong with it.
    pub fn cell(&self, value: &Value) -> Result<Cell, (&'static str, String)> {
        let cell = Scalar::of(value).map(|scalar| self.cell_of(scalar)).transpose()?.flatten();
        cell.ok_or_else(|| ("type", format!("expected {}, found {}", self.expected(), shown(value))))
    }

    /// None if it is of another type.
    fn cell_of(&self, scalar: Scalar) -> Result<Option<Cell>, (&'static str, String)> {
        let cell = match (self.kind, scalar) {
            (ColumnType::Text, Scalar::Text(text)) => return self.text(text).map(Some),
            (ColumnType::Timestamp, Scalar::Text(text)) => instant(text).map(Cell::Time),
            (ColumnType::Bool, Scalar::Truth(truth)) => Some(Cell::Truth(truth)),
            (ColumnType::Number, scalar) => scalar.number().filter(|n| n.is_finite()).map(Cell::Number),
            (ColumnType::Integer, Scalar::Signed(number)) => Some(Cell::Integer(number)),
            (ColumnType::Integer, scalar) => scalar.number().and_then(whole).map(Cell::Integer),
            _ => None,
        };
        cell.map(|cell| self.in_range(cell)).transpose()
    }

    fn text(&self, text: &str) -> Result<Cell, (&'static str, String)> {
        if text.is_empty() && self.required() {
            return Err(("length", "a required text is empty".to_owned()));
        }
        if text.chars().count() > TEXT_CHARACTERS_MAX {
            return Err(("length", format!("longer than {TEXT_CHARACTERS_MAX} characters")));
        }
        if text.contains('\0') {
            return Err(("values", "a text cannot hold the character U+0000".to_owned()));
        }
        match self.spec.as_ref().and_then(|spec| spec.values.as_ref()) {
            Some(allowed) if !allowed.iter().any(|word| word == text) => {
                let hint = did_you_mean(text, allowed.iter().map(String::as_str)).map(|hint| format!("; {hint}"));
                Err(("values", format!("not one of {}{}", allowed.join(", "), hint.unwrap_or_default())))
            }
            _ => Ok(Cell::Text(text.to_owned())),
        }
    }

    fn in_range(&self, cell: Cell) -> Result<Cell, (&'static str, String)> {
        let value = match cell {
            Cell::Number(value) => value,
            Cell::Integer(value) => value as f64,
            _ => return Ok(cell),
        };
        let Some(spec) = &self.spec else { return Ok(cell) };
        match (spec.min.filter(|min| value < *min), spec.max.filter(|max| value > *max)) {
            (Some(min), _) => Err(("range", format!("{value} is below {min}"))),
            (_, Some(max)) => Err(("range", format!("{value} is above {max}"))),
            _ => Ok(cell),
        }
    }

    /// The column with some of its values replaced; none stays as it is.
    pub fn replaced(&self, array: &ArrayRef, values: &[Option<Cell>]) -> Result<ArrayRef, PlatformError> {
        let own = self.cells_of(array)?;
        self.array(own.iter().zip(values).map(|(own, new)| new.as_ref().unwrap_or(own)))
    }

    fn cells_of(&self, array: &ArrayRef) -> Result<Vec<Cell>, PlatformError> {
        let as_type = |kind: DataType| cast(array, &kind).map_err(arrow_error);
        let or_null = |cell: Option<Cell>| cell.unwrap_or(Cell::Null);
        Ok(match self.kind {
            ColumnType::Number => as_type(DataType::Float64)?
                .as_primitive::<Float64Type>()
                .iter()
                .map(|v| or_null(v.map(Cell::Number)))
                .collect(),
            ColumnType::Integer => as_type(DataType::Int64)?
                .as_primitive::<Int64Type>()
                .iter()
                .map(|v| or_null(v.map(Cell::Integer)))
                .collect(),
            ColumnType::Bool => {
                as_type(DataType::Boolean)?.as_boolean().iter().map(|v| or_null(v.map(Cell::Truth))).collect()
            }
            ColumnType::Timestamp => {
                let times = as_type(DataType::Timestamp(TimeUnit::Microsecond, None))?;
                times.as_primitive::<TimestampMicrosecondType>().iter().map(|v| or_null(v.map(Cell::Time))).collect()
            }
            ColumnType::Text => {
                let text = |text: Option<&str>| or_null(text.map(|text| Cell::Text(text.to_owned())));
                as_type(DataType::Utf8)?.as_string::<i32>().iter().map(text).collect()
            }
        })
    }

    fn expected(&self) -> &'static str {
        match self.kind {
            ColumnType::Text => "a text",
            ColumnType::Number => "a finite number",
            ColumnType::Integer => "a whole number of 64 bits",
            ColumnType::Bool => "true or false",
            ColumnType::Timestamp => "a time such as `2026-03-02T12:00:00Z`",
        }
    }

    fn array<'a>(&self, cells: impl Iterator<Item = &'a Cell>) -> Result<ArrayRef, PlatformError> {
        let array: ArrayRef = match self.kind {
            ColumnType::Number => Arc::new(
                cells
                    .map(|cell| if let Cell::Number(value) = cell { Some(*value) } else { None })
                    .collect::<Float64Array>(),
            ),
            ColumnType::Integer => Arc::new(
                cells
                    .map(|cell| if let Cell::Integer(value) = cell { Some(*value) } else { None })
                    .collect::<Int64Array>(),
            ),
            ColumnType::Bool => Arc::new(
                cells
                    .map(|cell| if let Cell::Truth(value) = cell { Some(*value) } else { None })
                    .collect::<BooleanArray>(),
            ),
            ColumnType::Timestamp => Arc::new(
                cells
                    .map(|cell| if let Cell::Time(value) = cell { Some(*value) } else { None })
                    .collect::<TimestampMicrosecondArray>(),
            ),
            ColumnType::Text => Arc::new(
                cells
                    .map(|cell| if let Cell::Text(text) = cell { Some(text.as_str()) } else { None })
                    .collect::<StringArray>(),
            ),
        };
        if *array.data_type() == self.data_type {
            return Ok(array);
        }
        cast(&array, &self.data_type).map_err(arrow_error)
    }
}

/// What the type of a column beyond the contract is called.
fn kind_of(data_type: &DataType) -> ColumnType {
    match data_type {
        DataType::Boolean => ColumnType::Bool,
        kind if kind.is_integer() => ColumnType::Integer,
        kind if kind.is_numeric() => ColumnType::Number,
        DataType::Timestamp(
            TimeUnit::Microsecond | TimeUnit::Millisecond | TimeUnit::Nanosecond | TimeUnit::Second,
            _,
        ) => ColumnType::Timestamp,
        _ => ColumnType::Text,
    }
}

fn whole(value: f64) -> Option<i64> {
    // 2^53: beyond it not every whole number is one of 64 bits.
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
}

/// A JSON value that is neither null nor made of others.
#[derive(Clone, Copy)]
enum Scalar<'a> {
    Truth(bool),
    Signed(i64),
    /// Whole numbers beyond 64 bits with a sign, too.
    Float(f64),
    Text(&'a str),
}

impl Scalar<'_> {
    fn of(value: &Value) -> Option<Scalar<'_>> {
        match value {
            Value::Bool(truth) => Some(Scalar::Truth(*truth)),
            Value::Number(number) => {
                number.as_i64().map(Scalar::Signed).or_else(|| Some(Scalar::Float(number.as_f64()?)))
            }
            Value::String(text) => Some(Scalar::Text(text)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Scalar::Signed(number) => Some(number as f64),
            Scalar::Float(number) => Some(number),
            Scalar::Truth(_) | Scalar::Text(_) => None,
        }
    }
}

/// Reads an object's fields into the cells of a contract. Fails without saying why.
struct CellsOf<'a>(&'a EventContract);

impl<'de> DeserializeSeed<'de> for CellsOf<'_> {
    type Value = Vec<Cell>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Cell>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for CellsOf<'_> {
    type Value = Vec<Cell>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Vec<Cell>, A::Error> {
        let unusual = || A::Error::custom("unusual");
        let columns = &self.0.columns;
        let mut cells = vec![None; columns.len()];
        while let Some(at) = fields.next_key_seed(PlaceIn(columns))? {
            let cell = fields.next_value_seed(CellIn(&columns[at]))?;
            if cells[at].replace(cell).is_some() {
                return Err(unusual());
            }
        }
        let cell = |(cell, column): (Option<Cell>, &EventColumn)| match cell.unwrap_or(Cell::Null) {
            Cell::Null if column.required() => Err(unusual()),
            cell => Ok(cell),
        };
        cells.into_iter().zip(columns).map(cell).collect()
    }
}

/// Which of some columns a field's name is.
struct PlaceIn<'a>(&'a [EventColumn]);

impl<'de> DeserializeSeed<'de> for PlaceIn<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for PlaceIn<'_> {
    type Value = usize;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("the name of a column")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let place = self.0.iter().position(|column| column.name == name && !column.label());
        place.ok_or_else(|| E::custom("unusual"))
    }
}

/// A field's value as the cell of a column.
struct CellIn<'a>(&'a EventColumn);

impl CellIn<'_> {
    fn cell<E: Error>(self, scalar: Scalar) -> Result<Cell, E> {
        self.0.cell_of(scalar).ok().flatten().ok_or_else(|| E::custom("unusual"))
    }
}

impl<'de> DeserializeSeed<'de> for CellIn<'_> {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for CellIn<'_> {
    type Value = Cell;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Cell, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Cell, E> {
        self.cell(Scalar::Truth(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Cell, E> {
        self.cell(Scalar::Signed(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Cell, E> {
        self.cell(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Signed))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Cell, E> {
        self.cell(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Cell, E> {
        self.cell(Scalar::Text(value))
    }
}

/// What was found, without its content: it may be personal.
fn shown(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A name as one step of a JSON pointer. Source: RFC 6901.
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_domain::Domains;
    use septet_learn::bootstrap::SplitMix64;

    fn contract() -> EventContract {
        let domain = Domains::default().load("fraud").unwrap();
        let (_, input) = domain.spec.input.first().unwrap();
        EventContract::new(&domain, &crate::plan::contract_schema(input), 1)
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
                assert!(matches!(contract.read_json(text, "/0"), Err(Unread::NotJson(_))), "{text}");
                continue;
            };
            let read = contract.read(&value, text.to_owned(), "/0");
            if let Some(cells) = contract.cells_at_once(text) {
                // An event's key may be longer than a cell may be.
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
