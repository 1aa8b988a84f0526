//! From features to a judged version: candidates are chosen on validation folds, the chosen one is judged once on the test
//! folds, beside its baselines.

use crate::PlatformError;
use crate::inputs::TrainingData;
use crate::judge::baselines;
use crate::judge::decide::decide;
use crate::judge::evaluation::{Evaluation, EvaluationResult};
use crate::kinds::{self, AlsoJudged, Context, Examples, Fitted, Importances, Kind, Parameters};
use crate::progress::Progress;
use crate::split::Fold;
use crate::version::{Candidate, DecisionRule, FoldSummary, MetricValue};
use rayon::prelude::*;
use septet_domain::{Choose, Domain, ParameterValue};
use septet_learn::calibration::{self, Calibrator, ProbabilityInterval};
use septet_learn::frame::Frame;
use septet_learn::measures::{Answers, Prepared, Task};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tracing::debug;

/// Rows of the rarer class below which a fold is warned of: an AUC of ten is known to about a tenth. A convention.
pub const EVENTS_FEW: usize = 10;

/// A trained, chosen and judged model.
pub struct Outcome {
    pub kind: &'static dyn Kind,
    pub fitted: Box<dyn Fitted>,
    pub calibrator: Calibrator,
    /// Of a label: how far its probabilities could be off.
    pub interval: Option<ProbabilityInterval>,
    pub decision: Option<DecisionRule>,
    pub parameters: Parameters,
    pub candidates: Vec<Candidate>,
    pub folds: Vec<FoldSummary>,
    pub metrics: BTreeMap<String, MetricValue>,
    pub advantage: BTreeMap<String, Option<(f64, f64)>>,
    pub importances: Importances,
    /// What the chosen candidate said of the validation folds, which it was not trained on.
    pub validation: Vec<Answers>,
    /// Answers on the test folds; the newest comes first.
    pub test: Vec<Answers>,
    /// The baseline that came closest, on the newest test fold.
    pub strongest_baseline: Option<(String, Answers)>,
}

/// A combination of parameters of a kind.
#[derive(Clone)]
struct Tried {
    kind: &'static dyn Kind,
    parameters: Parameters,
}

/// A fit runs on one thread and fits run beside each other: faster than one fit on many, and the same bits on any machine.
pub fn train(
    domain: &Domain,
    data: &TrainingData,
    evaluation: &Evaluation,
    progress: &dyn Progress,
) -> Result<Outcome, PlatformError> {
    let groups = groups(domain)?;
    let of_baselines = baselines::fits(domain, data.context.task);
    let fits = groups.len() * data.plan.validation.len() + data.plan.test.len() * (1 + of_baselines);
    progress.begin("train: fits", Some(fits as u64), "fits");
    let done = AtomicU64::new(0);
    let tick = || progress.done(done.fetch_add(1, Ordering::Relaxed) + 1);
    for words in data.plan.validation.iter().filter_map(|fold| little_evidence(data, fold)) {
        progress.say(&words);
    }
    let Choice { tried, candidates, best, answers, fitted } = choose(domain, data, groups, &tick)?;
    let Tried { kind, parameters } = tried[best].clone();
    let (calibrator, interval) = calibrate(data, &answers);
    let validation: Vec<Answers> =
        answers.into_iter().map(|one| calibrated(one, data.context.task, &calibrator)).collect();
    let judged = |(at, fold): (usize, &Fold)| {
        let rows = fold.fitted_on(kind.learns_from_target());
        // The newest is kept, with the text that a fit of its own gives.
        let known =
            data.plan.validation.iter().position(|known| at > 0 && known.fitted_on(kind.learns_from_target()) == rows);
        let known = known.map(|known| fitted[known].cut_to(&parameters)).transpose()?.flatten();
        let fitted = known.map_or_else(|| fit(kind, data, rows, &parameters), Ok)?;
        let tested = Rows::of(data, &fold.test);
        let also = fitted.also_judged(&tested.examples(&data.context))?;
        let answers = calibrated(fitted.answers(&tested.frame, &data.context)?, data.context.task, &calibrator);
        tick();
        Ok::<_, PlatformError>((fitted, answers, also))
    };
    let judged: Vec<(Box<dyn Fitted>, Answers, Vec<AlsoJudged>)> =
        data.plan.test.par_iter().enumerate().map(judged).collect::<Result<_, _>>()?;
    let mut newest = None;
    let (mut test, mut also) = (Vec::new(), Vec::new());
    for (fitted, answers, own) in judged {
        newest = newest.or(Some(fitted));
        test.push(answers);
        also.push(own);
    }
    let baselines = baselines::answers(data, domain, &kinds_of(domain), &tick)?;
    progress.end();
    let fitted = match kind.learns_from_target() {
        true => newest.ok_or_else(|| PlatformError::Training("no test fold".to_owned()))?,
        // It has looked at no target: what came since may be learned from too.
        false => fit_on(kind, data.newest(), &[], &BTreeMap::new(), &data.context, &parameters)?,
    };
    let start = Instant::now();
    let EvaluationResult { mut metrics, advantage } = evaluation.judge(&test, &baselines, data.context.measure);
    metrics.extend(evaluation.also(&also));
    debug!(domain = domain.name(), elapsed_ms = start.elapsed().as_millis() as u64, "judged, with intervals");
    Ok(Outcome {
        importances: fitted.importances(&data.frame),
        decision: domain.spec.decision.as_ref().map(|decision| decide(decision, data, &validation, &test[0])),
        metrics,
        folds: summaries(data, kind),
        strongest_baseline: strongest(data, baselines),
        advantage,
        kind,
        fitted,
        calibrator,
        interval,
        parameters,
        candidates,
        validation,
        test,
    })
}

/// A warning where a fold says little of a label.
fn little_evidence(data: &TrainingData, fold: &Fold) -> Option<String> {
    let positives = fold.test.iter().filter(|&&row| data.target()[row as usize] == 1.0).count();
    let events = positives.min(fold.test.len() - positives);
    (data.context.task == Task::Label && events < EVENTS_FEW).then(|| {
        format!(
            "validation fold {} holds {positives} positives among {} rows: it weighs little where candidates are compared; \
             lengthen the split or bring more data",
            fold.title,
            fold.test.len()
        )
    })
}

/// The kinds of a domain; [`crate::check`] has refused unknown ones.
pub fn kinds_of(domain: &Domain) -> Vec<&'static dyn Kind> {
    domain.spec.model.kinds().iter().filter_map(|choice| kinds::find(choice.kind.get_ref())).collect()
}

/// What the validation folds said.
struct Choice {
    tried: Vec<Tried>,
    candidates: Vec<Candidate>,
    best: usize,
    /// Answers of the best, fold after fold.
    answers: Vec<Answers>,
    /// For each fold the fit that the best shares.
    fitted: Vec<Box<dyn Fitted>>,
}

type FoldFit = (Box<dyn Fitted>, Vec<Answers>);
/// What the kinds of a group said and learned, one a fold.
type FoldFits = (Vec<Vec<Answers>>, Vec<Box<dyn Fitted>>);

/// Fits every candidate on every validation fold.
fn choose(
    domain: &Domain,
    data: &TrainingData,
    groups: Vec<Vec<Tried>>,
    tick: &(dyn Fn() + Sync),
) -> Result<Choice, PlatformError> {
    let folds = data.plan.validation.len();
    let work: Vec<(usize, &Fold)> =
        (0..groups.len()).flat_map(|group| data.plan.validation.iter().map(move |fold| (group, fold))).collect();
    let fitted = |&(group, fold): &(usize, &Fold)| {
        let longest = groups[group].last().expect("a group has a candidate");
        let rows = fold.fitted_on(longest.kind.learns_from_target());
        let made = fit(longest.kind, data, rows, &longest.parameters).and_then(|fitted| {
            let candidates: Vec<&Parameters> = groups[group].iter().map(|one| &one.parameters).collect();
            let answers = fitted.answers_of_each(&candidates, &data.frame.take(&fold.test), &data.context)?;
            // A model that all rows together do not determine cannot be kept, whatever it said of the validation rows.
            if !longest.kind.learns_from_target() {
                fit_on(longest.kind, data.newest(), &[], &BTreeMap::new(), &data.context, &longest.parameters)?;
            }
            Ok((fitted, answers))
        });
        tick();
        match made {
            Err(PlatformError::NotDetermined(why)) => Ok(Err(why)),
            other => other.map(Ok),
        }
    };
    let done: Vec<Result<FoldFit, String>> = work.par_iter().map(fitted).collect::<Result<_, PlatformError>>()?;
    let mut by_group = done.into_iter();
    let mut choice = Choice { tried: vec![], candidates: vec![], best: 0, answers: vec![], fitted: vec![] };
    let mut all: Vec<FoldFits> = Vec::new();
    let mut refused = None;
    let evidence = evidence(data);
    let several_kinds = groups.iter().flatten().any(|one| one.kind.name() != groups[0][0].kind.name());
    for group in &groups {
        let own: Result<Vec<FoldFit>, String> = by_group.by_ref().take(folds).collect();
        let own = match own {
            Ok(own) => own,
            Err(why) => {
                refused = Some(why);
                continue;
            }
        };
        let (fits, answers): (Vec<Box<dyn Fitted>>, Vec<Vec<Answers>>) = own.into_iter().unzip();
        for (at, one) in group.iter().enumerate() {
            let by_fold: Vec<f64> = data
                .plan
                .validation
                .iter()
                .zip(&answers)
                .map(|(fold, of)| measured(data, &fold.test, &of[at]))
                .collect();
            let validation = weighted_mean(&by_fold, &evidence);
            let kind = several_kinds.then(|| one.kind.name().to_owned());
            choice.candidates.push(Candidate { kind, parameters: one.parameters.0.clone(), validation, by_fold });
            choice.tried.push(one.clone());
        }
        all.push((answers, fits));
    }
    if choice.tried.is_empty() {
        return Err(PlatformError::Training(refused.unwrap_or_else(|| "no candidate to try".to_owned())));
    }
    choice.best = best_of(&choice.candidates, data, domain.spec.model.choose, &evidence);
    let mut before = choice.best;
    for (answers, fits) in all {
        let candidates = answers.first().map_or(0, Vec::len);
        if before < candidates {
            choice.answers = answers.into_iter().map(|mut of| of.swap_remove(before)).collect();
            choice.fitted = fits;
            return Ok(choice);
        }
        before -= candidates;
    }
    Err(PlatformError::Training("no candidate to try".to_owned()))
}

/// The candidate that is kept. Of equals the first stays, so that the order in the file decides and not rounding.
fn best_of(candidates: &[Candidate], data: &TrainingData, choose: Choose, evidence: &[f64]) -> usize {
    let measure = data.context.measure;
    let mut best = 0;
    for (at, candidate) in candidates.iter().enumerate() {
        let known = candidates[best].validation;
        if measure.better(candidate.validation, known) || (known.is_nan() && !candidate.validation.is_nan()) {
            best = at;
        }
    }
    match choose {
        Choose::Best => best,
        Choose::SimplestWithinOneStandardError => {
            let error = standard_error(&candidates[best].by_fold, evidence);
            let near =
                |candidate: &Candidate| measure.advantage(candidates[best].validation, candidate.validation) <= error;
            candidates.iter().position(near).unwrap_or(best)
        }
    }
}

/// What each validation fold weighs where candidates are compared: of a label positives times negatives by rows, which is what the
/// spread of a measure of rank falls with; else its rows. A fold of two positives must not count as much as one of ninety-six.
fn evidence(data: &TrainingData) -> Vec<f64> {
    let weight = |fold: &Fold| {
        let rows = fold.test.len() as f64;
        let positives = fold.test.iter().filter(|&&row| data.target()[row as usize] > 0.0).count() as f64;
        if data.context.task == Task::Label { positives * (rows - positives) / rows } else { rows }
    };
    data.plan.validation.iter().map(weight).collect()
}

fn weighted_mean(by_fold: &[f64], evidence: &[f64]) -> f64 {
    let sum: f64 = by_fold.iter().zip(evidence).map(|(value, weight)| value * weight).sum();
    sum / evidence.iter().sum::<f64>()
}

/// Of a weighted mean over folds: their spread by the root of their effective number (Kish 1965), so that folds of little evidence
/// widen it. 0 for one fold, which says nothing of how far it strays.
fn standard_error(by_fold: &[f64], evidence: &[f64]) -> f64 {
    let sum: f64 = evidence.iter().sum();
    let folds = sum.powi(2) / evidence.iter().map(|weight| weight.powi(2)).sum::<f64>();
    if by_fold.len() < 2 || folds <= 1.0 {
        return 0.0;
    }
    let mean = weighted_mean(by_fold, evidence);
    let squares: f64 = by_fold.iter().zip(evidence).map(|(value, weight)| weight * (value - mean).powi(2)).sum();
    (squares / sum / (folds - 1.0)).sqrt()
}

/// Every combination of the values to try, kind after kind in the order of the file; those that share a fit together.
fn groups(domain: &Domain) -> Result<Vec<Vec<Tried>>, PlatformError> {
    let mut groups = Vec::new();
    for choice in domain.spec.model.kinds() {
        let name = choice.kind.get_ref();
        let kind = kinds::find(name).ok_or_else(|| PlatformError::Training(format!("there is no kind `{name}`")))?;
        let combinations = combinations(&choice);
        for group in kind.sharing_a_fit(&combinations) {
            groups.push(group.into_iter().map(|at| Tried { kind, parameters: combinations[at].clone() }).collect());
        }
    }
    Ok(groups)
}

fn combinations(choice: &septet_domain::KindChoice) -> Vec<Parameters> {
    let fixed: BTreeMap<String, ParameterValue> =
        choice.parameters.iter().map(|(name, value)| (name.get_ref().clone(), value.get_ref().clone())).collect();
    let all = choice.search.iter().fold(vec![fixed], |combinations, (name, values)| {
        let with = |base: &BTreeMap<String, ParameterValue>, value: &ParameterValue| {
            let mut all = base.clone();
            all.insert(name.get_ref().clone(), value.clone());
            all
        };
        combinations.iter().flat_map(|base| values.get_ref().iter().map(move |value| with(base, value))).collect()
    });
    all.into_iter().map(Parameters).collect()
}

/// The first candidate of a domain, for a benchmark of one fit.
pub fn first_candidate(domain: &Domain) -> Result<(&'static dyn Kind, Parameters), PlatformError> {
    let mut groups = groups(domain)?;
    let none = || PlatformError::Training("no candidate to try".to_owned());
    let first = groups.first_mut().and_then(|group| group.first().cloned()).ok_or_else(none)?;
    Ok((first.kind, first.parameters))
}

/// Some rows of the data, taken out.
pub struct Rows {
    pub frame: Frame,
    pub target: Vec<f64>,
    labels: BTreeMap<String, Vec<f64>>,
}

impl Rows {
    pub fn of(data: &TrainingData, rows: &[u32]) -> Rows {
        let pick = |values: &[f64]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<f64>>();
        Rows {
            frame: data.frame.take(rows),
            target: pick(data.target()),
            labels: data.labels.iter().map(|(name, values)| (name.clone(), pick(values))).collect(),
        }
    }

    pub fn examples<'a>(&'a self, context: &'a Context) -> Examples<'a> {
        Examples { frame: &self.frame, target: &self.target, labels: &self.labels, context }
    }
}

fn fit(
    kind: &'static dyn Kind,
    data: &TrainingData,
    rows: &[u32],
    parameters: &Parameters,
) -> Result<Box<dyn Fitted>, PlatformError> {
    let start = Instant::now();
    let taken = Rows::of(data, rows);
    let fitted = kind.fit(&taken.examples(&data.context), parameters)?;
    debug!(kind = kind.name(), rows = rows.len(), elapsed_ms = start.elapsed().as_millis() as u64, "a fit");
    Ok(fitted)
}

fn fit_on(
    kind: &'static dyn Kind,
    frame: &Frame,
    target: &[f64],
    labels: &BTreeMap<String, Vec<f64>>,
    context: &Context,
    parameters: &Parameters,
) -> Result<Box<dyn Fitted>, PlatformError> {
    kind.fit(&Examples { frame, target, labels, context }, parameters)
}

/// The measure of choice on some rows, before calibration; NaN where it says nothing.
fn measured(data: &TrainingData, rows: &[u32], answers: &Answers) -> f64 {
    let truth = rows.iter().map(|&row| data.target()[row as usize]).collect();
    let answers = uncalibrated(answers.clone(), data.context.task);
    let prepared = Prepared::new(data.context.task, answers, truth, vec![0; rows.len()]);
    data.context.measure.of_all(&prepared).unwrap_or(f64::NAN)
}

/// A label's log-odds as the probability that they stand for.
pub fn uncalibrated(answers: Answers, task: Task) -> Answers {
    with_chances(answers, task, crate::version::sigmoid)
}

fn calibrated(answers: Answers, task: Task, calibrator: &Calibrator) -> Answers {
    with_chances(answers, task, |log_odds| calibrator.apply(log_odds))
}

fn with_chances(mut answers: Answers, task: Task, of: impl Fn(f64) -> f64) -> Answers {
    if task == Task::Label
        && let Some(raw) = &answers.score
    {
        answers.chance = Some(raw.iter().map(|&raw| of(raw)).collect());
    }
    answers
}

/// Fitted on what the chosen candidate said of the validation folds, which it was not trained on.
fn calibrate(data: &TrainingData, answers: &[Answers]) -> (Calibrator, Option<ProbabilityInterval>) {
    if data.context.task != Task::Label {
        return (Calibrator::Identity, None);
    }
    let log_odds: Vec<f64> = answers.iter().filter_map(|answers| answers.score.as_ref()).flatten().copied().collect();
    let rows = data.plan.validation.iter().flat_map(|fold| &fold.test);
    let truth: Vec<bool> = rows.map(|&row| data.target()[row as usize] == 1.0).collect();
    let calibrator = calibration::fit(&log_odds, &truth);
    let interval = ProbabilityInterval::fit(&log_odds, &truth, &calibrator);
    (calibrator, Some(interval))
}

fn strongest(data: &TrainingData, baselines: Vec<(String, Vec<Answers>)>) -> Option<(String, Answers)> {
    let newest = baselines.into_iter().filter_map(|(name, mut all)| Some((name, all.drain(..).next()?)));
    let truth = || data.plan.test[0].test.iter().map(|&row| data.target()[row as usize]).collect::<Vec<f64>>();
    let rows = data.plan.test[0].test.len();
    let measure = data.context.measure;
    let judged = newest.filter_map(|(name, answers)| {
        let prepared = Prepared::new(data.context.task, answers.clone(), truth(), vec![0; rows]);
        Some((measure.of_all(&prepared)?, name, answers))
    });
    let best = judged.reduce(|best, other| if measure.better(other.0, best.0) { other } else { best });
    best.map(|(_, name, answers)| (name, answers))
}

fn summaries(data: &TrainingData, kind: &'static dyn Kind) -> Vec<FoldSummary> {
    let positives = |rows: &[u32]| rows.iter().filter(|&&row| data.target()[row as usize] > 0.0).count();
    let summary = |part: &str, fold: &Fold| {
        let train = fold.fitted_on(kind.learns_from_target());
        FoldSummary {
            part: part.to_owned(),
            title: fold.title.clone(),
            train_rows: train.len(),
            train_positives: positives(train),
            test_rows: fold.test.len(),
            test_positives: positives(&fold.test),
        }
    };
    let validation = data.plan.validation.iter().map(|fold| summary("validation", fold));
    validation.chain(data.plan.test.iter().map(|fold| summary("test", fold))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_of_two_positives_weighs_little_and_widens_what_is_equal() {
        let by_fold = [1.0, 0.7, 0.72];
        let (alike, unlike) = ([90.0, 90.0, 90.0], [2.0, 90.0, 96.0]);
        assert!((weighted_mean(&by_fold, &alike) - 0.806_666_666_666_666_7).abs() < 1e-12);
        assert!((weighted_mean(&by_fold, &unlike) - 0.713_404_255_319_149).abs() < 1e-12);
        // The usual standard error of three equal folds: spread by the root of three.
        assert!((standard_error(&by_fold, &alike) - 0.096_838_926_975_559_7).abs() < 1e-12);
        let near = [0.7, 0.72];
        assert!(standard_error(&near, &[1.0, 99.0]) > standard_error(&near, &[2.0, 98.0]));
        assert_eq!(standard_error(&[0.7], &[90.0]), 0.0);
    }
}
