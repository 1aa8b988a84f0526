//! Gates: what a version must hold before it may answer. One that fails is kept and marked.

use crate::PlatformError;
use crate::inputs::{Inputs, TrainingData};
use crate::judge::alone::{GIVES_AWAY, accusation, each_alone, figures, gives_away};
use crate::judge::evaluation::Evaluation;
use crate::registry::CHAMPION;
use crate::registry::home::{appear, write_whole};
use crate::registry::store::GateRecord;
use crate::registry::tables::register_inputs;
use crate::report::{self, ReportInput};
use crate::run::limits::{budget, calibration, decides, gate, limited, times};
use crate::run::prepare::{known_at, prepare, prepare_anew};
use crate::run::train::{read_answers, read_charts};
use crate::run::{Made, Run, StepName};
use crate::values::to_json;
use crate::version::learned_tables::register_as_learned;
use crate::version::{Manifest, Scorer};
use septet_domain::Spanned;
use septet_learn::frame::Column;
use septet_tables::ExtractReport;
use serde_json::json;
use std::path::Path;

/// Inputs that a gate tells one by one.
const LEAKS_TOLD_MAX: usize = 5;

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
    let data = prepare(run).await?;
    let gates = gates(run, &data, &scorer).await?;
    let metrics = String::from_utf8_lossy(&to_json(&scorer.manifest.metrics)?).into_owned();
    if partial.exists() {
        write_papers(run, &scorer, &gates, &partial).await?;
        crate::registry::home::make_folder(home_folder.parent().unwrap_or(Path::new(".")))?;
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

/// Features that are broken on purpose before gates are asked again, to see that they notice.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatesSpoiled {
    /// The batch features of the newest row, which is asked again online.
    pub parity: bool,
    /// Those of a row in the middle, which is computed again from inputs cut behind it.
    pub look_ahead: bool,
}

/// The gates of the champion once more, on the published run's own tables.
pub async fn again(run: &Run<'_>, version: &str, spoil: GatesSpoiled) -> Result<Vec<GateRecord>, PlatformError> {
    let folder = run.home.version_folder(run.domain.name(), version);
    let scorer = Scorer::load(&folder)?;
    let mut prepared = prepare_anew(run, run.report_of(StepName::Extract).await?).await?;
    let last = prepared.frame.rows().saturating_sub(1);
    let rows = [(spoil.parity, last), (spoil.look_ahead, last / 2)];
    for row in rows.into_iter().filter(|(wanted, _)| *wanted).map(|(_, row)| row) {
        let number = prepared.frame.columns.iter_mut().find_map(|column| match column {
            Column::Number(values) => values.get_mut(row),
            Column::Category { .. } => None,
        });
        number.into_iter().for_each(|value| *value = -1e9);
    }
    gates(run, &prepared, &scorer).await
}

/// Whether the papers in a version's folder are those that its manifest, gates and charts make, to the byte.
pub async fn papers_are_current(run: &Run<'_>, version: &str) -> Result<bool, PlatformError> {
    let folder = run.home.version_folder(run.domain.name(), version);
    let scorer = Scorer::load(&folder)?;
    let gates = folder.join("gates.json");
    let gates = std::fs::read(&gates).map_err(|error| PlatformError::io(&gates, error))?;
    let gates: Vec<GateRecord> = serde_json::from_slice(&gates).map_err(crate::error::arrow_error)?;
    for (name, bytes) in papers(run, &scorer, &gates, &folder).await? {
        if std::fs::read(folder.join(name)).ok().as_ref() != Some(&bytes) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn gates(run: &Run<'_>, data: &TrainingData, scorer: &Scorer) -> Result<Vec<GateRecord>, PlatformError> {
    let limits = &run.domain.spec.gates;
    let manifest = &scorer.manifest;
    let total = 7 + manifest.advantage.len() as u64;
    run.progress.begin("validate: gates", Some(total), "gates");
    let on = if data.plan.test.len() == 1 && data.plan.test[0].seen.is_empty() { "hold-out" } else { "test folds" };
    let on = if data.plan.test[0].seen.is_empty() { on } else { "keys held out" };
    let advantages = manifest.advantage.iter();
    let mut gates: Vec<GateRecord> =
        advantages.map(|(name, advantage)| beats(&manifest.measure, on, name, *advantage)).collect();
    run.progress.done(gates.len() as u64);
    let runtime = tokio::runtime::Handle::current();
    let (equal, unchanged) =
        rayon::join(|| data.parity(limits.parity_rows), || runtime.block_on(no_look_ahead(run, data)));
    let equal = equal?;
    gates.push(gate("batch_equals_online", equal.different == 0, equal.evidence));
    gates.extend(unchanged?);
    gates.push(no_leak(data, manifest, &limits.may_reveal_label));
    run.progress.done(gates.len() as u64);
    let answers = run_answers(run, data, scorer)?;
    gates.extend(calibration(scorer, &answers, limits.calibration_error_max));
    if let Some(total) = manifest.metrics.get("total_error") {
        let (off, max) = (100.0 * total.value, 100.0 * limits.total_error_max);
        let evidence = format!("sum over the test rows off by {off:.1} %; at most {max:.0} %");
        let passed = total.value <= limits.total_error_max;
        gates.push(limited("total", passed, evidence, "total_error_max", limits.total_error_max));
    }
    if let Some(decision) = &manifest.decision {
        gates.push(decides(decision, limits.flagged_share_max));
        gates.extend(budget(decision, limits.budget_off_max));
    }
    let mb = scorer.model_bytes()? as f64 / 1e6;
    let evidence = format!("{mb:.2} MB; at most {}", limits.model_mb_max);
    gates.push(limited("model_size", mb <= limits.model_mb_max, evidence, "model_mb_max", limits.model_mb_max));
    gates.extend(against_champion(run, data, scorer).await?);
    gates.extend(times(data, scorer, limits.prediction_us_max, limits.explanation_us_max)?);
    run.progress.end();
    Ok(gates)
}

/// The version beside the champion on the newest test fold, rows that neither has learned from: refused where the whole interval of
/// the difference lies beyond the margin on the wrong side. None without another champion for the same target.
async fn against_champion(
    run: &Run<'_>,
    data: &TrainingData,
    scorer: &Scorer,
) -> Result<Option<GateRecord>, PlatformError> {
    let name = run.domain.name();
    let Some(champion) = run.store.alias(name, CHAMPION).await?.map(|alias| alias.version) else { return Ok(None) };
    let same_fit = |champion: &Scorer| champion.manifest.fit == scorer.manifest.fit;
    let folder = run.home.version_folder(name, &champion);
    let said = |passed: bool, evidence: String| Ok(Some(gate("holds_against_champion", passed, evidence)));
    // A champion that cannot be loaded answers nobody: it is no reason to keep its successor back.
    let Ok(champion) = Scorer::load(&folder) else {
        return said(true, format!("champion `{champion}` cannot be loaded"));
    };
    let their = &champion.manifest;
    if their.version == scorer.manifest.version || same_fit(&champion) || their.target != scorer.manifest.target {
        return Ok(None);
    }
    let fold = &data.plan.test[0].test;
    let seen_until = their.fitted_on.map(|(_, last)| last).or(their.judged_until).unwrap_or(i64::MAX);
    let unseen: Vec<u32> =
        (0..fold.len() as u32).filter(|&at| data.times[fold[at as usize] as usize] > seen_until).collect();
    if unseen.len() * 2 < fold.len() {
        let what =
            format!("champion `{}` has learned from most of the newest test fold's rows: not compared", their.version);
        return said(true, what);
    }
    let rows: Vec<u32> = unseen.iter().map(|&at| fold[at as usize]).collect();
    let domain = crate::version::definition(&folder, name)?;
    let engine = run.engine()?;
    register_as_learned(&engine, &domain, &run.tables_folder(), their).await?;
    let inputs = Inputs::load(&engine, &domain, &their.extras, 0).await?;
    let Some(frame) = data.frame_by(&inputs, &rows)? else { return Ok(None) };
    let theirs = champion.answers(&frame, &data.context)?;
    let ours = run_answers(run, data, scorer)?.into_iter().next().map(|answers| answers.take(&unseen));
    let Some(ours) = ours else { return Ok(None) };
    let evaluation = Evaluation::new(data, run.domain, &[rows])?;
    let measure = data.context.measure;
    let (own, other, advantage) = evaluation.beside(&[ours], &[theirs], measure);
    let margin = run.domain.spec.gates.champion_margin;
    let range = advantage.map_or_else(|| "no interval".to_owned(), |(low, high)| format!("{low:.4} to {high:.4}"));
    let evidence = format!(
        "{}: {own:.4} beside {other:.4} of champion `{}` on {} rows; better by {range} (95 % interval of the difference); \
         refused where all of it is below {}",
        measure.name,
        their.version,
        unseen.len(),
        0.0 - margin
    );
    let holds = advantage.is_none_or(|(_, high)| high >= -margin);
    Ok(Some(limited("holds_against_champion", holds, evidence, "champion_margin", margin)))
}

/// What this version's candidate said of the test folds.
fn run_answers(
    run: &Run,
    data: &TrainingData,
    scorer: &Scorer,
) -> Result<Vec<septet_learn::measures::Answers>, PlatformError> {
    let partial = run.run_folder().join("version");
    let kept = run.home.version_folder(run.domain.name(), &scorer.manifest.version);
    let folder = if partial.exists() { partial } else { kept };
    Ok(read_answers(&folder, data)?.1)
}

/// Features and labels once more from the inputs as they were known at a time: nothing earlier may depend on what came later.
async fn no_look_ahead(run: &Run<'_>, data: &TrainingData) -> Result<Vec<GateRecord>, PlatformError> {
    let engine = run.engine()?;
    register_inputs(&engine, run.domain, &run.tables_folder()).await?;
    let tables = data.tables_behind(&engine, run.domain)?;
    let cut = data.cut_at();
    let known = known_at(run, cut, &tables).await?;
    let (features, labels) = data.again_at_cut(&known, run.domain, cut).await?;
    let labels = labels.map(|found| gate("labels_no_look_ahead", found.different == 0, found.evidence));
    let features = gate("no_look_ahead", features.different == 0, features.evidence);
    Ok([features].into_iter().chain(labels).collect())
}

/// An input that alone tells the label is not had when the answer is asked for, or the question is none. `allowed`: those of which
/// somebody has said that they are.
fn no_leak(data: &TrainingData, manifest: &Manifest, allowed: &[Spanned<String>]) -> GateRecord {
    // A version of an earlier program does not say.
    let alone = if manifest.alone.is_empty() { each_alone(data) } else { manifest.alone.clone() };
    let is_allowed = |name: &str| allowed.iter().any(|known| known.get_ref() == name);
    let judged = || alone.iter().filter(|(name, _)| !is_allowed(name));
    let leaks: Vec<String> =
        judged().filter(|(_, found)| gives_away(found)).map(|(name, found)| accusation(name, found)).collect();
    if !leaks.is_empty() {
        let told = leaks[..leaks.len().min(LEAKS_TOLD_MAX)].join("; ");
        let evidence = format!(
            "{told}; refused above {GIVES_AWAY}: leave it out, or name it in [gates] may_reveal_label if it is known when an \
             answer is asked for"
        );
        return gate("no_leak", false, evidence);
    }
    let most = judged().max_by(|a, b| a.1.low.total_cmp(&b.1.low));
    let most = most.map_or_else(
        || "none says anything alone".to_owned(),
        |(name, found)| format!("`{name}` says most alone: {} on {} held-out rows", figures(found), found.rows),
    );
    let but = if allowed.is_empty() { String::new() } else { format!("; {} allowed to say more", allowed.len()) };
    gate("no_leak", true, format!("of {} inputs {most}; refused above {GIVES_AWAY}{but}", alone.len()))
}

/// The interval of our advantage over a baseline in a metric, and what it was judged on.
fn beats(metric: &str, on: &str, baseline: &str, advantage: Option<(f64, f64)>) -> GateRecord {
    let evidence = match advantage {
        Some((low, high)) => {
            format!("{metric}: better by {low:.4} to {high:.4} (95 % interval of the difference, {on})")
        }
        None => "the difference could not be resampled".to_owned(),
    };
    GateRecord { name: format!("beats_{baseline}"), passed: advantage.is_some_and(|(low, _)| low > 0.0), evidence }
}
