//! The machine and the process: looked at every few seconds, an alert when a level is passed several times in a row.

use crate::monitor::Finding;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use sysinfo::{Disks, ProcessRefreshKind, ProcessesToUpdate, System};

/// Samples beyond a level before it is an alert, and quiet ones before it is over: a minute of quarter minutes.
const SAMPLES: u32 = 4;

/// One look at the machine.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sample {
    /// Of one processor; two busy threads are 2.
    pub cpu_cores: f64,
    pub memory_bytes: u64,
    /// Of the machine's memory.
    pub memory_share: f64,
    /// Of the disk that holds the home folder.
    pub disk_free_bytes: u64,
    pub disk_free_share: f64,
    pub open_files: u64,
    pub open_files_share: f64,
    /// The fullest queue of all domains, as a share of its capacity.
    pub queue_share: f64,
    /// How late the runtime wakes a sleeper, milliseconds.
    pub loop_lag_ms: f64,
    /// The latest commit of a decision log, milliseconds.
    pub log_commit_ms: f64,
}

/// A number, its level, and which side of it is bad.
struct Level {
    name: &'static str,
    title: &'static str,
    level: f64,
    /// Bad above; else below.
    above: bool,
    value: fn(&Sample) -> f64,
}

/// Conventions of operations, not measurements: each leaves time to act.
const LEVELS: [Level; 6] = [
    Level {
        name: "memory",
        title: "share of the machine's memory that this process holds",
        level: 0.8,
        above: true,
        value: |s| s.memory_share,
    },
    Level {
        name: "disk",
        title: "free share of the disk that holds the home folder",
        level: 0.05,
        above: false,
        value: |s| s.disk_free_share,
    },
    Level {
        name: "open_files",
        title: "open files as a share of the limit",
        level: 0.8,
        above: true,
        value: |s| s.open_files_share,
    },
    Level {
        name: "queue",
        title: "fullest queue as a share of its capacity",
        level: 0.8,
        above: true,
        value: |s| s.queue_share,
    },
    Level {
        name: "loop_lag",
        title: "lag of the event loop in milliseconds",
        level: 250.0,
        above: true,
        value: |s| s.loop_lag_ms,
    },
    Level {
        name: "log_commit",
        title: "latest commit of a decision log in milliseconds",
        level: 1_000.0,
        above: true,
        value: |s| s.log_commit_ms,
    },
];

/// Follows the samples.
pub struct SystemWatch {
    home: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    system: Option<System>,
    newest: Sample,
    /// By level: samples beyond it in a row, and since when.
    beyond: BTreeMap<&'static str, (u32, String)>,
}

impl SystemWatch {
    pub fn new(home: &Path) -> SystemWatch {
        let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
        let state = State { system: System::new().ok(), ..State::default() };
        SystemWatch { home, state: Mutex::new(state) }
    }

    /// Looks at the machine; the rest is what the process knows of itself.
    pub fn sample(&self, queue_share: f64, loop_lag_ms: f64, log_commit_ms: f64) -> Sample {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sample = Sample { queue_share, loop_lag_ms, log_commit_ms, ..Sample::default() };
        if let (Some(system), Ok(own)) = (state.system.as_mut(), sysinfo::get_current_pid()) {
            let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, what);
            system.refresh_memory();
            if let Some(process) = system.process(own) {
                sample.cpu_cores = f64::from(process.cpu_usage()) / 100.0;
                sample.memory_bytes = process.memory();
                sample.memory_share = process.memory() as f64 / system.total_memory().max(1) as f64;
            }
        }
        if let Ok(disks) = Disks::new_with_refreshed_list() {
            let own = disks.iter().filter(|disk| self.home.starts_with(disk.mount_point()));
            if let Some(disk) = own.max_by_key(|disk| disk.mount_point().as_os_str().len()) {
                sample.disk_free_bytes = disk.available_space();
                sample.disk_free_share = disk.available_space() as f64 / disk.total_space().max(1) as f64;
            }
        }
        let (open, limit) = open_files();
        sample.open_files = open;
        sample.open_files_share = open as f64 / limit.max(1) as f64;
        let now = crate::monitor::time_text(crate::registry::clock::now_micros());
        for level in &LEVELS {
            let value = (level.value)(&sample);
            let bad = if level.above { value > level.level } else { value < level.level };
            let (count, since) = state.beyond.entry(level.name).or_insert((0, now.clone()));
            match (bad, *count) {
                (true, 0) => (*count, *since) = (1, now.clone()),
                (true, _) => *count = (*count + 1).min(2 * SAMPLES),
                // An alert is over after as many quiet samples as it took to open.
                (false, _) => *count = count.saturating_sub(1),
            }
        }
        state.newest = sample.clone();
        sample
    }

    pub fn newest(&self) -> Sample {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).newest.clone()
    }

    /// Levels as they stand.
    pub fn levels(&self) -> serde_json::Value {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let level = |level: &Level| {
            let side = if level.above { "above" } else { "below" };
            let count = state.beyond.get(level.name).map_or(0, |(count, _)| *count);
            serde_json::json!({
                "name": level.name, "title": level.title, side: level.level, "value": (level.value)(&state.newest),
                "alarm": count >= SAMPLES,
            })
        };
        LEVELS.iter().map(level).collect()
    }

    /// What is beyond its level now.
    pub fn findings(&self) -> Vec<Finding> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = crate::monitor::time_text(crate::registry::clock::now_micros());
        let finding = |level: &Level| {
            let (count, since) = state.beyond.get(level.name)?;
            let value = (level.value)(&state.newest);
            (*count >= SAMPLES).then(|| Finding {
                watch: level.name.to_owned(),
                title: level.title.to_owned(),
                severity: "page",
                owner: "operations".to_owned(),
                since: since.clone(),
                found: since.clone(),
                last: now.clone(),
                active: true,
                sentence: format!("{} is {}, level {}", level.title, crate::report::figure(value), level.level),
                evidence: Vec::new(),
                causes: Vec::new(),
                examples: Vec::new(),
            })
        };
        LEVELS.iter().filter_map(finding).collect()
    }

    pub fn names() -> HashSet<String> {
        LEVELS.iter().map(|level| level.name.to_owned()).collect()
    }
}

/// Open files of this process and how many it may have; zeros where the system does not tell (other than Linux).
fn open_files() -> (u64, u64) {
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let limit = line.and_then(|line| line.split_whitespace().next()).and_then(|word| word.parse().ok());
    (open, limit.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_an_alert_after_a_minute_and_over_after_another() {
        let watch = SystemWatch::new(Path::new("."));
        for sample in 0..6 {
            watch.sample(0.9, 0.0, 0.0);
            assert_eq!(watch.findings().iter().any(|f| f.watch == "queue"), sample >= 3);
        }
        for _ in 0..3 {
            watch.sample(0.1, 0.0, 0.0);
        }
        assert!(!watch.findings().iter().any(|f| f.watch == "queue"));
        let newest = watch.newest();
        assert!(newest.memory_bytes > 1_000_000 && newest.open_files > 2 && newest.disk_free_share > 0.0, "{newest:?}");
    }
}
