//! What is kept: the home folder, the store of runs, versions and alerts, the clock and the names that are made by it.

pub mod alert_store;
pub mod clock;
pub mod home;
pub mod ids;
mod postgres;
mod sqlite;
pub mod store;
pub mod tables;

pub(crate) use postgres::connect as connect_postgres;

/// The alias of the version that answers.
pub const CHAMPION: &str = "champion";
/// The alias of the version that stays champion whatever runs make.
pub const PINNED: &str = "pinned";

#[cfg(test)]
mod tests;
