//! Tables to a trained and judged version, in the run's own folder; validation decides whether it is registered.

use crate::PlatformError;
use crate::inputs::TrainingData;
use crate::inputs::history::arrow_error;
use crate::judge::choose::{Outcome, train};
use crate::judge::estimate;
use crate::judge::evaluation::Evaluation;
use crate::judge::split::{DAY, day_name};
use crate::registry::home::{make_folder, write_whole};
use crate::report::Charts;
use crate::run::prepare::prepare;
use crate::run::{Made, Run};
use crate::version::profiles::Profiles;
use crate::version::{Estimate, FORMAT, FeatureSchema, Manifest, to_json};
use septet_learn::frame::Column;
use septet_learn::measures::Task;
use serde_json::json;

/// Points of a curve in the report.
const CURVE_POINTS: usize = 100;

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let data = prepare(run).await?;
    let tests: Vec<Vec<u32>> = data.plan.test.iter().map(|fold| fold.test.clone()).collect();
    let evaluation = Evaluation::new(&data, run.domain, &tests)?;
    let mut outcome = train(run.domain, &data, &evaluation, run.progress)?;
    let (estimates, errors) = estimate::learn(run.domain, &data, &evaluation, &outcome.validation, &outcome.test)?;
    outcome.metrics.extend(errors);
    let version = version_name(run, &data.data_fingerprint, &data.layout);
    let manifest = manifest(run, &data, &outcome, estimates, &version);
    let learned_from = data.plan.test[0].fitted_on(outcome.kind.learns_from_target());
    let served = outcome.test[0].chance.as_deref().or(outcome.test[0].number.as_deref()).unwrap_or_default();
    let mut files = vec![("manifest.json", to_json(&manifest)?)];
    files.extend(outcome.fitted.files()?);
    files.push(("charts.json", to_json(&charts(run, &data, &outcome))?));
    files.push(Profiles::learn(&data.frame, learned_from, served).file()?);
    let fingerprint = write_version(run, &files)?;
    Ok(Made {
        rows_in: data.rows_read,
        rows_out: learned_from.len() as u64,
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

fn manifest(run: &Run, data: &TrainingData, outcome: &Outcome, estimates: Vec<Estimate>, version: &str) -> Manifest {
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
    let fold = &data.plan.test[0];
    let learns = outcome.kind.learns_from_target();
    let times = |rows: &[u32]| rows.iter().map(|&row| data.times[row as usize]).collect::<Vec<i64>>();
    let day = |time: Option<i64>| time.map_or_else(String::new, day_name);
    Manifest {
        format: FORMAT,
        domain: run.domain.name().to_owned(),
        version: version.to_owned(),
        title: spec.title.clone(),
        question: spec.question.clone(),
        kind: outcome.kind.name().to_owned(),
        task: data.context.task.name().to_owned(),
        target: spec.model.target.get_ref().clone(),
        probability_of: outcome.kind.probability_of().map(str::to_owned),
        layout: data.layout.clone(),
        simulated: data.simulated,
        seed: spec.seed(),
        code_version: env!("CARGO_PKG_VERSION").to_owned(),
        domain_fingerprint: run.domain.fingerprint(),
        data_fingerprint: data.data_fingerprint.clone(),
        data_rows: data.rows_read,
        data_from: day(data.span.map(|(first, _)| first)),
        data_until: day(data.span.map(|(_, last)| last)),
        // What a kind learned without looking at a target is no better on rows that it saw.
        fitted_on: learns.then(|| times(&fold.train)).and_then(|times| {
            times.iter().copied().min().zip(times.iter().copied().max())
        }),
        judged_until: match learns {
            true => times(&fold.test).into_iter().max().map(|time| time + 1),
            false => data.span.map(|(_, last)| last + 1),
        },
        features: data.frame.names.iter().zip(&data.frame.columns).map(feature).collect(),
        extras: data.extras.clone(),
        parameters: outcome.parameters.0.clone(),
        learned: outcome.fitted.learned(),
        outputs: outcome.kind.outputs(&data.context),
        candidates: outcome.candidates.clone(),
        calibrator: outcome.calibrator.clone(),
        estimates,
        decision: outcome.decision.clone(),
        folds: outcome.folds.clone(),
        metrics: outcome.metrics.clone(),
        measure: data.context.measure.name.to_owned(),
        advantage: outcome.advantage.clone(),
        importances: importances(data, outcome),
        importances_of: outcome.importances.of.to_owned(),
    }
}

/// Each input's share of all importances, largest first.
fn importances(data: &TrainingData, outcome: &Outcome) -> Vec<(String, f64)> {
    let by_input = &outcome.importances.by_input;
    // Without a single split there is no gain to share.
    let total = by_input.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let shares = data.frame.names.iter().cloned().zip(by_input.iter().map(|value| value / total));
    let mut shares: Vec<(String, f64)> = shares.collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

fn charts(run: &Run, data: &TrainingData, outcome: &Outcome) -> Charts {
    let fold = &data.plan.test[0];
    let truth: Vec<f64> = fold.test.iter().map(|&row| data.target()[row as usize]).collect();
    let ours = &outcome.test[0];
    if data.context.task == Task::Number {
        return Charts::of_numbers(ours.number.as_deref().unwrap_or_default(), &truth);
    }
    let positive: Vec<bool> = truth.iter().map(|&truth| truth > 0.0).collect();
    let day: Vec<i32> = fold.test.iter().map(|&row| data.times[row as usize].div_euclid(DAY) as i32).collect();
    let flags = run.domain.spec.decision.as_ref().and_then(|decision| decision.flags_per_day);
    let baseline = outcome.strongest_baseline.as_ref();
    let baseline = baseline.and_then(|(name, answers)| Some((name.as_str(), answers.score.as_deref()?)));
    let (score, chance) = (ours.score.as_deref().unwrap_or_default(), ours.chance.as_deref().unwrap_or_default());
    Charts::new(score, chance, &positive, &day, baseline, flags, CURVE_POINTS)
}

/// Reads the charts back.
pub fn read_charts(folder: &std::path::Path) -> Result<Charts, PlatformError> {
    let path = folder.join("charts.json");
    let bytes = std::fs::read(&path).map_err(|error| PlatformError::io(&path, error))?;
    serde_json::from_slice(&bytes).map_err(arrow_error)
}
