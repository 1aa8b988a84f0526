//! The last look before a version answers: it loads, it answers its cases, then the alias moves.

use crate::PlatformError;
use crate::features::FeatureSet;
use crate::history::{arrow_error, nullable};
use crate::replay::compile_windows;
use crate::run::{Made, Run, StepName};
use crate::serve::Answerer;
use crate::steps::material::register_inputs;
use crate::store::GateRecord;
use crate::version::Scorer;
use septet_tables::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use septet_tables::arrow::datatypes::{DataType, SchemaRef};
use septet_tables::{Engine, instant};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The alias of the version that answers.
pub const CHAMPION: &str = "champion";
const CASES_GATE: &str = "cases";

/// A request and the answer it must get: `cases/NAME.json` holds a list of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    event: Map<String, Value>,
    /// Window columns as the entity's past left them; those not named are null.
    #[serde(default)]
    windows: BTreeMap<String, f64>,
    expect: Expectation,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    #[serde(default)]
    probability_min: f64,
    #[serde(default = "one")]
    probability_max: f64,
}

fn one() -> f64 {
    1.0
}

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let validated = run.report_of(StepName::Validate).await?;
    let version = validated.detail["version"].as_str().unwrap_or_default().to_owned();
    let scorer = Scorer::load(&run.home.version_folder(run.domain.name(), &version))?;
    let engine = run.engine()?;
    register_inputs(run, &engine).await?;
    let cases = match &run.domain.spec.purchases {
        Some(_) => ask_cases(run, &run.engine()?, &version).await?,
        None => answer_cases(run, &engine, &scorer).await?,
    };
    let failed: Vec<&String> = cases.iter().filter(|(_, passed, _)| !passed).map(|(name, ..)| name).collect();
    let mut gates =
        run.store.version(run.domain.name(), &version).await?.map(|record| record.gates).unwrap_or_default();
    gates.retain(|gate| gate.name != CASES_GATE);
    let evidence = format!("{} of {} cases answered as they must", cases.len() - failed.len(), cases.len());
    gates.push(GateRecord { name: CASES_GATE.to_owned(), passed: failed.is_empty(), evidence });
    run.store.judge_version(run.domain.name(), &version, &gates).await?;
    let promoted = gates.iter().all(|gate| gate.passed) && promote(run, &version).await?;
    let fingerprint = blake3::hash(format!("{version} {promoted}").as_bytes()).to_hex()[..32].to_owned();
    let count = cases.len() as u64;
    let detail = json!({ "version": version, "promoted": promoted, "cases": cases });
    Ok(Made { rows_in: count, rows_out: count - failed.len() as u64, quarantined: 0, fingerprint, detail })
}

/// Moves the champion alias to the version, unless somebody else moved it meanwhile.
async fn promote(run: &Run<'_>, version: &str) -> Result<bool, PlatformError> {
    let champion = run.store.alias(run.domain.name(), CHAMPION).await?.map(|alias| alias.version);
    if champion.as_deref() == Some(version) {
        return Ok(true);
    }
    run.store.move_alias(run.domain.name(), CHAMPION, champion.as_deref(), version).await
}

/// Name, whether the answer was as expected, and what it was.
async fn answer_cases(
    run: &Run<'_>,
    engine: &Engine,
    scorer: &Scorer,
) -> Result<Vec<(String, bool, String)>, PlatformError> {
    let (table, _) = run.domain.spec.input.first().expect("checked: a domain has an input");
    let schema = engine.plan(&format!("SELECT * FROM \"{table}\"")).await?;
    let windows = compile_windows(engine, run.domain, &schema).await?;
    let names: Vec<String> = windows.iter().flat_map(|window| window.names.clone()).collect();
    let features = FeatureSet::compile(&run.engine()?, run.domain, &schema, &names, &scorer.manifest.extras).await?;
    let mut answers = Vec::new();
    for (file, text) in run.domain.files_in("cases", ".json") {
        let place = format!("cases/{file}.json");
        for case in read_cases(run, &place, text)? {
            let event = event_row(&schema, &case.event)
                .map_err(|what| PlatformError::usage(format!("case `{}`: {what}", case.name), place.clone()))?;
            let columns =
                names.iter().map(|name| nullable(vec![case.windows.get(name).copied().unwrap_or(f64::NAN)])).collect();
            let probability = scorer.score(&features.answer(&event, columns)?[0])?.probability;
            answers.push(judged(case, probability));
        }
    }
    Ok(answers)
}

/// Cases of a domain that answers questions about customers, as its service would.
async fn ask_cases(
    run: &Run<'_>,
    engine: &Engine,
    version: &str,
) -> Result<Vec<(String, bool, String)>, PlatformError> {
    let domain = Arc::new(run.domain.clone());
    let answerer = Answerer::load(run.home, engine, domain, version, &run.run_id, 1).await?;
    let mut answers = Vec::new();
    for (file, text) in run.domain.files_in("cases", ".json") {
        let place = format!("cases/{file}.json");
        for case in read_cases(run, &place, text)? {
            let event = Value::Object(case.event.clone());
            let event = answerer.contract.read(&event, String::new(), "").map_err(|violations| {
                let what = violations.iter().map(|one| format!("{}: {}", one.pointer, one.detail)).collect::<Vec<_>>();
                PlatformError::usage(format!("case `{}`: {}", case.name, what.join("; ")), place.clone())
            })?;
            let batch = answerer.contract.batch(&[&event])?;
            let features = answerer.features_of(&[&event], &batch, Vec::new())?;
            let probability = answerer.score(&batch, features)?[0].probability;
            answers.push(judged(case, probability));
        }
    }
    Ok(answers)
}

fn read_cases(run: &Run, place: &str, text: &str) -> Result<Vec<Case>, PlatformError> {
    serde_json::from_str(text).map_err(|error| {
        let what = format!("{}:{}:{}: {error}", run.domain.path_of(place), error.line(), error.column());
        PlatformError::usage(what, "see README")
    })
}

/// Name, whether the answer was as expected, and what it was.
fn judged(case: Case, probability: f64) -> (String, bool, String) {
    let passed = (case.expect.probability_min..=case.expect.probability_max).contains(&probability);
    let expected = format!("{} to {}", case.expect.probability_min, case.expect.probability_max);
    (case.name, passed, format!("probability {probability:.4}, expected {expected}"))
}

/// One row of an input from a JSON object; columns that are not named are null.
fn event_row(schema: &SchemaRef, event: &Map<String, Value>) -> Result<RecordBatch, String> {
    if let Some(strange) = event.keys().find(|key| schema.index_of(key).is_err()) {
        return Err(format!("`{strange}` is not a column of the input"));
    }
    let column = |name: &str, kind: &DataType| -> Result<ArrayRef, String> {
        let value = event.get(name).unwrap_or(&Value::Null);
        let text = value.as_str();
        let fits = match kind {
            DataType::Float64 => value.is_number(),
            DataType::Int64 => value.is_i64(),
            DataType::Boolean => value.is_boolean(),
            DataType::Timestamp(..) => text.and_then(instant).is_some(),
            _ => value.is_string(),
        };
        if !fits && !value.is_null() {
            return Err(format!("`{name}` is not a {kind}"));
        }
        Ok(match kind {
            DataType::Float64 => Arc::new(Float64Array::from(vec![value.as_f64()])),
            DataType::Int64 => Arc::new(Int64Array::from(vec![value.as_i64()])),
            DataType::Boolean => Arc::new(BooleanArray::from(vec![value.as_bool()])),
            DataType::Timestamp(..) => Arc::new(TimestampMicrosecondArray::from(vec![text.and_then(instant)])),
            DataType::Utf8 => Arc::new(StringArray::from(vec![text])),
            other => return Err(format!("column `{name}` has the type {other}")),
        })
    };
    let columns =
        schema.fields().iter().map(|field| column(field.name(), field.data_type())).collect::<Result<Vec<_>, _>>()?;
    let fields: Vec<_> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    let loose = Arc::new(septet_tables::arrow::datatypes::Schema::new(fields));
    RecordBatch::try_new(loose, columns).map_err(|error| arrow_error(error).to_string())
}
