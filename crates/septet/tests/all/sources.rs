//! Sources in every form, whole and spoiled: nothing is lost, and errors name the place.

use crate::machine::Machine;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Write as _;

const HEADER: &str = "payment_id,paid_at,customer_id,terminal_id,amount,is_fraud\n";

/// Rows of sound payments, one a line, the amount with the given decimal sign.
fn rows(count: usize) -> Vec<[String; 6]> {
    let row = |at: usize| {
        let minutes = at * 7;
        [
            format!("P{at:05}"),
            format!("2026-01-{:02} {:02}:{:02}:00", 1 + minutes / 1440, minutes / 60 % 24, minutes % 60),
            format!("C{}", at % 17),
            format!("Tür{}", at % 5),
            format!("{}.{:02}", at % 90, at % 100),
            at.is_multiple_of(13).to_string(),
        ]
    };
    (0..count).map(row).collect()
}

fn csv(rows: &[[String; 6]]) -> String {
    rows.iter().fold(HEADER.to_owned(), |mut text, row| {
        writeln!(text, "{}", row.join(",")).unwrap();
        text
    })
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn extract(machine: &Machine, source: &str, layout: &str, run: &str) -> Value {
    machine.json(&["step", "fraud", "extract", "--run", run, "--source", source, "--layout", layout, "--json"])
}

/// The error, and no table left behind.
fn extract_error(machine: &Machine, source: &str, layout: &str) -> String {
    let run: String =
        source.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).chain(layout.chars()).collect();
    let error = machine.error(&["step", "fraud", "extract", "--run", &run, "--source", source, "--layout", layout]);
    assert!(!machine.home().join("runs/fraud").join(&run).join("tables").exists(), "{source} left a table");
    error
}

#[test]
fn the_same_rows_in_any_form_give_the_same_table() {
    let machine = Machine::new();
    let rows = rows(500);
    let plain = csv(&rows);
    machine.write("plain.csv", &plain);
    machine.write("packed.csv.gz", gzip(plain.as_bytes()));
    machine.write("packed.csv.zst", zstd::encode_all(plain.as_bytes(), 1).unwrap());
    machine.write("part-1.csv", csv(&rows[..200]));
    machine.write("part-2.csv", csv(&rows[200..]));
    let json: String = rows.iter().fold(String::new(), |mut text, row| {
        let [id, at, customer, terminal, amount, fraud] = row;
        writeln!(text, r#"{{"is_fraud":{fraud},"payment_id":"{id}","paid_at":"{at}","customer_id":"{customer}","terminal_id":"{terminal}","amount":{amount}}}"#).unwrap();
        text
    });
    machine.write("lines.ndjson", &json);
    machine.write("lines.ndjson.gz", gzip(json.as_bytes()));
    let german: String = plain.lines().skip(1).fold(
        "payment_id;paid_at;customer_id;terminal_id;amount;is_fraud\n".to_owned(),
        |mut text, line| {
            let fields: Vec<&str> = line.split(',').collect();
            writeln!(
                text,
                "{};{};{};'{}';{};{}",
                fields[0],
                fields[1],
                fields[2],
                fields[3],
                fields[4].replace('.', ","),
                fields[5]
            )
            .unwrap();
            text
        },
    );
    let latin: Vec<u8> = german.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    machine.write("german.csv", latin);
    let layout = "[layout.demo]\n";
    let german_layout = "[layout.german]\ndelimiter = \";\"\nquote = \"'\"\ndecimal = \",\"\nencoding = \"windows-1252\"\n\n[layout.demo]\n";
    let domains = crate::machine::copied_domain(&machine, "fraud", "fraud", &[("domain.toml", layout, german_layout)]);
    machine.write("domains/fraud/sources/german.sql", "SELECT * FROM source");
    let expected = extract(&machine, "plain.csv", "demo", "r0");
    assert_eq!((expected["rows_in"].as_u64(), expected["rows_out"].as_u64()), (Some(500), Some(500)));
    for (at, source) in
        ["packed.csv.gz", "packed.csv.zst", "part-*.csv", "lines.ndjson", "lines.ndjson.gz"].iter().enumerate()
    {
        let found = extract(&machine, source, "demo", &format!("r{}", at + 1));
        assert_eq!(found["fingerprint"], expected["fingerprint"], "{source}");
    }
    let parquet = machine.home().join("runs/fraud/r0/tables/payments.parquet");
    let found = extract(&machine, &parquet.display().to_string(), "demo", "p");
    assert_eq!(found["fingerprint"], expected["fingerprint"], "parquet");
    let words = [
        "--domains",
        &domains.display().to_string(),
        "step",
        "fraud",
        "extract",
        "--run",
        "g",
        "--source",
        "german.csv",
        "--layout",
        "german",
        "--json",
    ];
    assert_eq!(machine.json(&words)["fingerprint"], expected["fingerprint"], "german");
}

#[test]
fn every_row_that_breaks_the_contract_is_in_quarantine_with_place_and_reason() {
    let machine = Machine::new();
    let mut lines: Vec<String> = csv(&rows(200)).lines().map(str::to_owned).collect();
    lines[3] = "P00002,yesterday,C1,T1,1.0,false".into();
    lines[10] = "P00009,2026-01-01 00:00:00,C1,T1,-4,false".into();
    lines[20] = "P00019,2026-01-01 00:00:00,,T1,4,false".into();
    lines[30] = "P00000,2026-01-01 00:00:00,C1,T1,4,false".into();
    lines[40] = "P00039,2026-01-01 00:00:00,C1,T1".into();
    lines[50] = "P00049,2026-01-01 00:00:00,C1,T1,\"4,5\",false".into();
    lines[60] = "P00059,2026-01-01 00:00:00,C1,T1,inf,false".into();
    lines[70] = "P00069,2026-01-01 00:00:00,C1,T1,4,perhaps".into();
    machine.write("spoiled.csv", lines.join("\n"));
    let report = extract(&machine, "spoiled.csv", "demo", "r1");
    let count = |key: &str| report[key].as_u64().unwrap();
    assert_eq!((count("rows_in"), count("rows_out"), count("quarantined")), (200, 192, 8));
    for step in ["transform", "load"] {
        machine.ok(&["step", "fraud", step, "--run", "r1"]);
    }
    let query = "SELECT row, \"column\", value, reason FROM quarantine ORDER BY row";
    let found: Vec<String> =
        machine.ok(&["sql", "fraud", query, "--format", "csv"]).lines().skip(1).map(str::to_owned).collect();
    let expected = [
        "3,paid_at,yesterday,type",
        "10,amount,-4,range",
        "20,customer_id,,required",
        "30,payment_id,P00000,duplicate_key",
        "40,,\"P00039,2026-01-01 00:00:00,C1,T1\",unparseable",
        "50,amount,\"4,5\",type",
        "60,amount,inf,type",
        "70,is_fraud,perhaps,type",
    ];
    assert_eq!(found, expected);
}

#[test]
fn too_many_broken_rows_fail_the_run_and_leave_the_published_tables() {
    let machine = Machine::new();
    machine.ok(&["run", "fraud", "--small", "--json"]);
    let before = machine.number(&["fraud", "SELECT count(*) AS n FROM payments"]);
    let broken: Vec<String> = csv(&rows(200))
        .lines()
        .enumerate()
        .map(|(at, line)| if at % 10 == 5 { line.replace("2026-", "x-") } else { line.to_owned() })
        .collect();
    machine.write("broken.csv", broken.join("\n"));
    let error = machine.error(&["run", "fraud", "--source", "broken.csv", "--layout", "demo"]);
    assert!(
        error.contains("20 of 200 rows of `payments` break the contract")
            && error.contains("type of `paid_at` (20 rows)"),
        "{error}"
    );
    assert_eq!(machine.number(&["fraud", "SELECT count(*) AS n FROM payments"]), before);
}

#[test]
fn a_damaged_or_missing_source_is_an_error_that_names_the_place() {
    let machine = Machine::new();
    let whole = gzip(csv(&rows(20_000)).as_bytes());
    machine.write("cut.csv.gz", &whole[..whole.len() / 2]);
    machine.write("empty.csv", "");
    machine.write("header.csv", HEADER);
    machine.write("short.csv", "payment_id,paid_at,customer_id,terminal_id,amont,is_fraud\nP1,2026-01-01,C,T,1,true\n");
    machine.write("required.csv", "payment_id,paid_at,customer_id,terminal_id\nP1,2026-01-01,C,T\n");
    machine.write("own.sql", "SELECT payment_id, paid_at, customer_id, terminal_id FROM source");
    machine.write("twice.csv", "a,a\n1,2\n");
    machine.write("text.xlsx", "x");
    machine.write("not.parquet", "x");
    for (source, layout, expected) in [
        ("cut.csv.gz", "demo", vec!["`cut.csv.gz` ends in the middle", "after row", "cut short"]),
        ("empty.csv", "demo", vec!["`empty.csv` has no rows", "begins with a header"]),
        ("header.csv", "demo", vec!["`header.csv` has no rows", "a header and nothing else"]),
        ("short.csv", "demo", vec!["sources/demo.sql:1:", "amount"]),
        ("required.csv", "own.sql", vec!["`required.csv`: delivers no column `amount`"]),
        ("twice.csv", "demo", vec!["two columns called `a`"]),
        ("text.xlsx", "demo", vec!["`.xlsx` is not a known ending"]),
        ("not.parquet", "demo", vec!["`not.parquet`"]),
        ("nothing.csv", "demo", vec!["`nothing.csv` cannot be opened: there is no such file"]),
        ("ftp://host/x.csv", "demo", vec!["`ftp://` is not known"]),
        ("empty.csv", "dmeo", vec!["there is no layout `dmeo`", "did you mean `demo`?"]),
    ] {
        let error = extract_error(&machine, source, layout);
        for part in expected {
            assert!(error.contains(part), "{source}: expected `{part}` in\n{error}");
        }
    }
    assert!(machine.error(&["run", "fraud", "--source", "empty.csv"]).contains("a source needs its layout"));
}

#[test]
fn a_stray_quotation_mark_costs_its_own_row() {
    let machine = Machine::new();
    let mut lines: Vec<String> = csv(&rows(5_000)).lines().map(str::to_owned).collect();
    lines[100] = "P00099,2026-01-01 00:00:00,\"C1,T1,4,false".into();
    lines[4_999] = lines[4_999].replace(",C", ",\"C");
    machine.write("open.csv", lines.join("\n"));
    let report = extract(&machine, "open.csv", "demo", "r1");
    let count = |key: &str| report[key].as_u64().unwrap();
    assert_eq!((count("rows_in"), count("rows_out"), count("quarantined")), (5_000, 4_998, 2));
}

#[test]
fn a_failed_extract_shows_a_row_and_how_to_see_the_others() {
    let machine = Machine::new();
    let trailing: String = csv(&rows(30)).lines().enumerate().fold(String::new(), |mut text, (at, line)| {
        writeln!(text, "{line}{}", if at > 0 { "," } else { "" }).unwrap();
        text
    });
    machine.write("trailing.csv", trailing);
    let words = ["step", "fraud", "extract", "--run", "r7", "--source", "trailing.csv", "--layout", "demo"];
    let error = machine.error(&words);
    for part in [
        "unparseable (30 rows); such as row 1 of `trailing.csv`: line 2 has 7 fields, expected 6; the last is empty",
        "septet sql fraud --run r7 \"SELECT * FROM quarantine\"",
    ] {
        assert!(error.contains(part), "expected `{part}` in\n{error}");
    }
    assert!(!error.contains("P00000"), "a line may hold personal values: {error}");
}

#[test]
fn a_repeated_extract_never_changes_published_tables() {
    let machine = Machine::new();
    machine.write("a.csv", csv(&rows(300)));
    let words = ["step", "fraud", "extract", "--run", "r1", "--source", "a.csv", "--layout", "demo"];
    machine.ok(&words);
    machine.ok(&["step", "fraud", "transform", "--run", "r1"]);
    machine.ok(&["step", "fraud", "load", "--run", "r1"]);
    machine.write("a.csv", csv(&rows(200)));
    assert!(machine.error(&words).contains("run `r1` began with another source"));
    assert_eq!(machine.number(&["fraud", "SELECT count(*) AS n FROM payments"]), 300.0);
}

#[test]
fn columns_beyond_the_contract_become_features_by_themselves() {
    let machine = Machine::new();
    machine.ok(&["step", "fraud", "extract", "--run", "r0", "--small"]);
    let demo = std::fs::read_to_string(machine.home().join("demo/payments.small.csv")).unwrap();
    let extended: String = demo
        .lines()
        .enumerate()
        .map(|(at, line)| match at {
            0 => format!("{line},channel,score,constant,note\n"),
            _ => format!("{line},{},{},same,note {at}\n", ["chip", "online", "swipe"][at % 3], at % 7),
        })
        .collect();
    machine.write("extended.csv", extended);
    machine.write("all.sql", "SELECT * FROM source");
    let report = machine.judged(&["run", "fraud", "--source", "extended.csv", "--layout", "all.sql", "--json"]);
    let manifest = machine.home().join("models/fraud").join(report["version"].as_str().unwrap()).join("manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    assert_eq!(manifest["extras"], serde_json::json!(["channel", "score"]));
    let kind = |name: &str| {
        manifest["features"].as_array().unwrap().iter().find(|feature| feature["name"] == name).unwrap()["kind"].clone()
    };
    assert_eq!((kind("channel"), kind("score")), ("category".into(), "number".into()));
    let parity = report["gates"].as_array().unwrap().iter().find(|gate| gate["name"] == "batch_equals_online").unwrap();
    assert_eq!(parity["passed"], true, "{parity}");
}

#[test]
fn columns_of_the_types_that_data_frames_write_end_with_a_version() {
    use septet_tables::arrow::array::{Array, ArrayRef, Int64Array, RecordBatch};
    use septet_tables::arrow::compute::cast;
    use septet_tables::arrow::datatypes::{DataType, TimeUnit};
    use std::sync::Arc;
    let machine = Machine::new();
    machine.ok(&["step", "fraud", "extract", "--run", "r0", "--small"]);
    let demo = septet_tables::read_batch(&machine.home().join("runs/fraud/r0/tables/payments.parquet")).unwrap();
    let whole: ArrayRef = Arc::new((0..demo.num_rows() as i64).map(|at| Some(at % 7)).collect::<Int64Array>());
    let of = |kind: DataType| cast(&whole, &kind).unwrap();
    let category = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("i32", of(DataType::Int32)),
        ("u8", of(DataType::UInt8)),
        ("f32", of(DataType::Float32)),
        ("price", of(DataType::Decimal128(10, 2))),
        ("category", cast(&of(DataType::Utf8), &category).unwrap()),
        ("at", of(DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())))),
        ("took", of(DataType::Duration(TimeUnit::Second))),
        ("nothing", septet_tables::arrow::array::new_null_array(&DataType::Null, whole.len())),
    ];
    let own = demo
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .zip(demo.columns().to_vec())
        .collect::<Vec<_>>();
    let all = own.into_iter().chain(columns.into_iter().map(|(name, column)| (name.to_owned(), column)));
    let batch = RecordBatch::try_from_iter_with_nullable(all.map(|(name, column)| (name, column, true))).unwrap();
    septet_tables::write_batch(&machine.path("frame.parquet"), &batch).unwrap();
    machine.write("all.sql", "SELECT * FROM source");
    let report = machine.json(&["run", "fraud", "--source", "frame.parquet", "--layout", "all.sql", "--json"]);
    let manifest = machine.home().join("models/fraud").join(report["version"].as_str().unwrap()).join("manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    assert_eq!(manifest["extras"], serde_json::json!(["i32", "u8", "f32", "price", "category"]));
}

#[test]
fn a_postgres_query_is_a_source() {
    let Ok(url) = std::env::var("SEPTET_TEST_POSTGRES") else {
        return eprintln!("skipped: PostgreSQL (SEPTET_TEST_POSTGRES is not set)");
    };
    let machine = Machine::new();
    // Generated by the server itself: the test needs no client.
    let query = "SELECT 'P' || n AS payment_id, timestamp '2026-01-01' + n * interval '1 hour' AS paid_at, 'C' || n % 9 AS customer_id, \
                 CASE WHEN n = 7 THEN NULL ELSE 'T' || n % 5 END AS terminal_id, n / 10.0 AS amount, n % 11 = 0 AS is_fraud \
                 FROM generate_series(1, 500) n";
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let report = extract(&machine, &format!("{url}?query={encoded}"), "demo", "r1");
    let count = |key: &str| report[key].as_u64().unwrap();
    assert_eq!((count("rows_in"), count("rows_out"), count("quarantined")), (500, 499, 1));
    let error = extract_error(&machine, &format!("{url}?table=nothing"), "demo");
    assert!(error.contains("\"nothing\" does not exist"), "{error}");
    let error = extract_error(&machine, "postgres://me:geheim@127.0.0.1:1/x?table=t", "demo");
    assert!(error.contains("cannot be opened") && !error.contains("geheim"), "{error}");
}

#[test]
fn a_postgres_query_is_the_same_whatever_the_server_is_set_to() {
    let Ok(url) = std::env::var("SEPTET_TEST_POSTGRES") else {
        return eprintln!("skipped: PostgreSQL (SEPTET_TEST_POSTGRES is not set)");
    };
    let machine = Machine::new();
    machine.write("all.sql", "SELECT * FROM source");
    let query = "SELECT 'P' || n AS payment_id, timestamptz '2026-01-02 03:04:05.25+00' + n * interval '1 hour' AS paid_at, \
                 'C' || n % 9 AS customer_id, CASE WHEN n = 2 THEN '\\N' ELSE '00' || n END AS terminal_id, \
                 0.30000000000000104::float8 * n AS amount, n % 11 = 0 AS is_fraud, 9007199254740993 + n AS long, \
                 '0742'::text AS code, n::numeric(10, 2) AS price, date '2026-02-03' AS day, interval '1 day' * n AS took, \
                 '\\x00ff'::bytea AS bytes, CASE WHEN n = 3 THEN NULL ELSE 1.5::float8 END AS gap FROM generate_series(1, 40) n";
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut fingerprints = std::collections::BTreeSet::new();
    let settings = [
        "",
        "-c datestyle=German",
        "-c datestyle=SQL,MDY -c timezone=Asia/Tokyo",
        "-c datestyle=Postgres -c intervalstyle=iso_8601 -c bytea_output=escape",
        "-c extra_float_digits=-10",
    ];
    for (at, options) in settings.iter().enumerate() {
        let options: String = options.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let source = format!("{url}?query={encoded}&options={options}");
        let report = extract(&machine, &source, "all.sql", &format!("r{at}"));
        assert_eq!(report["rows_out"], 40, "{report}");
        fingerprints.insert(report["fingerprint"].to_string());
    }
    assert_eq!(fingerprints.len(), 1, "{fingerprints:?}");
    let table = machine.home().join("runs/fraud/r4/tables/payments.parquet");
    let one = |sql: &str| machine.number(&[&format!("{sql} FROM '{}'", table.display())]);
    assert_eq!(one("SELECT count(*) FILTER (WHERE terminal_id = '\\N')"), 1.0);
    assert_eq!(one("SELECT count(DISTINCT long)"), 40.0);
    assert_eq!(one("SELECT CAST(max(long) - 9007199254740993 AS DOUBLE)"), 40.0);
    assert_eq!(one("SELECT max(amount)"), 40.0 * 0.300_000_000_000_001_04);
    assert_eq!(one("SELECT count(*) FILTER (WHERE code = '0742')"), 40.0);
    assert_eq!(one("SELECT sum(price) + count(gap)"), 859.0);
}

#[test]
fn objects_of_an_s3_server_are_a_source() {
    let Ok(endpoint) = std::env::var("SEPTET_TEST_S3") else {
        return eprintln!("skipped: S3 (SEPTET_TEST_S3 is not set)");
    };
    let mut machine = Machine::new();
    let rows = rows(300);
    put(&endpoint, "/septet-test", b"");
    put(&endpoint, "/septet-test/in/a.csv", csv(&rows[..100]).as_bytes());
    put(&endpoint, "/septet-test/in/b.csv", csv(&rows[100..]).as_bytes());
    for (name, value) in [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "y"),
        ("AWS_REGION", "us-east-1"),
    ] {
        machine.environment.insert(name.to_owned(), value.to_owned());
    }
    machine.write("local.csv", csv(&rows));
    let local = extract(&machine, "local.csv", "demo", "r1");
    assert_eq!(extract(&machine, "s3://septet-test/in/*.csv", "demo", "r2")["fingerprint"], local["fingerprint"]);
    assert_eq!(extract(&machine, "s3://septet-test/in/a.csv", "demo", "r3")["rows_in"], 100);
    let error = extract_error(&machine, "s3://septet-test/none.csv", "demo");
    assert!(error.contains("s3://septet-test/none.csv"), "{error}");
}

/// A plain HTTP PUT, as moto takes it: bucket or object.
fn put(endpoint: &str, path: &str, body: &[u8]) {
    use std::io::Read;
    let address = endpoint.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
