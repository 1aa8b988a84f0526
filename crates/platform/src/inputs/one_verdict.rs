//! One contract for files and requests: what may train a model is what the service takes, in every form that it can come in.

use super::contract::EventContract;
use septet_domain::{Domain, Domains};
use septet_learn::bootstrap::SplitMix64;
use septet_tables::arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use septet_tables::{
    Engine, EngineSettings, ExtractRequest, KEY_CHARACTERS_MAX, Location, TEXT_CHARACTERS_MAX, TextFormat, extract,
    read_batch, write_batch,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const DOMAIN: &str = r#"
name = "things"
title = "Things"
question = "Is it so?"
port = 9001
schedule = "0 4 * * *"

[input.things]
grain = "one thing"
key = "key"
time = "at"
quarantine_share_max = 1

[input.things.columns]
key = { type = "text", required = true }
at = { type = "timestamp", required = true }
amount = { type = "number", required = true, min = -1e6, max = 1e6 }
share = { type = "number" }
count = { type = "integer", min = 0 }
word = { type = "text", values = ["red", "green"] }
note = { type = "text" }
must = { type = "text", required = true }
truth = { type = "bool" }
wanted = { type = "bool", label = true, known_after = "1d" }

[features]
amount = "amount"

[model]
kind = "linear"
target = "wanted"
measure = "average_precision"
baselines = ["prior"]
split = { by = "time", train = "7d", delay = "1d", test = "1d" }
"#;

const ROWS: usize = 600;

fn things(folder: &Path) -> Domain {
    std::fs::create_dir_all(folder.join("things")).unwrap();
    std::fs::write(folder.join("things/domain.toml"), DOMAIN).unwrap();
    std::fs::write(folder.join("things/features.sql"), "SELECT amount FROM things").unwrap();
    Domains::find(Some(folder)).unwrap().load("things").unwrap()
}

/// A row most of whose values are usual, as JSON has it.
fn row(random: &mut SplitMix64, at: usize) -> Map<String, Value> {
    let long = |characters: usize, letter: &str| letter.repeat(characters);
    let key = match random.below(12) {
        0 => long(KEY_CHARACTERS_MAX - 4, "é") + &format!("{at:04}"),
        1 => long(KEY_CHARACTERS_MAX - 3, "k") + &format!("{at:04}"),
        2 => String::new(),
        _ => format!("k{at}"),
    };
    let pick = |random: &mut SplitMix64, usual: Value, odd: &[Value]| match random.below(3 * odd.len()) {
        at if at < odd.len() => odd[at].clone(),
        _ => usual,
    };
    let numbers = [json!(-1e6), json!(1e6), json!(1_000_000.1), json!(-1e7), json!(0), json!(1e300), json!(5e-324)];
    let wholes = [
        json!(-1),
        json!(0),
        json!(3.0),
        json!(3.5),
        json!(i64::MAX),
        json!(9_007_199_254_740_993_i64),
        json!(9.0e15),
        json!(9_007_199_254_740_992.0),
        json!(1e19),
        Value::Null,
    ];
    let long = [json!(long(TEXT_CHARACTERS_MAX, "ü")), json!(long(TEXT_CHARACTERS_MAX + 1, "x")), json!("a\0b")];
    let times = [
        json!("2026-01-02"),
        json!("2026-01-02T03:04:05.123456789123Z"),
        json!("2026-01-02 03:04:05+05:30"),
        json!("2026-13-01"),
        json!("yesterday"),
        Value::Null,
    ];
    let texts = [&long[..], &[json!(" spaced "), json!("a,b"), json!("NaN"), json!("null"), Value::Null]].concat();
    let mut required = texts.clone();
    required.push(json!(""));
    let mut row = Map::new();
    row.insert("key".to_owned(), json!(key));
    row.insert("at".to_owned(), pick(random, json!("2026-01-02T03:04:05Z"), &times));
    row.insert("amount".to_owned(), pick(random, json!(12.5), &numbers));
    row.insert("share".to_owned(), pick(random, json!(0.25), &[json!(-0.0), json!(1e308), Value::Null]));
    row.insert("count".to_owned(), pick(random, json!(7), &wholes));
    let words = [json!("Red"), json!("blue"), json!(" red"), Value::Null];
    row.insert("word".to_owned(), pick(random, json!("red"), &words));
    row.insert("note".to_owned(), pick(random, json!("a note"), &texts));
    row.insert("must".to_owned(), pick(random, json!("said"), &required));
    row.insert("truth".to_owned(), pick(random, json!(true), &[json!(false), Value::Null]));
    row
}

/// A value as a field of CSV; quoted, so that a text stays what it is.
fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => format!("\"{}\"", text.replace('"', "\"\"")),
        other => other.to_string(),
    }
}

/// The rows in the types that a data frame would have them in.
fn batch(rows: &[Map<String, Value>]) -> RecordBatch {
    let text =
        |name: &str| -> ArrayRef { Arc::new(rows.iter().map(|row| row[name].as_str()).collect::<StringArray>()) };
    let number =
        |name: &str| -> ArrayRef { Arc::new(rows.iter().map(|row| row[name].as_f64()).collect::<Float64Array>()) };
    let truths: BooleanArray = rows.iter().map(|row| row["truth"].as_bool()).collect();
    RecordBatch::try_from_iter([
        ("key", text("key")),
        ("at", text("at")),
        ("amount", number("amount")),
        ("share", number("share")),
        ("count", number("count")),
        ("word", text("word")),
        ("note", text("note")),
        ("must", text("must")),
        ("truth", Arc::new(truths)),
    ])
    .unwrap()
}

/// The places of the rows that an extract of a file keeps.
async fn kept(domain: &Domain, file: &Path, folder: &Path) -> BTreeSet<usize> {
    let settings = EngineSettings { memory_max: 1 << 30, spill_folder: folder.join("spill"), partitions: 1 };
    let (name, input) = domain.spec.first_input();
    let request = ExtractRequest {
        input_name: name,
        input,
        location: &Location::parse(&file.display().to_string()).unwrap(),
        layout_sql: "SELECT * FROM source",
        format: TextFormat::from_layout(&septet_domain::Layout::default()).unwrap(),
        folder,
    };
    extract(&Engine::new(&settings).unwrap(), &request, &|_| {}).await.unwrap();
    let broken = read_batch(&folder.join("things.quarantine.parquet")).unwrap();
    let places = broken.column_by_name("row").unwrap();
    let places = places.as_primitive::<septet_tables::arrow::datatypes::Int64Type>();
    let broken: BTreeSet<usize> = places.values().iter().map(|row| *row as usize - 1).collect();
    (0..ROWS).filter(|row| !broken.contains(row)).collect()
}

#[tokio::test]
async fn the_same_values_find_one_verdict_in_six_forms() {
    let folder = tempfile::tempdir().unwrap();
    let domain = things(&folder.path().join("domains"));
    let contract = EventContract::planned(&domain);
    let mut random = SplitMix64::new(19);
    let rows: Vec<Map<String, Value>> = (0..ROWS).map(|at| row(&mut random, at)).collect();
    let names: Vec<&str> = rows[0].keys().map(String::as_str).collect();

    let taken = |read: &dyn Fn(&Map<String, Value>) -> bool| -> BTreeSet<usize> {
        rows.iter().enumerate().filter(|(_, row)| read(row)).map(|(at, _)| at).collect()
    };
    let json = taken(&|row| contract.read(&Value::Object(row.clone()), "", "").is_ok());
    let json_line = taken(&|row| contract.read_json(&Value::Object(row.clone()).to_string(), "").is_ok());
    let csv_line = taken(&|row| {
        let plain = |value: &Value| value.as_str().map_or_else(|| field(value), str::to_owned);
        let fields: Vec<(&str, String)> = row.iter().map(|(name, value)| (name.as_str(), plain(value))).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
        contract.read_text(&fields, "").is_ok()
    });
    assert!(json.len() > ROWS / 20 && json.len() < ROWS / 2, "the case decides something: {}", json.len());

    let line = |row: &Map<String, Value>| row.values().map(field).collect::<Vec<_>>().join(",") + "\n";
    let csv: String = std::iter::once(names.join(",") + "\n").chain(rows.iter().map(line)).collect();
    let ndjson: String = rows.iter().map(|row| Value::Object(row.clone()).to_string() + "\n").collect();
    std::fs::write(folder.path().join("rows.csv"), csv).unwrap();
    std::fs::write(folder.path().join("rows.ndjson"), ndjson).unwrap();
    write_batch(&folder.path().join("rows.parquet"), &batch(&rows)).unwrap();

    let say = |at: &usize| {
        let shown = |value: &Value| value.to_string().chars().take(40).collect::<String>();
        let fields: Vec<String> = rows[*at].iter().map(|(name, value)| format!("{name}={}", shown(value))).collect();
        format!("row {at}: {}", fields.join(" "))
    };
    for (form, verdict) in [("JSON lines sent", json_line), ("CSV sent", csv_line)] {
        let apart: Vec<String> = json.symmetric_difference(&verdict).map(say).collect();
        assert!(apart.is_empty(), "JSON and {form}:\n{}", apart.join("\n"));
    }
    for file in ["rows.csv", "rows.ndjson", "rows.parquet"] {
        let out = folder.path().join(format!("out.{file}"));
        std::fs::create_dir_all(&out).unwrap();
        let verdict = kept(&domain, &folder.path().join(file), &out).await;
        // A data frame's column of numbers has no whole number beyond 2^53.
        let beyond = |at: &&usize| {
            let count = &rows[**at]["count"];
            file.ends_with("parquet") && count.as_f64().is_some_and(|count| count.abs() >= 9_007_199_254_740_992.0)
        };
        let apart: Vec<String> = json.symmetric_difference(&verdict).filter(|at| !beyond(at)).map(say).collect();
        assert!(apart.is_empty(), "JSON sent and {file}:\n{}", apart.join("\n"));
    }
}
