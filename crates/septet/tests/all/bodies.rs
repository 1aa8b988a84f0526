//! What a body may be written in, and what is said of one that cannot be read.

use crate::http::{Reply, Server};
use crate::machine::Machine;
use crate::serving::make_champion;
use serde_json::{Value, json};
use std::io::Write as _;

const JSON: (&str, &str) = ("content-type", "application/json");
const LINES: (&str, &str) = ("content-type", "application/x-ndjson");

fn payment(id: &str, amount: &str) -> String {
    format!(
        "{{\"payment_id\":\"{id}\",\"paid_at\":\"2026-05-04T10:00:00Z\",\"customer_id\":\"Zoë\",\"terminal_id\":\"t\",\"amount\":{amount}}}"
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn utf16(text: &str, with_mark: bool) -> Vec<u8> {
    let mark = with_mark.then_some(0xfeff_u16).into_iter();
    mark.chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect()
}

fn service() -> (Machine, Server) {
    let machine = Machine::new();
    let domains = make_champion(&machine, "fraud");
    let server = Server::start(&machine, &["--domains", &domains]);
    (machine, server)
}

fn ask(server: &Server, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
    server.try_ask("POST", path, headers, body).unwrap()
}

/// Pointers and codes of a refusal.
fn errors(problem: &Value) -> Vec<(String, String)> {
    let told =
        |error: &Value| (error["pointer"].as_str().unwrap().to_owned(), error["code"].as_str().unwrap().to_owned());
    problem["errors"].as_array().into_iter().flatten().map(told).collect()
}

#[test]
fn a_body_is_read_by_the_coding_and_the_charset_that_it_names_and_what_is_wrong_is_said() {
    let (_machine, server) = service();
    codings(&server);
    charsets(&server);
    names_given_twice(&server);
    what_is_no_json(&server);
    assert!(server.terminate());
}

fn codings(server: &Server) {
    let one = payment("c", "12.5");
    let packed = [("gzip", gzip(one.as_bytes())), ("x-gzip", gzip(one.as_bytes())), ("ZSTD", zstd(one.as_bytes()))];
    let plain = [("identity", one.clone().into_bytes()), ("", one.clone().into_bytes())];
    let members = [gzip(&one.as_bytes()[..30]), gzip(&one.as_bytes()[30..])].concat();
    for (coding, body) in packed.into_iter().chain(plain).chain([("gzip", members)]) {
        let reply = ask(server, "/predict", &[JSON, ("content-encoding", coding)], body);
        assert_eq!(reply.status, 200, "{coding}: {}", reply.body);
    }
    for coding in ["br", "deflate", "aws-chunked", "gzip, gzip", "gzip, zstd"] {
        let reply = ask(server, "/predict", &[JSON, ("content-encoding", coding)], &one);
        assert_eq!((reply.status, reply.header("accept-encoding")), (415, Some("gzip, zstd")), "{}", reply.body);
        assert_eq!(reply.json()["code"], "coding_unsupported");
    }
    let large = format!("{{\"payment_id\":\"{}\"}}", "x".repeat(30_000_000));
    for (coding, body) in [("gzip", gzip(large.as_bytes())), ("zstd", zstd(large.as_bytes()))] {
        let reply = ask(server, "/predict", &[JSON, ("content-encoding", coding)], body);
        assert_eq!((reply.status, reply.json()["code"].as_str()), (413, Some("body_too_large")), "{coding}");
    }
    let whole = gzip(one.as_bytes());
    for (coding, body) in [("gzip", &whole[..whole.len() - 9]), ("gzip", one.as_bytes()), ("zstd", &whole[..])] {
        let reply = ask(server, "/predict", &[JSON, ("content-encoding", coding)], body);
        assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("body_not_text")), "{}", reply.body);
        assert!(reply.body.contains("cannot be unpacked"), "{}", reply.body);
    }
    let lines: String = (0..300).map(|row| payment(&format!("l{row}"), "3") + "\n").collect();
    for (coding, body) in [("gzip", gzip(lines.as_bytes())), ("zstd", zstd(lines.as_bytes()))] {
        let reply = ask(server, "/predict/batch", &[LINES, ("content-encoding", coding)], body);
        assert!(reply.body.contains("\"answered\":300,\"refused\":0"), "{}", reply.body);
    }
    let broken_off =
        ask(server, "/predict/batch", &[LINES, ("content-encoding", "gzip")], &gzip(lines.as_bytes())[..200]);
    assert!(
        broken_off.body.contains("cannot be unpacked") && broken_off.body.contains("\"summary\""),
        "{}",
        broken_off.body
    );
}

fn charsets(server: &Server) {
    let head = "payment_id,paid_at,customer_id,terminal_id,amount\n";
    let csv = format!("{head}k1,2026-05-04T10:00:00Z,Zoë,t,12.5\n");
    let marked = format!("\u{feff}{csv}");
    let one = payment("k1", "12.5");
    let sent = [
        ("text/csv", csv.clone().into_bytes()),
        ("text/csv", marked.clone().into_bytes()),
        ("text/csv; charset=ISO-8859-1", latin1(&csv)),
        ("text/csv; header=present; Charset=\"windows-1252\"", latin1(&csv)),
        ("text/csv; charset=utf-16", utf16(&csv, true)),
        ("text/csv; charset=utf-16le", utf16(&csv, false)),
        ("application/json; charset=latin1", latin1(&format!("[{one}]"))),
        ("application/json; charset=utf-8", format!("\u{feff}[{one}]").into_bytes()),
        ("application/x-ndjson; charset=utf-16", utf16(&format!("{one}\n"), true)),
        ("application/x-ndjson", format!("\u{feff}{one}\n").into_bytes()),
    ];
    for (media, body) in sent {
        let reply = ask(server, "/predict/batch", &[("content-type", media)], body);
        let expected = "\"answered\":1,\"refused\":0";
        assert!(reply.status == 200 && reply.body.contains(expected), "{media}: {}", reply.body);
    }
    // All of them were the same event.
    let again = ask(server, "/predict", &[JSON], &one);
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{}", again.body);
    for charset in ["bogus", "utf-32", "iso-2022-cn"] {
        let media = format!("text/csv; charset={charset}");
        let reply = ask(server, "/predict/batch", &[("content-type", &media)], &csv);
        assert_eq!((reply.status, reply.json()["code"].as_str()), (415, Some("media_type_unsupported")), "{charset}");
        assert!(reply.body.contains(charset), "{}", reply.body);
    }
    let cases = [
        (latin1(&one), "another charset is named in content-type"),
        (utf16(&one, true), "it looks like UTF-16"),
        (gzip(one.as_bytes()), "it looks like gzip"),
    ];
    for (body, hint) in cases {
        let reply = ask(server, "/predict", &[JSON], body);
        assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("body_not_text")));
        assert!(reply.body.contains(hint) && reply.body.contains("line 1 column"), "{}", reply.body);
    }
}

fn names_given_twice(server: &Server) {
    let twice = payment("n", "5, \"amount\": 5000");
    let escaped = payment("n", "5, \"am\\u006funt\": 5000");
    for body in [&twice, &escaped, &payment("n", "5, \"amount\": 5")] {
        let reply = ask(server, "/predict", &[JSON], body);
        assert_eq!((reply.status, errors(&reply.json())), (422, vec![("/amount".to_owned(), "repeated".to_owned())]));
    }
    let key = ask(server, "/predict", &[JSON], payment("n", "5, \"payment_id\": \"m\""));
    assert_eq!(errors(&key.json()), [("/payment_id".to_owned(), "repeated".to_owned())]);
    let list = ask(server, "/predict/batch", &[JSON], format!("[{}, {twice}]", payment("n0", "5"))).json();
    assert_eq!(errors(&list["results"][1]["problem"]), [("/1/amount".to_owned(), "repeated".to_owned())]);
    assert_eq!((&list["summary"]["answered"], &list["summary"]["refused"]), (&json!(1), &json!(1)));
    let lines = ask(server, "/predict/batch", &[LINES], format!("{}\n{escaped}\n", payment("n1", "5")));
    assert!(
        lines.body.contains("\"/1/amount\"") && lines.body.contains("\"answered\":1,\"refused\":1"),
        "{}",
        lines.body
    );
    let csv = "payment_id,paid_at,customer_id,terminal_id,amount,amount\nn2,2026-05-04T10:00:00Z,c,t,5,5000\n";
    let reply = ask(server, "/predict/batch", &[("content-type", "text/csv")], csv);
    assert_eq!((reply.status, errors(&reply.json())), (422, vec![("/amount".to_owned(), "repeated".to_owned())]));
    let told = "{\"payment_id\": \"n0\", \"is_fraud\": false, \"is_fraud\": true}";
    let reply = ask(server, "/feedback", &[JSON], told);
    assert_eq!((reply.status, errors(&reply.json())), (422, vec![("/is_fraud".to_owned(), "repeated".to_owned())]));
    let reply = ask(server, "/feedback", &[LINES], told);
    assert!(reply.body.contains("\"refused\":1") && reply.body.contains("\"/0/is_fraud\""), "{}", reply.body);
    let keys = [JSON, ("idempotency-key", "a"), ("idempotency-key", "b")];
    let reply = ask(server, "/predict", &keys, payment("n3", "5"));
    assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("header_not_valid")), "{}", reply.body);
}

fn what_is_no_json(server: &Server) {
    let cases = [
        (String::new(), "there is nothing in it"),
        (payment("w", "NaN"), "`NaN` at line 1 column"),
        (payment("w", "-Infinity"), "`Infinity` at line 1 column"),
        (payment("w", "5").replace('}', ""), "ends too early"),
        (payment("w", "5").replace("}", ",\n}"), "at line 2 column 1"),
    ];
    for (body, said) in cases {
        let reply = ask(server, "/predict", &[JSON], &body);
        assert_eq!((reply.status, reply.json()["code"].as_str()), (400, Some("body_not_json")), "{}", reply.body);
        assert!(reply.body.contains(said), "{}", reply.body);
    }
    let reply = ask(server, "/predict", &[JSON], payment("w", "1e400"));
    assert_eq!((reply.status, errors(&reply.json())), (422, vec![("/amount".to_owned(), "range".to_owned())]));
    let rows = format!("{}\n{}\n{}\n", payment("w1", "5"), payment("w2", "NaN"), payment("w3", "1e400"));
    let reply = ask(server, "/predict/batch", &[LINES], rows);
    assert!(reply.body.contains("\"answered\":1,\"refused\":2") && reply.body.contains("/2/amount"), "{}", reply.body);
}
