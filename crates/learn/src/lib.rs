//! Numbers in, numbers out: what can be learned from a table and how well it was learned.
//! No clock, no file, no domain: everything a function depends on is one of its arguments.
#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod baskets;
pub mod bootstrap;
pub mod calibration;
pub mod clv;
pub mod drift;
pub mod encoding;
pub mod frame;
pub mod isotonic;
pub mod linear;
pub mod measures;
pub mod metrics;
pub mod trees;
pub mod univariate;
pub mod windows;
