//! Rows that come with a request: read, checked and put into the order that a look-up gives them in.

use super::cells::{Cell, EventColumn, Violation, read_object};
use crate::error::arrow_error;
use septet_tables::arrow::array::RecordBatch;
use septet_tables::arrow::datatypes::{Field, Schema};
use septet_tables::arrow_type;
use serde_json::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// Rows that a request brought, in the order of their time.
#[derive(Clone, Debug, PartialEq)]
pub struct SentRows {
    pub rows: RecordBatch,
    pub first_time: i64,
    pub last_time: i64,
}

/// What a list of rows in a request must be.
#[derive(Debug)]
pub struct RowsOf {
    pub columns: Vec<EventColumn>,
    pub rows_max: usize,
    /// Place of the column of a row's time.
    pub(super) time: usize,
}

/// Reads a list of objects as rows; says what is wrong with each field by its pointer.
pub fn read_rows(of: &RowsOf, value: &Value, pointer: &str) -> Result<SentRows, Vec<Violation>> {
    let RowsOf { columns, rows_max, time } = of;
    let say = |pointer: String, code: &'static str, detail: String| Violation { pointer, code, detail };
    let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let detail = format!("expected a list of at least one object with the fields {}", names.join(", "));
        return Err(vec![say(pointer.to_owned(), "type", detail)]);
    };
    if list.len() > *rows_max {
        return Err(vec![say(pointer.to_owned(), "length", format!("at most {rows_max} rows"))]);
    }
    let (mut rows, mut wrong) = (Vec::with_capacity(list.len()), Vec::new());
    for (number, row) in list.iter().enumerate() {
        let pointer = format!("{pointer}/{number}");
        match read_object(columns, row, &pointer) {
            Ok(cells) => rows.push(cells),
            Err(violations) => wrong.extend(violations),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let at = |cells: &Vec<Cell>| if let Cell::Time(time) = cells[*time] { time } else { 0 };
    let others = |a: &[Cell], b: &[Cell]| a.iter().zip(b).map(|(a, b)| ordered(a, b)).find(|order| order.is_ne());
    rows.sort_by(|a, b| at(a).cmp(&at(b)).then_with(|| others(a, b).unwrap_or(Ordering::Equal)));
    let (first_time, last_time) = (rows.first().map_or(0, at), rows.last().map_or(0, at));
    let arrays = columns.iter().enumerate().map(|(at, column)| column.array(rows.iter().map(|row| &row[at])));
    let made = arrays.collect::<Result<Vec<_>, _>>().and_then(|arrays| {
        let fields = columns.iter().map(|column| Field::new(&column.name, arrow_type(column.kind), true));
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays).map_err(arrow_error)
    });
    match made {
        Ok(rows) => Ok(SentRows { rows, first_time, last_time }),
        Err(error) => Err(vec![say(pointer.to_owned(), "type", error.to_string())]),
    }
}

/// As SQL orders them, missing ones last.
fn ordered(a: &Cell, b: &Cell) -> Ordering {
    match (a, b) {
        (Cell::Null, Cell::Null) => Ordering::Equal,
        (Cell::Null, _) => Ordering::Greater,
        (_, Cell::Null) => Ordering::Less,
        (Cell::Number(a), Cell::Number(b)) => a.total_cmp(b),
        (Cell::Integer(a), Cell::Integer(b)) => a.cmp(b),
        (Cell::Truth(a), Cell::Truth(b)) => a.cmp(b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}
