//! A version: everything needed to answer and to repeat it, as a folder of data. Loading executes nothing.

pub mod learned_tables;
pub mod profiles;
pub mod watched;

use crate::error::PlatformError;
use crate::kinds::{self, Explanation, Fitted, VersionFiles};
use crate::values::OwnedValue;
use learned_tables::LearnedTable;
use septet_domain::{Domain, Fingerprints, ParameterValue};
use septet_learn::calibration::{Calibrator, ProbabilityInterval};
use septet_learn::isotonic::Curve;
use septet_learn::measures::{Better, Task};
use septet_learn::univariate::Univariate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Raised when a reader of today could not read a version of tomorrow.
/// 3: calibrators take log-odds, labels have an interval.
pub const FORMAT: u32 = 4;

/// `manifest.json`: what a version is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub domain: String,
    pub version: String,
    pub title: String,
    pub question: String,
    pub kind: String,
    /// `label`, `number` or `count`.
    pub task: String,
    pub target: String,
    /// What the probability is of, where that is not the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability_of: Option<String>,
    pub layout: String,
    pub simulated: bool,
    pub seed: u64,
    pub code_version: String,
    /// Of the definition that the version carries in `domain/`.
    pub definition: Fingerprints,
    /// Hash of all that a fit depends on: versions with the same one share it and differ in what is decided on it.
    pub fit: String,
    /// The version whose fit was taken over, where only what is decided on it changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_anew_from: Option<String>,
    pub data_fingerprint: String,
    pub data_rows: u64,
    pub data_from: String,
    pub data_until: String,
    /// End of the newest test fold, microseconds since 1970: later data was not part of the evaluation.
    #[serde(default)]
    pub judged_until: Option<i64>,
    /// First and last moment that the version kept was fitted on: what it says of those rows is no answer to new ones.
    #[serde(default)]
    pub fitted_on: Option<(i64, i64)>,
    /// The model's inputs, in order: name and `number` or `category`.
    pub features: Vec<FeatureSchema>,
    /// Columns beyond the contract among them.
    pub extras: Vec<String>,
    /// Columns beyond the contract that are none, with why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<(String, String)>,
    /// What inputs say alone, on the validation folds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<(String, Univariate)>,
    /// The tables that requests are answered from, as they were; none of a version of an earlier program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<Vec<LearnedTable>>,
    pub parameters: BTreeMap<String, ParameterValue>,
    /// Numbers that the kind learned and a reader wants to see, with their standard errors as `NAME_error`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub learned: BTreeMap<String, f64>,
    /// What the kind answers with beside its probability.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    pub candidates: Vec<Candidate>,
    pub calibrator: Calibrator,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub estimates: Vec<Estimate>,
    pub decision: Option<DecisionRule>,
    pub folds: Vec<FoldSummary>,
    pub metrics: BTreeMap<String, MetricValue>,
    /// The measure that candidates were chosen by.
    pub measure: String,
    /// Our advantage over each baseline in it: the interval of the difference.
    pub advantage: BTreeMap<String, Option<(f64, f64)>>,
    /// Share of each input in what moves the score, largest first.
    pub importances: Vec<(String, f64)>,
    /// What they are shares of.
    #[serde(default)]
    pub importances_of: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct FeatureSchema {
    pub name: String,
    pub kind: String,
    pub meaning: Option<String>,
    pub unit: Option<String>,
}

/// A combination of parameters, and what it reached on the validation folds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Candidate {
    /// Where several kinds competed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub parameters: BTreeMap<String, ParameterValue>,
    pub validation: f64,
    pub by_fold: Vec<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionRule {
    pub threshold: f64,
    pub policy: String,
    pub positive: String,
    pub negative: String,
    /// Probability of the second, lower line, and the action between the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<(f64, String)>,
    /// What the newest test fold made of each budget.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetHeld>,
    /// On the newest test fold.
    pub true_positive: u64,
    pub false_positive: u64,
    pub true_negative: u64,
    pub false_negative: u64,
}

/// Whether a line kept its budget on rows that it was not drawn on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BudgetHeld {
    pub action: String,
    pub per_day: u32,
    /// Rows at or above the line, and how many the budget allows in that time.
    pub flagged: u64,
    pub expected: f64,
    /// Between these a line that is drawn well stays in 99 of 100 samples.
    pub low: f64,
    pub high: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FoldSummary {
    pub part: String,
    pub title: String,
    pub train_rows: usize,
    pub train_positives: usize,
    pub test_rows: usize,
    pub test_positives: usize,
}

/// A metric: the mean over the test folds, its interval, and the best of the baselines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MetricValue {
    pub value: f64,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub baseline: Option<f64>,
    pub baseline_name: Option<String>,
    pub baselines: BTreeMap<String, f64>,
    /// None where a fold has too little to tell.
    pub by_fold: Vec<Option<f64>>,
    /// Whether higher is better.
    pub higher_is_better: bool,
    pub meaning: String,
}

impl MetricValue {
    /// A value beside the baselines' values.
    pub fn beside(
        better: Better,
        meaning: &str,
        value: f64,
        interval: Option<(f64, f64)>,
        baselines: BTreeMap<String, f64>,
        by_fold: Vec<Option<f64>>,
    ) -> MetricValue {
        let worse_first = |a: &(&String, &f64), b: &(&String, &f64)| match better {
            Better::Higher => a.1.total_cmp(b.1),
            Better::Lower => b.1.total_cmp(a.1),
        };
        let best = baselines.iter().max_by(worse_first).map(|(other, value)| (other.clone(), *value));
        MetricValue {
            value,
            low: interval.map(|interval| interval.0),
            high: interval.map(|interval| interval.1),
            baseline: best.as_ref().map(|best| best.1),
            baseline_name: best.map(|best| best.0),
            baselines,
            by_fold,
            higher_is_better: better == Better::Higher,
            meaning: meaning.to_owned(),
        }
    }
}

/// Where a version keeps the definition that it was made by.
pub const DEFINITION: &str = "domain";

/// The definition that a version carries: it answers by that one, whatever the domain's folder says today.
pub fn definition(folder: &Path, name: &str) -> Result<Domain, PlatformError> {
    let failed = |reason: String| PlatformError::Version {
        version: folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        reason,
    };
    Domain::kept_in(&folder.join(DEFINITION), name).map_err(|problems| failed(problems.to_string()))
}

/// One `[estimate.NAME]`, learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub name: String,
    pub meaning: Option<String>,
    /// From the calibrated probability to the number's mean; none where the data had no such number.
    pub curve: Option<Curve>,
}

impl DecisionRule {
    /// What is done at a probability.
    pub fn action(&self, probability: f64) -> &str {
        match &self.review {
            _ if probability >= self.threshold => &self.positive,
            Some((line, action)) if probability >= *line => action,
            _ => &self.negative,
        }
    }
}

/// The answer to one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Log-odds before calibration, or the number itself.
    pub raw: f64,
    /// What is served: a probability, or the number.
    pub value: f64,
    /// Ends of the probability's interval, of a label.
    pub interval: Option<(f64, f64)>,
}

/// A loaded version, ready to answer.
pub struct Scorer {
    pub manifest: Manifest,
    pub task: Task,
    fitted: Box<dyn Fitted>,
    /// Of a label.
    interval: Option<ProbabilityInterval>,
}

/// Where a version keeps how far its probabilities could be off.
pub const INTERVAL: &str = "interval.json";

/// What is read of any manifest.
#[derive(Deserialize)]
struct Format {
    format: u32,
    domain: String,
}

impl Scorer {
    pub fn load(folder: &Path) -> Result<Scorer, PlatformError> {
        let files = VersionFiles::new(folder);
        // The format first: what else an older one holds need not be what is expected today.
        let Format { format, domain } = files.json("manifest.json")?;
        if format != FORMAT {
            let what = format!(
                "its format is {format}, this program reads {FORMAT}: `septet run {domain}` makes a version that it reads"
            );
            return Err(files.failed("manifest.json", what));
        }
        let manifest: Manifest = files.json("manifest.json")?;
        let unknown = || files.failed("manifest.json", format!("its kind `{}` is not known", manifest.kind));
        let fitted = kinds::find(&manifest.kind).ok_or_else(unknown)?.load(&files)?;
        let task = [Task::Label, Task::Number, Task::Count].into_iter().find(|task| task.name() == manifest.task);
        let task = task.ok_or_else(|| files.failed("manifest.json", format!("its task is `{}`", manifest.task)))?;
        let interval = if task == Task::Label { Some(files.json(INTERVAL)?) } else { None };
        Ok(Scorer { manifest, task, fitted, interval })
    }

    /// Scores one row of features, in the manifest's order.
    pub fn score(&self, row: &[OwnedValue]) -> Result<Score, PlatformError> {
        Ok(self.score_each(&[row.to_vec()], false)?.swap_remove(0).0)
    }

    /// Scores some rows. `explained`: an explanation is kept where it comes with the score; else it is made when it is asked for.
    pub fn score_each(
        &self,
        rows: &[Vec<OwnedValue>],
        explained: bool,
    ) -> Result<Vec<(Score, Option<Explanation>)>, PlatformError> {
        let made = self.fitted.score(rows, explained)?.into_iter();
        let score = |raw: f64| {
            let value = self.served(raw);
            Score { raw, value, interval: self.interval.as_ref().map(|interval| interval.around(raw, value)) }
        };
        Ok(made.map(|(raw, explanation)| (score(raw), explanation)).collect())
    }

    fn served(&self, raw: f64) -> f64 {
        match self.task {
            Task::Number => raw,
            Task::Label | Task::Count => self.manifest.calibrator.apply(raw),
        }
    }

    /// What each input contributed to the raw score.
    pub fn explain(&self, row: &[OwnedValue]) -> Result<Explanation, PlatformError> {
        self.fitted.explain(row)
    }

    /// What else is told of a row, by the manifest's `outputs`.
    pub fn outputs(&self, row: &[OwnedValue]) -> Result<Vec<f64>, PlatformError> {
        self.fitted.outputs(row)
    }

    /// Bytes of the model's files.
    pub fn model_bytes(&self) -> Result<u64, PlatformError> {
        Ok(self.fitted.files()?.iter().map(|(_, bytes)| bytes.len() as u64).sum())
    }

    /// Answers to all rows of some data, for a comparison with another version.
    pub fn answers(
        &self,
        frame: &septet_learn::frame::Frame,
        context: &kinds::Context,
    ) -> Result<septet_learn::measures::Answers, PlatformError> {
        let mut answers = self.fitted.answers(frame, context)?;
        if let (Task::Label, Some(raw)) = (self.task, &answers.score) {
            answers.chance = Some(raw.iter().map(|&raw| self.served(raw)).collect());
        }
        Ok(answers)
    }
}

pub fn sigmoid(raw: f64) -> f64 {
    1.0 / (1.0 + (-raw).exp())
}
