//! Gates: what a version must hold before it may answer. One that fails is kept and marked.

use crate::PlatformError;
use crate::features::{OwnedValue, differing_values, frame_row};
use crate::home::{appear, write_whole};
use crate::live::features_online;
use crate::purchases;
use crate::replay::replay;
use crate::report::{self, ReportInput};
use crate::run::{Made, Run, StepName};
use crate::split::day_name;
use crate::steps::material::{Prepared, prepare, prepare_anew};
use crate::steps::train::read_charts;
use crate::store::GateRecord;
use crate::version::{DecisionRule, Scorer, to_json};
use septet_domain::Domain;
use septet_learn::frame::Column;
use septet_tables::ExtractReport;
use serde_json::json;
use std::path::Path;
use std::time::Instant;

/// Rows timed one by one for the time gates.
const TIMED_ROWS: usize = 2_000;

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let trained = run.report_of(StepName::Train).await?;
    let version = trained.detail["version"].as_str().unwrap_or_default().to_owned();
    let partial = run.run_folder().join("version");
    let home_folder = run.home.version_folder(run.domain.name(), &version);
    // A repeated step finds the version where its first pass put it.
    let folder = if partial.exists() { partial.clone() } else { home_folder.clone() };
    let scorer = Scorer::load(&folder)?;
    if scorer.manifest.version != version {
        let what = format!("the folder holds version `{}`, step train reported `{version}`", scorer.manifest.version);
        return Err(PlatformError::usage(
            what,
            format!("repeat: septet step {} train --run {}", run.domain.name(), run.run_id),
        ));
    }
    let gates = match &run.domain.spec.purchases {
        Some(spec) => purchases::gates(run, spec, &scorer, GatesSpoiled::default()).await?,
        None => {
            let prepared = prepare(run).await?;
            gates(run, &prepared, &scorer, &folder)?
        }
    };
    let metrics = String::from_utf8_lossy(&to_json(&scorer.manifest.metrics)?).into_owned();
    if partial.exists() {
        write_papers(run, &scorer, &gates, &partial).await?;
        crate::home::make_folder(home_folder.parent().unwrap_or(Path::new(".")))?;
        appear(&partial, &home_folder)?;
    }
    // The store speaks of a version only when its folder is there.
    run.store.put_version(run.domain.name(), &version, &run.run_id, &metrics).await?;
    run.store.judge_version(run.domain.name(), &version, &gates).await?;
    let passed = gates.iter().filter(|gate| gate.passed).count();
    let fingerprint = blake3::hash(format!("{version} {passed}").as_bytes()).to_hex()[..32].to_owned();
    let rows = run.domain.spec.gates.parity_rows as u64;
    let detail = json!({ "version": version, "passed": passed, "gates": gates.len() });
    Ok(Made { rows_in: rows, rows_out: rows, quarantined: 0, fingerprint, detail })
}

async fn write_papers(
    run: &Run<'_>,
    scorer: &Scorer,
    gates: &[GateRecord],
    folder: &Path,
) -> Result<(), PlatformError> {
    for (name, bytes) in papers(run, scorer, gates, folder).await? {
        write_whole(&folder.join(name), &bytes)?;
    }
    Ok(())
}

/// Card, report and verdict, without anything that differs from run to run.
async fn papers(
    run: &Run<'_>,
    scorer: &Scorer,
    gates: &[GateRecord],
    folder: &Path,
) -> Result<[(&'static str, Vec<u8>); 3], PlatformError> {
    let extracted = run.report_of(StepName::Extract).await?;
    let inputs: Vec<(String, ExtractReport)> =
        serde_json::from_value(extracted.detail["inputs"].clone()).unwrap_or_default();
    // How fast a machine was on a day is no property of the version: times are in the store alone.
    let gates: Vec<GateRecord> = gates.iter().filter(|gate| !gate.name.ends_with("_time")).cloned().collect();
    let quarantine: Vec<(String, String, u64)> = inputs.iter().flat_map(|(_, report)| report.reasons.clone()).collect();
    let charts = read_charts(folder)?;
    let input = ReportInput {
        manifest: &scorer.manifest,
        gates: &gates,
        charts: &charts,
        rows_in: extracted.rows_in,
        rows_out: extracted.rows_out,
        quarantined: extracted.quarantined,
        filtered: inputs.iter().map(|(_, report)| report.filtered).sum(),
        quarantine: &quarantine,
    };
    Ok([
        ("gates.json", to_json(&gates)?),
        ("card.md", report::card(&input)?.into_bytes()),
        ("report.html", report::html(&input)?.into_bytes()),
    ])
}

/// What is broken on purpose before gates are asked again, to see that they notice.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatesSpoiled {
    pub baselines: bool,
    pub parity: bool,
    pub look_ahead: bool,
    pub calibration: bool,
}

/// The gates of the champion once more, on the published run's own tables.
pub async fn again(run: &Run<'_>, version: &str, spoil: GatesSpoiled) -> Result<Vec<GateRecord>, PlatformError> {
    let folder = run.home.version_folder(run.domain.name(), version);
    let mut scorer = Scorer::load(&folder)?;
    if spoil.baselines {
        scorer.manifest.advantage.values_mut().for_each(|advantage| *advantage = Some((-0.1, 0.1)));
    }
    if let Some(metric) = scorer.manifest.metrics.get_mut("calibration_error").filter(|_| spoil.calibration) {
        metric.value = f64::NAN;
    }
    if let Some(spec) = &run.domain.spec.purchases {
        return purchases::gates(run, spec, &scorer, spoil).await;
    }
    let mut prepared = prepare_anew(run, run.report_of(StepName::Extract).await?).await?;
    let last = prepared.frame.rows().saturating_sub(1);
    // The newest row is asked again online; the middle ones after a cut.
    let rows = [(spoil.parity, last), (spoil.look_ahead, last / 2)];
    for row in rows.into_iter().filter(|(wanted, _)| *wanted).map(|(_, row)| row) {
        let number = prepared.frame.columns.iter_mut().find_map(|column| match column {
            Column::Number(values) => values.get_mut(row),
            Column::Category { .. } => None,
        });
        number.into_iter().for_each(|value| *value = -1e9);
    }
    gates(run, &prepared, &scorer, &folder)
}

/// Whether the papers in a version's folder are those that its manifest, gates and charts make, to the byte.
pub async fn papers_are_current(run: &Run<'_>, version: &str) -> Result<bool, PlatformError> {
    let folder = run.home.version_folder(run.domain.name(), version);
    let scorer = Scorer::load(&folder)?;
    let gates = folder.join("gates.json");
    let gates = std::fs::read(&gates).map_err(|error| PlatformError::io(&gates, error))?;
    let gates: Vec<GateRecord> = serde_json::from_slice(&gates).map_err(crate::history::arrow_error)?;
    for (name, bytes) in papers(run, &scorer, &gates, &folder).await? {
        if std::fs::read(folder.join(name)).ok().as_ref() != Some(&bytes) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn gates(run: &Run, prepared: &Prepared, scorer: &Scorer, folder: &Path) -> Result<Vec<GateRecord>, PlatformError> {
    let limits = &run.domain.spec.gates;
    let total = 6 + scorer.manifest.advantage.len() as u64;
    run.progress.begin("validate: gates", Some(total), "gates");
    let metric = crate::judge::metric_name(run.domain.spec.label_model().metric);
    let advantages = scorer.manifest.advantage.iter();
    let mut gates: Vec<GateRecord> =
        advantages.map(|(name, advantage)| beats(metric, "test folds", name, *advantage)).collect();
    run.progress.done(gates.len() as u64);
    let (equal, unchanged) =
        rayon::join(|| parity(prepared, limits.parity_rows), || no_look_ahead(run.domain, prepared));
    gates.extend([equal?, unchanged?]);
    run.progress.done(gates.len() as u64);
    gates.push(calibration(scorer, limits.calibration_error_max));
    gates.extend(scorer.manifest.decision.as_ref().map(decides));
    gates.push(size(folder, limits.model_mb_max)?);
    gates.extend(times(prepared, scorer, limits.prediction_us_max, limits.explanation_us_max)?);
    run.progress.end();
    Ok(gates)
}

/// The interval of our advantage over a baseline in a metric, and what it was judged on.
pub fn beats(metric: &str, on: &str, baseline: &str, advantage: Option<(f64, f64)>) -> GateRecord {
    let evidence = match advantage {
        Some((low, high)) => {
            format!("{metric}: better by {low:.4} to {high:.4} (95 % interval of the difference, {on})")
        }
        None => "the difference could not be resampled".to_owned(),
    };
    GateRecord { name: format!("beats_{baseline}"), passed: advantage.is_some_and(|(low, _)| low > 0.0), evidence }
}

/// The newest rows again, one by one through live windows and single-row expressions: equal to the bit.
fn parity(prepared: &Prepared, rows: usize) -> Result<GateRecord, PlatformError> {
    let end = prepared.first_row + prepared.frame.rows();
    let sample: Vec<usize> = (end.saturating_sub(rows).max(prepared.first_row)..end).collect();
    let online = features_online(&prepared.history, &prepared.windows, &prepared.features, &sample)?;
    let mut different = 0;
    let mut example = String::new();
    for (row, answer) in sample.iter().zip(&online) {
        let batch = frame_row(&prepared.frame, row - prepared.first_row);
        for (at, (a, b)) in batch.iter().zip(answer).enumerate().filter(|(_, (a, b))| !a.same(b)) {
            different += 1;
            example = format!("; `{}` is {a:?} in batch, {b:?} online", prepared.frame.names[at]);
        }
    }
    let values = sample.len() * prepared.frame.names.len();
    let evidence = format!("{} rows answered one by one: {different} of {values} values differ{example}", sample.len());
    Ok(GateRecord { name: "batch_equals_online".to_owned(), passed: different == 0, evidence })
}

/// The history as it was known in the middle of the newest test fold: earlier features must not change.
fn no_look_ahead(domain: &Domain, prepared: &Prepared) -> Result<GateRecord, PlatformError> {
    let fold = &prepared.plan.test[0];
    let cut_row = fold.test[fold.test.len() / 2] as usize;
    let cut = prepared.history.times[cut_row];
    let before = prepared.history.as_known_at(domain, cut)?;
    let last = before.rows();
    let first = last.saturating_sub(prepared.frame.rows()).max(prepared.first_row);
    let window_columns = replay(&before, &prepared.windows, first..last)?;
    let frame = prepared.features.frame(&before, &window_columns, first..last)?;
    let different = differing_values(&frame, &prepared.frame, first - prepared.first_row);
    let evidence = format!(
        "history cut at {}: {different} of {} earlier values differ",
        day_name(cut),
        (last - first) * frame.names.len()
    );
    Ok(GateRecord { name: "no_look_ahead".to_owned(), passed: different == 0, evidence })
}

fn calibration(scorer: &Scorer, max: f64) -> GateRecord {
    let error = scorer.manifest.metrics.get("calibration_error").map_or(f64::NAN, |metric| metric.value);
    let evidence = format!("calibration error {error:.4} on the test folds; at most {max}");
    GateRecord { name: "calibration".to_owned(), passed: error <= max, evidence }
}

/// A rule that flags most rows decides nothing: a budget of 100 alerts a day on 90 payments a day, say.
fn decides(decision: &DecisionRule) -> GateRecord {
    let flagged = decision.true_positive + decision.false_positive;
    let rows = flagged + decision.true_negative + decision.false_negative;
    let evidence = format!(
        "at the threshold {:.4} ({}), {flagged} of {rows} rows of the newest test fold get `{}`; at most half",
        decision.threshold, decision.policy, decision.positive
    );
    GateRecord { name: "decides".to_owned(), passed: flagged * 2 <= rows, evidence }
}

fn size(folder: &Path, max: f64) -> Result<GateRecord, PlatformError> {
    let mut bytes = 0;
    for name in ["model.txt", "linear.json", "text.json", "clv.json", "encoder.json"] {
        bytes += folder.join(name).metadata().map_or(0, |facts| facts.len());
    }
    let mb = bytes as f64 / 1e6;
    Ok(GateRecord { name: "model_size".to_owned(), passed: mb <= max, evidence: format!("{mb:.2} MB; at most {max}") })
}

fn times(
    prepared: &Prepared,
    scorer: &Scorer,
    prediction_max: f64,
    explanation_max: f64,
) -> Result<[GateRecord; 2], PlatformError> {
    let rows: Vec<Vec<OwnedValue>> =
        (0..prepared.frame.rows().min(TIMED_ROWS)).map(|row| frame_row(&prepared.frame, row)).collect();
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (mut predictions, mut explanations) = (Vec::new(), Vec::new());
    for row in &rows {
        let start = Instant::now();
        std::hint::black_box(scorer.score(row)?);
        predictions.push(start.elapsed().as_secs_f64() * 1e6);
        let start = Instant::now();
        std::hint::black_box(scorer.explain(row)?);
        explanations.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let gate = |name: &str, found: f64, max: f64| GateRecord {
        name: name.to_owned(),
        passed: found <= max,
        evidence: format!("median {found:.1} us of {} rows, features given; at most {max} us", rows.len()),
    };
    Ok([
        gate("prediction_time", median(&mut predictions), prediction_max),
        gate("explanation_time", median(&mut explanations), explanation_max),
    ])
}
