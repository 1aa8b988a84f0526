//! A request's JSON read into cells at once, without a document in between; anything unusual is left to the careful way, which
//! says all that is wrong.

use super::cells::{Cell, EventColumn};
use super::contract::EventContract;
use septet_tables::{exact_number, number};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The cells of a text that keeps the contract; none where anything is unusual.
pub(super) fn cells_at_once(contract: &EventContract, text: &str) -> Option<Vec<Cell>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let cells = CellsOf(contract).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    Some(cells)
}

/// Whether a text may hold a whole number of more than 64 bits, of which a reader of JSON keeps the first digits only.
pub(super) fn may_lose_digits(text: &str) -> bool {
    text.as_bytes().split(|byte| !byte.is_ascii_digit()).any(|digits| digits.len() > 19)
}

/// The fields of an object, at the top of it, that are numbers of which digits are lost.
pub(super) fn lost_digits(text: &str) -> Vec<String> {
    let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else { return Vec::new() };
    let lost = |value: &&RawValue| {
        let written = value.get();
        written.starts_with(|first: char| first == '-' || first.is_ascii_digit()) && number(written, '.').is_none()
    };
    fields.into_iter().filter(|(_, value)| lost(value)).map(|(name, _)| name).collect()
}

/// A JSON value that is neither null nor made of others.
#[derive(Clone, Copy)]
pub(super) enum Scalar<'a> {
    Truth(bool),
    Signed(i64),
    /// Beyond 64 bits with a sign.
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
}

impl Scalar<'_> {
    pub(super) fn of(value: &Value) -> Option<Scalar<'_>> {
        match value {
            Value::Bool(truth) => Some(Scalar::Truth(*truth)),
            Value::Number(number) => number
                .as_i64()
                .map(Scalar::Signed)
                .or_else(|| number.as_u64().map(Scalar::Unsigned))
                .or_else(|| number.as_f64().map(Scalar::Float)),
            Value::String(text) => Some(Scalar::Text(text)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// None where it is no number, or 64 bits with a fraction would lose digits of it.
    pub(super) fn number(self) -> Option<f64> {
        match self {
            Scalar::Signed(number) => exact_number(number.into()),
            Scalar::Unsigned(number) => exact_number(number.into()),
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
        self.cell(i64::try_from(value).map_or(Scalar::Unsigned(value), Scalar::Signed))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Cell, E> {
        self.cell(Scalar::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Cell, E> {
        self.cell(Scalar::Text(value))
    }
}
