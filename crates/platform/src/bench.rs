//! Parts of a run alone, timed, so that they can be compared with other tools on the same rows.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::TrainingData;
use crate::inputs::history::nullable;
use crate::inputs::windows::replay;
use crate::judge::choose::{Rows, first_candidate};
use crate::kinds::tree_fit;
use crate::registry::home::make_folder;
use crate::run::prepare::prepare;
use crate::run::{Run, StepName};
use septet_learn::frame::Matrix;
use septet_learn::trees::{TrainingSet, fit};
use septet_tables::arrow::array::RecordBatch;
use septet_tables::arrow::datatypes::{DataType, Field, Schema};
use septet_tables::write_batch;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Fits that are timed; the best and the median are told.
const FITS: usize = 5;

/// The windows of all rows; reading is not timed. Writes the key and the window columns.
pub async fn windows(run: &Run<'_>, out: &Path) -> Result<Value, PlatformError> {
    let prepared = extracted_and_prepared(run).await?;
    let none = || PlatformError::usage("this domain replays no windows", "time one with [[window]]");
    let (history, windows) = prepared.replayed().ok_or_else(none)?;
    let start = Instant::now();
    let columns = replay(history, windows, 0..history.rows())?;
    let seconds = start.elapsed().as_secs_f64();
    let (_, input) = run.domain.spec.first_input();
    let key = input.key.get_ref();
    let mut fields = vec![Field::new(key, history.column(key)?.data_type().clone(), true)];
    let mut arrays = vec![history.column(key)?.clone()];
    for (name, values) in columns {
        fields.push(Field::new(name, DataType::Float64, true));
        arrays.push(nullable(values));
    }
    write_batch(out, &RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(arrow_error)?)?;
    Ok(json!({ "name": "windows", "rows": history.rows(), "seconds": seconds }))
}

/// The fit of the newest training fold with the first candidate; making the matrix is not timed, binning is.
pub async fn train(run: &Run<'_>, out: &Path) -> Result<Value, PlatformError> {
    let prepared = extracted_and_prepared(run).await?;
    let rows = Rows::of(&prepared, &prepared.plan.test[0].train);
    let (_, parameters) = first_candidate(run.domain)?;
    let fitted = tree_fit(&rows.examples(&prepared.context), &parameters, run.threads)?;
    let (names, matrix, target) = (&fitted.names, &fitted.matrix, &rows.target);
    let mut seconds = Vec::new();
    let mut text = String::new();
    for _ in 0..FITS {
        let start = Instant::now();
        let set = TrainingSet { features: matrix, target, weight: None };
        text = fit(set, None, &fitted.settings, &mut |_| {}).map_err(arrow_error)?.text;
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    make_folder(out)?;
    write_batch(&out.join("matrix.parquet"), &matrix_batch(names, matrix, target)?)?;
    let parameters = serde_json::to_vec_pretty(&fitted.parameters).map_err(arrow_error)?;
    std::fs::write(out.join("parameters.json"), parameters).map_err(|error| PlatformError::io(out, error))?;
    std::fs::write(out.join("model.txt"), &text).map_err(|error| PlatformError::io(out, error))?;
    Ok(
        json!({ "name": "train", "rows": target.len(), "seconds_best": seconds[0], "seconds_median": seconds[FITS / 2] }),
    )
}

/// A run of its extract alone, ended at once: nothing is left to resume.
async fn extracted_and_prepared(run: &Run<'_>) -> Result<Arc<TrainingData>, PlatformError> {
    let _lock = run.home.lock(run.domain.name())?;
    crate::run::begin_only(run).await?;
    crate::run::execute(run, StepName::Extract).await?;
    let prepared = prepare(run).await?;
    run.store.end_run(run.domain.name(), &run.run_id, "done", None).await?;
    Ok(prepared)
}

fn matrix_batch(names: &[String], matrix: &Matrix, target: &[f64]) -> Result<RecordBatch, PlatformError> {
    let mut fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Float64, true)).collect();
    fields.push(Field::new("target", DataType::Float64, true));
    let mut arrays: Vec<_> = (0..matrix.columns()).map(|column| nullable(matrix.column(column).to_vec())).collect();
    arrays.push(nullable(target.to_vec()));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(arrow_error)
}
