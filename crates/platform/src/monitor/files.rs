//! Two files side by side, column by column, by the rules that users of Evidently know. Every column of either file is
//! there; one that cannot be compared counts as drifted and says why.

use crate::PlatformError;
use crate::error::arrow_error;
use rayon::prelude::*;
use septet_learn::drift::evidently::{Column, ColumnDrift, DATASET_SHARE, Method, column_drift};
use septet_tables::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use septet_tables::arrow::compute::{cast, concat};
use septet_tables::arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use septet_tables::arrow::util::display::{ArrayFormatter, FormatOptions};
use septet_tables::{instant, number, truth};
use serde::Serialize;

/// Share of texts that are numbers (or times) from which on a column beside one of numbers is compared by them. Our choice:
/// most of what it says is a number.
const READABLE_SHARE_MIN: f64 = 0.5;
/// The same where both columns are texts, which are words unless nearly all are numbers.
const READABLE_SHARE_OF_TEXTS_MIN: f64 = 0.9;

/// A column of either file.
#[derive(Clone, Debug, Serialize)]
pub struct FileColumn {
    pub name: String,
    /// What the reference holds: numbers, texts, truth values, times, durations, other values; no value; no such column.
    pub reference: &'static str,
    pub current: &'static str,
    /// Null if there was nothing to compare.
    pub method: Option<&'static str>,
    pub score: Option<f64>,
    pub level: Option<f64>,
    pub drifted: bool,
    /// Why it could not be compared, or what was left out.
    pub why: Option<String>,
    /// Shares of the values that are no numbers (or no times), which were left out of the comparison.
    pub unreadable: Option<Shares>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Shares {
    pub reference: f64,
    pub current: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct FileDrift {
    pub columns: Vec<FileColumn>,
    pub columns_drifted: usize,
    /// Those of the drifted that could not be compared.
    pub columns_not_compared: usize,
    pub share: f64,
    pub drifted: bool,
}

/// A table that was read.
pub type Table = (SchemaRef, Vec<RecordBatch>);

/// What a file has of a column.
enum Values {
    Absent,
    /// No value in any row.
    Empty,
    Numbers(Vec<f64>),
    Times(Vec<f64>),
    Durations(Vec<f64>),
    Truths(StringArray),
    Texts(StringArray),
    /// Lists, objects, bytes: by their text.
    Others(StringArray),
}

impl Values {
    fn word(&self) -> &'static str {
        match self {
            Values::Absent => "no such column",
            Values::Empty => "no value",
            Values::Numbers(_) => "numbers",
            Values::Times(_) => "times",
            Values::Durations(_) => "durations",
            Values::Truths(_) => "truth values",
            Values::Texts(_) => "texts",
            Values::Others(_) => "other values",
        }
    }
}

/// Compares all columns of both.
pub fn compare(reference: &Table, current: &Table) -> Result<FileDrift, PlatformError> {
    let mut names: Vec<&String> = reference.0.fields().iter().map(|field| field.name()).collect();
    names
        .extend(current.0.fields().iter().map(|field| field.name()).filter(|name| reference.0.index_of(name).is_err()));
    let one = |name: &&String| Ok(column(name, values(reference, name)?, values(current, name)?));
    let columns: Vec<FileColumn> = names.par_iter().map(one).collect::<Result<_, PlatformError>>()?;
    let columns_drifted = columns.iter().filter(|column| column.drifted).count();
    let columns_not_compared = columns.iter().filter(|column| column.drifted && column.method.is_none()).count();
    let share = columns_drifted as f64 / columns.len().max(1) as f64;
    Ok(FileDrift { columns, columns_drifted, columns_not_compared, share, drifted: share >= DATASET_SHARE })
}

fn column(name: &str, reference: Values, current: Values) -> FileColumn {
    let mut column = FileColumn {
        name: name.to_owned(),
        reference: reference.word(),
        current: current.word(),
        method: None,
        score: None,
        level: None,
        drifted: false,
        why: None,
        unreadable: None,
    };
    match judged(&reference, &current) {
        Judged::Nothing => column.why = Some("no value in either file".to_owned()),
        Judged::Unlike => {
            column.drifted = true;
            column.why = Some(match (&reference, &current) {
                (Values::Absent, _) => "new: not in the reference".to_owned(),
                (_, Values::Absent) => "gone: not in the current file".to_owned(),
                (Values::Empty, _) => "filled: no value in the reference".to_owned(),
                (_, Values::Empty) => "emptied: no value in the current file".to_owned(),
                _ => format!("{} in the reference, {} in the current file", column.reference, column.current),
            });
        }
        Judged::Compared(found) => column.take(found),
        Judged::Read(found, read) => {
            column.take(found);
            column.drifted |= read.changed;
            column.unreadable = Some(read.shares);
            let percent = |share: f64| format!("{:.3}", share * 100.0);
            column.why = Some(format!(
                "compared by the {}; no {}: {} % of the reference, {} % of the current file",
                read.what,
                read.what,
                percent(read.shares.reference),
                percent(read.shares.current)
            ));
        }
    }
    column
}

impl FileColumn {
    fn take(&mut self, found: ColumnDrift) {
        self.method = Some(word(found.method));
        self.score = Some(found.score);
        self.level = Some(found.level);
        self.drifted = found.drifted;
    }
}

enum Judged {
    Nothing,
    Unlike,
    Compared(ColumnDrift),
    /// Only what could be read of texts.
    Read(ColumnDrift, Read),
}

struct Read {
    what: &'static str,
    shares: Shares,
    /// Whether the share of unreadable values drifted.
    changed: bool,
}

fn judged(reference: &Values, current: &Values) -> Judged {
    use Values::{Absent, Durations, Empty, Numbers, Others, Texts, Times, Truths};
    let found = match (reference, current) {
        (Empty, Empty) => return Judged::Nothing,
        (Absent | Empty, _) | (_, Absent | Empty) => None,
        (Numbers(reference), Numbers(current))
        | (Times(reference), Times(current))
        | (Durations(reference), Durations(current)) => {
            column_drift(Column::Numbers(reference), Column::Numbers(current))
        }
        (Truths(reference), Truths(current)) | (Others(reference), Others(current)) => words(reference, current),
        (Truths(truths), Texts(texts)) => truth_words(texts).and_then(|texts| words(truths, &texts)),
        (Texts(texts), Truths(truths)) => truth_words(texts).and_then(|texts| words(&texts, truths)),
        (Numbers(_), Texts(_)) | (Texts(_), Numbers(_)) => {
            return read(reference, current, "numbers", READABLE_SHARE_MIN, plain_number).unwrap_or(Judged::Unlike);
        }
        (Times(_), Texts(_)) | (Texts(_), Times(_)) => {
            return read(reference, current, "times", READABLE_SHARE_MIN, micros).unwrap_or(Judged::Unlike);
        }
        (Texts(before), Texts(now)) => {
            let all = |texts: &StringArray| texts.iter().flatten().all(|text| plain_number(text).is_some());
            let read = if all(before) && all(now) {
                None
            } else {
                read(reference, current, "numbers", READABLE_SHARE_OF_TEXTS_MIN, plain_number)
            };
            match read {
                Some(read) => return read,
                None => words(before, now),
            }
        }
        _ => None,
    };
    found.map_or(Judged::Unlike, Judged::Compared)
}

fn words(reference: &StringArray, current: &StringArray) -> Option<ColumnDrift> {
    let (reference, current): (Vec<_>, Vec<_>) = (reference.iter().collect(), current.iter().collect());
    column_drift(Column::Words(&reference), Column::Words(&current))
}

/// The texts in the words of truth values, if most are any.
fn truth_words(texts: &StringArray) -> Option<StringArray> {
    let word = |text: &str| truth(text).map(|truth| if truth { "true" } else { "false" });
    let readable = texts.iter().flatten().filter(|text| word(text).is_some()).count();
    let enough = readable as f64 >= READABLE_SHARE_MIN * (texts.len() - texts.null_count()) as f64;
    enough.then(|| texts.iter().map(|text| text.map(|text| word(text).unwrap_or(text))).collect())
}

/// A number that is no code: `007` and `1,5` are none.
fn plain_number(text: &str) -> Option<f64> {
    let digits = text.trim_start_matches(['-', '+']);
    let code = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    number(text, '.').filter(|_| !code)
}

fn micros(text: &str) -> Option<f64> {
    instant(text).map(|micros| micros as f64)
}

/// Compares what of both can be read as numbers; none if that is too little.
fn read(
    reference: &Values,
    current: &Values,
    what: &'static str,
    share_min: f64,
    of: fn(&str) -> Option<f64>,
) -> Option<Judged> {
    let (reference, reference_readable) = readable(reference, of);
    let (current, current_readable) = readable(current, of);
    let share = |readable: &[bool]| {
        readable.iter().filter(|readable| !**readable).count() as f64 / readable.len().max(1) as f64
    };
    let shares = Shares { reference: share(&reference_readable), current: share(&current_readable) };
    if shares.reference.max(shares.current) > 1.0 - share_min {
        return None;
    }
    let found = column_drift(Column::Numbers(&reference), Column::Numbers(&current))?;
    let words = |readable: &[bool]| -> Vec<Option<&'static str>> {
        readable.iter().map(|readable| Some(if *readable { "read" } else { "unread" })).collect()
    };
    let changed = column_drift(Column::Words(&words(&reference_readable)), Column::Words(&words(&current_readable)));
    let changed = changed.is_some_and(|changed| changed.drifted);
    Some(Judged::Read(found, Read { what, shares, changed }))
}

/// The numbers, and of each value whether it is one.
fn readable(values: &Values, of: fn(&str) -> Option<f64>) -> (Vec<f64>, Vec<bool>) {
    match values {
        Values::Numbers(numbers) | Values::Times(numbers) | Values::Durations(numbers) => {
            (numbers.clone(), vec![true; numbers.iter().filter(|number| number.is_finite()).count()])
        }
        Values::Texts(texts) | Values::Truths(texts) | Values::Others(texts) => {
            let read: Vec<Option<f64>> = texts.iter().flatten().map(of).collect();
            (read.iter().flatten().copied().collect(), read.iter().map(Option::is_some).collect())
        }
        Values::Absent | Values::Empty => (Vec::new(), Vec::new()),
    }
}

fn values(table: &Table, name: &str) -> Result<Values, PlatformError> {
    let Ok(at) = table.0.index_of(name) else { return Ok(Values::Absent) };
    let parts: Vec<&dyn Array> = table.1.iter().map(|batch| batch.column(at).as_ref()).collect();
    if parts.iter().all(|part| part.is_empty()) {
        return Ok(Values::Empty);
    }
    of_column(concat(&parts).map_err(arrow_error)?)
}

fn of_column(column: ArrayRef) -> Result<Values, PlatformError> {
    if column.logical_null_count() == column.len() {
        return Ok(Values::Empty);
    }
    let as_type = |wanted: &DataType| cast(&column, wanted).map_err(arrow_error);
    Ok(match column.data_type() {
        DataType::Dictionary(_, inner) => return of_column(as_type(inner)?),
        kind if kind.is_numeric() => {
            let numbers = septet_tables::numbers(&column)?;
            if numbers.iter().any(|number| number.is_finite()) { Values::Numbers(numbers) } else { Values::Empty }
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            Values::Times(septet_tables::numbers(&as_type(&DataType::Timestamp(TimeUnit::Microsecond, None))?)?)
        }
        DataType::Time32(_) | DataType::Time64(_) | DataType::Duration(_) => {
            let length = if matches!(column.data_type(), DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond)) {
                as_type(&DataType::Int32)?
            } else {
                as_type(&DataType::Int64)?
            };
            Values::Durations(septet_tables::numbers(&length)?)
        }
        DataType::Boolean => Values::Truths(as_type(&DataType::Utf8)?.as_string::<i32>().clone()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            Values::Texts(as_type(&DataType::Utf8)?.as_string::<i32>().clone())
        }
        _ => Values::Others(shown(&column)?),
    })
}

/// Each value as it is printed.
fn shown(column: &ArrayRef) -> Result<StringArray, PlatformError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(column, &options).map_err(arrow_error)?;
    Ok((0..column.len()).map(|row| column.is_valid(row).then(|| formatter.value(row).to_string())).collect())
}

fn word(method: Method) -> &'static str {
    match method {
        Method::KolmogorovSmirnov => "ks",
        Method::ChiSquare => "chisquare",
        Method::ZTest => "z",
        Method::Wasserstein => "wasserstein",
        Method::JensenShannon => "jensenshannon",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_tables::arrow::array::{
        BooleanArray, Date32Array, Float64Array, Int64Array, NullArray, TimestampMicrosecondArray,
    };
    use std::sync::Arc;

    fn table(columns: Vec<(&str, ArrayRef)>) -> Table {
        let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
        (batch.schema(), vec![batch])
    }

    fn numbers(of: impl Fn(usize) -> f64) -> ArrayRef {
        Arc::new((0..300).map(|row| Some(of(row))).collect::<Float64Array>())
    }

    fn texts(of: impl Fn(usize) -> String) -> ArrayRef {
        Arc::new((0..300).map(|row| Some(of(row))).collect::<StringArray>())
    }

    fn spread(row: usize) -> f64 {
        (row * 37 % 300) as f64 / 10.0
    }

    #[test]
    fn every_column_of_either_file_is_there_and_what_cannot_be_compared_has_drifted() {
        let days =
            |first: i32| Arc::new((0..300).map(|row| Some(first + row % 28)).collect::<Date32Array>()) as ArrayRef;
        let micros = (0..300).map(|row| Some(i64::from(20_454 + row % 28) * 86_400_000_000));
        let truths = Arc::new((0..300).map(|row| Some(row % 2 == 0)).collect::<BooleanArray>()) as ArrayRef;
        let emptied = Arc::new(Int64Array::from(vec![None; 300])) as ArrayRef;
        type Tried = (&'static str, Option<ArrayRef>, Option<ArrayRef>, bool, &'static str);
        let rows: Vec<Tried> = vec![
            ("keep", Some(numbers(spread)), Some(numbers(spread)), false, ""),
            ("moved", Some(numbers(spread)), Some(numbers(|row| spread(row) + 9.0)), true, ""),
            (
                "comma",
                Some(numbers(spread)),
                Some(texts(|row| format!("{},25", row % 50))),
                true,
                "numbers in the reference, texts in",
            ),
            ("gone", Some(numbers(spread)), Some(emptied.clone()), true, "emptied"),
            ("null", Some(numbers(spread)), Some(Arc::new(NullArray::new(300))), true, "emptied"),
            ("filled", Some(emptied.clone()), Some(numbers(spread)), true, "filled"),
            ("nothing", Some(emptied.clone()), Some(emptied), false, "no value in either"),
            ("only_ref", Some(numbers(spread)), None, true, "gone"),
            ("only_cur", None, Some(numbers(spread)), true, "new"),
            (
                "flag",
                Some(truths.clone()),
                Some(numbers(|row| (row % 2) as f64)),
                true,
                "truth values in the reference",
            ),
            ("yes", Some(truths), Some(texts(|row| ["yes", "no"][row % 2].to_owned())), false, ""),
            (
                "code",
                Some(texts(|row| format!("{:02}", row % 20))),
                Some(texts(|row| format!("x{:02}", row % 20))),
                true,
                "",
            ),
            ("day", Some(days(20_454)), Some(Arc::new(micros.collect::<TimestampMicrosecondArray>())), false, ""),
            ("later", Some(days(20_454)), Some(days(20_500)), true, ""),
            (
                "german",
                Some(days(20_454)),
                Some(texts(|row| format!("{:02}.01.2026", 1 + row % 28))),
                true,
                "times in the reference",
            ),
        ];
        let side =
            |of: fn(&Tried) -> Option<ArrayRef>| table(rows.iter().filter_map(|row| Some((row.0, of(row)?))).collect());
        let found = compare(&side(|row| row.1.clone()), &side(|row| row.2.clone())).unwrap();
        assert_eq!(found.columns.len(), rows.len());
        for (name, _, _, drifted, why) in &rows {
            let column = found.columns.iter().find(|column| column.name == *name).unwrap();
            assert_eq!(column.drifted, *drifted, "{column:?}");
            assert!(column.why.clone().unwrap_or_default().contains(why), "{column:?}");
            assert!(column.method.is_some() || column.why.is_some(), "{column:?}");
        }
        let drifted = rows.iter().filter(|row| row.3).count();
        assert_eq!((found.columns_drifted, found.drifted), (drifted, true));
        assert_eq!(found.columns_not_compared, 8);
    }

    #[test]
    fn one_value_that_is_no_number_hides_nothing() {
        let with_gap = |shift: f64, gaps: usize| {
            texts(move |row| if row < gaps { "n/a".to_owned() } else { (spread(row) + shift).to_string() })
        };
        for (before, now, drifted, unreadable) in [
            (numbers(spread), with_gap(0.0, 1), false, 1.0 / 300.0),
            (numbers(spread), with_gap(9.0, 1), true, 1.0 / 300.0),
            (with_gap(0.0, 1), with_gap(9.0, 1), true, 1.0 / 300.0),
            (numbers(spread), with_gap(0.0, 60), true, 0.2),
        ] {
            let found = compare(&table(vec![("x", before)]), &table(vec![("x", now)])).unwrap();
            assert_eq!(found.columns[0].drifted, drifted, "{found:?}");
            assert!((found.columns[0].unreadable.unwrap().current - unreadable).abs() < 1e-12);
        }
    }
}
