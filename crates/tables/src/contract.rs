//! Keeps the contract: every value becomes the type it was promised, or its row goes to quarantine.

use crate::quarantine::{QuarantineRow, Reason};
use crate::values::{Fault, number_fault, text_fault, whole};
use crate::{ROW_COLUMN, SOURCE_COLUMN, TablesError};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;
use datafusion::arrow::compute::{CastOptions, cast_with_options, filter_record_batch};
use datafusion::arrow::datatypes::{
    DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use foldhash::quality::FixedState;
use septet_domain::{Column, ColumnType, Input};
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The Arrow type of a contract's column.
pub fn arrow_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Number => DataType::Float64,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
    }
}

/// The contract of one input, applied to batches in source order.
pub struct Contract<'a> {
    columns: Vec<(&'a str, &'a Column)>,
    key: usize,
    time: usize,
    decimal: char,
    /// 128 bits of hash a key: two keys are taken for one in less than one of 10^20 inputs of 10^9 rows.
    seen: HashSet<(u64, u64), FixedState>,
    hashers: (FixedState, FixedState),
    extras: Vec<String>,
    schema: SchemaRef,
}

/// The rows that keep the contract, and those that do not.
pub struct Checked {
    pub rows: RecordBatch,
    pub broken: Vec<QuarantineRow>,
}

impl<'a> Contract<'a> {
    /// `delivered`: the columns that the layout's SELECT yields.
    pub fn new(
        input: &'a Input,
        delivered: &Schema,
        decimal: char,
        location: &str,
    ) -> Result<Contract<'a>, TablesError> {
        let columns: Vec<(&str, &Column)> =
            input.columns.iter().map(|(name, column)| (name.get_ref().as_str(), column)).collect();
        let missing: Vec<&str> = columns
            .iter()
            .filter(|(name, column)| column.required && delivered.index_of(name).is_err())
            .map(|(name, _)| *name)
            .collect();
        if !missing.is_empty() {
            let found: Vec<&str> = delivered
                .fields()
                .iter()
                .map(|field| field.name().as_str())
                .filter(|name| !name.starts_with('_'))
                .collect();
            let what = format!("delivers no column `{}`; it has {}", missing.join("`, `"), found.join(", "));
            return Err(TablesError::Source { location: location.to_owned(), what });
        }
        let own = |field: &&Arc<Field>| {
            let name = field.name();
            name != SOURCE_COLUMN && name != ROW_COLUMN && columns.iter().all(|(known, _)| known != name)
        };
        let extra_fields: Vec<Field> =
            delivered.fields().iter().filter(own).map(|field| field.as_ref().clone().with_nullable(true)).collect();
        let extras = extra_fields.iter().map(|field| field.name().clone()).collect();
        let fields = columns.iter().map(|(name, column)| Field::new(*name, arrow_type(column.kind), !column.required));
        let schema = Arc::new(Schema::new(fields.chain(extra_fields).collect::<Vec<_>>()));
        let key = columns.iter().position(|(name, _)| name == input.key.get_ref()).unwrap_or(0);
        let time = columns.iter().position(|(name, _)| name == input.time.get_ref()).unwrap_or(0);
        let hashers = (FixedState::with_seed(1), FixedState::with_seed(2));
        Ok(Contract {
            columns,
            key,
            time,
            decimal,
            seen: HashSet::with_hasher(FixedState::with_seed(3)),
            hashers,
            extras,
            schema,
        })
    }

    /// The contract's columns in order, then what came beyond it.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub fn extras(&self) -> &[String] {
        &self.extras
    }

    pub fn check(&mut self, batch: &RecordBatch) -> Result<Checked, TablesError> {
        let mut broken: Vec<Option<Violation>> = vec![None; batch.num_rows()];
        let mut arrays = Vec::with_capacity(self.schema.fields().len());
        for (at, (name, column)) in self.columns.iter().enumerate() {
            let array = match batch.column_by_name(name) {
                Some(array) => typed(array, column, self.decimal, at, &mut broken)?,
                None => datafusion::arrow::array::new_null_array(&arrow_type(column.kind), batch.num_rows()),
            };
            constrain(&array, column, at == self.key, at, &mut broken);
            arrays.push(array);
        }
        self.refuse_duplicates(&arrays[self.key].clone(), &mut broken);
        for (at, name) in self.extras.iter().enumerate() {
            let array = batch.column_by_name(name);
            let array = array.ok_or_else(|| TablesError::Engine(format!("column {name} vanished")))?;
            constrain_extra(array, self.columns.len() + at, &mut broken);
            arrays.push(array.clone());
        }
        let keep: BooleanArray = broken.iter().map(|violation| Some(violation.is_none())).collect();
        let times = arrays[self.time].as_primitive_opt::<TimestampMicrosecondType>().cloned();
        let broken = self.describe(batch, broken, times.as_ref());
        // Rows that break the contract may hold nulls where none are allowed: they leave before the schema is put on.
        let loose = Schema::new(
            self.schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
        );
        let all = RecordBatch::try_new(Arc::new(loose), arrays).map_err(engine_error)?;
        let kept = filter_record_batch(&all, &keep).map_err(engine_error)?;
        let rows = RecordBatch::try_new(self.schema.clone(), kept.columns().to_vec()).map_err(engine_error)?;
        Ok(Checked { rows, broken })
    }

    fn refuse_duplicates(&mut self, keys: &ArrayRef, broken: &mut [Option<Violation>]) {
        let mut note = |row: usize, hash: (u64, u64)| {
            if broken[row].is_none() && !self.seen.insert(hash) {
                broken[row] = Some(Violation { column: self.key, breach: Breach::DuplicateKey });
            }
        };
        let (first, second) = &self.hashers;
        if let Some(words) = keys.as_string_opt::<i32>() {
            words.iter().enumerate().for_each(|(row, word)| note(row, (first.hash_one(word), second.hash_one(word))));
        } else if let Some(numbers) = keys.as_primitive_opt::<Int64Type>() {
            numbers
                .iter()
                .enumerate()
                .for_each(|(row, number)| note(row, (first.hash_one(number), second.hash_one(number))));
        }
    }

    fn describe(
        &self,
        batch: &RecordBatch,
        broken: Vec<Option<Violation>>,
        times: Option<&TimestampMicrosecondArray>,
    ) -> Vec<QuarantineRow> {
        let sources = batch.column_by_name(SOURCE_COLUMN).and_then(|column| column.as_string_opt::<i32>());
        let places = batch.column_by_name(ROW_COLUMN).and_then(|column| column.as_primitive_opt::<Int64Type>());
        let row_of = |(row, violation): (usize, Option<Violation>)| {
            let Violation { column, breach } = violation?;
            let (name, spec) = match self.columns.get(column) {
                Some((name, spec)) => (*name, Some(*spec)),
                None => (self.extras[column - self.columns.len()].as_str(), None),
            };
            let value = batch.column_by_name(name).and_then(|array| text_at(array, row));
            Some(QuarantineRow {
                source: sources.map_or_else(String::new, |sources| sources.value(row).to_owned()),
                row: places.map_or(row as i64 + 1, |places| places.value(row)),
                column: Some(name.to_owned()),
                value,
                reason: breach.reason(),
                message: breach.message(spec),
                at: times.filter(|times| times.is_valid(row)).map(|times| times.value(row)),
            })
        };
        broken.into_iter().enumerate().filter_map(row_of).collect()
    }
}

#[derive(Clone, Copy, Debug)]
struct Violation {
    column: usize,
    breach: Breach,
}

#[derive(Clone, Copy, Debug)]
enum Breach {
    Value(Fault),
    DuplicateKey,
}

impl Breach {
    fn reason(self) -> Reason {
        match self {
            Breach::Value(fault) => fault.reason(),
            Breach::DuplicateKey => Reason::DuplicateKey,
        }
    }

    fn message(self, column: Option<&Column>) -> String {
        match self {
            Breach::Value(fault) => fault.detail(column),
            Breach::DuplicateKey => "this key was seen in an earlier row".to_owned(),
        }
    }
}

/// The column as the contract's type; a value that is none becomes null and its row broken.
fn typed(
    array: &ArrayRef,
    column: &Column,
    decimal: char,
    at: usize,
    broken: &mut [Option<Violation>],
) -> Result<ArrayRef, TablesError> {
    let wanted = arrow_type(column.kind);
    let typed: ArrayRef = match (array.as_string_opt::<i32>(), column.kind) {
        _ if *array.data_type() == wanted && column.kind != ColumnType::Number => array.clone(),
        (Some(words), ColumnType::Number) => {
            Arc::new(words.iter().map(|word| number(word?, decimal)).collect::<Float64Array>())
        }
        (Some(words), ColumnType::Integer) => Arc::new(words.iter().map(|word| integer(word?)).collect::<Int64Array>()),
        (Some(words), ColumnType::Bool) => Arc::new(words.iter().map(|word| truth(word?)).collect::<BooleanArray>()),
        (Some(words), ColumnType::Timestamp) => {
            Arc::new(words.iter().map(|word| instant(word?)).collect::<TimestampMicrosecondArray>())
        }
        (_, kind) => cast_checked(array, kind, &wanted)?,
    };
    for (row, violation) in broken.iter_mut().enumerate() {
        if violation.is_none() && typed.is_null(row) && array.is_valid(row) {
            *violation = Some(Violation { column: at, breach: Breach::Value(Fault::Type) });
        }
    }
    Ok(typed)
}

/// Engine's cast, with not-a-number and infinities refused.
fn cast_checked(array: &ArrayRef, kind: ColumnType, wanted: &DataType) -> Result<ArrayRef, TablesError> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    // Numbers become truth only if they are 0 or 1; times with a zone become UTC.
    let cast = cast_with_options(array, wanted, &options).map_err(engine_error)?;
    let refused = match kind {
        // A whole number of what since when? Only the layout's SELECT can say.
        ColumnType::Timestamp => array.data_type().is_numeric(),
        // Whether something is so is no amount of it.
        ColumnType::Number | ColumnType::Integer => *array.data_type() == DataType::Boolean,
        _ => false,
    };
    if refused {
        return Ok(datafusion::arrow::array::new_null_array(wanted, array.len()));
    }
    if kind == ColumnType::Integer && array.data_type().is_floating() {
        let numbers = cast_with_options(array, &DataType::Float64, &options).map_err(engine_error)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        return Ok(Arc::new(numbers.iter().map(|value| whole(value?)).collect::<Int64Array>()));
    }
    if kind == ColumnType::Bool && array.data_type().is_numeric() {
        let numbers = cast_with_options(array, &DataType::Float64, &options).map_err(engine_error)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let truth = |value: Option<f64>| value.filter(|value| *value == 0.0 || *value == 1.0).map(|value| value == 1.0);
        return Ok(Arc::new(numbers.iter().map(truth).collect::<BooleanArray>()));
    }
    if kind == ColumnType::Number {
        let numbers = cast.as_primitive::<Float64Type>();
        if numbers.values().iter().any(|value| !value.is_finite()) {
            return Ok(Arc::new(
                numbers.iter().map(|value| value.filter(|value| value.is_finite())).collect::<Float64Array>(),
            ));
        }
    }
    Ok(cast)
}

fn constrain(array: &ArrayRef, column: &Column, is_key: bool, at: usize, broken: &mut [Option<Violation>]) {
    let mut say = |row: usize, fault| {
        if broken[row].is_none() {
            broken[row] = Some(Violation { column: at, breach: Breach::Value(fault) });
        }
    };
    if column.required && array.null_count() > 0 {
        (0..array.len()).filter(|&row| array.is_null(row)).for_each(|row| say(row, Fault::Missing));
    }
    let fault_of = |value: f64| number_fault(column, value);
    if let Some(numbers) = array.as_primitive_opt::<Float64Type>() {
        let faults = numbers.iter().enumerate().filter_map(|(row, value)| Some((row, fault_of(value?)?)));
        faults.for_each(|(row, fault)| say(row, fault));
    } else if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
        let faults = numbers.iter().enumerate().filter_map(|(row, value)| Some((row, fault_of(value? as f64)?)));
        faults.for_each(|(row, fault)| say(row, fault));
    } else if let Some(words) = array.as_string_opt::<i32>() {
        let faults =
            words.iter().enumerate().filter_map(|(row, word)| Some((row, text_fault(Some(column), is_key, word?)?)));
        faults.for_each(|(row, fault)| say(row, fault));
    }
}

/// A column beyond the contract: a request may bring its texts too.
fn constrain_extra(array: &ArrayRef, at: usize, broken: &mut [Option<Violation>]) {
    let Some(words) = array.as_string_opt::<i32>() else { return };
    for (row, word) in words.iter().enumerate() {
        let fault = word.and_then(|word| text_fault(None, false, word));
        if let (Some(fault), None) = (fault, broken[row]) {
            broken[row] = Some(Violation { column: at, breach: Breach::Value(fault) });
        }
    }
}

/// A finite number with the given decimal sign; spaces around it are allowed, thousands signs are not.
pub fn number(text: &str, decimal: char) -> Option<f64> {
    let text = text.trim();
    let value: f64 = match decimal {
        '.' => text.parse().ok()?,
        _ if text.contains('.') => return None,
        sign => text.replacen(sign, ".", 1).parse().ok()?,
    };
    value.is_finite().then_some(value)
}

/// A whole number; `3.0` is one.
pub fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse().ok().and_then(whole))
}

pub fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
        _ => None,
    }
}

/// Microseconds since 1970 UTC of a date, or of a date and time with or without a zone (UTC if without).
pub fn instant(text: &str) -> Option<i64> {
    let text = without_far_digits(text.trim());
    let time = string_to_datetime(&datafusion::arrow::array::timezone::Tz::from_utc(), &text).ok()?;
    Some(time.timestamp_micros())
}

/// The text with at most nine digits of a second's fraction: the engine reads no more, RFC 3339 allows any number.
fn without_far_digits(text: &str) -> std::borrow::Cow<'_, str> {
    let digits = |rest: &str| rest.bytes().take_while(u8::is_ascii_digit).count();
    match text.split_once('.') {
        Some((whole, rest)) if digits(rest) > 9 => format!("{whole}.{}{}", &rest[..9], &rest[digits(rest)..]).into(),
        _ => text.into(),
    }
}

trait Utc {
    fn from_utc() -> datafusion::arrow::array::timezone::Tz;
}

impl Utc for datafusion::arrow::array::timezone::Tz {
    fn from_utc() -> datafusion::arrow::array::timezone::Tz {
        "+00:00".parse().expect("an offset of zero is a time zone")
    }
}

fn text_at(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    let one = array.slice(row, 1);
    let text = cast_with_options(&one, &DataType::Utf8, &CastOptions::default()).ok()?;
    let text: &StringArray = text.as_string_opt()?;
    Some(text.value(0).to_owned())
}

fn engine_error(error: impl std::fmt::Display) -> TablesError {
    TablesError::Engine(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_strictly() {
        for (text, decimal, expected) in [
            ("1.5", '.', Some(1.5)),
            (" 2 ", '.', Some(2.0)),
            ("1e3", '.', Some(1000.0)),
            ("1,5", '.', None),
            ("1,5", ',', Some(1.5)),
            ("1.234,5", ',', None),
            ("inf", '.', None),
            ("nan", '.', None),
            ("", '.', None),
        ] {
            assert_eq!(number(text, decimal), expected, "{text}");
        }
        assert_eq!((integer("3"), integer("3.0"), integer("3.5"), integer("x")), (Some(3), Some(3), None, None));
    }

    #[test]
    fn instants_are_utc_with_and_without_a_zone() {
        let noon = Some(1_532_520_000_000_000);
        for text in
            ["2018-07-25 12:00:00", "2018-07-25T12:00:00Z", "2018-07-25T14:00:00+02:00", " 2018-07-25 12:00:00.000 "]
        {
            assert_eq!(instant(text), noon, "{text}");
        }
        assert_eq!(instant("2018-07-25T12:00:00.00000000000000Z"), noon);
        assert_eq!(instant("2018-07-25"), Some(1_532_476_800_000_000));
        assert_eq!((instant("25.07.2018"), instant("2018-13-01"), instant("yesterday")), (None, None, None));
    }

    #[test]
    fn truth_is_a_short_list_of_words() {
        assert_eq!(["true", "T", "yes", "1"].map(truth), [Some(true); 4]);
        assert_eq!(["False", "f", "no", "0"].map(truth), [Some(false); 4]);
        assert_eq!(["2", "perhaps", ""].map(truth), [None; 3]);
    }
}
