//! How good the answers were: each metric with an interval, beside the same metric of each baseline.

use crate::PlatformError;
use crate::history::History;
use crate::split::DAY;
use crate::version::MetricValue;
use septet_domain::{Domain, Metric};
use septet_learn::bootstrap::grouped_interval;
use septet_learn::metrics::{EntityPrecisionAtK, Ranking, brier, log_loss};
use std::collections::BTreeMap;

/// Bootstrap samples. 200 place the ends of a 95 % interval to about a tenth of its width.
const REPLICATES: usize = 200;
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

struct ExamFold {
    rows: std::ops::Range<usize>,
    truth: Vec<bool>,
    day: Vec<i32>,
    entities: Vec<Vec<u32>>,
}

impl Exam {
    pub fn new(history: &History, domain: &Domain, label: &[f64], folds: &[Vec<u32>]) -> Result<Exam, PlatformError> {
        let model = &domain.spec.model;
        let group = model.interval_by.as_ref().map(|name| history.intern(name.get_ref())).transpose()?;
        let mut entity_metrics = Vec::new();
        let mut entity_codes = Vec::new();
        for metric in &domain.spec.metric {
            let resampled = model.interval_by.as_ref().is_some_and(|name| name.get_ref() == metric.entity.get_ref());
            entity_metrics.push((metric.name.clone(), metric.k as usize, resampled));
            entity_codes.push(history.intern(metric.entity.get_ref())?.codes);
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
                entities: entity_codes.iter().map(|codes| rows.iter().map(|row| codes[at(row)]).collect()).collect(),
            });
        }
        let group_count = group.as_ref().map_or(groups.len(), |group| group.words.len());
        if group.is_none() {
            groups = (0..groups.len() as u32).collect();
        }
        Ok(Exam { folds: exam_folds, groups, group_count, entity_metrics, seed: model.seed })
    }

    pub fn metric_names(&self) -> Vec<String> {
        let own = ["average_precision", "roc_auc", "log_loss", "brier", "calibration_error"].map(str::to_owned);
        own.into_iter().chain(self.entity_metrics.iter().map(|(name, ..)| name.clone())).collect()
    }

    /// Every metric as its mean over the folds, with an interval by resampling groups, beside the baselines.
    pub fn judge(&self, scored: &[Scored], baselines: &[(String, Vec<Scored>)]) -> BTreeMap<String, MetricValue> {
        let prepared = self.prepare(scored);
        let others: Vec<(String, Vec<Prepared>)> =
            baselines.iter().map(|(name, scored)| (name.clone(), self.prepare(scored))).collect();
        let mut metrics = BTreeMap::new();
        for name in self.metric_names() {
            let Some(value) = self.mean(&prepared, &name, &self.ones(), &self.one_each()) else { continue };
            let can_resample = self.entity_metrics.iter().all(|(own, _, resampled)| *own != name || *resampled);
            let interval =
                can_resample.then(|| self.interval(|rows, groups| self.mean(&prepared, &name, rows, groups))).flatten();
            let value_of = |other: &[Prepared]| self.mean(other, &name, &self.ones(), &self.one_each());
            let each: BTreeMap<String, f64> =
                others.iter().filter_map(|(other, prepared)| Some((other.clone(), value_of(prepared)?))).collect();
            let larger_is_better = larger_is_better(&name);
            let best =
                each.iter().max_by(|a, b| if larger_is_better { a.1.total_cmp(b.1) } else { b.1.total_cmp(a.1) });
            let best = best.map(|(other, value)| (other.clone(), *value));
            let by_fold = (0..self.folds.len())
                .map(|fold| self.of_fold(&prepared, fold, &name, &self.ones(), &self.one_each()))
                .collect();
            metrics.insert(
                name,
                MetricValue {
                    value,
                    low: interval.map(|interval| interval.0),
                    high: interval.map(|interval| interval.1),
                    baseline: best.as_ref().map(|best| best.1),
                    baseline_name: best.map(|best| best.0),
                    baselines: each,
                    by_fold,
                },
            );
        }
        metrics
    }

    /// Interval of "ours minus theirs" of the metric that candidates are chosen by, positive where ours is better.
    pub fn advantage(&self, ours: &[Scored], theirs: &[Scored], metric: Metric) -> Option<(f64, f64)> {
        let (ours, theirs, name) = (self.prepare(ours), self.prepare(theirs), metric_name(metric));
        let sign = if larger_is_better(name) { 1.0 } else { -1.0 };
        self.interval(|rows, groups| {
            Some(sign * (self.mean(&ours, name, rows, groups)? - self.mean(&theirs, name, rows, groups)?))
        })
    }

    fn interval(&self, statistic: impl Fn(&[u32], &[u32]) -> Option<f64> + Sync) -> Option<(f64, f64)> {
        let interval = grouped_interval(&self.groups, self.group_count, REPLICATES, self.seed, statistic)?;
        Some((interval.low, interval.high))
    }

    fn ones(&self) -> Vec<u32> {
        vec![1; self.groups.len()]
    }

    fn one_each(&self) -> Vec<u32> {
        vec![1; self.group_count]
    }

    fn prepare<'a>(&'a self, scored: &'a [Scored]) -> Vec<Prepared<'a>> {
        let one = |(fold, scored): (&'a ExamFold, &'a Scored)| Prepared {
            ranking: Ranking::new(&scored.score),
            calibrated: Ranking::new(&scored.probability),
            entities: fold
                .entities
                .iter()
                .map(|codes| EntityPrecisionAtK::new(&scored.score, &fold.truth, codes, &fold.day))
                .collect(),
            scored,
        };
        self.folds.iter().zip(scored).map(one).collect()
    }

    fn mean(&self, prepared: &[Prepared], name: &str, rows: &[u32], groups: &[u32]) -> Option<f64> {
        let values: Option<Vec<f64>> =
            (0..self.folds.len()).map(|fold| self.of_fold(prepared, fold, name, rows, groups)).collect();
        let values = values?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }

    fn of_fold(&self, prepared: &[Prepared], at: usize, name: &str, rows: &[u32], groups: &[u32]) -> Option<f64> {
        let (fold, own) = (&self.folds[at], &prepared[at]);
        let weight = &rows[fold.rows.clone()];
        match name {
            "average_precision" => own.ranking.average_precision(&fold.truth, weight),
            "roc_auc" => own.ranking.roc_auc(&fold.truth, weight),
            "log_loss" => log_loss(&own.scored.probability, &fold.truth, weight),
            "brier" => brier(&own.scored.probability, &fold.truth, weight),
            "calibration_error" => own.calibrated.calibration_error(&fold.truth, weight, CALIBRATION_BINS),
            _ => {
                let metric = self.entity_metrics.iter().position(|(known, ..)| known == name)?;
                let everyone = vec![1; fold.entities[metric].iter().max().map_or(0, |&max| max as usize + 1)];
                let weight = if self.entity_metrics[metric].2 { groups } else { &everyone };
                own.entities[metric].mean(weight, self.entity_metrics[metric].1)
            }
        }
    }
}

struct Prepared<'a> {
    ranking: Ranking,
    calibrated: Ranking,
    entities: Vec<EntityPrecisionAtK>,
    scored: &'a Scored,
}

pub fn metric_name(metric: Metric) -> &'static str {
    match metric {
        Metric::AveragePrecision => "average_precision",
        Metric::RocAuc => "roc_auc",
        Metric::LogLoss => "log_loss",
    }
}

pub fn larger_is_better(name: &str) -> bool {
    !matches!(name, "log_loss" | "brier" | "calibration_error")
}
