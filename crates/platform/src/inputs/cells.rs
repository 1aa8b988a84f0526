//! One value of a request as the contract has it, and everything that can be wrong with one.

use super::series_rows::{RowsOf, SentRows, read_rows};
use septet_domain::{Column, ColumnType, did_you_mean};
use septet_tables::arrow::datatypes::DataType;
use septet_tables::{expected, instant, number_fault, text_fault, truth, whole};
use serde_json::{Map, Value};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Number(f64),
    Integer(i64),
    Truth(bool),
    Text(String),
    /// Microseconds since 1970 UTC.
    Time(i64),
    /// Rows that came with a request.
    Rows(Arc<SentRows>),
}

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer to the field, or to where it should be.
    pub pointer: String,
    /// `required`, `type`, `range`, `values`, `length`, `unknown`, `label` or `repeated`.
    pub code: &'static str,
    pub detail: String,
}

/// A column that requests may or must have.
#[derive(Clone, Debug)]
pub struct EventColumn {
    pub name: String,
    pub kind: ColumnType,
    /// What the contract says of it; none for a column beyond it.
    pub spec: Option<Column>,
    pub(super) data_type: DataType,
    /// Whether it is the key of the row.
    pub key: bool,
    /// What it must hold where it is a list of rows.
    pub rows: Option<Arc<RowsOf>>,
}

impl EventColumn {
    pub fn new(name: String, spec: Column) -> EventColumn {
        let data_type = septet_tables::arrow_type(spec.kind);
        EventColumn { name, kind: spec.kind, spec: Some(spec), data_type, key: false, rows: None }
    }

    pub fn required(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.required) && !self.label()
    }

    pub fn label(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.label)
    }

    /// A label that is never sent: `label.sql` makes it.
    pub fn label_from_later_rows(&self) -> bool {
        self.spec.as_ref().is_some_and(|spec| spec.from.is_some())
    }
}

/// Reads an object of these columns; says everything that is wrong with it.
pub(super) fn read_object(columns: &[EventColumn], value: &Value, pointer: &str) -> Result<Vec<Cell>, Vec<Violation>> {
    let (cells, violations) = read_fields(columns, value, pointer);
    if violations.is_empty() { Ok(cells) } else { Err(violations) }
}

pub(super) fn read_fields(columns: &[EventColumn], value: &Value, pointer: &str) -> (Vec<Cell>, Vec<Violation>) {
    let Some(object) = value.as_object() else {
        let detail = "expected an object with one field a column".to_owned();
        return (Vec::new(), vec![Violation { pointer: pointer.to_owned(), code: "type", detail }]);
    };
    let mut violations = unknown_fields(columns, object, pointer);
    let mut cells = Vec::with_capacity(columns.len());
    for column in columns {
        let pointer = format!("{pointer}/{}", escaped(&column.name));
        match cell_of_field(column, object.get(&column.name), &pointer) {
            Ok(cell) => cells.push(cell),
            Err(found) => {
                violations.extend(found);
                cells.push(Cell::Null);
            }
        }
    }
    (cells, violations)
}

fn cell_of_field(column: &EventColumn, value: Option<&Value>, pointer: &str) -> Result<Cell, Vec<Violation>> {
    let say = |(code, detail): (&'static str, String)| vec![Violation { pointer: pointer.to_owned(), code, detail }];
    match (value, &column.rows) {
        _ if column.label() => Ok(Cell::Null),
        (None, _) if column.required() => Err(say(("required", "a required value is missing".to_owned()))),
        (None, _) => Ok(Cell::Null),
        (Some(Value::Null), _) if !column.required() => Ok(Cell::Null),
        (Some(value), Some(of)) => read_rows(of, value, pointer).map(|rows| Cell::Rows(Arc::new(rows))),
        (Some(value), None) => column.cell(value).map_err(say),
    }
}

fn unknown_fields(columns: &[EventColumn], object: &Map<String, Value>, pointer: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    for name in object.keys() {
        let pointer = format!("{pointer}/{}", escaped(name));
        match columns.iter().find(|column| column.name == *name) {
            None => {
                let known = columns.iter().filter(|column| !column.label()).map(|column| column.name.as_str());
                let hint = did_you_mean(name, known).map(|hint| format!("; {hint}")).unwrap_or_default();
                let detail = format!("not a column of this input{hint}");
                violations.push(Violation { pointer, code: "unknown", detail });
            }
            Some(column) if column.label() => {
                let detail = match column.label_from_later_rows() {
                    true => "this is a label, made from later rows: it is not sent",
                    false => "this is a label, known later: send it to /feedback",
                };
                let detail = detail.to_owned();
                violations.push(Violation { pointer, code: "label", detail });
            }
            Some(_) => {}
        }
    }
    violations
}

impl EventColumn {
    /// A JSON value as this column's cell, or the code and detail of what is wrong with it.
    pub fn cell(&self, value: &Value) -> Result<Cell, (&'static str, String)> {
        let cell = super::json::Scalar::of(value).map(|scalar| self.cell_of(scalar)).transpose()?.flatten();
        cell.ok_or_else(|| ("type", format!("expected {}, found {}", self.expected(), shown(value))))
    }

    /// None if it is of another type.
    pub(super) fn cell_of(&self, scalar: super::json::Scalar) -> Result<Option<Cell>, (&'static str, String)> {
        use super::json::Scalar;
        let cell = match (self.kind, scalar) {
            (ColumnType::Text, Scalar::Text(text)) => return self.text(text).map(Some),
            (ColumnType::Timestamp, Scalar::Text(text)) => instant(text).map(Cell::Time),
            (ColumnType::Bool, Scalar::Truth(truth)) => Some(Cell::Truth(truth)),
            // As files have it, whatever they are written in.
            (ColumnType::Bool, Scalar::Text(text)) => truth(text).map(Cell::Truth),
            (ColumnType::Bool, Scalar::Signed(number @ (0 | 1))) => Some(Cell::Truth(number == 1)),
            (ColumnType::Number, scalar) => scalar.number().filter(|n| n.is_finite()).map(Cell::Number),
            (ColumnType::Integer, Scalar::Signed(number)) => Some(Cell::Integer(number)),
            (ColumnType::Integer, scalar) => scalar.number().and_then(whole).map(Cell::Integer),
            _ => None,
        };
        cell.map(|cell| self.in_range(cell)).transpose()
    }

    fn text(&self, text: &str) -> Result<Cell, (&'static str, String)> {
        let cell = || Cell::Text(text.to_owned());
        let spec = self.spec.as_ref();
        let fault = text_fault(spec, self.key, text);
        fault.map_or_else(|| Ok(cell()), |fault| Err((fault.reason().word(), fault.detail_of_text(spec, text))))
    }

    fn in_range(&self, cell: Cell) -> Result<Cell, (&'static str, String)> {
        let value = match cell {
            Cell::Number(value) => value,
            Cell::Integer(value) => value as f64,
            _ => return Ok(cell),
        };
        let Some(spec) = &self.spec else { return Ok(cell) };
        let Some(fault) = number_fault(spec, value) else { return Ok(cell) };
        Err((fault.reason().word(), format!("{value} is {}", fault.detail(Some(spec)))))
    }

    pub(super) fn expected(&self) -> &'static str {
        expected(self.kind)
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
