//! Makes the run's tables the published ones: one rename, so that a reader sees the old ones or the new ones.

use crate::PlatformError;
use crate::registry::home::Published;
use crate::run::{Made, Run, StepName};
use serde_json::json;
use std::collections::BTreeMap;

/// Runs whose tables are kept: the published one and a few to look back to.
const RUNS_KEPT: usize = 3;

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let transformed = run.report_of(StepName::Transform).await?;
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
    let published = Published { run_id: run.run_id.clone(), tables };
    run.home.publish(run.domain.name(), &published)?;
    run.home.forget_runs(run.domain.name(), RUNS_KEPT)?;
    let fingerprint = blake3::hash(published.tables.values().cloned().collect::<Vec<_>>().join("-").as_bytes())
        .to_hex()[..32]
        .to_owned();
    let rows = transformed.rows_in + transformed.rows_out;
    Ok(Made {
        rows_in: rows,
        rows_out: rows,
        quarantined: 0,
        fingerprint,
        detail: json!({ "tables": published.tables }),
    })
}
