//! Published tables as a version learned them. What the next file looks like must not change what a champion is asked or how it
//! answers: a column that has become another type is read by the old one, and what cannot be read so is null, counted and told.

use crate::error::PlatformError;
use crate::error::arrow_error;
use crate::registry::tables::{register_all, register_table};
use crate::version::Manifest;
use septet_domain::Domain;
use septet_tables::Engine;
use septet_tables::arrow::array::AsArray;
use septet_tables::arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// A table's columns, in order, as they were when a version was learned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedTable {
    pub name: String,
    pub columns: Vec<LearnedColumn>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LearnedColumn {
    pub name: String,
    /// `text`, `number`, `integer`, `bool`, `timestamp`, `date`; else Arrow's name of a type that is taken as it comes.
    #[serde(rename = "type")]
    pub kind: String,
}

/// The words that types are kept by, and what SQL calls them.
const KINDS: [(&str, &str); 6] = [
    ("text", "VARCHAR"),
    ("number", "DOUBLE"),
    ("integer", "BIGINT"),
    ("bool", "BOOLEAN"),
    ("timestamp", "TIMESTAMP(6)"),
    ("date", "DATE"),
];

fn kind_of(data_type: &DataType) -> String {
    let kind = match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Boolean => "bool",
        kind if kind.is_integer() => "integer",
        kind if kind.is_numeric() => "number",
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Dictionary(_, values) => return kind_of(values),
        other => return other.to_string(),
    };
    kind.to_owned()
}

/// Whether values are held as they are computed with: eight bytes a number, microseconds without a zone.
fn is_plain(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::Boolean | DataType::Float64 | DataType::Int64 | DataType::Date32 => true,
        DataType::Timestamp(unit, zone) => *unit == TimeUnit::Microsecond && zone.is_none(),
        other => sql_type(&kind_of(other)).is_none(),
    }
}

fn sql_type(kind: &str) -> Option<&'static str> {
    KINDS.iter().find(|(known, _)| *known == kind).map(|(_, sql)| *sql)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Some tables as the engine knows them.
pub async fn learned_tables(engine: &Engine, names: &[&str]) -> Result<Vec<LearnedTable>, PlatformError> {
    let mut tables: Vec<LearnedTable> = Vec::new();
    for &name in names {
        if tables.iter().all(|table| table.name != name) {
            tables.push(LearnedTable { name: name.to_owned(), columns: columns_of(engine, name).await?.1 });
        }
    }
    Ok(tables)
}

/// The columns of a table, and whether all of them are held as they are computed with.
async fn columns_of(engine: &Engine, table: &str) -> Result<(bool, Vec<LearnedColumn>), PlatformError> {
    let schema = engine.plan(&format!("SELECT * FROM {}", quoted(table))).await?;
    let column = |name: &str, kind: &DataType| LearnedColumn { name: name.to_owned(), kind: kind_of(kind) };
    let plain = schema.fields().iter().all(|field| is_plain(field.data_type()));
    Ok((plain, schema.fields().iter().map(|field| column(field.name(), field.data_type())).collect()))
}

/// Reads a table's columns as what they are computed with, whatever width a file gave them: training and answering see one type.
pub async fn read_plain(engine: &Engine, table: &str) -> Result<(), PlatformError> {
    let (plain, columns) = columns_of(engine, table).await?;
    if plain {
        return Ok(());
    }
    let column = |column: &LearnedColumn| match sql_type(&column.kind) {
        Some(sql) => format!("CAST({0} AS {sql}) AS {0}", quoted(&column.name)),
        None => quoted(&column.name),
    };
    let columns: Vec<String> = columns.iter().map(column).collect();
    Ok(engine.replace(table, &format!("SELECT {} FROM {}", columns.join(", "), quoted(table))).await?)
}

/// Reads the tables as the version learned them, and says what no longer fits. `needed`: columns of the first table that are
/// features by themselves.
pub async fn read_as_learned(
    engine: &Engine,
    version: &str,
    tables: &[LearnedTable],
    needed: &[String],
) -> Result<Vec<String>, PlatformError> {
    let mut notes = Vec::new();
    for (at, table) in tables.iter().enumerate() {
        let (plain, found) = columns_of(engine, &table.name).await?;
        // What is learned from is the first table: it was read plain.
        let (plain, needed) = if at == 0 { (plain, needed) } else { (true, &[][..]) };
        notes.extend(changes(engine, version, table, &found, needed).await?);
        if found != table.columns || !plain {
            let columns: Vec<String> = table
                .columns
                .iter()
                .map(|column| format!("{} AS {}", read_by(column, &found, plain), quoted(&column.name)))
                .collect();
            engine.replace(&table.name, &format!("SELECT {} FROM {}", columns.join(", "), quoted(&table.name))).await?;
        }
    }
    Ok(notes)
}

/// A column of what was found as SQL of the type that it was learned with.
fn read_by(learned: &LearnedColumn, found: &[LearnedColumn], plain: bool) -> String {
    let name = quoted(&learned.name);
    let Some(sql) = sql_type(&learned.kind) else { return name };
    let Some(found) = found.iter().find(|column| column.name == learned.name) else {
        return format!("CAST(NULL AS {sql})");
    };
    match (found.kind.as_str(), learned.kind.as_str()) {
        (found, learned) if found == learned && plain => name,
        (found, learned) if found == learned => format!("CAST({name} AS {sql})"),
        // Not-a-number and infinities are no numbers.
        ("text", "number") => {
            format!("CASE WHEN abs(TRY_CAST({name} AS DOUBLE)) <= {:e} THEN TRY_CAST({name} AS DOUBLE) END", f64::MAX)
        }
        ("number", "integer") => format!(
            "CASE WHEN {name} = trunc({name}) AND abs({name}) < 9007199254740992 THEN CAST({name} AS BIGINT) END"
        ),
        ("number", "text") => format!(
            "CASE WHEN {name} = trunc({name}) AND abs({name}) < 9007199254740992 THEN CAST(CAST({name} AS BIGINT) AS \
             VARCHAR) ELSE CAST({name} AS VARCHAR) END"
        ),
        ("number" | "integer", "bool") => format!("CASE {name} WHEN 1 THEN true WHEN 0 THEN false END"),
        ("text", _) | ("integer", "number" | "text") | (_, "text") | ("date", "timestamp") | ("timestamp", "date") => {
            format!("TRY_CAST({name} AS {sql})")
        }
        _ => format!("CAST(NULL AS {sql})"),
    }
}

/// What no longer fits, a sentence a column.
async fn changes(
    engine: &Engine,
    version: &str,
    table: &LearnedTable,
    found: &[LearnedColumn],
    needed: &[String],
) -> Result<Vec<String>, PlatformError> {
    let now = |column: &LearnedColumn| found.iter().find(|found| found.name == column.name);
    let asked: Vec<&LearnedColumn> = table
        .columns
        .iter()
        .filter(|column| now(column).is_none_or(|now| now.kind != column.kind) || needed.contains(&column.name))
        .collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    // Columns that are gone have nothing to count, and what is of its old type can be read.
    let (mut counts, mut values) = (String::new(), "1 AS one".to_owned());
    for (at, column) in asked.iter().enumerate() {
        let Some(now) = now(column) else { continue };
        let mut count = |name: String, value: String| {
            // Named first: the engine calls a count of a cast value like one of the value.
            values.push_str(&format!(", {value} AS {name}"));
            counts.push_str(&format!(", count({name}) AS {name}"));
        };
        count(format!("present_{at}"), quoted(&column.name));
        if now.kind != column.kind {
            count(format!("read_{at}"), read_by(column, found, true));
        }
    }
    let sql = format!("SELECT count(*) AS rows{counts} FROM (SELECT {values} FROM {}) AS counted", quoted(&table.name));
    let (_, batches) = engine.query(&sql).await?;
    let row = batches.iter().find(|batch| batch.num_rows() == 1).ok_or_else(|| arrow_error("expected one row"))?;
    let count = |name: &str| {
        Some(row.column_by_name(name)?.as_primitive_opt::<Int64Type>().map_or(0, |counts| counts.value(0) as u64))
    };
    let rows = count("rows").unwrap_or(0);
    let told = |(at, column): (usize, &&LearnedColumn)| {
        let present = count(&format!("present_{at}")).unwrap_or(0);
        let read = count(&format!("read_{at}")).unwrap_or(present);
        let was = format!("`{}` was {} in version `{version}`", column.name, with_article(&column.kind));
        if now(column).is_none() {
            return Some(format!("{was}; table `{}` has no such column any more: it is read as missing", table.name));
        }
        match present - read {
            0 if present == 0 && rows > 0 => {
                Some(format!("{was}; it is missing in all {} rows of table `{}`", grouped(rows), table.name))
            }
            // Another type whose every value can be read changes nothing.
            0 => None,
            lost => Some(format!(
                "{was}; {} of {} rows of table `{}` {} not, and {} read as missing",
                grouped(lost),
                grouped(rows),
                table.name,
                if lost == 1 { "is" } else { "are" },
                if lost == 1 { "is" } else { "are" },
            )),
        }
    };
    Ok(asked.iter().enumerate().filter_map(told).collect())
}

fn with_article(kind: &str) -> String {
    match kind {
        "integer" => "a whole number".to_owned(),
        "bool" => "true or false".to_owned(),
        "timestamp" => "a time".to_owned(),
        kind => format!("a {kind}"),
    }
}

/// 5200 as `5,200`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let place = |(at, digit): (usize, char)| {
        let comma = at > 0 && (digits.len() - at).is_multiple_of(3);
        [comma.then_some(','), Some(digit)]
    };
    digits.chars().enumerate().flat_map(place).flatten().collect()
}

/// An engine's type of a column that no table holds any more.
fn arrow_type(kind: &str) -> DataType {
    match kind {
        "number" => DataType::Float64,
        "integer" => DataType::Int64,
        "bool" => DataType::Boolean,
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "date" => DataType::Date32,
        "text" => DataType::Utf8,
        _ => DataType::Null,
    }
}

/// Registers what is published of a domain's tables. A table that is no longer made is empty, and said.
pub async fn register_as_learned(
    engine: &Engine,
    domain: &Domain,
    folder: &Path,
    manifest: &Manifest,
) -> Result<Vec<String>, PlatformError> {
    let Some(tables) = &manifest.tables else {
        // Learned by an earlier program, which kept no types.
        register_all(engine, domain, folder).await?;
        return Ok(Vec::new());
    };
    let mut notes = Vec::new();
    let there = |name: &str| folder.join(format!("{name}.parquet")).exists();
    let made = domain.files_in("tables", ".sql").map(|(name, _)| name);
    for name in domain.spec.input.keys().map(String::as_str).chain(made) {
        if there(name) {
            register_table(engine, name, folder).await?;
        } else if let Some(table) = tables.iter().find(|table| table.name == name) {
            let field = |column: &LearnedColumn| Field::new(&column.name, arrow_type(&column.kind), true);
            let schema = Arc::new(Schema::new(table.columns.iter().map(field).collect::<Vec<_>>()));
            engine.register_batches(name, schema, vec![])?;
            notes.push(format!(
                "table `{name}` of version `{}` is no longer made: it is read as empty",
                manifest.version
            ));
        }
    }
    notes.extend(read_as_learned(engine, &manifest.version, tables, &manifest.extras).await?);
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_tables::EngineSettings;

    async fn check(learned: &[(&str, &str)], found: &str, expected: &str) -> Vec<String> {
        let spill_folder = std::env::temp_dir().join("septet-learned-tables");
        let engine = Engine::new(&EngineSettings { memory_max: 1 << 28, spill_folder, partitions: 1 }).unwrap();
        let (schema, batches) = engine.query(found).await.unwrap();
        engine.register_batches("t", schema, batches).unwrap();
        let column = |(name, kind): &(&str, &str)| LearnedColumn { name: (*name).to_owned(), kind: (*kind).to_owned() };
        let columns: Vec<LearnedColumn> = learned.iter().map(column).collect();
        let needed: Vec<String> = learned.iter().map(|(name, _)| (*name).to_owned()).collect();
        let table = LearnedTable { name: "t".to_owned(), columns: columns.clone() };
        let notes = read_as_learned(&engine, "v", &[table], &needed).await.unwrap();
        assert_eq!(columns_of(&engine, "t").await.unwrap(), (true, columns), "{found}");
        let list: Vec<String> = learned.iter().map(|(name, _)| format!("CAST({} AS VARCHAR)", quoted(name))).collect();
        let sql = format!(
            "SELECT CAST(string_agg(coalesce({}, '-'), ' ') AS VARCHAR) AS all FROM t",
            list.join(" || '/' || ")
        );
        let (_, batches) = engine.query(&sql).await.unwrap();
        assert_eq!(batches[0].column(0).as_string::<i32>().value(0), expected, "{found}");
        notes
    }

    fn values(list: &str) -> String {
        format!("SELECT x FROM (VALUES {list}) AS t (x)")
    }

    #[tokio::test]
    async fn a_column_of_another_type_is_read_by_the_one_that_was_learned() {
        let one = |kind: &'static str| [("x", kind)];
        let cases = [
            ("number", "('2.5'), ('n/a'), ('NaN'), ('inf'), ('1e3')", "2.5 - - - 1000.0", 3),
            ("number", "(1), (2), (NULL)", "1.0 2.0 -", 0),
            ("number", "(true), (false)", "- -", 2),
            ("integer", "(2.0), (2.5), (-3.0)", "2 - -3", 1),
            ("integer", "('7'), ('7.5'), ('x')", "7 - -", 2),
            ("text", "(742), (5)", "742 5", 0),
            ("text", "(742.0), (1.5)", "742 1.5", 0),
            ("bool", "(1), (0), (2)", "true false -", 1),
            ("bool", "('true'), ('perhaps')", "true -", 1),
            ("timestamp", "('2026-01-02T03:04:05Z'), ('soon')", "2026-01-02T03:04:05 -", 1),
            ("timestamp", "(1), (2)", "- -", 2),
            ("number", "(2.5), (NULL)", "2.5 -", 0),
        ];
        for (kind, found, expected, lost) in cases {
            let notes = check(&one(kind), &values(found), expected).await;
            let told = notes.first().map_or(0, |note| {
                note.split("; ").nth(1).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap_or(u64::MAX)
            });
            assert_eq!((told, notes.len()), (lost, usize::from(lost > 0)), "{kind} of {found}: {notes:?}");
        }
    }

    #[tokio::test]
    async fn columns_that_are_gone_or_empty_or_new_are_told_each() {
        let learned = [("a", "number"), ("b", "number"), ("c", "text"), ("d", "number")];
        let found = "SELECT CAST(NULL AS DOUBLE) AS d, 'x' AS c, 5 AS new";
        let notes = check(&learned, found, "-").await;
        let expected = [
            "`a` was a number in version `v`; table `t` has no such column any more: it is read as missing",
            "`b` was a number in version `v`; table `t` has no such column any more: it is read as missing",
            "`d` was a number in version `v`; it is missing in all 1 rows of table `t`",
        ];
        assert_eq!(notes, expected);
    }
}
