//! How good the answers were, window by window, on labels that are known by now; and what the probabilities themselves
//! promise for the windows whose labels are not.

use crate::PlatformError;
use crate::judge::{larger_is_better, metric_name};
use crate::monitor::grid::Grid;
use crate::monitor::observed::Part;
use crate::monitor::series::Value;
use crate::split::DAY;
use rayon::prelude::*;
use septet_domain::Domain;
use septet_learn::bootstrap::{SplitMix64, grouped_interval, interval};
use septet_learn::metrics::{EntityPrecisionAtK, Ranking, brier, log_loss};
use serde::Serialize;
use std::collections::HashMap;

/// Samples of whole groups for an interval; of labels for an estimate.
const REPLICATES: usize = 100;
/// A window with fewer positives says nothing about how they are ranked.
const POSITIVES_MIN: usize = 5;
/// Share of the draws within an estimate's band.
const ESTIMATE_LEVEL: f64 = 0.9;

/// A metric over the windows.
#[derive(Clone, Debug, Serialize)]
pub struct MetricSeen {
    pub name: String,
    pub larger_is_better: bool,
    /// On the test folds, when the version was judged.
    pub when_judged: Option<f64>,
    pub realised: Vec<Realised>,
    pub estimated: Vec<Estimated>,
}

/// Of a window whose labels are known.
#[derive(Clone, Debug, Serialize)]
pub struct Realised {
    pub window: i64,
    pub value: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub rows: usize,
    pub positives: usize,
}

/// What the metric would be if the probabilities are right: mean and band over labels drawn from them.
#[derive(Clone, Debug, Serialize)]
pub struct Estimated {
    pub window: i64,
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Rows of one window, all parts together.
struct Window {
    number: i64,
    mature: bool,
    probability: Vec<f64>,
    /// NaN where it is not known.
    label: Vec<f64>,
    groups: Vec<u32>,
    days: Vec<i32>,
    entities: Vec<Vec<u32>>,
}

/// One metric, and how it is computed.
enum Measure {
    Ranked(&'static str),
    /// Place among the domain's entity metrics, and k.
    Entity(usize, usize),
}

/// The metric of choice, ROC AUC, calibration's Brier score, and the domain's own.
pub fn performance(
    parts: &[Part],
    grid: &Grid,
    domain: &Domain,
    judged: &dyn Fn(&str) -> Option<f64>,
) -> Result<Vec<MetricSeen>, PlatformError> {
    let spec = &domain.spec;
    let windows = windows(parts, grid, domain)?;
    let chosen = metric_name(spec.label_model().metric);
    let mut measures = vec![(chosen.to_owned(), Measure::Ranked(chosen))];
    for name in ["roc_auc", "brier"].into_iter().filter(|name| *name != chosen) {
        measures.push((name.to_owned(), Measure::Ranked(name)));
    }
    for (at, metric) in spec.metric.iter().enumerate() {
        measures.push((metric.name.clone(), Measure::Entity(at, metric.k as usize)));
    }
    let seen = measures.into_iter().map(|(name, measure)| {
        let realised: Vec<Realised> =
            windows.par_iter().filter(|window| window.mature).filter_map(|window| window.realised(&measure)).collect();
        let live: Vec<&Window> = windows.iter().filter(|window| grid.watched.contains(&window.number)).collect();
        let estimated = live.par_iter().filter_map(|window| window.estimated(&measure, spec.seed())).collect();
        MetricSeen { larger_is_better: larger_is_better(&name), when_judged: judged(&name), name, realised, estimated }
    });
    Ok(seen.collect())
}

/// The realised values as a series; how many rows says nothing about how far such a metric strays.
pub fn series(metric: &MetricSeen, grid: &Grid) -> Vec<Value> {
    let value =
        |one: &Realised| Value { window: one.window, slot: grid.slot(one.window), value: one.value, rows: None };
    metric.realised.iter().map(value).collect()
}

fn windows(parts: &[Part], grid: &Grid, domain: &Domain) -> Result<Vec<Window>, PlatformError> {
    let spec = &domain.spec;
    let mut interned: Vec<Interning> = vec![Interning::default(); spec.metric.len() + 1];
    let mut made: std::collections::BTreeMap<i64, Window> = std::collections::BTreeMap::new();
    for part in parts {
        let mut codes = Vec::new();
        let group = spec.label_model().interval_by.as_ref().map(|name| name.get_ref());
        codes.push(group.map(|name| part.words(name).map(|words| interned[0].codes(&words))).transpose()?);
        for (at, metric) in spec.metric.iter().enumerate() {
            let words = part.words(metric.entity.get_ref())?;
            codes.push(Some(interned[at + 1].codes(&words)));
        }
        for row in 0..part.rows() {
            let number = grid.number(part.times[row]);
            if !grid.reference.contains(&number) && !grid.watched.contains(&number) {
                continue;
            }
            let window = made.entry(number).or_insert_with(|| Window {
                number,
                mature: grid.is_mature(part.times[row]),
                probability: Vec::new(),
                label: Vec::new(),
                groups: Vec::new(),
                days: Vec::new(),
                entities: vec![Vec::new(); spec.metric.len()],
            });
            let alone = window.groups.len() as u32;
            window.probability.push(part.probability[row]);
            window.label.push(part.label[row]);
            window.groups.push(codes[0].as_ref().map_or(alone, |codes| codes[row]));
            window.days.push(part.times[row].div_euclid(DAY) as i32);
            for (entity, codes) in window.entities.iter_mut().zip(&codes[1..]) {
                entity.push(codes.as_ref().map_or(0, |codes| codes[row]));
            }
        }
    }
    Ok(made.into_values().collect())
}

/// Words of several parts as one set of small numbers.
#[derive(Clone, Default)]
struct Interning {
    known: HashMap<String, u32>,
}

impl Interning {
    fn codes(&mut self, words: &septet_tables::arrow::array::StringArray) -> Vec<u32> {
        let mut code = |word: Option<&str>| {
            let word = word.unwrap_or_default();
            match self.known.get(word) {
                Some(&code) => code,
                None => {
                    let code = self.known.len() as u32;
                    self.known.insert(word.to_owned(), code);
                    code
                }
            }
        };
        words.iter().map(&mut code).collect()
    }
}

impl Window {
    /// The window's rows that have a label.
    fn labelled(&self) -> Option<Window> {
        let rows: Vec<usize> = (0..self.label.len()).filter(|&row| !self.label[row].is_nan()).collect();
        let pick = |values: &[u32]| rows.iter().map(|&row| values[row]).collect::<Vec<u32>>();
        (!rows.is_empty()).then(|| Window {
            number: self.number,
            mature: self.mature,
            probability: rows.iter().map(|&row| self.probability[row]).collect(),
            label: rows.iter().map(|&row| self.label[row]).collect(),
            groups: pick(&self.groups),
            days: rows.iter().map(|&row| self.days[row]).collect(),
            entities: self.entities.iter().map(|codes| pick(codes)).collect(),
        })
    }

    fn realised(&self, measure: &Measure) -> Option<Realised> {
        let own = self.labelled()?;
        let truth: Vec<bool> = own.label.iter().map(|label| *label == 1.0).collect();
        let positives = truth.iter().filter(|positive| **positive).count();
        if positives < POSITIVES_MIN {
            return None;
        }
        let value = own.measured(measure, &truth, &vec![1; truth.len()])?;
        let (mut codes, mut dense) = (HashMap::new(), Vec::with_capacity(own.groups.len()));
        for group in &own.groups {
            let next = codes.len() as u32;
            dense.push(*codes.entry(*group).or_insert(next));
        }
        // A day's best k entities are not resampled: which cards there were is the day's own.
        let resampled = match measure {
            Measure::Entity(..) => None,
            Measure::Ranked(_) => {
                let ranking = Ranking::new(&own.probability);
                grouped_interval(&dense, codes.len(), REPLICATES, self.number as u64, |weight, _| {
                    own.ranked(measure, &ranking, &truth, weight)
                })
            }
        };
        Some(Realised {
            window: self.number,
            value,
            low: resampled.map(|found| found.low),
            high: resampled.map(|found| found.high),
            rows: truth.len(),
            positives,
        })
    }

    fn estimated(&self, measure: &Measure, seed: u64) -> Option<Estimated> {
        let mut random = SplitMix64::new(seed ^ (self.number as u64).wrapping_mul(0x9E37_79B9));
        let mut drawn = |probability: f64| (random.below(1 << 30) as f64) < probability * f64::from(1 << 30);
        let mut values: Vec<f64> = match measure {
            Measure::Ranked(_) => {
                let (ranking, weight) = (Ranking::new(&self.probability), vec![1; self.probability.len()]);
                let draw = |_| {
                    let truth: Vec<bool> = self.probability.iter().map(|&probability| drawn(probability)).collect();
                    self.ranked(measure, &ranking, &truth, &weight)
                };
                (0..REPLICATES).filter_map(draw).collect()
            }
            Measure::Entity(at, k) => {
                let days = self.best_entities(*at, *k);
                let slots = (days.len() * k) as f64;
                let draw = |_| days.iter().flatten().filter(|probability| drawn(**probability)).count() as f64 / slots;
                if days.is_empty() { Vec::new() } else { (0..REPLICATES).map(draw).collect() }
            }
        };
        if values.len() * 2 < REPLICATES {
            return None;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let band = interval(&mut values, ESTIMATE_LEVEL)?;
        Some(Estimated { window: self.number, value: mean, low: band.low, high: band.high })
    }

    /// For each day, of its k entities with the highest score, the probability that any of their rows is positive, rows
    /// taken for independent.
    fn best_entities(&self, metric: usize, k: usize) -> Vec<Vec<f64>> {
        let mut days: std::collections::BTreeMap<i32, HashMap<u32, (f64, f64)>> = std::collections::BTreeMap::new();
        for ((day, entity), probability) in self.days.iter().zip(&self.entities[metric]).zip(&self.probability) {
            let (best, none) = days.entry(*day).or_default().entry(*entity).or_insert((0.0, 1.0));
            *best = best.max(*probability);
            *none *= 1.0 - probability;
        }
        let best_of = |entities: HashMap<u32, (f64, f64)>| {
            let mut entities: Vec<(u32, f64, f64)> =
                entities.into_iter().map(|(entity, (best, none))| (entity, best, none)).collect();
            entities.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            entities.iter().take(k).map(|(_, _, none)| 1.0 - none).collect()
        };
        days.into_values().map(best_of).collect()
    }

    fn measured(&self, measure: &Measure, truth: &[bool], weight: &[u32]) -> Option<f64> {
        match measure {
            Measure::Ranked(_) => self.ranked(measure, &Ranking::new(&self.probability), truth, weight),
            Measure::Entity(at, k) => {
                let entities = &self.entities[*at];
                let everyone = vec![1; entities.iter().max().map_or(0, |&max| max as usize + 1)];
                EntityPrecisionAtK::new(&self.probability, truth, entities, &self.days).mean(&everyone, *k)
            }
        }
    }

    fn ranked(&self, measure: &Measure, ranking: &Ranking, truth: &[bool], weight: &[u32]) -> Option<f64> {
        let Measure::Ranked(name) = measure else { return None };
        match *name {
            "average_precision" => ranking.average_precision(truth, weight),
            "roc_auc" => ranking.roc_auc(truth, weight),
            "log_loss" => log_loss(&self.probability, truth, weight),
            _ => brier(&self.probability, truth, weight),
        }
    }
}
