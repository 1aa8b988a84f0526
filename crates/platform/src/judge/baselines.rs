//! Naive lines that a version must beat: one table by name and task. A name that is no line of its own is a model kind with its
//! default parameters.

use crate::PlatformError;
use crate::inputs::TrainingData;
use crate::judge::choose::{Rows, uncalibrated};
use crate::kinds::{self, Kind, Parameters};
use crate::split::Fold;
use rayon::prelude::*;
use septet_domain::Domain;
use septet_learn::measures::{Answers, Task};

/// Names of the lines, the task that each is for and what it says.
pub const LINES: [(&str, Task, &str); 6] = [
    ("prior", Task::Label, "the share of positives in training"),
    ("prior", Task::Count, "the share of keys with any, among those that choose"),
    ("mean", Task::Number, "the mean in training"),
    ("median", Task::Number, "the median in training"),
    ("last_value", Task::Number, "the latest known value of the same entity"),
    ("last_period", Task::Count, "what came in the last period of equal length"),
];

/// Whether a name is a baseline of a task: a line, a line that a kind of the domain knows, or a kind.
pub fn is_known(name: &str, task: Task, kinds: &[&'static dyn Kind]) -> bool {
    LINES.iter().any(|(line, of, _)| *line == name && *of == task)
        || kinds.iter().any(|kind| kind.naive_lines().contains(&name))
        || kinds::find(name).is_some_and(|kind| kind.tasks().contains(&task) && kind.learns_from_target())
}

/// Names that [`is_known`] takes.
pub fn names(task: Task, domain_kinds: &[&'static dyn Kind]) -> Vec<&'static str> {
    let lines = LINES.iter().filter(|(_, of, _)| *of == task).map(|(name, ..)| *name);
    let own = domain_kinds.iter().flat_map(|kind| kind.naive_lines().iter().copied());
    let kinds = kinds::ALL.iter().filter(|kind| kind.tasks().contains(&task) && kind.learns_from_target());
    lines.chain(own).chain(kinds.map(|kind| kind.name())).collect()
}

/// How many fits the baselines of a domain take, a test fold each.
pub fn fits(domain: &Domain, task: Task) -> usize {
    let own = domain.spec.model.baselines.iter();
    own.filter(|name| !LINES.iter().any(|(line, of, _)| line == name.get_ref() && *of == task)).count()
}

/// Each baseline's answers to the test folds.
pub fn answers(
    data: &TrainingData,
    domain: &Domain,
    domain_kinds: &[&'static dyn Kind],
    tick: &(dyn Fn() + Sync),
) -> Result<Vec<(String, Vec<Answers>)>, PlatformError> {
    let mut all = Vec::new();
    for name in &domain.spec.model.baselines {
        let name = name.get_ref().as_str();
        let of_fold = |fold: &Fold| match line(data, domain, fold, name)? {
            Some(answers) => Ok(answers),
            None => of_kind(data, domain_kinds, fold, name, tick),
        };
        let answers = data.plan.test.par_iter().map(of_fold).collect::<Result<_, PlatformError>>()?;
        all.push((name.to_owned(), answers));
    }
    Ok(all)
}

/// The answers of a line of the table; none if it is none of them.
fn line(data: &TrainingData, domain: &Domain, fold: &Fold, name: &str) -> Result<Option<Answers>, PlatformError> {
    let rows = fold.test.len();
    let target = |rows: &[u32]| rows.iter().map(|&row| data.target()[row as usize]).collect::<Vec<f64>>();
    let number = |value: f64| Some(Answers { number: Some(vec![value; rows]), ..Answers::default() });
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    Ok(match (name, data.context.task) {
        ("prior", Task::Label) => {
            let truth = target(&fold.train);
            let share = truth.iter().filter(|value| **value == 1.0).count() as f64 / truth.len() as f64;
            Some(Answers { score: Some(vec![0.0; rows]), chance: Some(vec![share; rows]), number: None })
        }
        ("prior", Task::Count) => {
            let chosen: Vec<f64> = data.plan.validation.iter().flat_map(|fold| target(&fold.test)).collect();
            let share = chosen.iter().filter(|value| **value > 0.0).count() as f64 / chosen.len().max(1) as f64;
            Some(Answers { chance: Some(vec![share; rows]), ..Answers::default() })
        }
        ("mean", Task::Number) => number(mean(&target(&fold.train))),
        ("median", Task::Number) => {
            let mut values = target(&fold.train);
            values.sort_by(f64::total_cmp);
            number(values.get(values.len() / 2).copied().unwrap_or(f64::NAN))
        }
        ("last_value", Task::Number) => {
            let entity = domain.spec.model.entity.as_ref().map_or("", |name| name.get_ref());
            let last = data.last_values(entity, domain.spec.known_after().micros())?;
            // Of an entity without a known past: the mean of all.
            let mean = mean(&target(&fold.train));
            let value = |&row: &u32| Some(last[row as usize]).filter(|value| !value.is_nan()).unwrap_or(mean);
            Some(Answers { number: Some(fold.test.iter().map(value).collect()), ..Answers::default() })
        }
        ("last_period", Task::Count) => {
            let Some(last) = data.last_period() else { return Ok(None) };
            let counts: Vec<f64> = fold.test.iter().map(|&row| last[row as usize]).collect();
            Some(Answers { score: Some(counts.clone()), chance: None, number: Some(counts) })
        }
        _ => None,
    })
}

/// The answers of a kind's own naive line, or of a kind with its default parameters.
fn of_kind(
    data: &TrainingData,
    domain_kinds: &[&'static dyn Kind],
    fold: &Fold,
    name: &str,
    tick: &(dyn Fn() + Sync),
) -> Result<Answers, PlatformError> {
    let tested = Rows::of(data, &fold.test);
    for kind in domain_kinds {
        if let Some(answers) = kind.naive(name, &tested.examples(&data.context))? {
            return Ok(answers);
        }
    }
    let kind = kinds::find(name).ok_or_else(|| PlatformError::Training(format!("there is no baseline `{name}`")))?;
    let fitted = kind.fit(&Rows::of(data, &fold.train).examples(&data.context), &Parameters::default())?;
    let answers = fitted.answers(&tested.frame, &data.context)?;
    tick();
    Ok(uncalibrated(answers, data.context.task))
}
