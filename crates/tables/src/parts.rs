//! The parts of one Parquet source as one table: writers give one column types that differ in width, unit or packing.

use crate::TablesError;
use crate::reader::{BATCH_ROWS, Sink, damaged};
use crate::reading::{read_as, unpacked};
use datafusion::arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray, new_null_array};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use septet_domain::ColumnType;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The columns of all files, in the order of the first.
pub(crate) fn columns(files: &[PathBuf]) -> Result<Vec<Field>, TablesError> {
    let part = |file: &PathBuf| Ok((file.clone(), opened(file)?.schema().clone()));
    columns_of(&files.iter().map(part).collect::<Result<Vec<_>, TablesError>>()?)
}

/// Reads one file into the sink; the number of its rows. `schema`: the columns of all files, then a row's place.
pub(crate) fn read(path: &Path, schema: &SchemaRef, sink: &mut dyn Sink) -> Result<u64, TablesError> {
    let location = path.display().to_string();
    let own = &schema.fields()[..schema.fields().len() - 2];
    let file = opened(path)?;
    let total = file.metadata().file_metadata().num_rows().max(1) as u64;
    let bytes = path.metadata().map_or(0, |facts| facts.len());
    let batches = file.with_batch_size(BATCH_ROWS).build().map_err(|error| damaged(&location, 0, &error))?;
    let mut row = 0;
    for batch in batches {
        let batch = batch.map_err(|error| damaged(&location, row as u64, &error))?;
        let count = batch.num_rows() as i64;
        let mut columns = as_columns(&batch, own, &location)?;
        columns.push(Arc::new(StringArray::from(vec![location.as_str(); count as usize])));
        columns.push(Arc::new(Int64Array::from_iter_values(row + 1..=row + count)));
        row += count;
        sink.bytes(bytes * count as u64 / total);
        if !sink.batch(RecordBatch::try_new(schema.clone(), columns).map_err(engine_error)?) {
            break;
        }
    }
    Ok(row as u64)
}

fn opened(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<File>, TablesError> {
    let location = path.display().to_string();
    let file = File::open(path)
        .map_err(|error| TablesError::Open { location: location.clone(), reason: error.to_string() })?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| damaged(&location, 0, &error))
}

fn columns_of(parts: &[(PathBuf, Arc<Schema>)]) -> Result<Vec<Field>, TablesError> {
    let Some(((first_path, first), rest)) = parts.split_first() else { return Ok(Vec::new()) };
    let mut fields: Vec<Field> = first.fields().iter().map(|field| plain_field(field, field.data_type())).collect();
    for (path, schema) in rest {
        same_names(path, schema, first_path, first)?;
        for field in &mut fields {
            let other = schema.field_with_name(field.name()).map_err(engine_error)?.data_type();
            let both = common_type(field.data_type(), other).ok_or_else(|| {
                let what = format!(
                    "has the column `{}` as {other}, but `{}` has it as {}; write the parts with one type, or read them in two runs",
                    field.name(),
                    first_path.display(),
                    field.data_type()
                );
                TablesError::Source { location: path.display().to_string(), what }
            })?;
            *field = plain_field(field, &both);
        }
    }
    Ok(fields)
}

fn plain_field(field: &Field, kind: &DataType) -> Field {
    Field::new(field.name(), kind.clone(), true)
}

fn same_names(path: &Path, schema: &Schema, first_path: &Path, first: &Schema) -> Result<(), TablesError> {
    let beside = |own: &Schema, other: &Schema| -> Vec<String> {
        own.fields().iter().map(|field| field.name().clone()).filter(|name| other.index_of(name).is_err()).collect()
    };
    let (more, fewer) = (beside(schema, first), beside(first, schema));
    let names = |names: &[String]| names.join("`, `");
    let first = first_path.display();
    let what = match (more.is_empty(), fewer.is_empty()) {
        (true, true) => return Ok(()),
        (false, true) => format!("has `{}`, which `{first}` has not", names(&more)),
        (true, false) => format!("has no `{}`, which `{first}` has", names(&fewer)),
        (false, false) => {
            format!("has `{}`, which `{first}` has not, and no `{}`", names(&more), names(&fewer))
        }
    };
    Err(TablesError::Source { location: path.display().to_string(), what })
}

/// A type that holds the values of both; none where they are different things.
fn common_type(one: &DataType, other: &DataType) -> Option<DataType> {
    if one == other {
        return Some(one.clone());
    }
    let (one, other) = (inner_type(one), inner_type(other));
    Some(match (&one, &other) {
        (one, other) if one == other => one.clone(),
        (DataType::Null, kind) | (kind, DataType::Null) => kind.clone(),
        (DataType::UInt64, kind) | (kind, DataType::UInt64) if kind.is_unsigned_integer() => DataType::UInt64,
        (one, other) if one.is_integer() && other.is_integer() => DataType::Int64,
        (one, other) if one.is_floating() && other.is_floating() => DataType::Float64,
        // Whole numbers with gaps are written as numbers by data frames.
        (one, other) if one.is_integer() && other.is_floating() || one.is_floating() && other.is_integer() => {
            DataType::Float64
        }
        (DataType::Timestamp(..), DataType::Timestamp(..))
        | (DataType::Date64, DataType::Date32)
        | (DataType::Date32, DataType::Date64) => DataType::Timestamp(TimeUnit::Microsecond, None),
        (one, other) => common_decimal(one, other)?,
    })
}

/// The type of the values, however they are packed.
fn inner_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Dictionary(_, values) => inner_type(values),
        DataType::RunEndEncoded(_, values) => inner_type(values.data_type()),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

fn common_decimal(one: &DataType, other: &DataType) -> Option<DataType> {
    let parts = |kind: &DataType| match kind {
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => Some((i16::from(*precision), i16::from(*scale))),
        _ => None,
    };
    let ((precision, scale), (other_precision, other_scale)) = (parts(one)?, parts(other)?);
    let most = scale.max(other_scale);
    let digits = (precision - scale).max(other_precision - other_scale) + most;
    let (digits, most) = (u8::try_from(digits).ok()?, i8::try_from(most).ok()?);
    match digits {
        ..=38 => Some(DataType::Decimal128(digits, most)),
        39..=76 => Some(DataType::Decimal256(digits, most)),
        _ => None,
    }
}

/// A batch of a part with the columns of all parts, in their order.
pub(crate) fn as_columns(
    batch: &RecordBatch,
    fields: &[Arc<Field>],
    location: &str,
) -> Result<Vec<ArrayRef>, TablesError> {
    let column = |field: &Arc<Field>| {
        let array = batch.column_by_name(field.name()).ok_or_else(|| engine_error("a column vanished"))?;
        as_type(array, field.data_type())?.ok_or_else(|| {
            let what = format!("has a value in `{}` that is lost as {}", field.name(), field.data_type());
            TablesError::Source { location: location.to_owned(), what }
        })
    };
    fields.iter().map(column).collect()
}

/// None where a value would be lost.
fn as_type(array: &ArrayRef, wanted: &DataType) -> Result<Option<ArrayRef>, TablesError> {
    if array.data_type() == wanted {
        return Ok(Some(array.clone()));
    }
    let array = unpacked(array)?;
    let made = match wanted {
        _ if *array.data_type() == DataType::Null => new_null_array(wanted, array.len()),
        _ if array.data_type() == wanted => array.clone(),
        DataType::Timestamp(TimeUnit::Microsecond, None) => read_as(&array, ColumnType::Timestamp, '.')?,
        DataType::Float64 if array.data_type().is_integer() => read_as(&array, ColumnType::Number, '.')?,
        _ => cast_with_options(&array, wanted, &CastOptions::default()).map_err(engine_error)?,
    };
    Ok((made.logical_null_count() == array.logical_null_count()).then_some(made))
}

fn engine_error(error: impl std::fmt::Display) -> TablesError {
    TablesError::Engine(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_differ_in_width_unit_or_packing_are_one() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::LargeUtf8));
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        for (one, other, both) in [
            (DataType::Int32, DataType::Int64, Some(DataType::Int64)),
            (DataType::UInt8, DataType::Int8, Some(DataType::Int64)),
            (DataType::UInt8, DataType::UInt64, Some(DataType::UInt64)),
            (DataType::Float32, DataType::Float64, Some(DataType::Float64)),
            (DataType::Int64, DataType::Float64, Some(DataType::Float64)),
            (DataType::Utf8View, DataType::LargeUtf8, Some(DataType::Utf8)),
            (DataType::Utf8, dictionary, Some(DataType::Utf8)),
            (DataType::Null, DataType::Boolean, Some(DataType::Boolean)),
            (DataType::Timestamp(TimeUnit::Nanosecond, None), micros.clone(), Some(micros)),
            (DataType::Decimal128(10, 2), DataType::Decimal64(12, 4), Some(DataType::Decimal128(12, 4))),
            (DataType::Utf8, DataType::Int64, None),
            (DataType::Boolean, DataType::Int64, None),
            (DataType::Date32, DataType::Utf8, None),
        ] {
            assert_eq!(common_type(&one, &other), both, "{one} and {other}");
            assert_eq!(common_type(&other, &one), both, "{other} and {one}");
        }
    }

    #[test]
    fn a_whole_number_is_not_rounded_into_the_type_of_another_part() {
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), None]));
        assert_eq!(as_type(&whole, &DataType::Float64).unwrap().unwrap().null_count(), 1);
        let long: ArrayRef = Arc::new(Int64Array::from(vec![9_007_199_254_740_993]));
        assert!(as_type(&long, &DataType::Float64).unwrap().is_none());
    }

    #[test]
    fn parts_with_other_columns_name_them() {
        let schema = |fields: &[(&str, DataType)]| {
            let fields = fields.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true));
            Arc::new(Schema::new(fields.collect::<Vec<_>>()))
        };
        let part = |name: &str, fields: &[(&str, DataType)]| (PathBuf::from(name), schema(fields));
        let first = part("a.parquet", &[("x", DataType::Int64), ("y", DataType::Utf8)]);
        for (second, expected) in [
            (part("b", &[("y", DataType::Utf8)]), "has no `x`, which `a.parquet` has"),
            (part("b", &[("y", DataType::Utf8), ("x", DataType::Int32), ("z", DataType::Null)]), "has `z`, which"),
            (part("b", &[("y", DataType::Utf8), ("x", DataType::Utf8)]), "has the column `x` as Utf8, but `a.parquet`"),
        ] {
            let error = columns_of(&[first.clone(), second]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let other = part("b", &[("y", DataType::LargeUtf8), ("x", DataType::Int32)]);
        let fields = columns_of(&[first, other]).unwrap();
        assert_eq!(
            fields.iter().map(|field| field.data_type().clone()).collect::<Vec<_>>(),
            [DataType::Int64, DataType::Utf8]
        );
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        let whole: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_from_iter([("y", texts), ("x", whole)]).unwrap();
        let fields: Vec<Arc<Field>> = fields.into_iter().map(Arc::new).collect();
        assert_eq!(as_columns(&batch, &fields, "b").unwrap()[0].data_type(), &DataType::Int64);
    }
}
