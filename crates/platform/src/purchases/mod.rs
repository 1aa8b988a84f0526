//! Domains without a label: what customers will buy, learned from what they bought. The answer is about a customer, who is
//! looked up, or told by numbers, or by orders.

mod book;
mod forecast;
mod gates;
mod judge;
mod question;
mod train;

pub use book::{Book, Known, Summary};
pub use forecast::{PurchaseModels, forecast_fields};
pub use gates::gates;
pub use question::{QuestionColumns, check, orders, question_columns, summary_of};
pub use train::run;

/// Days of the unit that models count in: the papers' week.
pub(crate) const UNIT_DAYS: f64 = 7.0;
/// The inputs of such a model, in order.
pub(crate) const FEATURES: [(&str, &str, Option<&str>); 4] = [
    ("repeat_purchases", "number of days with a purchase after the first one", None),
    ("recency_days", "time from the first purchase to the latest one", Some("days")),
    ("age_days", "time since the first purchase", Some("days")),
    ("spend_mean", "mean spent on a day of purchase after the first one", None),
];
/// What the probability is of.
pub(crate) const TARGET: &str = "is_alive";
