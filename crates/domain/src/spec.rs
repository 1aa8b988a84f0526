//! Every key that `domain.toml` may have. The doc comments are the reference: they become the page
//! `docs/reference/domain.md` and the JSON Schema that editors complete from.

use crate::Duration;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
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
    /// How a label is predicted. A domain has this or `[purchases]`.
    pub model: Option<Model>,
    /// What customers will buy, learned from what they bought: a domain without a label.
    pub purchases: Option<Purchases>,
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
    /// Measures beside ROC AUC, average precision, log loss, Brier score and calibration error.
    #[serde(default)]
    pub metric: Vec<EntityMetric>,
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
    /// How the label is predicted. Only for domains that have one: whoever asks knows.
    pub fn label_model(&self) -> &Model {
        self.model.as_ref().expect("asked of a domain that predicts a label")
    }

    /// Seed of everything that is drawn.
    pub fn seed(&self) -> u64 {
        let purchases = self.purchases.as_ref().map(|purchases| purchases.seed);
        self.model.as_ref().map(|model| model.seed).or(purchases).unwrap_or_else(seed)
    }

    /// How long after its event the predicted label is known; 0 if the domain does not say.
    pub fn known_after(&self) -> Duration {
        let columns = self.input.values().next().into_iter().flat_map(|input| &input.columns);
        let wanted = self.model.as_ref().map(|model| model.target.get_ref());
        let target = columns.filter(|(name, _)| Some(name.get_ref()) == wanted);
        target.filter_map(|(_, column)| column.known_after).next().unwrap_or_default()
    }
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
    pub kind: ModelKind,
    /// The label column that is predicted.
    #[schemars(with = "String")]
    pub target: Spanned<String>,
    /// What is learned from and what is judged on.
    #[schemars(with = "Split")]
    pub split: Spanned<Split>,
    /// What candidates are chosen by, on validation folds only.
    pub metric: Metric,
    /// What the version must beat.
    pub baselines: Vec<Baseline>,
    /// The column whose rows belong together when intervals are resampled. Default: every row by itself.
    #[schemars(with = "Option<String>")]
    pub interval_by: Option<Spanned<String>>,
    /// Seed of everything that is drawn.
    #[serde(default = "seed")]
    pub seed: u64,
    /// Fixed parameters of the model kind, by its own names (`trees`: LightGBM's).
    #[serde(default)]
    pub parameters: IndexMap<String, f64>,
    /// Candidates: values to try for each parameter; every combination is fitted on each validation fold.
    #[serde(default)]
    pub search: IndexMap<String, Vec<f64>>,
}

fn seed() -> u64 {
    42
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Gradient boosted trees (LightGBM); categories by out-of-fold target encoding.
    Trees,
    /// Logistic regression, standardised, categories one-hot. Parameters: `c` (inverse penalty), `l1_ratio`.
    Linear,
    /// Logistic regression on the words, pairs and runs of letters of every text feature, VADER's scores and the numbers.
    /// Parameters: `c` (inverse penalty), `documents_min`, `grams_max`; as 0 or 1 `pairs`, `negation`, `characters`, `sentiment`.
    Text,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The share of positives in training, for every row.
    Prior,
    /// Logistic regression on the same inputs, standardised.
    Linear,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    AveragePrecision,
    RocAuc,
    LogLoss,
}

/// Purchases of customers, as a model of buying sees them: one row a customer and day. A version says of each customer whether
/// they are still one, how much they will buy and what that is worth. Models: BG/NBD and Pareto/NBD, of which the better one
/// on held-out weeks is kept, and Gamma-Gamma for the money.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Purchases {
    /// A table of `tables/`: a row for all that was bought or given back, at the time it was known.
    #[schemars(with = "String")]
    pub table: Spanned<String>,
    /// Its column that names the customer; requests name it too.
    #[schemars(with = "String")]
    pub customer: Spanned<String>,
    /// Its column of when it was known, a date or a time.
    #[schemars(with = "String")]
    pub at: Spanned<String>,
    /// Its column that names the order: what is given back has the order that it was bought with.
    #[schemars(with = "String")]
    pub order: Spanned<String>,
    /// Its column of what was spent, below 0 for what was given back.
    #[schemars(with = "String")]
    pub value: Spanned<String>,
    /// Unit of what was spent, such as `GBP`.
    pub unit: Option<String>,
    /// The end of the data, which candidates are chosen and judged on.
    pub holdout: Duration,
    /// How far ahead purchases are told.
    #[serde(default = "horizons")]
    pub horizons: Vec<Duration>,
    /// How much less money is worth a year later, 0 or more.
    #[serde(default = "discount_rate")]
    pub discount_rate: f64,
    /// Months ahead that count towards a customer's lifetime value.
    #[serde(default = "value_months")]
    pub value_months: u32,
    /// Seed of everything that is drawn.
    #[serde(default = "seed")]
    pub seed: u64,
}

fn horizons() -> Vec<Duration> {
    [30, 90, 365].map(Duration::from_days).to_vec()
}

fn discount_rate() -> f64 {
    0.1
}

fn value_months() -> u32 {
    36
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
    /// By time: length of a test span, and the step from fold to fold.
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
    Time,
    Group,
    Stratified,
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
    /// Exactly one of `alerts_per_day`, `costs` and `threshold` says where the line is drawn.
    /// Alerts a day that people can look at: the threshold is the score of the last one, on validation.
    pub alerts_per_day: Option<u32>,
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
    pub alerts_per_day: Option<u32>,
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
pub struct EntityMetric {
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
}

impl Default for Gates {
    fn default() -> Gates {
        Gates {
            calibration_error_max: 0.02,
            model_mb_max: 50.0,
            prediction_us_max: 50.0,
            explanation_us_max: 100.0,
            parity_rows: 2_000,
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
    /// Whom it concerns.
    pub concerns: String,
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
