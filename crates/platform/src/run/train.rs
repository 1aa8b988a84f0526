//! Tables to a trained and judged version, in the run's own folder; validation decides whether it is registered.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::TrainingData;
use crate::inputs::history::nullable;
use crate::judge::alone::{beyond_contract, check_exceptions, each_alone};
use crate::judge::choose::{Outcome, train};
use crate::judge::decide::decide;
use crate::judge::estimate;
use crate::judge::evaluation::Evaluation;
use crate::registry::home::{make_folder, write_whole};
use crate::report::{Charts, IntervalsHeld};
use crate::run::prepare::prepare;
use crate::run::{Made, Run};
use crate::split::{DAY, day_name};
use crate::values::to_json;
use crate::version::profiles::{self, Profiles};
use crate::version::{DEFINITION, Estimate, FORMAT, FeatureSchema, INTERVAL, Manifest, Scorer};
use septet_learn::calibration::ProbabilityInterval;
use septet_learn::frame::Column;
use septet_learn::measures::{Answers, Task};
use septet_tables::arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringArray};
use septet_tables::arrow::datatypes::{Field, Schema};
use serde_json::json;
use std::sync::Arc;

/// Points of a curve in the report.
const CURVE_POINTS: usize = 100;

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let data = prepare(run).await?;
    let tests: Vec<Vec<u32>> = data.plan.test.iter().map(|fold| fold.test.clone()).collect();
    let evaluation = Evaluation::new(&data, run.domain, &tests)?;
    check_exceptions(run.domain, &data.frame.names)?;
    let fit = fit_name(run, &data.data_fingerprint, &data.layout);
    if let Some(known) = fitted_before(run, &fit)? {
        run.progress.say(&format!("what is learned from has not changed: deciding anew on the fit of {known}"));
        return decide_anew(run, &data, &evaluation, &known);
    }
    let mut outcome = train(run.domain, &data, &evaluation, run.progress)?;
    let (estimates, errors) = estimate::learn(run.domain, &data, &evaluation, &outcome.validation, &outcome.test)?;
    outcome.metrics.extend(errors);
    let version = version_name(run, &fit);
    let manifest = manifest(run, &data, &outcome, estimates, &version, &fit);
    let learned_from = data.plan.test[0].fitted_on(outcome.kind.learns_from_target());
    let mut files = vec![("manifest.json".to_owned(), to_json(&manifest)?)];
    files.extend(outcome.fitted.files()?.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)));
    files.push(("charts.json".to_owned(), to_json(&charts(run, &data, &outcome))?));
    let profiles = Profiles::learn(&data.frame, &data.personal, learned_from, served(&outcome.test[0]));
    let (name, profile) = profiles.file()?;
    files.push((name.to_owned(), profile));
    files.push((ANSWERS.to_owned(), answers_file(&outcome.validation, &outcome.test)?));
    if let Some(interval) = &outcome.interval {
        files.push((INTERVAL.to_owned(), to_json(interval)?));
    }
    files.extend(definition_files(run));
    made(run, &data, &files, &manifest)
}

fn made(
    run: &Run,
    data: &TrainingData,
    files: &[(String, Vec<u8>)],
    manifest: &Manifest,
) -> Result<Made, PlatformError> {
    Ok(Made {
        rows_in: data.rows_read,
        rows_out: data.plan.test.first().map_or(0, |fold| fold.fitted_on(false).len()) as u64,
        quarantined: 0,
        fingerprint: write_version(run, files)?,
        detail: json!({
            "version": manifest.version,
            "beyond_contract": beyond_contract(manifest),
            "left_out": manifest.left_out,
        }),
    })
}

/// What is served of answers: chances, or numbers.
fn served(answers: &Answers) -> &[f64] {
    answers.chance.as_deref().or(answers.number.as_deref()).unwrap_or_default()
}

/// The definition that the version answers by from now on.
fn definition_files(run: &Run) -> Vec<(String, Vec<u8>)> {
    let files = run.domain.files.iter();
    files.map(|(path, text)| (format!("{DEFINITION}/{path}"), text.clone().into_bytes())).collect()
}

/// A version of this domain with the same fit, the first by name, if there is one that can be decided anew.
fn fitted_before(run: &Run, fit: &str) -> Result<Option<String>, PlatformError> {
    let folder = run.home.models_folder(run.domain.name());
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(None) };
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let own = version_name(run, fit);
    let same = |name: &&String| {
        let version = folder.join(name);
        let scorer = Scorer::load(&version);
        **name != own && version.join(ANSWERS).exists() && scorer.is_ok_and(|scorer| scorer.manifest.fit == fit)
    };
    Ok(names.iter().find(same).cloned())
}

/// The same fit with what is decided on it today: thresholds, estimates, words.
fn decide_anew(run: &Run, data: &TrainingData, evaluation: &Evaluation, known: &str) -> Result<Made, PlatformError> {
    let folder = run.home.version_folder(run.domain.name(), known);
    let Scorer { manifest: before, .. } = Scorer::load(&folder)?;
    let (validation, test) = read_answers(&folder, data)?;
    let (estimates, errors) = estimate::learn(run.domain, data, evaluation, &validation, &test)?;
    let decision = run.domain.spec.decision.as_ref().map(|decision| decide(decision, data, &validation, &test[0]));
    let mut metrics = before.metrics.clone();
    metrics.retain(|name, _| !before.estimates.iter().any(|estimate| *name == format!("{}_error", estimate.name)));
    metrics.extend(errors);
    let spec = &run.domain.spec;
    let version = version_name(run, &before.fit);
    let manifest = Manifest {
        version: version.clone(),
        title: spec.title.clone(),
        question: spec.question.clone(),
        definition: run.domain.fingerprints(),
        decided_anew_from: Some(known.to_owned()),
        features: features(run, data),
        left_out: data.left_out.clone(),
        alone: each_alone(data),
        tables: Some(data.tables.clone()),
        estimates,
        decision,
        metrics,
        ..before
    };
    let old: Charts = read_charts(&folder)?;
    let charts = match data.context.task {
        Task::Number => old,
        Task::Label | Task::Count => {
            let (baseline, intervals) = (old.baseline, old.intervals);
            Charts { baseline, intervals, ..label_charts(run, data, &test[0], None, None) }
        }
    };
    let mut files = vec![("manifest.json".to_owned(), to_json(&manifest)?)];
    let kept = std::fs::read_dir(&folder).map_err(|error| PlatformError::io(&folder, error))?;
    let made_anew = ["manifest.json", "charts.json", "gates.json", "card.md", "report.html"];
    for path in kept.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !made_anew.contains(&name.as_str()) {
            files.push((name, std::fs::read(&path).map_err(|error| PlatformError::io(&path, error))?));
        }
    }
    files.push(("charts.json".to_owned(), to_json(&charts)?));
    files.extend(definition_files(run));
    made(run, data, &files, &manifest)
}

/// `answers.parquet`: what the chosen candidate said of the validation and the test folds, so that lines can be drawn on it again.
const ANSWERS: &str = "answers.parquet";

fn answers_file(validation: &[Answers], test: &[Answers]) -> Result<Vec<u8>, PlatformError> {
    let (mut part, mut fold) = (Vec::new(), Vec::new());
    let mut columns: [Vec<f64>; 3] = Default::default();
    for (name, all) in [("validation", validation), ("test", test)] {
        for (at, answers) in all.iter().enumerate() {
            let said = [&answers.score, &answers.chance, &answers.number];
            let rows = said.iter().filter_map(|values| values.as_ref().map(Vec::len)).max().unwrap_or(0);
            part.resize(part.len() + rows, name);
            fold.resize(fold.len() + rows, at as i64);
            for (column, values) in columns.iter_mut().zip(said) {
                match values {
                    Some(values) => column.extend(values),
                    None => column.resize(column.len() + rows, f64::NAN),
                }
            }
        }
    }
    let [score, chance, number] = columns.map(nullable);
    let arrays: [(&str, ArrayRef); 5] = [
        ("part", Arc::new(StringArray::from(part))),
        ("fold", Arc::new(Int64Array::from(fold))),
        ("score", score),
        ("chance", chance),
        ("number", number),
    ];
    let fields = arrays.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(schema, arrays.map(|(_, array)| array).to_vec()).map_err(arrow_error)?;
    Ok(septet_tables::batch_bytes(&batch)?)
}

/// Answers to the validation folds and the test folds.
type BothAnswers = (Vec<Answers>, Vec<Answers>);

pub fn read_answers(folder: &std::path::Path, data: &TrainingData) -> Result<BothAnswers, PlatformError> {
    let batch = septet_tables::read_batch(&folder.join(ANSWERS))?;
    let said = ["score", "chance", "number"].map(|name| {
        let column = batch.column_by_name(name).ok_or_else(|| arrow_error(format!("{ANSWERS} has no `{name}`")))?;
        septet_tables::numbers(column).map_err(PlatformError::from)
    });
    let [score, chance, number] = said;
    let (score, chance, number) = (score?, chance?, number?);
    let mut from = 0;
    let mut part = |folds: &[crate::split::Fold]| -> Result<Vec<Answers>, PlatformError> {
        let mut all = Vec::new();
        for fold in folds {
            let rows = from..from + fold.test.len();
            if rows.end > score.len() {
                return Err(arrow_error(format!("{ANSWERS} has fewer rows than the folds")));
            }
            let own = |values: &[f64]| {
                let own = values[rows.clone()].to_vec();
                (!own.iter().all(|value| value.is_nan())).then_some(own)
            };
            all.push(Answers { score: own(&score), chance: own(&chance), number: own(&number) });
            from = rows.end;
        }
        Ok(all)
    };
    Ok((part(&data.plan.validation)?, part(&data.plan.test)?))
}

/// Writes a version into the run's own folder; a hash of its files.
fn write_version(run: &Run, files: &[(String, Vec<u8>)]) -> Result<String, PlatformError> {
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

/// Equal data, split, features, kinds, seed and program give the same fit: its name says so.
fn fit_name(run: &Run, data_fingerprint: &str, layout: &str) -> String {
    let model = run.domain.fingerprints().model;
    let seed = run.domain.spec.seed().to_string();
    let format = FORMAT.to_string();
    hash_of(&[
        data_fingerprint,
        run.domain.name(),
        &model,
        layout,
        &seed,
        env!("CARGO_PKG_VERSION"),
        &format,
        profiles::FORM,
    ])
}

/// And with equal decisions on it the same version.
fn version_name(run: &Run, fit: &str) -> String {
    hash_of(&[fit, &run.domain.fingerprints().answers])
}

fn hash_of(parts: &[&str]) -> String {
    blake3::hash(parts.join("\n").as_bytes()).to_hex()[..12].to_owned()
}

/// The model's inputs, with the words of today's definition.
fn features(run: &Run, data: &TrainingData) -> Vec<FeatureSchema> {
    let spec = &run.domain.spec;
    let feature = |(name, column): (&String, &Column)| {
        let said = spec.words_of(name);
        FeatureSchema {
            name: name.clone(),
            kind: if matches!(column, Column::Number(_)) { "number" } else { "category" }.to_owned(),
            meaning: said.meaning,
            unit: said.unit,
        }
    };
    data.frame.names.iter().zip(&data.frame.columns).map(feature).collect()
}

fn manifest(
    run: &Run,
    data: &TrainingData,
    outcome: &Outcome,
    estimates: Vec<Estimate>,
    version: &str,
    fit: &str,
) -> Manifest {
    let spec = &run.domain.spec;
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
        definition: run.domain.fingerprints(),
        fit: fit.to_owned(),
        decided_anew_from: None,
        data_fingerprint: data.data_fingerprint.clone(),
        data_rows: data.rows_read,
        data_from: day(data.span.map(|(first, _)| first)),
        data_until: day(data.span.map(|(_, last)| last)),
        // What a kind learned without looking at a target is no better on rows that it saw.
        fitted_on: learns
            .then(|| times(&fold.train))
            .and_then(|times| times.iter().copied().min().zip(times.iter().copied().max())),
        judged_until: match learns {
            true => times(&fold.test).into_iter().max().map(|time| time + 1),
            false => data.span.map(|(_, last)| last + 1),
        },
        features: features(run, data),
        extras: data.extras.clone(),
        left_out: data.left_out.clone(),
        alone: each_alone(data),
        tables: Some(data.tables.clone()),
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
    if data.context.task == Task::Number {
        let truth: Vec<f64> = data.plan.test[0].test.iter().map(|&row| data.target()[row as usize]).collect();
        return Charts::of_numbers(outcome.test[0].number.as_deref().unwrap_or_default(), &truth);
    }
    let baseline = outcome.strongest_baseline.as_ref();
    let baseline = baseline.and_then(|(name, answers)| Some((name.as_str(), answers.ranked_by(data.context.task)?)));
    label_charts(run, data, &outcome.test[0], outcome.interval.as_ref(), baseline)
}

fn label_charts(
    run: &Run,
    data: &TrainingData,
    ours: &Answers,
    interval: Option<&ProbabilityInterval>,
    baseline: Option<(&str, &[f64])>,
) -> Charts {
    let fold = &data.plan.test[0];
    let positive: Vec<bool> = fold.test.iter().map(|&row| data.target()[row as usize] > 0.0).collect();
    let day: Vec<i32> = fold.test.iter().map(|&row| data.times[row as usize].div_euclid(DAY) as i32).collect();
    let flags = run.domain.spec.decision.as_ref().and_then(|decision| decision.flags_per_day);
    let score = ours.ranked_by(data.context.task).unwrap_or_default();
    let chance = ours.chance.as_deref().unwrap_or_default();
    let intervals = interval.zip(ours.score.as_ref()).and_then(|(interval, raw)| {
        let ends: Vec<(f64, f64)> =
            raw.iter().zip(chance).map(|(&raw, &chance)| interval.around(raw, chance)).collect();
        IntervalsHeld::of(chance, &ends, &positive)
    });
    Charts { intervals, ..Charts::new(score, chance, &positive, &day, baseline, flags, CURVE_POINTS) }
}

/// Reads the charts back.
pub fn read_charts(folder: &std::path::Path) -> Result<Charts, PlatformError> {
    let path = folder.join("charts.json");
    let bytes = std::fs::read(&path).map_err(|error| PlatformError::io(&path, error))?;
    serde_json::from_slice(&bytes).map_err(arrow_error)
}
