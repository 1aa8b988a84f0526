//! How well scores rank, how far they can be believed, and what a team that checks only a few alerts a day
//! would find. A row's weight is how many times it counts, so a bootstrap needs new weights, never new rows:
//! weight 3 equals three such rows, weight 0 equals no row.
//!
//! In every function slices that describe rows are of equal length (it panics if not), and no score is NaN: that
//! is the caller's error and gives a number without meaning. `None` always means that nothing can be said.

mod daily;
mod losses;
mod ranking;

#[cfg(test)]
mod tests;

pub use daily::{DailyRanking, EntityPrecisionAtK};
pub use losses::{Confusion, Losses, brier, log_loss};
pub use ranking::{CurvePoint, Ranking, ReliabilityBin};
