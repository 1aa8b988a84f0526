//! The last check before a version answers: it loads, it answers its cases, then tables and alias move in one step.

use crate::PlatformError;
use crate::registry::clock::now_micros;
use crate::registry::home::Together;
use crate::registry::store::{GateRecord, Signed};
use crate::registry::{CHAMPION, PINNED};
use crate::run::{Made, Run, StepName, in_force};
use crate::serve::{Answerer, Violation};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

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
    let cases = answer_cases(run, &version).await?;
    let failed: Vec<&String> = cases.iter().filter(|(_, passed, _)| !passed).map(|(name, ..)| name).collect();
    let mut gates =
        run.store.version(run.domain.name(), &version).await?.map(|record| record.gates).unwrap_or_default();
    gates.retain(|gate| gate.name != CASES_GATE);
    let evidence = format!("{} of {} cases answered as they must", cases.len() - failed.len(), cases.len());
    gates.push(GateRecord { name: CASES_GATE.to_owned(), passed: failed.is_empty(), evidence });
    run.store.judge_version(run.domain.name(), &version, &gates).await?;
    let answers = run.store.alias(run.domain.name(), CHAMPION).await?.is_some();
    let withheld = in_force::withheld(answers, &gates);
    let promoted = match (gates.iter().all(|gate| gate.passed), &withheld) {
        (true, _) => promote(run, &version).await?,
        (false, None) => {
            put_in_force(run, None).await?;
            false
        }
        (false, Some(_)) => false,
    };
    let fingerprint = blake3::hash(format!("{version} {promoted}").as_bytes()).to_hex()[..32].to_owned();
    let count = cases.len() as u64;
    let detail = json!({ "version": version, "promoted": promoted, "withheld": withheld, "cases": cases });
    Ok(Made { rows_in: count, rows_out: count - failed.len() as u64, quarantined: 0, fingerprint, detail })
}

/// Puts the tables in force and moves the champion alias to the version, in one step for whoever reads both; unless somebody else
/// moved the alias meanwhile.
async fn promote(run: &Run<'_>, version: &str) -> Result<bool, PlatformError> {
    let name = run.domain.name();
    let champion = run.store.alias(name, CHAMPION).await?.map(|alias| alias.version);
    if champion.as_deref() == Some(version) {
        put_in_force(run, None).await?;
        return Ok(true);
    }
    if let Some(pinned) = run.store.alias(name, PINNED).await? {
        run.progress.say(&format!("`{}` is pinned: `{version}` is kept and not promoted", pinned.version));
        put_in_force(run, None).await?;
        return Ok(false);
    }
    let together = Together { from: champion.clone(), to: version.to_owned(), at: now_micros() };
    put_in_force(run, Some(together)).await?;
    let why = format!("run {} passed its gates", run.run_id);
    let signed = Signed { by: "septet", why: &why };
    run.store.move_alias(name, CHAMPION, champion.as_deref(), version, signed).await
}

/// The tables that step load has counted.
async fn put_in_force(run: &Run<'_>, together: Option<Together>) -> Result<(), PlatformError> {
    let loaded = run.report_of(StepName::Load).await?;
    let tables = serde_json::from_value(loaded.detail["tables"].clone());
    in_force::put_in_force(run, tables.map_err(|error| PlatformError::Store(error.to_string()))?, together)
}

/// Name, whether the answer was as expected, and what it was.
async fn answer_cases(run: &Run<'_>, version: &str) -> Result<Vec<(String, bool, String)>, PlatformError> {
    let answerer = Answerer::load(run.home, &run.engine()?, run.domain.name(), version, &run.run_id, 1).await?;
    let mut answers = Vec::new();
    for (file, text) in run.domain.files_in("cases", ".json") {
        let place = format!("cases/{file}.json");
        for case in read_cases(run, &place, text)? {
            let event = answerer.contract().read_case(&Value::Object(case.event.clone())).map_err(|violations| {
                PlatformError::usage(format!("case `{}`: {}", case.name, in_words(&violations)), place.clone())
            })?;
            let batch = answerer.contract().batch(&[&event])?;
            let features = answerer.inputs.case_features(&event, &batch, &case.windows)?;
            let probability = answerer.score(&batch, features)?[0].probability;
            answers.push(judged(case, probability));
        }
    }
    Ok(answers)
}

fn in_words(violations: &[Violation]) -> String {
    violations.iter().map(|one| format!("{}: {}", one.pointer, one.detail)).collect::<Vec<_>>().join("; ")
}

fn read_cases(run: &Run, place: &str, text: &str) -> Result<Vec<Case>, PlatformError> {
    serde_json::from_str(text).map_err(|error| {
        let what = format!("{}:{}:{}: {error}", run.domain.path_of(place), error.line(), error.column());
        PlatformError::usage(what, "docs/domain.md shows what a case is")
    })
}

/// Name, whether the answer was as expected, and what it was.
fn judged(case: Case, probability: f64) -> (String, bool, String) {
    let passed = (case.expect.probability_min..=case.expect.probability_max).contains(&probability);
    let expected = format!("{} to {}", case.expect.probability_min, case.expect.probability_max);
    (case.name, passed, format!("probability {probability:.4}, expected {expected}"))
}
