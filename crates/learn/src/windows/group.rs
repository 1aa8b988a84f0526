//! What is asked of windows: aggregates, lengths, delays.

/// Microseconds in a second: event times are microseconds since 1970-01-01 UTC.
pub const MICROS_PER_SECOND: f64 = 1e6;

/// Log entries of one entity before neighbours are merged: 1 MB of times and values for one input.
/// Merged entries hold at most 4 / `ENTRIES_MAX` of the entity's events each, which bounds the error
/// of every count at a window's edge; sums, minima and maxima inside the window stay exact.
pub const ENTRIES_MAX: usize = 65_536;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Events, or with an input those whose input is not null.
    Count,
    Sum,
    Avg,
    Min,
    Max,
    /// Sample standard deviation (n - 1); null below two values.
    Stddev,
    /// Different values; exact up to [`ENTRIES_MAX`], where it saturates by forgetting the oldest.
    Distinct,
    Last,
    /// Seconds since the latest earlier event, or with an input since the latest whose input is true
    /// (neither null nor 0). Null if there is none in the window.
    TimeSince,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowColumn {
    pub aggregate: Aggregate,
    /// Index into an event's values; none for `count()` and `time_since()`.
    pub input: Option<usize>,
}

/// Windows that share an entity, a delay and the log of events behind them.
#[derive(Clone, Debug)]
pub struct WindowGroup {
    /// Lengths in microseconds, each above 0.
    pub over: Vec<i64>,
    /// Microseconds, 0 or more: how late the inputs are known.
    pub delay: i64,
    /// How far behind the newest event a question may be and still be answered in full, in microseconds.
    pub lateness: i64,
    /// Values that each event brings.
    pub inputs: usize,
    pub columns: Vec<WindowColumn>,
    /// See [`ENTRIES_MAX`]; at least 64.
    pub entries_max: usize,
}

impl WindowGroup {
    /// Numbers that one event is answered with: for each column, one per length.
    pub fn outputs(&self) -> usize {
        self.columns.len() * self.over.len()
    }

    /// How far back from now an event can still matter, in microseconds.
    pub fn horizon(&self) -> i64 {
        self.longest() + self.delay + self.lateness
    }

    pub(super) fn longest(&self) -> i64 {
        self.over.iter().copied().max().unwrap_or(0)
    }

    /// Whether any column asks `aggregate` of `input`.
    pub(super) fn asks(&self, input: usize, aggregate: Aggregate) -> bool {
        self.columns.iter().any(|column| column.input == Some(input) && column.aggregate == aggregate)
    }

    pub(super) fn with_squares(&self) -> bool {
        self.columns.iter().any(|column| column.aggregate == Aggregate::Stddev)
    }

    /// Inputs whose minimum (false) or maximum (true) some column asks for.
    pub(super) fn extremes(&self) -> impl Iterator<Item = (usize, bool)> {
        let asked = |input| {
            [(Aggregate::Min, false), (Aggregate::Max, true)].map(|(aggregate, largest)| (input, aggregate, largest))
        };
        let all = (0..self.inputs).flat_map(asked);
        all.filter(|&(input, aggregate, _)| self.asks(input, aggregate)).map(|(input, _, largest)| (input, largest))
    }
}
