//! What the next file may look like without harm to the champion.

use super::*;

/// Visits with more columns than the contract has, one text a row.
fn visits_with(name: &str, value: impl Fn(usize) -> String) -> String {
    let text = visits();
    let mut lines = text.lines();
    let mut all = format!("{},{name}\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        writeln!(all, "{line},{}", value(row)).unwrap();
    }
    all
}

impl House {
    /// All columns of the file.
    async fn of_all_columns(name: &str, value: impl Fn(usize) -> String) -> House {
        let house = House::new(&[]).await;
        house.write("domains/visits/sources/own.sql", "SELECT * FROM source");
        house.write("visits.csv", &visits_with(name, value));
        house
    }

    /// Publishes a later run's tables, and leaves the champion.
    async fn publish(&self, text: &str) -> RunReport {
        let why = Signed { by: "a test", why: "the next file is another" };
        let champion = self.store.alias("visits", CHAMPION).await.unwrap().unwrap().version;
        change_version(&self.home, &self.store, "visits", VersionAction::Pin, Some(&champion), false, why)
            .await
            .unwrap();
        self.write("visits.csv", text);
        // A column that is gone stops a run without a person's word.
        self.try_run(true).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_champion_answers_by_its_own_contract_whatever_the_next_file_looks_like() {
    let score = |row: usize| format!("{}", (row * 7) % 13);
    let house = House::of_all_columns("score", |row| format!("{}.5", score(row))).await;
    let first = house.run().await;
    assert!(first.promoted, "{:?}", first.gates);
    let asked = |id: &str| {
        let mut visit = visit(id, DAYS + 40, id, 33.0);
        visit["score"] = json!(2.5);
        visit
    };
    let service = house.serve().await;
    let before = house.answer(&service, asked("x1")).await;
    assert_eq!(service.answerer().unwrap().notes, Vec::<String>::new());
    let version = &first.version;
    let lines = visits().lines().count() - 1;
    let rows = format!("{},{:03}", lines / 1000, lines % 1000);
    let was = format!("`score` was a number in version `{version}`");
    let next_files = [
        (
            visits_with("score", |row| if row == 5 { "n/a".to_owned() } else { format!("{}.5", score(row)) }),
            format!("{was}; 1 of {rows} rows of table `visits` is not, and is read as missing"),
        ),
        (visits(), format!("{was}; table `visits` has no such column any more: it is read as missing")),
        (visits_with("score", |_| String::new()), format!("{was}; it is missing in all {rows} rows of table `visits`")),
    ];
    for (number, (text, note)) in next_files.into_iter().enumerate() {
        let published = house.publish(&text).await.run_id;
        for _ in 0..400 {
            if service.answerer().unwrap().run_id == published && service.ready() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let after = house.answer(&service, asked(&format!("y{number}"))).await;
        assert_eq!(after["prediction"], before["prediction"], "{note}");
        assert_eq!(after["model"]["version"], json!(version));
        assert_eq!(service.answerer().unwrap().notes, std::slice::from_ref(&note));
        // What the version does not know is no field of its requests.
        let contract = &service.answerer().unwrap();
        let names: Vec<&str> = contract.contract().columns.iter().map(|column| column.name.as_str()).collect();
        assert!(names.contains(&"score"), "{names:?}");
        let look = house.look().await;
        let found = look.findings.iter().find(|finding| finding.watch == "columns").unwrap();
        assert_eq!((found.sentence.as_str(), found.active), (note.as_str(), true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_bears_a_name_of_the_products_own_is_refused_before_anything_is_made_of_it() {
    let house = House::of_all_columns("source", |row| ["web", "shop"][row % 2].to_owned()).await;
    let refused = ["action", "probability", "source", "rules", "reasons", "window_start", "is_mature", "model_action"];
    for name in refused.into_iter().chain(["customer_visits_60d"]) {
        house.write("visits.csv", &visits_with(name, |row| ["web", "shop"][row % 2].to_owned()));
        let error = house.try_run(false).await.unwrap_err().to_string();
        assert!(error.contains(&format!("the source's column `{name}`, beyond the contract of `visits`")), "{error}");
        assert!(house.home.published("visits").unwrap().is_none());
    }
    // Renamed in the layout as the hint says, it is a column like others.
    house.write("visits.csv", &visits_with("action", |row| ["web", "shop"][row % 2].to_owned()));
    let renamed = "SELECT * EXCEPT (\"action\"), \"action\" AS \"action_given\" FROM source";
    house.write("domains/visits/sources/own.sql", renamed);
    assert!(house.run().await.promoted);
    house.look().await;
}

#[tokio::test]
async fn a_declared_column_with_a_name_of_the_products_own_is_refused_with_its_place() {
    let house = House::new(&[("amount = {", "source = { type = \"text\" }\namount = {")]).await;
    let engine =
        Engine::new(&EngineSettings { memory_max: 1 << 30, spill_folder: house.home.spill_folder(), partitions: 1 });
    let error = check_domain(&engine.unwrap(), &house.domain()).await.unwrap_err().to_string();
    assert!(error.contains("domain.toml:17:1: column `source` of `visits` has the name of a column of"), "{error}");
}
