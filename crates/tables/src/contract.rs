//! Keeps the contract: every value becomes the type it was promised, or its row goes to quarantine.

use crate::quarantine::{QuarantineRow, Reason};
use crate::reading::{decimal_scale, printed, read_as, unpacked};
use crate::values::{Fault, follows_leap_second, in_calendar, number_fault, text_fault, whole};
use crate::{ROW_COLUMN, SOURCE_COLUMN, TablesError};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::compute::kernels::cast_utils::string_to_datetime;
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
    extras: Vec<Extra>,
    left_out: Vec<(String, DataType)>,
    schema: SchemaRef,
}

/// A column beyond the contract.
pub(crate) struct Extra {
    pub name: String,
    /// None: its values are kept as texts, and all of them decide.
    kind: Option<ColumnType>,
    /// As the layout's SELECT delivers it.
    pub delivered: Field,
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
        let (mut extras, mut left_out) = (Vec::new(), Vec::new());
        for field in delivered.fields().iter().filter(own) {
            let (name, delivered) = (field.name().clone(), field.as_ref().clone());
            match kept_as(field.data_type()) {
                Some(kind) => extras.push(Extra { name, kind, delivered }),
                None => left_out.push((name, field.data_type().clone())),
            }
        }
        let fields = columns.iter().map(|(name, column)| Field::new(*name, arrow_type(column.kind), !column.required));
        let extra_field = |extra: &Extra| Field::new(&extra.name, extra.kind.map_or(DataType::Utf8, arrow_type), true);
        let schema = Arc::new(Schema::new(fields.chain(extras.iter().map(extra_field)).collect::<Vec<_>>()));
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
            left_out,
            schema,
        })
    }

    /// The contract's columns in order, then what came beyond it.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    pub(crate) fn extras(&self) -> &[Extra] {
        &self.extras
    }

    /// Columns that cannot be kept, with their types.
    pub fn left_out(&self) -> &[(String, DataType)] {
        &self.left_out
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
        for (at, extra) in self.extras.iter().enumerate() {
            let array = batch.column_by_name(&extra.name);
            let array = array.ok_or_else(|| TablesError::Engine(format!("column {} vanished", extra.name)))?;
            arrays.push(constrain_extra(array, extra.kind, self.columns.len() + at, &mut broken)?);
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
                None => (self.extras[column - self.columns.len()].name.as_str(), None),
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
    let array = unpacked(array)?;
    let typed = read_as(&array, column.kind, decimal)?;
    refuse_other_types(&array, &typed, at, broken);
    Ok(typed)
}

fn refuse_other_types(array: &ArrayRef, typed: &ArrayRef, at: usize, broken: &mut [Option<Violation>]) {
    // A column of the type null has no nulls of its own.
    let nulls = array.logical_nulls();
    if typed.null_count() == nulls.as_ref().map_or(0, |nulls| nulls.null_count()) {
        return;
    }
    for (row, violation) in broken.iter_mut().enumerate() {
        let given = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        if violation.is_none() && typed.is_null(row) && given {
            *violation = Some(Violation { column: at, breach: Breach::Value(Fault::Type) });
        }
    }
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

/// What a column beyond the contract of an Arrow type is kept as; the inner none: as texts, until all rows decide. None at all:
/// it is left out.
fn kept_as(kind: &DataType) -> Option<Option<ColumnType>> {
    match kind {
        DataType::Dictionary(_, values) => kept_as(values),
        DataType::RunEndEncoded(_, values) => kept_as(values.data_type()),
        DataType::Boolean => Some(Some(ColumnType::Bool)),
        // Their digits may be more than a number has.
        DataType::UInt64 => Some(None),
        kind if decimal_scale(kind).is_some() => Some(None),
        kind if kind.is_integer() => Some(Some(ColumnType::Integer)),
        kind if kind.is_floating() => Some(Some(ColumnType::Number)),
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => Some(Some(ColumnType::Timestamp)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(None),
        _ => None,
    }
}

/// A column beyond the contract: a request may bring its texts too.
fn constrain_extra(
    array: &ArrayRef,
    kind: Option<ColumnType>,
    at: usize,
    broken: &mut [Option<Violation>],
) -> Result<ArrayRef, TablesError> {
    let array = unpacked(array)?;
    let typed = read_as(&array, kind.unwrap_or(ColumnType::Text), '.')?;
    // What is not a number is missing, as a model takes it.
    if !array.data_type().is_floating() {
        refuse_other_types(&array, &typed, at, broken);
    }
    let Some(words) = typed.as_string_opt::<i32>() else { return Ok(typed) };
    for (row, word) in words.iter().enumerate() {
        let fault = word.and_then(|word| text_fault(None, false, word));
        if let (Some(fault), None) = (fault, broken[row]) {
            broken[row] = Some(Violation { column: at, breach: Breach::Value(fault) });
        }
    }
    Ok(typed)
}

/// A finite number with the given decimal sign; spaces around it are allowed, thousands signs are not, nor is a whole number of
/// which 64 bits with a fraction would lose digits.
pub fn number(text: &str, decimal: char) -> Option<f64> {
    let text = with_point(text.trim(), decimal)?;
    let value: f64 = text.parse().ok()?;
    (value.is_finite() && (value.abs() < 9_007_199_254_740_992.0 || keeps_digits(&text, value))).then_some(value)
}

fn with_point(text: &str, decimal: char) -> Option<std::borrow::Cow<'_, str>> {
    match decimal {
        '.' => Some(text.into()),
        _ if text.contains('.') => None,
        sign => Some(text.replacen(sign, ".", 1).into()),
    }
}

/// With an exponent a number is about so large; without, each digit before the point is meant.
fn keeps_digits(text: &str, value: f64) -> bool {
    let whole = text.split('.').next().unwrap_or_default().trim_start_matches(['+', '-']).trim_start_matches('0');
    text.contains(['e', 'E']) || format!("{:.0}", value.abs()) == whole
}

/// A whole number; `3.0` is one.
pub fn integer(text: &str, decimal: char) -> Option<i64> {
    let text = with_point(text.trim(), decimal)?;
    text.parse().ok().or_else(|| text.parse().ok().and_then(whole))
}

pub fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
        "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
        _ => None,
    }
}

/// Microseconds since 1970 UTC of a date, or of a date and time with or without a zone (UTC if without). A leap second is the
/// second after it.
pub fn instant(text: &str) -> Option<i64> {
    let text = without_far_digits(text.trim());
    let time = string_to_datetime(&datafusion::arrow::array::timezone::Tz::from_utc(), &text).ok()?;
    let micros = time.timestamp_micros();
    // The sixtieth second of any minute is read; there have been few.
    let sixtieth = time.timestamp_subsec_nanos() >= 1_000_000_000;
    (in_calendar(micros) && (!sixtieth || follows_leap_second(micros))).then_some(micros)
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
    printed(&array.slice(row, 1)).pop().flatten()
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
            ("9007199254740992", '.', Some(9_007_199_254_740_992.0)),
            ("9007199254740993", '.', None),
            ("-9007199254740993", '.', None),
            ("9007199254740993,5", ',', None),
            ("123456789012345678901234567890", '.', None),
            ("00018446744073709551616", '.', Some(18_446_744_073_709_551_616.0)),
            ("1e300", '.', Some(1e300)),
        ] {
            assert_eq!(number(text, decimal), expected, "{text}");
        }
        for (text, decimal, expected) in [
            ("3", '.', Some(3)),
            ("3.0", '.', Some(3)),
            ("3.5", '.', None),
            ("x", '.', None),
            ("1.000", ',', None),
            ("3,0", ',', Some(3)),
        ] {
            assert_eq!(integer(text, decimal), expected, "{text}");
        }
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
        let leap = Some(1_483_228_800_000_000);
        assert_eq!((instant("2016-12-31T23:59:60Z"), instant("2017-01-01T00:59:60+01:00")), (leap, leap));
        for never in
            ["2026-05-04T10:00:60Z", "2016-12-31T22:59:60Z", "2026-12-31T23:59:60.5Z", "9999-12-31T23:00:00-05:00"]
        {
            assert_eq!(instant(never), None, "{never}");
        }
        assert_eq!((instant("25.07.2018"), instant("2018-13-01"), instant("yesterday")), (None, None, None));
    }

    #[test]
    fn a_column_of_the_type_null_is_missing_values() {
        let nothing: ArrayRef = Arc::new(datafusion::arrow::array::NullArray::new(2));
        for (required, expected) in [(false, None), (true, Some(Reason::Required))] {
            for kind in [ColumnType::Number, ColumnType::Text, ColumnType::Timestamp] {
                let column = Column { required, ..Column::of_type(kind) };
                let mut broken = vec![None; 2];
                let array = typed(&nothing, &column, '.', 0, &mut broken).unwrap();
                constrain(&array, &column, false, 0, &mut broken);
                assert_eq!(broken[1].map(|violation| violation.breach.reason()), expected, "{kind:?}");
            }
        }
    }

    #[test]
    fn truth_is_a_short_list_of_words() {
        assert_eq!(["true", "T", "yes", "1"].map(truth), [Some(true); 4]);
        assert_eq!(["False", "f", "no", "0"].map(truth), [Some(false); 4]);
        assert_eq!(["2", "perhaps", ""].map(truth), [None; 3]);
    }
}
