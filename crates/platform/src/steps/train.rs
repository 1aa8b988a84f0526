//! Tables to a trained and judged version, in the run's own folder; validation decides whether it is registered.

use crate::PlatformError;
use crate::estimate::{self, Estimate};
use crate::history::arrow_error;
use crate::home::{make_folder, write_whole};
use crate::judge::Exam;
use crate::profiles::Profiles;
use crate::purchases;
use crate::report::Charts;
use crate::run::{Made, Run};
use crate::split::{DAY, day_name};
use crate::steps::material::{Prepared, prepare};
use crate::train::{Outcome, train};
use crate::version::{FORMAT, FeatureSchema, Manifest, to_json};
use septet_learn::frame::Column;
use serde_json::json;

/// Points of a curve in the report.
const CURVE_POINTS: usize = 100;

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    if let Some(spec) = &run.domain.spec.purchases {
        return purchases::run(run, spec).await;
    }
    let prepared = prepare(run).await?;
    let material = prepared.material(run.domain);
    let all_labels = prepared.history.label(run.domain.spec.label_model().target.get_ref())?;
    let tests: Vec<Vec<u32>> = prepared.plan.test.iter().map(|fold| fold.test.clone()).collect();
    let exam = Exam::new(&prepared.history, run.domain, &all_labels, &tests)?;
    let mut outcome = train(&material, &prepared.plan, &exam, run.progress)?;
    let (estimates, errors) = estimate::learn(run.domain, &prepared, &exam, &outcome.validation, &outcome.test)?;
    outcome.metrics.extend(errors);
    let version = version_name(run, &prepared.data_fingerprint, &prepared.layout);
    let manifest = manifest(run, &prepared, &outcome, estimates, &version);
    let charts = charts(run, &prepared, &outcome);
    let (model_name, model_bytes) = outcome.model.file()?;
    let files = [
        ("manifest.json", to_json(&manifest)?),
        ("encoder.json", to_json(&outcome.encoder)?),
        (model_name, model_bytes),
        ("charts.json", to_json(&charts)?),
        Profiles::learn(&prepared.frame, &material.rows(&prepared.plan.test[0].train), &outcome.test[0].probability)
            .file()?,
    ];
    let fingerprint = write_version(run, &files)?;
    let rows: usize = prepared.plan.test.first().map_or(0, |fold| fold.train.len());
    Ok(Made {
        rows_in: prepared.history.rows() as u64,
        rows_out: rows as u64,
        quarantined: 0,
        fingerprint,
        detail: json!({ "version": version }),
    })
}

/// Writes a version into the run's own folder; a hash of its files.
pub fn write_version(run: &Run, files: &[(&str, Vec<u8>)]) -> Result<String, PlatformError> {
    let folder = run.run_folder().join("version");
    let _ = std::fs::remove_dir_all(&folder);
    make_folder(&folder)?;
    let mut hasher = blake3::Hasher::new();
    for (name, bytes) in files {
        write_whole(&folder.join(name), bytes)?;
        hasher.update(bytes);
    }
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

/// Equal data, domain, seed and program give the same version: its name says so.
pub fn version_name(run: &Run, data_fingerprint: &str, layout: &str) -> String {
    let parts = [
        data_fingerprint,
        &run.domain.fingerprint(),
        layout,
        &run.domain.spec.seed().to_string(),
        env!("CARGO_PKG_VERSION"),
    ];
    blake3::hash(parts.join("\n").as_bytes()).to_hex()[..12].to_owned()
}

fn manifest(run: &Run, prepared: &Prepared, outcome: &Outcome, estimates: Vec<Estimate>, version: &str) -> Manifest {
    let spec = &run.domain.spec;
    let feature = |(name, column): (&String, &Column)| {
        let declared = spec.feature.iter().find(|(known, _)| known.get_ref() == name).map(|(_, feature)| feature);
        FeatureSchema {
            name: name.clone(),
            kind: if matches!(column, Column::Number(_)) { "number" } else { "category" }.to_owned(),
            meaning: declared.and_then(|feature| feature.meaning.clone()),
            unit: declared.and_then(|feature| feature.unit.clone()),
        }
    };
    Manifest {
        format: FORMAT,
        domain: run.domain.name().to_owned(),
        version: version.to_owned(),
        title: spec.title.clone(),
        question: spec.question.clone(),
        kind: outcome.model.kind().to_owned(),
        target: spec.label_model().target.get_ref().clone(),
        layout: prepared.layout.clone(),
        simulated: prepared.simulated,
        seed: spec.seed(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        domain_fingerprint: run.domain.fingerprint(),
        data_fingerprint: prepared.data_fingerprint.clone(),
        data_rows: prepared.history.rows() as u64,
        data_from: prepared.history.times.first().map_or_else(String::new, |&time| day_name(time)),
        data_until: prepared.history.times.last().map_or_else(String::new, |&time| day_name(time)),
        fitted_on: span(&prepared.plan.test[0].train, &prepared.history.times),
        judged_until: prepared.plan.test[0].test.iter().map(|&row| prepared.history.times[row as usize] + 1).max(),
        features: prepared.frame.names.iter().zip(&prepared.frame.columns).map(feature).collect(),
        extras: prepared.extras.clone(),
        parameters: outcome.parameters.clone(),
        candidates: outcome.candidates.clone(),
        calibrator: outcome.calibrator.clone(),
        estimates,
        decision: outcome.decision.clone(),
        folds: outcome.folds.clone(),
        metrics: outcome.metrics.clone(),
        advantage: outcome.advantage.clone(),
        importances: outcome.importances.clone(),
    }
}

/// First and last time of some rows.
fn span(rows: &[u32], times: &[i64]) -> Option<(i64, i64)> {
    let own = || rows.iter().map(|&row| times[row as usize]);
    own().min().zip(own().max())
}

fn charts(run: &Run, prepared: &Prepared, outcome: &Outcome) -> Charts {
    let fold = &prepared.plan.test[0];
    let truth: Vec<bool> =
        fold.test.iter().map(|&row| prepared.label[row as usize - prepared.first_row] == 1.0).collect();
    let day: Vec<i32> =
        fold.test.iter().map(|&row| prepared.history.times[row as usize].div_euclid(DAY) as i32).collect();
    let alerts = run.domain.spec.decision.as_ref().and_then(|decision| decision.alerts_per_day);
    let baseline = outcome.strongest_baseline.as_ref().map(|(name, scored)| (name.as_str(), scored.score.as_slice()));
    Charts::new(&outcome.test[0].score, &outcome.test[0].probability, &truth, &day, baseline, alerts, CURVE_POINTS)
}

/// Reads the charts back.
pub fn read_charts(folder: &std::path::Path) -> Result<Charts, PlatformError> {
    let path = folder.join("charts.json");
    let bytes = std::fs::read(&path).map_err(|error| PlatformError::io(&path, error))?;
    serde_json::from_slice(&bytes).map_err(arrow_error)
}
