//! Marked values in every personal column, and in columns that nobody declared, go through all that the program does; then every
//! byte that it wrote, sent and printed is searched for them.

use crate::http::Server;
use crate::machine::{Machine, copied_domain, tree};
use septet_demo::{Size, demo_source};
use serde_json::{Value, json};
use std::path::Path;

/// In every marked value, and in nothing else.
const MARK: &str = "qzmark";
/// The seed of every demo.
const SEED: u64 = 42;
/// What the source brings that nobody declared.
const BEYOND: &str = "contact, note, branch";
/// Rows sent, so many that monitoring takes them for the newest data.
const ROWS_SENT: usize = 260;

struct Canary {
    domain: &'static str,
    input: &'static str,
    /// Personal columns; the one of free text keeps its words and gets one more.
    personal: &'static [&'static str],
    free_text: Option<&'static str>,
    changes: &'static [(&'static str, &'static str, &'static str)],
    /// The layout's text before which the further columns are asked for, and the one that breaks it.
    select: (&'static str, &'static str, &'static str),
    request: fn(usize) -> Value,
}

#[test]
fn no_personal_value_of_a_payment_leaves_the_tables() {
    search(&Canary {
        domain: "fraud",
        input: "payments",
        personal: &["customer_id"],
        free_text: None,
        changes: &[
            ("domain.toml", "baselines = [\"prior\", \"linear\"]", "baselines = [\"prior\"]"),
            ("domain.toml", "trees = [200, 300, 400]", "trees = [60]"),
            ("cases/payments.json", "\"probability_min\": 0.1", "\"probability_min\": 0.0"),
            ("domain.toml", "[gates]\n", "[gates]\ncalibration_error_max = 1\nparity_rows = 200\n"),
        ],
        select: ("is_fraud FROM source", "is_fraud, ", " FROM source"),
        request: |row| {
            json!({
                "payment_id": format!("sent{row}"), "paid_at": format!("2026-05-04T{:02}:{:02}:00Z", row / 60, row % 60),
                "customer_id": format!("{MARK}C{}", row % 7), "terminal_id": "t1", "amount": 20 + row,
                "contact": format!("{MARK}{row}@example.org"), "note": format!("{MARK}{row} called twice"), "branch": "north",
            })
        },
    });
}

#[test]
fn no_personal_value_of_a_review_leaves_the_tables() {
    search(&Canary {
        domain: "restaurant",
        input: "reviews",
        personal: &["guest_id", "text"],
        free_text: Some("text"),
        changes: &[
            ("domain.toml", "port = 8006", "port = 8001"),
            ("domain.toml", "baselines = [\"prior\", \"linear\"]", "baselines = [\"prior\"]"),
            (
                "domain.toml",
                "[decision]\n",
                "[gates]\ncalibration_error_max = 1\nparity_rows = 200\nprediction_us_max = 5000\nexplanation_us_max = 5000\n\n[decision]\n",
            ),
            ("domain.toml", "flags_per_day = 10", "flags_per_day = 2"),
            ("domain.toml", "flags_per_day = 30", "flags_per_day = 6"),
        ],
        select: ("END AS is_negative\nFROM source", "END AS is_negative, ", " FROM source"),
        request: |row| {
            json!({
                "review_id": format!("sent{row}"), "business_id": "B001",
                "posted_at": format!("2026-06-20T{:02}:{:02}:00Z", row / 60, row % 60), "stars": 1,
                "text": format!("Cold soup and a rude waiter, {MARK}{row} said. Never again!"),
                "guest_id": format!("{MARK}G{row}"), "contact": format!("{MARK}{row}@example.org"),
                "note": format!("{MARK}{row} called twice"), "branch": "north",
            })
        },
    });
}

#[test]
fn no_personal_value_of_an_order_leaves_the_tables() {
    search(&Canary {
        domain: "ecommerce",
        input: "order_lines",
        personal: &["customer_id"],
        free_text: None,
        changes: &[("domain.toml", "[gates]\n", "[gates]\nexplanation_us_max = 50000\n")],
        select: ("country FROM source", "country, ", " FROM source"),
        request: |row| json!({ "customer_id": format!("{MARK}{}", row + 1) }),
    });
}

fn search(canary: &Canary) {
    let machine = Machine::new();
    let (before, list, after) = canary.select;
    let more = format!("{list}{BEYOND}{after}");
    let mut changes = canary.changes.to_vec();
    changes.push(("sources/demo.sql", before, &more));
    let domains = copied_domain(&machine, canary.domain, canary.domain, &changes).display().to_string();
    let source = machine.write("marked.csv", marked(canary)).display().to_string();
    let mut heard: Vec<(String, String)> = Vec::new();
    let run = ["--domains", &domains, "run", canary.domain, "--source", &source, "--layout", "demo"];
    hear(&mut heard, &machine, &run);
    assert!(machine.ok(&["--domains", &domains, "models", canary.domain]).contains("champion"), "{heard:?}");
    let told = &heard[0].1;
    for column in ["contact", "note"].iter().filter(|_| canary.domain != "ecommerce") {
        assert!(told.contains(&format!("left out: {column}, personal")), "{told}");
    }

    let log = machine.path("service.log");
    let server = Server::start_logged(&machine, &["--domains", &domains], canary.domain, &log);
    ask(canary, &server, &mut heard);
    let page = machine.path("page.html").display().to_string();
    for words in [&["monitor", canary.domain, "--html", &page][..], &["alerts"], &["models", canary.domain, "--json"]] {
        hear(&mut heard, &machine, &[&["--domains", &domains], words].concat());
    }
    look(&server, &mut heard);
    assert!(server.terminate());
    let broken =
        machine.write("broken.sql", format!("SELECT *, CAST({} AS BIGINT) AS n FROM source", canary.personal[0]));
    let broken =
        ["--domains", &domains, "run", canary.domain, "--source", &source, "--layout", &broken.display().to_string()];
    hear(&mut heard, &machine, &broken);
    heard.push(("service.log".to_owned(), std::fs::read_to_string(log).unwrap()));
    heard.push(("page.html".to_owned(), std::fs::read_to_string(page).unwrap()));

    let told: Vec<String> =
        heard.iter().filter_map(|(what, text)| around(text.as_bytes()).map(|at| format!("{what}: {at}"))).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    let allowed = allowed_places();
    let mut places = Vec::new();
    for (path, bytes) in tree(&machine.home()) {
        let found = around(&bytes)
            .or_else(|| path.ends_with(".parquet").then(|| around(decoded(&machine, &path).as_bytes())).flatten());
        let Some(found) = found else { continue };
        if !allowed.iter().any(|pattern| is_like(&path, pattern)) {
            places.push(format!("{path}: {found}"));
        }
    }
    assert!(places.is_empty(), "not in docs/personal-data.md:\n{}", places.join("\n"));
}

/// The small demo with marks in its personal columns and with columns that nobody declared.
fn marked(canary: &Canary) -> String {
    let mut plain = Vec::new();
    (demo_source(canary.input).unwrap().write)(&mut plain, Size::Small, SEED, &mut |_, _| {}).unwrap();
    let plain = String::from_utf8(plain).unwrap();
    let mut rows = records(&plain).into_iter();
    let names = rows.next().unwrap();
    let mut text = format!("{},contact,note,branch\n", names.join(","));
    for (row, mut cells) in rows.enumerate() {
        for (name, cell) in names.iter().zip(&mut cells).filter(|(name, _)| canary.personal.contains(&name.as_str())) {
            match cell.is_empty() {
                true => {}
                false if canary.free_text == Some(name) => *cell = format!("{cell} {MARK}{row}"),
                false => *cell = format!("{MARK}{cell}"),
            }
        }
        cells.push(format!("{MARK}{}@example.org", row % 500));
        cells.push(format!("{MARK}{} called about it", row / 2));
        cells.push(["north", "south"][row / 3 % 2].to_owned());
        let quoted: Vec<String> = cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
        text.push_str(&format!("{}\n", quoted.join(",").replace("\"\",", ",")));
    }
    text
}

/// Records of a CSV text.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut all, mut record, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                all.push(std::mem::take(&mut record));
            }
            '\r' if !quoted => {}
            other => cell.push(other),
        }
    }
    all
}

/// What a command prints, whether it succeeds or not.
fn hear(heard: &mut Vec<(String, String)>, machine: &Machine, words: &[&str]) {
    let output = machine.run(words);
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    heard.push((format!("septet {}", words[2..].join(" ")), text));
}

/// Sends requests that are answered and such that are not. What is answered goes to whoever sent it.
fn ask(canary: &Canary, server: &Server, heard: &mut Vec<(String, String)>) {
    let lines: Vec<String> = (0..ROWS_SENT).map(|row| (canary.request)(row).to_string()).collect();
    let ndjson = [("content-type", "application/x-ndjson")];
    let batch = server.ask("POST", "/predict/batch", &ndjson, &lines.join("\n"));
    assert_eq!(batch.status, 200, "{}", batch.body);
    for (name, wrong) in [("no row", Value::Null), ("another type", json!({ MARK: 1 })), ("a list", json!([MARK]))] {
        let mut request = (canary.request)(ROWS_SENT);
        let first = request.as_object().unwrap().keys().next().unwrap().clone();
        request[first] = wrong;
        let reply = server.post("/predict?explain=full", &request.to_string());
        assert!(reply.status >= 400, "{name}: {}", reply.body);
        // A problem tells what is wrong, not what was sent; the name of a field that is not known it repeats.
        heard.push((format!("POST /predict with {name}"), reply.body));
    }
    let strange = format!("{{\"{}", MARK);
    heard.push(("POST /predict without an end".to_owned(), server.post("/predict", &strange).body));
    let outcome = json!({ "payment_id": MARK, "is_fraud": MARK, "review_id": MARK, "is_negative": MARK });
    heard.push(("POST /feedback".to_owned(), server.post("/feedback", &outcome.to_string()).body));
}

/// Every page that a service has.
fn look(server: &Server, heard: &mut Vec<(String, String)>) {
    let document = server.get("/openapi.json");
    // All built-in domains come by here.
    crate::document::check_document(&document.json());
    let paths = document.json()["paths"].clone();
    heard.push(("GET /openapi.json".to_owned(), document.body));
    for (path, _) in paths.as_object().unwrap().iter().filter(|(_, operations)| operations["get"].is_object()) {
        let reply = server.get(path);
        assert!(reply.status < 500, "{path}: {}", reply.body);
        heard.push((format!("GET {path}"), reply.body));
    }
}

/// What stands around a mark.
fn around(bytes: &[u8]) -> Option<String> {
    let at = bytes.windows(MARK.len()).position(|part| part == MARK.as_bytes())?;
    let part = &bytes[at.saturating_sub(120)..(at + 60).min(bytes.len())];
    Some(String::from_utf8_lossy(part).into_owned())
}

/// A Parquet file's rows, as text.
fn decoded(machine: &Machine, path: &str) -> String {
    let file = machine.home().join(path).display().to_string();
    machine.ok(&["--json", "sql", &format!("SELECT * FROM '{file}'")])
}

/// The table of docs/personal-data.md.
fn allowed_places() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/personal-data.md");
    let text = std::fs::read_to_string(page).unwrap();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`')).map(|(pattern, _)| pattern.to_owned()).collect()
}

/// `DOMAIN`, `RUN` and their like stand for one folder or file name without its ending.
fn is_like(path: &str, pattern: &str) -> bool {
    let fits = |part: &str, like: &str| {
        let name = like.split_once('.').map_or(like, |(name, _)| name);
        let any = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
        let ending = like.strip_prefix(name).unwrap_or_default();
        part == like || any && part.strip_suffix(ending).is_some_and(|rest| !rest.is_empty())
    };
    let (parts, likes): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), pattern.split('/').collect());
    parts.len() == likes.len() && parts.iter().zip(likes).all(|(part, like)| fits(part, like))
}
