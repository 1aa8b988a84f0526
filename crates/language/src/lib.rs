//! What a text says: scores, words, aspects, and the rows of numbers that a text model learns from.
//! No clock, no file, no domain: everything a function depends on is one of its arguments.
#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aspects;
pub mod clauses;
pub mod contrasts;
pub mod features;
pub mod quotes;
pub mod sparse;
pub mod tokens;
pub mod vader;
mod vocabulary;

/// Bytes of a text that features and aspects are read from, some 30 pages; the rest is not looked at. A review of a
/// megabyte must not hold up all others.
pub const TEXT_BYTES_MAX: usize = 100_000;
