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
            ("domain.toml", "[model.search]\ntrees = [200, 300, 400]", "[model.search]\nc = [0.1, 1]"),
        ],
    );
    let toml = machine.path("domains/cards/domain.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let (head, rest) = text.split_once("[model.parameters]").unwrap();
    let (_, tail) = rest.split_once("[model.search]").unwrap();
    std::fs::write(&toml, format!("{head}[model.search]{tail}")).unwrap();
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
        ("domain.toml", "AS at, avg(CASE", "AS at, agv(CASE", vec!["domain.toml:", "agv"]),
        (
            "domain.toml",
            "amount_avg = \"avg(amount)\" }",
            "amount_avg = \"avg(amont)\" }",
            vec!["domain.toml:", "amont"],
        ),
        ("domain.toml", "[feature.is_night]", "[feature.is_nigth]", vec!["domain.toml:", "did you mean `is_night`?"]),
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
