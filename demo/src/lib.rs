//! Demo data with a known truth, because a detector can only be judged against answers that somebody knows.
//!
//! Everything is drawn from one seed: the same seed and size give the same bytes, as long as `Cargo.lock` stands.

mod almanac;
mod ecommerce;
mod payments;
mod restaurant;

use std::io::{self, Write};

pub use ecommerce::{BotNight, EcommerceTruth, PriceRise, PurchaseTruth, SpendingTruth, truth as ecommerce_truth};
pub use restaurant::{BoughtReviews, QualityChange, RestaurantTruth, truth as restaurant_truth};

/// Every maker of demo data. Adding one touches its own file and this list.
pub const DEMO_SOURCES: &[DemoSource] = &[
    DemoSource {
        name: "payments",
        title: "Card payments with three kinds of fraud",
        write: payments::write,
        write_truth: payments::write_truth,
    },
    DemoSource {
        name: "reviews",
        title: "Restaurant reviews with turning places and bought praise",
        write: restaurant::write,
        write_truth: restaurant::write_truth,
    },
    DemoSource {
        name: "order_lines",
        title: "Order lines of a gift shop whose customers come, buy and leave by a known law",
        write: ecommerce::write,
        write_truth: ecommerce::write_truth,
    },
];

/// The source of that name, or `None`.
pub fn demo_source(name: &str) -> Option<&'static DemoSource> {
    DEMO_SOURCES.iter().find(|source| source.name == name)
}

/// One maker of demo data.
pub struct DemoSource {
    /// The name that people type, such as `payments`.
    pub name: &'static str,
    /// One line for people.
    pub title: &'static str,
    /// Writes the rows as CSV with a header, oldest first; arguments: where to, size, seed, progress.
    /// Holds all rows in memory, a few dozen bytes each. Fails only where the writer fails.
    pub write: fn(&mut dyn Write, Size, u64, Progress<'_>) -> io::Result<DemoSummary>,
    /// Writes what the rows must not tell, as CSV with a header: the story behind the rows of `write` with the same
    /// size and seed.
    pub write_truth: fn(&mut dyn Write, Size, u64) -> io::Result<()>,
}

/// Told now and then (rows done, rows about to come in all); the last call gives the same exact number twice.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// How much to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Enough for a test to train on: 40,000 payments over 90 days, 4,000 reviews, 20,000 order lines.
    Small,
    /// The demo that people see: 400,000 payments over 120 days, 30,000 reviews, 330,000 order lines.
    Normal,
}

/// The truth about what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoSummary {
    /// Rows written, the header not counted.
    pub rows: u64,
    /// Things that appear in the rows at least once: `customers`, `terminals`, `invoices`.
    pub entities: Vec<NamedCount>,
    /// Rows by what is true of them; the maker says which names there are and whether they overlap.
    pub labels: Vec<NamedCount>,
}

/// A count of what its name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCount {
    /// Lower case with underscores, such as `stolen_card`.
    pub name: &'static str,
    /// 0 or more.
    pub count: u64,
}

impl DemoSummary {
    /// The count of that entity or label, or `None` where this source has none of the name.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.entities.iter().chain(&self.labels).find(|named| named.name == name).map(|named| named.count)
    }

    /// The share of the rows (0..=1) with that true label, or `None` where this source has none of the name.
    pub fn share(&self, label: &str) -> Option<f64> {
        self.labels.iter().find(|named| named.name == label).map(|named| named.count as f64 / self.rows.max(1) as f64)
    }
}
