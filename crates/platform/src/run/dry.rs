//! An extract that keeps nothing: what a run would refuse in a source, value by value, and which setting would help. Values of
//! personal columns are counted and never shown.

use crate::PlatformError;
use crate::inputs::places::at_file;
use crate::own_names::{refuse_declared, refuse_extras};
use crate::run::RunOptions;
use crate::run::extract::layout_sql;
use septet_domain::{Column, ColumnType, Domain, Input};
use septet_tables::arrow::array::{Array, AsArray, RecordBatch};
use septet_tables::arrow::datatypes::Int64Type;
use septet_tables::{Days, Engine, ExtractRequest, Location, TableFile, TablesError, TextFormat, extract, number};
use serde::Serialize;
use std::path::Path;

/// Offending values of one column and reason that are shown.
const VALUES_MAX: usize = 3;
/// Words that people and programs write where nothing is known.
pub const MISSING_WORDS: [&str; 22] = [
    "NA", "N/A", "n/a", "na", "#N/A", "NaN", "nan", "NAN", "NULL", "null", "Null", "None", "none", "?", "-", "--", ".",
    "missing", "Missing", "unknown", "Unknown", "\\N",
];

/// What a run would make of one input's source.
#[derive(Debug, Serialize)]
pub struct DryInput {
    pub input: String,
    /// None where the source could not be read to its end.
    pub rows: Option<u64>,
    pub kept: Option<u64>,
    pub quarantined: Option<u64>,
    pub filtered: Option<u64>,
    /// Why a run would stop here.
    pub stops: Option<String>,
    pub findings: Vec<DryFinding>,
    pub notes: Vec<String>,
    /// Columns beyond the contract, which become features by themselves.
    pub extras: Vec<String>,
}

/// Rows that break the contract in one column for one reason.
#[derive(Debug, Serialize)]
pub struct DryFinding {
    pub column: Option<String>,
    pub reason: String,
    pub rows: u64,
    pub first_row: u64,
    pub source: String,
    pub message: String,
    /// The most frequent values with their rows; none of a personal column.
    pub values: Vec<(String, u64)>,
    pub advice: Option<String>,
}

/// Reads every source into `folder`, which is the caller's to remove. `new_engine` gives an engine of the caller's alone.
pub async fn dry_extract(
    new_engine: &(dyn Fn() -> Result<Engine, TablesError> + Sync),
    domain: &Domain,
    options: &RunOptions,
    folder: &Path,
) -> Result<Vec<DryInput>, PlatformError> {
    refuse_declared(&new_engine()?, domain).await?;
    let layout_name = options.layout.clone().unwrap_or_default();
    let mut found = Vec::new();
    for (at, (name, input)) in domain.spec.input.iter().enumerate() {
        let (file, sql, layout) = layout_sql(domain, &layout_name, (at > 0).then_some(name))?;
        let source = options.sources.get(name).ok_or_else(|| {
            PlatformError::usage(format!("input `{name}` has no source"), format!("give --source {name}=FILE_OR_URL"))
        })?;
        let location = Location::parse(source)?;
        let format = TextFormat::from_layout(&layout)
            .map_err(|what| PlatformError::usage(what, format!("see [layout.{layout_name}]")))?;
        let request = ExtractRequest { input_name: name, input, location: &location, layout_sql: &sql, format, folder };
        let engine = new_engine()?;
        let report = extract(&engine, &request, &|_| {}).await;
        let mut dry = DryInput {
            input: name.clone(),
            rows: None,
            kept: None,
            quarantined: None,
            filtered: None,
            stops: None,
            findings: Vec::new(),
            notes: Vec::new(),
            extras: Vec::new(),
        };
        match report {
            Ok(report) => {
                (dry.rows, dry.kept) = (Some(report.rows_in), Some(report.rows_out));
                (dry.quarantined, dry.filtered) = (Some(report.quarantined), Some(report.filtered));
                dry.findings = findings(&new_engine()?, folder, input, name).await?;
                if at == 0 {
                    dry.stops =
                        refuse_extras(&new_engine()?, domain, &report.extras).await.err().map(|e| e.to_string());
                }
                (dry.notes, dry.extras) = (report.notes, report.extras);
            }
            Err(TablesError::TooManyBroken { quarantined, rows, max, .. }) => {
                (dry.rows, dry.quarantined) = (Some(rows), Some(quarantined));
                dry.kept = Some(rows - quarantined);
                dry.stops = Some(format!(
                    "{quarantined} of {rows} rows of `{name}` break the contract, more than quarantine_share_max = {max} allows"
                ));
                dry.findings = findings(&new_engine()?, folder, input, name).await?;
            }
            Err(error) => dry.stops = Some(at_file(domain, &file, error).to_string()),
        }
        found.push(dry);
    }
    Ok(found)
}

/// What is in quarantine, most rows first.
async fn findings(engine: &Engine, folder: &Path, input: &Input, name: &str) -> Result<Vec<DryFinding>, PlatformError> {
    let path = folder.join(format!("{name}.quarantine.parquet"));
    engine.register_file(&TableFile { name: "broken".to_owned(), path }).await?;
    // An order beyond the counts, so that two looks at one file say the same.
    let sql = r#"
        WITH valued AS (
            SELECT "column" AS col, reason, value, count(*) AS n, min("row") AS first FROM broken GROUP BY "column", reason, value
        ), ranked AS (
            SELECT col, reason, value, n, sum(n) OVER (PARTITION BY col, reason) AS total,
                min(first) OVER (PARTITION BY col, reason) AS first,
                row_number() OVER (PARTITION BY col, reason ORDER BY n DESC, first, value) AS place
            FROM valued
        )
        SELECT r.col, r.reason, r.value, CAST(r.n AS BIGINT) AS times, CAST(r.total AS BIGINT) AS all_times, r.first, b.source, b.message, r.place
        FROM ranked AS r
        LEFT JOIN (SELECT "column" AS col, reason, "row", min(source) AS source, min(message) AS message
                   FROM broken GROUP BY "column", reason, "row") AS b
            ON (b.col IS NOT DISTINCT FROM r.col) AND b.reason = r.reason AND b."row" = r.first
        WHERE r.place <= 3
        ORDER BY all_times DESC, col, reason, place"#;
    let (_, batches) = engine.query(sql).await?;
    let mut found: Vec<DryFinding> = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let text = |at: usize| text_of(batch, at, row);
            let whole = |at: usize| batch.column(at).as_primitive::<Int64Type>().value(row) as u64;
            let (column, reason) = (text(0), text(1).unwrap_or_default());
            if found.last().is_none_or(|last| last.column != column || last.reason != reason) {
                found.push(DryFinding {
                    column: column.clone(),
                    reason,
                    rows: whole(4),
                    first_row: whole(5),
                    source: text(6).unwrap_or_default(),
                    message: text(7).unwrap_or_default(),
                    values: Vec::new(),
                    advice: None,
                });
            }
            if let (Some(last), Some(value)) = (found.last_mut(), text(2)) {
                last.values.push((value, whole(3)));
            }
        }
    }
    for finding in &mut found {
        finding.values.truncate(VALUES_MAX);
        let column = column_of(input, finding.column.as_deref());
        finding.advice = advice(finding, column);
        // A whole line, or a column that nobody has described, may name anybody.
        let personal = match column {
            Some(column) => column.personal.is_some(),
            None => input.columns.values().any(|column| column.personal.is_some()),
        };
        let whole_line = finding.column.is_none();
        if personal || whole_line {
            finding.values.clear();
        }
    }
    Ok(found)
}

fn text_of(batch: &RecordBatch, column: usize, row: usize) -> Option<String> {
    let column = batch.column(column);
    if column.is_null(row) {
        return None;
    }
    let text = column.as_string_opt::<i32>().map(|words| words.value(row));
    text.or_else(|| column.as_string_view_opt().map(|words| words.value(row))).map(str::to_owned)
}

fn column_of<'a>(input: &'a Input, name: Option<&str>) -> Option<&'a Column> {
    let name = name?;
    input.columns.iter().find(|(known, _)| known.get_ref() == name).map(|(_, column)| column)
}

/// The setting that would help, where the values say which; it quotes nothing but words that mean missing.
fn advice(finding: &DryFinding, column: Option<&Column>) -> Option<String> {
    let values = || finding.values.iter().map(|(value, _)| value.as_str());
    let name = finding.column.as_deref().unwrap_or_default();
    match (finding.reason.as_str(), column) {
        ("type", Some(column)) => advice_on_type(name, column, &values().collect::<Vec<_>>()),
        ("required", _) => Some(format!("if a row without it is fine: required = false for `{name}`")),
        ("range", Some(_)) => Some(format!("if such numbers are right: widen min or max of `{name}`")),
        ("values", Some(column)) if column.values.is_some() => {
            Some(format!("if such words are right: add them to values of `{name}`"))
        }
        ("duplicate_key", _) => Some(format!(
            "if `{name}` names no single row: another key, such as CAST(_row AS VARCHAR) in the layout's SELECT; if rows are sent twice, the first is kept"
        )),
        ("unparseable", _) => Some("see delimiter, quote and encoding in the layout".to_owned()),
        _ => None,
    }
}

fn advice_on_type(name: &str, column: &Column, values: &[&str]) -> Option<String> {
    let missing = |value: &&&str| value.trim().is_empty() || MISSING_WORDS.contains(*value);
    let words: Vec<String> = values.iter().filter(missing).map(|word| format!("{word:?}")).collect();
    if !words.is_empty() {
        let also = if column.required { format!(" and required = false for `{name}`") } else { String::new() };
        return Some(format!("if that means missing: null_words = [{}] in the layout{also}", words.join(", ")));
    }
    let all = |holds: &dyn Fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| holds(value));
    match column.kind {
        ColumnType::Integer if all(&|value| number(value, '.').is_some()) => {
            Some(format!("these have a fraction: type = \"number\" for `{name}`"))
        }
        ColumnType::Number | ColumnType::Integer if all(&|value| number(value, ',').is_some()) => {
            Some("these have a decimal comma: decimal = \",\" in the layout".to_owned())
        }
        ColumnType::Number | ColumnType::Integer if all(&has_thousands) => Some(format!(
            "these have marks between thousands: replace({name}, ',', '') AS {name} in the layout's SELECT, with the mark that is there"
        )),
        ColumnType::Timestamp => {
            let days = Days::of(values.iter().copied());
            let (format, _, unsure) = days.format().filter(|_| days.count == values.len() as u64)?;
            let other = if unsure { " (or the other way round: look at days above 12)" } else { "" };
            Some(format!("to_timestamp({name}, '{format}') AS {name} in the layout's SELECT{other}"))
        }
        ColumnType::Bool => Some(format!(
            "a truth value is true/false, t/f, yes/no or 1/0: CASE {name} WHEN 'WORD' THEN 'true' WHEN 'OTHER' THEN 'false' END AS {name} in the layout's SELECT"
        )),
        _ => None,
    }
}

fn has_thousands(value: &str) -> bool {
    let plain: String = value.chars().filter(|letter| !matches!(letter, ',' | '.' | '\'' | ' ' | '\u{a0}')).collect();
    plain != value && number(&plain, '.').is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_writing_gets_the_setting_that_reads_it() {
        let (number, whole, time) = (ColumnType::Number, ColumnType::Integer, ColumnType::Timestamp);
        for (kind, values, expected) in [
            (number, vec!["NA", "x"], "null_words = [\"NA\"]"),
            (number, vec!["12,50", "3,1"], "decimal = \",\""),
            (number, vec!["1.204.300"], "marks between thousands"),
            (whole, vec!["2.5"], "type = \"number\""),
            (time, vec!["25.07.2018"], "to_timestamp(x, '%d.%m.%Y')"),
            (time, vec!["7/25/2018 9:05"], "'%m/%d/%Y %H:%M'"),
            (ColumnType::Bool, vec!["P"], "CASE x WHEN"),
        ] {
            let told = advice_on_type("x", &Column::of_type(kind), &values).unwrap_or_default();
            assert!(told.contains(expected), "{values:?}: {told}");
        }
        assert_eq!(advice_on_type("x", &Column::of_type(number), &["twelve"]), None);
    }
}
