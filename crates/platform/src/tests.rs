//! What the seams promise, end to end on a small domain of the tests' own: a kind is a file and a line, kinds compete, a number
//! is a target like a label, labels come from later rows, and a changed definition asks for no more than it must.

mod beyond;
mod format;
mod house;
mod next_files;
mod planted;

pub use house::*;

use crate::inputs::features::frame_row;
use crate::run::prepare::prepare;
use crate::{CHAMPION, PlatformError, RunReport, Scorer, Signed, VersionAction, change_version, check_domain};
use septet_learn::measures::{Answers, Prepared, Task, measure};
use septet_tables::{Engine, EngineSettings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_later_rows_are_learned_judged_and_come_by_themselves() {
    let house = House::new(&[]).await;
    let report = house.run().await;
    assert!(report.promoted, "{:?}", report.gates);
    let gate = gate(&report, "labels_no_look_ahead");
    assert!(gate.passed && !gate.evidence.contains(" of 0 "), "{}", gate.evidence);
    let reached = &report.metrics["average_precision"];
    assert!(reached.value > reached.baselines["prior"] + 0.05, "{reached:?}");

    // Many customers come, half of them once more; then time goes on.
    let service = house.serve().await;
    for (day, customers) in [(0, 140), (10, 70), (45, 1)] {
        for customer in 0..customers {
            let event = visit(&format!("n{day}-{customer}"), DAYS + day, &format!("n{customer}"), 40.0);
            house.answer(&service, event).await;
        }
    }
    service.stop().await;
    let found = house.look().await;
    let seen = found.performance.iter().find(|metric| metric.name == "average_precision").unwrap();
    let since = (FIRST + DAYS * DAY) / found.grid.window;
    let counted = seen.realised.iter().find(|realised| realised.window == since).map(|one| (one.rows, one.positives));
    assert_eq!(
        counted,
        Some((140, 70)),
        "{since} {:?} {:?} {}",
        seen.realised.last(),
        found.notes,
        found.immature_from
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_looks_further_than_it_says_is_refused() {
    let house = House::new(&[]).await;
    let too_far = LABEL.replace("'30 days' FOLLOWING", "'45 days' FOLLOWING");
    house.write("domains/visits/label.sql", &too_far);
    let report = house.run().await;
    let gate = gate(&report, "labels_no_look_ahead");
    assert!(!gate.passed && !report.promoted, "{}", gate.evidence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_of_many_rows_is_learned_and_cannot_look_ahead() {
    let house = House::of_bars().await;
    let report = house.run().await;
    assert!(report.promoted, "{:?}", report.gates);
    for name in ["no_look_ahead", "labels_no_look_ahead", "batch_equals_online"] {
        let gate = gate(&report, name);
        assert!(gate.passed && !gate.evidence.contains(" of 0 "), "{name}: {}", gate.evidence);
    }
    let service = house.serve().await;
    let known = house.answer(&service, json!({ "symbol": "A" })).await;
    assert!(known["prediction"]["probability"].as_f64().is_some(), "{known}");
    service.stop().await;

    let ahead =
        BAR_FEATURES.replace("\nFROM bars", ", lead(close) OVER (PARTITION BY symbol ORDER BY at) AS next\nFROM bars");
    for (file, sql, refused_by) in [
        ("features.sql", ahead, "no_look_ahead"),
        ("features.sql", BAR_FEATURES.replace("9 PRECEDING", "100 PRECEDING"), "batch_equals_online"),
        ("label.sql", BAR_LABELS.replace("lead(close)", "lead(close, 5)"), "labels_no_look_ahead"),
    ] {
        let house = House::of_bars().await;
        house.write(&format!("domains/bars/{file}"), &sql);
        let report = house.run().await;
        let gate = gate(&report, refused_by);
        assert!(!gate.passed && !report.promoted, "{sql}: {}", gate.evidence);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_of_one_file_and_one_line_does_all_that_a_kind_does() {
    let house = House::new(&[("kind = \"linear\"", "kind = \"stump\""), (DECISION, "")]).await;
    let report = house.run().await;
    assert!(report.promoted, "{:?}", report.gates);
    let reached = &report.metrics["average_precision"];
    assert!(reached.value > reached.baselines["prior"], "{reached:?}");
    let manifest = house.scorer(&report).manifest;
    assert_eq!((manifest.kind.as_str(), manifest.importances_of.as_str()), ("stump", "of the one split"));
    let page = std::fs::read_to_string(&report.report).unwrap();
    assert!(page.contains("stump") && page.contains("of the one split"));

    let service = house.serve().await;
    let (often, seldom) = (visit("a", DAYS, "c0", 49.0), visit("b", DAYS, "new", 12.0));
    let (often, seldom) = (house.answer(&service, often).await, house.answer(&service, seldom).await);
    let probability = |answer: &Value| answer["prediction"]["probability"].as_f64().unwrap();
    assert!(probability(&often) > probability(&seldom), "{often} {seldom}");
    let reasons = often["reasons"].as_array().unwrap();
    let moved = reasons.iter().filter(|reason| reason["contribution"].as_f64().unwrap() != 0.0).count();
    assert_eq!(moved, 1, "one split of one number: {often}");
    service.stop().await;
    let found = house.look().await;
    assert!(found.version == report.version && !found.drift.columns.is_empty(), "{:?}", found.notes);
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_compete_on_the_same_folds_and_the_simplest_within_one_error_wins() {
    let candidates = "
[[model.candidate]]
kind = \"stump\"
search = { quantiles = [4, 8] }

[[model.candidate]]
kind = \"linear\"

[[model.candidate]]
kind = \"trees\"
parameters = { trees = 20 }

[decision]";
    let contest = [("kind = \"linear\"\n", ""), ("[decision]", candidates)];
    let house = House::new(&contest).await;
    let best = house.scorer(&house.run().await).manifest;
    let kinds: Vec<&str> = best.candidates.iter().map(|candidate| candidate.kind.as_deref().unwrap()).collect();
    assert_eq!(kinds, ["stump", "stump", "linear", "trees"]);
    let top = best.candidates.iter().map(|candidate| candidate.validation).fold(f64::MIN, f64::max);
    let chosen = best.candidates.iter().find(|candidate| candidate.validation == top).unwrap();
    assert_eq!(Some(&best.kind), chosen.kind.as_ref(), "{:?}", best.candidates);

    house.change(&[(
        "measure = \"average_precision\"",
        "choose = \"simplest_within_one_standard_error\"\nmeasure = \"average_precision\"",
    )]);
    let report = house.run().await;
    let simple = house.scorer(&report).manifest;
    let places = |kind: &str| kinds.iter().position(|known| *known == kind).unwrap();
    assert!(places(&simple.kind) <= places(&best.kind), "{} after {}", simple.kind, best.kind);
    let page = std::fs::read_to_string(&report.report).unwrap();
    assert!(["stump", "linear", "trees"].iter().all(|kind| page.contains(kind)), "the report shows all");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_much_is_asked_like_whether() {
    for kind in ["linear", "trees"] {
        let house = House::new(&[
            ("kind = \"linear\"", &format!("kind = \"{kind}\"")),
            ("target = \"again\"", "target = \"minutes\"\nentity = \"customer_id\""),
            ("delay = \"30d\"", "delay = \"1d\""),
            ("measure = \"average_precision\"", "measure = \"mae\""),
            ("baselines = [\"prior\"]", "baselines = [\"mean\", \"median\", \"last_value\"]"),
            (DECISION, ""),
            ("calibration_error_max = 0.2", ""),
        ])
        .await;
        let report = house.run().await;
        assert!(report.promoted, "{kind}: {:?}", report.gates);
        let error = &report.metrics["mae"];
        // Ten minutes by chance: 2.5 is what no model can take away.
        assert!(error.value > 2.3 && error.value < 3.5, "{kind}: {error:?}");
        for baseline in ["mean", "median", "last_value"] {
            assert!(error.baselines[baseline] > error.value + 0.5, "{kind} {baseline}: {error:?}");
        }
        let service = house.serve().await;
        let answer = house.answer(&service, visit("a", DAYS, "c0", 40.0)).await;
        let value = answer["prediction"]["value"].as_f64().unwrap();
        assert!((30.0..45.0).contains(&value), "{kind}: {answer}");
        service.stop().await;
        house.look().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_definition_asks_for_no_more_than_it_must() {
    let house = House::new(&[]).await;
    let first = house.run().await;
    assert!(first.promoted, "{:?}", first.gates);
    let service = house.serve().await;
    let before = house.answer(&service, visit("a", DAYS, "c0", 49.0)).await;

    // What watches: nothing is learned or decided anew, and the champion answers on.
    house.change(&[("band = \"both\"", "band = \"down\"")]);
    let watched = house.run().await;
    assert_eq!(watched.version, first.version);

    // A rule: a new version by the same fit.
    house.change(&[("[[watch]]", RULE)]);
    let ruled = house.run().await;
    let manifest = house.scorer(&ruled).manifest;
    assert!(ruled.promoted && ruled.version != first.version, "{:?}", ruled.gates);
    assert_eq!(manifest.decided_anew_from.as_deref(), Some(first.version.as_str()));
    assert_eq!(manifest.fit, house.scorer(&first).manifest.fit);
    for _ in 0..200 {
        if service.answerer().unwrap().manifest().version == ruled.version {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after = house.answer(&service, visit("b", DAYS, "c0", 49.0)).await;
    assert_eq!(
        after["decision"]["rules"][0]["name"].as_str().or(after["decision"]["rules"][0].as_str()),
        Some("large"),
        "{after}"
    );
    assert!(before["decision"]["rules"].as_array().is_none_or(Vec::is_empty), "{before}");
    service.stop().await;

    // A feature: another fit.
    house.write("domains/visits/features.sql", "SELECT ln(amount + 1) AS amount, customer_visits_60d FROM visits");
    let fitted = house.run().await;
    let manifest = house.scorer(&fitted).manifest;
    assert_eq!(manifest.decided_anew_from, None);
    assert_ne!(manifest.fit, house.scorer(&ruled).manifest.fit);
    let champion = house.store.alias("visits", CHAMPION).await.unwrap().unwrap();
    assert_eq!(champion.version == fitted.version, fitted.promoted);
}

#[tokio::test]
async fn a_misspelt_parameter_is_refused_with_its_place() {
    let engine = || {
        let folder = std::env::temp_dir();
        Engine::new(&EngineSettings { memory_max: 1 << 28, spill_folder: folder, partitions: 1 }).unwrap()
    };
    for (line, expected) in [
        ("[model.parameters]\nlearning_rat = 0.1", "did you mean `learning_rate`?"),
        ("[model.parameters]\nlearning_rate = 70", "learning_rate"),
        ("[model.parameters]\nlearning_rate = \"fast\"", "learning_rate"),
        ("[model.search]\nlearning_rat = [0.1, 0.2]", "did you mean `learning_rate`?"),
    ] {
        let text = format!("{line}\n\n[decision]");
        let house = House::new(&[("kind = \"linear\"", "kind = \"trees\""), ("[decision]", &text)]).await;
        let found = check_domain(&engine(), &house.domain()).await.expect_err(line).to_string();
        let place = house.folder.path().join("domains/visits/domain.toml").display().to_string();
        let at = 1 + changed(DOMAIN, &[("[decision]", &text)]).lines().position(|l| l.starts_with("learning")).unwrap();
        assert!(found.contains(expected) && found.contains(&format!("{place}:{at}:")), "{line}: {found}");
    }
}

const RULE: &str =
    "[[rule]]\nname = \"large\"\ntitle = \"much was spent\"\nwhen = \"amount > 45\"\naction = \"keep\"\n\n[[watch]]";

#[tokio::test(flavor = "multi_thread")]
async fn versions_change_hands_by_name_and_reason_alone() {
    let house = House::new(&[]).await;
    let first = house.run().await.version;
    house.change(&[("[[watch]]", RULE)]);
    let second = house.run().await.version;
    assert_ne!(first, second);
    let signed = Signed { by: "ann", why: "complaints since Monday" };
    let act = |action, version: Option<String>| {
        let (home, store) = (house.home.clone(), house.store.clone());
        async move { change_version(&home, &store, "visits", action, version.as_deref(), false, signed).await }
    };
    let champion = || async { house.store.alias("visits", CHAMPION).await.unwrap().unwrap().version };
    assert_eq!(champion().await, second);

    act(VersionAction::Rollback, None).await.unwrap();
    assert_eq!(champion().await, first);
    let change = house.store.alias_changes("visits", CHAMPION).await.unwrap().remove(0);
    assert_eq!(
        (&*change.previous, &*change.version, &*change.changed_by, &*change.why),
        (&*second, &*first, signed.by, signed.why)
    );

    // Pinned: neither a run nor a person moves it.
    act(VersionAction::Pin, Some(first.clone())).await.unwrap();
    house.change(&[("amount > 45", "amount > 40")]);
    let third = house.run().await;
    assert!(!third.promoted && third.gates.iter().all(|gate| gate.passed), "{:?}", third.gates);
    assert_eq!(champion().await, first);
    let error = act(VersionAction::Promote, Some(third.version.clone())).await.unwrap_err().to_string();
    assert!(error.contains("is pinned"), "{error}");
    act(VersionAction::Unpin, None).await.unwrap();
    act(VersionAction::Promote, Some(third.version.clone())).await.unwrap();
    assert_eq!(champion().await, third.version);

    // What answers is not deleted, and what is unknown is told with what is near.
    let error = act(VersionAction::Delete, Some(third.version.clone())).await.unwrap_err().to_string();
    assert!(error.contains("champion"), "{error}");
    act(VersionAction::Delete, Some(second.clone())).await.unwrap();
    assert!(!house.home.version_folder("visits", &second).exists());
    assert!(act(VersionAction::Promote, Some(second.clone())).await.is_err());
    // Somebody else was faster: nothing is done.
    let stale = house.store.move_alias("visits", CHAMPION, Some(&first), &first, signed).await.unwrap();
    assert!(!stale && champion().await == third.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_hold_against_the_champion_is_kept_and_not_promoted() {
    let house = House::new(&[]).await;
    let first = house.run().await;
    assert!(first.promoted, "{:?}", first.gates);
    house.write(
        "domains/visits/features.sql",
        "SELECT amount * 0 + date_part('minute', at) AS amount, 1.0 AS customer_visits_60d FROM visits",
    );
    let worse = house.run().await;
    let gate = gate(&worse, "holds_against_champion");
    assert!(!gate.passed && !worse.promoted, "{}", gate.evidence);
    assert!(house.home.version_folder("visits", &worse.version).exists());
    assert_eq!(house.store.alias("visits", CHAMPION).await.unwrap().unwrap().version, first.version);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_what_was_judged() {
    let house = House::new(&[]).await;
    let report = house.run().await;
    let scorer = house.scorer(&report);
    let domain = house.domain();
    let run = house.run_of(&domain, report.run_id.clone());
    let data = prepare(&run).await.unwrap();
    let newest = &data.plan.test[0].test;
    let rows: Vec<_> = newest.iter().map(|&row| frame_row(&data.frame, row as usize)).collect();
    let served: Vec<_> = scorer.score_each(&rows, false).unwrap().into_iter().map(|(score, _)| score).collect();
    let (chance, raw): (Vec<f64>, Vec<f64>) = served.iter().map(|score| (score.value, score.raw)).unzip();
    let truth: Vec<f64> = newest.iter().map(|&row| data.target()[row as usize]).collect();
    let answers = Answers { score: None, chance: Some(chance.clone()), number: None };
    let prepared = Prepared::new(Task::Label, answers, truth.clone(), vec![0; truth.len()]);
    for name in ["roc_auc", "average_precision", "log_loss", "brier", "calibration_error"] {
        let reported = report.metrics[name].by_fold[0].unwrap();
        let of_served = measure(name).unwrap().of_all(&prepared).unwrap();
        assert!((reported - of_served).abs() < 1e-9, "{name}: {reported} reported, {of_served} served");
    }
    let distinct = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<BTreeSet<u64>>().len();
    assert_eq!(distinct(&chance), distinct(&raw), "no two scores are served one probability");
    let folder = house.home.version_folder("visits", &report.version);
    let charts: Value = serde_json::from_slice(&std::fs::read(folder.join("charts.json")).unwrap()).unwrap();
    assert_eq!(charts["distinct"], distinct(&chance));
    assert!(charts["intervals"]["bins"].as_u64() > Some(0));
    let decision = scorer.manifest.decision.as_ref().unwrap();
    let flagged = chance.iter().filter(|chance| decision.action(**chance) == "keep").count() as u64;
    assert_eq!(flagged, decision.true_positive + decision.false_positive);
    assert_eq!(flagged, decision.budgets[0].flagged);
    assert!(
        served.iter().all(|score| score.interval.is_some_and(|(low, high)| low <= score.value && score.value <= high))
    );

    let service = house.serve().await;
    let answer = house.answer(&service, visit("new", 200, "c0", 35.0)).await;
    let said = |path: &str| answer.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {answer}"));
    let [low, value, high] =
        ["interval/low", "probability", "interval/high"].map(|end| said(&format!("/prediction/{end}")));
    assert!(0.0 <= low && low < value && value < high && high <= 1.0, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_of_an_older_format_is_refused_by_a_sentence() {
    let house = House::new(&[]).await;
    let report = house.run().await;
    let folder = house.home.version_folder("visits", &report.version);
    let path = folder.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest["format"] = json!(2);
    manifest["calibrator"] = json!({ "kind": "isotonic", "score": [0.1], "probability": [0.2] });
    std::fs::write(&path, manifest.to_string()).unwrap();
    let said = Scorer::load(&folder).err().map(|error| error.to_string()).unwrap_or_default();
    let expected = format!("its format is 2, this program reads {}: `septet run visits` makes", crate::version::FORMAT);
    assert!(said.contains(&expected), "{said}");
}

/// Lines of the crates' own sources, tests aside, of files that `chosen` takes; with their places.
fn source_lines(chosen: &dyn Fn(&str) -> bool) -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<_> = ["platform", "server", "septet"].map(|name| root.join(name).join("src")).to_vec();
    let mut lines = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.contains("test") && chosen(&name) {
                let text = std::fs::read_to_string(&path).unwrap();
                let own = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                let code = own.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
                lines.extend(code.map(|(at, line)| (format!("{name}:{}", at + 1), line.to_owned())));
            }
        }
    }
    assert!(lines.len() > 1000, "the sources are read");
    lines
}

#[test]
fn nothing_outside_inputs_names_the_way_that_inputs_are_had() {
    let words = [".series", "Series", "series_rows", "Inputs::Events", "inputs::events", "Source::"];
    let outside = |name: &str| !name.starts_with("platform/src/inputs/");
    let mut found = source_lines(&outside);
    found.retain(|(_, line)| words.iter().any(|word| line.contains(word)));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn nothing_outside_kinds_names_a_kind() {
    let names: Vec<&str> = crate::kinds::ALL.iter().map(|kind| kind.name()).collect();
    let names_one = |line: &str, name: &&str| {
        // A column, a log and a reason are text too.
        let word = line.contains(&format!("\"{name}\"")) && (*name != "text" || line.contains("kind"));
        word || line.contains(&format!("kinds::{name}"))
    };
    let outside = |name: &str| !name.starts_with("platform/src/kinds/") && !name.contains("one_verdict");
    let mut found = source_lines(&outside);
    found.retain(|(_, line)| names.iter().any(|name| names_one(line, name)));
    assert!(found.is_empty(), "{found:#?}");
}

/// The first rows of a CSV file, with its header.
fn first_rows(text: &str, rows: usize) -> String {
    text.lines().take(rows + 1).map(|line| format!("{line}\n")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_changes_nothing_that_a_service_answers_from() {
    let house = House::new(&[]).await;
    let good = house.run().await;
    assert!(good.promoted, "{:?}", good.gates);
    let service = house.serve().await;
    let answer = house.answer(&service, visit("a", DAYS, "c0", 30.0)).await;
    let in_force = house.home.published("visits").unwrap().unwrap();
    let champion = house.store.alias("visits", CHAMPION).await.unwrap().unwrap().version;
    // In order of time, so that the first rows are the oldest.
    let mut rows: Vec<String> = visits().lines().skip(1).map(str::to_owned).collect();
    let header = visits().lines().next().unwrap().to_owned();
    rows.sort_by_key(|row| row.split(',').nth(1).unwrap().to_owned());
    let all = format!("{header}\n{}\n", rows.join("\n"));
    let without_minutes: String = all.lines().enumerate().fold(String::new(), |text, (at, line)| {
        let (head, _) = line.rsplit_once(',').unwrap();
        text + &if at == 0 { format!("{line}\n") } else { format!("{head},\n") }
    });
    for (text, expected) in [
        (first_rows(&all, 12), "12 rows where"),
        (first_rows(&all, rows.len() - 1), "rows where"),
        (without_minutes, "`minutes` is empty"),
        (format!("{header}\nx,no time,c0,a lot,1\n"), "break the contract"),
        (String::new(), ""),
    ] {
        house.write("visits.csv", &text);
        let error = house.try_run(false).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(house.home.published("visits").unwrap().unwrap(), in_force, "{expected}");
        assert_eq!(house.store.alias("visits", CHAMPION).await.unwrap().unwrap().version, champion, "{expected}");
    }
    // A gate that may be about the rows: a label that looks further than it says.
    house.write("visits.csv", &visits());
    house.write("domains/visits/label.sql", &LABEL.replace("30", "60"));
    let failed = house.run().await;
    assert!(failed.withheld.is_some_and(|why| why.contains("labels_no_look_ahead")), "{:?}", failed.gates);
    assert_eq!(house.home.published("visits").unwrap().unwrap(), in_force);
    house.write("domains/visits/label.sql", LABEL);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(service.condition().ready);
    let again = house.answer(&service, visit("b", DAYS, "c0", 30.0)).await;
    // One visit more than before, and not a customer without a past.
    let probability = |answer: &Value| answer["prediction"]["probability"].as_f64().unwrap();
    assert!((probability(&again) - probability(&answer)).abs() < 0.05, "{answer} {again}");
    let stranger = house.answer(&service, visit("c", DAYS, "nobody", 30.0)).await;
    assert!(probability(&again) - probability(&stranger) > 0.1, "{again} {stranger}");
    // A person's word.
    house.write("visits.csv", &first_rows(&all, rows.len() - 1));
    let stopped = house.try_run(false).await.unwrap_err();
    let PlatformError::HoldsLess { run_id, .. } = stopped else { panic!("{stopped}") };
    assert!(house.home.rows_of_run("visits", &run_id).unwrap().join("visits.parquet").is_file());
    let accepted = house.try_run(true).await.unwrap();
    assert_eq!(accepted.run_id, run_id, "the stopped run goes on");
    assert_eq!(house.home.published("visits").unwrap().unwrap().run_id, run_id);
    service.stop().await;
}
