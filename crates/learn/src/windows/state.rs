//! The live state of one entity: its log, and for each window where it begins and what is in it.

use super::group::{Aggregate, MICROS_PER_SECOND, WindowColumn, WindowGroup};
use super::log::Log;
use super::running::{Extreme, Running, Summary};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// Everything known of one entity for one [`WindowGroup`]. Amortised O(lengths x inputs) an event in
/// order; an event out of order costs O(log length).
#[derive(Clone, Debug)]
pub struct EntityState {
    log: Log,
    /// The newest time asked about or seen.
    clock: i64,
    /// First entry that is not yet known, for `delay` has not passed.
    admitted: u64,
    spans: Vec<Span>,
    /// Time of the latest known event, and what is known of each input.
    latest: Option<i64>,
    inputs: Vec<Recent>,
}

/// What is inside one length of window.
#[derive(Clone, Debug)]
struct Span {
    head: u64,
    events: u64,
    running: Vec<Running>,
    /// Those that some column asks for.
    extremes: Vec<AskedExtreme>,
}

#[derive(Clone, Debug)]
struct AskedExtreme {
    input: usize,
    largest: bool,
    extreme: Extreme,
}

#[derive(Clone, Debug, Default)]
struct Recent {
    /// Time and value of the latest that is not null.
    last: Option<(i64, f64)>,
    /// Time of the latest that is true.
    truth: Option<i64>,
    words: Option<Box<Words>>,
}

/// Which values were seen when: what `distinct` counts.
#[derive(Clone, Debug, Default)]
struct Words {
    /// (time, value) in order of time; stale where the value was seen again later.
    seen: VecDeque<(i64, u64)>,
    last: FxHashMap<u64, i64>,
    /// One for each length.
    inside: Vec<Inside>,
}

#[derive(Clone, Debug)]
struct Inside {
    /// The first entry of `seen` inside, counted from the front.
    head: usize,
    values: u64,
    /// The window begins after this time.
    from: i64,
}

impl EntityState {
    pub fn new(group: &WindowGroup) -> EntityState {
        let recent = |input| {
            let words = group.asks(input, Aggregate::Distinct).then(|| Box::new(Words::new(group.over.len())));
            Recent { words, ..Recent::default() }
        };
        EntityState {
            log: Log::new(group.inputs, group.with_squares()),
            clock: i64::MIN,
            admitted: 0,
            spans: vec![Span::new(group); group.over.len()],
            latest: None,
            inputs: (0..group.inputs).map(recent).collect(),
        }
    }

    /// The newest time asked about or seen.
    pub fn clock(&self) -> i64 {
        self.clock
    }

    /// Entries held, for limits and gauges.
    pub fn entries(&self) -> usize {
        self.log.len()
    }

    /// Remembers the event and answers for it: `out[column * lengths + length]`, NaN for null.
    /// `values` is one per input, NaN for null. Times are microseconds.
    pub fn answer(&mut self, group: &WindowGroup, time: i64, values: &[f64], out: &mut [f64]) {
        if time < self.clock {
            return self.answer_late(group, time, values, out);
        }
        self.advance(group, time);
        self.write_past(group, time, out);
        self.insert(group, time, values);
        self.write_sums(group, out);
        self.limit(group);
    }

    /// Remembers the event as [`EntityState::answer`] does, and answers nothing.
    pub fn remember(&mut self, group: &WindowGroup, time: i64, values: &[f64]) {
        if time < self.clock {
            self.insert_late(group, time, values);
        } else {
            self.advance(group, time);
            self.insert(group, time, values);
        }
        self.limit(group);
    }

    /// Answers as of `time` from what is remembered, and remembers nothing: what an event that is there already would be
    /// told now. Equal times count as passed. O(log length).
    pub fn ask(&self, group: &WindowGroup, time: i64, out: &mut [f64]) {
        // The event itself is there, and is not its own past; of others at its very time nothing is said either.
        let past = if group.delay == 0 { time - 1 } else { time - group.delay };
        self.scan(group, time, past, out, true);
        self.scan(group, time, time - group.delay, out, false);
    }

    /// Puts `new` where an event of exactly `time` brought `old` for an input (NaN for null), such as a label that became
    /// known. False if there is no such event: it is too old to matter, or was changed before.
    pub fn amend(&mut self, group: &WindowGroup, time: i64, input: usize, old: f64, new: f64) -> bool {
        let Some(sequence) = self.log.amend(time, input, old, new) else { return false };
        // What is not yet known will be counted when its time comes.
        if sequence < self.admitted {
            self.rebuild(group);
        }
        true
    }

    fn insert(&mut self, group: &WindowGroup, time: i64, values: &[f64]) {
        self.log.insert(time, values);
        if group.delay == 0 {
            // The event itself is known at once.
            self.advance(group, time);
        }
    }

    fn limit(&mut self, group: &WindowGroup) {
        if self.log.len() > group.entries_max {
            self.merge(group);
        }
    }

    /// Moves the clock: lets in what is now known, lets go of what is too old.
    fn advance(&mut self, group: &WindowGroup, time: i64) {
        self.clock = time;
        let known_until = time - group.delay;
        while self.admitted < self.log.end() && self.log.time(self.admitted) <= known_until {
            self.admit(group, self.admitted);
            self.admitted += 1;
        }
        for (span, over) in self.spans.iter_mut().zip(&group.over) {
            while span.head < self.admitted && self.log.time(span.head) <= known_until - over {
                span.events -= self.log.events(span.head);
                for (input, running) in span.running.iter_mut().enumerate() {
                    running.remove(&self.log.summary(span.head, input));
                }
                span.head += 1;
            }
            for asked in &mut span.extremes {
                asked.extreme.forget_before(span.head);
            }
        }
        for words in self.inputs.iter_mut().filter_map(|input| input.words.as_mut()) {
            words.advance(known_until, &group.over, group.entries_max);
        }
        self.forget(known_until - group.longest() - group.lateness);
    }

    fn forget(&mut self, until: i64) {
        let oldest_needed = self.spans.iter().map(|span| span.head).min().unwrap_or(self.admitted);
        while self.log.first() < oldest_needed && self.log.time(self.log.first()) <= until {
            self.log.drop_front();
        }
    }

    fn admit(&mut self, group: &WindowGroup, sequence: u64) {
        let (time, events) = (self.log.time(sequence), self.log.events(sequence));
        self.latest = self.latest.max(Some(time));
        for span in &mut self.spans {
            span.events += events;
        }
        for input in 0..group.inputs {
            let summary = self.log.summary(sequence, input);
            for span in &mut self.spans {
                span.running[input].add(&summary);
                span.add_extremes(input, sequence, &summary);
            }
            self.inputs[input].note(time, &summary);
        }
    }

    fn rebuild_extremes(&mut self) {
        for span in &mut self.spans {
            for asked in &mut span.extremes {
                asked.extreme.clear();
                for sequence in span.head..self.admitted {
                    asked.add(sequence, &self.log.summary(sequence, asked.input));
                }
            }
        }
    }

    fn merge(&mut self, group: &WindowGroup) {
        let mut borders: Vec<&mut u64> = self.spans.iter_mut().map(|span| &mut span.head).collect();
        borders.push(&mut self.admitted);
        self.log.merge(group.entries_max, &mut borders);
        self.rebuild_extremes();
    }

    /// `last` and `time_since`, before the event itself is remembered.
    fn write_past(&self, group: &WindowGroup, time: i64, out: &mut [f64]) {
        let lengths = group.over.len();
        for (at, column) in group.columns.iter().enumerate() {
            if !matches!(column.aggregate, Aggregate::Last | Aggregate::TimeSince) {
                continue;
            }
            for (length, over) in group.over.iter().enumerate() {
                if let Some(value) = past_of(column, time, time - group.delay - over, self.latest, &self.inputs) {
                    out[at * lengths + length] = value;
                }
            }
        }
    }

    fn write_sums(&self, group: &WindowGroup, out: &mut [f64]) {
        let lengths = group.over.len();
        for (at, column) in group.columns.iter().enumerate() {
            for (length, span) in self.spans.iter().enumerate() {
                let words = column.input.and_then(|input| self.inputs[input].words.as_ref());
                let value = match (column.aggregate, words) {
                    (Aggregate::Distinct, Some(words)) => Some(words.inside[length].values as f64),
                    _ => span.sum_of(column),
                };
                if let Some(value) = value {
                    out[at * lengths + length] = value;
                }
            }
        }
    }

    /// An event from before the clock: answered from the log as of its own time, then put in its place.
    fn answer_late(&mut self, group: &WindowGroup, time: i64, values: &[f64], out: &mut [f64]) {
        self.scan(group, time, time - group.delay, out, true);
        self.insert_late(group, time, values);
        self.scan(group, time, time - group.delay, out, false);
        self.limit(group);
    }

    /// What is not yet known will be counted when its time comes.
    fn insert_late(&mut self, group: &WindowGroup, time: i64, values: &[f64]) {
        if self.log.insert(time, values) < self.admitted {
            self.rebuild(group);
        }
    }

    /// Answers for `time` from the log alone, of what lies up to `known`: the past (`last`, `time_since`) or the sums.
    fn scan(&self, group: &WindowGroup, time: i64, known: i64, out: &mut [f64], past: bool) {
        let lengths = group.over.len();
        for (length, over) in group.over.iter().enumerate() {
            let mut span = Span::new(group);
            let mut recents = vec![Recent::default(); group.inputs];
            let (mut latest, mut words) = (None, vec![FxHashSet::default(); group.inputs]);
            let from = time - group.delay - over;
            for sequence in self.log.first_after(from)..self.log.first_after(known).max(self.log.first_after(from)) {
                let then = self.log.time(sequence);
                latest = Some(then);
                span.events += self.log.events(sequence);
                for input in 0..group.inputs {
                    let summary = self.log.summary(sequence, input);
                    span.running[input].add(&summary);
                    span.add_extremes(input, sequence, &summary);
                    recents[input].note(then, &summary);
                    if summary.count > 0 {
                        words[input].insert(summary.last.to_bits());
                    }
                }
            }
            for (at, column) in group.columns.iter().enumerate() {
                let value = match (past, column.aggregate, column.input) {
                    (true, ..) => past_of(column, time, i64::MIN, latest, &recents),
                    (false, Aggregate::Distinct, Some(input)) => Some(words[input].len() as f64),
                    (false, ..) => span.sum_of(column),
                };
                if let Some(value) = value {
                    out[at * lengths + length] = value;
                }
            }
        }
    }

    /// Makes everything again from the log as of the clock. O(log length x lengths).
    fn rebuild(&mut self, group: &WindowGroup) {
        let known_until = self.clock - group.delay;
        let mut fresh = EntityState::new(group).inputs;
        if self.log.is_merged() {
            // Merged entries know only their latest word: what was counted before says more.
            fresh.iter_mut().zip(&mut self.inputs).for_each(|(new, old)| new.words = old.words.take());
        }
        (self.admitted, self.latest, self.inputs) = (self.log.first_after(known_until), None, fresh);
        for sequence in self.log.first()..self.admitted {
            let time = self.log.time(sequence);
            self.latest = self.latest.max(Some(time));
            for input in 0..group.inputs {
                self.inputs[input].note(time, &self.log.summary(sequence, input));
            }
        }
        for words in self.inputs.iter_mut().filter_map(|input| input.words.as_mut()) {
            words.advance(known_until, &group.over, group.entries_max);
        }
        for (span, over) in self.spans.iter_mut().zip(&group.over) {
            *span = Span::new(group);
            span.head = self.log.first_after(known_until - over).min(self.admitted);
            for sequence in span.head..self.admitted {
                span.events += self.log.events(sequence);
                for input in 0..group.inputs {
                    let summary = self.log.summary(sequence, input);
                    span.running[input].add(&summary);
                    span.add_extremes(input, sequence, &summary);
                }
            }
        }
    }
}

/// `last` and `time_since` of a column, of what is later than `from`; none for other aggregates.
fn past_of(column: &WindowColumn, time: i64, from: i64, latest: Option<i64>, inputs: &[Recent]) -> Option<f64> {
    let seconds_since = |then: Option<i64>| match then {
        Some(then) if then > from => (time - then) as f64 / MICROS_PER_SECOND,
        _ => f64::NAN,
    };
    match (column.aggregate, column.input) {
        (Aggregate::TimeSince, None) => Some(seconds_since(latest)),
        (Aggregate::TimeSince, Some(input)) => Some(seconds_since(inputs[input].truth)),
        (Aggregate::Last, Some(input)) => {
            Some(inputs[input].last.filter(|&(then, _)| then > from).map_or(f64::NAN, |(_, value)| value))
        }
        _ => None,
    }
}

impl Span {
    fn new(group: &WindowGroup) -> Span {
        Span {
            head: 0,
            events: 0,
            running: vec![Running::default(); group.inputs],
            extremes: group
                .extremes()
                .map(|(input, largest)| AskedExtreme { input, largest, extreme: Extreme::default() })
                .collect(),
        }
    }

    fn add_extremes(&mut self, input: usize, sequence: u64, entry: &Summary) {
        for asked in self.extremes.iter_mut().filter(|asked| asked.input == input) {
            asked.add(sequence, entry);
        }
    }

    fn extreme(&self, input: usize, largest: bool) -> f64 {
        let asked = self.extremes.iter().find(|asked| asked.input == input && asked.largest == largest);
        asked.map_or(f64::NAN, |asked| asked.extreme.value())
    }

    /// What the window's sums say; none for aggregates that are not sums.
    fn sum_of(&self, column: &WindowColumn) -> Option<f64> {
        let Some(input) = column.input else {
            return (column.aggregate == Aggregate::Count).then_some(self.events as f64);
        };
        Some(match column.aggregate {
            Aggregate::Count => self.running[input].count as f64,
            Aggregate::Sum => self.running[input].sum(),
            Aggregate::Avg => self.running[input].avg(),
            Aggregate::Stddev => self.running[input].stddev(),
            Aggregate::Min => self.extreme(input, false),
            Aggregate::Max => self.extreme(input, true),
            Aggregate::Distinct | Aggregate::Last | Aggregate::TimeSince => return None,
        })
    }
}

impl AskedExtreme {
    fn add(&mut self, sequence: u64, entry: &Summary) {
        if entry.count > 0 {
            let value = if self.largest { entry.max } else { entry.min };
            self.extreme.add(sequence, value, self.largest);
        }
    }
}

impl Recent {
    /// An event (or several, as one entry) became known.
    fn note(&mut self, time: i64, entry: &Summary) {
        if entry.count == 0 {
            return;
        }
        if self.last.is_none_or(|(before, _)| before <= time) {
            self.last = Some((time, entry.last));
        }
        if entry.sum.value() != 0.0 {
            self.truth = self.truth.max(Some(time));
        }
        if let Some(words) = &mut self.words {
            words.add(time, entry.last.to_bits());
        }
    }
}

impl Words {
    fn new(lengths: usize) -> Words {
        Words { inside: vec![Inside { head: 0, values: 0, from: i64::MIN }; lengths], ..Words::default() }
    }

    fn add(&mut self, time: i64, value: u64) {
        let before = self.last.get(&value).copied();
        if before >= Some(time) {
            return;
        }
        self.last.insert(value, time);
        let place = self.seen.partition_point(|&(other, _)| other <= time);
        self.seen.insert(place, (time, value));
        for inside in &mut self.inside {
            if time <= inside.from {
                inside.head += 1;
            } else if before.is_none_or(|before| before <= inside.from) {
                inside.values += 1;
            }
        }
    }

    fn advance(&mut self, known_until: i64, over: &[i64], values_max: usize) {
        for (inside, over) in self.inside.iter_mut().zip(over) {
            inside.from = inside.from.max(known_until - over);
            while let Some(&(time, value)) = self.seen.get(inside.head).filter(|seen| seen.0 <= inside.from) {
                // A value that was seen again later is still inside.
                inside.values -= u64::from(self.last.get(&value) == Some(&time));
                inside.head += 1;
            }
        }
        self.drop_front(values_max);
        if self.seen.len() > 2 * self.last.len() + 64 {
            let last = &self.last;
            self.seen.retain(|(time, value)| last.get(value) == Some(time));
            for inside in &mut self.inside {
                inside.head = self.seen.partition_point(|&(time, _)| time <= inside.from);
            }
        }
    }

    /// Drops what is in no window any more, and the oldest beyond `values_max`.
    fn drop_front(&mut self, values_max: usize) {
        while self.inside.iter().all(|inside| inside.head > 0) || self.last.len() > values_max {
            let Some((time, value)) = self.seen.pop_front() else { return };
            let newest = self.last.get(&value) == Some(&time);
            if newest {
                self.last.remove(&value);
            }
            for inside in &mut self.inside {
                if inside.head == 0 {
                    inside.values -= u64::from(newest);
                } else {
                    inside.head -= 1;
                }
            }
        }
    }
}
