//! `septet grade`: is this domain fit for production? Each line runs what it grades, on a copy where it could do harm, and
//! says what it rests on. A line that cannot be run has failed.
#![deny(clippy::unwrap_used)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod pipeline;
mod sabotage;
mod sandbox;
mod schema;
mod secrets;
mod service;

pub use sabotage::Sabotage;

use sandbox::Sandbox;
use septet_platform::monitor::{MonitorOptions, Rehearsed};
use septet_platform::{CHAMPION, Progress};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;

/// Lowest score of each letter. Source: the usual scale of schools in the United States.
const LETTERS: [(&str, f64); 13] = [
    ("A+", 97.0),
    ("A", 93.0),
    ("A-", 90.0),
    ("B+", 87.0),
    ("B", 83.0),
    ("B-", 80.0),
    ("C+", 77.0),
    ("C", 73.0),
    ("C-", 70.0),
    ("D+", 67.0),
    ("D", 63.0),
    ("D-", 60.0),
    ("F", 0.0),
];

/// One thing that was run.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub name: &'static str,
    pub what: &'static str,
    pub points: f64,
    pub points_max: f64,
    pub evidence: String,
    /// The command that shows it again.
    pub repeat: String,
    pub seconds: f64,
}

/// A domain's grade.
#[derive(Clone, Debug, Serialize)]
pub struct Grade {
    pub domain: String,
    pub version: Option<String>,
    pub score: f64,
    pub letter: &'static str,
    pub lines: Vec<Line>,
}

/// What is graded.
pub struct Subject {
    /// The domain, its home and store, and how its past is watched: `rehearsal` leaves room for troubles that are put in.
    pub monitor: MonitorOptions,
    /// The program that is run in the sandbox.
    pub program: PathBuf,
    pub threads: usize,
}

/// Whether a thing held, and what was seen.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub passed: bool,
    pub words: String,
}

impl Evidence {
    pub fn new(passed: bool, words: String) -> Evidence {
        Evidence { passed, words }
    }
}

/// Every line: what it says, and its points, 100 together.
const ALL: [(&str, &str, f64); 17] = [
    ("contract", "a spoiled sample: each broken row is in quarantine with its reason, and the books balance", 8.0),
    ("idempotence", "the same rows twice, and a step twice: equal to the byte", 8.0),
    ("champion", "every gate of the champion is on record as passed", 5.0),
    ("beats_baselines", "the champion beats each baseline beyond the interval", 10.0),
    ("parity", "batch features equal online features", 10.0),
    ("no_look_ahead", "cutting the data leaves earlier features unchanged, and no input tells the label alone", 10.0),
    ("calibration", "calibration, size and decision of the champion, again", 4.0),
    ("api", "every documented address answers as documented", 8.0),
    ("problems", "bad requests get problems with pointers, none a 5xx", 4.0),
    ("latency", "answers within the domain's time, and model times within its gates", 5.0),
    ("monitoring_quiet", "undisturbed windows page nobody", 4.0),
    ("monitoring_drift", "a shifted input is found", 4.0),
    ("monitoring_gap", "lost rows are found", 3.0),
    ("monitoring_labels", "a shift of the labels is found", 3.0),
    ("recovery", "killed under load: every answer given is in the log once, and repeats are equal", 8.0),
    ("secrets", "no secret in the domain's files or the service's log, no personal value in the log", 3.0),
    ("documentation", "columns and features have meanings, papers are those of the champion", 3.0),
];

/// The names of all lines.
pub fn line_names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, ..)| *name)
}

/// The lowest score of a letter; none if there is no such letter.
pub fn score_of(letter: &str) -> Option<f64> {
    LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, score)| *score)
}

/// Grades one domain.
pub async fn grade(subject: &Subject, sabotage: &Sabotage, progress: &dyn Progress) -> anyhow::Result<Grade> {
    let name = subject.monitor.domain.name();
    progress.begin(&format!("{name}: grading"), Some(ALL.len() as u64), "lines");
    let version = subject.monitor.store.alias(name, CHAMPION).await?.map(|alias| alias.version);
    let mut sheet = Sheet { progress, lines: Vec::new() };
    match Sandbox::build(subject, sabotage.clone()).await {
        Ok(sandbox) => fill(&mut sheet, subject, &sandbox).await,
        Err(error) => {
            for (name, what, points) in ALL {
                sheet.put(name, what, points, Err(anyhow::anyhow!("{error:#}")), "septet run", Instant::now());
            }
        }
    }
    progress.end();
    let lines = sheet.lines;
    let (points, all) = lines.iter().fold((0.0, 0.0), |(sum, all), line| (sum + line.points, all + line.points_max));
    let score = if all > 0.0 { 100.0 * points / all } else { 0.0 };
    let letter = LETTERS.iter().find(|(_, floor)| score >= *floor).map_or("F", |(letter, _)| *letter);
    Ok(Grade { domain: name.to_owned(), version, score, letter, lines })
}

/// Collects lines, with a bar.
struct Sheet<'a> {
    progress: &'a dyn Progress,
    lines: Vec<Line>,
}

impl Sheet<'_> {
    /// An error is evidence of a failure.
    fn put(
        &mut self,
        name: &'static str,
        what: &'static str,
        points: f64,
        found: anyhow::Result<Evidence>,
        repeat: &str,
        start: Instant,
    ) {
        let (passed, evidence) = match found {
            Ok(Evidence { passed, words }) => (passed, words),
            Err(error) => (false, format!("could not be run: {error:#}")),
        };
        let line = Line {
            name,
            what,
            points: if passed { points } else { 0.0 },
            points_max: points,
            evidence,
            repeat: repeat.to_owned(),
            seconds: start.elapsed().as_secs_f64(),
        };
        self.lines.push(line);
        self.progress.done(self.lines.len() as u64);
    }
}

/// A line's name, what was found, the command that shows it again, and when it began.
type Found = (&'static str, anyhow::Result<Evidence>, String, Instant);

async fn fill(sheet: &mut Sheet<'_>, subject: &Subject, sandbox: &Sandbox) {
    let mut found = pipeline_lines(sandbox).await;
    let (gates, times) = gate_lines(sandbox).await;
    found.extend(gates);
    found.extend(service_lines(sandbox, times).await);
    found.extend(monitoring_lines(subject, sandbox).await);
    let start = Instant::now();
    let current = septet_platform::papers_are_current(&sandbox.run(), &sandbox.version).await;
    let documented = current.map_err(anyhow::Error::from).and_then(|current| sandbox.documented(current));
    found.push(("documentation", documented, format!("septet check {}", sandbox.domain.name()), start));
    for (name, evidence, repeat, start) in found {
        if let Some((name, what, points)) = ALL.iter().find(|(known, ..)| *known == name) {
            sheet.put(name, what, *points, evidence, &repeat, start);
        }
    }
}

async fn pipeline_lines(sandbox: &Sandbox) -> Vec<Found> {
    let start = Instant::now();
    let spoiled = sandbox.spoiled().await;
    let again = Instant::now();
    vec![
        ("contract", spoiled, sandbox.repeat("extract"), start),
        ("idempotence", sandbox.twice().await, sandbox.repeat("extract and transform"), again),
    ]
}

/// The gates on record, and asked again; and those of time, which the service's own times join.
async fn gate_lines(sandbox: &Sandbox) -> (Vec<Found>, anyhow::Result<Evidence>) {
    let (start, name) = (Instant::now(), sandbox.domain.name());
    let again = septet_platform::gates_again(&sandbox.run(), &sandbox.version, sandbox.sabotage.gates()).await;
    let gate = |wanted: &[&str]| -> anyhow::Result<Evidence> {
        let gates = again.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        let is =
            |gate: &str| wanted.iter().any(|name| gate == *name || (name.ends_with('_') && gate.starts_with(name)));
        let own: Vec<_> = gates.iter().filter(|gate| is(&gate.name)).collect();
        let evidence =
            own.iter().map(|gate| format!("{}: {}", gate.name, gate.evidence)).collect::<Vec<_>>().join("; ");
        Ok(Evidence::new(!own.is_empty() && own.iter().all(|gate| gate.passed), evidence))
    };
    let command = format!("septet grade {name}");
    let found = vec![
        ("champion", recorded(sandbox).await, format!("septet models {name}"), start),
        ("beats_baselines", gate(&["beats_"]), command.clone(), start),
        ("parity", gate(&["batch_equals_online"]), command.clone(), start),
        ("no_look_ahead", gate(&["no_look_ahead", "no_leak"]), command.clone(), start),
        ("calibration", gate(&["calibration", "model_size", "decides", "budget"]), command, start),
    ];
    (found, gate(&["prediction_time", "explanation_time"]))
}

async fn recorded(sandbox: &Sandbox) -> anyhow::Result<Evidence> {
    let record = sandbox.store().version(sandbox.domain.name(), &sandbox.version).await?;
    let gates = record.map(|record| record.gates).unwrap_or_default();
    let failed: Vec<&str> = gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
    let words = if failed.is_empty() { "none".to_owned() } else { failed.join(", ") };
    Ok(Evidence::new(
        !gates.is_empty() && failed.is_empty(),
        format!("{} gates on record, failed: {words}", gates.len()),
    ))
}

async fn service_lines(sandbox: &Sandbox, times: anyhow::Result<Evidence>) -> Vec<Found> {
    let (start, name) = (Instant::now(), sandbox.domain.name());
    let served = sandbox.serve_and_ask().await;
    let of = |pick: fn(&service::Served) -> &Evidence| -> anyhow::Result<Evidence> {
        served.as_ref().map(|served| pick(served).clone()).map_err(|error| anyhow::anyhow!("{error:#}"))
    };
    let latency = of(|served| &served.latency).and_then(|answers| {
        let times = times?;
        Ok(Evidence::new(answers.passed && times.passed, format!("{}; {}", answers.words, times.words)))
    });
    let command = format!("septet serve {name}");
    vec![
        ("api", of(|served| &served.api), command.clone(), start),
        ("problems", of(|served| &served.problems), command.clone(), start),
        ("latency", latency, command.clone(), start),
        ("recovery", of(|served| &served.recovery), command, start),
        ("secrets", of(|served| &served.secrets), format!("septet grade {name}"), start),
    ]
}

/// Lines of the monitoring, each with the trouble that it is about.
const TROUBLES: [(&str, &str); 4] = [
    ("monitoring_quiet", "quiet"),
    ("monitoring_drift", "drift"),
    ("monitoring_gap", "gap"),
    ("monitoring_labels", "label_shift"),
];

async fn monitoring_lines(subject: &Subject, sandbox: &Sandbox) -> Vec<Found> {
    let start = Instant::now();
    let spoiled: Vec<&str> =
        TROUBLES.iter().filter(|(line, _)| sandbox.sabotage.hits(line)).map(|(_, kind)| *kind).collect();
    let rehearsed = rehearse(subject, &spoiled).await;
    let one = |wanted: &str| -> anyhow::Result<Evidence> {
        let all = rehearsed.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
        let one = all.iter().find(|one| one.name == wanted);
        Ok(one.map_or_else(
            || Evidence::new(false, "was not rehearsed".to_owned()),
            |one| Evidence::new(one.passed, one.evidence.clone()),
        ))
    };
    let labelled = sandbox.domain.spec.question_key().is_none();
    let command = format!("septet monitor {}", sandbox.domain.name());
    let lines = TROUBLES.into_iter().filter(|(_, kind)| labelled || *kind != "label_shift");
    lines.map(|(line, kind)| (line, one(kind), command.clone(), start)).collect()
}

/// Puts troubles into what was observed and sees whether they are found.
async fn rehearse(subject: &Subject, spoiled: &[&str]) -> anyhow::Result<Vec<Rehearsed>> {
    let gathered = septet_platform::monitor::gather(&subject.monitor, &septet_platform::NoProgress).await?;
    Ok(septet_platform::monitor::rehearse(&gathered, spoiled).await?)
}
