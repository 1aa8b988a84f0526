//! Two files side by side, column by column, by the rules that users of Evidently know.

use crate::PlatformError;
use crate::error::arrow_error;
use rayon::prelude::*;
use septet_learn::drift::evidently::{self, Column, DatasetDrift, Method, column_drift, dataset_drift};
use septet_tables::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use septet_tables::arrow::compute::{cast, concat};
use septet_tables::arrow::datatypes::{DataType, SchemaRef};
use serde::Serialize;

/// A column that both files have.
#[derive(Clone, Debug, Serialize)]
pub struct FileColumn {
    pub name: String,
    /// Null if a side has no value, or the sides are of different kinds.
    pub method: Option<&'static str>,
    pub score: Option<f64>,
    pub level: Option<f64>,
    pub drifted: Option<bool>,
}

#[derive(Clone, Debug, Serialize)]
pub struct FileDrift {
    pub columns: Vec<FileColumn>,
    pub columns_drifted: usize,
    pub share: f64,
    pub drifted: bool,
}

/// A table that was read.
pub type Table = (SchemaRef, Vec<RecordBatch>);

enum Values {
    Numbers(Vec<f64>),
    Words(StringArray),
}

/// Compares the columns that both have; times are left out.
pub fn compare(reference: &Table, current: &Table) -> Result<FileDrift, PlatformError> {
    let names: Vec<&String> = reference.0.fields().iter().map(|field| field.name()).collect();
    let shared: Vec<&String> = names.into_iter().filter(|name| current.0.index_of(name).is_ok()).collect();
    let one = |name: &&String| -> Result<Option<(FileColumn, Option<evidently::ColumnDrift>)>, PlatformError> {
        let (Some(before), Some(now)) = (values(reference, name)?, values(current, name)?) else { return Ok(None) };
        let found = match (&before, &now) {
            (Values::Numbers(before), Values::Numbers(now)) => {
                column_drift(Column::Numbers(before), Column::Numbers(now))
            }
            (Values::Words(before), Values::Words(now)) => {
                let (before, now): (Vec<_>, Vec<_>) = (before.iter().collect(), now.iter().collect());
                column_drift(Column::Words(&before), Column::Words(&now))
            }
            _ => None,
        };
        let column = FileColumn {
            name: (*name).clone(),
            method: found.map(|found| word(found.method)),
            score: found.map(|found| found.score),
            level: found.map(|found| found.level),
            drifted: found.map(|found| found.drifted),
        };
        Ok(Some((column, found)))
    };
    let compared: Vec<_> = shared.par_iter().map(one).collect::<Result<_, _>>()?;
    let (columns, found): (Vec<FileColumn>, Vec<_>) = compared.into_iter().flatten().unzip();
    let DatasetDrift { columns_drifted, share, drifted } =
        dataset_drift(&found.into_iter().flatten().collect::<Vec<_>>());
    Ok(FileDrift { columns, columns_drifted, share, drifted })
}

fn values(table: &Table, name: &str) -> Result<Option<Values>, PlatformError> {
    let at = table.0.index_of(name).map_err(arrow_error)?;
    if table.1.is_empty() {
        return Ok(None);
    }
    if table.0.field(at).data_type().is_numeric() {
        let mut numbers = Vec::with_capacity(table.1.iter().map(RecordBatch::num_rows).sum());
        for batch in &table.1 {
            numbers.extend(septet_tables::numbers(batch.column(at))?);
        }
        return Ok(Some(Values::Numbers(numbers)));
    }
    let parts: Vec<&dyn Array> = table.1.iter().map(|batch| batch.column(at).as_ref()).collect();
    let column = concat(&parts).map_err(arrow_error)?;
    Ok(match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean | DataType::Dictionary(..) => {
            let words = cast(&column, &DataType::Utf8).map_err(arrow_error)?;
            Some(Values::Words(words.as_string::<i32>().clone()))
        }
        _ => None,
    })
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
