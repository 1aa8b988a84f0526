//! What is bought together, and whether that is more than chance: with thousands of items some pair always looks good.
//!
//! `Baskets` goes through `association_rules` into rules, best lift first. Chance means baskets of one kind, each drawn
//! by itself. Where a few are huge, everything goes together with everything and passes as sure: leave wholesale out
//! first, see `association_rules`.

pub mod error;
pub mod itemsets;
pub mod lists;
pub mod rules;

mod discovery;
mod overlap;
mod tree;

#[cfg(test)]
mod chance;
#[cfg(test)]
mod oracle;
