//! How a value of any Arrow type is read as one of the contract's five: as the same value written as a text would be, or not at
//! all. The engine's casts cut decimals, wrap, and give times as numbers; none of them decides here.

use crate::TablesError;
use crate::contract::{arrow_type, instant, integer, number, truth};
use crate::values::{in_calendar, whole};
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray, new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options, take};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal128Type, Decimal256Type, DecimalType, Float64Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt64Type, i256,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use septet_domain::ColumnType;
use std::sync::Arc;

const DAY_MICROS: i64 = 86_400_000_000;

/// The column as a contract's type: null where it is null or of another type. `array` comes from [`unpacked`].
pub(crate) fn read_as(array: &ArrayRef, kind: ColumnType, decimal: char) -> Result<ArrayRef, TablesError> {
    if let Some(words) = array.as_string_opt::<i32>() {
        return Ok(read_words(array, words, kind, decimal));
    }
    let read = match kind {
        ColumnType::Text => texts(array)?,
        ColumnType::Number => numbers(array)?,
        ColumnType::Integer => integers(array)?,
        ColumnType::Bool => truths(array)?,
        ColumnType::Timestamp => times(array),
    };
    Ok(read.unwrap_or_else(|| new_null_array(&arrow_type(kind), array.len())))
}

/// The column without what only packs it: dictionaries, runs, views and wide offsets.
pub(crate) fn unpacked(array: &ArrayRef) -> Result<ArrayRef, TablesError> {
    match array.data_type() {
        DataType::Dictionary(..) => {
            let packed = array.as_any_dictionary();
            unpacked(&take(packed.values(), packed.keys(), None).map_err(engine_error)?)
        }
        DataType::RunEndEncoded(_, values) => unpacked(&lossless(array, values.data_type())?),
        DataType::LargeUtf8 | DataType::Utf8View => lossless(array, &DataType::Utf8),
        DataType::LargeBinary | DataType::BinaryView => lossless(array, &DataType::Binary),
        _ => Ok(array.clone()),
    }
}

fn read_words(array: &ArrayRef, words: &StringArray, kind: ColumnType, decimal: char) -> ArrayRef {
    match kind {
        ColumnType::Text => array.clone(),
        ColumnType::Number => Arc::new(words.iter().map(|word| number(word?, decimal)).collect::<Float64Array>()),
        ColumnType::Integer => Arc::new(words.iter().map(|word| integer(word?, decimal)).collect::<Int64Array>()),
        ColumnType::Bool => Arc::new(words.iter().map(|word| truth(word?)).collect::<BooleanArray>()),
        ColumnType::Timestamp => {
            Arc::new(words.iter().map(|word| instant(word?)).collect::<TimestampMicrosecondArray>())
        }
    }
}

/// What has one way of being written; bytes where they are UTF-8, as old writers store texts.
fn texts(array: &ArrayRef) -> Result<Option<ArrayRef>, TablesError> {
    let made: StringArray = match array.data_type() {
        DataType::Binary => {
            let text = |bytes: Option<&[u8]>| std::str::from_utf8(bytes?).ok().map(str::to_owned);
            array.as_binary::<i32>().iter().map(text).collect()
        }
        DataType::FixedSizeBinary(_) => return Ok(None),
        kind if kind.is_nested() => return Ok(None),
        kind if decimal_scale(kind).is_some_and(|scale| scale < 0) => {
            StringArray::from(printed(&lossless(array, &DataType::Decimal256(76, 0))?))
        }
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let Some(known) = times(array) else { return Ok(None) };
            let within = |(row, text): (usize, Option<String>)| text.filter(|_| known.is_valid(row));
            printed(array).into_iter().enumerate().map(within).collect()
        }
        _ => StringArray::from(printed(array)),
    };
    Ok(Some(Arc::new(made)))
}

/// Each value as the engine prints it; none where it cannot.
pub(crate) fn printed(array: &dyn Array) -> Vec<Option<String>> {
    let options = FormatOptions::new().with_display_error(false);
    let Ok(formatter) = ArrayFormatter::try_new(array, &options) else { return vec![None; array.len()] };
    let nulls = array.logical_nulls();
    let given = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    (0..array.len()).map(|row| if given(row) { formatter.value(row).try_to_string().ok() } else { None }).collect()
}

fn numbers(array: &ArrayRef) -> Result<Option<ArrayRef>, TablesError> {
    let made: Float64Array = match array.data_type() {
        kind if kind.is_floating() => {
            let numbers = lossless(array, &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            numbers.iter().map(|value| value.filter(|value| value.is_finite())).collect()
        }
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().map(|value| exact_number(value?.into())).collect(),
        DataType::UInt64 => {
            array.as_primitive::<UInt64Type>().iter().map(|value| exact_number(value?.into())).collect()
        }
        kind if kind.is_integer() => return lossless(array, &DataType::Float64).map(Some),
        DataType::Decimal256(precision, scale) => {
            let (precision, scale) = (*precision, *scale);
            let read = |value| number(&Decimal256Type::format_decimal(value, precision, scale), '.');
            array.as_primitive::<Decimal256Type>().iter().map(|value| read(value?)).collect()
        }
        kind => match decimal_scale(kind) {
            None => return Ok(None),
            Some(scale) => {
                let wide = lossless(array, &DataType::Decimal128(38, scale))?;
                wide.as_primitive::<Decimal128Type>().iter().map(|value| decimal_number(value?, scale)).collect()
            }
        },
    };
    Ok(Some(Arc::new(made)))
}

/// The number if 64 bits with a fraction hold all of its digits.
pub fn exact_number(value: i128) -> Option<f64> {
    let number = value as f64;
    (number as i128 == value).then_some(number)
}

fn decimal_number(value: i128, scale: i8) -> Option<f64> {
    // Both are exact, so their quotient is the nearest number. Source: Clinger 1990.
    if (0..=22).contains(&scale) && value.unsigned_abs() < 1 << 53 {
        return Some(value as f64 / 10f64.powi(scale.into()));
    }
    number(&Decimal128Type::format_decimal(value, 38, scale), '.')
}

fn integers(array: &ArrayRef) -> Result<Option<ArrayRef>, TablesError> {
    let made: Int64Array = match array.data_type() {
        // Only whole numbers beyond 64 bits with a sign become null.
        kind if kind.is_integer() => return cast(array, &DataType::Int64).map(Some),
        kind if kind.is_floating() => {
            let numbers = lossless(array, &DataType::Float64)?;
            numbers.as_primitive::<Float64Type>().iter().map(|value| whole(value?)).collect()
        }
        kind => match decimal_scale(kind) {
            None => return Ok(None),
            Some(scale) => {
                let wide = lossless(array, &DataType::Decimal256(76, scale))?;
                wide.as_primitive::<Decimal256Type>().iter().map(|value| decimal_whole(value?, scale)).collect()
            }
        },
    };
    Ok(Some(Arc::new(made)))
}

fn decimal_whole(value: i256, scale: i8) -> Option<i64> {
    let power = i256::from_i128(10).checked_pow(scale.unsigned_abs().into())?;
    let whole = match scale {
        ..=0 => value.checked_mul(power)?,
        _ if value.checked_rem(power)? == i256::ZERO => value.checked_div(power)?,
        _ => return None,
    };
    i64::try_from(whole.to_i128()?).ok()
}

/// 0 and 1, of any type of number.
fn truths(array: &ArrayRef) -> Result<Option<ArrayRef>, TablesError> {
    if *array.data_type() == DataType::Boolean {
        return Ok(Some(array.clone()));
    }
    let Some(wholes) = integers(array)? else { return Ok(None) };
    let truth = |value: Option<i64>| match value? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    Ok(Some(Arc::new(wholes.as_primitive::<Int64Type>().iter().map(truth).collect::<BooleanArray>())))
}

/// Dates and times of the calendar. A number is none: a whole number of what since when? Only the layout's SELECT can say.
fn times(array: &ArrayRef) -> Option<ArrayRef> {
    let made = match array.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let times = array.as_primitive::<TimestampMicrosecondType>();
            if times.iter().flatten().all(in_calendar) {
                return Some(array.clone());
            }
            micros::<TimestampMicrosecondType>(array, Some)
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            micros::<TimestampSecondType>(array, |time| time.checked_mul(1_000_000))
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            micros::<TimestampMillisecondType>(array, |time| time.checked_mul(1_000))
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => micros::<TimestampMicrosecondType>(array, Some),
        // Towards the past, as the far digits of a text are left out.
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            micros::<TimestampNanosecondType>(array, |time| Some(time.div_euclid(1_000)))
        }
        DataType::Date32 => micros::<Date32Type>(array, |day| i64::from(day).checked_mul(DAY_MICROS)),
        DataType::Date64 => micros::<Date64Type>(array, |time| time.checked_mul(1_000)),
        _ => return None,
    };
    Some(Arc::new(made))
}

fn micros<T: ArrowPrimitiveType>(array: &ArrayRef, of: impl Fn(T::Native) -> Option<i64>) -> TimestampMicrosecondArray {
    array.as_primitive::<T>().iter().map(|time| of(time?).filter(|time| in_calendar(*time))).collect()
}

pub(crate) fn decimal_scale(kind: &DataType) -> Option<i8> {
    match kind {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}

/// A cast to a type that holds every value of the first.
fn lossless(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, TablesError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, wanted, &options).map_err(engine_error)
}

fn cast(array: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, TablesError> {
    cast_with_options(array, wanted, &CastOptions::default()).map_err(engine_error)
}

fn engine_error(error: impl std::fmt::Display) -> TablesError {
    TablesError::Engine(error.to_string())
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
