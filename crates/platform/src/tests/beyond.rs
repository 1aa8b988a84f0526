//! Columns that nobody declared: what is made of them is told, and one that gives the label away is refused by name.

use super::*;

/// The visits with columns beyond the contract. `handled_by` is filled for those who come again, which nobody knows on the day.
fn visits_with_more() -> String {
    let rows: Vec<Vec<String>> =
        visits().lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect();
    let at = |row: &[String]| septet_tables::instant(&row[1]).unwrap();
    let mut text = "visit_id,at,customer_id,amount,minutes,handled_by,channel,ref,цена,скид,billed\n".to_owned();
    for (number, row) in rows.iter().enumerate() {
        let again = rows[number + 1..].iter().find(|later| later[2] == row[2] && at(later) > at(row));
        let again = again.is_some_and(|later| at(later) <= at(row) + 30 * DAY);
        let handled_by = if again { ["ann", "bob"][number % 2] } else { "" };
        let (channel, price, less) = (["web", "shop"][number % 7 % 2], number * 31 % 97, number * 17 % 89);
        let minutes: f64 = row[4].parse().unwrap();
        writeln!(text, "{},{handled_by},{channel},r{number},{price},{less},{}", row.join(","), minutes * 1.5).unwrap();
    }
    text
}

async fn house_with(columns: &str, changes: &[(&str, &str)]) -> House {
    let house = House::new(changes).await;
    let layout = format!("SELECT visit_id, at, customer_id, amount, minutes, {columns} FROM source");
    house.write("domains/visits/sources/own.sql", &layout);
    house.write("visits.csv", &visits_with_more());
    house
}

const TREES: (&str, &str) = (DECISION, "[model.parameters]\ntrees = 20\n");

#[tokio::test(flavor = "multi_thread")]
async fn an_input_that_gives_the_label_away_is_refused_by_name_until_somebody_answers_for_it() {
    let columns = "handled_by, channel, ref, \"цена\", \"скид\"";
    let house = house_with(columns, &[("kind = \"linear\"", "kind = \"trees\""), TREES]).await;
    let report = house.run().await;
    let found = gate(&report, "no_leak");
    assert!(!found.passed && !report.promoted, "{}", found.evidence);
    assert!(found.evidence.starts_with("`handled_by` alone separates the label: ROC AUC 1.000"), "{}", found.evidence);
    assert!(!found.evidence.contains("channel"), "{}", found.evidence);

    // Two names of another script are two inputs; each column is told with what it says alone, and what became of it.
    let manifest = house.scorer(&report).manifest;
    assert_eq!(manifest.extras, ["handled_by", "channel", "цена", "скид"]);
    let train = report.steps.iter().find(|step| step.name == "train").unwrap();
    let told = train.detail["beyond_contract"].as_array().unwrap();
    assert_eq!((told.len(), &told[1][0], &told[1][1]), (4, &json!("channel"), &json!("category")));
    assert!(told[1][2].as_str().unwrap().starts_with("ROC AUC 0.5"), "{told:?}");
    assert!(train.detail["left_out"][0][1].as_str().unwrap().starts_with("an identifier"), "{}", train.detail);
    let card = std::fs::read_to_string(report.report.with_file_name("card.md")).unwrap();
    assert!(card.contains("taken as an input: скид (number); alone it says ROC AUC 0."), "{card}");
    assert!(card.contains("left out: ref (an identifier"), "{card}");

    house.change(&[("[gates]", "[gates]\nmay_reveal_label = [\"handled_bye\"]")]);
    let error = house.try_run(false).await.unwrap_err().to_string();
    assert!(error.contains("domain.toml:") && error.contains("did you mean `handled_by`?"), "{error}");
    house.change(&[("handled_bye", "handled_by")]);
    let allowed = house.run().await;
    assert!(allowed.promoted, "{:?}", allowed.gates);
    assert_eq!(house.scorer(&allowed).manifest.decided_anew_from, Some(report.version), "no new fit is needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_told_by_one_input_is_refused_too() {
    let house = house_with(
        "billed",
        &[
            ("target = \"again\"", "target = \"minutes\""),
            ("delay = \"30d\"", "delay = \"1d\""),
            ("measure = \"average_precision\"", "measure = \"mae\""),
            ("baselines = [\"prior\"]", "baselines = [\"mean\"]"),
            (DECISION, ""),
        ],
    )
    .await;
    let report = house.run().await;
    let found = gate(&report, "no_leak");
    assert!(!found.passed && !report.promoted, "{}", found.evidence);
    assert!(
        found.evidence.starts_with("`billed` alone orders the target: rank correlation 1.000"),
        "{}",
        found.evidence
    );
    assert!(!found.evidence.contains("`amount`"), "{}", found.evidence);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_given_twice_is_told_with_its_places() {
    let house = house_with("channel AS customer_visits_60d", &[]).await;
    let error = house.try_run(false).await.unwrap_err().to_string();
    assert!(error.contains("column `customer_visits_60d` of the source") && error.contains("a [[window]]"), "{error}");
    let house = house_with("channel AS amount_log", &[]).await;
    house.write("domains/visits/features.sql", "SELECT amount, ln(amount + 1) AS amount_log FROM visits");
    let error = house.try_run(false).await.unwrap_err().to_string();
    assert!(error.contains("column `amount_log` of the source") && error.contains("a feature of"), "{error}");

    let engine = || {
        let folder = std::env::temp_dir();
        Engine::new(&EngineSettings { memory_max: 1 << 28, spill_folder: folder, partitions: 1 }).unwrap()
    };
    house.write("domains/visits/features.sql", "SELECT\n    amount,\n    ln(amount + 1) AS amount\nFROM visits");
    let bars = House::of_bars().await;
    bars.write("domains/bars/features.sql", "SELECT\n    close,\n    close + 1 AS close\nFROM bars");
    for (house, name, at) in [(house, "amount", "3:23"), (bars, "close", "3:18")] {
        let error = check_domain(&engine(), &house.domain()).await.unwrap_err().to_string();
        let expected = format!("features.sql:{at}: column `{name}` is given twice: first at 2:5");
        assert!(error.contains(&expected), "{error}");
    }
}
