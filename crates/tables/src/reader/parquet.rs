//! Parquet files, whose columns have types of their own.

use super::{BATCH_ROWS, Sink, damaged};
use crate::TablesError;
use datafusion::arrow::array::{Int64Array, RecordBatch, RecordBatchReader, StringArray};
use datafusion::arrow::datatypes::{Field, SchemaRef};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

pub(super) fn columns(first: &Path) -> Result<Vec<Field>, TablesError> {
    Ok(opened(first)?.schema().fields().iter().map(|field| field.as_ref().clone()).collect())
}

/// Reads one file into the sink; the number of its rows. `schema`: the columns, then a row's place.
pub(super) fn read(path: &Path, schema: &SchemaRef, sink: &mut dyn Sink) -> Result<u64, TablesError> {
    let location = path.display().to_string();
    let file = opened(path)?;
    let total = file.metadata().file_metadata().num_rows().max(1) as u64;
    let bytes = path.metadata().map_or(0, |facts| facts.len());
    let reader = file.with_batch_size(BATCH_ROWS).build().map_err(|error| damaged(&location, 0, &error))?;
    let own = schema.fields().iter().take(schema.fields().len() - 2);
    let found = reader.schema();
    let found = found.fields().iter().map(|field| (field.name(), field.data_type()));
    if found.ne(own.map(|field| (field.name(), field.data_type()))) {
        let what = "has other columns than the first file".to_owned();
        return Err(TablesError::Source { location, what });
    }
    let mut row = 0;
    for batch in reader {
        let batch = batch.map_err(|error| damaged(&location, row as u64, &error))?;
        let count = batch.num_rows() as i64;
        let mut columns = batch.columns().to_vec();
        columns.push(Arc::new(StringArray::from(vec![location.as_str(); count as usize])));
        columns.push(Arc::new(Int64Array::from_iter_values(row + 1..=row + count)));
        row += count;
        sink.bytes(bytes * count as u64 / total);
        let batch = RecordBatch::try_new(schema.clone(), columns);
        if !sink.batch(batch.map_err(|error| TablesError::Engine(error.to_string()))?) {
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
