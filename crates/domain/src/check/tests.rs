//! Each case spoils the built-in domain in one place and says what must be answered.

use crate::{Domains, reference_markdown};
use std::fs;
use std::path::PathBuf;

fn spoiled(name: &str, from: &str, to: &str) -> String {
    let folder: PathBuf = std::env::temp_dir().join(format!("septet-check-{}-{name}", std::process::id()));
    let fraud = folder.join("fraud");
    for (path, text) in Domains::default().load("fraud").unwrap().files {
        fs::create_dir_all(fraud.join(&path).parent().unwrap()).unwrap();
        let spoiled = if path == "domain.toml" { text.replacen(from, to, 1) } else { text.clone() };
        assert!(path != "domain.toml" || spoiled != text, "the case changes nothing");
        fs::write(fraud.join(&path), spoiled).unwrap();
    }
    let domains = Domains::find(Some(&folder)).unwrap();
    let answer = domains.load("fraud").map(|_| "sound".to_owned()).unwrap_or_else(|problems| problems.to_string());
    fs::remove_dir_all(&folder).unwrap();
    answer.replace(&folder.display().to_string(), "")
}

fn check(name: &str, from: &str, to: &str, expected: &[&str]) {
    let answer = spoiled(name, from, to);
    for part in expected {
        assert!(answer.contains(part), "{name}: expected `{part}` in\n{answer}");
    }
}

#[test]
fn the_built_in_domains_are_sound() {
    for name in Domains::default().names() {
        Domains::default().load(&name).unwrap();
    }
}

#[test]
fn an_error_names_file_line_column_and_what_was_expected() {
    check(
        "unknown-key",
        "port = 8001",
        "prot = 8001",
        &["/fraud/domain.toml:4:1", "unknown field `prot`", "did you mean `port`?"],
    );
    check("syntax", "port = 8001", "port = = 8001", &["/fraud/domain.toml:4:8"]);
    check("type", "port = 8001", "port = \"x\"", &["domain.toml:4:8", "invalid type: string"]);
    check("name", "name = \"fraud\"", "name = \"frond\"", &["domain.toml:1:8", "the folder is `fraud`"]);
    check("key", "key = \"payment_id\"", "key = \"paymentid\"", &["domain.toml:9:7", "did you mean `payment_id`?"]);
    check("time-type", "paid_at = { type = \"timestamp\"", "paid_at = { type = \"text\"", &["must be timestamp"]);
    check("entity", "entity = \"terminal_id\"", "entity = \"terminal\"", &["did you mean `terminal_id`?"]);
    check("duration", "\"30d\"", "\"30 days\"", &["is not a length of time", "such as `7d`"]);
    check("aggregate", "avg(amount)", "mean(amount)", &["`mean` is not an aggregate", "expected count, sum"]);
    check("argument", "avg(amount)", "avg()", &["avg() needs a column"]);
    check("target", "target = \"is_fraud\"", "target = \"amount\"", &["not a column with label", "`is_fraud`"]);
    check("decision", "flags_per_day = 100", "threshold = 0.5\nflags_per_day = 100", &["has 2 of", "exactly one"]);
    check("layout", "[layout.demo]", "[layout.dmeo]", &["no file sources/dmeo.sql", "did you mean `demo`?"]);
    check(
        "window-twice",
        "name = \"customer_earlier\"\ndelay = \"1s\"\nover = [\"14d\", \"60d\"]",
        "over = [\"7d\"]",
        &["domain.toml:43:13", "called `customer_amount_avg_7d`: this one and a column of the window at ", " 37:1"],
    );
    check("window-column", "empty = 0", "emtpy = 0", &["unknown field `emtpy`", "did you mean `empty`?"]);
    check(
        "old-features",
        "[features]\n",
        "[feature.amount]\n",
        &["unknown field `feature`", "it is called `features`"],
    );
    check(
        "two-forms",
        "count = \"action",
        "sum = \"1\"\ncount = \"action",
        &["`stopped` has 2 of", "expected exactly one"],
    );
    check("no-form", "count = \"action <> 'approve'\"", "", &["`stopped` has 0 of"]);
    check("where", "count = \"action", "where = \"amount > 1\"\nsql = \"action", &["`where` goes with share"]);
    check("schedule", "0 2 * * *", "0 2 * *", &["schedule has 4 fields"]);
}

#[test]
fn a_label_cannot_be_used_before_it_is_known() {
    check(
        "window",
        "delay = \"7d\"\n[window.columns]",
        "delay = \"6d\"\n[window.columns]",
        &["known after 7d", "delay is 6d", "set delay = \"7d\""],
    );
    check("split", "delay = \"7d\", test", "delay = \"1d\", test", &["the split's delay is 1d"]);
}

#[test]
fn demo_rows_belong_to_an_input_and_have_a_layout() {
    let folder = std::env::temp_dir().join(format!("septet-check-{}-demo", std::process::id()));
    let fraud = folder.join("fraud");
    for (path, text) in Domains::default().load("fraud").unwrap().files {
        fs::create_dir_all(fraud.join(&path).parent().unwrap()).unwrap();
        fs::write(fraud.join(&path), text).unwrap();
    }
    fs::create_dir_all(fraud.join("demo")).unwrap();
    let load = || Domains::find(Some(&folder)).unwrap().load("fraud");
    fs::write(fraud.join("demo/payments.csv"), "").unwrap();
    assert_eq!(load().unwrap().demo_file("payments"), Some(fraud.join("demo/payments.csv")));
    fs::write(fraud.join("demo/payment.csv.gz"), "").unwrap();
    fs::write(fraud.join("demo/notes.txt"), "").unwrap();
    let told = load().unwrap_err().to_string();
    for part in
        ["payment.csv.gz:1:1: there is no input `payment`", "did you mean `payments`?", "notes.txt:1:1: nothing"]
    {
        assert!(told.contains(part), "expected `{part}` in\n{told}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn all_problems_are_found_at_once() {
    let answer = spoiled("two", "key = \"payment_id\"\ntime = \"paid_at\"", "key = \"a\"\ntime = \"b\"");
    assert_eq!(answer.lines().filter(|line| line.contains("is not a column")).count(), 2, "{answer}");
}

#[test]
fn the_reference_page_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/domain.md");
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let current = reference_markdown();
    if std::env::var_os("SEPTET_UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &current).unwrap();
    } else {
        assert!(
            stored == current,
            "docs/reference/domain.md is stale: run SEPTET_UPDATE=1 cargo test -p septet-domain"
        );
    }
}
