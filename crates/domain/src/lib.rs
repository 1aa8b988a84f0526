//! The words a domain is written in. A domain is a folder of SQL and one TOML file; this crate reads
//! it into typed structures, refuses what it does not know, and says where an error stands.
//! It runs nothing: SQL is planned by `tables`, which has the engine.
#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod check;
mod domain;
mod duration;
mod fingerprints;
mod folder;
mod problem;
mod reference;
mod spec;

pub use domain::{Domain, Origin};
pub use duration::Duration;
pub use fingerprints::Fingerprints;
pub use folder::Domains;
pub use problem::{Place, Problem, Problems, did_you_mean};
pub use reference::reference_markdown;
pub use spec::*;
pub use toml::Spanned;
