//! What a person reads on the terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use septet_platform::monitor::files::FileDrift;
use septet_platform::monitor::{MonitoringReport, Verdict, findings_in_words};
use septet_platform::{AlertRecord, DeliveryRecord};
use septet_platform::{MetricValue, RunReport};
use std::collections::BTreeMap;

/// Columns of a table that is written to a file or a pipe.
const TEXT_WIDTH: u16 = 120;

pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    table
}

/// The same no wider than the terminal, for what holds sentences; where there is none, than a page of text.
fn fitted(header: &[&str]) -> Table {
    let mut table = table(header);
    if !table.is_tty() {
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        table.set_width(columns.unwrap_or(TEXT_WIDTH));
    }
    table
}

fn right(text: String) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// 1754155 as 1,754,155.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

pub fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

pub fn run_report(report: &RunReport) {
    let mut steps = table(&["step", "rows in", "rows out", "quarantined", "seconds", "peak MB"]);
    for step in &report.steps {
        let name = if step.resumed { format!("{} (earlier)", step.name) } else { step.name.clone() };
        steps.add_row(vec![
            Cell::new(name),
            right(thousands(step.rows_in)),
            right(thousands(step.rows_out)),
            right(thousands(step.quarantined)),
            right(format!("{:.2}", step.seconds)),
            right(format!("{:.0}", step.peak_mb)),
        ]);
    }
    println!("\nRun {} of {}\n{steps}", report.run_id, report.domain);
    println!("\nOn the test folds, mean over folds, beside the best baseline:\n{}", metrics(&report.metrics));
    beyond_contract(report);
    let mut gates = table(&["gate", "", "evidence"]);
    for gate in &report.gates {
        gates.add_row(vec![
            gate.name.clone(),
            if gate.passed { "ok" } else { "FAILED" }.to_owned(),
            gate.evidence.clone(),
        ]);
    }
    println!("\n{gates}");
    cases(report);
    let verdict = match report.promoted {
        true => "is the champion".to_owned(),
        false => {
            let failed: Vec<&str> =
                report.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
            format!("is kept but does not answer; failed: {}", failed.join(", "))
        }
    };
    if let Some(why) = &report.withheld {
        let (domain, run) = (&report.domain, &report.run_id);
        println!(
            "\nThe run's tables are not in force: {why}.\nTo read them: septet sql {domain} --run {run} \"SELECT ...\""
        );
    }
    println!("\nVersion {} {verdict}.\nReport: {}", report.version, report.report.display());
}

/// Nobody has looked at what the source brings beyond the contract: it is told what was made of it.
fn beyond_contract(report: &RunReport) {
    let Some(train) = report.steps.iter().find(|step| step.name == "train") else { return };
    let rows = |key: &str| {
        let words = |row: &serde_json::Value| -> Vec<String> {
            row.as_array().into_iter().flatten().map(|word| word.as_str().unwrap_or_default().to_owned()).collect()
        };
        train.detail[key].as_array().map(|rows| rows.iter().map(words).collect::<Vec<_>>()).unwrap_or_default()
    };
    let (taken, left_out) = (rows("beyond_contract"), rows("left_out"));
    if !taken.is_empty() {
        let mut inputs = table(&["taken as an input", "type", "alone, on the validation folds"]);
        inputs.add_rows(taken);
        println!("\nColumns of the source beyond the contract:\n{inputs}");
    }
    for row in left_out {
        println!("left out: {}", row.join(", "));
    }
}

fn cases(report: &RunReport) {
    let Some(health) = report.steps.last() else { return };
    for case in health.detail["cases"].as_array().into_iter().flatten() {
        let mark = if case[1] == true { "ok    " } else { "FAILED" };
        println!("case {mark} {}: {}", case[0].as_str().unwrap_or_default(), case[2].as_str().unwrap_or_default());
    }
}

/// Metrics with interval and the best baseline.
pub fn metrics(metrics: &BTreeMap<String, MetricValue>) -> Table {
    let mut table = table(&["metric", "value", "95 % interval", "baseline", ""]);
    for (name, metric) in metrics {
        let interval = match (metric.low, metric.high) {
            (Some(low), Some(high)) => format!("{low:.4} to {high:.4}"),
            _ => "-".to_owned(),
        };
        table.add_row(vec![
            Cell::new(name),
            right(number(Some(metric.value))),
            Cell::new(interval),
            right(number(metric.baseline)),
            Cell::new(metric.baseline_name.as_deref().unwrap_or("-")),
        ]);
    }
    table
}

/// A look: what was found, then each watched number, drift and performance.
pub fn look(look: &MonitoringReport) {
    let simulated = if look.simulated { " (simulated data)" } else { "" };
    println!(
        "\n{}{simulated}: version {}, {} rows from {} to {} in windows of {}",
        look.title,
        look.version,
        thousands(look.watched.rows),
        look.watched.from,
        look.watched.until,
        look.window
    );
    println!(
        "Reference: {} rows, {} to {}; labels are known until {}.\n",
        thousands(look.reference.rows),
        look.reference.from,
        look.reference.until,
        look.immature_from
    );
    let mut watches = fitted(&["watched", "newest", "usual", "sum, alarm", "", "owner"]);
    for watch in &look.watches {
        let judged = watch.judged.last();
        let usual = match judged.map(|judged| (judged.low, judged.high)) {
            Some((Some(low), Some(high))) => format!("{} to {}", number(Some(low)), number(Some(high))),
            Some((Some(low), None)) => format!("from {}", number(Some(low))),
            Some((None, Some(high))) => format!("up to {}", number(Some(high))),
            _ => watch.unable.clone().unwrap_or_else(|| "-".to_owned()),
        };
        // The statistic that makes the alarm beside its level: values within their limits can add up to one.
        let sum = judged.map(|judged| match judged.deviations {
            Some(_) => format!("{:.1}, above {:.1}", judged.sum, judged.sum_max),
            None => format!("{}, from {}", judged.sum, judged.sum_max),
        });
        let state = match (watch.alarm, &watch.unable) {
            (true, _) => "ALARM",
            (false, Some(_)) => "not judged",
            (false, None) => "ok",
        };
        watches.add_row(vec![
            Cell::new(&watch.title),
            right(number(watch.newest)),
            Cell::new(usual),
            Cell::new(sum.unwrap_or_else(|| "-".to_owned())),
            Cell::new(state),
            Cell::new(&watch.owner),
        ]);
    }
    println!("{watches}");
    let mut columns: Vec<_> = look.drift.columns.iter().filter_map(|c| Some((c, c.points.last()?))).collect();
    columns.sort_by(|a, b| a.1.p_value.unwrap_or(1.0).total_cmp(&b.1.p_value.unwrap_or(1.0)));
    if !columns.is_empty() {
        let mut drift = fitted(&["drift, newest window", "PSI", "Jensen-Shannon", "chance without drift", ""]);
        for (column, point) in columns.iter().take(8) {
            drift.add_row(vec![
                Cell::new(format!("{}{}", column.name, if column.compared_with == "same_slots" { " *" } else { "" })),
                right(number(point.psi)),
                right(number(point.jensen_shannon)),
                right(point.p_value.map_or_else(|| "-".to_owned(), chance)),
                Cell::new(verdict(point.verdict)),
            ]);
        }
        println!("\n{drift}");
        if look.drift.columns.iter().any(|column| column.compared_with == "same_slots") {
            println!("* differs from weekday to weekday: compared with the same weekdays of the reference.");
        }
        if let Some(note) = &look.drift.note {
            println!("Drift: {note}.");
        }
    }
    let mut performance =
        fitted(&["performance", "newest known", "95 % interval", "predicted for the newest", "when judged"]);
    for metric in &look.performance {
        let realised = metric.realised.last();
        let interval = realised.and_then(|one| Some(format!("{:.4} to {:.4}", one.low?, one.high?)));
        let promised = metric.estimated.last().map(|one| format!("{:.4} to {:.4}", one.low, one.high));
        performance.add_row(vec![
            Cell::new(&metric.name),
            right(number(realised.map(|one| one.value))),
            Cell::new(interval.unwrap_or_else(|| "-".to_owned())),
            Cell::new(promised.unwrap_or_else(|| "-".to_owned())),
            right(number(metric.when_judged)),
        ]);
    }
    if !look.performance.is_empty() {
        println!("\n{performance}");
    }
    for panel in &look.panels {
        let names: Vec<&str> = panel.columns.iter().map(String::as_str).collect();
        let mut shown = fitted(&names);
        for row in panel.rows.iter().take(10) {
            shown.add_row(row.iter().map(|cell| cell.clone().unwrap_or_default()));
        }
        println!("\n{}\n{shown}", panel.title);
    }
    for note in &look.notes {
        println!("\nNot looked at: {note}");
    }
    findings(look);
}

/// What was found, with evidence and causes.
pub fn findings(look: &MonitoringReport) {
    let active: Vec<_> = look.findings.iter().filter(|finding| finding.active).collect();
    println!("\n{}", findings_in_words(active.len(), look.findings.len() - active.len()));
    for finding in &look.findings {
        let state = if finding.active { "open" } else { "ended" };
        println!("\n[{}, {state}] {}", severity(finding.severity), finding.sentence);
        for line in finding.evidence.iter().chain(&finding.causes) {
            println!("  {line}");
        }
        for line in &finding.examples {
            println!("  \"{line}\"");
        }
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::TooFewRows => "too few rows",
        Verdict::Quiet => "quiet",
        Verdict::Suspicious => "suspicious",
        Verdict::Drifting => "DRIFT",
    }
}

/// A probability as people write it.
fn chance(p_value: f64) -> String {
    match p_value {
        p if p >= 0.0001 => format!("{p:.4}"),
        p => format!("{p:.0e}"),
    }
}

/// A page is a sheet of paper too: on the terminal it is an alert.
fn severity(word: &str) -> &str {
    if word == "page" { "alert" } else { word }
}

/// `resolved`: how many there are that are not shown.
pub fn alerts(alerts: &[AlertRecord], resolved: usize) {
    if alerts.is_empty() {
        match resolved {
            0 => println!("No alerts."),
            resolved => println!("No open alerts ({resolved} resolved: --all shows them)."),
        }
        return;
    }
    let mut shown = fitted(&["domain", "alert", "status", "since", "last", "what"]);
    for alert in alerts {
        shown.add_row(vec![
            alert.domain.clone(),
            alert.alert_id.clone(),
            match alert.changed_by.as_str() {
                "" => alert.status.clone(),
                by => format!("{} by {by}", alert.status),
            },
            alert.since.clone(),
            alert.last.clone(),
            alert.finding["sentence"].as_str().unwrap_or_default().to_owned(),
        ]);
    }
    println!("{shown}");
}

pub fn deliveries(deliveries: &[DeliveryRecord]) {
    let mut shown = fitted(&["domain", "alert", "event", "channel", "status", "attempts", "error"]);
    for delivery in deliveries {
        let DeliveryRecord { domain, alert_id, event, channel, status, attempts, error, .. } = delivery;
        shown.add_row([domain, alert_id, event, channel, status, &attempts.to_string(), error]);
    }
    println!("{shown}");
}

pub fn file_drift(found: &FileDrift) {
    let mut shown = fitted(&["column", "test", "score", "level", "", "why"]);
    for column in &found.columns {
        shown.add_row(vec![
            Cell::new(&column.name),
            Cell::new(column.method.unwrap_or("-")),
            right(number(column.score)),
            right(number(column.level)),
            Cell::new(if column.drifted { "DRIFT" } else { "ok" }),
            Cell::new(column.why.as_deref().unwrap_or_default()),
        ]);
    }
    println!("{shown}\n{}", drift_verdict(found));
}

fn drift_verdict(found: &FileDrift) -> String {
    let FileDrift { columns, columns_drifted, columns_not_compared, drifted, .. } = found;
    let counts = format!("{columns_drifted} of {} columns have drifted", columns.len());
    match (drifted, columns_not_compared) {
        (true, 0) => format!("{counts}: the data set has drifted"),
        (true, lost) => format!("{counts}, {lost} of them cannot be compared: the data set has drifted"),
        (false, 0) => format!("{counts}: the data set has not drifted"),
        // Half of the columns make a drifted data set; one that is not there any more makes none that has not.
        (false, lost) => format!("{counts}, {lost} of them cannot be compared: see why before you rely on the others"),
    }
}
