//! Answering over HTTP: windows, decisions, repeats, feedback, a new champion, kills, and what the log says afterwards.

use crate::http::Server;
use crate::machine::{Machine, copied_domain, copied_folder, real_data};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A small fraud domain with a champion: what is tested here is answering, not how well it was learned.
fn machine_with_champion() -> (Machine, String) {
    let machine = Machine::new();
    let domains = make_champion(&machine, "fraud");
    (machine, domains)
}

/// Makes the domain under a name, and its champion; the folder to give as --domains.
pub fn make_champion(machine: &Machine, name: &str) -> String {
    make_champion_with(machine, name, &[])
}

/// The same with more changed.
pub fn make_champion_with(machine: &Machine, name: &str, more: &[(&str, &str, &str)]) -> String {
    let changes = [
        ("domain.toml", "baselines = [\"prior\", \"linear\"]", "baselines = [\"prior\"]"),
        ("domain.toml", "trees = [200, 300, 400]", "trees = [60]"),
        ("cases/payments.json", "\"probability_min\": 0.1", "\"probability_min\": 0.0"),
        ("domain.toml", "[gates]\n", "[gates]\ncalibration_error_max = 1\nparity_rows = 200\n"),
    ];
    let changes: Vec<_> = changes.iter().chain(more).copied().collect();
    let domains = copied_domain(machine, "fraud", name, &changes).display().to_string();
    let report = machine.json(&["--domains", &domains, "run", name, "--small", "--json"]);
    assert_eq!(report["promoted"], true, "{}", report["gates"]);
    domains
}

fn payment(id: &str, minute: u32, customer: &str, amount: f64) -> Value {
    let time = format!("2026-05-{:02}T{:02}:{:02}:00Z", 4 + minute / 1440, minute / 60 % 24, minute % 60);
    json!({ "payment_id": id, "paid_at": time, "customer_id": customer, "terminal_id": "t1", "amount": amount })
}

/// Features of a logged answer, by name.
fn logged_features(machine: &Machine, domains: &str, key: &str) -> Vec<Value> {
    let sql = format!("SELECT features FROM decisions WHERE key = '{key}'");
    let row = machine.json(&["--domains", domains, "sql", "fraud", &sql, "--json"]);
    serde_json::from_str(row["features"].as_str().unwrap()).unwrap()
}

fn count(machine: &Machine, domains: &str, sql: &str) -> f64 {
    let row = machine.json(&["--domains", domains, "sql", "fraud", sql, "--json"]);
    row.as_object().unwrap().values().next().unwrap().as_f64().unwrap()
}

#[test]
fn an_event_is_answered_recorded_repeated_and_made_again() {
    let (machine, domains) = machine_with_champion();
    let server = Server::start(&machine, &["--domains", &domains]);
    let first = payment("p1", 0, "card", 20.0);
    let reply = server.post("/predict", &first.to_string());
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answer = reply.json();
    assert_eq!(answer["domain"], "fraud");
    assert!(answer["reasons"][0]["text"].as_str().unwrap().ends_with("the probability."));
    assert!(answer["answer"]["expected_loss_eur"].is_number() && answer["timing_us"].is_number());
    assert!(reply.header("server-timing").unwrap().contains("features;dur="));
    assert_eq!(reply.header("x-request-id"), answer["request_id"].as_str());

    // The same again: the same answer, counted once. Another request with its key: refused.
    let again = server.post("/predict", &first.to_string());
    assert_eq!(
        (again.json()["request_id"].clone(), again.header("idempotent-replayed")),
        (answer["request_id"].clone(), Some("true"))
    );
    let other = payment("p1", 0, "card", 21.0);
    let refused = server.post("/predict", &other.to_string());
    assert_eq!((refused.status, refused.json()["code"].as_str()), (409, Some("key_conflict")));

    // The second payment of the card sees the first, and not twice.
    server.post("/predict", &payment("p2", 10, "card", 40.0).to_string());
    let features = server.get("/model/features").json();
    let place = |name: &str| features["features"].as_array().unwrap().iter().position(|f| f["name"] == name).unwrap();
    let second = logged_features(&machine, &domains, "p2");
    assert_eq!(
        (&second[place("customer_payments_1d")], &second[place("customer_amount_avg_1d")]),
        (&json!(2.0), &json!(30.0))
    );
    assert_eq!(features["features"][place("customer_payments_1d")]["online"], "window");
    assert_eq!(features["features"][place("is_night")]["online"], "row");

    // All reasons on demand; a late event is answered as of its time.
    let full = server.post("/predict?explain=full", &payment("p0", 5, "card", 90.0).to_string()).json();
    assert_eq!(full["reasons"].as_array().unwrap().len(), features["features"].as_array().unwrap().len());
    assert_eq!(logged_features(&machine, &domains, "p0")[place("customer_amount_avg_1d")], json!(55.0));

    let requests: Vec<String> = ["p1", "p2", "p0"]
        .map(|key| {
            machine.json(&[
                "--domains",
                &domains,
                "sql",
                "fraud",
                &format!("SELECT request_id FROM decisions WHERE key = '{key}'"),
                "--json",
            ])
        })
        .map(|row| row["request_id"].as_str().unwrap().to_owned())
        .into();
    assert!(server.terminate(), "a service that is asked to end ends well");
    for request in requests {
        let replayed = machine.json(&["--domains", &domains, "replay", "fraud", &request, "--json"]);
        assert_eq!((&replayed["equal"], &replayed["features_equal"]), (&json!(true), &json!(true)), "{replayed}");
    }
}

#[test]
fn everything_that_is_wrong_with_a_request_is_said_at_once() {
    let (machine, domains) = machine_with_champion();
    let server = Server::start(&machine, &["--domains", &domains]);
    let json_type = [("content-type", "application/json")];
    for (method, path, headers, body, status, code, pointers) in [
        ("POST", "/predict", &json_type[..], "{", 400, "body_not_json", vec![]),
        ("POST", "/predict", &json_type[..], "[1]", 422, "contract_broken", vec![""]),
        ("POST", "/predict", &[][..], "{}", 415, "media_type_unsupported", vec![]),
        ("POST", "/predict?expalin=full", &json_type[..], "{}", 400, "query_not_known", vec![]),
        ("GET", "/predict", &[][..], "", 405, "method_not_allowed", vec![]),
        ("GET", "/nothing", &[][..], "", 404, "not_found", vec![]),
        (
            "POST",
            "/predict",
            &json_type[..],
            r#"{"payment_id":"x","paid_at":"yesterday","customer_id":7,"amount":-1,"amuont":2,"is_fraud":true}"#,
            422,
            "contract_broken",
            vec!["/amuont", "/is_fraud", "/paid_at", "/customer_id", "/terminal_id", "/amount"],
        ),
        (
            "POST",
            "/feedback",
            &json_type[..],
            r#"{"payment_id":"never","is_fraud":true}"#,
            404,
            "event_unknown",
            vec![],
        ),
        (
            "POST",
            "/feedback",
            &json_type[..],
            r#"{"payment_id":"never","is_fraud":"perhaps"}"#,
            422,
            "contract_broken",
            vec!["/is_fraud"],
        ),
    ] {
        let reply = server.ask(method, path, headers, body);
        let problem = reply.json();
        assert_eq!((reply.status, problem["code"].as_str()), (status, Some(code)), "{method} {path}: {}", reply.body);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        let found: Vec<&str> =
            problem["errors"].as_array().into_iter().flatten().map(|e| e["pointer"].as_str().unwrap()).collect();
        assert_eq!(found, pointers, "{}", reply.body);
    }
    let mut ahead = payment("future", 0, "card", 1.0);
    ahead["paid_at"] = json!("2999-01-01T00:00:00Z");
    assert_eq!(server.post("/predict", &ahead.to_string()).json()["code"], "event_in_future");
    let large = server.post("/predict", &format!("{{\"payment_id\":\"{}\"}}", "x".repeat(2_000_000)));
    assert_eq!(large.json()["code"], "body_too_large");
    // Nothing that was refused was recorded, and nothing personal was kept by the counts.
    assert_eq!(count(&machine, &domains, "SELECT count(*) AS n FROM decisions"), 0.0);
    let quality = server.get("/monitoring/quality").json();
    assert!(!quality.to_string().contains("amuont") && quality["requests"]["refused"].as_u64() >= Some(2), "{quality}");
}

#[test]
fn strangers_find_the_api_to_be_what_its_document_says() {
    let Ok(python) = std::env::var("SEPTET_TEST_PYTHON") else {
        eprintln!("skipped: schemathesis, generated client and browser (SEPTET_TEST_PYTHON is not set)");
        return;
    };
    let (machine, domains) = machine_with_champion();
    let server = Server::start(&machine, &["--domains", &domains]);
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/test-api");
    let done = std::process::Command::new(python).arg(script).arg(server.port.to_string()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}");
    assert!(server.terminate());
}

#[test]
fn a_log_that_cannot_be_written_stops_answers_until_it_can_and_nothing_is_counted_twice() {
    let (machine, domains) = machine_with_champion();
    let server = Server::start(&machine, &["--domains", &domains]);
    assert_eq!(server.post("/predict", &payment("w1", 0, "card", 20.0).to_string()).status, 200);
    let file = machine.home().join("decisions/fraud.sqlite").display().to_string();
    let change = |sql: &str| {
        let script =
            "import sqlite3, sys\nsqlite3.connect(sys.argv[1], timeout=20, isolation_level=None).execute(sys.argv[2])";
        assert!(std::process::Command::new("python3").args(["-c", script, &file, sql]).status().unwrap().success());
    };
    change("CREATE TRIGGER full BEFORE INSERT ON fraud_decisions BEGIN SELECT RAISE(ABORT, 'no space left'); END");
    let second = payment("w2", 10, "card", 40.0).to_string();
    for _ in 0..3 {
        let refused = server.post("/predict", &second);
        assert_eq!(refused.status, 503, "{}", refused.body);
        assert!(refused.header("retry-after").is_some());
        std::thread::sleep(Duration::from_millis(300));
    }
    change("DROP TRIGGER full");
    let start = Instant::now();
    while server.post("/predict", &second).status != 200 {
        assert!(start.elapsed() < Duration::from_secs(30), "the service never comes back");
        std::thread::sleep(Duration::from_millis(100));
    }
    let names = server.get("/model/features").json();
    let place = |name: &str| names["features"].as_array().unwrap().iter().position(|f| f["name"] == name).unwrap();
    let features = logged_features(&machine, &domains, "w2");
    assert_eq!(
        (&features[place("customer_payments_1d")], &features[place("customer_amount_avg_1d")]),
        (&json!(2.0), &json!(30.0))
    );
    assert_eq!(count(&machine, &domains, "SELECT count(*) AS n FROM decisions"), 2.0);
}

#[test]
fn the_log_in_postgresql_holds_what_the_one_in_sqlite_does() {
    let Ok(url) = std::env::var("SEPTET_TEST_POSTGRES") else {
        eprintln!("skipped: PostgreSQL (SEPTET_TEST_POSTGRES is not set)");
        return;
    };
    let mut machine = Machine::new();
    machine.environment.insert("DATABASE_URL".into(), url);
    // The server keeps what earlier tests wrote.
    let name =
        format!("fraud_{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis());
    let domains = make_champion(&machine, &name);
    let server = Server::start_domain(&machine, &["--domains", &domains], &name);
    let first = payment("g1", 0, "card", 20.0).to_string();
    let id = server.post("/predict", &first).json()["request_id"].clone();
    assert_eq!(server.post("/predict", &first).json()["request_id"], id);
    assert_eq!(
        server.post("/feedback", r#"{"payment_id":"g1","is_fraud":true}"#).json()["results"][0]["state"],
        "recorded"
    );
    server.kill();
    let server = Server::start_domain(&machine, &["--domains", &domains], &name);
    assert_eq!(server.post("/predict", &first).json()["request_id"], id, "it is known after a restart");
    assert_eq!(
        server.post("/feedback", r#"{"payment_id":"g1","is_fraud":true}"#).json()["results"][0]["state"],
        "unchanged"
    );
    let second = server.post("/predict", &payment("g2", 8 * 1440, "card", 40.0).to_string()).json();
    let row = machine.json(&["--domains", &domains, "sql", &name, "SELECT count(*) AS n FROM decisions", "--json"]);
    assert_eq!(row["n"], 2);
    let request = second["request_id"].as_str().unwrap();
    let replayed = machine.json(&["--domains", &domains, "replay", &name, request, "--json"]);
    assert_eq!(replayed["equal"], true, "{replayed}");
}

#[test]
fn a_batch_has_an_answer_or_an_error_for_each_row() {
    let (machine, domains) = machine_with_champion();
    let server = Server::start(&machine, &["--domains", &domains]);
    let rows = [payment("b1", 0, "a", 5.0), json!({ "payment_id": "b2" }), payment("b3", 1, "a", 7.0)];
    let reply = server.post("/predict/batch", &json!(rows).to_string()).json();
    assert_eq!((&reply["summary"]["answered"], &reply["summary"]["refused"]), (&json!(2), &json!(1)), "{reply}");
    assert_eq!(reply["results"][1]["problem"]["errors"][0]["pointer"], "/1/paid_at");
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    let text = format!("{}\n\nnot json\n", lines.join("\n"));
    let reply = server.ask("POST", "/predict/batch", &[("content-type", "application/x-ndjson")], &text);
    let lines: Vec<Value> = reply.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(
        (&summary["rows"], &summary["repeated"], &summary["refused"]),
        (&json!(4), &json!(2), &json!(2)),
        "{summary}"
    );
    assert_eq!(lines[3]["problem"]["code"], "body_not_json");
    let csv = "payment_id,paid_at,customer_id,terminal_id,amount\nc1,2026-05-04 10:00:00,a,t,12.5\nc2,2026-05-04 10:00:00,a,t,\nc3,x\n";
    let reply = server.ask("POST", "/predict/batch", &[("content-type", "text/csv")], csv);
    let lines: Vec<Value> = reply.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["prediction"]["target"], "is_fraud", "{}", reply.body);
    assert_eq!(lines[1]["problem"]["errors"][0]["pointer"], "/1/amount");
    assert_eq!(lines[3]["summary"]["answered"], 1);
    assert_eq!(count(&machine, &domains, "SELECT count(*) AS n FROM decisions"), 3.0);
}

#[test]
fn what_is_answered_is_held_against_what_was_learned_from() {
    let (machine, domains) = machine_with_champion();
    let server = Server::start(&machine, &["--domains", &domains]);
    let sql = "SELECT payment_id || '-again' AS payment_id, CAST(paid_at AS VARCHAR) AS paid_at, customer_id, terminal_id, amount \
               FROM payments ORDER BY paid_at DESC LIMIT 1000";
    let rows = machine.ok(&["--domains", &domains, "sql", "fraud", sql, "--json"]);
    let psi = |server: &Server, name: &str| {
        let drift = server.get("/monitoring/drift").json();
        let column = drift["columns"].as_array().unwrap().iter().find(|column| column["name"] == name).unwrap().clone();
        (column["psi"].as_f64(), column["share_outside"].as_f64())
    };
    assert_eq!(psi(&server, "amount"), (None, None), "no rows say nothing");
    let lines_type = [("content-type", "application/x-ndjson")];
    server.ask("POST", "/predict/batch", &lines_type, &rows);
    let quiet = psi(&server, "amount");
    assert!(quiet.0.unwrap() < 0.1, "{quiet:?}");
    let dearer: String = rows
        .lines()
        .map(|line| {
            let mut row: Value = serde_json::from_str(line).unwrap();
            row["payment_id"] = json!(format!("{}-dear", row["payment_id"].as_str().unwrap()));
            row["amount"] = json!(row["amount"].as_f64().unwrap() * 10.0 + 5_000.0);
            format!("{row}\n")
        })
        .collect();
    server.ask("POST", "/predict/batch", &lines_type, &dearer);
    let moved = psi(&server, "amount");
    assert!(moved.0.unwrap() > 0.25 && moved.1.unwrap() > 0.4, "{moved:?}");
    let quality = server.get("/monitoring/quality").json();
    let amount = quality["requests"]["features"].as_array().unwrap().iter().find(|f| f["feature"] == "amount").unwrap();
    assert!(amount["share_outside_training"].as_f64().unwrap() > 0.4);
}

#[test]
fn feedback_changes_what_delayed_windows_see_and_survives_a_restart() {
    let (machine, domains) = machine_with_champion();
    let server = Server::start(&machine, &["--domains", &domains]);
    for minute in 0..4 {
        server.post("/predict", &payment(&format!("f{minute}"), minute, "a", 5.0).to_string());
    }
    let told = r#"[{"payment_id":"f0","is_fraud":true},{"payment_id":"f1","is_fraud":false},{"payment_id":"f2","is_fraud":true}]"#;
    assert_eq!(server.post("/feedback", told).json()["summary"]["recorded"], 3);
    assert_eq!(server.post("/feedback", told).json()["summary"]["unchanged"], 3);
    // A wrong truth is corrected.
    assert_eq!(
        server.post("/feedback", r#"{"payment_id":"f2","is_fraud":false}"#).json()["results"][0]["state"],
        "recorded"
    );
    let share = |server: &Server, key: &str| {
        // Eight days later the labels have had their week.
        server.post("/predict", &payment(key, 8 * 1440, "b", 5.0).to_string());
        let names = server.get("/model/features").json();
        let place =
            names["features"].as_array().unwrap().iter().position(|f| f["name"] == "terminal_fraud_share_7d").unwrap();
        logged_features(&machine, &domains, key)[place].as_f64().unwrap()
    };
    assert!((share(&server, "later1") - 1.0 / 3.0).abs() < 1e-12);
    // A truth that comes after its delay has passed counts at once.
    server.post("/feedback", r#"{"payment_id":"f3","is_fraud":true}"#);
    assert!((share(&server, "later2") - 0.5).abs() < 1e-12);
    server.kill();
    let server = Server::start(&machine, &["--domains", &domains]);
    assert!((share(&server, "later3") - 0.5).abs() < 1e-12);
    // Of the published history too: the truth of an event that no request brought.
    let known = machine.json(&[
        "--domains",
        &domains,
        "sql",
        "fraud",
        "SELECT payment_id FROM payments WHERE NOT is_fraud LIMIT 1",
        "--json",
    ]);
    let told = json!({ "payment_id": known["payment_id"], "is_fraud": true }).to_string();
    assert_eq!(server.post("/feedback", &told).json()["results"][0]["state"], "recorded");
    assert_eq!(server.post("/feedback", &told).json()["results"][0]["state"], "unchanged");
}

#[test]
fn a_new_champion_takes_over_without_a_pause_and_keeps_the_windows() {
    let (machine, domains) = machine_with_champion();
    let server = Server::start(&machine, &["--domains", &domains]);
    server.post("/predict", &payment("n1", 0, "a", 5.0).to_string());
    let version = server.get("/model/info").json()["version"].clone();
    // Other rows of the same shape: another version, other published tables.
    let demo = machine.home().join("demo/payments.small.csv");
    let text = std::fs::read_to_string(demo).unwrap();
    let fewer: Vec<&str> = text.lines().take(text.lines().count() - 50).collect();
    machine.write("fewer.csv", fewer.join("\n"));
    let stop = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let reply =
                    server.post("/predict", &payment(&format!("m{number}"), 1, &format!("x{number}"), 5.0).to_string());
                assert_eq!(reply.status, 200, "{}", reply.body);
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        let report = machine.json(&[
            "--domains",
            &domains,
            "run",
            "fraud",
            "--source",
            "fewer.csv",
            "--layout",
            "demo",
            "--json",
        ]);
        assert_eq!(report["promoted"], true, "{}", report["gates"]);
        let start = Instant::now();
        while server.get("/model/info").json()["version"] == version {
            assert!(start.elapsed() < Duration::from_secs(30), "the new champion never answers");
            std::thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) > 10);
    server.post("/predict", &payment("n2", 10, "a", 15.0).to_string());
    let names = server.get("/model/features").json();
    let place =
        names["features"].as_array().unwrap().iter().position(|f| f["name"] == "customer_amount_avg_1d").unwrap();
    assert_eq!(logged_features(&machine, &domains, "n2")[place], json!(10.0), "the first payment is remembered");
}

#[test]
fn an_open_address_without_keys_is_refused_and_keys_are_asked_for() {
    let (mut machine, domains) = machine_with_champion();
    machine.environment.insert("SEPTET_BIND".into(), "0.0.0.0".into());
    assert!(machine.error(&["--domains", &domains, "serve", "fraud"]).contains("lets others in"));
    machine.environment.remove("SEPTET_BIND");
    machine.environment.insert("SEPTET_API_KEYS".into(), "one, two".into());
    let server = Server::start(&machine, &["--domains", &domains]);
    assert_eq!(server.get("/health").status, 401);
    for (name, value, status) in
        [("authorization", "Bearer two", 200), ("x-api-key", "one", 200), ("x-api-key", "on", 401)]
    {
        assert_eq!(server.ask("GET", "/health", &[(name, value)], "").status, status, "{name}: {value}");
    }
    assert!(!machine.ok(&["settings"]).contains("one, two"));
}

#[test]
fn what_was_acknowledged_is_in_the_log_once_however_often_the_service_is_killed() {
    const KILLS: usize = 20;
    const CLIENTS: usize = 4;
    let (machine, domains) = machine_with_champion();
    let next = AtomicUsize::new(0);
    let acknowledged: Mutex<BTreeMap<String, String>> = Mutex::default();
    for kill in 0..KILLS {
        let server = Server::start(&machine, &["--domains", &domains]);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let body = payment(
                            &format!("k{number}"),
                            number as u32 / 4,
                            &format!("c{}", number % 7),
                            number as f64 % 90.0,
                        );
                        let json_type = [("content-type", "application/json")];
                        let Some(reply) = server.try_ask("POST", "/predict", &json_type, body.to_string()) else {
                            continue;
                        };
                        if reply.status == 200 {
                            let id = reply.json()["request_id"].as_str().unwrap().to_owned();
                            acknowledged.lock().unwrap().insert(format!("k{number}"), id);
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(30 + (kill as u64 * 37) % 200));
            let id = server.id();
            assert!(std::process::Command::new("kill").args(["-9", &id]).status().unwrap().success());
            stop.store(true, Ordering::Relaxed);
        });
    }
    let text = machine.ok(&[
        "--domains",
        &domains,
        "sql",
        "fraud",
        "SELECT key, request_id, input FROM decisions ORDER BY sequence",
        "--json",
    ]);
    let logged: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: HashMap<&str, &str> =
        logged.iter().map(|row| (row["key"].as_str().unwrap(), row["request_id"].as_str().unwrap())).collect();
    assert_eq!(ids.len(), logged.len(), "a key is in the log twice");
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.len() > KILLS, "only {} answers were given", acknowledged.len());
    for (key, id) in &acknowledged {
        assert_eq!(ids.get(key.as_str()).copied(), Some(id.as_str()), "{key} was acknowledged and is not in the log");
    }
    // A service that was never killed, given the same events in the same order, has the same windows.
    let whole = Machine::new();
    copy_tree(&machine.home(), &whole.home());
    std::fs::remove_dir_all(whole.home().join("decisions")).unwrap();
    let (killed, unkilled) =
        (Server::start(&machine, &["--domains", &domains]), Server::start(&whole, &["--domains", &domains]));
    let lines: String = logged.iter().map(|row| format!("{}\n", row["input"].as_str().unwrap())).collect();
    let reply = unkilled.ask("POST", "/predict/batch", &[("content-type", "application/x-ndjson")], &lines);
    assert!(reply.body.lines().last().unwrap().contains("\"refused\":0"), "{}", reply.body.lines().last().unwrap());
    for customer in 0..7 {
        let body = payment(&format!("probe{customer}"), 1400, &format!("c{customer}"), 10.0).to_string();
        for server in [&killed, &unkilled] {
            assert_eq!(server.post("/predict", &body).status, 200);
        }
        let key = format!("probe{customer}");
        assert_eq!(logged_features(&machine, &domains, &key), logged_features(&whole, &domains, &key));
    }
}

fn copy_tree(from: &std::path::Path, to: &std::path::Path) {
    for (path, bytes) in crate::machine::tree(from) {
        let path = to.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
#[ignore = "reads ../shared/data"]
fn a_hundred_thousand_payments_over_http_have_the_features_of_the_batch() {
    const ROWS: usize = 100_000;
    const CHUNK: usize = 5_000;
    let Some(data) = real_data() else { return };
    let machine = Machine::new();
    let source = data.join("fraud/handbook_transactions.parquet").display().to_string();
    let domains = copied_folder(&machine, "bench/domains", "fraud", "fraud", &[]).display().to_string();
    let layout = "SELECT \"TRANSACTION_ID\" AS payment_id, \"TX_DATETIME\" AS paid_at, \"CUSTOMER_ID\" AS customer_id, \
                  \"TERMINAL_ID\" AS terminal_id, \"TX_AMOUNT\" AS amount, \"TX_FRAUD\" AS is_fraud FROM source \
                  WHERE \"TX_DATETIME\" < TIMESTAMP '2018-09-05'";
    machine.write("before.sql", layout);
    let report =
        machine.json(&["--domains", &domains, "run", "fraud", "--source", &source, "--layout", "before.sql", "--json"]);
    assert_eq!(report["promoted"], true, "{}", report["gates"]);
    let bench =
        ["bench", "windows", "fraud", "--source", &source, "--layout", "fraud_handbook", "--out", "windows.parquet"];
    let batch = Machine::new();
    batch.ok(&[&["--domains", &domains], &bench[..]].concat());
    let sql = format!(
        "SELECT CAST(\"TRANSACTION_ID\" AS VARCHAR) AS payment_id, CAST(\"TX_DATETIME\" AS VARCHAR) AS paid_at, \
         CAST(\"CUSTOMER_ID\" AS VARCHAR) AS customer_id, CAST(\"TERMINAL_ID\" AS VARCHAR) AS terminal_id, \
         \"TX_AMOUNT\" AS amount, \"TX_FRAUD\" AS is_fraud FROM '{source}' WHERE \"TX_DATETIME\" >= TIMESTAMP '2018-09-05' \
         ORDER BY \"TX_DATETIME\", \"TRANSACTION_ID\" LIMIT {ROWS}"
    );
    let rows: Vec<Value> =
        machine.ok(&["sql", &sql, "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), ROWS);
    let server = Server::start(&machine, &["--domains", &domains]);
    let lines_type = [("content-type", "application/x-ndjson")];
    for chunk in rows.chunks(CHUNK) {
        let (mut events, mut truths) = (String::new(), String::new());
        for row in chunk {
            let mut event = row.clone();
            let truth = event.as_object_mut().unwrap().shift_remove("is_fraud").unwrap();
            events.push_str(&format!("{event}\n"));
            let told = json!({ "payment_id": row["payment_id"], "is_fraud": truth == json!(1) });
            truths.push_str(&format!("{told}\n"));
        }
        let reply = server.ask("POST", "/predict/batch", &lines_type, &events);
        let last = reply.body.lines().last().unwrap();
        assert!(last.contains(&format!("\"answered\":{}", chunk.len())), "{last}");
        let told = server.ask("POST", "/feedback", &lines_type, &truths).json();
        assert_eq!(told["summary"]["recorded"], chunk.len(), "{}", told["summary"]);
    }
    assert!(server.terminate());
    machine.write("features.ndjson", {
        let text =
            machine.ok(&["--domains", &domains, "sql", "fraud", "SELECT key, features FROM decisions", "--json"]);
        let names =
            machine.ok(&["--domains", &domains, "sql", "fraud", "SELECT answer FROM decisions LIMIT 1", "--json"]);
        assert!(names.contains("request_id"));
        text
    });
    let expected: HashMap<String, Value> = {
        let sql = "SELECT * FROM 'windows.parquet'";
        let text = batch.ok(&["sql", sql, "--json"]);
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        rows.map(|row| (row["payment_id"].as_str().unwrap().to_owned(), row)).collect()
    };
    let features = std::fs::read_to_string(machine.path("features.ndjson")).unwrap();
    // The order of features.sql of bench/domains/fraud after amount, is_weekend and is_night.
    let names = feature_names();
    let mut compared = 0;
    for line in features.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let batch = &expected[row["key"].as_str().unwrap()];
        let online: Vec<Value> = serde_json::from_str(row["features"].as_str().unwrap()).unwrap();
        for (name, online) in names.iter().zip(&online).skip(3) {
            // No fraud among no payments is a share of 0.
            let (batch, online) = (batch[name].as_f64().unwrap_or(0.0), online.as_f64().unwrap_or(0.0));
            assert!((batch - online).abs() <= 1e-9, "{name} of {}: {batch} in batch, {online} online", row["key"]);
            compared += 1;
        }
    }
    assert_eq!(compared, 12 * ROWS);
    // Days whose labels are known, by the answers in the log and by the batch: the same average precision.
    let online = daily_average_precision(&machine, &domains, &[]);
    let newest = rows.last().unwrap()["paid_at"].as_str().unwrap().to_owned();
    for step in [&["extract"][..], &["transform"], &["load", "--refresh", "--accept"]] {
        let words = ["--run", "whole", "--source", &source, "--layout", "fraud_handbook"];
        machine.ok(&[&["--domains", &domains, "step", "fraud"], step, &words[..]].concat());
    }
    std::fs::remove_dir_all(machine.home().join("decisions")).unwrap();
    let offline = daily_average_precision(&machine, &domains, &["--as-of", &newest]);
    let common: Vec<&String> =
        online.keys().filter(|day| day.as_str() >= "2018-09-05" && offline.contains_key(*day)).collect();
    assert!(common.len() >= 3, "{online:?} {offline:?}");
    for day in common {
        assert!((online[day] - offline[day]).abs() < 1e-12, "{day}: {} online, {} offline", online[day], offline[day]);
    }
}

/// Average precision of each day whose labels are known, as the monitoring realises it.
fn daily_average_precision(machine: &Machine, domains: &str, more: &[&str]) -> HashMap<String, f64> {
    let words = [&["--domains", domains, "--json", "monitor", "fraud"], more].concat();
    let look = machine.json(&words);
    let metric = look["performance"].as_array().unwrap().iter().find(|one| one["name"] == "average_precision").unwrap();
    let day = |one: &Value| (one["window"].as_str().unwrap().to_owned(), one["value"].as_f64().unwrap());
    metric["realised"].as_array().unwrap().iter().map(day).collect()
}

/// Names of the features as `bench/domains/fraud/features.sql` lists them.
fn feature_names() -> Vec<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/domains/fraud/features.sql");
    let sql = std::fs::read_to_string(path).unwrap();
    let list = sql.split("SELECT").nth(1).unwrap().split("FROM payments").next().unwrap();
    let lines = list.lines().map(|line| line.trim().trim_end_matches(',')).filter(|line| !line.is_empty());
    lines.map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
}
