//! The model: kinds, splits, measures, estimates.

use super::*;

/// How a version is learned and judged.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The model kind; `septet reference kinds` lists them with their parameters. Or several `[[model.candidate]]`.
    #[schemars(with = "Option<String>")]
    pub kind: Option<Spanned<String>>,
    /// The label that is predicted: a column with `label = true`, or one of `[series.labels]`. A truth value is predicted as a
    /// probability, a number as how much, a count by a kind for counts as how often.
    #[schemars(with = "String")]
    pub target: Spanned<String>,
    /// What is learned from and what is judged on.
    #[schemars(with = "Split")]
    pub split: Spanned<Split>,
    /// The measure that candidates are chosen by, on validation folds only, and that baselines must be beaten in.
    #[schemars(with = "String")]
    pub measure: Spanned<String>,
    /// Which candidate is kept.
    #[serde(default)]
    pub choose: Choose,
    /// What the version must beat. Labels: `prior` (the share of positives in training), `linear` (logistic regression on the same
    /// inputs). Numbers: `mean`, `median`, `last_value` (of the same entity, as known then), `linear`. Counts: `prior`, `mean_rate`
    /// (each key's own so far), `last_period` (what came in the last period of equal length).
    #[schemars(with = "Vec<String>")]
    pub baselines: Vec<Spanned<String>>,
    /// The column whose rows belong together when intervals are resampled. Default: every row by itself.
    #[schemars(with = "Option<String>")]
    pub interval_by: Option<Spanned<String>>,
    /// The column whose earlier rows `last_value` is taken from.
    #[schemars(with = "Option<String>")]
    pub entity: Option<Spanned<String>>,
    /// How far ahead kinds of counts tell.
    #[serde(default)]
    pub horizons: Vec<Duration>,
    /// Seed of everything that is drawn.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Fixed parameters of the model kind.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, ParameterValue>")]
    pub parameters: Parameters,
    /// Candidates: values to try for each parameter; every combination is fitted on each validation fold.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Vec<ParameterValue>>")]
    pub search: Search,
    /// Several kinds that compete on the same folds, the simplest first.
    #[serde(default)]
    pub candidate: Vec<CandidateKind>,
}

/// One kind among several.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CandidateKind {
    #[schemars(with = "String")]
    pub kind: Spanned<String>,
    /// Fixed parameters.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, ParameterValue>")]
    pub parameters: Parameters,
    /// Values to try.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Vec<ParameterValue>>")]
    pub search: Search,
}

pub type Parameters = IndexMap<Spanned<String>, Spanned<ParameterValue>>;
pub type Search = IndexMap<Spanned<String>, Spanned<Vec<ParameterValue>>>;

/// A parameter of a model kind: a number, a truth value or a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ParameterValue {
    Flag(bool),
    Number(f64),
    Word(String),
}

impl std::fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ParameterValue::Flag(value) => write!(f, "{value}"),
            ParameterValue::Number(value) => write!(f, "{value}"),
            ParameterValue::Word(value) => f.write_str(value),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Choose {
    /// The best mean over the validation folds; of equals the first in the file.
    #[default]
    Best,
    /// The first in the file whose mean is within one standard error of the best one's: its spread over the validation folds.
    SimplestWithinOneStandardError,
}

impl Model {
    /// The kinds that compete, in the order of the file.
    pub fn kinds(&self) -> Vec<KindChoice<'_>> {
        let own = self.kind.iter().map(|kind| KindChoice { kind, parameters: &self.parameters, search: &self.search });
        let more = self.candidate.iter();
        own.chain(more.map(|one| KindChoice { kind: &one.kind, parameters: &one.parameters, search: &one.search }))
            .collect()
    }
}

/// A kind with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct KindChoice<'a> {
    pub kind: &'a Spanned<String>,
    pub parameters: &'a Parameters,
    pub search: &'a Search,
}

fn seed() -> u64 {
    42
}

/// Which rows a version is learned from, and which it is judged on.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    pub by: SplitBy,
    /// By time: length of a training span.
    pub train: Option<Duration>,
    /// By time: from the end of training to the start of the test, for labels to arrive.
    #[serde(default)]
    pub delay: Duration,
    /// By time: length of a test span, and the step from fold to fold. By moment: the time that is held out after it.
    pub test: Option<Duration>,
    /// By time: test spans, going back from the newest; as many validation folds lie before them.
    /// By group or stratified: validation folds within what is not held out.
    #[serde(default = "folds")]
    pub folds: u32,
    /// By time: an entity with a positive that was known by then is left out of the test (a blocked card).
    #[schemars(with = "Option<String>")]
    pub exclude_known: Option<Spanned<String>>,
    /// By group: the column whose rows stay together.
    #[schemars(with = "Option<String>")]
    pub group: Option<Spanned<String>>,
    /// By group or stratified: share held out for the test, 0 to 1.
    #[serde(default = "holdout")]
    pub holdout: f64,
}

fn folds() -> u32 {
    4
}

fn holdout() -> f64 {
    0.2
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// Test spans later than training.
    Time,
    /// Groups of rows, such as patients, are held out whole.
    Group,
    /// Rows by chance, each class in equal shares.
    Stratified,
    /// Of a series with one row a key: keys as they were known at a moment before the end, of which half choose and half judge.
    Moment,
}

/// The mean of a number given the score, such as the stars that go with a probability of complaint: learned on the validation
/// folds as a curve that only rises or only falls (isotonic regression), judged on the test folds beside the plain mean.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The number: a column of the first input. Rows without it are left out.
    #[schemars(with = "String")]
    pub of: Spanned<String>,
    /// What it says, for a person.
    pub meaning: Option<String>,
}

/// Of the `k` entities with the highest score each day, the share that is positive, mean over days. An entity that
/// was found is left out on later days. Source: card precision of the Fraud Detection Handbook.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntityMeasure {
    /// Its name in reports, such as `card_precision_at_100`.
    pub name: String,
    #[schemars(with = "String")]
    pub entity: Spanned<String>,
    pub k: u32,
}
