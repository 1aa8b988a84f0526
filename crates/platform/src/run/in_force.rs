//! Which tables are in force: those of the newest run that passed. A run whose rows look like a mistake beside them stops for a
//! word from a person, before anything is learned from it; a run that fails later leaves everything as it was.

use crate::PlatformError;
use crate::registry::CHAMPION;
use crate::registry::home::{Published, Together};
use crate::registry::store::GateRecord;
use crate::registry::tables::register_inputs;
use crate::run::{Run, StepName, StepReport};
use septet_domain::Input;
use septet_tables::ExtractReport;
use septet_tables::arrow::array::{Array, AsArray};
use septet_tables::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use std::collections::BTreeMap;

/// Gates that say nothing of the rows: new tables come into force although a version failed one of these.
const NOT_ABOUT_DATA: [&str; 4] = ["prediction_time", "explanation_time", "model_size", "holds_against_champion"];

/// What an input holds.
struct Facts {
    rows: i64,
    newest: Option<i64>,
    /// Rows with a value, by column.
    filled: BTreeMap<String, i64>,
}

/// Refuses a run whose inputs hold less than those in force: rows that shrink, a newest event that is older, columns that
/// vanish. Real rows may take the place of simulated ones as they are.
pub async fn compare(run: &Run<'_>) -> Result<(), PlatformError> {
    if run.store.alias(run.domain.name(), CHAMPION).await?.is_none() {
        return Ok(());
    }
    let Some(before) = run.home.published(run.domain.name())?.filter(|before| before.run_id != run.run_id) else {
        return Ok(());
    };
    let theirs = extracted(run, &before.run_id).await?;
    let ours = run.report_of(StepName::Extract).await?;
    let simulated = |report: &StepReport| report.detail["simulated"] == true;
    let first_real = theirs.as_ref().is_some_and(simulated) && !simulated(&ours);
    if run.accept || first_real {
        return Ok(());
    }
    let extras = theirs.map(|report| extras_of(&report)).unwrap_or_default();
    let share = run.domain.spec.gates.rows_lost_share_max;
    let mut less = Vec::new();
    for (name, input) in &run.domain.spec.input {
        // A table that the run in force did not have cannot hold less.
        let folder = run.home.tables_folder(run.domain.name(), &before.run_id);
        if !before.tables.contains_key(name) {
            continue;
        }
        let old = facts(run, name, input, &folder).await?;
        let new = facts(run, name, input, &run.tables_folder()).await?;
        let known = |column: &str| {
            input.columns.keys().any(|own| own.get_ref() == column)
                || extras.get(name).is_some_and(|extras| extras.iter().any(|extra| extra == column))
        };
        less.extend(holds_less(share, &old, &new, known).into_iter().map(|what| format!("`{name}`: {what}")));
    }
    match less.is_empty() {
        true => Ok(()),
        false => Err(PlatformError::HoldsLess {
            domain: run.domain.name().to_owned(),
            run_id: run.run_id.clone(),
            in_force: before.run_id,
            what: less,
        }),
    }
}

/// The extract report of a run.
pub async fn extracted(run: &Run<'_>, run_id: &str) -> Result<Option<StepReport>, PlatformError> {
    let text = run.store.step(run.domain.name(), run_id, StepName::Extract.word()).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Columns beyond the contract, by input.
fn extras_of(report: &StepReport) -> BTreeMap<String, Vec<String>> {
    let inputs: Vec<(String, ExtractReport)> =
        serde_json::from_value(report.detail["inputs"].clone()).unwrap_or_default();
    inputs.into_iter().map(|(name, report)| (name, report.extras)).collect()
}

/// In words, what the new rows lack. `known`: a column that the contract or the run in force names; others were taken out of
/// the contract by a person.
fn holds_less(share: f64, old: &Facts, new: &Facts, known: impl Fn(&str) -> bool) -> Vec<String> {
    let mut less = Vec::new();
    let may_go = share * old.rows as f64;
    if (old.rows - new.rows) as f64 > may_go {
        less.push(format!("{} rows where {} are in force", new.rows, old.rows));
    }
    if let (Some(before), now) = (old.newest, new.newest)
        && now.is_none_or(|now| now < before)
    {
        let text = |time: Option<i64>| time.and_then(crate::instant_text).unwrap_or_else(|| "no time".to_owned());
        less.push(format!("its newest row is of {}, in force is {}", text(now), text(Some(before))));
    }
    let empty = |column: &String| new.filled.get(column).is_none_or(|rows| *rows == 0);
    for (column, rows) in old.filled.iter().filter(|(column, rows)| **rows > 0 && known(column) && empty(column)) {
        let is = if new.filled.contains_key(column) { "is empty" } else { "is gone" };
        less.push(format!("column `{column}` {is}; in force it has {rows} values"));
    }
    less
}

async fn facts(run: &Run<'_>, name: &str, input: &Input, folder: &std::path::Path) -> Result<Facts, PlatformError> {
    let engine = run.engine()?;
    register_inputs(&engine, run.domain, folder).await?;
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let schema = engine.plan(&format!("SELECT * FROM {}", quoted(name))).await?;
    let columns: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let counts: Vec<String> = columns.iter().map(|column| format!("count({})", quoted(column))).collect();
    let time = quoted(input.time.get_ref());
    let sql = format!("SELECT count(*), max({time}), {} FROM {}", counts.join(", "), quoted(name));
    let (_, batches) = engine.query(&sql).await?;
    let Some(batch) = batches.first().filter(|batch| batch.num_rows() == 1) else {
        return Err(crate::error::arrow_error("a table could not be counted"));
    };
    let count = |at: usize| batch.column(at).as_primitive::<Int64Type>().value(0);
    let newest = batch.column(1).as_primitive_opt::<TimestampMicrosecondType>();
    Ok(Facts {
        rows: count(0),
        newest: newest.filter(|newest| newest.is_valid(0)).map(|newest| newest.value(0)),
        filled: columns.iter().enumerate().map(|(at, column)| ((*column).clone(), count(at + 2))).collect(),
    })
}

/// Why the run's tables may not come into force; none if they may. Where no champion answers, nobody is harmed.
pub fn withheld(answers: bool, gates: &[GateRecord]) -> Option<String> {
    let about_data = |gate: &&GateRecord| !gate.passed && !NOT_ABOUT_DATA.contains(&gate.name.as_str());
    let failed: Vec<&str> = gates.iter().filter(about_data).map(|gate| gate.name.as_str()).collect();
    (answers && !failed.is_empty()).then(|| format!("gates that may be about the rows failed: {}", failed.join(", ")))
}

/// Makes the run's tables those in force. `together`: the champion moves in the same step.
pub fn put_in_force(
    run: &Run<'_>,
    tables: BTreeMap<String, String>,
    together: Option<Together>,
) -> Result<(), PlatformError> {
    run.home.publish(run.domain.name(), &Published { run_id: run.run_id.clone(), tables, together })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(rows: i64, newest: i64, filled: &[(&str, i64)]) -> Facts {
        let filled = filled.iter().map(|(column, rows)| ((*column).to_owned(), *rows)).collect();
        Facts { rows, newest: Some(newest), filled }
    }

    #[test]
    fn what_is_less_is_told_and_what_is_more_is_not() {
        let old = facts(5_200, 1_000_000, &[("amount", 5_200), ("score", 5_100), ("retired", 5_200)]);
        let known = |column: &str| column != "retired";
        for (new, expected) in [
            (facts(12, 2_000_000, &[("amount", 12), ("score", 1)]), vec!["12 rows where 5200"]),
            (facts(5_199, 1_000_000, &[("amount", 12), ("score", 1)]), vec!["5199 rows"]),
            (facts(5_200, 1_000_000, &[("amount", 5_200), ("score", 1)]), vec![]),
            (facts(9_000, 999_999, &[("amount", 9_000), ("score", 1)]), vec!["newest row is of"]),
            (facts(5_201, 1_000_001, &[("amount", 1), ("score", 0)]), vec!["`score` is empty"]),
            (facts(5_201, 1_000_001, &[("score", 1), ("new", 0)]), vec!["`amount` is gone"]),
        ] {
            let found = holds_less(0.0, &old, &new, known);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            assert!(found.iter().zip(&expected).all(|(found, part)| found.contains(part)), "{found:?}");
        }
        assert!(holds_less(0.5, &old, &facts(2_600, 1_000_000, &[("amount", 1), ("score", 1)]), known).is_empty());
    }

    #[test]
    fn a_gate_about_the_machine_keeps_no_rows_back() {
        let gate = |name: &str, passed| GateRecord { name: name.to_owned(), passed, evidence: String::new() };
        assert_eq!(withheld(true, &[gate("no_look_ahead", true), gate("prediction_time", false)]), None);
        assert!(withheld(true, &[gate("no_look_ahead", false)]).is_some_and(|why| why.contains("no_look_ahead")));
        assert_eq!(withheld(false, &[gate("no_look_ahead", false)]), None);
    }
}
