//! Runs against servers with known faults: what is measured there is known beforehand.

use septet_load::bodies::Bodies;
use septet_load::pace::Pace;
use septet_load::request::Target;
use septet_load::run::{Outcome, Settings, run};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

type Answer = fn(number: usize, body: &str) -> String;

/// A server of one thread for each connection; `answer` makes the raw reply from the request's number and body, an
/// empty one closes the connection. Lives as long as the test.
fn serve(answer: Answer) -> SocketAddr {
    static COUNT: [AtomicUsize; 16] = [const { AtomicUsize::new(0) }; 16];
    static SERVERS: AtomicUsize = AtomicUsize::new(0);
    let server = SERVERS.fetch_add(1, Ordering::SeqCst);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || while answer_one(&stream, &COUNT[server], answer).is_some() {});
        }
    });
    address
}

/// None once the connection is closed by either side.
fn answer_one(mut stream: &TcpStream, count: &AtomicUsize, answer: Answer) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let reply = answer(count.fetch_add(1, Ordering::SeqCst), &String::from_utf8_lossy(&body));
    stream.write_all(reply.as_bytes()).ok()?;
    let closes = reply.is_empty() || reply.starts_with("HTTP/1.0");
    (!closes).then_some(())
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn settings(pace: Pace, seconds: f64, connections: usize) -> Settings {
    Settings {
        pace,
        connections,
        warmup: Duration::ZERO,
        duration: Duration::from_secs_f64(seconds),
        timeout: Duration::from_secs(5),
        repeat: false,
        collect: true,
    }
}

/// Bodies are `{"i":0}`, `{"i":1}` and so on.
fn check(address: SocketAddr, count: usize, settings: &Settings) -> Outcome {
    let path = std::env::temp_dir().join(format!("septet-load-{}-{}.ndjson", std::process::id(), address.port()));
    let lines: String = bodies(count).map(|body| body + "\n").collect();
    std::fs::write(&path, lines).expect("a temporary file");
    let read = Bodies::read(&PathBuf::from(&path)).expect("bodies");
    std::fs::remove_file(&path).expect("the file is ours");
    run(Target::new(address, "/", &[]).expect("a loopback address"), read, settings).expect("a run")
}

fn bodies(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("{{\"i\":{number}}}"))
}

fn replies(outcome: Outcome) -> Vec<String> {
    let text = String::from_utf8(outcome.replies.expect("collected")).expect("text");
    text.lines().map(str::to_owned).collect()
}

#[test]
fn replies_are_collected_in_the_order_of_requests() {
    let address = serve(|_, body| ok(body));
    let outcome = check(address, 500, &settings(Pace::Saturate, 5.0, 8));
    assert_eq!(outcome.report["status"]["200"], 500);
    assert_eq!(outcome.report["bodies_used"], 500);
    assert_eq!(replies(outcome), bodies(500).collect::<Vec<_>>());
}

#[test]
fn a_stall_of_a_second_counts_for_all_who_would_have_come_in_it() {
    let address = serve(|number, body| {
        if number == 200 {
            std::thread::sleep(Duration::from_secs(1));
        }
        ok(body)
    });
    let outcome = check(address, 600, &settings(Pace::Rate(200.0), 3.0, 1));
    let report = &outcome.report;
    assert_eq!((&report["answered"], &report["ended_in_time"]), (&600.into(), &true.into()), "{report}");
    let us = |measure: &str, quantile: &str| report[measure][quantile].as_f64().expect("a number");
    // A third of the requests were due during the stall and waited between 1 s and nothing: the ninth tenth of all
    // 600 requests is the 60th longest wait, .7 s.
    assert!((650e3..750e3).contains(&us("latency_from_intended_us", "p90")), "{report}");
    assert!((950e3..1_100e3).contains(&us("latency_from_intended_us", "p99")), "{report}");
    // A generator that waits sees one slow reply of 600.
    assert!(us("latency_from_send_us", "p99") < 50e3, "{report}");
    assert!(us("latency_from_send_us", "max") > 1e6, "{report}");
}

#[test]
fn a_server_that_is_too_slow_shows_the_growing_queue() {
    let address = serve(|_, body| {
        std::thread::sleep(Duration::from_millis(20));
        ok(body)
    });
    let outcome = check(address, 100, &settings(Pace::Rate(100.0), 1.0, 1));
    let report = &outcome.report;
    let rate = report["requests_per_second"].as_f64().expect("a number");
    assert!((40.0..50.0).contains(&rate), "{report}");
    assert!(report["latency_from_intended_us"]["max"].as_f64() > Some(900e3), "{report}");
    assert!(report["latency_from_send_us"]["max"].as_f64() < Some(100e3), "{report}");
}

#[test]
fn requests_past_the_time_limit_are_given_up_and_said_to_be() {
    let address = serve(|_, body| {
        std::thread::sleep(Duration::from_millis(100));
        ok(body)
    });
    let short = Settings { timeout: Duration::from_millis(500), ..settings(Pace::Rate(100.0), 0.5, 1) };
    let report = check(address, 50, &short).report;
    assert_eq!((&report["offered"], &report["ended_in_time"]), (&50.into(), &false.into()), "{report}");
    assert!(report["answered"].as_u64() < Some(12), "{report}");
}

#[test]
fn chunks_and_closed_connections_are_replies_like_others() {
    let address = serve(|number, body| match number % 3 {
        0 => {
            format!("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
        }
        1 => format!("HTTP/1.0 200 OK\r\n\r\n{body}"),
        _ => format!("HTTP/1.1 100 Continue\r\n\r\n{}", ok(body)),
    });
    let outcome = check(address, 300, &settings(Pace::Rate(300.0), 1.0, 2));
    assert_eq!(outcome.report["status"], serde_json::json!({ "200": 200, "201": 100 }), "{}", outcome.report);
    assert_eq!(replies(outcome), bodies(300).collect::<Vec<_>>());
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_opened_again_without_a_fault() {
    // Says nothing of closing, and closes: an empty second answer on each connection would be a fault.
    let address = serve(|_, body| {
        format!("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    });
    let report = check(address, 20, &settings(Pace::Rate(40.0), 0.5, 2)).report;
    assert_eq!((&report["status"]["200"], &report["errors"]), (&20.into(), &serde_json::json!({})), "{report}");
}

#[test]
fn faults_are_counted_by_kind_and_end_no_run() {
    let address = serve(|number, body| match number % 4 {
        0 => String::new(),
        1 => "HTTP/1.0 no number\r\n\r\n".to_owned(),
        2 => "HTTP/1.0 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".to_owned(),
        _ => ok(body),
    });
    let outcome = check(address, 40, &settings(Pace::Rate(100.0), 0.4, 1));
    let report = &outcome.report;
    assert_eq!(report["errors"], serde_json::json!({ "broken": 10, "closed": 10 }), "{report}");
    assert_eq!(report["status"], serde_json::json!({ "200": 10, "503": 10 }), "{report}");
    assert_eq!(replies(outcome).iter().filter(|line| line.is_empty()).count(), 30);
}

#[test]
fn a_server_that_is_not_there_is_an_error_that_says_so() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let target = Target::new(address, "/", &[]).expect("a loopback address");
    let path = std::env::temp_dir().join(format!("septet-load-{}-none.ndjson", std::process::id()));
    std::fs::write(&path, "{}\n").expect("a temporary file");
    let bodies = Bodies::read(&path).expect("a body");
    std::fs::remove_file(&path).expect("the file is ours");
    let error = run(target, bodies, &settings(Pace::Saturate, 1.0, 1)).err().expect("nobody listens");
    assert!(error.contains("refused") && error.contains("is the server running?"), "{error}");
}
