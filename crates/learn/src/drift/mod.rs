//! Whether today's rows still look like the ones a model was trained on, and how often that question may cry wolf.

pub mod evidently;
pub mod exact;
pub mod profile;
pub mod runs;
pub mod season;
pub mod statistics;
pub mod tally;
pub mod thresholds;

mod kolmogorov;
pub(crate) mod sampling;
pub(crate) mod special;

#[cfg(test)]
mod evidently_oracle;
