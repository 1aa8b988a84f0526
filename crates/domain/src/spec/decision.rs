//! What is decided on a score, and what a version must hold.

use super::*;

/// Turns a score into an action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Exactly one of `flags_per_day`, `costs` and `threshold` says where the line is drawn.
    /// Rows a day that people can look at: of the rows of validation, that share is at or above the threshold, which lies halfway
    /// between two probabilities, so that equal ones are all flagged or none.
    pub flags_per_day: Option<u32>,
    /// What errors cost: the threshold is the probability at which missing costs as much as alarming, unless another one costs
    /// less on validation by more than chance.
    pub costs: Option<Costs>,
    /// A fixed probability.
    pub threshold: Option<f64>,
    /// Action at or above the threshold.
    pub positive: String,
    /// Action below it.
    pub negative: String,
    /// Actions that only rules take, beside those above.
    #[serde(default)]
    pub further_actions: Vec<String>,
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
    /// What is done where it holds, instead of what the score says: one of the decision's actions.
    #[schemars(with = "String")]
    pub action: Spanned<String>,
}

/// Cost of a missed positive and of a false alarm, in any one unit.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    pub missed: f64,
    pub false_alarm: f64,
}

/// Limits a version must hold before it may become champion.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gates {
    /// Expected calibration error on the test folds, 10 bins of equal count. Where a perfectly calibrated model has more by chance
    /// on so many rows, that counts instead.
    pub calibration_error_max: f64,
    /// Share of the newest test fold that may be flagged: a rule that flags most rows decides nothing.
    pub flagged_share_max: f64,
    /// How far the rows flagged on the newest test fold may be off a `flags_per_day` beyond what chance explains, as a share of it.
    pub budget_off_max: f64,
    /// Size of the model file, in MB.
    pub model_mb_max: f64,
    /// Median time of one prediction, features given, in microseconds of the reference machine: a loop that is timed beside it says
    /// how much slower this process runs now.
    pub prediction_us_max: f64,
    /// Median time of one prediction's reasons, in the same microseconds.
    pub explanation_us_max: f64,
    /// Rows replayed one by one to compare online with batch features.
    pub parity_rows: usize,
    /// Of a count: how far the sum over the test rows may be off, as a share.
    pub total_error_max: f64,
    /// How much worse than the champion on the same recent rows a version may be, in the measure that candidates are chosen by.
    pub champion_margin: f64,
    /// How many rows less than those in force a run may bring, as a share, before a person must say `--accept`: above 0 where a
    /// source gives only the newest months.
    pub rows_lost_share_max: f64,
    /// Inputs that may tell the label, or the order of the target, nearly alone, because they are known when the answer is asked for.
    #[schemars(with = "Vec<String>")]
    pub may_reveal_label: Vec<Spanned<String>>,
}

impl Default for Gates {
    fn default() -> Gates {
        Gates {
            calibration_error_max: 0.02,
            flagged_share_max: 0.5,
            budget_off_max: 0.0,
            model_mb_max: 50.0,
            prediction_us_max: 50.0,
            // Reasons of 200 trees of 15 leaves take about 250; a reply's own time is in milliseconds.
            explanation_us_max: 1_000.0,
            parity_rows: 2_000,
            // Our choice, about what a season moves.
            total_error_max: 0.25,
            champion_margin: 0.0,
            rows_lost_share_max: 0.0,
            may_reveal_label: Vec::new(),
        }
    }
}
