//! What was said of each window of a watched number, and the alarms that neighbouring windows make together.

use crate::monitor::series::Value;
use serde::Serialize;

/// A window as it was judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged {
    pub window: i64,
    pub value: f64,
    /// What would have been usual.
    pub low: Option<f64>,
    pub high: Option<f64>,
    /// What is new in it, in standard deviations, as the sum takes it; none where a level is watched.
    pub deviations: Option<f64>,
    /// What is held against `sum_max`: the chart's sum; windows in a row where a level is watched.
    pub sum: f64,
    /// An alarm begins when the sum is above it (where a level is watched: when it is reached).
    pub sum_max: f64,
    pub alarm: bool,
}

/// The statistic of a window and the level it is held against.
pub struct Statistic {
    pub deviations: Option<f64>,
    pub sum: f64,
    pub sum_max: f64,
}

/// An alarm from its first sign to its last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Episode {
    /// When the number began to move.
    pub since: i64,
    /// The window in which it became an alarm.
    pub found: i64,
    /// The last window of it.
    pub last: i64,
    /// It goes on in the newest window.
    pub active: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub judged: Vec<Judged>,
    pub episodes: Vec<Episode>,
    /// Why nothing could be judged.
    pub unable: Option<String>,
}

impl Watched {
    /// Takes away limits that no value can pass: a share below 0 or above 1 is not to be had.
    pub fn keep_reachable(&mut self, least: Option<f64>, most: Option<f64>) {
        for one in &mut self.judged {
            one.low = one.low.filter(|low| least.is_none_or(|least| *low > least));
            one.high = one.high.filter(|high| most.is_none_or(|most| *high < most));
        }
    }

    pub fn goes_on(&self) -> bool {
        self.episodes.last().is_some_and(|episode| episode.active)
    }

    pub fn push(&mut self, value: &Value, line: (Option<f64>, Option<f64>), statistic: Statistic, alarm: bool) {
        let (Value { window, value, .. }, (low, high), Statistic { deviations, sum, sum_max }) =
            (*value, line, statistic);
        let judged = Judged { window, value, low, high, deviations, sum, sum_max, alarm };
        self.judged.push(judged);
        // Going on: the same alarm. Anew: it began where the sum last was 0.
        match self.episodes.last_mut().filter(|episode| episode.active) {
            Some(episode) if alarm => episode.last = window,
            Some(episode) => episode.active = false,
            None if alarm => {
                let begun = self.judged.iter().rposition(|one| one.sum == 0.0).map_or(0, |at| at + 1);
                let since = self.judged.get(begun).map_or(window, |one| one.window);
                // Never within the alarm before: that one is over.
                let since = self.episodes.last().map_or(since, |before| since.max(before.last + 1));
                let episode = Episode { since, found: window, last: window, active: true };
                self.episodes.push(episode);
            }
            None => {}
        }
    }
}
