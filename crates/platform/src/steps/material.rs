//! What training and validation both start from: history, windows, features and splits, made the same way.

use crate::PlatformError;
use crate::features::{FeatureSet, telling_extras};
use crate::history::History;
use crate::plan::{at_file, table_order};
use crate::replay::{CompiledWindow, compile_windows, replay};
use crate::run::{Run, StepName, StepReport};
use crate::split::{Plan, plan};
use crate::train::Material;
use septet_domain::{Domain, Input};
use septet_learn::frame::Frame;
use septet_tables::{Engine, TableFile};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

pub struct Prepared {
    pub history: History,
    pub windows: Vec<CompiledWindow>,
    pub features: FeatureSet,
    pub extras: Vec<String>,
    pub plan: Plan,
    /// Features of the rows that the plan uses, from `first_row` on.
    pub frame: Frame,
    pub first_row: usize,
    pub label: Vec<f64>,
    pub layout: String,
    pub simulated: bool,
    pub data_fingerprint: String,
}

impl Prepared {
    /// What a fit needs of it.
    pub fn material<'a>(&'a self, domain: &'a Domain) -> Material<'a> {
        Material {
            domain,
            frame: &self.frame,
            label: &self.label,
            times: &self.history.times[self.first_row..],
            first_row: self.first_row,
        }
    }
}

/// Registers the run's input tables.
pub async fn register_inputs(run: &Run<'_>, engine: &Engine) -> Result<(), PlatformError> {
    for name in run.domain.spec.input.keys() {
        let path = run.tables_folder().join(format!("{name}.parquet"));
        engine.register_file(&TableFile { name: name.clone(), path }).await?;
    }
    Ok(())
}

/// Registers the run's input tables and those that its transform made.
pub async fn register_tables(run: &Run<'_>, engine: &Engine) -> Result<(), PlatformError> {
    register_inputs(run, engine).await?;
    register_made(engine, run.domain, &run.tables_folder()).await
}

/// Registers the tables that a transform made in a folder.
pub async fn register_made(engine: &Engine, domain: &Domain, folder: &Path) -> Result<(), PlatformError> {
    for (name, _) in domain.files_in("tables", ".sql") {
        let path = folder.join(format!("{name}.parquet"));
        engine.register_file(&TableFile { name: name.to_owned(), path }).await?;
    }
    Ok(())
}

/// An engine that knows some tables as they would have been at `time` (microseconds, inclusive): made again by their SQL from
/// the inputs until then. A label counts from when it is known.
pub async fn known_at(run: &Run<'_>, time: i64, wanted: &[&str]) -> Result<Engine, PlatformError> {
    let whole = run.engine()?;
    register_inputs(run, &whole).await?;
    let cut = run.engine()?;
    for (name, input) in &run.domain.spec.input {
        let (schema, batches) = whole.query(&known_rows(name, input, time)).await?;
        cut.register_batches(name, schema, batches)?;
    }
    let mut needed: BTreeSet<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
    let order = table_order(&cut, run.domain)?;
    let file = |name: &str| format!("tables/{name}.sql");
    for name in order.iter().rev().filter(|name| run.domain.files.contains_key(&file(name))) {
        if needed.contains(name) {
            needed.extend(cut.reads(&run.domain.files[&file(name)])?);
        }
    }
    for name in order.into_iter().filter(|name| needed.contains(name)) {
        let made = cut.query(&run.domain.files[&file(&name)]).await;
        let (schema, batches) = made.map_err(|error| at_file(run.domain, &file(&name), error))?;
        cut.register_batches(&name, schema, batches)?;
    }
    Ok(cut)
}

/// The rows of an input until a time, without labels that were not known by then.
fn known_rows(name: &str, input: &Input, time: i64) -> String {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let instant = |time: i64| format!("TIMESTAMP '{}'", instant_sql(time));
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

/// The material of the run's extract; made anew unless an earlier step of this process made it.
pub async fn prepare(run: &Run<'_>) -> Result<Arc<Prepared>, PlatformError> {
    let extracted = run.report_of(StepName::Extract).await?;
    if let Some(kept) = run.kept.get(&extracted.fingerprint) {
        return Ok(kept);
    }
    let prepared = Arc::new(prepare_anew(run, extracted).await?);
    run.kept.keep(prepared.clone());
    Ok(prepared)
}

/// The same, made whether or not it was made before.
pub async fn prepare_anew(run: &Run<'_>, extracted: StepReport) -> Result<Prepared, PlatformError> {
    let (layout, simulated) =
        (extracted.detail["layout"].as_str().unwrap_or_default().to_owned(), extracted.detail["simulated"] == true);
    let engine = run.engine()?;
    register_inputs(run, &engine).await?;
    let history = History::read(&engine, run.domain).await?;
    let label = history.label(run.domain.spec.label_model().target.get_ref())?;
    let (_, input) = run.domain.spec.input.first().expect("checked: a domain has an input");
    let beyond: Vec<String> = history
        .batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .filter(|name| input.columns.keys().all(|known| known.get_ref() != name))
        .collect();
    let extras = telling_extras(&history, &beyond)?;
    let windows = compile_windows(&engine, run.domain, &history.batch.schema()).await?;
    let plan = plan(&history, run.domain, &label, run.domain.spec.layout.get(&layout))?;
    let rows = plan.validation.iter().chain(&plan.test).flat_map(|fold| fold.train.iter().chain(&fold.test));
    let (first, last) = rows.fold((u32::MAX, 0), |(first, last), &row| (first.min(row), last.max(row)));
    let range = first as usize..last as usize + 1;
    run.progress.begin("train: windows", Some(range.len() as u64), "rows");
    let window_columns = replay(&history, &windows, range.clone())?;
    run.progress.end();
    let names: Vec<String> = window_columns.iter().map(|(name, _)| name.clone()).collect();
    let features = FeatureSet::compile(&engine, run.domain, &history.batch.schema(), &names, &extras).await;
    let features = features.map_err(|error| match error {
        PlatformError::Tables(error) => at_file(run.domain, "features.sql", error),
        other => other,
    })?;
    run.progress.begin("train: features", Some(range.len() as u64), "rows");
    let frame = features.frame(&history, &window_columns, range.clone())?;
    run.progress.end();
    Ok(Prepared {
        label: label[range.clone()].to_vec(),
        first_row: range.start,
        data_fingerprint: extracted.fingerprint,
        history,
        windows,
        features,
        extras,
        plan,
        frame,
        layout,
        simulated,
    })
}
