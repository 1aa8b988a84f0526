//! From a table that nobody has described to a served model, in three commands; and a source that is tried before a run.

use crate::machine::Machine;
use serde_json::Value;
use std::fmt::Write as _;

/// A number from 0 to 1 that looks like chance and is the same each time.
fn chance(at: usize, salt: usize) -> f64 {
    let mut state =
        (at as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (salt as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state ^= state >> 31;
    state = state.wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^= state >> 29;
    (state >> 11) as f64 / (1u64 << 53) as f64
}

/// With time and key: a day's order, and whether it came late.
fn orders() -> String {
    (0..3_000).fold("OrderId,OrderedAt,Email,Weight,Region,WasLate\n".to_owned(), |mut text, at| {
        let (weight, region) = (chance(at, 1) * 20.0, ["north", "south", "west"][at % 3]);
        let late = chance(at, 2) < 0.05 + 0.03 * weight;
        let weight = if at % 50 == 0 { "NA".to_owned() } else { format!("{weight:.2}") };
        writeln!(
            text,
            "O{at:05},2026-{:02}-{:02} {:02}:30:00,user{at}@example.org,{weight},{region},{}",
            1 + at / 28 / 20,
            1 + at / 20 % 28,
            at % 20,
            if late { "Yes" } else { "No" }
        )
        .unwrap();
        text
    })
}

/// Without either; the label says 1 or 2.
fn loans() -> String {
    (0..1_500).fold("amount,purpose,rate,class\n".to_owned(), |mut text, at| {
        let (amount, rate) = ((chance(at, 3) * 9_000.0).round(), chance(at, 4));
        let bad = chance(at, 5) < 0.1 + 0.6 * rate;
        writeln!(text, "{amount},{},{rate:.3},{}", ["car", "house", "other"][at % 3], 1 + u8::from(bad)).unwrap();
        text
    })
}

/// Names that need quotes, a semicolon, decimal commas, days first, and a number to predict.
fn houses() -> String {
    (0..1_200).fold("Größe (m²);order;2nd floor?;Verkauft am;Preis €\n".to_owned(), |mut text, at| {
        let size = 40.0 + (chance(at, 6) * 1_000.0).round() / 10.0;
        let price = 1_000.0 * size + 30_000.0 * chance(at, 7);
        let line = format!(
            "{size:.1};{};{};{:02}.{:02}.2025;{price:.2}",
            at % 7,
            ["ja", "nein"][at % 2],
            1 + at % 28,
            1 + at % 12
        );
        writeln!(
            text,
            "{}",
            line.replace(&format!("{size:.1};"), &format!("{};", format!("{size:.1}").replace('.', ",")))
                .replace(&format!("{price:.2}"), &format!("{price:.2}").replace('.', ","))
        )
        .unwrap();
        text
    })
}

/// All three commands; the run's report and the folder's files.
fn three_commands(machine: &Machine, name: &str, file: &str, more: &[&str]) -> (Value, String) {
    machine.ok(&[&["new", name, "--from", file], more].concat());
    assert!(machine.ok(&["check", name]).contains("sound"), "{name}");
    let report = machine.json(&["run", name, "--source", file, "--layout", "own", "--json"]);
    assert_eq!(report["promoted"], true, "{report:#}");
    let files = crate::machine::tree(&machine.path("domains").join(name));
    let text = files.into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect::<Vec<_>>().join("\n");
    (report, text)
}

#[test]
fn a_table_with_time_and_key_answers_after_three_commands() {
    let machine = Machine::new();
    machine.write("orders.csv", orders());
    let (_, files) = three_commands(&machine, "lateness", "orders.csv", &["--label", "WasLate"]);
    for part in
        ["key = \"order_id\"", "time = \"ordered_at\"", "null_words = [\"NA\"]", "by = \"time\"", "looks personal"]
    {
        assert!(files.contains(part), "{part} is not in\n{files}");
    }
    assert!(!files.contains("example.org") && !files.contains("O00000"), "a person's or a row's own value\n{files}");
    let again = machine.error(&["new", "lateness", "--from", "orders.csv"]);
    assert!(again.contains("already"), "{again}");
}

#[test]
fn a_table_without_time_and_key_answers_after_three_commands() {
    let machine = Machine::new();
    machine.write("loans.csv", loans());
    let (_, files) = three_commands(&machine, "lending", "loans.csv", &["--label", "class"]);
    for part in ["row_key", "row_time", "by = \"stratified\"", "true where it is `2`"] {
        assert!(files.contains(part), "{part} is not in\n{files}");
    }
}

#[test]
fn a_table_with_names_and_numbers_of_another_country_answers_after_three_commands() {
    let machine = Machine::new();
    machine.write("houses.csv", houses());
    let (_, files) = three_commands(&machine, "houses", "houses.csv", &["--label", "Preis €"]);
    for part in
        ["groesse_m", "order_given", "c_2nd_floor", "decimal = \",\"", "delimiter = \";\"", "'%d.%m.%Y'", "rmse"]
    {
        assert!(files.contains(part), "{part} is not in\n{files}");
    }
}

#[test]
fn a_source_is_tried_before_a_run_and_says_which_setting_would_help() {
    let machine = Machine::new();
    machine.write("orders.csv", orders());
    machine.ok(&["new", "lateness", "--from", "orders.csv", "--label", "WasLate"]);
    let check = |file: &str| machine.run(&["check", "lateness", "--source", file, "--layout", "own", "--json"]);
    assert!(check("orders.csv").status.success());
    machine
        .write("spoiled.csv", orders().replace(",NA,", ",n/a,").replace(",north,", ",,").replace("O00002,", "O00001,"));
    let output = check("spoiled.csv");
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    // A row is counted at the first of its columns that breaks the contract: 20 of 1,000 rows without a region at their weight.
    let findings = told["inputs"][0]["findings"].as_array().unwrap();
    let of =
        |column: &str| findings.iter().find(|found| found["column"] == column).unwrap_or_else(|| panic!("{told:#}"));
    assert_eq!((of("region")["rows"].as_u64(), of("region")["first_row"].as_u64()), (Some(980), Some(4)));
    assert!(of("region")["advice"].as_str().unwrap().contains("required = false"));
    assert_eq!(of("weight")["values"][0][0], "n/a");
    assert!(of("weight")["advice"].as_str().unwrap().contains("null_words = [\"n/a\"]"));
    assert_eq!(of("order_id")["reason"], "duplicate_key");
    assert!(!machine.home().exists(), "a look leaves something behind");
}
