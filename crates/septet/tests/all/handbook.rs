//! The published figures of the Fraud Detection Handbook, by its own protocols, on its own data.

use crate::machine::{Machine, copied_folder, real_data};
use flate2::read::GzDecoder;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

fn source(data: &Path) -> String {
    data.join("fraud/handbook_transactions.parquet").display().to_string()
}

/// The domain with the book's 12 windows and 15 features only, as the benchmarks use it.
fn fifteen_features(machine: &Machine, changes: &[(&str, &str, &str)]) -> String {
    copied_folder(machine, "bench/domains", "fraud", "fraud", changes).display().to_string()
}

fn close(found: &Value, expected: f64, tolerance: f64, what: &str) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance, "{what}: found {found:.4}, published {expected}");
}

#[test]
#[ignore = "reads ../shared/data"]
fn the_twelve_window_features_equal_the_reference_on_all_rows() {
    let Some(data) = real_data() else { return };
    let machine = Machine::new();
    let mut sample = String::new();
    let file = std::fs::File::open(data.join("fraud/handbook_features_sample.csv.gz")).unwrap();
    GzDecoder::new(file).read_to_string(&mut sample).unwrap();
    machine.write("sample.csv", sample);
    machine.ok(&[
        "bench",
        "windows",
        "fraud",
        "--source",
        &source(&data),
        "--layout",
        "fraud_handbook",
        "--out",
        "windows.parquet",
    ]);
    let days = ["1", "7", "30"];
    let differences: Vec<String> = days
        .iter()
        .flat_map(|day| {
            [
                format!("abs(w.customer_payments_{day}d - s.\"CUSTOMER_ID_NB_TX_{day}DAY_WINDOW\")"),
                format!("abs(w.customer_amount_avg_{day}d - s.\"CUSTOMER_ID_AVG_AMOUNT_{day}DAY_WINDOW\")"),
                format!("abs(w.terminal_payments_{day}d - s.\"TERMINAL_ID_NB_TX_{day}DAY_WINDOW\")"),
                format!("abs(coalesce(w.terminal_fraud_share_{day}d, 0) - s.\"TERMINAL_ID_RISK_{day}DAY_WINDOW\")"),
            ]
        })
        .collect();
    let joined = "FROM 'windows.parquet' w JOIN 'sample.csv' s ON w.payment_id = CAST(s.\"TRANSACTION_ID\" AS VARCHAR)";
    assert_eq!(machine.number(&[&format!("SELECT count(*) AS n {joined}")]), 20_000.0);
    let largest = machine.number(&[&format!("SELECT max(greatest({})) AS d {joined}", differences.join(", "))]);
    assert!(largest <= 1e-9, "the largest difference is {largest:e}");
}

#[test]
#[ignore = "reads ../shared/data"]
fn chapter_three_is_reproduced_with_its_set_sizes_and_its_logistic_regression() {
    let Some(data) = real_data() else { return };
    let machine = Machine::new();
    // One test week, trained on 2018-07-25..07-31: its validation fold lies two weeks earlier.
    let domains = fifteen_features(
        &machine,
        &[
            ("domain.toml", "split_end = \"2018-09-05\"", "split_end = \"2018-08-15\""),
            ("domain.toml", "folds = 4", "folds = 1"),
        ],
    );
    let report = machine.judged(&[
        "--domains",
        &domains,
        "run",
        "fraud",
        "--source",
        &source(&data),
        "--layout",
        "fraud_handbook",
        "--json",
    ]);
    let manifest = machine.home().join("models/fraud").join(report["version"].as_str().unwrap()).join("manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest).unwrap()).unwrap();
    let fold = manifest["folds"].as_array().unwrap().iter().find(|fold| fold["part"] == "test").unwrap().clone();
    let sizes = ["train_rows", "train_positives", "test_rows", "test_positives"].map(|key| fold[key].as_u64().unwrap());
    assert_eq!(sizes, [67_240, 598, 58_264, 385]);
    for (metric, published) in [("roc_auc", 0.871), ("average_precision", 0.606), ("card_precision_at_100", 0.291)] {
        close(&report["metrics"][metric]["baselines"]["linear"], published, 0.003, metric);
    }
}

#[test]
#[ignore = "reads ../shared/data"]
fn chapter_five_is_reached_with_the_books_features_and_passed_with_ours() {
    let Some(data) = real_data() else { return };
    let run = |machine: &Machine, domains: Option<String>| {
        let mut words = vec!["run", "fraud", "--json", "--layout", "fraud_handbook", "--source"];
        let source = source(&data);
        words.push(&source);
        if let Some(domains) = &domains {
            words.extend(["--domains", domains.as_str()]);
        }
        machine.judged(&words)
    };
    let machine = Machine::new();
    let domains = fifteen_features(&machine, &[]);
    let book = run(&machine, Some(domains));
    for (metric, published) in [("roc_auc", 0.868), ("average_precision", 0.623), ("card_precision_at_100", 0.297)] {
        close(&book["metrics"][metric]["baselines"]["linear"], published, 0.002, metric);
    }
    let value = |report: &Value, metric: &str| report["metrics"][metric]["value"].as_f64().unwrap();
    assert!(value(&book, "average_precision") >= 0.690, "{}", value(&book, "average_precision"));
    assert!(value(&book, "card_precision_at_100") >= 0.303, "{}", value(&book, "card_precision_at_100"));
    let ours = run(&Machine::new(), None);
    assert!(value(&ours, "average_precision") >= 0.730, "{}", value(&ours, "average_precision"));
    assert!(value(&ours, "card_precision_at_100") >= 0.306, "{}", value(&ours, "card_precision_at_100"));
    assert_eq!(ours["promoted"], true);
    assert_eq!(ours["steps"][0]["rows_in"], 1_754_155);
}
