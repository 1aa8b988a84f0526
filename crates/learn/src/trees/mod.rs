//! Gradient boosted trees. LightGBM learns them; a compact evaluator of ours answers and explains,
//! because it is equal to the bit, faster on one row, and thread-safe without C++.

mod evaluator;
mod explain;
mod lightgbm;
mod sides;
mod tree;

pub use evaluator::{Explained, ParseError, Trees};
pub use lightgbm::{FitError, Fitted, Objective, Settings, TrainingSet, all_parameters, fit};

#[cfg(test)]
mod tests;
