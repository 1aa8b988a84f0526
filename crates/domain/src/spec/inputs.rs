//! What features are made of: windows, series, look-ups.

use super::*;
use serde::Deserializer;
use serde::de::{MapAccess, value::MapAccessDeserializer};

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
    /// Aggregates by name. Text is short for `{ is = TEXT }`.
    #[schemars(with = "IndexMap<String, WindowColumn>")]
    pub columns: IndexMap<Spanned<String>, Spanned<WindowColumn>>,
}

/// An aggregate of a window.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(transform = short::or_text)]
pub struct WindowColumn {
    /// `count()`, `count(x)`, `sum(x)`, `avg(x)`, `min(x)`, `max(x)`, `stddev(x)`, `distinct(x)`, `last(x)`, `time_since()`,
    /// `time_since(x)`; x is an SQL expression over the input row.
    pub is: String,
    /// What it is where the aggregate is null, such as a share of no events. Default: null.
    pub empty: Option<f64>,
    /// What it says, for a person; `{over}` becomes the length in words, such as `7 days`. A feature of the same name inherits it.
    pub meaning: Option<String>,
    /// Unit of the number, such as `EUR`; inherited likewise.
    pub unit: Option<String>,
}

impl short::Short for WindowColumn {
    fn of_text(text: String) -> WindowColumn {
        WindowColumn { is: text, empty: None, meaning: None, unit: None }
    }

    fn of_table<'de, A: MapAccess<'de>>(table: A) -> Result<WindowColumn, A::Error> {
        WindowColumn::deserialize(MapAccessDeserializer::new(table))
    }
}

impl<'de> Deserialize<'de> for WindowColumn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WindowColumn, D::Error> {
        short::text_or_table(deserializer)
    }
}

impl Window {
    /// First part of the output names.
    pub fn prefix(&self) -> &str {
        let entity = self.entity.get_ref();
        self.name.as_deref().unwrap_or_else(|| entity.strip_suffix("_id").unwrap_or(entity))
    }

    /// Names of the outputs: for each column, one per length.
    pub fn output_names(&self) -> Vec<String> {
        let lengths = |column: &str| self.over.iter().map(|over| self.output_name(column, *over)).collect::<Vec<_>>();
        self.columns.keys().flat_map(|column| lengths(column.get_ref())).collect()
    }

    /// `customer_amount_avg_7d`.
    pub fn output_name(&self, column: &str, over: Duration) -> String {
        format!("{}_{column}_{over}", self.prefix())
    }
}

/// What one input of the model means.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
#[schemars(transform = short::or_text)]
pub struct Feature {
    /// A phrase that fits "... is VALUE".
    pub meaning: Option<String>,
    /// Unit of a number, such as `EUR`.
    pub unit: Option<String>,
    /// The score may only rise, or only fall, as this number rises.
    pub monotone: Option<Monotone>,
}

impl short::Short for Feature {
    fn of_text(text: String) -> Feature {
        Feature { meaning: Some(text), ..Feature::default() }
    }

    fn of_table<'de, A: MapAccess<'de>>(table: A) -> Result<Feature, A::Error> {
        Feature::deserialize(MapAccessDeserializer::new(table))
    }
}

impl<'de> Deserialize<'de> for Feature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Feature, D::Error> {
        short::text_or_table(deserializer)
    }
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Monotone {
    Rising,
    Falling,
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
