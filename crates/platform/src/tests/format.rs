//! What a domain can say shortly: equal to what it says at length, and refused where it does not hold.

use super::*;

/// A watch of the visits that only gathers.
fn watch(name: &str, keys: &str) -> String {
    format!("[[watch]]\nname = \"{name}\"\ntitle = \"t\"\nowner = \"shop\"\nabove = 1000000\n{keys}\n\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_in_short_form_is_the_one_written_out() {
    let long = |value: &str, rest: &str| {
        format!("sql = \"SELECT window_start AS at, {value} AS value{rest} FROM observed GROUP BY window_start\"")
    };
    let cases = [
        (
            "share = \"amount > 40\"",
            long("avg(CASE WHEN amount > 40 THEN 1.0 ELSE 0.0 END)", ", count(*) AS rows"),
        ),
        (
            "share = \"amount > 40 -- large\"\nwhere = \"amount > 30\"",
            "sql = \"SELECT window_start AS at, avg(CASE WHEN amount > 40 THEN 1.0 ELSE 0.0 END) AS value, count(*) AS rows FROM observed WHERE amount > 30 GROUP BY window_start\"".to_owned(),
        ),
        ("mean = \"amount\"", long("avg(amount)", "")),
        ("sum = \"amount\"\nwhere = \"amount > 45\"", long("sum(CASE WHEN amount > 45 THEN amount ELSE 0 END)", "")),
        ("count = \"action <> 'keep'\"", long("sum(CASE WHEN action = 'keep' THEN 0 ELSE 1 END)", "")),
    ];
    let mut watches = String::new();
    for (at, (short, written_out)) in cases.iter().enumerate() {
        watches += &watch(&format!("short_{at}"), short);
        watches += &watch(&format!("long_{at}"), written_out);
    }
    let house = House::new(&[("[gates]", &format!("{watches}[gates]"))]).await;
    house.run().await;
    let seen = house.look().await;
    let values = |name: String| {
        let watch = seen.watches.iter().find(|watch| watch.name == name).unwrap();
        assert!(watch.unable.is_none() && watch.past.len() + watch.judged.len() > 20, "{watch:?}");
        let rows: Vec<String> = watch.judged.iter().map(|judged| format!("{judged:?}")).collect();
        (watch.past.clone(), rows)
    };
    for (at, case) in cases.iter().enumerate() {
        assert_eq!(values(format!("short_{at}")), values(format!("long_{at}")), "{}", case.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_hold_of_tables_stops_a_run_with_one_row_and_no_personal_value() {
    let house = House::new(&[]).await;
    house.write("domains/visits/tables/dear.sql", "SELECT customer_id, at, amount FROM visits WHERE amount > 45");
    house.write("domains/visits/tests/all_hold.sql", "SELECT amount FROM dear WHERE amount <= 45");
    house.write(
        "domains/visits/tests/none_dear.sql",
        "-- Nobody spends\n-- more than 45.\nSELECT customer_id, customer_id || '!' AS who, amount\nFROM dear -- all of them",
    );
    let error = house.try_run(false).await.unwrap_err();
    let PlatformError::Test { file, rows, example, says } = &error else { panic!("{error}") };
    assert!(file.ends_with("tests/none_dear.sql") && *rows > 1 && says == "Nobody spends more than 45.", "{error}");
    assert!(example.starts_with("customer_id = (not shown), who = (not shown), amount = "), "{example}");
    assert!(house.home.published("visits").unwrap().is_none());

    house.write("domains/visits/tests/none_dear.sql", "SELECT amount FROM dear WHERE amount < 45");
    let report = house.run().await;
    assert_eq!(report.steps[1].detail["tests"], json!(["all_hold", "none_dear"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_says_what_empty_is_learns_as_one_that_is_coalesced() {
    let columns = "columns = { visits = \"count()\" }";
    let mut learned = Vec::new();
    for (empty, feature) in [("", "coalesce(customer_minutes_60d, 7)"), (", empty = 7", "customer_minutes_60d")] {
        let with = format!(
            "delay = \"1d\"\n[window.columns]\nvisits = \"count()\"\nminutes = {{ is = \"avg(minutes)\"{empty} }}"
        );
        let house = House::new(&[(columns, &with)]).await;
        let sql = format!("SELECT amount, customer_visits_60d, {feature} AS minutes_of_late FROM visits");
        house.write("domains/visits/features.sql", &sql);
        let report = house.run().await;
        let same = report.gates.iter().find(|gate| gate.name == "batch_equals_online").unwrap();
        assert!(same.passed, "{}", same.evidence);
        learned.push(format!("{:?}", report.metrics));
    }
    assert_eq!(learned[0], learned[1]);
}
