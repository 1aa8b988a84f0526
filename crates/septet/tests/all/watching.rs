//! Watching: what is found, whom it reaches and how often, what a person does with it, and the grade of the whole.

use crate::http::Server;
use crate::machine::Machine;
use crate::serving::{make_champion, make_champion_with};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PAGE_BYTES_MAX: u64 = 300_000;

/// The published payments once more, without some: published as a new run beside the same champion.
fn publish_without(machine: &Machine, domains: &str, name: &str, gone: impl Fn(usize, &str) -> bool) {
    let columns = "payment_id, paid_at, customer_id, terminal_id, amount, is_fraud";
    let query = format!("SELECT {columns} FROM payments ORDER BY paid_at");
    let text = machine.ok(&["--domains", domains, "sql", "--format", "csv", "fraud", &query]);
    let newest = text.lines().last().unwrap().split(',').nth(1).unwrap().to_owned();
    let mut kept: Vec<&str> = Vec::new();
    for (row, line) in text.lines().enumerate() {
        if row == 0 || !gone(row, days_before(line, &newest)) {
            kept.push(line);
        }
    }
    let file = machine.write(&format!("{name}.csv"), kept.join("\n") + "\n").display().to_string();
    let layout = machine.write("as_it_is.sql", format!("SELECT {columns} FROM source")).display().to_string();
    let source = ["--run", name, "--source", &file, "--layout", &layout];
    for step in [&["extract"][..], &["transform"], &["load", "--refresh", "--accept"]] {
        machine.ok(&[&["--domains", domains, "step", "fraud"], step, &source[..]].concat());
    }
}

/// `recent` for rows of the last five days, else `old`.
fn days_before<'a>(line: &str, newest: &str) -> &'a str {
    let day = |time: &str| {
        let date: Vec<i64> =
            time.get(..10).unwrap_or_default().split('-').filter_map(|part| part.parse().ok()).collect();
        // Days since a day that is long past; months are taken for 31 days, which only widens a gap at their ends.
        date.first().unwrap_or(&0) * 372 + date.get(1).unwrap_or(&0) * 31 + date.get(2).unwrap_or(&0)
    };
    let time = line.split(',').nth(1).unwrap_or_default();
    if day(newest) - day(time) < 5 { "recent" } else { "old" }
}

fn monitored(machine: &Machine, domains: &str) -> Value {
    machine.json(&["--domains", domains, "--json", "monitor", "fraud"])
}

fn alerts(machine: &Machine) -> Value {
    machine.json(&["--json", "alerts", "fraud", "--all"])
}

/// Takes every POST and answers 204; what came is kept.
fn webhook_sink(port: u16) -> Arc<Mutex<Vec<(String, Value)>>> {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let came: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let kept = came.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Some(message) = take_post(stream) {
                kept.lock().unwrap().push(message);
            }
        }
    });
    came
}

fn take_post(mut stream: TcpStream) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut key, mut length, mut line) = (String::new(), 0, String::new());
    while reader.read_line(&mut line).ok()? > 2 {
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("idempotency-key: ") {
            key = value.trim().to_owned();
        }
        if let Some(value) = lower.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").ok()?;
    Some((key, serde_json::from_slice(&body).ok()?))
}

struct Sink(Child);

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A mail server of aiosmtpd's; every letter is a file in the folder.
fn mail_sink(machine: &Machine, python: &str, port: u16) -> Sink {
    let program = "\
import asyncio, sys, pathlib
from aiosmtpd.controller import Controller
class Keep:
    count = 0
    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        pathlib.Path(sys.argv[2], f'{Keep.count}.eml').write_bytes(envelope.content)
        return '250 kept'
Controller(Keep(), hostname='127.0.0.1', port=int(sys.argv[1])).start()
asyncio.new_event_loop().run_forever()
";
    let folder = machine.path("mail");
    std::fs::create_dir_all(&folder).unwrap();
    let child = Command::new(python).args(["-c", program, &port.to_string()]).arg(&folder).stdin(Stdio::null()).spawn();
    let sink = Sink(child.unwrap());
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(30), "the mail server does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    sink
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_gap_in_the_rows_is_found_with_its_day_and_reaches_people_once_even_if_they_were_away() {
    let mut machine = Machine::new();
    let Ok(python) = std::env::var("SEPTET_TEST_PYTHON") else {
        return eprintln!("skipped: the mail server (SEPTET_TEST_PYTHON is not set)");
    };
    // The sinks are down: the messages wait.
    let (web, mail) = (free_port(), free_port());
    for (name, value) in [
        ("SEPTET_ALERT_WEBHOOK", format!("http://127.0.0.1:{web}/token-that-is-secret")),
        ("SEPTET_ALERT_SMTP", format!("smtp://127.0.0.1:{mail}")),
        ("SEPTET_ALERT_TO", "ops@example.org".to_owned()),
    ] {
        machine.environment.insert(name.to_owned(), value);
    }
    let domains = make_champion(&machine, "fraud");
    let before = monitored(&machine, &domains);
    assert!(before["watched"]["rows"].as_u64().unwrap() > 1_000, "{}", before["watched"]);
    publish_without(&machine, &domains, "gap", |row, age| age == "recent" && row % 4 != 0);
    let found = monitored(&machine, &domains);
    let gap = found["findings"].as_array().unwrap().iter().find(|f| f["watch"] == "rows" && f["active"] == true);
    let gap = gap.unwrap_or_else(|| panic!("the gap was not found: {}", found["findings"]));
    assert!(!gap["evidence"].as_array().unwrap().is_empty());
    let listed = alerts(&machine);
    let rows = |listed: &Value| {
        let all = listed["alerts"].as_array().unwrap().clone();
        all.into_iter().find(|alert| alert["watch"] == "rows" && alert["status"] != "resolved").unwrap()
    };
    let id = rows(&listed)["alert_id"].as_str().unwrap().to_owned();
    let delivery = |listed: &Value, channel: &str| {
        let all = listed["deliveries"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["alert_id"] == id.as_str() && one["channel"] == channel).unwrap()
    };
    for channel in ["webhook", "mail"] {
        let waiting = delivery(&listed, channel);
        assert_eq!((&waiting["status"], &waiting["attempts"]), (&json!("waiting"), &json!(1)), "{waiting}");
        assert!(!waiting["error"].as_str().unwrap().contains("secret"), "{waiting}");
    }

    // They come up; the next try is due after fifteen seconds.
    let hooks = webhook_sink(web);
    let _mail = mail_sink(&machine, &python, mail);
    std::thread::sleep(Duration::from_secs(16));
    monitored(&machine, &domains);
    monitored(&machine, &domains);
    let listed = alerts(&machine);
    assert_eq!(delivery(&listed, "webhook")["status"], "sent", "{listed}");
    assert_eq!(delivery(&listed, "mail")["status"], "sent", "{listed}");
    let own =
        |hooks: &[(String, Value)]| hooks.iter().filter(|(_, body)| body["alert"]["alert_id"] == id.as_str()).count();
    assert_eq!(own(&hooks.lock().unwrap()), 1, "nothing arrives twice");
    assert!(hooks.lock().unwrap().iter().all(|(key, _)| key.starts_with("fraud.")));
    let letters: Vec<String> = std::fs::read_dir(machine.path("mail"))
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    let about = letters.iter().filter(|letter| letter.contains(&format!("fraud.{id}.opened@septet"))).count();
    assert_eq!(about, 1, "{letters:?}");
    assert!(letters.iter().any(|letter| letter.contains("To: ops@example.org") && letter.contains("Concerns:")));

    // A person takes it, and closes it; it does not open again while it lasts.
    machine.ok(&["alerts", "fraud", "--acknowledge", &id, "--by", "ann", "--note", "looking"]);
    assert_eq!(rows(&alerts(&machine))["changed_by"], "ann");
    machine.ok(&["alerts", "fraud", "--resolve", &id, "--by", "ann"]);
    assert!(machine.error(&["alerts", "fraud", "--resolve", &id]).contains("not resolved"));
    monitored(&machine, &domains);
    let still = alerts(&machine);
    let of_rows = still["alerts"].as_array().unwrap().iter().filter(|a| a["watch"] == "rows" && a["status"] == "open");
    assert_eq!(of_rows.count(), 0);
}

#[test]
fn a_look_is_a_page_a_table_and_json_and_a_question_about_another_time_changes_nothing() {
    let machine = Machine::new();
    let domains = make_champion(&machine, "fraud");
    let page = machine.path("page.html");
    let said = machine.ok(&["--domains", &domains, "monitor", "fraud", "--html", &page.display().to_string()]);
    assert!(said.contains("rows in 1d") && said.contains("average_precision"), "{said}");
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(
        page.metadata().unwrap().len() < PAGE_BYTES_MAX && html.contains("<svg") && html.contains("simulated data")
    );
    assert!(!html.contains("http://") && !html.contains("https://"), "the page needs no network");
    let before = alerts(&machine);
    let past = ["--as-of", "2026-03-20", "--reference-until", "2026-03-06"];
    let look = machine.json(&[&["--domains", &domains, "--json", "monitor", "fraud"], &past[..]].concat());
    assert!(look["as_of"].as_str().unwrap() <= "2026-03-20T23:59:59Z", "{}", look["as_of"]);
    assert_eq!(before, alerts(&machine));
    for watch in look["watches"].as_array().unwrap() {
        assert!(watch["unable"].is_string() || !watch["judged"].as_array().unwrap().is_empty(), "{watch}");
    }
    let error = machine.error(&["--domains", &domains, "monitor", "fraud", "--since", "yesterday"]);
    assert!(error.contains("--since `yesterday` is not a time"), "{error}");
}

#[test]
fn a_service_looks_by_itself_and_shows_what_it_found() {
    let machine = Machine::new();
    let domains = make_champion(&machine, "fraud");
    let server = Server::start(&machine, &["--domains", &domains]);
    let start = Instant::now();
    let performance = loop {
        let page = server.get("/monitoring/performance").json();
        if !page["performance"].is_null() {
            break page;
        }
        assert!(page["trouble"].is_null(), "{page}");
        assert!(start.elapsed() < Duration::from_secs(60), "no look after a minute");
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_eq!(performance["performance"][0]["name"], "average_precision");
    assert!(performance["watches"].as_array().unwrap().iter().any(|watch| watch["name"] == "new_terminal_id"));
    let drift = server.get("/monitoring/drift").json();
    assert_eq!(drift["look"]["drift"]["lines"], "learned");
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("septet_watch_value{domain=\"fraud\",watch=\"rows\"}"), "{metrics}");
    let listed = server.get("/monitoring/alerts").json();
    assert!(listed["alerts"].is_array() && listed["deliveries"].is_array());
    let unknown = server.post("/monitoring/alerts/none/acknowledge", "{\"by\": \"ann\"}");
    assert_eq!((unknown.status, unknown.json()["code"].as_str()), (404, Some("alert_unknown")));
    let unsigned = server.post("/monitoring/alerts/none/resolve", "{}");
    assert_eq!((unsigned.status, unsigned.json()["errors"][0]["pointer"].as_str()), (422, Some("/by")));
    assert!(server.get("/monitoring/system").json()["levels"].as_array().unwrap().len() >= 6);
}

#[test]
fn a_broken_demo_opens_the_right_alert_while_a_service_watches_and_mended_ends_it() {
    let machine = Machine::new();
    let domains = make_champion(&machine, "fraud");
    let words = |words: &[&str]| machine.json(&[&["--domains", &domains, "--json"], words].concat());
    let error = machine.error(&["--domains", &domains, "demo", "mend", "fraud"]);
    assert!(error.contains("is not broken"), "{error}");
    let champion = words(&["models", "fraud"]).to_string();
    let server = Server::start(&machine, &["--domains", &domains]);
    let open = |watch: &str| {
        let listed = server.get("/monitoring/alerts").json();
        let all = listed["alerts"].as_array().unwrap().clone();
        all.into_iter().find(|alert| alert["watch"] == watch && alert["status"] == "open")
    };
    let awaited = |what: &str, holds: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: not after a minute");
            std::thread::sleep(Duration::from_millis(300));
        }
    };
    // Of the small demo's few rows drift is found before anything is broken: what only a break opens is told apart.
    let done = words(&["demo", "break", "fraud"]);
    assert!(done["what"].as_str().unwrap().starts_with("`amount` is 1.3 times as large"), "{done}");

    // Another way takes the place of the first.
    let done = words(&["demo", "break", "fraud", "--how", "renamed"]);
    let entity = done["what"].as_str().unwrap().split('`').nth(1).unwrap().to_owned();
    let watch = format!("new_{entity}");
    awaited("the alert of new names", &|| open(&watch).is_some());
    words(&["demo", "break", "fraud", "--how", "labels"]);
    awaited("the alert of labels", &|| open("label_share").is_some());
    words(&["demo", "mend", "fraud"]);
    let ended = || [watch.as_str(), "label_share"].into_iter().all(|watch| open(watch).is_none());
    awaited("the end of the alerts", &ended);
    assert_eq!(words(&["models", "fraud"]).to_string(), champion, "the champion stays");
    drop(server);

    // An alarm is believed where it shows what was exceeded.
    words(&["demo", "break", "fraud", "--how", "renamed"]);
    let watch_name = watch.as_str();
    let look = monitored(&machine, &domains);
    let watch = look["watches"].as_array().unwrap().iter().find(|watch| watch["name"] == watch_name).unwrap();
    let alarm = watch["judged"].as_array().unwrap().iter().find(|judged| judged["alarm"] == true).unwrap();
    assert!(alarm["sum"].as_f64().unwrap() > alarm["sum_max"].as_f64().unwrap(), "{alarm}");
    assert!(watch["peak"].as_str().unwrap().starts_with("2026-") && alarm["window"].as_str().unwrap().len() == 10);
    let finding = look["findings"].as_array().unwrap().iter().find(|one| one["watch"] == watch_name).unwrap();
    let evidence = finding["evidence"].to_string();
    assert!(evidence.contains("farthest from usual") && evidence.contains("added up to"), "{evidence}");
    let said = machine.ok(&["--domains", &domains, "monitor", "fraud"]);
    let widest = said.lines().filter(|line| line.contains('│')).map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 120 && said.contains("open finding"), "{widest} columns: {said}");
}

#[test]
fn what_a_service_answered_is_watched_as_it_was_answered() {
    let machine = Machine::new();
    // The stream has its rows in a later month, all on one day, and most to one terminal.
    let counted = "[[watch]]\nname = \"logged\"\ntitle = \"answers from the log\"\nowner = \"tests\"\nabove = 1000000\nsql = \"SELECT count(*) FROM observed WHERE source = 'log'\"\n\n[decision]\n";
    let domains = make_champion_with(&machine, "fraud", &[("domain.toml", "[decision]\n", counted)]);
    let server = Server::start(&machine, &["--domains", &domains]);
    let payment = |at: u32| {
        json!({ "payment_id": format!("live-{at}"), "paid_at": format!("2026-05-04T{:02}:{:02}:00Z", at / 60, at % 60),
            "customer_id": format!("c{}", at % 40), "terminal_id": "t1", "amount": 20 + at % 9 })
    };
    let lines: Vec<String> = (0..300).map(|at| payment(at).to_string()).collect();
    let headers = [("content-type", "application/x-ndjson")];
    let answered = server.ask("POST", "/predict/batch", &headers, &(lines.join("\n") + "\n")).body;
    assert!(answered.contains("\"answered\":300"), "{}", answered.lines().last().unwrap_or_default());
    drop(server);
    let look = monitored(&machine, &domains);
    assert!(look["as_of"].as_str().unwrap().starts_with("2026-05-04"), "{}", look["as_of"]);
    let watch =
        |name: &str| look["watches"].as_array().unwrap().iter().find(|watch| watch["name"] == name).unwrap().clone();
    assert_eq!(watch("logged")["newest"], 300.0);
}

#[test]
fn a_feed_that_has_ended_is_told_by_the_clock() {
    let machine = Machine::new();
    let asked = [("domain.toml", "[decision]\n", "[monitor]\nfresh_within = \"12h\"\n\n[decision]\n")];
    let domains = make_champion_with(&machine, "fraud", &asked);
    let look = monitored(&machine, &domains);
    let told = look["findings"].as_array().unwrap().iter().find(|finding| finding["watch"] == "freshness").unwrap();
    assert!(told["sentence"].as_str().unwrap().contains("hours old") && told["active"] == true, "{told}");
    let past = ["--json", "monitor", "fraud", "--as-of", "2026-03-20"];
    let look = machine.json(&[&["--domains", &domains], &past[..]].concat());
    assert!(look["findings"].as_array().unwrap().iter().all(|finding| finding["watch"] != "freshness"));
}

#[test]
fn two_files_are_compared_column_by_column() {
    let machine = Machine::new();
    let rows = |shift: f64| {
        let row = |at: u32| format!("{},{}\n", f64::from(at % 97) + shift, ["a", "b", "c"][at as usize % 3]);
        format!("amount,kind\n{}", (0..2_000).map(row).collect::<String>())
    };
    let (before, now) = (machine.write("before.csv", rows(0.0)), machine.write("now.csv", rows(40.0)));
    let (before, now) = (before.display().to_string(), now.display().to_string());
    let found = machine.json(&["--json", "drift", &before, &now]);
    assert_eq!((&found["columns_drifted"], &found["drifted"]), (&json!(1), &json!(true)));
    assert_eq!(found["columns"][0]["method"], "wasserstein");
    assert!(machine.error(&["drift", &before, "none.csv"]).contains("`none.csv` is not there"));
    assert_eq!(machine.number(&[&format!("SELECT count(DISTINCT kind) AS n FROM '{now}'")]), 3.0);
    assert!(!machine.home().exists(), "a question about files leaves nothing behind");
}

#[test]
fn a_grade_says_what_was_run_and_breaking_a_thing_takes_its_points_away() {
    let machine = Machine::new();
    let domains = make_champion(&machine, "fraud");
    let grade = |machine: &Machine| {
        let output = machine.run(&["--domains", &domains, "--json", "grade", "fraud"]);
        let text = String::from_utf8(output.stdout).unwrap();
        serde_json::from_str::<Value>(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))["domains"][0]
            .clone()
    };
    let points = |grade: &Value, name: &str| {
        let lines = grade["lines"].as_array().unwrap();
        lines.iter().find(|line| line["name"] == name).unwrap()["points"].as_f64().unwrap()
    };
    let whole = grade(&machine);
    let lines = whole["lines"].as_array().unwrap();
    assert_eq!(lines.iter().map(|line| line["points_max"].as_f64().unwrap()).sum::<f64>(), 100.0);
    for name in [
        "contract",
        "idempotence",
        "parity",
        "no_look_ahead",
        "api",
        "problems",
        "recovery",
        "secrets",
        "documentation",
    ] {
        assert!(points(&whole, name) > 0.0, "{name}: {whole}");
    }
    assert!(machine.path("production_validation.json").exists());
    // A paper that is not the champion's, and a record of a gate that failed.
    let version = whole["version"].as_str().unwrap();
    let card = machine.home().join("models/fraud").join(version).join("card.md");
    std::fs::write(&card, "all is well").unwrap();
    let broken = grade(&machine);
    assert_eq!(points(&broken, "documentation"), 0.0, "{broken}");
    // How fast answers come is the machine's at the moment.
    let untimed = |grade: &Value| grade["score"].as_f64().unwrap() - points(grade, "latency");
    assert!(untimed(&broken) < untimed(&whole), "{broken}");
    // Every thing broken at once: no line may keep its points.
    let output = machine.run(&["--domains", &domains, "--json", "grade", "fraud", "--sabotage", "all"]);
    let all: Value = serde_json::from_str(String::from_utf8(output.stdout).unwrap().trim()).unwrap();
    for line in all["domains"][0]["lines"].as_array().unwrap() {
        assert_eq!(line["points"], 0.0, "{line}");
        assert!(!line["evidence"].as_str().unwrap().contains("could not be run"), "{line}");
    }
    assert_eq!(all["domains"][0]["letter"], "F");
    let below = machine.run(&["--domains", &domains, "grade", "fraud", "--min-grade", "A+"]);
    assert_eq!(below.status.code(), Some(1));
    assert!(machine.error(&["grade", "fraud", "--min-grade", "Z"]).contains("`Z` is no grade"));
}
