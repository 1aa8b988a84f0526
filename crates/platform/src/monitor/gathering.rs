//! What a window is compared with like for like: together with windows before it where it has too few rows, and with the same
//! weekdays where those differ.

use septet_learn::drift::statistics::psi;
use septet_learn::drift::tally::Tally;
use std::collections::BTreeMap;

/// A column that differs so much between the weekdays (or hours of the week) of the reference is compared with the same
/// ones: PSI, by convention a large shift, beyond what chance makes of so few rows.
const SEASON_PSI_MIN: f64 = 0.25;
/// Share of the reference's windows that are taken together at most, where single ones have too few rows.
const TOGETHER_SHARE_MAX: usize = 4;
/// How many windows are judged together, so that there are rows enough to judge.
pub struct Gathering {
    rows_min: u64,
    /// Rows of the reference's median window.
    rows: u64,
    pub together: u32,
    /// At most so many.
    most: usize,
}

impl Gathering {
    pub fn none() -> Gathering {
        Gathering { rows_min: 0, rows: 0, together: 1, most: 1 }
    }

    /// `counts`: rows of each window of the reference.
    pub fn of(mut counts: Vec<u64>, rows_min: u64) -> Gathering {
        counts.sort_unstable();
        let most = counts.len() / TOGETHER_SHARE_MAX;
        match counts.get(counts.len() / 2) {
            Some(&rows) if rows > 0 && rows < rows_min && rows_min.div_ceil(rows) <= most as u64 => {
                Gathering { rows_min, rows, together: rows_min.div_ceil(rows) as u32, most }
            }
            _ => Gathering::none(),
        }
    }

    pub fn note(&self) -> Option<String> {
        let Gathering { rows_min, rows, together, .. } = self;
        (*together > 1).then(|| {
            format!(
                "a window has {rows} rows and {rows_min} are needed, so about {together} windows are judged together"
            )
        })
    }

    /// The window with as many before it as it takes to have the rows.
    pub fn gathered<'a>(&self, tallies: &'a BTreeMap<i64, Tally>, window: i64) -> Vec<(i64, &'a Tally)> {
        let (mut held, mut gathered) = (0, Vec::new());
        for (&window, tally) in tallies.range(window - self.most as i64 + 1..=window).rev() {
            if held > 0 && held >= self.rows_min {
                break;
            }
            held += tally.rows();
            gathered.push((window, tally));
        }
        gathered
    }
}

pub fn merged<'a>(tallies: impl Iterator<Item = &'a Tally>) -> Option<Tally> {
    tallies.fold(None, |all: Option<Tally>, one| match all {
        None => Some(one.clone()),
        Some(mut all) => {
            // All were counted by one profile.
            let _same_bins = all.merge(one);
            Some(all)
        }
    })
}

/// The reference's windows by slot, if the column differs much from slot to slot; else none.
pub fn season_of(windows: &[Tally], slots: &[usize]) -> Option<BTreeMap<usize, Tally>> {
    let mut by_slot: BTreeMap<usize, Tally> = BTreeMap::new();
    for (tally, slot) in windows.iter().zip(slots) {
        match by_slot.get_mut(slot) {
            Some(all) => all.merge(tally).ok()?,
            None => drop(by_slot.insert(*slot, tally.clone())),
        }
    }
    let differs = |(slot, own): (&usize, &Tally)| {
        let others = merged(by_slot.iter().filter(|(other, _)| *other != slot).map(|(_, tally)| tally));
        let Some((others, found)) = others.and_then(|others| psi(&others, own).map(|found| (others, found))) else {
            return false;
        };
        let bins = own.counts.len().saturating_sub(1) as f64;
        let by_chance = bins * (1.0 / own.rows().max(1) as f64 + 1.0 / others.rows().max(1) as f64);
        found - by_chance >= SEASON_PSI_MIN
    };
    by_slot.iter().any(differs).then(|| by_slot.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two bins.
    fn tally(first: u64, second: u64) -> Tally {
        Tally { counts: vec![first, second], ..Tally::default() }
    }

    #[test]
    fn windows_are_gathered_until_there_are_rows_enough_and_not_where_one_has_them() {
        for (rows, together) in [(153, 2), (200, 1), (5_000, 1), (20, 10), (3, 1), (0, 1)] {
            let gathering = Gathering::of(vec![rows; 56], 200);
            assert_eq!(gathering.together, together, "{rows} rows");
            assert_eq!(gathering.note().is_some(), together > 1);
        }
        let gathering = Gathering::of(vec![153; 56], 200);
        let tallies: BTreeMap<i64, Tally> =
            [(1, 150), (2, 30), (3, 180), (4, 90)].map(|(at, rows)| (at, tally(rows, 0))).into();
        let windows = |window| gathering.gathered(&tallies, window).iter().map(|(at, _)| *at).collect::<Vec<_>>();
        assert_eq!((windows(4), windows(3), windows(1)), (vec![4, 3], vec![3, 2], vec![1]));
    }

    #[test]
    fn a_weekend_is_compared_with_weekends_and_what_is_alike_all_week_with_everything() {
        let slots: Vec<usize> = (0..56).map(|day| day % 7).collect();
        let weekend: Vec<Tally> =
            slots.iter().map(|slot| if *slot >= 5 { tally(0, 100) } else { tally(100, 0) }).collect();
        let season = season_of(&weekend, &slots).expect("it differs");
        assert_eq!(season[&5], tally(0, 800));
        let few: Vec<Tally> = slots.iter().enumerate().map(|(day, _)| tally(5 + day as u64 % 3, 5)).collect();
        assert!(season_of(&few, &slots).is_none());
    }
}
