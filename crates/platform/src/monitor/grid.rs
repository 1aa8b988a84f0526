//! Event time cut into windows of equal length: which of them are the reference, which are watched, which are too young
//! for their labels.

use crate::split::DAY;
use septet_domain::{Domain, Monitor};
use serde::Serialize;
use std::ops::Range;

/// Data that ends at 23:59 is a whole day of data: a window counts as whole when no more than this share of it is missing.
const MISSING_SHARE_MAX: i64 = 20;

/// Windows by their number since 1970.
#[derive(Clone, Debug)]
pub struct Grid {
    /// Microseconds.
    pub window: i64,
    /// What is taken for usual when numbers are watched.
    pub reference: Range<i64>,
    /// What the champion was chosen and judged on: what drift is measured against.
    pub learned: Range<i64>,
    /// Windows looked at, whole ones only.
    pub watched: Range<i64>,
    /// How long after its event a label is known, microseconds.
    known_after: i64,
    pub as_of: i64,
}

/// A stretch of windows, for people.
#[derive(Clone, Debug, Serialize)]
pub struct Span {
    pub from: String,
    /// Exclusive.
    pub until: String,
    pub windows: usize,
    pub rows: u64,
}

impl Grid {
    /// `learned_until`: end of what the champion was judged on. `since`: how far back a look goes, if not as the domain says.
    pub fn new(domain: &Domain, learned_until: i64, as_of: i64, since: Option<i64>) -> Grid {
        let monitor: &Monitor = &domain.spec.monitor;
        let window = monitor.window.micros().max(1);
        let number = |micros: i64| micros.div_euclid(window);
        let length = (monitor.reference.micros() / window).max(1);
        let learned_end = number(learned_until + window / MISSING_SHARE_MAX);
        let watched_end = number(as_of + window / MISSING_SHARE_MAX);
        let back = (monitor.watched.micros() / window).max(1);
        let watched_start = since.map_or(watched_end - back, number).min(watched_end);
        let start = learned_end.min(watched_start);
        Grid {
            window,
            reference: start - length..start,
            learned: learned_end - length..learned_end,
            watched: start..watched_end,
            known_after: domain.spec.known_after().micros(),
            as_of,
        }
    }

    /// The first moment that matters.
    pub fn from(&self) -> i64 {
        self.reference.start.min(self.learned.start) * self.window
    }

    /// The end of the last whole window.
    pub fn until(&self) -> i64 {
        self.watched.end.max(self.learned.end) * self.window
    }

    pub fn number(&self, time: i64) -> i64 {
        time.div_euclid(self.window)
    }

    pub fn start_of(&self, time: i64) -> i64 {
        self.number(time) * self.window
    }

    /// Windows from which labels are not known yet.
    pub fn immature_from(&self) -> i64 {
        (self.as_of + self.window / MISSING_SHARE_MAX - self.known_after).div_euclid(self.window)
    }

    /// Whether the label of an event of this time is known by now; a window is mature as a whole or not at all.
    pub fn is_mature(&self, time: i64) -> bool {
        self.number(time) < self.immature_from()
    }

    /// The place in the week: the hour of the week for windows of an hour, the weekday for days; 0 for windows that no week is
    /// made of.
    pub fn slot(&self, number: i64) -> usize {
        number.rem_euclid(self.slots() as i64) as usize
    }

    pub fn slots(&self) -> usize {
        let week = 7 * DAY;
        if self.window >= DAY / 24 && week % self.window == 0 { (week / self.window) as usize } else { 1 }
    }

    /// When a window begins: the day where windows are whole days, else RFC 3339 without fractions.
    pub fn text(&self, number: i64) -> String {
        let text = time_text(number.saturating_mul(self.window));
        match text.split_once('T') {
            Some((day, _)) if self.window % DAY == 0 => day.to_owned(),
            _ => text,
        }
    }
}

pub fn time_text(micros: i64) -> String {
    let time = chrono::DateTime::from_timestamp_micros(micros).unwrap_or_default();
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
