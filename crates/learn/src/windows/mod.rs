//! Trailing aggregates per entity, kept as state that takes an event and answers at once, because
//! the training set and a live request must be computed by the very same code.
//!
//! The window of an event at time t is `(t - delay - over, t - delay]`: half-open, in event time.
//! * Ties: an event sees those of its own time that came before it in order, and never later ones;
//!   a delayed window sees every event at exactly `t - delay`.
//! * Nulls (NaN) are passed over by every aggregate but `count()` of events.
//! * Empty windows: `count` and `distinct` are 0, everything else is null, as in SQL.
//! * An event out of order takes its place in time, so that later questions see it; its own answer
//!   is as of its time. What was answered before it came stays as it was.

mod group;
mod log;
mod replay;
mod running;
mod state;

#[cfg(test)]
mod tests;

pub use group::{Aggregate, ENTRIES_MAX, MICROS_PER_SECOND, WindowColumn, WindowGroup};
pub use replay::{replay_events, replay_states};
pub use state::EntityState;

/// A word as the finite number that `distinct` counts: 52 bits of a hash, so that two words are taken
/// for one in about one of 4.5e15 pairs.
pub fn word_value(word: &str) -> f64 {
    use std::hash::{BuildHasher, BuildHasherDefault};
    let hash = BuildHasherDefault::<rustc_hash::FxHasher>::default().hash_one(word);
    (hash >> 12) as f64
}
