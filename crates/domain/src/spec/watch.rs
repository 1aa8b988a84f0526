//! What is watched, and how.

use super::*;

/// A number that is watched: `share`, `mean`, `sum` or `count` of the rows observed in each window, or one SELECT over the published
/// tables and the table `observed`.
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
    /// Exactly one of `sql`, `share`, `mean`, `sum` and `count` says what is watched.
    #[schemars(with = "Option<String>")]
    pub sql: Option<Spanned<String>>,
    /// Share of the observed rows in each window that this SQL condition holds for; null does not hold.
    #[schemars(with = "Option<String>")]
    pub share: Option<Spanned<String>>,
    /// Mean in each window of this SQL expression over an observed row, nulls left out.
    #[schemars(with = "Option<String>")]
    pub mean: Option<Spanned<String>>,
    /// Sum in each window of this SQL expression over an observed row; 0 of no values.
    #[schemars(with = "Option<String>")]
    pub sum: Option<Spanned<String>>,
    /// How many observed rows of each window this SQL condition holds for.
    #[schemars(with = "Option<String>")]
    pub count: Option<Spanned<String>>,
    /// With one of the short forms: the observed rows that are looked at, as an SQL condition.
    #[serde(rename = "where")]
    #[schemars(with = "Option<String>")]
    pub only: Option<Spanned<String>>,
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

impl Watch {
    /// How many of `sql`, `share`, `mean`, `sum` and `count` are given; a sound watch has one.
    pub fn forms(&self) -> usize {
        [&self.sql, &self.share, &self.mean, &self.sum, &self.count].into_iter().flatten().count()
    }

    /// The SELECT that gives its values, and where in `domain.toml` what it is made of stands.
    pub fn query(&self) -> (String, usize) {
        if let Some(sql) = &self.sql {
            return (sql.get_ref().clone(), sql.span().start);
        }
        // Filters, not a WHERE: a window whose rows are all left out has a count and a sum of 0, not none. The line ends let an
        // expression end in a comment.
        let only = self.only.as_ref().map(|only| format!(" FILTER (WHERE {}\n)", only.get_ref())).unwrap_or_default();
        let made = |of: &Spanned<String>, value: String| {
            (format!("SELECT window_start AS at, {value} FROM observed GROUP BY window_start"), of.span().start)
        };
        match (&self.share, &self.mean, &self.sum, &self.count) {
            (Some(of), ..) => {
                let holds = format!("avg(CASE WHEN {}\nTHEN 1.0 ELSE 0.0 END){only}", of.get_ref());
                made(of, format!("{holds} AS value, count(*){only} AS rows"))
            }
            (_, Some(of), ..) => made(of, format!("avg(CAST({}\nAS DOUBLE PRECISION)){only} AS value", of.get_ref())),
            (_, _, Some(of), _) => {
                let sum = format!("sum(CAST({}\nAS DOUBLE PRECISION)){only}", of.get_ref());
                made(of, format!("coalesce({sum}, 0) AS value"))
            }
            (_, _, _, Some(of)) => {
                let holds = format!("sum(CASE WHEN {}\nTHEN 1 ELSE 0 END){only}", of.get_ref());
                made(of, format!("coalesce({holds}, 0) AS value"))
            }
            _ => (String::new(), self.name.span().start),
        }
    }
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
