//! Holds the run's tables against those in force, and takes their fingerprints. They come into force with the version, in the
//! last step; at once where no champion answers yet, or where a person wants fresh tables without a training.

use crate::PlatformError;
use crate::registry::CHAMPION;
use crate::run::{Made, Run, StepName, in_force};
use crate::version::learned_tables::register_as_learned;
use crate::version::{Scorer, definition};
use serde_json::json;
use std::collections::BTreeMap;

/// Runs whose tables are kept: the published one and a few to look back to.
const RUNS_KEPT: usize = 3;

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let transformed = run.report_of(StepName::Transform).await?;
    in_force::compare(run).await?;
    let changed = changed_columns(run).await?;
    changed.iter().for_each(|note| run.progress.say(note));
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
    Ok(Made {
        rows_in: rows,
        rows_out: rows,
        quarantined: 0,
        fingerprint,
        detail: json!({ "tables": tables, "changed_columns": changed }),
    })
}

/// Columns that are no longer what the champion has learned them as, in words: it goes on reading them as it did.
async fn changed_columns(run: &Run<'_>) -> Result<Vec<String>, PlatformError> {
    let name = run.domain.name();
    let Some(champion) = run.store.alias(name, CHAMPION).await? else { return Ok(Vec::new()) };
    let folder = run.home.version_folder(name, &champion.version);
    // A champion that cannot be read answers nobody.
    let (Ok(scorer), Ok(domain)) = (Scorer::load(&folder), definition(&folder, name)) else { return Ok(Vec::new()) };
    register_as_learned(&run.engine()?, &domain, &run.tables_folder(), &scorer.manifest).await
}
