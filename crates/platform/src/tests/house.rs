//! A small shop of the tests' own: its rows, its domain, a home to run it in. And a table of bars, for series.

use crate::monitor::{MonitorOptions, look};
use crate::serve::{LogPlace, RequestOptions, Service, ServiceOptions};
use crate::{Home, NoProgress, PlatformError, Run, RunOptions, RunReport, Scorer, Store, new_run_id, start};
use septet_domain::{Domain, Domains};
use septet_learn::bootstrap::SplitMix64;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

pub const DOMAIN: &str = r#"
name = "visits"
title = "Visits of a shop"
question = "Does this customer buy again within 30 days?"
port = 9001
schedule = "0 4 * * *"

[input.visits]
grain = "one visit"
key = "visit_id"
time = "at"

[input.visits.columns]
visit_id = { type = "text", required = true }
at = { type = "timestamp", required = true }
customer_id = { type = "text", required = true, personal = "identifier" }
amount = { type = "number", required = true, min = 0, unit = "EUR" }
minutes = { type = "number", label = true, known_after = "1d" }
again = { type = "bool", label = true, known_after = "30d", from = "label.sql" }

[[window]]
entity = "customer_id"
over = ["60d"]
columns = { visits = "count()" }

[features]
amount = { meaning = "what was spent", unit = "EUR" }
customer_visits_60d = "visits of the customer in 60 days"

[model]
kind = "linear"
target = "again"
split = { by = "time", train = "60d", delay = "30d", test = "15d", folds = 2 }
measure = "average_precision"
baselines = ["prior"]
interval_by = "customer_id"

[decision]
flags_per_day = 3
positive = "keep"
negative = "write"

[[watch]]
name = "visits"
title = "visits of a day"
sql = "SELECT date_trunc('day', at) AS at, CAST(count(*) AS DOUBLE PRECISION) AS value FROM visits GROUP BY date_trunc('day', at)"
band = "both"
owner = "shop"

[gates]
calibration_error_max = 0.2
"#;

pub const DECISION: &str = "[decision]\nflags_per_day = 3\npositive = \"keep\"\nnegative = \"write\"\n";

pub const LABEL: &str = "
SELECT
    visit_id,
    count(*) OVER (
        PARTITION BY customer_id ORDER BY at
        RANGE BETWEEN INTERVAL '1 second' FOLLOWING AND INTERVAL '30 days' FOLLOWING
    ) > 0 AS again
FROM visits";

pub const DAY: i64 = 86_400_000_000;
/// 2026-01-01.
pub const FIRST: i64 = 1_767_225_600_000_000;
pub const DAYS: i64 = 200;

/// Bars of a price: a series with many rows a key.
pub const BARS: &str = r#"
name = "bars"
title = "Prices"
question = "Is the next close higher?"
port = 9002
schedule = "0 4 * * *"

[input.bars]
grain = "one bar"
key = "bar_id"
time = "at"

[input.bars.columns]
bar_id = { type = "text", required = true }
at = { type = "timestamp", required = true }
symbol = { type = "text", required = true }
close = { type = "number", required = true, min = 0 }

[series]
rows = "bars"
key = "symbol"
at = "at"
sent_as = "bars"
rows_max = 60

[series.columns]
close = { required = true, min = 0 }

[series.labels]
higher = { type = "bool", known_after = "1d", meaning = "the next close is higher" }

[features]
above_mean = "close by its mean of ten days"

[model]
kind = "linear"
target = "higher"
split = { by = "time", train = "200d", delay = "1d", test = "30d", folds = 2 }
measure = "average_precision"
baselines = ["prior"]

[gates]
calibration_error_max = 0.3
"#;

pub const BAR_FEATURES: &str = "
SELECT close / avg(close) OVER (PARTITION BY symbol ORDER BY at ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS above_mean
FROM bars";

pub const BAR_LABELS: &str = "
SELECT lead(close) OVER (PARTITION BY symbol ORDER BY at) > close AS higher
FROM bars";

/// Closes that fall back to their mean.
pub fn bars() -> String {
    let mut random = SplitMix64::new(9);
    let mut text = "bar_id,at,symbol,close\n".to_owned();
    for symbol in ["A", "B", "C"] {
        let mut close: f64 = 100.0;
        for day in 0..400 {
            close += 0.3 * (100.0 - close) + (random.below(2001) as f64 - 1000.0) / 250.0;
            writeln!(text, "{symbol}{day},{},{symbol},{close:.2}", time(FIRST + day * DAY)).unwrap();
        }
    }
    text
}

/// A home, and a domain that a test may change.
pub struct House {
    pub name: &'static str,
    pub folder: tempfile::TempDir,
    pub home: Home,
    pub store: Arc<Store>,
}

impl House {
    pub async fn new(changes: &[(&str, &str)]) -> House {
        let house = House::empty("visits").await;
        house.write("domains/visits/domain.toml", &changed(DOMAIN, changes));
        house.write("domains/visits/features.sql", "SELECT amount, customer_visits_60d FROM visits");
        house.write("domains/visits/label.sql", LABEL);
        house.write("domains/visits/sources/own.sql", "SELECT visit_id, at, customer_id, amount, minutes FROM source");
        house.write("visits.csv", &visits());
        house
    }

    pub async fn of_bars() -> House {
        let house = House::empty("bars").await;
        house.write("domains/bars/domain.toml", BARS);
        house.write("domains/bars/features.sql", BAR_FEATURES);
        house.write("domains/bars/label.sql", BAR_LABELS);
        house.write("domains/bars/sources/own.sql", "SELECT bar_id, at, symbol, close FROM source");
        house.write("bars.csv", &bars());
        house
    }

    pub async fn empty(name: &'static str) -> House {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(&folder.path().join("home")).unwrap();
        let store = Arc::new(Store::open(&home.store_file(), None).await.unwrap());
        House { name, folder, home, store }
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn change(&self, changes: &[(&str, &str)]) {
        let path = self.folder.path().join("domains/visits/domain.toml");
        let text = changed(&std::fs::read_to_string(&path).unwrap(), changes);
        std::fs::write(path, text).unwrap();
    }

    pub fn domain(&self) -> Domain {
        Domains::find(Some(&self.folder.path().join("domains"))).unwrap().load(self.name).unwrap()
    }

    pub async fn run(&self) -> RunReport {
        self.try_run(false).await.unwrap()
    }

    pub async fn try_run(&self, accept: bool) -> Result<RunReport, PlatformError> {
        let domain = self.domain();
        let run = Run { accept, ..self.run_of(&domain, new_run_id()) };
        start(run, !accept).await
    }

    pub fn run_of<'a>(&'a self, domain: &'a Domain, run_id: String) -> Run<'a> {
        let file = self.folder.path().join(format!("{}.csv", self.name)).display().to_string();
        let sources = BTreeMap::from([(self.name.to_owned(), file)]);
        let options = RunOptions { sources, layout: Some("own".to_owned()), ..RunOptions::default() };
        Run {
            home: &self.home,
            store: &self.store,
            domain,
            options,
            run_id,
            memory_max: 1 << 30,
            threads: 2,
            progress: &NoProgress,
            accept: false,
            refresh: false,
            kept: Default::default(),
        }
    }

    pub fn scorer(&self, report: &RunReport) -> Scorer {
        Scorer::load(&self.home.version_folder(self.name, &report.version)).unwrap()
    }

    pub async fn serve(&self) -> Arc<Service> {
        let options = ServiceOptions {
            home: self.home.clone(),
            store: self.store.clone(),
            domain: Arc::new(self.domain()),
            memory_max: 1 << 30,
            log: self.log(),
            clock_skew_max_micros: i64::MAX / 4,
            log_after: false,
            queue_max: 1000,
        };
        let service = Service::start(options).unwrap();
        for _ in 0..600 {
            if service.ready() {
                return service;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{:?}", service.condition());
    }

    pub fn log(&self) -> LogPlace {
        LogPlace::File(self.folder.path().join("log.db"))
    }

    pub async fn answer(&self, service: &Service, event: Value) -> Value {
        let answerer = service.answerer().unwrap();
        let event = answerer.contract().read(&event, event.to_string(), "").unwrap();
        let wish = RequestOptions { explain_fully: true, ..RequestOptions::default() };
        let replies = service.predict(vec![(event, wish)], false).await.unwrap();
        let text = format!("{}}}", replies[0].as_ref().unwrap().answered.text);
        serde_json::from_str(&text).unwrap()
    }

    pub async fn look(&self) -> crate::monitor::MonitoringReport {
        let looking = MonitorOptions {
            home: self.home.clone(),
            store: self.store.clone(),
            domain: Arc::new(self.domain()),
            log: self.log(),
            memory_max: 1 << 30,
            as_of: None,
            since: None,
            reference_until: None,
            rehearsal: false,
        };
        look(&looking, &NoProgress).await.unwrap()
    }
}

pub fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "`{old}` is not there");
        text.replacen(old, new, 1)
    })
}

/// Visits of 300 customers; those who come often spend more and stay longer.
pub fn visits() -> String {
    let mut random = SplitMix64::new(5);
    let mut uniform = move || -> f64 { (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64 };
    let mut rows: Vec<(i64, usize, f64, f64)> = Vec::new();
    for customer in 0..300 {
        let every: f64 = if customer % 3 == 0 { 12.0 } else { 70.0 };
        let mut at = FIRST as f64 + uniform() * every * DAY as f64;
        while at < (FIRST + DAYS * DAY) as f64 {
            let usual: f64 = if customer % 3 == 0 { 30.0 } else { 12.0 };
            let amount = (usual + 20.0 * uniform()).round();
            let minutes = (0.8 * amount + 10.0 * uniform()).round();
            rows.push((at as i64, customer, amount, minutes));
            at += (-(1.0 - uniform()).ln() * every + 0.01) * DAY as f64;
        }
    }
    rows.sort_by_key(|row| (row.0, row.1));
    let mut text = "visit_id,at,customer_id,amount,minutes\n".to_owned();
    for (number, (at, customer, amount, minutes)) in rows.into_iter().enumerate() {
        writeln!(text, "v{number},{},c{customer},{amount},{minutes}", time(at)).unwrap();
    }
    text
}

pub fn time(micros: i64) -> String {
    crate::instant_text(micros).unwrap()
}

pub fn visit(id: &str, day: i64, customer: &str, amount: f64) -> Value {
    let at = time(FIRST + day * DAY);
    json!({ "visit_id": id, "at": at, "customer_id": customer, "amount": amount })
}

pub fn gate<'a>(report: &'a RunReport, name: &str) -> &'a crate::GateRecord {
    report.gates.iter().find(|gate| gate.name == name).unwrap_or_else(|| panic!("{:?}", report.gates))
}
