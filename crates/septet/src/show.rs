//! What a person reads on the terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets::UTF8_FULL_CONDENSED};
use septet_platform::{MetricValue, RunReport};
use std::collections::BTreeMap;

pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
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
    let mut gates = table(&["gate", "", "evidence"]);
    for gate in &report.gates {
        gates.add_row(vec![
            gate.name.clone(),
            if gate.passed { "ok" } else { "FAILED" }.to_owned(),
            gate.evidence.clone(),
        ]);
    }
    println!("\n{gates}");
    watches_and_cases(report);
    let verdict = match report.promoted {
        true => "is the champion".to_owned(),
        false => {
            let failed: Vec<&str> =
                report.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
            format!("is kept but does not answer; failed: {}", failed.join(", "))
        }
    };
    println!("\nVersion {} {verdict}.\nReport: {}", report.version, report.report.display());
}

fn watches_and_cases(report: &RunReport) {
    let Some(health) = report.steps.last() else { return };
    for case in health.detail["cases"].as_array().into_iter().flatten() {
        let mark = if case[1] == true { "ok    " } else { "FAILED" };
        println!("case {mark} {}: {}", case[0].as_str().unwrap_or_default(), case[2].as_str().unwrap_or_default());
    }
    for watch in health.detail["watches"].as_array().into_iter().flatten() {
        let mark = if watch["beyond"] == true { "BEYOND" } else { "ok    " };
        let level = |key: &str| watch[key].as_f64().map(|level| format!(", level {key} {level}")).unwrap_or_default();
        let value = format!("{}{}{}", number(watch["value"].as_f64()), level("above"), level("below"));
        println!(
            "watch {mark} {}: {value} (concerns {})",
            watch["title"].as_str().unwrap_or_default(),
            watch["concerns"].as_str().unwrap_or_default()
        );
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
