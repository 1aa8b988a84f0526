//! `tests/NAME.sql`: what must hold of a run's tables. Each selects the rows for which it does not, so that whoever repairs them sees
//! them.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::places::at_file;
use septet_domain::Domain;
use septet_tables::Engine;
use septet_tables::arrow::array::RecordBatch;
use septet_tables::arrow::datatypes::{DataType, Field};
use septet_tables::arrow::util::display::{ArrayFormatter, FormatOptions};

/// Plans every test: the engine knows the inputs and tables.
pub(crate) async fn plan_tests(engine: &Engine, domain: &Domain) -> Result<(), PlatformError> {
    for (name, sql) in domain.files_in("tests", ".sql") {
        let file = format!("tests/{name}.sql");
        engine.plan(sql).await.map_err(|error| at_file(domain, &file, error))?;
    }
    Ok(())
}

/// Runs every test, in order of name, and gives their names; the first that finds rows is the error.
pub(super) async fn run_tests(engine: &Engine, domain: &Domain) -> Result<Vec<String>, PlatformError> {
    plan_tests(engine, domain).await?;
    let mut names = Vec::new();
    for (name, sql) in domain.files_in("tests", ".sql") {
        let file = format!("tests/{name}.sql");
        let place = |error| at_file(domain, &file, error);
        // The line end lets the SELECT end in a comment.
        let found = format!("FROM ({sql}\n) AS found");
        let rows = engine.number(&format!("SELECT count(*) {found}")).await.map_err(place)?.unwrap_or(0.0) as u64;
        if rows > 0 {
            let (_, batches) = engine.query(&format!("SELECT * {found} LIMIT 1")).await.map_err(place)?;
            let found = batches.iter().find(|batch| batch.num_rows() > 0);
            let example = found.map(|batch| first_row(domain, batch)).transpose()?.unwrap_or_default();
            let says = comment_on_top(sql);
            return Err(PlatformError::Test { file: domain.path_of(&file), rows, example, says });
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// `day = 2026-01-02, lines = 3`. Texts are shown of columns that the contract knows not to be personal, numbers and times unless it
/// knows them to be: an error goes to logs and alerts.
fn first_row(domain: &Domain, batch: &RecordBatch) -> Result<String, PlatformError> {
    let options = FormatOptions::default().with_null("null");
    let schema = batch.schema();
    let mut cells = Vec::new();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let value = match may_be_told(domain, field) {
            true => ArrayFormatter::try_new(column, &options).map_err(arrow_error)?.value(0).to_string(),
            false => "(not shown)".to_owned(),
        };
        cells.push(format!("{} = {value}", field.name()));
    }
    Ok(cells.join(", "))
}

fn may_be_told(domain: &Domain, field: &Field) -> bool {
    let columns = domain.spec.input.values().flat_map(|input| &input.columns);
    let mut known = columns.filter(|(name, _)| name.get_ref() == field.name()).map(|(_, column)| column).peekable();
    let plain = field.data_type().is_numeric() || field.data_type().is_temporal();
    match known.peek() {
        Some(_) => known.all(|column| column.personal.is_none()),
        None => plain || *field.data_type() == DataType::Boolean,
    }
}

/// The comment that a file begins with, as one line.
fn comment_on_top(sql: &str) -> String {
    let lines = sql.trim_start().lines().map_while(|line| line.strip_prefix("--"));
    lines.map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_on_top_is_told_as_one_line() {
        for (sql, expected) in [
            ("-- Adds up,\n--   to the cent.\nSELECT 1 -- not this\n-- nor this", "Adds up, to the cent."),
            ("\n-- One.\n\n-- Another.\nSELECT 1", "One."),
            ("SELECT 1", ""),
        ] {
            assert_eq!(comment_on_top(sql), expected);
        }
    }
}
