//! `septet check DOMAIN --source FILE --layout NAME`: what a run would refuse in a source, told before the run.

use crate::commands::options;
use crate::settings::Settings;
use crate::show::thousands;
use crate::workshop::{domains_of, engine_in_passing};
use anyhow::Context;
use septet_platform::{DryFinding, DryInput, RunOptions, check_domain, dry_extract};
use serde_json::json;
use std::process::ExitCode;

/// Exit code 1 if a run would stop.
pub async fn check_source(
    settings: &Settings,
    domain: &str,
    source: &[String],
    layout: Option<&str>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let domain = domains_of(settings)?.load(domain)?;
    let (engine, _spill) = engine_in_passing(settings, 1)?;
    check_domain(&engine.beside(), &domain).await?;
    let asked: RunOptions = options(&domain, source, layout, false)?;
    let folder =
        tempfile::Builder::new().prefix("septet-check-").tempdir().context("the folder for temporary files")?;
    let found = dry_extract(&|| Ok(engine.beside()), &domain, &asked, folder.path()).await?;
    let stops = found.iter().any(|input| input.stops.is_some());
    if json {
        println!("{}", json!({ "domain": domain.name(), "sound": !stops, "inputs": found }));
    } else {
        found.iter().for_each(tell);
        match stops {
            true => println!("A run would stop."),
            false => println!("A run would read this. Nothing was kept."),
        }
    }
    Ok(if stops { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn tell(input: &DryInput) {
    if let (Some(rows), Some(kept), Some(quarantined)) = (input.rows, input.kept, input.quarantined) {
        let filtered = input.filtered.filter(|filtered| *filtered > 0);
        let filtered = filtered.map(|rows| format!(", {} left out by the layout", thousands(rows))).unwrap_or_default();
        println!(
            "{}: {} rows, {} kept, {} to quarantine{filtered}",
            input.input,
            thousands(rows),
            thousands(kept),
            thousands(quarantined)
        );
    }
    input.findings.iter().for_each(|finding| println!("  {}", sentence(finding)));
    input.notes.iter().for_each(|note| println!("  {note}"));
    if !input.extras.is_empty() {
        println!("  beyond the contract, features by themselves: {}", input.extras.join(", "));
    }
    if let Some(stops) = &input.stops {
        println!("  stops: {stops}");
    }
}

/// `29,731 rows: `monthly_income`: expected a number, found `NA` (29,731 times), first in row 7; ...`
fn sentence(finding: &DryFinding) -> String {
    let of = finding.column.as_ref().map(|column| format!("`{column}`: ")).unwrap_or_default();
    let values: Vec<String> =
        finding.values.iter().map(|(value, rows)| format!("`{}` ({})", short(value), thousands(*rows))).collect();
    let values = if values.is_empty() { String::new() } else { format!(", found {}", values.join(", ")) };
    let advice = finding.advice.as_ref().map(|advice| format!("\n    {advice}")).unwrap_or_default();
    let rows = thousands(finding.rows);
    let unit = if finding.rows == 1 { "row" } else { "rows" };
    format!("{rows} {unit}: {of}{}{values}; first in row {}{advice}", finding.message, finding.first_row)
}

fn short(value: &str) -> String {
    let mut shown: String = value.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if value.chars().nth(40).is_some() {
        shown.push_str("...");
    }
    shown
}
