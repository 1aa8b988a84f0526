//! Checked rows to the domain's tables: one SQL file a table, each after those it reads. Then what must hold of them.

use crate::PlatformError;
use crate::inputs::places::{at_file, table_order};
use crate::registry::tables::register_inputs;
use crate::run::table_tests::run_tests;
use crate::run::{Made, Run, StepName};
use septet_tables::TableFile;
use serde_json::json;
use std::collections::BTreeMap;

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let extracted = run.report_of(StepName::Extract).await?;
    let engine = run.engine()?;
    let folder = run.tables_folder();
    register_inputs(&engine, run.domain, &folder).await?;
    let mut tables: BTreeMap<String, u64> = BTreeMap::new();
    let mut fingerprints = vec![extracted.fingerprint];
    for name in table_order(&engine, run.domain)? {
        let file = format!("tables/{name}.sql");
        run.progress.begin(&format!("transform {name}"), None, "rows");
        let path = folder.join(format!("{name}.parquet"));
        let show = |rows| run.progress.done(rows);
        let written = engine
            .write(&run.domain.files[&file], &path, &show)
            .await
            .map_err(|error| at_file(run.domain, &file, error))?;
        run.progress.end();
        engine.register_file(&TableFile { name: name.clone(), path }).await?;
        fingerprints.push(written.fingerprint);
        tables.insert(name, written.rows);
    }
    let tests = run_tests(&engine, run.domain).await?;
    let fingerprint = blake3::hash(fingerprints.join("-").as_bytes()).to_hex()[..32].to_owned();
    let rows_out = tables.values().sum();
    Ok(Made {
        rows_in: extracted.rows_out,
        rows_out,
        quarantined: 0,
        fingerprint,
        detail: json!({ "tables": tables, "tests": tests }),
    })
}
