//! What training and validation both start from, made the same way, and the same as it was known at a time.

use crate::PlatformError;
use crate::inputs::TrainingData;
use crate::inputs::places::at_file;
use crate::inputs::training::Extracted;
use crate::registry::tables::{register_all, register_inputs};
use crate::run::{Run, StepName, StepReport};
use septet_domain::Input;
use septet_tables::Engine;
use std::sync::Arc;

/// The data of the run's extract; made anew unless an earlier step of this process made it.
pub async fn prepare(run: &Run<'_>) -> Result<Arc<TrainingData>, PlatformError> {
    let extracted = run.report_of(StepName::Extract).await?;
    if let Some(kept) = run.kept.get(&extracted.fingerprint) {
        return Ok(kept);
    }
    let prepared = Arc::new(prepare_anew(run, extracted).await?);
    run.kept.keep(prepared.clone());
    Ok(prepared)
}

/// The same, made whether or not it was made before.
pub async fn prepare_anew(run: &Run<'_>, extracted: StepReport) -> Result<TrainingData, PlatformError> {
    let engine = run.engine()?;
    register_all(&engine, run.domain, &run.tables_folder()).await?;
    let extracted = Extracted {
        layout: extracted.detail["layout"].as_str().unwrap_or_default().to_owned(),
        simulated: extracted.detail["simulated"] == true,
        fingerprint: extracted.fingerprint,
    };
    TrainingData::prepare(&engine, run.domain, extracted, run.progress).await
}

/// An engine that knows the inputs as they were known at `time` (microseconds, inclusive), and some tables made again from them.
/// A label counts from when it is known.
pub async fn known_at(run: &Run<'_>, time: i64, tables: &[String]) -> Result<Engine, PlatformError> {
    let whole = run.engine()?;
    register_inputs(&whole, run.domain, &run.tables_folder()).await?;
    let cut = run.engine()?;
    for (name, input) in &run.domain.spec.input {
        let (schema, batches) = whole.query(&known_rows(name, input, time)).await?;
        cut.register_batches(name, schema, batches)?;
    }
    for name in tables {
        let file = format!("tables/{name}.sql");
        let made = cut.query(&run.domain.files[&file]).await;
        let (schema, batches) = made.map_err(|error| at_file(run.domain, &file, error))?;
        cut.register_batches(name, schema, batches)?;
    }
    Ok(cut)
}

/// The rows of an input until a time, without labels that were not known by then.
fn known_rows(name: &str, input: &Input, time: i64) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let instant = |time: i64| format!("CAST('{}' AS TIMESTAMP)", instant_sql(time));
    let at = quoted(input.time.get_ref());
    let labels = input.columns.iter().filter(|(_, column)| column.label);
    let replaced: Vec<String> = labels
        .map(|(name, column)| {
            let known = time.saturating_sub(column.known_after.unwrap_or_default().micros());
            let name = quoted(name.get_ref());
            format!("CASE WHEN {at} <= {} THEN {name} END AS {name}", instant(known))
        })
        .collect();
    let replace = if replaced.is_empty() { String::new() } else { format!(" REPLACE ({})", replaced.join(", ")) };
    format!("SELECT *{replace} FROM {} WHERE {at} <= {}", quoted(name), instant(time))
}

/// `2018-07-25 13:45:07.000001`, as SQL reads it.
fn instant_sql(micros: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or(chrono::DateTime::UNIX_EPOCH);
    time.format("%Y-%m-%d %H:%M:%S%.6f").to_string()
}
