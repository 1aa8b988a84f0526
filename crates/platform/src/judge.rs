//! How good the answers were: each metric with an interval, beside the same metric of each baseline.

use crate::PlatformError;
use crate::history::History;
use crate::split::DAY;
use crate::version::MetricValue;
use septet_domain::{Domain, Metric};
use septet_learn::bootstrap::{grouped_interval, grouped_intervals};
use septet_learn::metrics::{EntityPrecisionAtK, Losses, Ranking};
use std::collections::BTreeMap;

/// Bootstrap samples. 200 place the ends of a 95 % interval to about a tenth of its width.
pub const REPLICATES: usize = 200;
/// Bins of the calibration error, of equal count: a convention.
pub const CALIBRATION_BINS: usize = 10;

/// Scores on the rows of one test fold.
#[derive(Clone, Debug)]
pub struct Scored {
    /// What rows are ranked by: log-odds before calibration, so that calibration makes no ties.
    pub score: Vec<f64>,
    pub probability: Vec<f64>,
}

/// What the rows of the test folds are, whoever scores them.
pub struct Exam {
    folds: Vec<ExamFold>,
    /// Row to group, all folds one after the other; which groups are resampled.
    groups: Vec<u32>,
    group_count: usize,
    /// Name, k, and whether its entity is the group that is resampled.
    entity_metrics: Vec<(String, usize, bool)>,
    seed: u64,
}

/// What the exam says of a version.
pub struct Judgement {
    pub metrics: BTreeMap<String, MetricValue>,
    /// Low and high end of our advantage over each baseline.
    pub advantage: BTreeMap<String, Option<(f64, f64)>>,
}

struct ExamFold {
    rows: std::ops::Range<usize>,
    truth: Vec<bool>,
    day: Vec<i32>,
    entities: Vec<Vec<u32>>,
}

impl Exam {
    pub fn new(history: &History, domain: &Domain, label: &[f64], folds: &[Vec<u32>]) -> Result<Exam, PlatformError> {
        let model = domain.spec.label_model();
        let group = model.interval_by.as_ref().map(|name| history.intern(name.get_ref())).transpose()?;
        let mut entity_metrics = Vec::new();
        let mut entity_codes = Vec::new();
        for metric in &domain.spec.metric {
            let resampled = model.interval_by.as_ref().is_some_and(|name| name.get_ref() == metric.entity.get_ref());
            entity_metrics.push((metric.name.clone(), metric.k as usize, resampled));
            entity_codes.push(history.intern(metric.entity.get_ref())?);
        }
        let mut groups = Vec::new();
        let mut exam_folds = Vec::new();
        for rows in folds {
            let start = groups.len();
            let at = |&row: &u32| row as usize;
            groups.extend(rows.iter().map(|row| group.as_ref().map_or(0, |group| group.codes[at(row)])));
            exam_folds.push(ExamFold {
                rows: start..groups.len(),
                truth: rows.iter().map(|row| label[at(row)] == 1.0).collect(),
                day: rows.iter().map(|row| history.times[at(row)].div_euclid(DAY) as i32).collect(),
                entities: entity_codes.iter().map(|own| rows.iter().map(|row| own.codes[at(row)]).collect()).collect(),
            });
        }
        let group_count = group.as_ref().map_or(groups.len(), |group| group.words.len());
        if group.is_none() {
            groups = (0..groups.len() as u32).collect();
        }
        Ok(Exam { folds: exam_folds, groups, group_count, entity_metrics, seed: model.seed })
    }

    /// The range of a number over resampled groups, given how many times each row counts, fold after fold.
    pub fn interval(&self, number: impl Fn(&[u32]) -> Option<f64> + Sync) -> Option<(f64, f64)> {
        resampled(&self.groups, self.group_count, self.seed, number)
    }

    pub fn metric_names(&self) -> Vec<String> {
        let own = ["average_precision", "roc_auc", "log_loss", "brier", "calibration_error"].map(str::to_owned);
        own.into_iter().chain(self.entity_metrics.iter().map(|(name, ..)| name.clone())).collect()
    }

    /// Every metric as its mean over the folds, with an interval by resampling groups, beside the baselines; and for each
    /// baseline the interval of our advantage over it in `metric`, positive where ours is better.
    pub fn judge(&self, scored: &[Scored], baselines: &[(String, Vec<Scored>)], metric: Metric) -> Judgement {
        let prepared = self.prepare(scored);
        let others: Vec<(String, Vec<Prepared>)> =
            baselines.iter().map(|(name, scored)| (name.clone(), self.prepare(scored))).collect();
        let (names, chosen) = (self.metric_names(), metric_name(metric));
        let sign = if larger_is_better(chosen) { 1.0 } else { -1.0 };
        let statistics = |rows: &[u32], groups: &[u32]| {
            let weights = Weights::of(&prepared, rows, groups);
            let drawn = |name: &String| self.can_resample(name).then(|| self.mean(&prepared, name, &weights)).flatten();
            let own: Vec<Option<f64>> = names.iter().map(drawn).collect();
            let ours = names.iter().position(|name| name == chosen).and_then(|at| own[at]);
            let advantage = |other: &[Prepared]| {
                Some(sign * (ours? - self.mean(other, chosen, &Weights::of(other, rows, groups))?))
            };
            own.into_iter().chain(others.iter().map(|(_, other)| advantage(other))).collect()
        };
        let intervals = grouped_intervals(&self.groups, self.group_count, REPLICATES, self.seed, statistics);
        let interval_of = |statistic: usize| intervals[statistic].map(|interval| (interval.low, interval.high));
        let mut metrics = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            let interval = self.can_resample(name).then(|| interval_of(at)).flatten();
            if let Some(value) = self.metric_value(&prepared, &others, name, interval) {
                metrics.insert(name.clone(), value);
            }
        }
        let advantages = others.iter().enumerate().map(|(at, (name, _))| (name.clone(), interval_of(names.len() + at)));
        Judgement { metrics, advantage: advantages.collect() }
    }

    /// Resampled rows are never as well calibrated as the sample: the bootstrap's interval would lie above the value. And an
    /// entity that is not the group resampled would count some of its rows only.
    fn can_resample(&self, name: &str) -> bool {
        name != "calibration_error" && self.entity_metrics.iter().all(|(own, _, resampled)| own != name || *resampled)
    }

    fn metric_value(
        &self,
        prepared: &[Prepared],
        others: &[(String, Vec<Prepared>)],
        name: &str,
        interval: Option<(f64, f64)>,
    ) -> Option<MetricValue> {
        let (rows, groups) = (vec![1; self.groups.len()], vec![1; self.group_count]);
        let weights = Weights::of(prepared, &rows, &groups);
        let value = self.mean(prepared, name, &weights)?;
        let value_of = |(other, prepared): &(String, Vec<Prepared>)| {
            Some((other.clone(), self.mean(prepared, name, &Weights::of(prepared, &rows, &groups))?))
        };
        let baselines: BTreeMap<String, f64> = others.iter().filter_map(value_of).collect();
        let by_fold = (0..self.folds.len()).map(|fold| self.of_fold(prepared, fold, name, &weights)).collect();
        Some(MetricValue::beside(name, value, interval, baselines, by_fold))
    }

    fn prepare(&self, scored: &[Scored]) -> Vec<Prepared> {
        let one = |(fold, scored): (&ExamFold, &Scored)| Prepared {
            ranked: Ranked::new(&scored.score, &fold.truth, &self.groups[fold.rows.clone()]),
            calibrated: Ranking::new(&scored.probability),
            log_losses: Losses::log(&scored.probability, &fold.truth),
            squares: Losses::squared(&scored.probability, &fold.truth),
            entities: fold
                .entities
                .iter()
                .map(|codes| EntityPrecisionAtK::new(&scored.score, &fold.truth, codes, &fold.day))
                .collect(),
        };
        self.folds.iter().zip(scored).map(one).collect()
    }

    fn mean(&self, prepared: &[Prepared], name: &str, weights: &Weights) -> Option<f64> {
        let values: Option<Vec<f64>> =
            (0..self.folds.len()).map(|fold| self.of_fold(prepared, fold, name, weights)).collect();
        let values = values?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }

    fn of_fold(&self, prepared: &[Prepared], at: usize, name: &str, weights: &Weights) -> Option<f64> {
        let (fold, own) = (&self.folds[at], &prepared[at]);
        let weight = &weights.rows[fold.rows.clone()];
        match name {
            "average_precision" => own.ranked.ranking.average_precision(&own.ranked.truth, &weights.ranked[at]),
            "roc_auc" => own.ranked.ranking.roc_auc(&own.ranked.truth, &weights.ranked[at]),
            "log_loss" => own.log_losses.mean(weight),
            "brier" => own.squares.mean(weight),
            "calibration_error" => own.calibrated.calibration_error(&fold.truth, weight, CALIBRATION_BINS),
            _ => {
                let metric = self.entity_metrics.iter().position(|(known, ..)| known == name)?;
                let everyone = vec![1; fold.entities[metric].iter().max().map_or(0, |&max| max as usize + 1)];
                let weight = if self.entity_metrics[metric].2 { weights.groups } else { &everyone };
                own.entities[metric].mean(weight, self.entity_metrics[metric].1)
            }
        }
    }
}

struct Prepared {
    ranked: Ranked,
    calibrated: Ranking,
    log_losses: Losses,
    squares: Losses,
    entities: Vec<EntityPrecisionAtK>,
}

/// A fold's rows from the highest score to the lowest: a measure of rank is then one pass without a jump in memory.
struct Ranked {
    ranking: Ranking,
    truth: Vec<bool>,
    groups: Vec<u32>,
}

impl Ranked {
    fn new(score: &[f64], truth: &[bool], groups: &[u32]) -> Ranked {
        let order = Ranking::new(score);
        Ranked {
            ranking: Ranking::new(&order.arrange(score)),
            truth: order.arrange(truth),
            groups: order.arrange(groups),
        }
    }
}

/// How many times everything counts in one sample.
struct Weights<'a> {
    rows: &'a [u32],
    groups: &'a [u32],
    /// For each fold, of its ranked rows.
    ranked: Vec<Vec<u32>>,
}

impl Weights<'_> {
    fn of<'a>(prepared: &[Prepared], rows: &'a [u32], groups: &'a [u32]) -> Weights<'a> {
        let one = |own: &Prepared| own.ranked.groups.iter().map(|&group| groups[group as usize]).collect();
        Weights { rows, groups, ranked: prepared.iter().map(one).collect() }
    }
}

/// The range of a number over resampled groups, given how many times each row counts.
pub fn resampled(
    groups: &[u32],
    group_count: usize,
    seed: u64,
    number: impl Fn(&[u32]) -> Option<f64> + Sync,
) -> Option<(f64, f64)> {
    let interval = grouped_interval(groups, group_count, REPLICATES, seed, |rows, _| number(rows));
    interval.map(|interval| (interval.low, interval.high))
}

pub fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::AveragePrecision => "average_precision",
        Metric::RocAuc => "roc_auc",
        Metric::LogLoss => "log_loss",
    }
}

pub fn larger_is_better(name: &str) -> bool {
    !matches!(name, "log_loss" | "brier") && !name.ends_with("_error") && !name.ends_with("_rmse")
}
