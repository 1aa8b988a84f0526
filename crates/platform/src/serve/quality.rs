//! What the latest requests were like, column by column: counted as they are read, over the last ten to twenty thousand rows.

use crate::inputs::contract::{Cell, Event, EventContract, Violation};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Rows after which the older half is forgotten.
const ROWS_PER_PART: u64 = 10_000;

#[derive(Default)]
pub struct RequestQuality {
    parts: Mutex<[Counts; 2]>,
}

/// What was counted of some rows.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub rows: u64,
    pub refused: u64,
    /// Answered before and not counted again.
    pub repeated: u64,
    /// Missing values by column, of the rows that were taken.
    pub missing: BTreeMap<String, u64>,
    /// Violations by column and code, of the rows that were refused.
    pub violations: BTreeMap<(String, &'static str), u64>,
}

impl Counts {
    fn add(&mut self, other: &Counts) {
        self.rows += other.rows;
        self.refused += other.refused;
        self.repeated += other.repeated;
        other.missing.iter().for_each(|(column, count)| *self.missing.entry(column.clone()).or_default() += count);
        other.violations.iter().for_each(|(what, count)| *self.violations.entry(what.clone()).or_default() += count);
    }
}

impl RequestQuality {
    fn with(&self, act: impl FnOnce(&mut Counts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts[1].rows >= ROWS_PER_PART {
            parts.swap(0, 1);
            parts[1] = Counts::default();
        }
        act(&mut parts[1]);
    }

    pub fn taken(&self, contract: &EventContract, event: &Event) {
        self.with(|counts| {
            counts.rows += 1;
            let missing = contract
                .columns
                .iter()
                .zip(&event.cells)
                .filter(|(column, cell)| **cell == Cell::Null && !column.label());
            for (column, _) in missing {
                match counts.missing.get_mut(&column.name) {
                    Some(count) => *count += 1,
                    None => drop(counts.missing.insert(column.name.clone(), 1)),
                }
            }
        });
    }

    pub fn refused(&self, contract: Option<&EventContract>, violations: &[Violation]) {
        self.with(|counts| {
            counts.rows += 1;
            counts.refused += 1;
            for violation in violations {
                // A name that is not ours is not kept: it may be anything.
                let named = violation.pointer.rsplit('/').next().unwrap_or_default();
                let ours = contract.is_some_and(|contract| contract.columns.iter().any(|column| column.name == named));
                let column = if ours { named.to_owned() } else { String::new() };
                *counts.violations.entry((column, violation.code)).or_default() += 1;
            }
        });
    }

    pub fn repeated(&self) {
        self.with(|counts| counts.repeated += 1);
    }

    /// The last rows counted.
    pub fn counts(&self) -> Counts {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = parts[0].clone();
        all.add(&parts[1]);
        all
    }
}
