//! Query results as people and programs read them.

use crate::TablesError;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::util::pretty::pretty_format_batches;
use std::io::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Csv,
    JsonLines,
}

/// Writes all rows. A table of no rows still shows its columns.
pub fn print(batches: &[RecordBatch], format: Format, out: &mut dyn Write) -> Result<(), TablesError> {
    let error = |error: &dyn std::fmt::Display| TablesError::Engine(error.to_string());
    match format {
        Format::Table => {
            let table = pretty_format_batches(batches).map_err(|e| error(&e))?;
            writeln!(out, "{table}").map_err(|e| error(&e))
        }
        Format::Csv => {
            let mut writer = WriterBuilder::new().with_header(true).build(out);
            batches.iter().try_for_each(|batch| writer.write(batch)).map_err(|e| error(&e))
        }
        Format::JsonLines => {
            let mut writer = LineDelimitedWriter::new(out);
            writer
                .write_batches(&batches.iter().collect::<Vec<_>>())
                .and_then(|()| writer.finish())
                .map_err(|e| error(&e))
        }
    }
}
