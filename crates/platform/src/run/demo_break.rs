//! Breaks the newest days of a demo on purpose, so that a person sees the monitoring find it; and mends them again. The source
//! stays as it is: a new run reads it, changes the checked rows of a few days, and its tables come into force beside the champion.

use crate::error::arrow_error;
use crate::registry::CHAMPION;
use crate::registry::store::RunRecord;
use crate::registry::tables::register_inputs;
use crate::run::{Run, RunOptions, StepName, asked, begin, in_force};
use crate::{PlatformError, Scorer};
use septet_domain::{Column, ColumnType, Input};
use septet_tables::arrow::array::{Array, AsArray};
use septet_tables::arrow::datatypes::{DataType, Float64Type, TimestampMicrosecondType};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Windows that are broken: an alarm is never certain in its first.
const WINDOWS: i64 = 5;
/// What amounts are multiplied by.
const FACTOR: f64 = 1.3;
/// What the share of positives is multiplied by.
const POSITIVES: f64 = 3.0;
/// Of rows that are no positives yet, this share at most becomes some.
const TURNED_SHARE_MAX: f64 = 0.5;

/// How the newest days are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DemoBreak {
    /// The number that tells the model most is a third larger.
    Amounts,
    /// A third of the names of the entity that tells the model most are other ones.
    Renamed,
    /// Three times as many positives, in the newest days whose labels are known.
    Labels,
}

/// What was done.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    pub run_id: String,
    /// In words; none where the demo was mended.
    pub what: Option<String>,
}

/// Breaks the demo in force, or with `None` mends it. Only where its tables are the demo source's.
pub async fn break_demo(run: Run<'_>, how: Option<DemoBreak>) -> Result<Broken, PlatformError> {
    let _lock = run.home.lock(run.domain.name())?;
    let name = run.domain.name();
    let before = in_force_options(&run).await?;
    if how.is_none() && before.demo_break.is_none() {
        return Err(PlatformError::usage(
            format!("the demo of `{name}` is not broken"),
            format!("break it with: septet demo break {name}"),
        ));
    }
    let run = Run { options: RunOptions { demo_break: how, ..before }, accept: true, refresh: true, ..run };
    begin(&run, &asked(&run)?).await?;
    let mut what = None;
    for step in [StepName::Extract, StepName::Transform, StepName::Load] {
        match run.execute(step).await {
            Ok(report) if step == StepName::Extract => {
                what = report.detail["demo_break"].as_str().map(str::to_owned);
            }
            Ok(_) => {}
            Err(error) => {
                run.store.end_run(name, &run.run_id, "failed", Some(&error.to_string())).await?;
                return Err(error);
            }
        }
    }
    run.store.end_run(name, &run.run_id, "done", None).await?;
    Ok(Broken { run_id: run.run_id, what })
}

/// What the run in force was asked for; an error where a champion is missing or the rows are not the demo's own.
async fn in_force_options(run: &Run<'_>) -> Result<RunOptions, PlatformError> {
    let name = run.domain.name();
    let none = || PlatformError::usage(format!("`{name}` has no champion yet"), format!("first: septet run {name}"));
    run.store.alias(name, CHAMPION).await?.ok_or_else(none)?;
    let published = run.home.published(name)?.ok_or_else(none)?;
    let simulated = in_force::extracted(run, &published.run_id).await?.is_some_and(|of| of.detail["simulated"] == true);
    let record: Option<RunRecord> = run.store.run(name, &published.run_id).await?;
    let options = record.and_then(|record| serde_json::from_str::<serde_json::Value>(&record.options).ok());
    let options = options.and_then(|asked| serde_json::from_value::<RunOptions>(asked["options"].clone()).ok());
    options.filter(|options| simulated && options.sources.is_empty()).ok_or_else(|| {
        PlatformError::usage(
            format!(
                "the tables of `{name}` in force are not those of its demo source: only a demo is broken on purpose"
            ),
            format!("to have the demo: septet run {name}"),
        )
    })
}

/// Changes the newest days of the first input's checked rows, in its file. Returns what was done, in words.
pub async fn apply(run: &Run<'_>, folder: &Path, how: DemoBreak) -> Result<String, PlatformError> {
    let (table, input) = run.domain.spec.first_input();
    let engine = run.engine()?;
    register_inputs(&engine, run.domain, folder).await?;
    let schema = engine.plan(&format!("SELECT * FROM {}", quoted(table))).await?;
    let window = run.domain.spec.monitor.window.micros().max(1);
    let time = quoted(input.time.get_ref());
    let known_after = if how == DemoBreak::Labels { run.domain.spec.known_after().micros() } else { 0 };
    let newest = one(&engine, &format!("SELECT max({time}) FROM {}", quoted(table))).await?;
    let newest = newest.as_primitive_opt::<TimestampMicrosecondType>().filter(|newest| newest.is_valid(0));
    let newest = newest.map(|newest| newest.value(0)).ok_or_else(|| arrow_error("the demo has no rows"))?;
    let from = ((newest - known_after).div_euclid(window) - (WINDOWS - 1)) * window;
    let from = crate::instant_text(from).unwrap_or_default();
    let recent = format!("{time} >= CAST('{from}' AS TIMESTAMP)");
    let (column, changed, what) = match how {
        DemoBreak::Amounts => {
            let column = amount(run, input).await?;
            let own = quoted(&column);
            (column.clone(), format!("{own} * {FACTOR}"), format!("`{column}` is {FACTOR} times as large"))
        }
        DemoBreak::Renamed => {
            let column = entity(run).await?;
            let own = quoted(&column);
            // By the last letter of the name: about a third of all, always the same ones.
            let renamed =
                format!("CASE WHEN ascii(right({own}, 1)) % 3 = 1 THEN concat({own}, '-renamed') ELSE {own} END");
            (column.clone(), renamed, format!("a third of the names in `{column}` are other ones"))
        }
        DemoBreak::Labels => {
            let column = label(run, input)?;
            let own = quoted(&column);
            let share = format!(
                "SELECT avg(CASE WHEN {own} THEN 1.0 ELSE 0.0 END) FROM {} WHERE {own} IS NOT NULL",
                quoted(table)
            );
            let share = one(&engine, &share).await?;
            let share = share.as_primitive_opt::<Float64Type>().map_or(0.0, |share| share.value(0));
            let turned = ((POSITIVES - 1.0) * share / (1.0 - share).max(0.01)).min(TURNED_SHARE_MAX);
            // By the second of the event: any rows, always the same ones.
            let second = format!("CAST(date_part('epoch', {time}) AS BIGINT)");
            let changed = format!("({own} OR {second} % 1000 < {})", (turned * 1000.0).ceil());
            (column.clone(), changed, format!("`{column}` is true {POSITIVES} times as often, where labels are known"))
        }
    };
    let select = schema.fields().iter().map(|field| {
        let own = quoted(field.name());
        match *field.name() == column {
            true => format!(
                "CAST(CASE WHEN {recent} THEN {changed} ELSE {own} END AS {}) AS {own}",
                sql_type(field.data_type())
            ),
            false => own,
        }
    });
    let sql = format!("SELECT {} FROM {}", select.collect::<Vec<_>>().join(", "), quoted(table));
    let path = folder.join(format!("{table}.parquet"));
    let partial = folder.join(format!("{table}.broken"));
    engine.write(&sql, &partial, &|_| {}).await?;
    std::fs::rename(&partial, &path).map_err(|error| PlatformError::io(&path, error))?;
    Ok(format!("{what}, from {}", from.get(..10).unwrap_or(&from)))
}

async fn one(
    engine: &septet_tables::Engine,
    sql: &str,
) -> Result<septet_tables::arrow::array::ArrayRef, PlatformError> {
    let (_, batches) = engine.query(sql).await?;
    let batch = batches.into_iter().find(|batch| batch.num_rows() == 1);
    Ok(batch.ok_or_else(|| arrow_error("one row was expected"))?.column(0).clone())
}

/// How much the champion rests on each feature.
async fn importances(run: &Run<'_>) -> Result<Vec<(String, f64)>, PlatformError> {
    let Some(champion) = run.store.alias(run.domain.name(), CHAMPION).await? else { return Ok(Vec::new()) };
    let scorer = Scorer::load(&run.home.version_folder(run.domain.name(), &champion.version))?;
    Ok(scorer.manifest.importances.iter().map(|(name, weight)| (name.clone(), *weight)).collect())
}

/// The number of the contract that tells the model most; where none is an input of the model, the first with a unit.
async fn amount(run: &Run<'_>, input: &Input) -> Result<String, PlatformError> {
    let number = |column: &Column| matches!(column.kind, ColumnType::Number | ColumnType::Integer) && !column.label;
    let numbers: Vec<(&String, &Column)> = input
        .columns
        .iter()
        .filter(|(_, column)| number(column))
        .map(|(name, column)| (name.get_ref(), column))
        .collect();
    let weights = importances(run).await?;
    let weight = |name: &str| weights.iter().find(|(known, _)| known == name).map_or(0.0, |(_, weight)| *weight);
    let told = numbers.iter().filter(|(name, _)| weight(name) > 0.0);
    let told = told.max_by(|a, b| weight(a.0).total_cmp(&weight(b.0)));
    let found = told.or_else(|| numbers.iter().rev().find(|(_, column)| column.unit.is_some())).or(numbers.first());
    found.map(|(name, _)| (*name).clone()).ok_or_else(|| lacks(run, "has no number", "amounts"))
}

/// The entity of a window whose features tell the model most.
async fn entity(run: &Run<'_>) -> Result<String, PlatformError> {
    let weights = importances(run).await?;
    let told = |window: &septet_domain::Window| -> f64 {
        let prefix = format!("{}_", window.prefix());
        weights.iter().filter(|(name, _)| name.starts_with(&prefix)).map(|(_, weight)| weight).sum()
    };
    let windows = run.domain.spec.window.iter().map(|window| window.get_ref());
    let most = windows.max_by(|a, b| told(a).total_cmp(&told(b)));
    most.map(|window| window.entity.get_ref().clone())
        .ok_or_else(|| lacks(run, "has no window over an entity", "renamed"))
}

fn label(run: &Run<'_>, input: &Input) -> Result<String, PlatformError> {
    let target = run.domain.spec.model.target.get_ref();
    let own = input.columns.iter().find(|(name, column)| name.get_ref() == target && column.kind == ColumnType::Bool);
    own.map(|(name, _)| name.get_ref().clone())
        .ok_or_else(|| lacks(run, "has no label of true and false in its source", "labels"))
}

fn lacks(run: &Run<'_>, what: &str, how: &str) -> PlatformError {
    let ways = ["amounts", "renamed", "labels"].into_iter().filter(|way| *way != how).collect::<Vec<_>>().join(" or ");
    PlatformError::usage(
        format!("`{}` {what}: its demo cannot be broken by `{how}`", run.domain.name()),
        format!("try --how {ways}"),
    )
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn sql_type(kind: &DataType) -> &'static str {
    match kind {
        DataType::Float64 => "DOUBLE",
        DataType::Int64 => "BIGINT",
        DataType::Int32 => "INT",
        DataType::Boolean => "BOOLEAN",
        _ => "VARCHAR",
    }
}
