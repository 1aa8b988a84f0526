//! From features to a judged version: candidates are chosen on validation folds, the chosen one is
//! judged once on the test folds, beside its baselines.

use crate::PlatformError;
use crate::judge::{Exam, Judgement, Scored, larger_is_better, metric_name};
use crate::progress::Progress;
use crate::split::{DAY, Fold, Plan};
use crate::text::TextModel;
use crate::version::{Candidate, DecisionRule, FoldSummary, MetricValue, Model, sigmoid};
use rayon::prelude::*;
use septet_domain::{Baseline, Domain, Metric, ModelKind, Monotone};
use septet_learn::calibration::{self, Calibrator};
use septet_learn::encoding::{Encoder, OneHot, TargetEncoding};
use septet_learn::frame::{Frame, Matrix};
use septet_learn::linear::{self, LinearSettings};
use septet_learn::metrics::{Confusion, Ranking, log_loss};
use septet_learn::trees::{self, TrainingSet, Trees};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tracing::debug;

/// Weight of the prior in a target encoding, in rows; scikit-learn's examples use the same order.
const ENCODING_SMOOTHING: f64 = 20.0;
/// Out-of-fold parts of the training span for target encodings.
const ENCODING_FOLDS: usize = 5;
/// Rows a word needs in training for a column of its own in a linear model.
const ONE_HOT_ROWS_MIN: usize = 20;

/// Trees where the domain does not say: LightGBM's own default.
const TREES_DEFAULT: usize = 100;

/// Everything a training needs; `frame` and `label` start at row `first_row` of the history.
pub struct Material<'a> {
    pub domain: &'a Domain,
    pub frame: &'a Frame,
    pub label: &'a [f64],
    pub times: &'a [i64],
    pub first_row: usize,
}

/// A trained, chosen and judged model.
pub struct Outcome {
    pub encoder: Encoder,
    pub model: Model,
    pub calibrator: Calibrator,
    pub decision: Option<DecisionRule>,
    pub parameters: BTreeMap<String, f64>,
    pub candidates: Vec<Candidate>,
    pub folds: Vec<FoldSummary>,
    pub metrics: BTreeMap<String, MetricValue>,
    pub advantage: BTreeMap<String, Option<(f64, f64)>>,
    pub importances: Vec<(String, f64)>,
    /// What the chosen candidate said of the validation folds, which it was not trained on.
    pub validation: Vec<Scored>,
    /// Scores on the test folds; the newest comes first.
    pub test: Vec<Scored>,
    /// The baseline that came closest, on the newest test fold.
    pub strongest_baseline: Option<(String, Scored)>,
}

struct Fitted {
    encoder: Encoder,
    model: Model,
}

/// A fit runs on one thread and fits run beside each other: faster than one fit on many, and the same bits on any machine.
pub fn train(material: &Material, plan: &Plan, exam: &Exam, progress: &dyn Progress) -> Result<Outcome, PlatformError> {
    let groups = sharing_a_fit(material, &combinations(material.domain));
    let linear = material.domain.spec.label_model().baselines.contains(&Baseline::Linear);
    let per_test_fold = if linear { 2 } else { 1 };
    let fits = groups.len() * plan.validation.len() + plan.test.len() * per_test_fold;
    progress.begin("train: fits", Some(fits as u64), "fits");
    let done = AtomicU64::new(0);
    let tick = || progress.done(done.fetch_add(1, Ordering::Relaxed) + 1);
    let Choice { tried, best, raws, fitted } = choose(material, plan, groups, &tick)?;
    let parameters = tried[best].parameters.clone();
    let calibrator = material.calibrate(plan, &raws);
    let judged = |(at, fold): (usize, &Fold)| {
        // The newest is kept, with the text that a fit of its own gives.
        let known = plan.validation.iter().position(|known| at > 0 && known.train == fold.train);
        let known = known.map(|known| shortened(&fitted[known], &parameters)).transpose()?.flatten();
        let fitted = known.map_or_else(|| fit(material, &fold.train, &parameters), Ok)?;
        let scored = scored_by(raw_on(material, &fitted, &fold.test)?, &calibrator);
        tick();
        Ok::<_, PlatformError>((fitted, scored))
    };
    let judged: Vec<(Fitted, Scored)> = plan.test.par_iter().enumerate().map(judged).collect::<Result<_, _>>()?;
    let (fitted, scored): (Vec<Fitted>, Vec<Scored>) = judged.into_iter().unzip();
    let newest = fitted.into_iter().next();
    let baselines = baselines(material, plan, &tick)?;
    progress.end();
    let Fitted { encoder, model } = newest.ok_or_else(|| PlatformError::Training("no test fold".to_owned()))?;
    let start = Instant::now();
    let Judgement { metrics, advantage } = exam.judge(&scored, &baselines, material.domain.spec.label_model().metric);
    debug!(domain = material.domain.name(), elapsed_ms = start.elapsed().as_millis() as u64, "judged, with intervals");
    Ok(Outcome {
        importances: importances(material, &encoder, &model),
        decision: material.decide(plan, &raws, &calibrator, &scored[0]),
        metrics,
        folds: summaries(material, plan),
        validation: raws.into_iter().map(|raw| scored_by(raw, &calibrator)).collect(),
        test: scored,
        strongest_baseline: material.strongest(plan, baselines),
        advantage,
        encoder,
        model,
        calibrator,
        parameters,
        candidates: tried,
    })
}

/// Raw scores of every validation fold.
type FoldScores = Vec<Vec<f64>>;

/// What the validation folds said.
struct Choice {
    tried: Vec<Candidate>,
    best: usize,
    /// Scores of the best.
    raws: FoldScores,
    /// For each fold the fit that the best shares.
    fitted: Vec<Fitted>,
}

/// Fits every candidate on every validation fold.
fn choose(
    material: &Material,
    plan: &Plan,
    groups: Vec<Vec<BTreeMap<String, f64>>>,
    tick: &(dyn Fn() + Sync),
) -> Result<Choice, PlatformError> {
    let work: Vec<(usize, &Fold)> =
        (0..groups.len()).flat_map(|group| plan.validation.iter().map(move |fold| (group, fold))).collect();
    let fitted = |&(group, fold): &(usize, &Fold)| {
        let longest = fit(material, &fold.train, groups[group].last().expect("a group has a candidate"))?;
        let scores = raws_on(material, &longest, &groups[group], &fold.test)?;
        tick();
        Ok::<_, PlatformError>((longest, scores))
    };
    // For each group and fold, one fit and one list of scores a candidate.
    let done: Vec<(Fitted, FoldScores)> = work.par_iter().map(fitted).collect::<Result<_, _>>()?;
    let (mut fitted, scores): (Vec<Fitted>, Vec<FoldScores>) = done.into_iter().unzip();
    let mut tried: Vec<Candidate> = Vec::new();
    let mut best: Option<(usize, usize, FoldScores)> = None;
    for (group, parameters) in groups.iter().enumerate() {
        let own = &scores[group * plan.validation.len()..][..plan.validation.len()];
        for (at, parameters) in parameters.iter().enumerate() {
            let raws: FoldScores = own.iter().map(|fold| fold[at].clone()).collect();
            let by_fold: Vec<f64> =
                plan.validation.iter().zip(&raws).map(|(fold, raw)| material.metric(&fold.test, raw)).collect();
            let validation = by_fold.iter().sum::<f64>() / by_fold.len() as f64;
            // Of equals the first stays, so that the order in the file decides and not rounding.
            if best.as_ref().is_none_or(|(known, ..)| material.better(validation, tried[*known].validation)) {
                best = Some((tried.len(), group, raws));
            }
            tried.push(Candidate { parameters: parameters.clone(), validation, by_fold });
        }
    }
    let (best, group, raws) = best.ok_or_else(|| PlatformError::Training("no candidate to try".to_owned()))?;
    let folds = plan.validation.len();
    Ok(Choice { tried, best, raws, fitted: fitted.drain(group * folds..).take(folds).collect() })
}

/// Every combination of the values to try, on top of the fixed parameters, in the order of the file.
fn combinations(domain: &Domain) -> Vec<BTreeMap<String, f64>> {
    let model = domain.spec.label_model();
    let fixed: BTreeMap<String, f64> = model.parameters.iter().map(|(name, value)| (name.clone(), *value)).collect();
    model.search.iter().fold(vec![fixed], |combinations, (name, values)| {
        let with = |base: &BTreeMap<String, f64>, value: f64| {
            let mut all = base.clone();
            all.insert(name.clone(), value);
            all
        };
        combinations.iter().flat_map(|base| values.iter().map(move |&value| with(base, value))).collect()
    })
}

/// Candidates that differ in the number of trees alone, fewest first, share the fit of the last.
fn sharing_a_fit(material: &Material, candidates: &[BTreeMap<String, f64>]) -> Vec<Vec<BTreeMap<String, f64>>> {
    let mut groups: Vec<Vec<BTreeMap<String, f64>>> = Vec::new();
    let shares = |a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>| {
        let rest = |all: &BTreeMap<String, f64>| {
            all.iter().filter(|(name, _)| *name != "trees").map(|(n, v)| (n.clone(), *v)).collect::<Vec<_>>()
        };
        material.domain.spec.label_model().kind == ModelKind::Trees && !a.contains_key("patience") && rest(a) == rest(b)
    };
    for candidate in candidates {
        match groups.iter_mut().find(|group| shares(&group[0], candidate)) {
            Some(group) => group.push(candidate.clone()),
            None => groups.push(vec![candidate.clone()]),
        }
    }
    for group in &mut groups {
        group.sort_by_key(tree_count);
    }
    groups
}

/// The model that a shorter fit of this candidate would have given; none if the longest is it.
fn shortened(longest: &Fitted, parameters: &BTreeMap<String, f64>) -> Result<Option<Fitted>, PlatformError> {
    let Model::Trees { text, .. } = &longest.model else { return Ok(None) };
    if parameters.contains_key("patience") {
        return Ok(None);
    }
    let trees = Trees::parse_first(text, tree_count(parameters)).map_err(training_error)?;
    let model = Model::Trees { text: String::new(), trees: Box::new(trees) };
    Ok(Some(Fitted { encoder: longest.encoder.clone(), model }))
}

fn tree_count(parameters: &BTreeMap<String, f64>) -> usize {
    parameters.get("trees").map_or(TREES_DEFAULT, |trees| *trees as usize)
}

impl Material<'_> {
    /// Rows of the history as rows of the frame.
    pub fn rows(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|row| row - self.first_row as u32).collect()
    }

    fn truth(&self, rows: &[u32]) -> Vec<bool> {
        rows.iter().map(|&row| self.label[row as usize - self.first_row] == 1.0).collect()
    }

    fn metric(&self, rows: &[u32], raw: &[f64]) -> f64 {
        let (truth, weight) = (self.truth(rows), vec![1; rows.len()]);
        let value = match self.domain.spec.label_model().metric {
            Metric::AveragePrecision => Ranking::new(raw).average_precision(&truth, &weight),
            Metric::RocAuc => Ranking::new(raw).roc_auc(&truth, &weight),
            Metric::LogLoss => log_loss(&raw.iter().map(|&raw| sigmoid(raw)).collect::<Vec<_>>(), &truth, &weight),
        };
        value.unwrap_or(f64::NAN)
    }

    fn better(&self, value: f64, than: f64) -> bool {
        if larger_is_better(metric_name(self.domain.spec.label_model().metric)) { value > than } else { value < than }
    }

    /// Fitted on what the chosen candidate said of the validation folds, which it was not trained on.
    fn calibrate(&self, plan: &Plan, raws: &[Vec<f64>]) -> Calibrator {
        let score: Vec<f64> = raws.iter().flatten().map(|&raw| sigmoid(raw)).collect();
        let truth: Vec<bool> = plan.validation.iter().flat_map(|fold| self.truth(&fold.test)).collect();
        calibration::fit(&score, &truth)
    }

    fn strongest(&self, plan: &Plan, baselines: Vec<(String, Vec<Scored>)>) -> Option<(String, Scored)> {
        let newest = baselines.into_iter().filter_map(|(name, mut scored)| Some((name, scored.drain(..).next()?)));
        let judged = newest.map(|(name, scored)| (self.metric(&plan.test[0].test, &scored.score), name, scored));
        let best = judged.reduce(|best, other| if self.better(other.0, best.0) { other } else { best });
        best.map(|(_, name, scored)| (name, scored))
    }

    fn decide(&self, plan: &Plan, raws: &[Vec<f64>], calibrator: &Calibrator, newest: &Scored) -> Option<DecisionRule> {
        let decision = self.domain.spec.decision.as_ref()?;
        let (threshold, policy) = if let Some(threshold) = decision.threshold {
            (threshold, "fixed".to_owned())
        } else if let Some(per_day) = decision.alerts_per_day {
            (
                self.budget_threshold(plan, raws, calibrator, per_day as usize),
                format!("{per_day} alerts a day, on validation"),
            )
        } else {
            let costs = decision.costs?;
            let threshold = self.cost_threshold(plan, raws, calibrator, costs.missed, costs.false_alarm);
            (
                threshold,
                format!("least cost on validation (missed {}, false alarm {})", costs.missed, costs.false_alarm),
            )
        };
        let review = decision.review.as_ref().map(|review| {
            let line = review.threshold.unwrap_or_else(|| {
                self.budget_threshold(plan, raws, calibrator, review.alerts_per_day.unwrap_or(1) as usize)
            });
            (line.min(threshold), review.action.clone())
        });
        let fold = &plan.test[0];
        let found =
            Confusion::at_threshold(&newest.probability, &self.truth(&fold.test), &vec![1; fold.test.len()], threshold);
        Some(DecisionRule {
            threshold,
            policy,
            positive: decision.positive.clone(),
            negative: decision.negative.clone(),
            review,
            true_positive: found.true_positive,
            false_positive: found.false_positive,
            true_negative: found.true_negative,
            false_negative: found.false_negative,
        })
    }

    /// The median over validation days of the score of the day's last alert within the budget.
    fn budget_threshold(&self, plan: &Plan, raws: &[Vec<f64>], calibrator: &Calibrator, per_day: usize) -> f64 {
        let mut days: BTreeMap<(usize, i64), Vec<f64>> = BTreeMap::new();
        for (at, (fold, raw)) in plan.validation.iter().zip(raws).enumerate() {
            for (&row, &raw) in fold.test.iter().zip(raw) {
                let day = self.times[row as usize - self.first_row].div_euclid(DAY);
                days.entry((at, day)).or_default().push(calibrator.apply(sigmoid(raw)));
            }
        }
        let mut last: Vec<f64> = days
            .into_values()
            .map(|mut scores| {
                scores.sort_by(|a, b| b.total_cmp(a));
                within_budget(&scores, per_day)
            })
            .collect();
        last.sort_by(f64::total_cmp);
        last[last.len() / 2]
    }

    fn cost_threshold(
        &self,
        plan: &Plan,
        raws: &[Vec<f64>],
        calibrator: &Calibrator,
        missed: f64,
        false_alarm: f64,
    ) -> f64 {
        let mut scores: Vec<(f64, bool)> = Vec::new();
        for (fold, raw) in plan.validation.iter().zip(raws) {
            let probability = raw.iter().map(|&raw| calibrator.apply(sigmoid(raw)));
            scores.extend(probability.zip(self.truth(&fold.test)));
        }
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut cost = missed * scores.iter().filter(|(_, positive)| *positive).count() as f64;
        let (mut best, mut threshold) = (cost, 1.0);
        for (at, &(score, positive)) in scores.iter().enumerate() {
            cost += if positive { -missed } else { false_alarm };
            let last_of_its_score = scores.get(at + 1).is_none_or(|next| next.0 < score);
            if last_of_its_score && cost < best {
                (best, threshold) = (cost, score);
            }
        }
        threshold
    }
}

/// The lowest score at or above which lie at most `per_day` of the scores (falling): equal scores are all in or all out.
fn within_budget(scores: &[f64], per_day: usize) -> f64 {
    let Some(&first_out) = scores.get(per_day) else { return scores[scores.len() - 1] };
    let inside = scores[..per_day].iter().rev().find(|&&score| score > first_out);
    // Even the highest score is too frequent: the line lies just above it.
    inside.copied().unwrap_or_else(|| first_out.next_up())
}

fn scored_by(raw: Vec<f64>, calibrator: &Calibrator) -> Scored {
    let probability = raw.iter().map(|&raw| calibrator.apply(sigmoid(raw))).collect();
    Scored { score: raw, probability }
}

fn raw_on(material: &Material, fitted: &Fitted, rows: &[u32]) -> Result<Vec<f64>, PlatformError> {
    let frame = material.frame.take(&material.rows(rows));
    let matrix = fitted.encoder.transform(&frame).map_err(training_error)?;
    Ok(fitted.model.raw_batch(&frame, &matrix))
}

/// Scores by each of the candidates that share a fit, fewest trees first.
fn raws_on(
    material: &Material,
    longest: &Fitted,
    candidates: &[BTreeMap<String, f64>],
    rows: &[u32],
) -> Result<FoldScores, PlatformError> {
    match &longest.model {
        Model::Trees { trees, .. } if candidates.len() > 1 => {
            let matrix =
                longest.encoder.transform(&material.frame.take(&material.rows(rows))).map_err(training_error)?;
            Ok(trees.raw_of_first(&matrix, &candidates.iter().map(tree_count).collect::<Vec<_>>()))
        }
        _ => Ok(vec![raw_on(material, longest, rows)?]),
    }
}

fn training_error(error: impl std::fmt::Display) -> PlatformError {
    PlatformError::Training(error.to_string())
}

fn fit(material: &Material, rows: &[u32], parameters: &BTreeMap<String, f64>) -> Result<Fitted, PlatformError> {
    let start = Instant::now();
    let fitted = match material.domain.spec.label_model().kind {
        ModelKind::Trees => fit_trees(material, rows, parameters),
        ModelKind::Linear => fit_linear(material, rows, parameters),
        ModelKind::Text => fit_text(material, rows, parameters),
    }?;
    debug!(
        domain = material.domain.name(),
        rows = rows.len(),
        elapsed_ms = start.elapsed().as_millis() as u64,
        "a fit"
    );
    Ok(fitted)
}

fn fit_trees(material: &Material, rows: &[u32], parameters: &BTreeMap<String, f64>) -> Result<Fitted, PlatformError> {
    let frame = material.frame.take(&material.rows(rows));
    let truth = material.truth(rows);
    let (encoder, features) = encode_for_trees(&frame, &truth)?;
    let settings = tree_settings(material, &encoder, parameters);
    let names = encoder.output_names();
    let patience = settings.patience;
    let fitted = match patience {
        Some(_) => fit_with_patience(&names, &features, &truth, &settings)?,
        None => {
            let set = TrainingSet { names: &names, features: &features, target: &truth, weight: None };
            trees::fit(set, None, &settings, &mut |_| {}).map_err(training_error)?
        }
    };
    let trees = Box::new(Trees::parse(&fitted.text).map_err(training_error)?);
    Ok(Fitted { encoder, model: Model::Trees { text: fitted.text, trees } })
}

fn encode_for_trees(frame: &Frame, truth: &[bool]) -> Result<(Encoder, Matrix), PlatformError> {
    let target: Vec<f64> = truth.iter().map(|&positive| f64::from(u8::from(positive))).collect();
    // Parts of the span in order of time: a row's own week never tells its category's worth.
    let parts: Vec<u32> = (0..truth.len()).map(|at| (at * ENCODING_FOLDS / truth.len()) as u32).collect();
    TargetEncoding { smoothing: ENCODING_SMOOTHING }.fit_transform(frame, &target, &parts).map_err(training_error)
}

/// What a benchmark of the fit alone needs: names, matrix, target and settings of the first candidate.
pub fn tree_matrix(
    material: &Material,
    rows: &[u32],
) -> Result<(Vec<String>, Matrix, Vec<bool>, trees::Settings), PlatformError> {
    let parameters = combinations(material.domain).swap_remove(0);
    let frame = material.frame.take(&material.rows(rows));
    let truth = material.truth(rows);
    let (encoder, matrix) = encode_for_trees(&frame, &truth)?;
    let settings = tree_settings(material, &encoder, &parameters);
    Ok((encoder.output_names(), matrix, truth, settings))
}

/// All parameters of a fit by LightGBM's names, for the library in another language.
pub fn lightgbm_parameters(settings: &trees::Settings) -> BTreeMap<String, String> {
    let mut all = trees::all_parameters(settings);
    all.push(("trees".to_owned(), settings.trees_max.to_string()));
    all.into_iter().collect()
}

/// Stops on the last fifth of the training span, which comes after the rest in time.
fn fit_with_patience(
    names: &[String],
    features: &Matrix,
    truth: &[bool],
    settings: &trees::Settings,
) -> Result<trees::Fitted, PlatformError> {
    let cut = truth.len() * 4 / 5;
    let (early, late) = (part(features, 0..cut), part(features, cut..truth.len()));
    let set = TrainingSet { names, features: &early, target: &truth[..cut], weight: None };
    let later = TrainingSet { names, features: &late, target: &truth[cut..], weight: None };
    let found = trees::fit(set, Some(later), settings, &mut |_| {}).map_err(training_error)?;
    let whole = TrainingSet { names, features, target: truth, weight: None };
    let settings = trees::Settings { trees_max: found.trees, patience: None, ..settings.clone() };
    trees::fit(whole, None, &settings, &mut |_| {}).map_err(training_error)
}

fn part(matrix: &Matrix, rows: std::ops::Range<usize>) -> Matrix {
    let mut out = Matrix::with_rows(rows.len());
    (0..matrix.columns()).for_each(|column| out.push(&matrix.column(column)[rows.clone()]));
    out
}

/// Parameters of ours are taken out; the rest go to LightGBM by its own names.
fn tree_settings(material: &Material, encoder: &Encoder, parameters: &BTreeMap<String, f64>) -> trees::Settings {
    let direction = |name: &String| match material.domain.spec.feature.iter().find(|(known, _)| known.get_ref() == name)
    {
        Some((_, feature)) => match feature.monotone {
            Some(Monotone::Rising) => 1,
            Some(Monotone::Falling) => -1,
            None => 0,
        },
        None => 0,
    };
    let theirs = parameters.iter().filter(|(name, _)| !["trees", "patience"].contains(&name.as_str()));
    let mut all: Vec<(String, String)> =
        theirs.map(|(name, value)| (name.clone(), lightgbm_text(name, *value))).collect();
    all.push(("metric".to_owned(), lightgbm_metric(material.domain.spec.label_model().metric).to_owned()));
    trees::Settings {
        trees_max: tree_count(parameters),
        patience: parameters.get("patience").map(|patience| *patience as usize),
        threads: 1,
        seed: material.domain.spec.seed(),
        monotone: encoder.output_names().iter().map(direction).collect(),
        parameters: all,
    }
}

/// LightGBM reads truth values as words.
fn lightgbm_text(name: &str, value: f64) -> String {
    match name {
        "boost_from_average" | "is_unbalance" | "extra_trees" => (value != 0.0).to_string(),
        _ => value.to_string(),
    }
}

fn lightgbm_metric(metric: Metric) -> &'static str {
    match metric {
        Metric::AveragePrecision => "average_precision",
        Metric::RocAuc => "auc",
        Metric::LogLoss => "binary_logloss",
    }
}

fn fit_linear(material: &Material, rows: &[u32], parameters: &BTreeMap<String, f64>) -> Result<Fitted, PlatformError> {
    let frame = material.frame.take(&material.rows(rows));
    let target: Vec<f64> = material.truth(rows).iter().map(|&positive| f64::from(u8::from(positive))).collect();
    let encoder = OneHot { min_count: ONE_HOT_ROWS_MIN }.fit(&frame).map_err(training_error)?;
    let matrix = encoder.transform(&frame).map_err(training_error)?;
    let settings = LinearSettings {
        c: parameters.get("c").copied().unwrap_or(1.0),
        l1_ratio: parameters.get("l1_ratio").copied().unwrap_or(0.0),
        ..LinearSettings::default()
    };
    let fit = linear::fit(&matrix, &target, None, &settings).map_err(training_error)?;
    Ok(Fitted { encoder, model: Model::Linear(fit.model) })
}

fn fit_text(material: &Material, rows: &[u32], parameters: &BTreeMap<String, f64>) -> Result<Fitted, PlatformError> {
    let frame = material.frame.take(&material.rows(rows));
    // Texts are no categories: the encoder is for the numbers.
    let encoder = OneHot { min_count: usize::MAX }.fit(&frame).map_err(training_error)?;
    let matrix = encoder.transform(&frame).map_err(training_error)?;
    let model = TextModel::fit(&frame, &matrix, &material.truth(rows), parameters)?;
    Ok(Fitted { encoder, model: Model::Text(Box::new(model)) })
}

fn baselines(
    material: &Material,
    plan: &Plan,
    tick: &(dyn Fn() + Sync),
) -> Result<Vec<(String, Vec<Scored>)>, PlatformError> {
    let linear = |fold: &Fold| {
        let start = Instant::now();
        let raw = raw_on(material, &fit_linear(material, &fold.train, &BTreeMap::new())?, &fold.test)?;
        debug!(
            domain = material.domain.name(),
            elapsed_ms = start.elapsed().as_millis() as u64,
            "the linear baseline's fit"
        );
        tick();
        Ok::<_, PlatformError>(Scored { probability: raw.iter().map(|&raw| sigmoid(raw)).collect(), score: raw })
    };
    let mut all = Vec::new();
    for baseline in &material.domain.spec.label_model().baselines {
        let (name, scored) = match baseline {
            Baseline::Prior => ("prior", plan.test.iter().map(|fold| prior(material, fold)).collect()),
            Baseline::Linear => ("linear", plan.test.par_iter().map(linear).collect::<Result<_, _>>()?),
        };
        all.push((name.to_owned(), scored));
    }
    Ok(all)
}

fn prior(material: &Material, fold: &Fold) -> Scored {
    let truth = material.truth(&fold.train);
    let share = truth.iter().filter(|positive| **positive).count() as f64 / truth.len() as f64;
    Scored { score: vec![0.0; fold.test.len()], probability: vec![share; fold.test.len()] }
}

/// Shares of total gain (trees), of absolute standardised weight (linear and the numbers of text) or of the mean absolute
/// contribution (texts), summed by input, largest first.
fn importances(material: &Material, encoder: &Encoder, model: &Model) -> Vec<(String, f64)> {
    let mut by_input = vec![0.0; material.frame.names.len()];
    let columns: Vec<f64> = match model {
        Model::Trees { trees, .. } => trees.gain().to_vec(),
        Model::Linear(model) => model.weights.iter().map(|weight| weight.abs()).collect(),
        Model::Text(model) => {
            let (texts, numbers) = model.mean_contributions(material.frame, encoder.output_names().len());
            texts.into_iter().for_each(|(input, value)| by_input[input] += value);
            numbers
        }
        // Not fitted here: see `purchases`.
        Model::Purchases(_) => Vec::new(),
    };
    for (&input, value) in encoder.output_inputs().iter().zip(columns) {
        by_input[input] += value;
    }
    // Without a single split there is no gain to share.
    let total = by_input.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let mut importances: Vec<(String, f64)> =
        material.frame.names.iter().cloned().zip(by_input.iter().map(|value| value / total)).collect();
    importances.sort_by(|a, b| b.1.total_cmp(&a.1));
    importances
}

fn summaries(material: &Material, plan: &Plan) -> Vec<FoldSummary> {
    let positives = |rows: &[u32]| material.truth(rows).iter().filter(|positive| **positive).count();
    let summary = |part: &str, fold: &Fold| FoldSummary {
        part: part.to_owned(),
        title: fold.title.clone(),
        train_rows: fold.train.len(),
        train_positives: positives(&fold.train),
        test_rows: fold.test.len(),
        test_positives: positives(&fold.test),
    };
    let validation = plan.validation.iter().map(|fold| summary("validation", fold));
    validation.chain(plan.test.iter().map(|fold| summary("test", fold))).collect()
}
