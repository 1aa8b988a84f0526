//! How good the answers were: each measure with an interval, beside the same measure of each baseline.

use crate::PlatformError;
use crate::inputs::TrainingData;
use crate::kinds::AlsoJudged;
use crate::split::DAY;
use crate::version::MetricValue;
use septet_domain::Domain;
use septet_learn::bootstrap::grouped_intervals;
use septet_learn::measures::{self, Answers, Better, Measure, Prepared, Task, Weights, measure};
use septet_learn::metrics::EntityPrecisionAtK;
use std::collections::BTreeMap;

/// Bootstrap samples. 200 place the ends of a 95 % interval to about a tenth of its width.
pub const REPLICATES: usize = 200;

/// What an entity measure says.
pub const ENTITY_MEANING: &str = "of the k entities with the highest score each day, the share that is positive";

/// What the rows of the test folds are, whoever answers them.
pub struct Evaluation {
    task: Task,
    folds: Vec<EvaluationFold>,
    /// Row to group, all folds one after the other; which groups are resampled.
    groups: Vec<u32>,
    group_count: usize,
    entity_measures: Vec<EntityMeasure>,
    seed: u64,
}

struct EntityMeasure {
    name: String,
    k: usize,
    /// Whether its entity is the group that is resampled; else resampling would count some of an entity's rows only.
    resampled: bool,
}

/// What an evaluation says of a version.
pub struct EvaluationResult {
    pub metrics: BTreeMap<String, MetricValue>,
    /// Low and high end of our advantage over each baseline in the measure of choice.
    pub advantage: BTreeMap<String, Option<(f64, f64)>>,
}

struct EvaluationFold {
    rows: std::ops::Range<usize>,
    truth: Vec<f64>,
    day: Vec<i32>,
    entities: Vec<Vec<u32>>,
}

/// A measure of the table, or one of the domain's own of entities.
#[derive(Clone, Copy)]
enum Judged<'a> {
    Table(&'static Measure),
    Entity(usize, &'a EntityMeasure),
}

impl Judged<'_> {
    fn name(&self) -> &str {
        match self {
            Judged::Table(measure) => measure.name,
            Judged::Entity(_, entity) => &entity.name,
        }
    }

    fn resampled(&self) -> bool {
        match self {
            Judged::Table(measure) => measure.resampled,
            Judged::Entity(_, entity) => entity.resampled,
        }
    }

    fn better(&self) -> Better {
        match self {
            Judged::Table(measure) => measure.better,
            Judged::Entity(..) => Better::Higher,
        }
    }

    fn meaning(&self) -> &'static str {
        match self {
            Judged::Table(measure) => measure.meaning,
            Judged::Entity(..) => ENTITY_MEANING,
        }
    }
}

impl Evaluation {
    /// `folds`: the rows of each test fold.
    pub fn new(data: &TrainingData, domain: &Domain, folds: &[Vec<u32>]) -> Result<Evaluation, PlatformError> {
        let model = &domain.spec.model;
        let group = model.interval_by.as_ref().map(|name| data.codes(name.get_ref())).transpose()?;
        let mut entity_measures = Vec::new();
        let mut entity_codes = Vec::new();
        for own in &domain.spec.measure {
            let resampled = model.interval_by.as_ref().is_some_and(|name| name.get_ref() == own.entity.get_ref());
            entity_measures.push(EntityMeasure { name: own.name.clone(), k: own.k as usize, resampled });
            entity_codes.push(data.codes(own.entity.get_ref())?.0);
        }
        let mut groups = Vec::new();
        let mut evaluated = Vec::new();
        for rows in folds {
            let start = groups.len();
            let at = |&row: &u32| row as usize;
            groups.extend(rows.iter().map(|row| group.as_ref().map_or(0, |(codes, _)| codes[at(row)])));
            evaluated.push(EvaluationFold {
                rows: start..groups.len(),
                truth: rows.iter().map(|row| data.target()[at(row)]).collect(),
                day: rows.iter().map(|row| data.times[at(row)].div_euclid(DAY) as i32).collect(),
                entities: entity_codes.iter().map(|codes| rows.iter().map(|row| codes[at(row)]).collect()).collect(),
            });
        }
        let group_count = group.as_ref().map_or(groups.len(), |(_, count)| *count);
        if group.is_none() {
            groups = (0..groups.len() as u32).collect();
        }
        let (task, seed) = (data.context.task, model.seed);
        Ok(Evaluation { task, folds: evaluated, groups, group_count, entity_measures, seed })
    }

    fn all(&self) -> Vec<Judged<'_>> {
        let entities = self.entity_measures.iter().enumerate().map(|(at, entity)| Judged::Entity(at, entity));
        measures::of_task(self.task).map(Judged::Table).chain(entities).collect()
    }

    /// Every measure as its mean over the folds, with an interval by resampling groups, beside the baselines; and for each
    /// baseline the interval of our advantage over it in `chosen`, positive where ours is better.
    pub fn judge(
        &self,
        answers: &[Answers],
        baselines: &[(String, Vec<Answers>)],
        chosen: &'static Measure,
    ) -> EvaluationResult {
        let prepared = self.prepare(answers);
        let others: Vec<(&String, Vec<PreparedFold>)> =
            baselines.iter().map(|(name, answers)| (name, self.prepare(answers))).collect();
        let all = self.all();
        let place = all.iter().position(|judged| judged.name() == chosen.name);
        let statistics = |rows: &[u32], groups: &[u32]| {
            let weights = FoldWeights::of(&prepared, rows, groups);
            let drawn = |judged: &Judged| judged.resampled().then(|| self.mean(&prepared, *judged, &weights)).flatten();
            let own: Vec<Option<f64>> = all.iter().map(drawn).collect();
            let ours = place.and_then(|at| own[at]);
            let advantage = |other: &[PreparedFold]| {
                let theirs = self.mean(other, Judged::Table(chosen), &FoldWeights::of(other, rows, groups))?;
                Some(chosen.advantage(ours?, theirs))
            };
            own.into_iter().chain(others.iter().map(|(_, other)| advantage(other))).collect()
        };
        let intervals = grouped_intervals(&self.groups, self.group_count, REPLICATES, self.seed, statistics);
        let interval_of = |statistic: usize| intervals[statistic].map(|interval| (interval.low, interval.high));
        let (rows, groups) = (vec![1; self.groups.len()], vec![1; self.group_count]);
        let mut metrics = BTreeMap::new();
        for (at, judged) in all.iter().enumerate() {
            let interval = judged.resampled().then(|| interval_of(at)).flatten();
            let value = |folds: &[PreparedFold]| self.mean(folds, *judged, &FoldWeights::of(folds, &rows, &groups));
            let Some(own) = value(&prepared) else { continue };
            let beside = others.iter().filter_map(|(name, folds)| Some(((*name).clone(), value(folds)?))).collect();
            let weights = FoldWeights::of(&prepared, &rows, &groups);
            let by_fold = (0..self.folds.len()).map(|fold| self.of_fold(&prepared, fold, *judged, &weights)).collect();
            let metric = MetricValue::beside(judged.better(), judged.meaning(), own, interval, beside, by_fold);
            metrics.insert(judged.name().to_owned(), metric);
        }
        let says = |folds: &[PreparedFold]| {
            self.mean(folds, Judged::Table(chosen), &FoldWeights::of(folds, &rows, &groups)).is_some()
        };
        let advantages = others.iter().enumerate().filter(|(_, (_, folds))| says(folds));
        let advantage = advantages.map(|(at, (name, _))| ((*name).clone(), interval_of(all.len() + at))).collect();
        EvaluationResult { metrics, advantage }
    }

    /// Both values of a measure on the same rows, and the interval of our advantage, positive where ours are better.
    pub fn beside(
        &self,
        ours: &[Answers],
        theirs: &[Answers],
        chosen: &'static Measure,
    ) -> (f64, f64, Option<(f64, f64)>) {
        let (own, other) = (self.prepare(ours), self.prepare(theirs));
        let value = |folds: &[PreparedFold], rows: &[u32], groups: &[u32]| {
            self.mean(folds, Judged::Table(chosen), &FoldWeights::of(folds, rows, groups))
        };
        let statistics = |rows: &[u32], groups: &[u32]| {
            let both = value(&own, rows, groups).zip(value(&other, rows, groups));
            vec![both.map(|(ours, theirs)| chosen.advantage(ours, theirs))]
        };
        let intervals = grouped_intervals(&self.groups, self.group_count, REPLICATES, self.seed, statistics);
        let (rows, groups) = (vec![1; self.groups.len()], vec![1; self.group_count]);
        let whole = |folds: &[PreparedFold]| value(folds, &rows, &groups).unwrap_or(f64::NAN);
        (whole(&own), whole(&other), intervals[0].map(|interval| (interval.low, interval.high)))
    }

    fn prepare(&self, answers: &[Answers]) -> Vec<PreparedFold> {
        let one = |(fold, answers): (&EvaluationFold, &Answers)| {
            let by_score = |codes: &Vec<u32>| {
                let score = answers.ranked_by(self.task)?;
                let truth: Vec<bool> = fold.truth.iter().map(|&truth| truth > 0.0).collect();
                Some(EntityPrecisionAtK::new(score, &truth, codes, &fold.day))
            };
            PreparedFold {
                table: Prepared::new(
                    self.task,
                    answers.clone(),
                    fold.truth.clone(),
                    self.groups[fold.rows.clone()].to_vec(),
                ),
                entities: fold.entities.iter().map(by_score).collect(),
            }
        };
        self.folds.iter().zip(answers).map(one).collect()
    }

    fn mean(&self, prepared: &[PreparedFold], judged: Judged, weights: &FoldWeights) -> Option<f64> {
        let values: Option<Vec<f64>> =
            (0..self.folds.len()).map(|fold| self.of_fold(prepared, fold, judged, weights)).collect();
        let values = values?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    }

    fn of_fold(&self, prepared: &[PreparedFold], at: usize, judged: Judged, weights: &FoldWeights) -> Option<f64> {
        let (fold, own) = (&self.folds[at], &prepared[at]);
        match judged {
            Judged::Table(measure) => {
                let rows = &weights.rows[fold.rows.clone()];
                measure.of(&own.table, &Weights { rows, ranked: &weights.ranked[at] })
            }
            Judged::Entity(place, entity) => {
                let everyone = vec![1; fold.entities[place].iter().max().map_or(0, |&max| max as usize + 1)];
                let weight = if entity.resampled { weights.groups } else { &everyone };
                own.entities[place].as_ref()?.mean(weight, entity.k)
            }
        }
    }

    /// Further numbers that a version answers with, one list a test fold, each beside its own baselines. The mean is over the folds
    /// that have the number at all.
    pub fn also(&self, folds: &[Vec<AlsoJudged>]) -> BTreeMap<String, MetricValue> {
        let Some(first) = folds.first() else { return BTreeMap::new() };
        let one = |at: usize| {
            let measure = measure(first[at].measure)?;
            let of = |numbers: &dyn Fn(&AlsoJudged) -> &Vec<f64>| -> Vec<NumberFold> {
                let fold = |(fold, also): (&EvaluationFold, &Vec<AlsoJudged>)| {
                    NumberFold::new(numbers(&also[at]), &also[at].truth, fold.rows.start)
                };
                self.folds.iter().zip(folds).map(fold).collect()
            };
            let ones = vec![1; self.groups.len()];
            let ours = of(&|also| &also.predicted);
            let value = NumberFold::mean(&ours, measure, &ones)?;
            let intervals = grouped_intervals(&self.groups, self.group_count, REPLICATES, self.seed, |rows, _| {
                vec![NumberFold::mean(&ours, measure, rows)]
            });
            let baselines = first[at].baselines.iter().enumerate().filter_map(|(place, (name, _))| {
                let theirs = of(&|also| &also.baselines[place].1);
                Some(((*name).to_owned(), NumberFold::mean(&theirs, measure, &ones)?))
            });
            let by_fold = ours.iter().map(|fold| fold.value(measure, &ones)).collect();
            let interval = intervals[0].map(|interval| (interval.low, interval.high));
            let beside = baselines.collect();
            let metric = MetricValue::beside(measure.better, measure.meaning, value, interval, beside, by_fold);
            Some((first[at].name.clone(), metric))
        };
        (0..first.len()).filter_map(one).collect()
    }
}

/// The rows of a fold that have a number.
struct NumberFold {
    /// Places among the rows of all folds.
    rows: Vec<usize>,
    prepared: Prepared,
}

impl NumberFold {
    fn new(predicted: &[f64], truth: &[f64], first: usize) -> NumberFold {
        let known: Vec<usize> =
            (0..truth.len()).filter(|&row| !truth[row].is_nan() && !predicted[row].is_nan()).collect();
        let pick = |values: &[f64]| known.iter().map(|&row| values[row]).collect::<Vec<f64>>();
        let answers = Answers { number: Some(pick(predicted)), ..Answers::default() };
        let prepared = Prepared::new(Task::Number, answers, pick(truth), Vec::new());
        NumberFold { rows: known.iter().map(|row| row + first).collect(), prepared }
    }

    fn value(&self, measure: &Measure, weights: &[u32]) -> Option<f64> {
        let rows: Vec<u32> = self.rows.iter().map(|&row| weights[row]).collect();
        measure.of(&self.prepared, &Weights { rows: &rows, ranked: &[] })
    }

    fn mean(folds: &[NumberFold], measure: &Measure, weights: &[u32]) -> Option<f64> {
        let values: Vec<f64> = folds.iter().filter_map(|fold| fold.value(measure, weights)).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    }
}

struct PreparedFold {
    table: Prepared,
    entities: Vec<Option<EntityPrecisionAtK>>,
}

/// How many times everything counts in one sample.
struct FoldWeights<'a> {
    rows: &'a [u32],
    groups: &'a [u32],
    /// For each fold, of its ranked rows.
    ranked: Vec<Vec<u32>>,
}

impl FoldWeights<'_> {
    fn of<'a>(prepared: &[PreparedFold], rows: &'a [u32], groups: &'a [u32]) -> FoldWeights<'a> {
        let ranked = prepared.iter().map(|own| own.table.ranked_weights(groups)).collect();
        FoldWeights { rows, groups, ranked }
    }
}
