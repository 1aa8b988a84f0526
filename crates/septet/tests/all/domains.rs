//! Domains outside the repository, and domains with errors in their SQL.

use crate::machine::{Machine, copied_domain};

fn at(domains: &std::path::Path) -> String {
    domains.display().to_string()
}

#[test]
fn a_domain_copied_and_changed_in_sql_and_toml_alone_runs() {
    let machine = Machine::new();
    let domains = copied_domain(
        &machine,
        "fraud",
        "cards",
        &[
            ("domain.toml", "title = \"Fraud detection\"", "title = \"Card watch\""),
            ("domain.toml", "port = 8001", "port = 9001"),
            ("domain.toml", "kind = \"trees\"", "kind = \"linear\""),
            ("domain.toml", "baselines = [\"prior\", \"linear\"]", "baselines = [\"prior\"]"),
            ("features.sql", "FROM payments", ", ln(amount + 1) AS amount_log, terminal_id FROM payments"),
            ("domain.toml", "trees = [200, 300, 400]", "c = [0.1, 1]"),
        ],
    );
    let toml = machine.path("domains/cards/domain.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let (head, rest) = text.split_once("[model.parameters]").unwrap();
    let (_, tail) = rest.split_once("[[measure]]").unwrap();
    std::fs::write(&toml, format!("{head}[[measure]]{tail}")).unwrap();
    machine.write(
        "domains/cards/tables/daily.sql",
        "SELECT date_trunc('day', paid_at) AS day, count(*) AS payments FROM payments GROUP BY 1 ORDER BY 1",
    );
    machine.write(
        "domains/cards/tables/weekly.sql",
        "SELECT date_trunc('week', day) AS week, sum(payments) AS payments FROM daily GROUP BY 1 ORDER BY 1",
    );
    assert!(machine.ok(&["--domains", &at(&domains), "domains"]).contains("cards"));
    let report = machine.json(&["--domains", &at(&domains), "run", "cards", "--small", "--json"]);
    assert_eq!(report["domain"], "cards");
    assert!(report["metrics"]["average_precision"]["value"].as_f64().unwrap() > 0.02);
    let rows = machine.number(&["--domains", &at(&domains), "cards", "SELECT sum(payments) AS n FROM weekly"]);
    assert_eq!(rows, machine.number(&["--domains", &at(&domains), "cards", "SELECT count(*) AS n FROM payments"]));
}

#[test]
fn an_error_in_sql_names_file_line_and_column() {
    for (file, old, new, expected) in [
        ("features.sql", "    amount,", "    amout,", vec!["features.sql:4:5", "amout"]),
        ("features.sql", "    amount,", "    amount +,", vec!["features.sql:"]),
        ("features.sql", "    amount,", "    is_fraud,", vec!["features.sql:4:5", "is_fraud"]),
        ("features.sql", "    amount,", "    now() AS n,", vec!["depends on when it is called"]),
        ("features.sql", "FROM payments", "FROM payments WHERE amount > 1", vec!["without WHERE"]),
        ("features.sql", "FROM payments", "FROM payment", vec!["features.sql:", "payment"]),
        ("domain.toml", "share = \"is_fraud\"", "share = \"is_fruad\"", vec!["domain.toml:119:9", "is_fruad"]),
        ("tests/frauds_are_few.sql", "AS payments", "AS payments, amout", vec!["tests/frauds_are_few.sql:2:", "amout"]),
        (
            "domain.toml",
            "amount_avg = { is = \"avg(amount)\"",
            "amount_avg = { is = \"avg(amont)\"",
            vec!["domain.toml:", "amont"],
        ),
        ("domain.toml", "is_night = ", "is_nigth = ", vec!["domain.toml:", "did you mean `is_night`?"]),
    ] {
        let machine = Machine::new();
        let domains = copied_domain(&machine, "fraud", "fraud", &[(file, old, new)]);
        let error = machine.error(&["--domains", &at(&domains), "check", "fraud"]);
        for part in expected {
            assert!(error.contains(part), "{new}: expected `{part}` in\n{error}");
        }
    }
}

#[test]
fn tables_that_read_each_other_in_a_circle_are_named() {
    let machine = Machine::new();
    let domains = copied_domain(&machine, "fraud", "fraud", &[]);
    machine.write("domains/fraud/tables/a.sql", "SELECT * FROM b");
    machine.write("domains/fraud/tables/b.sql", "SELECT * FROM a");
    let error = machine.error(&["--domains", &at(&domains), "check", "fraud"]);
    assert!(error.contains("in a circle: a -> b -> a"), "{error}");
}

#[test]
fn a_domain_that_does_not_exist_is_told_apart_from_a_slip() {
    let machine = Machine::new();
    assert!(machine.error(&["run", "froud"]).contains("did you mean `fraud`?"));
    assert!(machine.ok(&["check"]).contains("fraud: sound"));
}

/// The first blocks of the page in some language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begins = format!("```{language}\n");
    page.split(&begins).skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block).collect()
}

/// Parking tickets whose contesting follows their fine and their zone.
fn tickets() -> String {
    let mut text = "id,issued,zone,fine,contested\n".to_owned();
    let mut state = 7u64;
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    for ticket in 0..9_000 {
        let (fine, zone) = (10.0 + (draw() * 90.0).floor(), (draw() * 3.0) as usize);
        let chance = 1.0 / (1.0 + (-(fine - 70.0) / 12.0 - [1.0, 0.0, -1.0][zone]).exp());
        // Two years of twelve months of four weeks each.
        let (day, hour) = (ticket / 14, ticket % 24);
        let (year, month) = (2024 + day / 336, day / 28 % 12 + 1);
        text += &format!(
            "{ticket},{year}-{month:02}-{:02} {hour:02}:00:00,{},{fine},{}\n",
            day % 28 + 1,
            ["A", "B", "C"][zone],
            draw() < chance
        );
    }
    text
}

#[test]
fn the_smallest_domain_of_the_docs_runs_on_a_file_and_on_demo_rows_of_its_folder() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/domain.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (toml, sql) = (blocks(&page, "toml")[0], blocks(&page, "sql"));
    let lines = [toml, sql[0], sql[1]].iter().map(|text| text.lines().count()).sum::<usize>();
    assert!(lines <= 25, "{lines} lines");
    let machine = Machine::new();
    machine.write("domains/parking/domain.toml", toml);
    machine.write("domains/parking/features.sql", sql[0]);
    machine.write("domains/parking/sources/tickets.sql", sql[1]);
    machine.write("tickets.csv", tickets());
    let domains = at(&machine.path("domains"));
    assert!(machine.ok(&["--domains", &domains, "check", "parking"]).contains("parking: sound"));
    let file = at(&machine.path("tickets.csv"));
    let asked = ["--domains", &domains, "run", "parking", "--source", &file, "--layout", "tickets", "--json"];
    let report = machine.json(&asked);
    assert_eq!(report["promoted"], true, "{report}");
    assert_eq!(report["steps"][0]["detail"]["simulated"], false);

    machine.write("domains/parking/domain.toml", format!("{toml}\n[layout.demo]\nsimulated = true\n"));
    machine.write("domains/parking/sources/demo.sql", sql[1]);
    machine.write("domains/parking/demo/tickets.csv", tickets());
    let report = machine.json(&["--domains", &domains, "run", "parking", "--json"]);
    assert_eq!(report["steps"][0]["rows_in"], 9_000);
    assert_eq!(report["steps"][0]["detail"]["simulated"], true);
}
