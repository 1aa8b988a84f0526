//! Reviews: whether what is known to be in the simulated town is found, and how a text is answered.

use crate::http::Server;
use crate::machine::{Machine, copied_domain, real_data};
use septet_demo::{Size, restaurant_truth};
use serde_json::{Value, json};

/// The seed of every demo.
const SEED: u64 = 42;

fn rows(machine: &Machine, sql: &str) -> Vec<Value> {
    let text = machine.ok(&["--json", "sql", "restaurant", sql]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn what_turned_in_the_town_and_what_was_bought_there_are_found() {
    let machine = Machine::new();
    for step in ["extract", "transform", "load"] {
        machine.ok(&["step", "restaurant", step, "--run", "town"]);
    }
    let truth = restaurant_truth(Size::Normal, SEED);
    let found = rows(&machine, "SELECT business_id, aspect FROM aspect_changes WHERE false_alarms < 1");
    let is_true = |row: &&Value| {
        truth.changes.iter().any(|change| row["business_id"] == *change.business_id && row["aspect"] == change.aspect)
    };
    let right = found.iter().filter(is_true).count();
    assert!(right >= 18 && found.len() - right <= 2, "{right} of {} are true, of {}", found.len(), truth.changes.len());
    let signals = rows(&machine, "SELECT business_id, signals FROM suspicion_signals ORDER BY signals DESC LIMIT 1");
    assert_eq!(signals[0]["business_id"], *truth.bought.business_id, "{signals:?}");
    assert!(signals[0]["signals"].as_i64().unwrap() >= 3);
    let pairs = rows(&machine, "SELECT count(*) AS n FROM near_duplicates");
    assert!(pairs[0]["n"].as_i64().unwrap() > 0);
}

#[test]
#[ignore = "reads ../shared/data"]
fn labelled_sentences_without_stars_or_times_make_a_version_too() {
    let Some(data) = real_data() else { return };
    let machine = Machine::new();
    let source = data.join("restaurant/yelp_labelled.txt").display().to_string();
    let words = ["run", "restaurant", "--no-monitor", "--source", &source, "--layout", "yelp_labelled", "--json"];
    let report: Value = serde_json::from_slice(&machine.run(&words).stdout).unwrap();
    let rows =
        rows(&machine, "SELECT count(*) AS n, sum(CASE WHEN is_negative THEN 1 ELSE 0 END) AS negative FROM reviews");
    assert_eq!(rows[0], json!({ "n": 1_000, "negative": 500 }));
    let auc = &report["metrics"]["roc_auc"];
    assert!(auc["low"].as_f64().unwrap() > auc["baseline"].as_f64().unwrap(), "{auc}");
    assert!(report["metrics"]["predicted_stars_error"].is_null(), "there are no stars to be off by");
}

#[test]
fn a_review_is_answered_with_its_words_and_aspects() {
    let machine = Machine::new();
    // Fraud's port, and a split that the small town has days for; how well it is learned is not the question here.
    let changes = [
        ("domain.toml", "port = 8006", "port = 8001"),
        ("domain.toml", "baselines = [\"prior\", \"linear\"]", "baselines = [\"prior\"]"),
        (
            "domain.toml",
            "[decision]\n",
            "[gates]\ncalibration_error_max = 1\nparity_rows = 200\nprediction_us_max = 5000\nexplanation_us_max = 5000\n\n[decision]\n",
        ),
        ("domain.toml", "flags_per_day = 10", "flags_per_day = 2"),
        ("domain.toml", "flags_per_day = 30", "flags_per_day = 6"),
    ];
    let domains = copied_domain(&machine, "restaurant", "restaurant", &changes).display().to_string();
    let report = machine.json(&["--domains", &domains, "run", "restaurant", "--small", "--json"]);
    assert_eq!(report["promoted"], true, "{}", report["gates"]);
    assert!(report["metrics"]["roc_auc"]["value"].as_f64().unwrap() > 0.85, "{}", report["metrics"]);
    let server = Server::start_domain(&machine, &["--domains", &domains], "restaurant");
    let text = "The food was delicious but the waiter was rude and slow. Never again!";
    let review = json!({ "review_id": "r1", "business_id": "B001", "posted_at": "2026-06-20T19:00:00Z", "text": text, "stars": 2 });
    let reply = server.post("/predict", &review.to_string());
    assert_eq!(reply.status, 200, "{}", reply.body);
    let answer = reply.json();
    let aspects = answer["answer"]["aspects"].as_array().unwrap();
    let label = |aspect: &str| {
        aspects
            .iter()
            .find(|one| one["aspect"] == aspect)
            .map(|one| one["label"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(
        (label("food").as_deref(), label("service").as_deref()),
        (Some("positive"), Some("negative")),
        "{aspects:?}"
    );
    let stars = answer["answer"]["predicted_stars"].as_f64().unwrap();
    assert!((1.0..=5.0).contains(&stars), "{stars}");
    // What the guest gave is no input: the same text with five stars is the same complaint, and the gap is told.
    let praised = json!({ "review_id": "r9", "business_id": "B001", "posted_at": "2026-06-20T19:00:00Z", "text": text, "stars": 5 });
    let other = server.post("/predict", &praised.to_string()).json();
    assert_eq!(other["prediction"], answer["prediction"]);
    assert_eq!(other["answer"]["stars_and_text_disagree"], 5.0 - stars >= 2.5);
    let words = answer["reasons"].as_array().unwrap().iter().filter(|reason| reason["feature"] == "text");
    assert!(
        words.clone().count() > 0
            && words.clone().all(|reason| reason["text"].as_str().unwrap().contains("in the text"))
    );
    let nothing = json!({ "review_id": "r2", "business_id": "B001", "posted_at": "2026-06-20T19:01:00Z", "text": "" });
    assert_eq!(server.post("/predict", &nothing.to_string()).status, 422);
    let strange = json!({ "review_id": "r3", "business_id": "B001", "posted_at": "2026-06-20T19:02:00Z", "text": "\u{202e}🍜🍜 ́́ no\u{7}" });
    assert_eq!(server.post("/predict", &strange.to_string()).status, 200);
}
