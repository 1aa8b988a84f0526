//! A made-up version with everything a page can show, and the same with as little as there can be.

use crate::registry::store::GateRecord;
use crate::report::{Charts, ReportInput, card, html, numbers};
use crate::version::{Candidate, DecisionRule, FORMAT, FeatureSchema, FoldSummary, Manifest, MetricValue};
use septet_domain::{Fingerprints, ParameterValue};
use septet_learn::bootstrap::SplitMix64;
use septet_learn::calibration::{Bounds, Calibrator};
use septet_learn::univariate::{Read, Told, Univariate};
use std::collections::BTreeMap;

const HOSTILE: &str = "<b>&\"";
/// 2018-08-29.
const FIRST_DAY: i32 = 17_772;

struct Sample {
    manifest: Manifest,
    gates: Vec<GateRecord>,
    charts: Charts,
    quarantine: Vec<(String, String, u64)>,
}

impl Sample {
    fn input(&self) -> ReportInput<'_> {
        ReportInput {
            manifest: &self.manifest,
            gates: &self.gates,
            charts: &self.charts,
            rows_in: 1_754_155,
            rows_out: 1_754_020,
            quarantined: 135,
            filtered: 0,
            quarantine: &self.quarantine,
        }
    }

    fn html(&self) -> String {
        html(&self.input()).unwrap()
    }

    fn card(&self) -> String {
        card(&self.input()).unwrap()
    }
}

fn sample() -> Sample {
    let reason = |column: &str, reason: &str, rows| (column.to_owned(), reason.to_owned(), rows);
    Sample {
        manifest: manifest(),
        gates: vec![
            gate(
                "beats_linear",
                true,
                "average_precision: better by 0.0712 to 0.1243 (95 % interval of the difference, test folds)",
            ),
            gate("batch_equals_online", true, "2000 rows answered one by one: 0 of 34000 values differ"),
            gate("calibration", true, "calibration error 0.0009 on the test folds; at most 0.02"),
        ],
        charts: charts(),
        quarantine: vec![reason("amount", "holds text", 98), reason("", "line has 7 fields, expected 6", 37)],
    }
}

fn alone() -> Univariate {
    Univariate { told: Told::RocAuc, read: Read::Values, value: 0.52, low: 0.49, high: 0.55, rows: 9_000 }
}

fn gate(name: &str, passed: bool, evidence: &str) -> GateRecord {
    GateRecord { name: name.to_owned(), passed, evidence: evidence.to_owned() }
}

fn manifest() -> Manifest {
    let names = [
        HOSTILE,
        "terminal_id_fraud_share_7d",
        "amount",
        "terminal_id_fraud_share_30d_delayed_by_7d",
        "customer_id_payments_1d",
        "is_weekend",
    ];
    let feature = |name: &str| FeatureSchema {
        name: name.to_owned(),
        kind: "number".to_owned(),
        meaning: (name == "amount").then(|| "amount of the payment".to_owned()),
        unit: (name == "amount").then(|| "EUR".to_owned()),
    };
    let candidate = |learning_rate: f64, max_depth: f64, validation: f64| Candidate {
        kind: None,
        parameters: parameters(learning_rate, max_depth),
        validation,
        by_fold: vec![validation - 0.01, validation + 0.02, validation, validation - 0.01],
    };
    Manifest {
        format: FORMAT,
        domain: "fraud".to_owned(),
        version: "3f9c1d70aa12".to_owned(),
        title: "Fraud detection".to_owned(),
        question: "Should this card payment go through?".to_owned(),
        kind: "trees".to_owned(),
        task: "label".to_owned(),
        probability_of: None,
        learned: BTreeMap::new(),
        outputs: Vec::new(),
        measure: "average_precision".to_owned(),
        importances_of: "of the gain in training".to_owned(),
        target: "is_fraud".to_owned(),
        layout: "fraud_handbook".to_owned(),
        simulated: true,
        seed: 42,
        code_version: "0.1.0".to_owned(),
        definition: Fingerprints { model: "9a0b6a7d2f4e4c1c".to_owned(), answers: "8c0a5d1e7b3f2a90".to_owned() },
        fit: "77aa0b6a7d2f".to_owned(),
        decided_anew_from: None,
        data_fingerprint: "51c2d8e90a7b4f36a1d0c9b8e7f6a5d4".to_owned(),
        data_rows: 1_754_020,
        data_from: "2018-04-01".to_owned(),
        data_until: "2018-09-30".to_owned(),
        judged_until: None,
        fitted_on: None,
        features: names.map(feature).to_vec(),
        extras: vec!["is_weekend".to_owned()],
        left_out: vec![("reference".to_owned(), "an identifier: 9 different texts in 9 rows".to_owned())],
        alone: vec![("is_weekend".to_owned(), alone())],
        tables: None,
        parameters: parameters(0.05, 5.0),
        candidates: vec![
            candidate(0.05, 3.0, 0.668),
            candidate(0.05, 5.0, 0.691),
            candidate(0.1, 3.0, 0.671),
            candidate(0.1, 5.0, 0.684),
        ],
        estimates: Vec::new(),
        calibrator: Calibrator::CentredIsotonic {
            log_odds: vec![-6.0, 2.0],
            becomes: vec![-7.0, 2.0],
            slope: 0.9,
            bounds: Bounds { low: 1e-5, high: 0.999 },
        },
        decision: Some(DecisionRule {
            threshold: 0.0873,
            policy: "100 flagged a day, on validation".to_owned(),
            positive: "decline".to_owned(),
            negative: "approve".to_owned(),
            review: None,
            budgets: Vec::new(),
            true_positive: 212,
            false_positive: 431,
            true_negative: 57_210,
            false_negative: 147,
        }),
        folds: folds(),
        metrics: metrics(),
        advantage: BTreeMap::from([("linear".to_owned(), Some((0.0712, 0.1243))), ("prior".to_owned(), None)]),
        importances: names
            .iter()
            .zip([0.41, 0.302, 0.168, 0.07, 0.042, 0.008])
            .map(|(name, share)| (name.to_string(), share))
            .collect(),
    }
}

fn parameters(learning_rate: f64, max_depth: f64) -> BTreeMap<String, ParameterValue> {
    [("learning_rate", learning_rate), ("max_depth", max_depth), ("num_leaves", 31.0)]
        .map(|(name, value)| (name.to_owned(), ParameterValue::Number(value)))
        .into()
}

fn folds() -> Vec<FoldSummary> {
    let fold = |part: &str, title: &str| FoldSummary {
        part: part.to_owned(),
        title: title.to_owned(),
        train_rows: 67_240,
        train_positives: 564,
        test_rows: 58_000,
        test_positives: 359,
    };
    vec![
        fold("validation", "2018-08-15 to 2018-08-22"),
        fold("validation", "2018-08-08 to 2018-08-15"),
        fold("test", "2018-08-29 to 2018-09-05"),
        fold("test", "2018-08-22 to 2018-08-29"),
    ]
}

fn metrics() -> BTreeMap<String, MetricValue> {
    let metric = |value: f64, half: f64, linear: f64, prior: f64| MetricValue {
        // The larger ones of these rank rows.
        higher_is_better: value > 0.2,
        meaning: String::new(),
        value,
        low: Some(value - half),
        high: Some(value + half),
        baseline: Some(linear),
        baseline_name: Some("linear".to_owned()),
        baselines: BTreeMap::from([("linear".to_owned(), linear), ("prior".to_owned(), prior)]),
        by_fold: [value + half * 0.6, value - half * 0.4, value - half * 0.8, value + half * 0.6].map(Some).to_vec(),
    };
    [
        ("average_precision", metric(0.702, 0.021, 0.611, 0.0068)),
        ("roc_auc", metric(0.874, 0.013, 0.861, 0.5)),
        ("card_precision_at_100", metric(0.294, 0.012, 0.271, 0.031)),
        ("log_loss", metric(0.0213, 0.0014, 0.0247, 0.0421)),
        ("brier", metric(0.00389, 0.00031, 0.00452, 0.0068)),
        ("calibration_error", metric(0.00094, 0.0004, 0.0031, 0.0011)),
    ]
    .map(|(name, metric)| (name.to_owned(), metric))
    .into()
}

/// Seven days of payments, some of whose frauds stand out.
fn charts() -> Charts {
    let mut random = SplitMix64::new(7);
    let mut uniform = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let (mut score, mut baseline, mut truth, mut day) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in 0..14_000 {
        let positive = uniform() < 0.012;
        let stands_out = positive && uniform() < 0.7;
        let noise = (uniform() + uniform() + uniform() - 1.5) * 2.0;
        score.push(-5.6 + noise + if stands_out { 6.0 } else { 0.0 });
        baseline.push(noise + uniform() * 3.0 + if stands_out { 3.0 } else { 0.0 });
        truth.push(positive);
        day.push(FIRST_DAY + row / 2_000);
    }
    let probability: Vec<f64> = score.iter().map(|score| 1.0 / (1.0 + f64::exp(-score))).collect();
    Charts::new(&score, &probability, &truth, &day, Some(("linear", &baseline)), Some(20), 200)
}

#[test]
fn a_page_needs_nothing_beside_itself() {
    let page = sample().html();
    for outside in ["http://", "https://", "<script", "<link", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.len() < 150_000, "{} bytes", page.len());
    assert!(page.contains("simulated data"));
}

#[test]
fn the_page_of_a_large_version_stays_small() {
    let mut sample = sample();
    let name = |at: usize| format!("terminal_id_some_long_column_name_{at}_30d");
    let feature = |at: usize| FeatureSchema {
        name: name(at),
        meaning: Some("share of frauds among the terminal's payments".repeat(2)),
        ..sample.manifest.features[2].clone()
    };
    sample.manifest.features = (0..400).map(feature).collect();
    sample.manifest.importances = (0..400).map(|at| (name(at), 1.0 / 400.0)).collect();
    sample.manifest.candidates = sample.manifest.candidates.iter().cycle().take(300).cloned().collect();
    sample.quarantine =
        (0..500).map(|at| (name(at), "holds text where a number is expected".to_owned(), 500 - at as u64)).collect();
    let day: Vec<i32> = (0..4_000).collect();
    let score: Vec<f64> = day.iter().map(|&day| f64::from(day % 97) / 97.0).collect();
    let truth: Vec<bool> = day.iter().map(|&day| day % 97 % 7 == 3).collect();
    sample.charts = Charts::new(&score, &score, &truth, &day, Some(("linear", &score)), Some(5), 200);
    let page = sample.html();
    assert!(page.len() < 150_000, "{} bytes", page.len());
    assert!(page.contains("By span of test days") && page.contains("more were tried"));
}

#[test]
fn a_hostile_name_stays_text() {
    let sample = sample();
    let page = sample.html();
    assert!(!page.contains("<b>"), "neither in tables nor in pictures");
    assert!(page.contains("&lt;b&gt;&amp;"));
    let card = sample.card();
    assert!(!card.contains("<b>"));
}

#[test]
fn every_metric_gate_and_candidate_is_told() {
    let sample = sample();
    let (page, card) = (sample.html(), sample.card());
    for name in sample.manifest.metrics.keys().chain(sample.gates.iter().map(|gate| &gate.name)) {
        assert!(page.contains(name.as_str()) && card.contains(name.as_str()), "{name}");
    }
    assert!(page.contains("All 3 gates passed.") && card.contains("All 3 gates passed."));
    assert_eq!(page.matches("▸ chosen").count(), 1);
    assert!(page.contains("1,754,155 rows read = 1,754,020 kept + 135 quarantined + 0 filtered"));
}

#[test]
fn a_failed_gate_is_named_in_the_verdict() {
    let mut sample = sample();
    sample.gates.push(gate("model_size", false, "40.00 MB; at most 32"));
    assert!(sample.html().contains("1 of 4 gates failed: model_size."));
    sample.gates.clear();
    assert!(sample.card().contains("Not judged: no gate has been run."));
}

#[test]
fn a_test_fold_that_helped_to_choose_is_admitted() {
    let mut sample = sample();
    let admitted = "1 of the test folds share";
    assert!(!sample.html().contains(admitted) && !sample.card().contains(admitted));
    sample.manifest.folds[0].title = "2018-08-20 to 2018-08-27".to_owned();
    assert!(sample.html().contains(admitted) && sample.card().contains(admitted));
}

#[test]
fn equal_versions_have_equal_papers() {
    assert_eq!((sample().html(), sample().card()), (sample().html(), sample().card()));
}

#[test]
fn charts_survive_json() {
    let charts = charts();
    let text = serde_json::to_string(&charts).unwrap();
    assert!(text.len() < 40_000, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<Charts>(&text).unwrap(), charts);
}

/// Scores, probabilities, truths, days.
type Rows = (&'static [f64], &'static [f64], &'static [bool], &'static [i32]);

#[test]
fn little_or_strange_data_makes_a_page_too() {
    const NAN: f64 = f64::NAN;
    let extremes: [Rows; 8] = [
        (&[], &[], &[], &[]),
        (&[1.0], &[0.5], &[true], &[0]),
        (&[1.0], &[0.5], &[false], &[0]),
        (&[1.0, 1.0], &[0.0, 1.0], &[true, false], &[5, 5]),
        (&[0.1, 0.2, 0.3], &[1e-9, 1e-9, 0.9], &[false, false, true], &[i32::MIN, 0, i32::MAX]),
        (&[NAN, 0.5], &[NAN, 0.5], &[true, false], &[1, 2]),
        (&[NAN, NAN], &[NAN, NAN], &[true, false], &[1, 2]),
        (&[f64::INFINITY, f64::NEG_INFINITY], &[1.0, 0.0], &[true, false], &[1, 900]),
    ];
    for (score, probability, truth, day) in extremes {
        for baseline in [None, Some(("<none>", score))] {
            for budget in [None, Some(0), Some(5)] {
                let mut sample = sample();
                sample.charts = Charts::new(score, probability, truth, day, baseline, budget, 50);
                let text = serde_json::to_string(&sample.charts).unwrap();
                serde_json::from_str::<Charts>(&text).unwrap();
                check_no_nan(&sample);
            }
        }
    }
}

#[test]
fn a_manifest_with_next_to_nothing_makes_a_page_too() {
    let mut sample = sample();
    let manifest = &mut sample.manifest;
    (manifest.decision, manifest.simulated) = (None, false);
    manifest.folds.truncate(1);
    manifest.folds[0].title = "hold-out".to_owned();
    (manifest.folds[0].test_rows, manifest.folds[0].test_positives) = (0, 0);
    manifest.importances.iter_mut().for_each(|(_, share)| *share = f64::NAN);
    manifest.candidates[0].validation = f64::NAN;
    for metric in manifest.metrics.values_mut() {
        (metric.low, metric.high, metric.baseline, metric.baseline_name) = (None, None, None, None);
        metric.baselines.clear();
        metric.by_fold = vec![None];
    }
    check_no_nan(&sample);
    assert!(!sample.html().contains("simulated data") && !sample.card().contains("imulated"));
    let manifest = &mut sample.manifest;
    manifest.metrics.values_mut().for_each(|metric| metric.value = f64::NAN);
    manifest.metrics.insert(
        "all_equal".to_owned(),
        MetricValue {
            higher_is_better: true,
            meaning: String::new(),
            value: 0.0,
            low: Some(0.0),
            high: Some(0.0),
            baseline: Some(0.0),
            baseline_name: None,
            baselines: BTreeMap::new(),
            by_fold: vec![Some(0.0)],
        },
    );
    (manifest.folds, manifest.candidates, manifest.importances, manifest.features) = Default::default();
    (manifest.parameters, manifest.advantage, sample.quarantine) = Default::default();
    check_no_nan(&sample);
    sample.manifest.metrics.clear();
    sample.manifest.decision = Some(DecisionRule {
        threshold: f64::NAN,
        policy: String::new(),
        positive: String::new(),
        negative: String::new(),
        review: None,
        budgets: Vec::new(),
        true_positive: 0,
        false_positive: 0,
        true_negative: 0,
        false_negative: 0,
    });
    check_no_nan(&sample);
}

#[track_caller]
fn check_no_nan(sample: &Sample) {
    for paper in [sample.html(), sample.card()] {
        assert!(
            !paper.contains("NaN") && !paper.contains(">inf<") && !paper.contains("\"inf"),
            "a number that is none is shown as a dash"
        );
    }
}

#[test]
fn numbers_are_written_for_people() {
    let figures = [0.742, 0.0123, 0.00089, 1.0, 0.0, -0.25, 12.345, 2_500_000.0, f64::NAN].map(numbers::figure);
    assert_eq!(figures, [".742", ".0123", ".000890", "1.000", ".000", "−.250", "12.3", "2,500,000", "–"]);
    let shares = [0.0084, 0.123, 1.0, 0.0, 0.000_051, f64::NAN].map(numbers::percent);
    assert_eq!(shares, ["0.84 %", "12.3 %", "100 %", "0 %", "0.0051 %", "–"]);
    assert_eq!([0, 999, 1_754_155].map(numbers::count), ["0", "999", "1,754,155"]);
    assert_eq!([999, 5_120, 48_000, 999_600].map(numbers::short_count), ["999", "5.1k", "48k", "1.0M"]);
}
