//! Prometheus metrics: names and base units by convention, buckets from 100 us, because that is where answers lie.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use septet_platform::monitor::SystemWatch;
use septet_platform::serve::Condition;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Seconds.
const BUCKETS: [f64; 16] =
    [0.0001, 0.0002, 0.0003, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Starts counting; once a process.
pub fn install() -> Result<(), BuildError> {
    if HANDLE.get().is_some() {
        return Ok(());
    }
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?;
    let handle = builder.install_recorder()?;
    describe();
    let _ = HANDLE.set(handle);
    Ok(())
}

fn describe() {
    use metrics::{describe_counter as count, describe_gauge as show, describe_histogram as time};
    time!("septet_http_request_duration_seconds", "Time from the request's head to the reply's head");
    count!("septet_predictions_total", "Events answered, by action");
    count!("septet_rows_refused_total", "Rows that broke the contract");
    count!("septet_outcomes_total", "Truths told, by what became of them");
    show!("septet_queue_waiting", "Requests that wait for the engine");
    show!("septet_queue_capacity", "Requests that may wait for the engine");
    show!("septet_window_entities", "Entities with live windows");
    show!("septet_newest_event_timestamp_seconds", "Time of the newest event answered");
    show!("septet_ready", "1 if the domain answers");
    show!("process_resident_memory_bytes", "Resident memory");
    show!("process_cpu_usage_ratio", "Processor time of this process by wall time; 1 is one core");
    show!("process_open_fds", "Open files");
    show!("septet_event_loop_lag_seconds", "How late the runtime wakes a sleeper");
    show!("septet_log_commit_seconds", "The latest commit of a decision log");
    show!("septet_watch_value", "A watched number in the newest window looked at");
    show!("septet_watch_alarm", "1 while a watched number is an alarm");
    show!("septet_drifting_columns", "Columns that drift in the newest window looked at");
    show!("septet_findings_active", "Findings of the newest look that go on");
    show!("septet_home_disk_free_bytes", "Free space where the home folder lies");
    show!("septet_build_info", "1, with the program's version");
}

/// Keeps histograms from growing between two scrapes.
pub fn upkeep() {
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}

pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// The text without samples of other domains, and without the headings that then stand over nothing.
pub fn of_domain(text: &str, domain: &str) -> String {
    let own = format!("domain=\"{domain}\"");
    let (mut kept, mut heading) = (String::with_capacity(text.len()), String::new());
    for line in text.lines() {
        if line.is_empty() {
            continue;
        }
        if line.starts_with("# HELP") {
            heading.clear();
        }
        if line.starts_with('#') {
            heading.push_str(&format!("{line}\n"));
        } else if !line.contains("domain=\"") || line.contains(&own) {
            kept.push_str(&std::mem::take(&mut heading));
            kept.push_str(&format!("{line}\n"));
        }
    }
    kept
}

/// Ready-made handles: naming a metric costs more than counting it.
pub struct DomainMetrics {
    domain: String,
    requests: Mutex<BTreeMap<(&'static str, u16), Histogram>>,
    actions: Mutex<BTreeMap<String, Counter>>,
    pub refused: Counter,
    waiting: Gauge,
    capacity: Gauge,
    entities: Gauge,
    newest_event: Gauge,
    ready: Gauge,
}

impl DomainMetrics {
    pub fn new(domain: &str) -> DomainMetrics {
        let named = |name: &'static str| gauge!(name, "domain" => domain.to_owned());
        DomainMetrics {
            domain: domain.to_owned(),
            requests: Mutex::default(),
            actions: Mutex::default(),
            refused: counter!("septet_rows_refused_total", "domain" => domain.to_owned()),
            waiting: named("septet_queue_waiting"),
            capacity: named("septet_queue_capacity"),
            entities: named("septet_window_entities"),
            newest_event: named("septet_newest_event_timestamp_seconds"),
            ready: named("septet_ready"),
        }
    }

    /// `route` is the address's pattern, never what was asked for.
    pub fn request(&self, route: &'static str, status: u16, took: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let labels = [("domain", self.domain.clone()), ("route", route.to_owned()), ("status", status.to_string())];
            histogram!("septet_http_request_duration_seconds", &labels)
        };
        requests.entry((route, status)).or_insert_with(made).record(took.as_secs_f64());
    }

    pub fn answered(&self, action: Option<&str>) {
        let action = action.unwrap_or("none");
        let mut actions = self.actions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counter) = actions.get(action) {
            return counter.increment(1);
        }
        let labels = [("domain", self.domain.clone()), ("action", action.to_owned())];
        let counter = counter!("septet_predictions_total", &labels);
        counter.increment(1);
        actions.insert(action.to_owned(), counter);
    }

    pub fn told(&self, state: &'static str) {
        counter!("septet_outcomes_total", "domain" => self.domain.clone(), "state" => state).increment(1);
    }

    pub fn show(&self, condition: &Condition) {
        self.waiting.set(condition.waiting as f64);
        self.capacity.set(condition.queue_max as f64);
        self.entities.set(condition.entities as f64);
        self.newest_event.set(condition.newest_event as f64 / 1e6);
        self.ready.set(f64::from(u8::from(condition.ready)));
    }

    /// The watched numbers of the newest look.
    pub fn show_look(&self, look: Option<&Value>) {
        let Some(look) = look else { return };
        let named = |name: &'static str, watch: &str| gauge!(name, "domain" => self.domain.clone(), "watch" => watch.to_owned());
        for watch in look["watches"].as_array().into_iter().flatten() {
            let name = watch["name"].as_str().unwrap_or_default();
            if let Some(newest) = watch["newest"].as_f64() {
                named("septet_watch_value", name).set(newest);
            }
            named("septet_watch_alarm", name).set(f64::from(u8::from(watch["alarm"] == true)));
        }
        let drifting = look["drift"]["drifting"].as_array().map_or(0, Vec::len);
        gauge!("septet_drifting_columns", "domain" => self.domain.clone()).set(drifting as f64);
        let open = look["findings"].as_array().map_or(0, |all| all.iter().filter(|one| one["active"] == true).count());
        gauge!("septet_findings_active", "domain" => self.domain.clone()).set(open as f64);
    }
}

/// The machine, as it was sampled last.
pub fn show_machine(system: &SystemWatch) {
    let sample = system.newest();
    gauge!("process_resident_memory_bytes").set(sample.memory_bytes as f64);
    gauge!("process_cpu_usage_ratio").set(sample.cpu_cores);
    gauge!("process_open_fds").set(sample.open_files as f64);
    gauge!("septet_home_disk_free_bytes").set(sample.disk_free_bytes as f64);
    gauge!("septet_event_loop_lag_seconds").set(sample.loop_lag_ms / 1e3);
    gauge!("septet_log_commit_seconds").set(sample.log_commit_ms / 1e3);
    gauge!("septet_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_tells_of_its_own_domain_and_of_the_process() {
        let text = "# HELP a all\n# TYPE a gauge\na{domain=\"fraud\"} 1\na{domain=\"shop\"} 2\n\n# HELP b one\n# TYPE b \
                    gauge\nb{domain=\"shop\"} 3\n\n# HELP c process\n# TYPE c gauge\nc 4\n";
        let own = of_domain(text, "fraud");
        assert!(
            own.contains("# TYPE a gauge\na{domain=\"fraud\"} 1\n") && own.contains("# TYPE c gauge\nc 4\n"),
            "{own}"
        );
        assert!(!own.contains("shop") && !own.contains("# HELP b"), "{own}");
    }
}
