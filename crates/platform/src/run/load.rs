//! Holds the run's tables against those in force, and takes their fingerprints. They come into force with the version, in the
//! last step; at once where no champion answers yet, or where a person wants fresh tables without a training.

use crate::PlatformError;
use crate::registry::CHAMPION;
use crate::run::{Made, Run, StepName, in_force};
use serde_json::json;
use std::collections::BTreeMap;

/// Runs whose tables are kept: the published one and a few to look back to.
const RUNS_KEPT: usize = 3;

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let transformed = run.report_of(StepName::Transform).await?;
    in_force::compare(run).await?;
    let folder = run.tables_folder();
    let mut tables = BTreeMap::new();
    let entries = std::fs::read_dir(&folder).map_err(|error| PlatformError::io(&folder, error))?;
    for path in entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "parquet"))
    {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        tables.insert(name, septet_tables::file_fingerprint(&path)?);
    }
    // Where no champion answers, nobody is harmed.
    let answers = run.store.alias(run.domain.name(), CHAMPION).await?.is_some();
    if run.refresh || !answers {
        in_force::put_in_force(run, tables.clone(), None)?;
    }
    run.home.forget_runs(run.domain.name(), RUNS_KEPT)?;
    let fingerprint =
        blake3::hash(tables.values().cloned().collect::<Vec<_>>().join("-").as_bytes()).to_hex()[..32].to_owned();
    let rows = transformed.rows_in + transformed.rows_out;
    Ok(Made { rows_in: rows, rows_out: rows, quarantined: 0, fingerprint, detail: json!({ "tables": tables }) })
}
