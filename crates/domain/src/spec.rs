//! Every key that `domain.toml` may have. The doc comments are the reference: they become the page
//! `docs/reference/domain.md` and the JSON Schema that editors complete from.

use crate::Duration;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// One question about a business and all that is needed to answer it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DomainSpec {
    /// The folder's name: lower case letters, digits and `_`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What people call it.
    pub title: String,
    /// The question that an answer answers, for a person.
    pub question: String,
    /// Port of the domain's own HTTP address.
    pub port: u16,
    /// When the pipeline runs: minute, hour, day of month, month, day of week (cron, UTC).
    pub schedule: String,
    /// The tables that sources are shaped to. The first one is what the model answers about.
    pub input: IndexMap<String, Input>,
    /// Sources with a known shape: one for each file `sources/NAME.sql` that needs more than its SELECT.
    #[serde(default)]
    pub layout: IndexMap<String, Layout>,
    /// Trailing aggregates per entity.
    #[serde(default)]
    #[schemars(with = "Vec<Window>")]
    pub window: Vec<Spanned<Window>>,
    /// What the model's inputs mean, by the name that `features.sql` gives them.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Feature>")]
    pub feature: IndexMap<Spanned<String>, Feature>,
    /// Where an answer is about a key and its rows up to a moment, such as a customer and their orders, instead of about one row.
    #[schemars(with = "Option<Series>")]
    pub series: Option<Spanned<Series>>,
    /// What is predicted, how it is learned and how it is judged.
    pub model: Model,
    /// Tables looked up by key when a request is answered, by the name that their columns begin with.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Lookup>")]
    pub lookup: IndexMap<Spanned<String>, Lookup>,
    /// Numbers that go with a score, by the name that `answer.sql` reads them by.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Estimate>")]
    pub estimate: IndexMap<Spanned<String>, Estimate>,
    /// What is done with a score.
    #[schemars(with = "Option<Decision>")]
    pub decision: Option<Decision>,
    /// Conditions that decide beside the model, in order: the first that holds has the last word.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// Measures of entities, beside those that the task has anyway.
    #[serde(default)]
    pub measure: Vec<EntityMeasure>,
    /// What a version must hold before it may answer.
    #[serde(default)]
    pub gates: Gates,
    /// Numbers looked at after each run and on the schedule.
    #[serde(default)]
    #[schemars(with = "Vec<Watch>")]
    pub watch: Vec<Spanned<Watch>>,
    /// How the domain is watched.
    #[serde(default)]
    pub monitor: Monitor,
}

impl DomainSpec {
    /// Name and contract of the first input: what requests are about, and what monitoring counts.
    pub fn first_input(&self) -> (&String, &Input) {
        self.input.first().expect("checked: a domain has an input")
    }

    /// Seed of everything that is drawn.
    pub fn seed(&self) -> u64 {
        self.model.seed
    }

    /// Where a request is a question about a key instead of a row: the table of its rows and the column that names it.
    pub fn question_key(&self) -> Option<(&str, &str)> {
        let series = self.series.as_ref()?.get_ref();
        Some((series.rows.get_ref(), series.key.get_ref()))
    }

    /// The predicted label, as the first input or the series declares it.
    pub fn target(&self) -> Option<Label<'_>> {
        self.labels().into_iter().find(|label| label.name == self.model.target.get_ref())
    }

    /// All labels, of the first input or of the series.
    pub fn labels(&self) -> Vec<Label<'_>> {
        match &self.series {
            Some(series) => series
                .get_ref()
                .labels
                .iter()
                .map(|(name, label)| Label {
                    name: name.get_ref(),
                    kind: label.kind,
                    known_after: label.known_after,
                    from_later_rows: true,
                })
                .collect(),
            None => {
                let columns = self.input.values().next().into_iter().flat_map(|input| &input.columns);
                columns
                    .filter(|(_, column)| column.label)
                    .map(|(name, column)| Label {
                        name: name.get_ref(),
                        kind: column.kind,
                        known_after: column.known_after.unwrap_or_default(),
                        from_later_rows: column.from.is_some(),
                    })
                    .collect()
            }
        }
    }

    /// How long after its event the predicted label is known; 0 if the domain does not say.
    pub fn known_after(&self) -> Duration {
        self.target().map(|label| label.known_after).unwrap_or_default()
    }
}

/// A label as its declaration has it.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    pub name: &'a str,
    pub kind: ColumnType,
    pub known_after: Duration,
    /// Made by `label.sql`; else a column of the source, or told by `/feedback`.
    pub from_later_rows: bool,
}

/// One input table: its grain, its key and its columns.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What one row is, for a person.
    pub grain: String,
    /// The column that no two rows share; of two, the first in source order is kept.
    #[schemars(with = "String")]
    pub key: Spanned<String>,
    /// The column of event time.
    #[schemars(with = "String")]
    pub time: Spanned<String>,
    /// Share of rows that may be quarantined before a run fails, 0 to 1.
    #[serde(default = "quarantine_share_max")]
    pub quarantine_share_max: f64,
    /// The contract, column by column. What a source delivers beyond it becomes a feature by itself.
    #[schemars(with = "IndexMap<String, Column>")]
    pub columns: IndexMap<Spanned<String>, Column>,
}

fn quarantine_share_max() -> f64 {
    0.05
}

/// One column of the contract. A row that breaks it is quarantined with its reason.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// A row without it is quarantined.
    #[serde(default)]
    pub required: bool,
    /// What it says, for a person; used in documents and reasons.
    pub meaning: Option<String>,
    /// Unit of a number, such as `EUR`.
    pub unit: Option<String>,
    /// Smallest allowed number.
    pub min: Option<f64>,
    /// Largest allowed number.
    pub max: Option<f64>,
    /// The allowed words; others are quarantined.
    pub values: Option<Vec<String>>,
    /// How it points at a person; such columns never appear in logs or on the screen.
    pub personal: Option<Personal>,
    /// It is the truth that comes later, never an input of a request.
    #[serde(default)]
    pub label: bool,
    /// How long after the event a label is known. A label younger than that is no label.
    pub known_after: Option<Duration>,
    /// `label.sql` where the label is made from later rows of the same entity instead of coming with the source: a SELECT of
    /// the input's key and the label, over the input's rows, that looks ahead no further than `known_after`. No row, or null: no label.
    #[schemars(with = "Option<String>")]
    pub from: Option<Spanned<String>>,
    /// The label that this column gives away, such as the stars that a complaint is told by: a request may have it, rules and
    /// the answer may read it, features may not, and windows only as they may the label.
    #[schemars(with = "Option<String>")]
    pub reveals: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// Any string.
    Text,
    /// A 64-bit floating point number; not-a-number and infinities are refused.
    Number,
    /// A 64-bit whole number.
    Integer,
    /// true/false, t/f, yes/no, 1/0.
    Bool,
    /// An instant in UTC to the microsecond: `2018-07-25`, `2018-07-25 13:45:07`, RFC 3339.
    Timestamp,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Personal {
    /// Names one person: an account, a card, an e-mail address.
    Identifier,
    /// Narrows people down together with others: a postcode, a birth date.
    Quasi,
    /// Harms if known: health, salary.
    Sensitive,
}

/// A source of known shape. `sources/NAME.sql` is one SELECT from the table `source` to the contract.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// What the source is, for a person.
    pub title: Option<String>,
    /// True if the rows are simulated; then every document says so.
    #[serde(default)]
    pub simulated: bool,
    /// Splits end here instead of at the newest row, such as `2018-09-05` (exclusive), to repeat a published protocol.
    pub split_end: Option<String>,
    /// Where the validation folds of a split by time lie. Default `earlier`.
    pub validation: Option<Validation>,
    /// Another split than the model's, where the source has no such times or a published protocol says so.
    #[schemars(with = "Option<Split>")]
    pub split: Option<Spanned<Split>>,
    /// CSV: one character between fields, or `blanks` for any number of spaces and tabs. Default `,`.
    pub delimiter: Option<String>,
    /// CSV: the quote character; empty where quotation marks are part of the text. Default `"`.
    pub quote: Option<String>,
    /// CSV without a header: the names of its columns, in order.
    #[serde(default)]
    pub columns: Vec<String>,
    /// The decimal sign of numbers in text. Default `.`.
    pub decimal: Option<String>,
    /// Words that mean missing, beside the empty field.
    #[serde(default)]
    pub null_words: Vec<String>,
    /// Text encoding by its WHATWG label, such as `windows-1252`. Default `utf-8`.
    pub encoding: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Validation {
    /// Before every test fold, with their labels known when the oldest begins: choosing never sees a test day.
    Earlier,
    /// `delay + test` before each test fold, as the Fraud Detection Handbook does (chapter 5): the older test folds share
    /// days with the newer validation folds. For repeating published figures only.
    Overlapping,
}

/// Trailing aggregates of one entity over `(t - delay - over, t - delay]`. Each column and length becomes an input
/// column NAME_COLUMN_LENGTH, such as `customer_amount_avg_7d`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The column that names the entity.
    #[schemars(with = "String")]
    pub entity: Spanned<String>,
    /// First part of the output names. Default: the entity column without `_id`.
    pub name: Option<String>,
    /// Lengths.
    pub over: Vec<Duration>,
    /// How late the inputs are known. Windows over a label need at least its `known_after`.
    #[serde(default)]
    pub delay: Duration,
    /// Aggregates by name: `count()`, `count(x)`, `sum(x)`, `avg(x)`, `min(x)`, `max(x)`, `stddev(x)`, `distinct(x)`,
    /// `last(x)`, `time_since()`, `time_since(x)`; x is an SQL expression over the input row.
    #[schemars(with = "IndexMap<String, String>")]
    pub columns: IndexMap<Spanned<String>, Spanned<String>>,
}

impl Window {
    /// First part of the output names.
    pub fn prefix(&self) -> &str {
        let entity = self.entity.get_ref();
        self.name.as_deref().unwrap_or_else(|| entity.strip_suffix("_id").unwrap_or(entity))
    }

    /// Names of the outputs: for each column, one per length.
    pub fn output_names(&self) -> Vec<String> {
        let lengths = |column: &str| {
            self.over.iter().map(|over| format!("{}_{column}_{over}", self.prefix())).collect::<Vec<_>>()
        };
        self.columns.keys().flat_map(|column| lengths(column.get_ref())).collect()
    }
}

/// What one input of the model means.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// A phrase that fits "... is VALUE".
    pub meaning: Option<String>,
    pub unit: Option<String>,
    /// The score may only rise, or only fall, as this number rises.
    pub monotone: Option<Monotone>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Monotone {
    Rising,
    Falling,
}

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

/// Rows of one key up to a moment. `features.sql` is then a query over these rows, which may aggregate and use window functions;
/// each row has `as_of` beside its own columns, the moment that is asked about. A request names the key, whose rows are looked up
/// among the published ones, or sends rows.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// A table of `tables/`, or an input.
    #[schemars(with = "String")]
    pub rows: Spanned<String>,
    /// Its column that names whom the rows belong to; a request may give it.
    #[schemars(with = "String")]
    pub key: Spanned<String>,
    /// Its column of when a row was known, a date or a time. Rows later than the moment asked about are not seen.
    #[schemars(with = "String")]
    pub at: Spanned<String>,
    /// The request's field that holds rows, as a list of objects with the table's other columns.
    #[schemars(with = "String")]
    pub sent_as: Spanned<String>,
    /// Rows of one key at the most, in a request and in a look-up: the newest.
    #[serde(default = "rows_max")]
    pub rows_max: usize,
    /// `features.sql` gives one row a key, as of the moment; else one a row of the series, and the newest one answers.
    #[serde(default)]
    pub one_row: bool,
    /// What the columns of a sent row must be, beyond their type: those not named may be missing.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, SeriesColumn>")]
    pub columns: IndexMap<Spanned<String>, SeriesColumn>,
    /// Fields by which a request may give features themselves, instead of rows that they are made from.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, GivenFeature>")]
    pub given: IndexMap<Spanned<String>, GivenFeature>,
    /// What must hold between the fields given, in order; the first that does not is told.
    #[serde(default)]
    pub check: Vec<FieldCheck>,
    /// Labels that `label.sql` makes of later rows: a SELECT of the labels alone, to which the key (and `at`, unless `one_row`) is
    /// added. Its rows have `as_of`, the moment that labels count from, and `until`, the moment that they are known at.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, SeriesLabel>")]
    pub labels: IndexMap<Spanned<String>, SeriesLabel>,
}

fn rows_max() -> usize {
    10_000
}

/// A column of a row that is sent with a request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesColumn {
    /// What it says, for a person.
    pub meaning: Option<String>,
    /// Unit of a number, such as `EUR`.
    pub unit: Option<String>,
    /// A row without it is refused.
    #[serde(default)]
    pub required: bool,
    /// Smallest allowed number.
    pub min: Option<f64>,
    /// Largest allowed number.
    pub max: Option<f64>,
}

/// A field of a request that is a feature.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenFeature {
    /// The column of `features.sql` that it stands for.
    #[schemars(with = "String")]
    pub feature: Spanned<String>,
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// What it says, for a person.
    pub meaning: Option<String>,
    /// Unit of a number, such as `days`.
    pub unit: Option<String>,
    /// Whether it may be missing where others are given.
    #[serde(default)]
    pub optional: bool,
    /// Smallest allowed number.
    pub min: Option<f64>,
    /// Largest allowed number.
    pub max: Option<f64>,
}

/// A condition between the fields of a request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldCheck {
    /// SQL condition over the fields; null holds.
    #[schemars(with = "String")]
    pub holds: Spanned<String>,
    /// The field that is told where it does not hold.
    #[schemars(with = "String")]
    pub field: Spanned<String>,
    /// What is told.
    pub says: String,
}

/// A label of a series.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeriesLabel {
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// What it says, for a person.
    pub meaning: Option<String>,
    /// Unit of a number.
    pub unit: Option<String>,
    /// How long after the moment it is known.
    pub known_after: Duration,
}

/// A published table served by key: rules and `answer.sql` read its columns as NAME_COLUMN, null where there is no such key. It
/// changes with each run. Features may not read it: today's table knows what came after a row of training.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// A table of `tables/`.
    #[schemars(with = "String")]
    pub table: Spanned<String>,
    /// Its column that no two rows share.
    pub key: String,
    /// The request's column that is looked up.
    #[schemars(with = "String")]
    pub by: Spanned<String>,
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

/// Turns a score into an action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Exactly one of `flags_per_day`, `costs` and `threshold` says where the line is drawn.
    /// Rows a day that people can look at: the threshold is the score of the last one, on validation.
    pub flags_per_day: Option<u32>,
    /// What errors cost: the threshold has the least cost on validation.
    pub costs: Option<Costs>,
    /// A fixed probability.
    pub threshold: Option<f64>,
    /// Action at or above the threshold.
    pub positive: String,
    /// Action below it.
    pub negative: String,
    /// A second line below the first: scores between them are looked at by a person.
    pub review: Option<Review>,
}

/// A second, lower line.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Action between the two lines, such as `review`.
    pub action: String,
    /// How many rows a day are above this line, those above the first one counted in; on validation.
    pub flags_per_day: Option<u32>,
    /// A fixed probability.
    pub threshold: Option<f64>,
}

/// A condition beside the model. What it decides is recorded with its name.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The reason code: lower case letters, digits and `_`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What it says, for a person.
    pub title: String,
    /// SQL condition over the request's columns, the features and `probability`. Null does not hold.
    #[schemars(with = "String")]
    pub when: Spanned<String>,
    /// What is done where it holds, instead of what the score says.
    pub action: String,
}

/// Cost of a missed positive and of a false alarm, in any one unit.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    pub missed: f64,
    pub false_alarm: f64,
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

/// Limits a version must hold before it may become champion.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// Expected calibration error on the test folds, 10 bins of equal count.
    pub calibration_error_max: f64,
    /// Size of the model file, in MB.
    pub model_mb_max: f64,
    /// Median time of one prediction, in microseconds, features given.
    pub prediction_us_max: f64,
    /// Median time of one prediction's reasons, in microseconds.
    pub explanation_us_max: f64,
    /// Rows replayed one by one to compare online with batch features.
    pub parity_rows: usize,
    /// Of a count: how far the sum over the test rows may be off, as a share.
    pub total_error_max: f64,
    /// How much worse than the champion on the same recent rows a version may be, in the measure that candidates are chosen by.
    pub champion_margin: f64,
}

impl Default for Gates {
    fn default() -> Gates {
        Gates {
            calibration_error_max: 0.02,
            model_mb_max: 50.0,
            prediction_us_max: 50.0,
            explanation_us_max: 100.0,
            parity_rows: 2_000,
            // Our choice, about what a season moves.
            total_error_max: 0.25,
            champion_margin: 0.0,
        }
    }
}

/// A number that is watched: one SELECT over the published tables and the table `observed`.
///
/// One row with one column is a number of today; with the columns `at` (time) and `value` it is a series, one row a
/// window of `[monitor]`. A third column `rows` says how many rows a value is the share of. `observed` holds the rows
/// watched and those of the reference: the input's columns, the features, `probability`, `action`, `rules` (names of
/// those that held), `model_action` (what the score alone would have decided), `reasons` (of rows that were not let pass), `window_start`, `is_mature` (its label is known by now; labels of others are null) and `source`
/// (`history` or `log`).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Lower case letters, digits and `_`.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// What it says, for a person.
    pub title: String,
    #[schemars(with = "String")]
    pub sql: Spanned<String>,
    /// Too high above this.
    pub above: Option<f64>,
    /// Too low below this.
    pub below: Option<f64>,
    /// Instead of levels: far from what was usual before, by weekday, as often as the alarm budget allows. For series.
    pub band: Option<BandSide>,
    /// Windows in a row beyond a level before it is an alert.
    #[serde(default = "persistence")]
    pub windows: u32,
    #[serde(default)]
    pub severity: Severity,
    /// Who acts on it.
    pub owner: String,
    /// A SELECT of one text column: the first three rows are told with the alert, in the words of the data. The table `finding`
    /// says in one row from when (`since`) until when (`until`). What it selects goes wherever alerts go.
    #[schemars(with = "Option<String>")]
    pub examples: Option<Spanned<String>>,
}

/// Which side of what was usual is an alarm.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum BandSide {
    /// Higher than usual.
    Up,
    /// Lower than usual.
    Down,
    Both,
}

/// Whether somebody is to be woken.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Sent by every channel; shares the alarm budget.
    #[default]
    Page,
    /// Kept and shown, sent to nobody.
    Notice,
}

fn persistence() -> u32 {
    2
}

/// How a domain is watched: in which steps of time, against which past, and how often an alarm may be false.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Monitor {
    /// Length of one window of event time.
    pub window: Duration,
    /// The past that is taken for usual: so long before the end of what the champion was judged on.
    pub reference: Duration,
    /// How far back a look goes.
    pub watched: Duration,
    /// The alarm budget: so many false pages, on average, in `per`. Learned levels are set from it.
    pub false_pages: f64,
    pub per: Duration,
    /// The newest event must be younger than this, by the clock: a feed that ends leaves no window to judge. Default: not
    /// asked, for files that are looked at once.
    pub fresh_within: Option<Duration>,
    /// Windows in a row in which a column must have moved.
    pub persistence: u32,
    /// Where the lines of drift come from.
    pub drift: DriftLines,
}

impl Default for Monitor {
    fn default() -> Monitor {
        Monitor {
            window: Duration::from_days(1),
            reference: Duration::from_days(56),
            watched: Duration::from_days(28),
            false_pages: 1.0,
            per: Duration::from_days(30),
            fresh_within: None,
            persistence: persistence(),
            drift: DriftLines::Learned,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum DriftLines {
    /// From what each statistic does in the reference's own windows, by the alarm budget.
    Learned,
    /// Evidently's defaults: p-values at .05 up to 1,000 reference rows, distances at .1 above, half of the columns.
    Evidently,
}

/// An aggregate of a window, as `columns` writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowExpression {
    pub function: WindowFunction,
    /// SQL expression over the input row.
    pub argument: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowFunction {
    Count,
    Sum,
    Avg,
    Min,
    Max,
    Stddev,
    Distinct,
    Last,
    TimeSince,
}

const WINDOW_FUNCTIONS: [(&str, WindowFunction); 9] = [
    ("count", WindowFunction::Count),
    ("sum", WindowFunction::Sum),
    ("avg", WindowFunction::Avg),
    ("min", WindowFunction::Min),
    ("max", WindowFunction::Max),
    ("stddev", WindowFunction::Stddev),
    ("distinct", WindowFunction::Distinct),
    ("last", WindowFunction::Last),
    ("time_since", WindowFunction::TimeSince),
];

impl WindowExpression {
    /// Reads `name(argument)`. The message says what was expected.
    pub fn parse(text: &str) -> Result<WindowExpression, String> {
        let names = || WINDOW_FUNCTIONS.map(|(name, _)| name).join(", ");
        let parts = text.trim().strip_suffix(')').and_then(|text| text.split_once('('));
        let (name, argument) =
            parts.ok_or_else(|| format!("`{text}` is not an aggregate; expected NAME(x) with {}", names()))?;
        let found = WINDOW_FUNCTIONS.iter().find(|(known, _)| *known == name.trim());
        let Some(&(name, function)) = found else {
            let hint = crate::did_you_mean(name.trim(), WINDOW_FUNCTIONS.map(|(known, _)| known));
            return Err(format!("`{name}` is not an aggregate; expected {}; {}", names(), hint.unwrap_or_default()));
        };
        let argument = Some(argument.trim().to_owned()).filter(|argument| !argument.is_empty());
        let optional = matches!(function, WindowFunction::Count | WindowFunction::TimeSince);
        if argument.is_none() && !optional {
            return Err(format!("{name}() needs a column or an expression"));
        }
        Ok(WindowExpression { function, argument })
    }
}
