//! How answers are judged: one table that says each measure's name, direction, meaning, the tasks it fits and how it is
//! computed. Whoever judges (folds, groups, resampling, monitoring) asks this table and names no measure of its own.

use crate::metrics::{Losses, Ranking};
use std::sync::{Arc, OnceLock};

/// Bins of the calibration error, of equal count: a convention.
pub const CALIBRATION_BINS: usize = 10;

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Whether something is so: a probability.
    Label,
    /// How much: any real number.
    Number,
    /// How often: an expected count, with the chance of any at all.
    Count,
}

impl Task {
    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Task::Label => "label",
            Task::Number => "number",
            Task::Count => "count",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

/// What was said of some rows; what a kind of answer does not say is `None`. Slices of one length, one value a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers {
    /// What the model says before it is calibrated, any real, higher is more likely.
    pub score: Option<Vec<f64>>,
    /// The chance that a label is true, or that a count is above 0; 0..=1.
    pub chance: Option<Vec<f64>>,
    /// The expected number or count.
    pub number: Option<Vec<f64>>,
}

impl Answers {
    /// What rows are ranked by: of a label the chance, since that is what is served and decided on; else the score.
    pub fn ranked_by(&self, task: Task) -> Option<&[f64]> {
        let chance = self.chance.as_deref().filter(|_| task == Task::Label);
        chance.or(self.score.as_deref())
    }

    /// The given rows in the given order. Panics if a row is out of range.
    pub fn take(&self, rows: &[u32]) -> Answers {
        let pick = |values: &Option<Vec<f64>>| {
            values.as_ref().map(|values| rows.iter().map(|&row| values[row as usize]).collect())
        };
        Answers { score: pick(&self.score), chance: pick(&self.chance), number: pick(&self.number) }
    }
}

/// Answers beside what came true, arranged so that a measure is one pass under any weights. Parts are made when first asked for.
pub struct Prepared {
    task: Task,
    answers: Arc<Answers>,
    truth: Vec<f64>,
    groups: Arc<Vec<u32>>,
    order: Arc<OnceLock<Option<Order>>>,
    calibrated: Arc<OnceLock<Option<Ranking>>>,
    labels: OnceLock<Vec<bool>>,
    ranked_truth: OnceLock<Vec<bool>>,
    log_losses: OnceLock<Option<Losses>>,
    squares: OnceLock<Option<Losses>>,
}

/// Rows from the highest score to the lowest: a measure of rank is then one pass without a jump in memory.
struct Order {
    rows: Ranking,
    arranged: Ranking,
    groups: Vec<u32>,
}

/// How many times each row counts: in row order, and by rank where rows are ranked.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a> {
    pub rows: &'a [u32],
    pub ranked: &'a [u32],
}

impl Prepared {
    /// truth: 0 or 1 for a label, else the number; finite. groups: any number of each row, for [`Prepared::ranked_weights`].
    pub fn new(task: Task, answers: Answers, truth: Vec<f64>, groups: Vec<u32>) -> Prepared {
        Prepared {
            task,
            answers: Arc::new(answers),
            truth,
            groups: Arc::new(groups),
            order: Arc::default(),
            calibrated: Arc::default(),
            labels: OnceLock::new(),
            ranked_truth: OnceLock::new(),
            log_losses: OnceLock::new(),
            squares: OnceLock::new(),
        }
    }

    /// The same answers beside another truth: sorting is not done again.
    pub fn with_truth(&self, truth: Vec<f64>) -> Prepared {
        Prepared {
            task: self.task,
            answers: self.answers.clone(),
            truth,
            groups: self.groups.clone(),
            order: self.order.clone(),
            calibrated: self.calibrated.clone(),
            labels: OnceLock::new(),
            ranked_truth: OnceLock::new(),
            log_losses: OnceLock::new(),
            squares: OnceLock::new(),
        }
    }

    pub fn rows(&self) -> usize {
        self.truth.len()
    }

    /// How many times each ranked row counts, given how many times each group does; empty where nothing is ranked.
    pub fn ranked_weights(&self, groups: &[u32]) -> Vec<u32> {
        let order = self.order();
        order.map_or_else(Vec::new, |order| order.groups.iter().map(|&group| groups[group as usize]).collect())
    }

    /// Each row counted once.
    pub fn once(&self) -> Vec<u32> {
        vec![1; self.truth.len()]
    }

    fn order(&self) -> Option<&Order> {
        let made = || {
            let score = self.answers.ranked_by(self.task)?;
            let rows = Ranking::new(score);
            Some(Order { arranged: Ranking::new(&rows.arrange(score)), groups: rows.arrange(&self.groups), rows })
        };
        self.order.get_or_init(made).as_ref()
    }

    /// Whether the label is true, or the count above 0.
    fn labels(&self) -> &[bool] {
        self.labels.get_or_init(|| self.truth.iter().map(|&truth| truth > 0.0).collect())
    }

    fn ranked(&self) -> Option<(&Ranking, &[bool])> {
        let order = self.order()?;
        let truth = self.ranked_truth.get_or_init(|| order.rows.arrange(self.labels()));
        Some((&order.arranged, truth))
    }

    fn chance_losses<'a>(
        &'a self,
        slot: &'a OnceLock<Option<Losses>>,
        loss: fn(&[f64], &[bool]) -> Losses,
    ) -> Option<&'a Losses> {
        slot.get_or_init(|| Some(loss(self.answers.chance.as_ref()?, self.labels()))).as_ref()
    }

    /// Weight, expected and true number of each row that counts.
    fn weighed<'a>(&'a self, weights: &'a Weights) -> Option<impl Iterator<Item = (f64, f64, f64)> + 'a> {
        let number = self.answers.number.as_ref()?;
        let rows = number.iter().zip(&self.truth).zip(weights.rows);
        Some(rows.map(|((&number, &truth), &weight)| (f64::from(weight), number, truth)))
    }
}

/// One way to judge answers.
pub struct Measure {
    pub name: &'static str,
    pub better: Better,
    /// What it says, for a person.
    pub meaning: &'static str,
    pub tasks: &'static [Task],
    /// Whether resampled rows tell how far it strays. Resampled rows are never as well calibrated as the sample: the bootstrap's
    /// interval of a calibration error would lie above its value.
    pub resampled: bool,
    value: fn(&Prepared, &Weights) -> Option<f64>,
}

impl Measure {
    /// `None` where nothing can be said: a class is absent, no row counts, or the answers do not say what it asks for.
    pub fn of(&self, prepared: &Prepared, weights: &Weights) -> Option<f64> {
        if self.tasks.contains(&prepared.task) { (self.value)(prepared, weights) } else { None }
    }

    /// With every row counted once.
    pub fn of_all(&self, prepared: &Prepared) -> Option<f64> {
        let rows = prepared.once();
        self.of(prepared, &Weights { rows: &rows, ranked: &rows })
    }

    /// Whether one value is better than another; a value that is none is better than nothing.
    pub fn better(&self, value: f64, than: f64) -> bool {
        match self.better {
            Better::Higher => value > than,
            Better::Lower => value < than,
        }
    }

    /// How much better one value is than another: above 0 where it is.
    pub fn advantage(&self, value: f64, over: f64) -> f64 {
        match self.better {
            Better::Higher => value - over,
            Better::Lower => -(value - over),
        }
    }
}

const CHANCES: &[Task] = &[Task::Label, Task::Count];
const NUMBERS: &[Task] = &[Task::Number, Task::Count];

/// Every measure, in the order that reports show them in.
pub const ALL: &[Measure] = &[
    Measure {
        name: "average_precision",
        better: Better::Higher,
        meaning: "area under precision over recall; at random: the share of positives",
        tasks: CHANCES,
        resampled: true,
        value: |prepared, weights| {
            let (ranking, truth) = prepared.ranked()?;
            ranking.average_precision(truth, weights.ranked)
        },
    },
    Measure {
        name: "roc_auc",
        better: Better::Higher,
        meaning: "how often a positive outranks a negative; at random: .5",
        tasks: CHANCES,
        resampled: true,
        value: |prepared, weights| {
            let (ranking, truth) = prepared.ranked()?;
            ranking.roc_auc(truth, weights.ranked)
        },
    },
    Measure {
        name: "log_loss",
        better: Better::Lower,
        meaning: "mean surprise of the probabilities, in nats",
        tasks: &[Task::Label],
        resampled: true,
        value: |prepared, weights| prepared.chance_losses(&prepared.log_losses, Losses::log)?.mean(weights.rows),
    },
    Measure {
        name: "brier",
        better: Better::Lower,
        meaning: "mean squared distance of the probability from the truth",
        tasks: CHANCES,
        resampled: true,
        value: |prepared, weights| prepared.chance_losses(&prepared.squares, Losses::squared)?.mean(weights.rows),
    },
    Measure {
        name: "calibration_error",
        better: Better::Lower,
        meaning: "mean distance of promised from true shares, over bins of equal count",
        tasks: CHANCES,
        resampled: false,
        value: |prepared, weights| {
            let ranking = || prepared.answers.chance.as_ref().map(|chance| Ranking::new(chance));
            let ranking = prepared.calibrated.get_or_init(ranking).as_ref()?;
            ranking.calibration_error(prepared.labels(), weights.rows, CALIBRATION_BINS)
        },
    },
    Measure {
        name: "rmse",
        better: Better::Lower,
        meaning: "root of the mean squared error, in the unit of the number",
        tasks: NUMBERS,
        resampled: true,
        value: |prepared, weights| {
            let (mut sum, mut rows) = (0.0, 0.0);
            for (weight, number, truth) in prepared.weighed(weights)? {
                sum += weight * (number - truth).powi(2);
                rows += weight;
            }
            (rows > 0.0).then(|| (sum / rows).sqrt())
        },
    },
    Measure {
        name: "mae",
        better: Better::Lower,
        meaning: "mean absolute error, in the unit of the number",
        tasks: &[Task::Number],
        resampled: true,
        value: |prepared, weights| {
            let (mut sum, mut rows) = (0.0, 0.0);
            for (weight, number, truth) in prepared.weighed(weights)? {
                sum += weight * (number - truth).abs();
                rows += weight;
            }
            (rows > 0.0).then(|| sum / rows)
        },
    },
    Measure {
        name: "total_error",
        better: Better::Lower,
        meaning: "how far the sum over all rows is off, as a share of it",
        tasks: &[Task::Count],
        resampled: true,
        value: |prepared, weights| {
            let (mut told, mut came) = (0.0, 0.0);
            for (weight, number, truth) in prepared.weighed(weights)? {
                told += number * weight;
                came += truth * weight;
            }
            (came > 0.0).then(|| (told / came - 1.0_f64).abs())
        },
    },
];

/// The measure of a name.
pub fn measure(name: &str) -> Option<&'static Measure> {
    ALL.iter().find(|measure| measure.name == name)
}

/// The measures that fit a task.
pub fn of_task(task: Task) -> impl Iterator<Item = &'static Measure> {
    ALL.iter().filter(move |measure| measure.tasks.contains(&task))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(chance: &[f64], truth: &[f64]) -> Prepared {
        let answers = Answers { score: Some(chance.to_vec()), chance: Some(chance.to_vec()), number: None };
        Prepared::new(Task::Label, answers, truth.to_vec(), (0..truth.len() as u32).collect())
    }

    #[test]
    fn every_measure_has_a_name_of_its_own_and_a_value_for_each_of_its_tasks() {
        for (at, one) in ALL.iter().enumerate() {
            assert!(
                ALL[at + 1..].iter().all(|other| other.name != one.name) && !one.meaning.is_empty(),
                "{}",
                one.name
            );
            for &task in one.tasks {
                let values = vec![0.2, 0.7, 0.6, 0.1];
                let answers =
                    Answers { score: Some(values.clone()), chance: Some(values.clone()), number: Some(values) };
                let prepared = Prepared::new(task, answers, vec![0.0, 1.0, 1.0, 0.0], vec![0, 1, 2, 3]);
                let value = one.of_all(&prepared).unwrap_or(f64::NAN);
                assert!(value.is_finite(), "{} of a {}", one.name, task.name());
            }
        }
    }

    #[test]
    fn a_better_answer_is_better_by_every_measure() {
        let (good, bad) = ([0.1, 0.9, 0.8, 0.2], [0.7, 0.3, 0.4, 0.6]);
        let truth = [0.0, 1.0, 1.0, 0.0];
        for measure in of_task(Task::Label) {
            let of = |chance: &[f64]| measure.of_all(&label(chance, &truth)).unwrap_or(f64::NAN);
            assert!(measure.better(of(&good), of(&bad)), "{}", measure.name);
            assert!(measure.advantage(of(&good), of(&bad)) > 0.0, "{}", measure.name);
        }
    }

    #[test]
    fn another_truth_gives_what_it_would_have_given_at_once() {
        let chance = [0.3, 0.9, 0.9, 0.2, 0.5];
        let first = label(&chance, &[0.0, 1.0, 0.0, 0.0, 1.0]);
        let other = [1.0, 0.0, 1.0, 0.0, 0.0];
        for measure in of_task(Task::Label) {
            assert_eq!(measure.of_all(&first.with_truth(other.to_vec())), measure.of_all(&label(&chance, &other)));
        }
    }

    #[test]
    fn a_label_is_ranked_by_what_is_served() {
        let answers = Answers { score: Some(vec![0.1, 0.4, 0.3, 0.2]), chance: Some(vec![0.5; 4]), number: None };
        let prepared = Prepared::new(Task::Label, answers, vec![0.0, 1.0, 1.0, 0.0], (0..4).collect());
        // By the score it would be 1.
        assert_eq!(measure("roc_auc").and_then(|measure| measure.of_all(&prepared)), Some(0.5));
    }

    #[test]
    fn what_is_not_said_is_not_judged() {
        let answers = Answers { number: Some(vec![1.0, 2.0]), ..Answers::default() };
        let prepared = Prepared::new(Task::Count, answers, vec![1.0, 3.0], vec![0, 1]);
        let value = |name: &str| measure(name).and_then(|measure| measure.of_all(&prepared));
        assert_eq!((value("roc_auc"), value("brier")), (None, None));
        assert_eq!((value("rmse"), value("total_error")), (Some(0.5_f64.sqrt()), Some(0.25)));
    }
}
