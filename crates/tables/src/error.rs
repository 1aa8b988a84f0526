//! What can go wrong between a source and a table, each with what to do about it.

use crate::reader::{NAMES_MAX, shortened};
use crate::select_list::given_twice;
use crate::{ROW_COLUMN, SOURCE_COLUMN};
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use std::path::PathBuf;

/// What the engine says in its longest sentences about a query; names in it may come from a file.
const MESSAGE_CHARACTERS_MAX: usize = 3_000;
/// Shorter numbers and words are the engine's own: a scale, a precision.
const DIGITS_TOLD: usize = 3;
/// Advice of the engine that nobody can follow here.
const NO_SETTING_OF_OURS: &str = " or disable the datafusion.sql_parser.enable_ident_normalization configuration";

#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    #[error("`{location}` cannot be opened: {reason}")]
    Open { location: String, reason: String },
    #[error("`{location}` has no rows: {what}")]
    Empty { location: String, what: &'static str },
    #[error(
        "`{location}` ends in the middle: {reason} (after row {row}); the file is cut short or damaged, fetch it again"
    )]
    Damaged { location: String, row: u64, reason: String },
    #[error("`{location}`: {what}")]
    Source { location: String, what: String },
    #[error("{message}")]
    Sql { message: String, place: Option<SqlPlace> },
    #[error(
        "{quarantined} of {rows} rows of `{input}` break the contract, more than quarantine_share_max = {max} allows; most often: {most_often}"
    )]
    TooManyBroken {
        input: String,
        quarantined: u64,
        rows: u64,
        max: f64,
        /// The reasons with their number, and one row as an example.
        most_often: String,
    },
    #[error("the books of `{input}` do not balance: {rows_in} rows in, {accounted} accounted for; please report this")]
    Books { input: String, rows_in: u64, accounted: u64 },
    #[error("memory limit reached: {0}; raise memory_max or take a smaller batch")]
    Memory(String),
    #[error("`{path}`: {reason}")]
    Io { path: PathBuf, reason: String },
    #[error("{0}")]
    Engine(String),
}

/// Where in an SQL text an error stands; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlPlace {
    pub line: usize,
    pub column: usize,
}

impl TablesError {
    pub fn io(path: impl Into<PathBuf>, error: impl std::fmt::Display) -> TablesError {
        TablesError::Io { path: path.into(), reason: error.to_string() }
    }

    /// An engine error while planning or running `sql`.
    pub fn from_sql(error: DataFusionError, sql: &str) -> TablesError {
        if let DataFusionError::ResourcesExhausted(what) = error.find_root() {
            return TablesError::Memory(what.clone());
        }
        if let Some(ours) = find_ours(&error) {
            return ours;
        }
        let message = match speaks_of_values(&error) {
            true => without_values(&plain(&error), sql),
            false => plain(&error),
        };
        let same_name = message.contains("same name") || message.contains("duplicate") || message.contains("ambiguous");
        if let Some((name, first, again)) = given_twice(sql).filter(|_| same_name) {
            let message = format!("column `{name}` is given twice: first at {}:{}", first.line, first.column);
            return TablesError::Sql { message, place: Some(again) };
        }
        let place = span_of(&error).or_else(|| place_in_message(&message)).or_else(|| place_of_word(&message, sql));
        TablesError::Sql { message, place }
    }
}

impl From<DataFusionError> for TablesError {
    fn from(error: DataFusionError) -> TablesError {
        TablesError::from_sql(error, "")
    }
}

/// An error of our own that travelled through the engine's streams.
fn find_ours(error: &DataFusionError) -> Option<TablesError> {
    let DataFusionError::External(inner) = error.find_root() else { return None };
    match inner.downcast_ref::<TablesError>()? {
        TablesError::Damaged { location, row, reason } => {
            Some(TablesError::Damaged { location: location.clone(), row: *row, reason: reason.clone() })
        }
        TablesError::Sql { message, place } => Some(TablesError::Sql { message: message.clone(), place: *place }),
        other => Some(TablesError::Engine(other.to_string())),
    }
}

/// The message without the engine's own prefixes, and with names no longer than a person reads.
fn plain(error: &DataFusionError) -> String {
    let root = error.find_root();
    let text = match root {
        DataFusionError::SchemaError(schema, _) => bounded(schema).to_string(),
        other => other.strip_backtrace(),
    };
    let prefixes = ["Schema error: ", "Error during planning: ", "SQL error: ", "This feature is not implemented: "];
    let text = prefixes.iter().fold(text.as_str(), |text, prefix| text.strip_prefix(prefix).unwrap_or(text));
    let text = text.strip_prefix("ParserError(\"").and_then(|text| text.strip_suffix("\")")).unwrap_or(text);
    let text = text.replace(NO_SETTING_OF_OURS, "");
    match text.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Whether it arose from rows, not from the text of a query.
fn speaks_of_values(error: &DataFusionError) -> bool {
    let root = error.find_root();
    !matches!(root, DataFusionError::SchemaError(..) | DataFusionError::SQL(..) | DataFusionError::Plan(_))
}

/// The message without what it quotes of the data, which may be of a person: quoted words and numbers that the query's own
/// text does not hold. Names of types keep their digits.
fn without_values(message: &str, sql: &str) -> String {
    let mut kept = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(letter) = rest.chars().next() {
        let length = match letter {
            '\'' | '"' | '`' => rest[1..].find(letter).map(|end| end + 2),
            '0'..='9' if !kept.ends_with(|before: char| before.is_alphanumeric() || before == '_') => {
                let number = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+' | ':');
                Some(rest.find(|letter| !number(letter)).unwrap_or(rest.len()))
            }
            _ => None,
        };
        let taken = &rest[..length.unwrap_or(letter.len_utf8())];
        let value = taken.trim_matches(['\'', '"', '`']);
        let own = length.is_none() || value.is_empty() || sql.contains(value) || value.len() < DIGITS_TOLD;
        kept.push_str(if own { taken } else { "..." });
        rest = &rest[taken.len()..];
    }
    kept
}

/// The same error with some of the names that there are, each no longer than a person reads; without the hidden ones.
fn bounded(error: &SchemaError) -> SchemaError {
    let short = |column: &Column| Column::new(column.relation.clone(), shortened(&column.name));
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let shown = valid_fields.iter().filter(|field| field.name != SOURCE_COLUMN && field.name != ROW_COLUMN);
            let valid_fields = shown.take(NAMES_MAX).map(short).collect();
            SchemaError::FieldNotFound { field: Box::new(short(field)), valid_fields }
        }
        SchemaError::AmbiguousReference { field } => SchemaError::AmbiguousReference { field: Box::new(short(field)) },
        SchemaError::DuplicateQualifiedField { qualifier, name } => {
            SchemaError::DuplicateQualifiedField { qualifier: qualifier.clone(), name: shortened(name) }
        }
        SchemaError::DuplicateUnqualifiedField { name } => {
            SchemaError::DuplicateUnqualifiedField { name: shortened(name) }
        }
    }
}

fn span_of(error: &DataFusionError) -> Option<SqlPlace> {
    let start = error.diagnostic()?.span?.start;
    Some(SqlPlace { line: start.line as usize, column: start.column as usize })
}

/// The parser writes "at Line: 3, Column: 7".
fn place_in_message(message: &str) -> Option<SqlPlace> {
    let (_, rest) = message.split_once("Line: ")?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some(SqlPlace { line: line.parse().ok()?, column: digits.parse().ok()? })
}

/// The first place in the text of the first name that the message quotes, such as "No field named amout".
fn place_of_word(message: &str, sql: &str) -> Option<SqlPlace> {
    let named = message.split_once("named ")?.1;
    let end = named.find(". ").unwrap_or(named.len());
    let word =
        named[..end].trim_end_matches('.').rsplit('.').next()?.trim_matches(|c| c == '"' || c == '\'' || c == '`');
    let offset = sql.find(word).filter(|_| !word.is_empty())?;
    let before = &sql[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
    Some(SqlPlace { line, column })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_rows_repeats_no_value_that_the_query_does_not_hold() {
        let sql = "SELECT CAST(name AS BIGINT) + 4711 FROM source WHERE place <> 'Rome'";
        for (message, expected) in [
            (
                "Cannot cast string 'ann@example.org' to value of Int64 type",
                "Cannot cast string ... to value of Int64 type",
            ),
            ("Overflow happened on: 9223372036854775807 + 4711", "Overflow happened on: ... + 4711"),
            (
                "Error parsing timestamp from '1983-05-04': error parsing date",
                "Error parsing timestamp from ...: error parsing date",
            ),
            ("Decimal128(38, 10) cannot hold 'Rome' or 1.5e300", "Decimal128(38, 10) cannot hold 'Rome' or ..."),
            ("it isn't `name`", "it isn't `name`"),
            ("it isn't Müller's", "it isn...s"),
        ] {
            assert_eq!(without_values(message, sql), expected);
        }
        let error = DataFusionError::Execution("no '4929'".to_owned());
        assert_eq!(TablesError::from_sql(error, sql).to_string(), "Execution error: no ...");
    }

    #[test]
    fn a_missing_column_is_told_with_the_names_that_are_there_and_no_file_among_them() {
        let valid_fields = [&"x".repeat(20_000), "amount", SOURCE_COLUMN, ROW_COLUMN];
        let valid_fields = valid_fields.map(|name| Column::new(Some("source"), name)).to_vec();
        let error = SchemaError::FieldNotFound { field: Box::new(Column::from_name("amout")), valid_fields };
        let error = DataFusionError::SchemaError(Box::new(error), Box::new(None));
        let TablesError::Sql { message, place } = TablesError::from_sql(error, "SELECT\n  amout FROM source") else {
            panic!("an error of a query")
        };
        assert!(message.starts_with("No field named amout. Did you mean") && message.len() < 300, "{message}");
        assert!(message.contains("amount") && !message.contains(ROW_COLUMN), "{message}");
        assert_eq!(place, Some(SqlPlace { line: 2, column: 3 }));
    }
}
