//! Every key that `domain.toml` may have. The doc comments are the reference: they become the page
//! `docs/reference/domain.md` and the JSON Schema that editors complete from.

mod decision;
mod inputs;
mod model;
mod short;
mod watch;
mod words;

use crate::Duration;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Spanned;

pub use decision::*;
pub use inputs::*;
pub use model::*;
pub use watch::*;
pub use words::Words;

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
    /// What the model's inputs mean, by the name that `features.sql` gives them: a text, or a table where more is said. A feature
    /// that has the name of a column of the contract or of a window inherits meaning and unit, and need not be here.
    #[serde(default)]
    #[schemars(with = "IndexMap<String, Feature>")]
    pub features: IndexMap<Spanned<String>, Feature>,
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

impl Column {
    /// A column of which nothing else is said.
    pub fn of_type(kind: ColumnType) -> Column {
        Column {
            kind,
            required: false,
            meaning: None,
            unit: None,
            min: None,
            max: None,
            values: None,
            personal: None,
            label: false,
            known_after: None,
            from: None,
            reveals: None,
        }
    }
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
    /// CSV: one character between fields, or `blanks` for any number of spaces and tabs. Default `,`, and a tab in `.tsv`.
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
    /// Text encoding by its WHATWG label, such as `windows-1252`, or `utf-32`. Default `utf-8`.
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
