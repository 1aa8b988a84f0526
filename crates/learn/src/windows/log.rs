//! One entity's events in time order. Exact until the log is long; then neighbours are merged, so
//! that a bot with a million payments costs no more memory than 65,536 of them.

use super::running::Summary;
use std::collections::VecDeque;

/// Entries have sequence numbers that never change as the front is dropped; only a late insert or a
/// merge renumbers, and both tell the caller.
#[derive(Clone, Debug)]
pub struct Log {
    first: u64,
    times: VecDeque<i64>,
    inputs: usize,
    with_squares: bool,
    /// Whether anything has left at the front.
    dropped: bool,
    entries: Entries,
}

#[derive(Clone, Debug)]
enum Entries {
    /// One event an entry: `inputs` values each.
    Exact(VecDeque<f64>),
    /// Several events an entry: how many, and `inputs` summaries each.
    Merged { events: VecDeque<u64>, summaries: VecDeque<Summary> },
}

impl Log {
    pub fn new(inputs: usize, with_squares: bool) -> Log {
        Log {
            first: 0,
            times: VecDeque::new(),
            inputs,
            with_squares,
            dropped: false,
            entries: Entries::Exact(VecDeque::new()),
        }
    }

    pub fn first(&self) -> u64 {
        self.first
    }

    /// The sequence number that the next event in order will get.
    pub fn end(&self) -> u64 {
        self.first + self.times.len() as u64
    }

    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether entries may hold several events.
    pub fn is_merged(&self) -> bool {
        matches!(self.entries, Entries::Merged { .. })
    }

    fn place(&self, sequence: u64) -> usize {
        (sequence - self.first) as usize
    }

    /// The time of the newest event in the entry.
    pub fn time(&self, sequence: u64) -> i64 {
        self.times[self.place(sequence)]
    }

    /// The first entry later than `time`.
    pub fn first_after(&self, time: i64) -> u64 {
        self.first + self.times.partition_point(|&other| other <= time) as u64
    }

    pub fn events(&self, sequence: u64) -> u64 {
        match &self.entries {
            Entries::Exact(_) => 1,
            Entries::Merged { events, .. } => events[self.place(sequence)],
        }
    }

    pub fn summary(&self, sequence: u64, input: usize) -> Summary {
        let at = self.place(sequence) * self.inputs + input;
        match &self.entries {
            Entries::Exact(values) => Summary::of(values[at], self.with_squares),
            Entries::Merged { summaries, .. } => summaries[at],
        }
    }

    /// Adds an event after all that are not later than it; returns its sequence number.
    pub fn insert(&mut self, time: i64, values: &[f64]) -> u64 {
        debug_assert_eq!(values.len(), self.inputs);
        let in_order = self.times.back().is_none_or(|&last| last <= time);
        let place = if in_order { self.times.len() } else { self.times.partition_point(|&other| other <= time) };
        self.times.insert(place, time);
        match &mut self.entries {
            Entries::Exact(stored) if in_order => stored.extend(values),
            Entries::Exact(stored) => insert_all(stored, place * self.inputs, values.iter().copied()),
            Entries::Merged { events, summaries } => {
                events.insert(place, 1);
                insert_all(
                    summaries,
                    place * self.inputs,
                    values.iter().map(|&value| Summary::of(value, self.with_squares)),
                );
            }
        }
        self.first + place as u64
    }

    /// Puts `new` where an event of exactly `time` has `old` (NaN for null); returns the entry's sequence number, none if
    /// no event has it. A merged entry can take a value that was null, but cannot give one up.
    pub fn amend(&mut self, time: i64, input: usize, old: f64, new: f64) -> Option<u64> {
        let mut place = self.times.partition_point(|&other| other < time);
        if let Entries::Exact(values) = &mut self.entries {
            while self.times.get(place) == Some(&time) {
                let slot = &mut values[place * self.inputs + input];
                if *slot == old || (slot.is_nan() && old.is_nan()) {
                    *slot = new;
                    return Some(self.first + place as u64);
                }
                place += 1;
            }
            return None;
        }
        // Of what has left the log nothing can change; an entry holds events up to its time.
        if place == 0 && self.dropped {
            return None;
        }
        let Entries::Merged { summaries, .. } = &mut self.entries else { return None };
        let slot = summaries.get_mut(place * self.inputs + input).filter(|_| old.is_nan())?;
        *slot = slot.and(Summary::of(new, self.with_squares));
        Some(self.first + place as u64)
    }

    pub fn drop_front(&mut self) {
        self.dropped = true;
        self.first += 1;
        self.times.pop_front();
        match &mut self.entries {
            Entries::Exact(values) => drop(values.drain(..self.inputs)),
            Entries::Merged { events, summaries } => {
                events.pop_front();
                summaries.drain(..self.inputs);
            }
        }
    }

    /// Merges neighbours until an entry holds up to 4 / `entries_max` of all events, never across one of
    /// `borders` (sequence numbers, any order), which are renumbered in place. O(length).
    pub fn merge(&mut self, entries_max: usize, borders: &mut [&mut u64]) {
        let total: u64 = (self.first..self.end()).map(|sequence| self.events(sequence)).sum();
        let share = (4 * total).div_ceil(entries_max as u64).max(2);
        let mut merged = Log::new(self.inputs, self.with_squares);
        (merged.first, merged.dropped) = (self.first, self.dropped);
        let (mut times, mut events, mut summaries) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        let mut renumbered: Vec<Option<u64>> = vec![None; borders.len()];
        for sequence in self.first..self.end() {
            let mut starts = times.is_empty() || events.back().is_some_and(|held| held + self.events(sequence) > share);
            for (border, slot) in borders.iter().zip(&mut renumbered) {
                if **border == sequence {
                    starts = true;
                    *slot = Some(self.first + times.len() as u64);
                }
            }
            if starts {
                times.push_back(self.time(sequence));
                events.push_back(self.events(sequence));
                summaries.extend((0..self.inputs).map(|input| self.summary(sequence, input)));
            } else {
                let last = times.len() - 1;
                times[last] = self.time(sequence);
                events[last] += self.events(sequence);
                for input in 0..self.inputs {
                    let slot = &mut summaries[last * self.inputs + input];
                    *slot = slot.and(self.summary(sequence, input));
                }
            }
        }
        let end = self.first + times.len() as u64;
        for (border, place) in borders.iter_mut().zip(renumbered) {
            **border = place.unwrap_or(end);
        }
        merged.times = times;
        merged.entries = Entries::Merged { events, summaries };
        *self = merged;
    }
}

fn insert_all<T>(stored: &mut VecDeque<T>, at: usize, values: impl Iterator<Item = T>) {
    for (offset, value) in values.enumerate() {
        stored.insert(at + offset, value);
    }
}
