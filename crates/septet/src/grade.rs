//! `septet grade`: is this domain fit for production? Each line runs what it grades, in a home of its own where it could
//! do harm, and says what it rests on. A line that cannot be run has failed.

use crate::bars::Bars;
use crate::commands::{Workshop, domains_of};
use crate::rehearsed::{Evidence, Sabotage, Stage};
use crate::settings::Settings;
use crate::show;
use anyhow::bail;
use septet_platform::{CHAMPION, GatesSpoiled, Progress, RunOptions};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
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

/// What is wanted of a validation.
pub struct GradeRequest {
    pub domain: Option<String>,
    pub min_grade: Option<String>,
    pub sabotage: Option<String>,
    pub out: PathBuf,
}

pub async fn grade(settings: &Settings, request: &GradeRequest, json: bool) -> anyhow::Result<ExitCode> {
    let sabotage = Sabotage(request.sabotage.clone());
    if let Some(line) =
        request.sabotage.as_deref().filter(|line| *line != "all" && ALL.iter().all(|(name, ..)| name != line))
    {
        let known: Vec<&str> = ALL.iter().map(|(name, ..)| *name).collect();
        bail!("`{line}` is no line; expected all, or one of {}", known.join(", "));
    }
    let floor = match request.min_grade.as_deref() {
        None => 0.0,
        Some(letter) => match LETTERS.iter().find(|(known, _)| *known == letter) {
            Some((_, score)) => *score,
            None => bail!("`{letter}` is no grade; expected one of A+, A, A-, B+ ... D-, F"),
        },
    };
    let names = match &request.domain {
        Some(name) => vec![name.clone()],
        None => domains_of(settings)?.names(),
    };
    let mut grades = Vec::new();
    for name in names {
        let grade = grade_one(settings, &name, &sabotage, json).await?;
        if !json {
            show_grade(&grade);
        }
        grades.push(grade);
    }
    let document =
        json!({ "made_at": septet_platform::instant_text(septet_platform::now_micros()), "domains": grades });
    std::fs::write(&request.out, serde_json::to_vec_pretty(&document)?)?;
    if json {
        println!("{document}");
    } else {
        println!("\nWritten: {}", request.out.display());
    }
    let enough = grades.iter().all(|grade| grade.score >= floor);
    Ok(if enough { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Collects lines, with a bar.
struct Sheet<'a> {
    bars: &'a Bars,
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
        self.bars.done(self.lines.len() as u64);
    }
}

async fn grade_one(settings: &Settings, name: &str, sabotage: &Sabotage, quiet: bool) -> anyhow::Result<Grade> {
    let workshop = Workshop::open(settings, name).await?;
    let bars = Bars::new(quiet);
    bars.begin(&format!("{name}: validating"), Some(17), "lines");
    let version = workshop.store().alias(name, CHAMPION).await?.map(|alias| alias.version);
    let mut sheet = Sheet { bars: &bars, lines: Vec::new() };
    let stage = Stage::build(settings, &workshop, sabotage.clone()).await;
    if let Err(error) = &stage {
        for (name, what, points) in ALL {
            sheet.put(name, what, points, Err(anyhow::anyhow!("{error:#}")), "septet run", Instant::now());
        }
    }
    if let (Ok(stage), Some(version)) = (stage, &version) {
        fill(&mut sheet, settings, &workshop, &stage, version).await;
    }
    bars.end();
    let lines = sheet.lines;
    let (points, all) = lines.iter().fold((0.0, 0.0), |(sum, all), line| (sum + line.points, all + line.points_max));
    let score = if all > 0.0 { 100.0 * points / all } else { 0.0 };
    let letter = LETTERS.iter().find(|(_, floor)| score >= *floor).map_or("F", |(letter, _)| *letter);
    Ok(Grade { domain: name.to_owned(), version, score, letter, lines })
}

/// Every line: what it says, and its points, 100 together.
const ALL: [(&str, &str, f64); 17] = [
    ("contract", "a spoiled sample: each broken row is in quarantine with its reason, and the books balance", 8.0),
    ("idempotence", "the same rows twice, and a step twice: equal to the byte", 8.0),
    ("champion", "every gate of the champion is on record as passed", 5.0),
    ("beats_baselines", "the champion beats each baseline beyond the interval", 10.0),
    ("parity", "batch features equal online features", 10.0),
    ("no_look_ahead", "cutting the data leaves earlier features unchanged", 10.0),
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

async fn fill(sheet: &mut Sheet<'_>, settings: &Settings, workshop: &Workshop, stage: &Stage, version: &str) {
    let name = workshop.domain().name().to_owned();
    let mut results: Vec<(&str, anyhow::Result<Evidence>, String, Instant)> = Vec::new();
    let start = Instant::now();
    results.push(("contract", stage.spoiled().await, stage.repeat("extract"), start));
    let start = Instant::now();
    results.push(("idempotence", stage.twice().await, stage.repeat("extract and transform"), start));
    let start = Instant::now();
    let command = format!("septet grade {name}");
    let bars = Bars::new(true);
    let run = workshop.run(RunOptions::default(), stage.run_id.clone(), &bars);
    let spoil = GatesSpoiled {
        baselines: stage.sabotage.hits("beats_baselines"),
        parity: stage.sabotage.hits("parity"),
        look_ahead: stage.sabotage.hits("no_look_ahead"),
        calibration: stage.sabotage.hits("calibration"),
    };
    let again = septet_platform::gates_again(&run, version, spoil).await;
    let recorded = workshop.store().version(&name, version).await;
    results.push((
        "champion",
        recorded.map_err(Into::into).map(|record| {
            let mut gates = record.map(|record| record.gates).unwrap_or_default();
            if let Some(gate) = gates.first_mut().filter(|_| stage.sabotage.hits("champion")) {
                gate.passed = false;
            }
            let failed: Vec<&str> = gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
            Evidence::new(
                !gates.is_empty() && failed.is_empty(),
                format!("{} gates on record, failed: {}", gates.len(), words(&failed)),
            )
        }),
        format!("septet models {name}"),
        start,
    ));
    let gate = |wanted: &[&str]| -> anyhow::Result<Evidence> {
        let gates = again.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        let own: Vec<_> = gates
            .iter()
            .filter(|gate| {
                wanted.iter().any(|name| gate.name == *name || (name.ends_with('_') && gate.name.starts_with(name)))
            })
            .collect();
        let evidence =
            own.iter().map(|gate| format!("{}: {}", gate.name, gate.evidence)).collect::<Vec<_>>().join("; ");
        Ok(Evidence::new(!own.is_empty() && own.iter().all(|gate| gate.passed), evidence))
    };
    results.push(("beats_baselines", gate(&["beats_"]), command.clone(), start));
    results.push(("parity", gate(&["batch_equals_online"]), command.clone(), start));
    results.push(("no_look_ahead", gate(&["no_look_ahead"]), command.clone(), start));
    results.push(("calibration", gate(&["calibration", "model_size", "decides", "budget"]), command.clone(), start));
    let start = Instant::now();
    let served = stage.serve_and_ask(settings).await;
    let of = |pick: fn(&crate::rehearsed::Served) -> &Evidence| -> anyhow::Result<Evidence> {
        served.as_ref().map(|served| pick(served).clone()).map_err(|error| anyhow::anyhow!("{error:#}"))
    };
    results.push(("api", of(|served| &served.api), format!("septet serve {name}"), start));
    results.push(("problems", of(|served| &served.problems), format!("septet serve {name}"), start));
    let times = gate(&["prediction_time", "explanation_time"]);
    let latency = of(|served| &served.latency).and_then(|answers| {
        let times = times?;
        Ok(Evidence::new(answers.passed && times.passed, format!("{}; {}", answers.words, times.words)))
    });
    results.push(("latency", latency, format!("septet serve {name}"), start));
    let rehearsal_start = Instant::now();
    let kinds = [
        ("monitoring_quiet", "quiet"),
        ("monitoring_drift", "drift"),
        ("monitoring_gap", "gap"),
        ("monitoring_labels", "label_shift"),
    ];
    let spoiled: Vec<&'static str> =
        kinds.iter().filter(|(line, _)| stage.sabotage.hits(line)).map(|(_, kind)| *kind).collect();
    let rehearsed = workshop.rehearse(settings, &spoiled).await;
    let monitoring = |wanted: &str| -> anyhow::Result<Evidence> {
        let all = rehearsed.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
        let one = all.iter().find(|one| one.name == wanted);
        Ok(one.map_or_else(
            || Evidence::new(false, "was not rehearsed".to_owned()),
            |one| Evidence::new(one.passed, one.evidence.clone()),
        ))
    };
    let labelled = workshop.domain().spec.question_key().is_none();
    for (line, kind) in kinds.into_iter().filter(|(_, kind)| labelled || *kind != "label_shift") {
        results.push((line, monitoring(kind), format!("septet monitor {name}"), rehearsal_start));
    }
    results.push(("recovery", of(|served| &served.recovery), format!("septet serve {name}"), start));
    results.push(("secrets", of(|served| &served.secrets), command.clone(), start));
    let start = Instant::now();
    let papers = septet_platform::papers_are_current(&run, version).await.map_err(anyhow::Error::from);
    let papers = papers.map(|current| current && !stage.sabotage.hits("documentation"));
    results.push((
        "documentation",
        papers.map(|current| stage.documented(workshop.domain(), current)),
        format!("septet check {name}"),
        start,
    ));
    for (name, found, repeat, start) in results {
        if let Some((name, what, points)) = ALL.iter().find(|(known, ..)| *known == name) {
            sheet.put(name, what, *points, found, &repeat, start);
        }
    }
}

fn words(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn show_grade(grade: &Grade) {
    let mut table = show::table(&["line", "points", "what was run", "evidence"]);
    for line in &grade.lines {
        let points = format!("{:.0} of {:.0}", line.points, line.points_max);
        table.add_row(vec![line.name.to_owned(), points, line.what.to_owned(), line.evidence.clone()]);
    }
    println!("\n{table}\n{}: {:.0} of 100, {}", grade.domain, grade.score, grade.letter);
}
