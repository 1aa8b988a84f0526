//! What a monitoring run found, as JSON for programs and as a page for people.

use super::*;

/// What was found, as JSON for programs and as a page for people.
#[derive(Clone, Debug, Serialize)]
pub struct MonitoringReport {
    pub domain: String,
    pub title: String,
    pub version: String,
    pub run_id: String,
    pub simulated: bool,
    pub as_of: String,
    /// Length of a window, as the domain writes it.
    pub window: String,
    #[serde(skip)]
    pub grid: Grid,
    /// What numbers are compared with.
    pub reference: Span,
    /// What drift is compared with: the past that the champion was chosen and judged on.
    pub learned: Span,
    pub watched: Span,
    /// Start of the windows whose labels are not known yet.
    pub immature_from: String,
    pub budget: Budget,
    pub ingest: Ingest,
    pub drift: DriftReport,
    pub watches: Vec<WatchReport>,
    pub performance: Vec<MetricSeen>,
    pub panels: Vec<Panel>,
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub notes: Vec<String>,
}

impl MonitoringReport {
    /// As programs read it: every window by the time at which it begins.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        let mut told = serde_json::to_value(self)?;
        let at = |number: i64| self.grid.text(number).into();
        dated(&mut told, &at);
        for (watch, told) in self.watches.iter().zip(told["watches"].as_array_mut().into_iter().flatten()) {
            let past =
                watch.past.iter().map(|(window, value)| serde_json::json!({ "window": at(*window), "value": value }));
            told["past"] = past.collect();
            told["peak"] = watch.peak.map_or(serde_json::Value::Null, at);
        }
        Ok(told)
    }
}

/// Puts times in the place of the numbers of windows.
fn dated(told: &mut serde_json::Value, at: &dyn Fn(i64) -> serde_json::Value) {
    match told {
        serde_json::Value::Array(all) => all.iter_mut().for_each(|one| dated(one, at)),
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_i64().filter(|_| name == "window") {
                    Some(number) => *value = at(number),
                    None => dated(value, at),
                }
            }
        }
        _ => {}
    }
}

/// How often an alarm may be false, and what that makes of each watched number.
#[derive(Clone, Debug, Serialize)]
pub struct Budget {
    pub false_pages: f64,
    pub per: String,
    /// Numbers that share it.
    pub watches: usize,
    /// Windows from one false alarm to the next that each of them is set for.
    pub run_length: f64,
}

/// What the published run's extract counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Ingest {
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    /// Left out by the layout's WHERE.
    pub filtered: u64,
    /// Column, reason, rows.
    pub reasons: Vec<(String, String, u64)>,
}

#[derive(Clone, Debug, Serialize)]
pub struct DriftReport {
    /// `learned` or `evidently`.
    pub lines: &'static str,
    pub columns: Vec<ColumnSeen>,
    /// Windows judged together, because single ones have too few rows; else 1.
    pub together: u32,
    /// Why they are.
    pub note: Option<String>,
    /// Names of those that drift in the newest window.
    pub drifting: Vec<String>,
}

/// One watched number.
#[derive(Clone, Debug, Serialize)]
pub struct WatchReport {
    pub name: String,
    pub title: String,
    pub owner: String,
    /// `page` or `notice`.
    pub severity: &'static str,
    /// `level` or `band`.
    pub kind: &'static str,
    pub newest: Option<f64>,
    pub alarm: bool,
    /// What each window's `sum` is: `deviations` (a cumulative sum of standard deviations) or `windows` (beyond the level in
    /// a row).
    pub statistic: &'static str,
    /// The window of the newest finding in which the number was farthest from what was usual.
    pub peak: Option<i64>,
    /// Windows of the reference, then those watched.
    pub past: Vec<(i64, f64)>,
    pub judged: Vec<Judged>,
    pub unable: Option<String>,
}

/// What a domain shows beside its watches: one SELECT of `monitor/NAME.sql`, as a table.
#[derive(Clone, Debug, Serialize)]
pub struct Panel {
    pub name: String,
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

/// An alarm from its first sign to its last, with what is known of its cause.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub watch: String,
    pub title: String,
    pub severity: &'static str,
    pub owner: String,
    pub since: String,
    pub found: String,
    pub last: String,
    pub active: bool,
    pub sentence: String,
    pub evidence: Vec<String>,
    /// Segments that changed most in that time.
    pub causes: Vec<String>,
    /// What the watch shows of that time, in the words of the data.
    pub examples: Vec<String>,
}
