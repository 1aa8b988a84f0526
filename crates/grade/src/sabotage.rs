//! What `--sabotage` breaks: the copy that a line grades, never how it is measured.

use anyhow::Context;
use septet_domain::Domains;
use septet_platform::{GateRecord, GatesSpoiled, Home};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A stopped service stands still for so long, and then runs for as long.
const STANDSTILL: Duration = Duration::from_millis(80);

/// A line whose thing is broken on purpose, `all` of them, or none.
#[derive(Clone, Debug, Default)]
pub struct Sabotage(pub Option<String>);

impl Sabotage {
    pub fn hits(&self, line: &str) -> bool {
        self.0.as_deref().is_some_and(|wanted| wanted == line || wanted == "all")
    }

    /// The champion's folder and the domain's, before anything reads them.
    pub fn break_copies(&self, version: &Path, domain: &Path) -> anyhow::Result<()> {
        if self.hits("beats_baselines") || self.hits("calibration") {
            self.break_manifest(&version.join("manifest.json"))?;
        }
        if self.hits("documentation") {
            replace(&version.join("card.md"), b"all is well")?;
        }
        if self.hits("problems") {
            let asks_for_less = ask_for_less(domain)?;
            replace(&version.join("domain/domain.toml"), asks_for_less.as_bytes())?;
        }
        Ok(())
    }

    /// A champion that is no better than its baselines, and one whose probabilities nobody knows how far they are off.
    fn break_manifest(&self, path: &Path) -> anyhow::Result<()> {
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        if self.hits("beats_baselines") {
            let advantages = manifest["advantage"].as_object_mut().into_iter().flatten();
            advantages.for_each(|(_, advantage)| *advantage = json!([-0.1, 0.1]));
        }
        if self.hits("calibration") {
            let metrics = manifest["metrics"].as_object_mut();
            metrics.and_then(|metrics| metrics.get_mut("calibration_error")).into_iter().for_each(|metric| {
                metric["value"] = json!(2.0);
            });
        }
        replace(path, &serde_json::to_vec_pretty(&manifest)?)
    }

    /// A champion with a gate on record that it failed.
    pub fn break_record(&self, gates: &mut [GateRecord]) {
        if let Some(gate) = gates.first_mut().filter(|_| self.hits("champion")) {
            gate.passed = false;
        }
    }

    /// A layout that drops what is broken before the contract sees it.
    pub fn break_layout(&self, layout: &Path, key: &str) -> anyhow::Result<()> {
        if self.hits("contract") {
            let text = std::fs::read_to_string(layout)?;
            std::fs::write(layout, format!("{text} WHERE CAST(\"{key}\" AS VARCHAR) NOT LIKE 'spoiled%'"))?;
        }
        Ok(())
    }

    pub fn gates(&self) -> GatesSpoiled {
        GatesSpoiled { parity: self.hits("parity"), look_ahead: self.hits("no_look_ahead") }
    }

    /// What says which run's tables are published is damaged while the returned value lives.
    pub fn break_pointer(&self, home: &Home, domain: &str) -> anyhow::Result<Option<Damaged>> {
        if !self.hits("api") {
            return Ok(None);
        }
        let path = home.published_file(domain);
        let bytes = std::fs::read(&path)?;
        std::fs::write(&path, b"{")?;
        Ok(Some(Damaged { path, bytes }))
    }

    /// The process stands still every other moment while the returned value lives.
    pub fn slow_down(&self, process: u32) -> Option<Slowed> {
        if !self.hits("latency") {
            return None;
        }
        let ended = Arc::new(AtomicBool::new(false));
        let seen = ended.clone();
        let worker = std::thread::spawn(move || {
            let signal = |name: &str| drop(Command::new("kill").args([name, &process.to_string()]).status());
            while !seen.load(Ordering::Relaxed) {
                signal("-STOP");
                std::thread::sleep(STANDSTILL);
                signal("-CONT");
                std::thread::sleep(STANDSTILL);
            }
        });
        Some(Slowed { ended, worker: Some(worker) })
    }

    pub fn tell_a_secret(&self, log: &Path) -> anyhow::Result<()> {
        if self.hits("secrets") {
            writeln!(File::options().append(true).open(log)?, "password = not-to-be-seen")?;
        }
        Ok(())
    }
}

/// Puts the file back when it is dropped.
pub struct Damaged {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Drop for Damaged {
    fn drop(&mut self) {
        let _ = std::fs::write(&self.path, &self.bytes);
    }
}

/// Lets the process run again when it is dropped.
pub struct Slowed {
    ended: Arc<AtomicBool>,
    worker: Option<JoinHandle<()>>,
}

impl Drop for Slowed {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.worker.take().map(JoinHandle::join);
    }
}

/// Takes `required` from every column that may do without it: bad requests are answered. Returns what `domain.toml` is then.
fn ask_for_less(domain: &Path) -> anyhow::Result<String> {
    let (path, name) = (domain.join("domain.toml"), domain.file_name().unwrap_or_default().to_string_lossy());
    let mut lines: Vec<String> = std::fs::read_to_string(&path)?.lines().map(str::to_owned).collect();
    for at in 0..lines.len() {
        let before = lines[at].clone();
        lines[at] = before.replace("required = true", "required = false");
        std::fs::write(&path, lines.join("\n"))?;
        let loads = || Domains::find(domain.parent()).is_ok_and(|domains| domains.load(&name).is_ok());
        if lines[at] != before && !loads() {
            lines[at] = before;
        }
    }
    std::fs::write(&path, lines.join("\n"))?;
    Ok(lines.join("\n"))
}

/// Copies share their bytes with the original by a second name: a changed one is a new file.
fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).with_context(|| path.display().to_string())
}
