//! How good the answers were, window by window, on labels that are known by now; and what the probabilities themselves
//! promise for the windows whose labels are not.

use crate::PlatformError;
use crate::monitor::grid::Grid;
use crate::monitor::observed::ObservedRows;
use crate::monitor::series::Value;
use crate::split::DAY;
use rayon::prelude::*;
use septet_domain::Domain;
use septet_learn::bootstrap::{SplitMix64, grouped_interval, interval};
use septet_learn::measures::{Answers, Better, Measure, Prepared, Task, Weights, measure};
use septet_learn::metrics::EntityPrecisionAtK;
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
    task: Task,
    mature: bool,
    probability: Vec<f64>,
    /// NaN where it is not known.
    label: Vec<f64>,
    groups: Vec<u32>,
    days: Vec<i32>,
    entities: Vec<Vec<u32>>,
}

/// A measure of the table, or one of the domain's own.
enum Judged {
    Table(&'static Measure),
    /// Place among the domain's entity measures, and k.
    Entity(usize, usize),
}

/// Measures beside the one of choice that are told of every task.
fn beside(task: Task) -> &'static [&'static str] {
    match task {
        Task::Label => &["roc_auc", "brier"],
        Task::Number => &["rmse", "mae"],
        Task::Count => &[],
    }
}

/// The measure of choice, some that are always told, and the domain's own.
pub fn performance(
    parts: &[ObservedRows],
    grid: &Grid,
    domain: &Domain,
    task: Task,
    judged: &dyn Fn(&str) -> Option<f64>,
) -> Result<Vec<MetricSeen>, PlatformError> {
    let spec = &domain.spec;
    let windows = windows(parts, grid, domain, task)?;
    let chosen = spec.model.measure.get_ref().as_str();
    let named = [chosen].into_iter().chain(beside(task).iter().copied().filter(|name| *name != chosen));
    let mut measures: Vec<(String, Judged)> =
        named.filter_map(|name| Some((name.to_owned(), Judged::Table(measure(name)?)))).collect();
    for (at, own) in spec.measure.iter().enumerate() {
        measures.push((own.name.clone(), Judged::Entity(at, own.k as usize)));
    }
    let seen = measures.into_iter().map(|(name, one)| {
        let realised: Vec<Realised> =
            windows.par_iter().filter(|window| window.mature).filter_map(|window| window.realised(&one)).collect();
        let live: Vec<&Window> = windows.iter().filter(|window| grid.watched.contains(&window.number)).collect();
        let estimated = live.par_iter().filter_map(|window| window.estimated(&one, spec.seed())).collect();
        let larger_is_better = match &one {
            Judged::Table(measure) => measure.better == Better::Higher,
            Judged::Entity(..) => true,
        };
        MetricSeen { larger_is_better, when_judged: judged(&name), name, realised, estimated }
    });
    Ok(seen.collect())
}

/// The realised values as a series; how many rows says nothing about how far such a metric strays.
pub fn series(metric: &MetricSeen, grid: &Grid) -> Vec<Value> {
    let value =
        |one: &Realised| Value { window: one.window, slot: grid.slot(one.window), value: one.value, rows: None };
    metric.realised.iter().map(value).collect()
}

fn windows(parts: &[ObservedRows], grid: &Grid, domain: &Domain, task: Task) -> Result<Vec<Window>, PlatformError> {
    let spec = &domain.spec;
    let mut interned: Vec<Interning> = vec![Interning::default(); spec.measure.len() + 1];
    let mut made: std::collections::BTreeMap<i64, Window> = std::collections::BTreeMap::new();
    for part in parts {
        let mut codes = Vec::new();
        let group = spec.model.interval_by.as_ref().map(|name| name.get_ref());
        codes.push(group.map(|name| part.words(name).map(|words| interned[0].codes(&words))).transpose()?);
        for (at, own) in spec.measure.iter().enumerate() {
            let words = part.words(own.entity.get_ref())?;
            codes.push(Some(interned[at + 1].codes(&words)));
        }
        for row in 0..part.rows() {
            let number = grid.number(part.times[row]);
            if !grid.reference.contains(&number) && !grid.watched.contains(&number) {
                continue;
            }
            let window = made.entry(number).or_insert_with(|| Window {
                number,
                task,
                mature: grid.is_mature(part.times[row]),
                probability: Vec::new(),
                label: Vec::new(),
                groups: Vec::new(),
                days: Vec::new(),
                entities: vec![Vec::new(); spec.measure.len()],
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
            task: self.task,
            mature: self.mature,
            probability: rows.iter().map(|&row| self.probability[row]).collect(),
            label: rows.iter().map(|&row| self.label[row]).collect(),
            groups: pick(&self.groups),
            days: rows.iter().map(|&row| self.days[row]).collect(),
            entities: self.entities.iter().map(|codes| pick(codes)).collect(),
        })
    }

    /// The window's answers beside a truth.
    fn prepared(&self, truth: Vec<f64>) -> Prepared {
        let answers = match self.task {
            Task::Number => Answers { number: Some(self.probability.clone()), ..Answers::default() },
            Task::Label | Task::Count => {
                Answers { score: Some(self.probability.clone()), chance: Some(self.probability.clone()), number: None }
            }
        };
        // Weights by rank are asked for by row.
        let rows = (0..truth.len() as u32).collect();
        Prepared::new(self.task, answers, truth, rows)
    }

    fn realised(&self, judged: &Judged) -> Option<Realised> {
        let own = self.labelled()?;
        let positives = own.label.iter().filter(|label| **label > 0.0).count();
        if self.task == Task::Label && positives < POSITIVES_MIN {
            return None;
        }
        let (mut codes, mut dense) = (HashMap::new(), Vec::with_capacity(own.groups.len()));
        for group in &own.groups {
            let next = codes.len() as u32;
            dense.push(*codes.entry(*group).or_insert(next));
        }
        let (value, resampled) = match judged {
            // A day's best k entities are not resampled: which cards there were is the day's own.
            Judged::Entity(at, k) => {
                let truth: Vec<bool> = own.label.iter().map(|label| *label == 1.0).collect();
                (own.of_entities(*at, *k, &truth)?, None)
            }
            Judged::Table(measure) => {
                let prepared = own.prepared(own.label.clone());
                let weighed =
                    |rows: &[u32]| measure.of(&prepared, &Weights { rows, ranked: &prepared.ranked_weights(rows) });
                let seed = self.number as u64;
                let range = grouped_interval(&dense, codes.len(), REPLICATES, seed, |rows, _| weighed(rows));
                (measure.of_all(&prepared)?, range)
            }
        };
        Some(Realised {
            window: self.number,
            value,
            low: resampled.map(|found| found.low),
            high: resampled.map(|found| found.high),
            rows: own.label.len(),
            positives,
        })
    }

    fn of_entities(&self, at: usize, k: usize, truth: &[bool]) -> Option<f64> {
        let entities = &self.entities[at];
        let everyone = vec![1; entities.iter().max().map_or(0, |&max| max as usize + 1)];
        EntityPrecisionAtK::new(&self.probability, truth, entities, &self.days).mean(&everyone, k)
    }

    /// What labels drawn from the probabilities themselves say; none where the answers are no probabilities.
    fn estimated(&self, judged: &Judged, seed: u64) -> Option<Estimated> {
        if self.task != Task::Label {
            return None;
        }
        let mut random = SplitMix64::new(seed ^ (self.number as u64).wrapping_mul(0x9E37_79B9));
        let mut drawn = |probability: f64| (random.below(1 << 30) as f64) < probability * f64::from(1 << 30);
        let mut values: Vec<f64> = match judged {
            Judged::Table(measure) => {
                let prepared = self.prepared(vec![0.0; self.probability.len()]);
                let draw = |_| {
                    let labels = self.probability.iter().map(|&probability| f64::from(u8::from(drawn(probability))));
                    measure.of_all(&prepared.with_truth(labels.collect()))
                };
                (0..REPLICATES).filter_map(draw).collect()
            }
            Judged::Entity(at, k) => {
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
}
