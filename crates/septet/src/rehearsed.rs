//! What `grade` runs: a copy of a domain's published run and champion in a home of its own, where rows are spoiled,
//! services are killed and nothing of value can be harmed.

use crate::commands::Workshop;
use crate::settings::Settings;
use anyhow::{Context, bail};
use septet_domain::{ColumnType, Domain};
use septet_platform::{CHAMPION, Home, Signed, Store};
use septet_tables::arrow::array::{Array, AsArray};
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::DataType;
use septet_tables::{Engine, EngineSettings, TableFile};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Rows of the sample that is spoiled and extracted.
const SAMPLE_ROWS: usize = 2_000;
/// Answers asked for before and after the kill, and for the measure of time.
const ANSWERS: usize = 40;
const TIMED_ANSWERS: usize = 200;
/// Keys that are asked about, the busiest.
const ANSWERS_KEYS: usize = 200;
/// Where the domain's own target is not given: an answer within a page's load.
const ANSWER_MS_MAX: f64 = 50.0;
/// A service that is not ready by then has failed.
const READY_MAX: Duration = Duration::from_secs(60);

/// A line whose thing is broken on purpose, `all` of them, or none.
#[derive(Clone, Debug, Default)]
pub struct Sabotage(pub Option<String>);

impl Sabotage {
    pub fn hits(&self, line: &str) -> bool {
        self.0.as_deref().is_some_and(|wanted| wanted == line || wanted == "all")
    }
}

/// Whether a thing held, and what was seen.
#[derive(Clone, Debug)]
pub struct Evidence {
    pub passed: bool,
    pub words: String,
}

impl Evidence {
    pub fn new(passed: bool, words: String) -> Evidence {
        Evidence { passed, words }
    }
}

/// What was seen of the service.
pub struct Served {
    pub api: Evidence,
    pub problems: Evidence,
    pub latency: Evidence,
    pub recovery: Evidence,
    pub secrets: Evidence,
}

/// A home of its own; gone when it is dropped.
pub struct Stage {
    folder: PathBuf,
    domain: Domain,
    domains: Option<PathBuf>,
    pub run_id: String,
    /// The input's columns as text, in the contract's order.
    rows: Vec<Vec<Option<String>>>,
    /// Where requests are questions about a key: its field, and some keys.
    key_name: String,
    keys: Vec<String>,
    pub sabotage: Sabotage,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Ends with whoever holds it.
struct Service {
    child: Child,
    base: String,
    log: PathBuf,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        // Published files are never written again: a second name for them is a copy.
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
            continue;
        }
        if std::fs::hard_link(entry.path(), &target).is_err() {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

impl Stage {
    pub async fn build(settings: &Settings, workshop: &Workshop, sabotage: Sabotage) -> anyhow::Result<Stage> {
        let (home, domain) = (Home::open(&settings.home)?, workshop.domain().clone());
        let name = domain.name().to_owned();
        let champion = workshop.store().alias(&name, CHAMPION).await?.map(|alias| alias.version);
        let (Some(version), Some(published)) = (champion, home.published(&name)?) else {
            bail!("`{name}` has no champion yet; first: septet run {name}");
        };
        let folder = std::env::temp_dir().join(format!("septet-grade-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let own = Home::open(&folder.join("home"))?;
        copy(&home.tables_folder(&name, &published.run_id), &own.tables_folder(&name, &published.run_id))?;
        copy(&home.version_folder(&name, &version), &own.version_folder(&name, &version))?;
        own.publish(&name, &published)?;
        let store = Store::open(&own.store_file(), None).await?;
        store.put_version(&name, &version, &published.run_id, "{}").await?;
        let signed = Signed { by: "septet", why: "a copy that is graded" };
        store.move_alias(&name, CHAMPION, None, &version, signed).await?;
        let mut stage = Stage {
            folder,
            domain,
            // The program is run from another folder.
            domains: settings.domains.clone().map(|folder| folder.canonicalize().unwrap_or(folder)),
            run_id: published.run_id.clone(),
            rows: Vec::new(),
            key_name: String::new(),
            keys: Vec::new(),
            sabotage,
        };
        stage.rows = stage.sample(&own, settings.memory_max).await?;
        stage.find_keys(&own, settings.memory_max).await?;
        Ok(stage)
    }

    async fn find_keys(&mut self, home: &Home, memory_max: usize) -> anyhow::Result<()> {
        let Some((table, key)) = self.domain.spec.question_key() else { return Ok(()) };
        let engine =
            Engine::new(&EngineSettings { memory_max, spill_folder: self.folder.join("spill"), partitions: 1 })?;
        let path = home.tables_folder(self.domain.name(), &self.run_id).join(format!("{table}.parquet"));
        engine.register_file(&TableFile { name: table.to_owned(), path }).await?;
        // Whose rows add up to something: a key that gave all back is nobody to ask about.
        let sql = format!(
            "SELECT \"{key}\" FROM \"{table}\" GROUP BY \"{key}\" ORDER BY count(*) DESC, \"{key}\" LIMIT {ANSWERS_KEYS}"
        );
        let (_, batches) = engine.query(&sql).await?;
        self.key_name = key.to_owned();
        for batch in &batches {
            let keys = cast(batch.column(0), &DataType::Utf8)?;
            self.keys.extend(keys.as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(())
    }

    async fn sample(&self, home: &Home, memory_max: usize) -> anyhow::Result<Vec<Vec<Option<String>>>> {
        let engine =
            Engine::new(&EngineSettings { memory_max, spill_folder: self.folder.join("spill"), partitions: 1 })?;
        let (table, input) = self.domain.spec.input.first().context("a domain has an input")?;
        let path = home.tables_folder(self.domain.name(), &self.run_id).join(format!("{table}.parquet"));
        engine.register_file(&TableFile { name: table.clone(), path }).await?;
        let columns: Vec<String> = input.columns.keys().map(|name| format!("\"{}\"", name.get_ref())).collect();
        let sql = format!("SELECT {} FROM \"{table}\" LIMIT {SAMPLE_ROWS}", columns.join(", "));
        let (_, batches) = engine.query(&sql).await?;
        let mut rows = Vec::new();
        for batch in &batches {
            let columns =
                batch.columns().iter().map(|column| cast(column, &DataType::Utf8)).collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let cell = |column: &std::sync::Arc<dyn Array>| {
                    column.is_valid(row).then(|| column.as_string::<i32>().value(row).to_owned())
                };
                rows.push(columns.iter().map(cell).collect());
            }
        }
        if rows.len() < 200 {
            bail!("the published table has {} rows; 200 are needed to try anything", rows.len());
        }
        Ok(rows)
    }

    fn columns(&self) -> Vec<(&str, &septet_domain::Column)> {
        let input = self.domain.spec.input.values().next();
        input.into_iter().flat_map(|input| &input.columns).map(|(name, c)| (name.get_ref().as_str(), c)).collect()
    }

    fn key(&self) -> usize {
        let key = self.domain.spec.input.values().next().map(|input| input.key.get_ref().as_str());
        self.columns().iter().position(|(name, _)| Some(*name) == key).unwrap_or(0)
    }

    fn time(&self) -> usize {
        let time = self.domain.spec.input.values().next().map(|input| input.time.get_ref().as_str());
        self.columns().iter().position(|(name, _)| Some(*name) == time).unwrap_or(0)
    }

    fn write(&self, name: &str, rows: &[Vec<Option<String>>]) -> anyhow::Result<(PathBuf, PathBuf)> {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let names: Vec<&str> = self.columns().iter().map(|(name, _)| *name).collect();
        let mut text = names.join(",") + "\n";
        for row in rows {
            let cells = row.iter().map(|cell| cell.as_deref().map(quoted).unwrap_or_default());
            text.push_str(&(cells.collect::<Vec<_>>().join(",") + "\n"));
        }
        let (file, layout) = (self.folder.join(format!("{name}.csv")), self.folder.join("as_it_is.sql"));
        std::fs::write(&file, text)?;
        let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        std::fs::write(&layout, format!("SELECT {list} FROM source"))?;
        Ok((file, layout))
    }

    /// How a person makes a step again.
    pub fn repeat(&self, what: &str) -> String {
        format!("septet step {} {what} on a file of your own", self.domain.name())
    }

    fn program(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--home").arg(self.folder.join("home"));
        if let Some(domains) = &self.domains {
            command.arg("--domains").arg(domains);
        }
        // The stage is a machine of its own: no other database, no channels.
        for variable in
            ["DATABASE_URL", "SEPTET_DATABASE_URL", "SEPTET_ALERT_WEBHOOK", "SEPTET_ALERT_SMTP", "SEPTET_API_KEYS"]
        {
            command.env_remove(variable);
        }
        command.current_dir(&self.folder).stdin(Stdio::null());
        Ok(command)
    }

    fn step(&self, step: &str, run: &str, file: &Path, layout: &Path) -> anyhow::Result<Value> {
        let mut command = self.program()?;
        command.args(["--json", "step", self.domain.name(), step, "--run", run, "--source"]).arg(file);
        command.arg("--layout").arg(layout);
        let output = command.output()?;
        if !output.status.success() {
            bail!("step {step}: {}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Rows broken in every way the contract knows: each must be found, by its column and reason, and no other.
    pub async fn spoiled(&self) -> anyhow::Result<Evidence> {
        let (columns, key) = (self.columns(), self.key());
        let mut rows = self.rows.clone();
        let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut spoil = |at: usize, cell: Option<&str>, reason: &str| {
            let mut row = self.rows[rows.len() % self.rows.len()].clone();
            row[key] = Some(match columns[key].1.kind {
                ColumnType::Integer => format!("{}", 9_000_000_000_000i64 + rows.len() as i64),
                _ => format!("spoiled {}", rows.len()),
            });
            row[at] = cell.map(str::to_owned);
            *expected.entry((columns[at].0.to_owned(), reason.to_owned())).or_default() += 1;
            rows.push(row);
        };
        for (at, (_, column)) in columns.iter().enumerate() {
            if column.required && at != key {
                spoil(at, None, "required");
            }
            if !matches!(column.kind, ColumnType::Text) && at != key {
                spoil(at, Some("no such value"), "type");
            }
            if let Some(min) = column.min {
                spoil(at, Some(&format!("{}", min - 1.0)), "range");
            }
            if column.values.is_some() {
                spoil(at, Some("no such word"), "values");
            }
        }
        let again = self.rows[0].clone();
        rows.push(again);
        *expected.entry((columns[key].0.to_owned(), "duplicate_key".to_owned())).or_default() += 1;
        if self.sabotage.hits("contract") {
            // One broken row that nobody expects.
            let mut row = rows[0].clone();
            row[self.time()] = Some("no such time".to_owned());
            rows.push(row);
        }
        let (file, layout) = self.write("spoiled", &rows)?;
        let report = self.step("extract", "spoiled", &file, &layout)?;
        let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
        for reason in report["detail"]["inputs"][0][1]["reasons"].as_array().into_iter().flatten() {
            let text = |at: usize| reason[at].as_str().unwrap_or_default().to_owned();
            found.insert((text(0), text(1)), reason[2].as_u64().unwrap_or(0));
        }
        let count = |name: &str| report[name].as_u64().unwrap_or(0);
        let balanced =
            count("rows_in") == count("rows_out") + count("quarantined") && count("rows_in") == rows.len() as u64;
        let broken: u64 = expected.values().sum();
        let words = format!(
            "{} rows in = {} out + {} in quarantine; {broken} rows broken in {} ways, {}",
            count("rows_in"),
            count("rows_out"),
            count("quarantined"),
            expected.len(),
            if found == expected { "each found".to_owned() } else { format!("found {found:?}") }
        );
        Ok(Evidence::new(balanced && found == expected, words))
    }

    /// Two runs on the same rows, and a step repeated.
    pub async fn twice(&self) -> anyhow::Result<Evidence> {
        let (file, layout) = self.write("sample", &self.rows)?;
        let mut prints = Vec::new();
        for (step, run) in [
            ("extract", "first"),
            ("transform", "first"),
            ("extract", "second"),
            ("transform", "second"),
            ("transform", "second"),
        ] {
            if self.sabotage.hits("idempotence") && run == "second" {
                self.write("sample", &self.rows[1..])?;
            }
            let report = self.step(step, run, &file, &layout)?;
            prints.push(report["fingerprint"].as_str().unwrap_or_default().to_owned());
        }
        let equal = prints[0] == prints[2] && prints[1] == prints[3] && prints[3] == prints[4] && !prints[0].is_empty();
        let words = format!(
            "extract {} and {}, transform {}, {} and repeated {}",
            prints[0], prints[2], prints[1], prints[3], prints[4]
        );
        Ok(Evidence::new(equal, words))
    }

    /// Whether every column and feature says what it is, and papers are current.
    pub fn documented(&self, domain: &Domain, papers_current: bool) -> Evidence {
        let columns = self.columns();
        let silent: Vec<&str> =
            columns.iter().filter(|(_, column)| column.meaning.is_none()).map(|(name, _)| *name).collect();
        let features = domain.spec.feature.iter().filter(|(_, feature)| feature.meaning.is_none()).count();
        let readme = domain.files.get("README.md").map_or(0, String::len);
        let layouts: Vec<&str> = domain.files_in("sources", ".sql").map(|(name, _)| name).collect();
        let text = domain.files.get("README.md").map(String::as_str).unwrap_or_default();
        let unnamed: Vec<&&str> = layouts.iter().filter(|name| !text.contains(**name)).collect();
        let passed = silent.is_empty() && features == 0 && readme > 500 && unnamed.is_empty() && papers_current;
        let papers = if papers_current {
            "card and report are the champion's, to the byte"
        } else {
            "card or report differ from the champion's manifest"
        };
        let words = format!(
            "{} columns without a meaning, {features} features without one, README of {readme} characters, layouts it does not name: {}; {papers}",
            silent.len(),
            unnamed.len()
        );
        Evidence::new(passed, words)
    }

    fn start(&self, offset: u16, log: &Path) -> anyhow::Result<Service> {
        let mut command = self.program()?;
        command.env("SEPTET_PORT_OFFSET", offset.to_string()).env("SEPTET_LOG", "info").env("SEPTET_BIND", "127.0.0.1");
        command
            .args(["serve", self.domain.name()])
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(log)?);
        let port = self.domain.spec.port + offset;
        Ok(Service { child: command.spawn()?, base: format!("http://127.0.0.1:{port}"), log: log.to_owned() })
    }

    /// An event like the published ones, later than all of them, under a key of its own; or a question about a key.
    fn event(&self, number: usize) -> Value {
        if let Some(key) = self.keys.get(number % self.keys.len().max(1)) {
            return Value::Object(Map::from_iter([(self.key_name.clone(), json!(key))]));
        }
        let (key, time) = (self.key(), self.time());
        let mut event = Map::new();
        let row = &self.rows[number % self.rows.len()];
        for (at, ((name, column), cell)) in self.columns().into_iter().zip(row).enumerate() {
            if column.label {
                continue;
            }
            let value = match (at, cell) {
                (at, _) if at == key && column.kind == ColumnType::Integer => {
                    json!(8_000_000_000_000i64 + number as i64)
                }
                (at, _) if at == key => json!(format!("grade-{number}")),
                (at, _) if at == time => json!(septet_platform::instant_text(septet_platform::now_micros())),
                (_, None) => Value::Null,
                (_, Some(text)) => match column.kind {
                    ColumnType::Number => text.parse::<f64>().map_or(Value::Null, |value| json!(value)),
                    ColumnType::Integer => text.parse::<i64>().map_or(Value::Null, |value| json!(value)),
                    ColumnType::Bool => json!(text == "true"),
                    ColumnType::Text | ColumnType::Timestamp => json!(text),
                },
            };
            if !value.is_null() {
                event.insert(name.to_owned(), value);
            }
        }
        Value::Object(event)
    }

    /// Serves the copy, asks everything, kills it, serves it again.
    pub async fn serve_and_ask(&self, _settings: &Settings) -> anyhow::Result<Served> {
        let offset = free_offset(self.domain.spec.port)?;
        let log = self.folder.join("service.log");
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build()?;
        let mut service = self.start(offset, &log)?;
        let caller = Caller { client, base: service.base.clone() };
        caller.wait(&mut service).await?;
        let api = self.ask_everything(&caller).await?;
        let problems = self.ask_wrongly(&caller).await?;
        let latency = self.time_answers(&caller).await?;
        let mut given = Vec::new();
        for number in 10_000..10_000 + ANSWERS {
            let event = self.event(number);
            let answer = caller.predict(&event).await?;
            given.push((event, answer));
            if number + 1 == 10_000 + ANSWERS {
                service.child.kill()?;
                service.child.wait()?;
            }
        }
        let mut service = self.start(offset, &log)?;
        caller.wait(&mut service).await?;
        if self.sabotage.hits("recovery") {
            drop(service);
            self.lose_an_answer()?;
            service = self.start(offset, &log)?;
            caller.wait(&mut service).await?;
        }
        let recovery = self.recovered(&caller, &given).await?;
        if self.sabotage.hits("secrets") {
            writeln!(File::options().append(true).open(&log)?, "password = not-to-be-seen")?;
        }
        let secrets = self.secrets(&service.log)?;
        Ok(Served { api, problems, latency, recovery, secrets })
    }

    /// Takes the newest answer out of the log.
    fn lose_an_answer(&self) -> anyhow::Result<()> {
        let file = self.folder.join("home/decisions").join(format!("{}.sqlite", self.domain.name()));
        septet_platform::serve::forget_newest(&file, self.domain.name()).map_err(Into::into)
    }

    async fn ask_everything(&self, caller: &Caller) -> anyhow::Result<Evidence> {
        let document = caller.get("/openapi.json").await?.1;
        let schemas = &document["components"]["schemas"];
        let (mut asked, mut wrong) = (0, Vec::new());
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            if methods.get("get").is_some() && !path.contains('{') {
                let (status, _) = caller.get(path).await?;
                asked += 1;
                if methods["get"]["responses"].get(status.to_string()).is_none() {
                    wrong.push(format!("GET {path} answered {status}"));
                }
            }
        }
        let (status, mut answer) = caller.post("/predict", &self.event(1).to_string()).await?;
        if self.sabotage.hits("api") {
            answer["prediction"] = Value::Null;
        }
        asked += 1;
        if status != 200 {
            wrong.push(format!("POST /predict answered {status}: {answer}"));
        }
        wrong.extend(mismatch(&schemas["Answer"], &answer, schemas, ""));
        let batch = json!([self.event(2), { "no": "event" }, self.event(3)]).to_string();
        let (status, answers) = caller.post("/predict/batch", &batch).await?;
        asked += 1;
        let rows = answers["results"].as_array().map_or(0, Vec::len);
        if status != 200 || rows != 3 {
            wrong.push(format!("POST /predict/batch answered {status} with {rows} results for 3 rows"));
        }
        let words = format!(
            "{asked} addresses asked, answers held against their schema: {}",
            if wrong.is_empty() { "as documented".to_owned() } else { wrong.join("; ") }
        );
        Ok(Evidence::new(wrong.is_empty() && asked > 8, words))
    }

    async fn ask_wrongly(&self, caller: &Caller) -> anyhow::Result<Evidence> {
        let mut wrong = Vec::new();
        let mut bodies =
            vec![("{".to_owned(), 400), ("[]".to_owned(), 422), ("{}".to_owned(), 422), ("\u{0}".to_owned(), 400)];
        let required: Vec<&str> =
            self.columns().iter().filter(|(_, c)| c.required && !c.label).map(|(name, _)| *name).collect();
        for name in &required {
            for bad in [Value::Null, json!({ "a": 1 }), json!([1])] {
                let mut event = self.event(4);
                event[*name] = bad;
                bodies.push((event.to_string(), 422));
            }
        }
        if self.sabotage.hits("problems") {
            // A good request where a bad one is due.
            bodies.push((self.event(5).to_string(), 422));
        }
        for (body, expected) in &bodies {
            let (status, problem) = caller.post("/predict", body).await?;
            let pointed = *expected != 422 || problem["errors"].as_array().is_some_and(|errors| !errors.is_empty());
            if status != *expected || problem["code"].is_null() || !pointed {
                wrong.push(format!("{status} where {expected} was due"));
            }
        }
        let (status, _) = caller.get("/no/such/address").await?;
        if status != 404 {
            wrong.push(format!("an unknown address answered {status}"));
        }
        let words = format!(
            "{} bad requests: {}",
            bodies.len() + 1,
            if wrong.is_empty() { "each refused with its problem".to_owned() } else { wrong.join("; ") }
        );
        Ok(Evidence::new(wrong.is_empty(), words))
    }

    async fn time_answers(&self, caller: &Caller) -> anyhow::Result<Evidence> {
        let mut times = Vec::new();
        for number in 0..TIMED_ANSWERS {
            let event = self.event(1_000 + number);
            let start = Instant::now();
            caller.predict(&event).await?;
            if self.sabotage.hits("latency") {
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        let words =
            format!("{TIMED_ANSWERS} answers one by one: p50 {p50:.2} ms, p99 {p99:.2} ms; at most {ANSWER_MS_MAX} ms");
        Ok(Evidence::new(p99 <= ANSWER_MS_MAX, words))
    }

    /// Every answer given before the kill is in the log once, and asking again gives the same.
    async fn recovered(&self, caller: &Caller, given: &[(Value, Value)]) -> anyhow::Result<Evidence> {
        let mut different = 0;
        for (event, answer) in given {
            let again = caller.predict(event).await?;
            let same =
                ["request_id", "prediction", "decision", "reasons"].iter().all(|part| again[*part] == answer[*part]);
            different += usize::from(!same);
        }
        let mut command = self.program()?;
        let sql = "SELECT request_id FROM decisions";
        command.args(["sql", "--format", "json", self.domain.name(), sql]);
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let ids: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        for id in &ids {
            *counts.entry(id["request_id"].as_str().unwrap_or_default()).or_default() += 1;
        }
        let once = |answer: &Value| counts.get(answer["request_id"].as_str().unwrap_or_default()) == Some(&1);
        let missing = given.iter().filter(|(_, answer)| !once(answer)).count();
        let words = format!(
            "killed after {} answers: {missing} not in the log exactly once, {different} answered otherwise afterwards",
            given.len()
        );
        Ok(Evidence::new(missing == 0 && different == 0 && !given.is_empty(), words))
    }

    fn secrets(&self, log: &Path) -> anyhow::Result<Evidence> {
        let mut found = Vec::new();
        for (name, text) in &self.domain.files {
            found.extend(secret_in(text).map(|what| format!("{what} in {name}")));
        }
        let log = std::fs::read_to_string(log)?;
        found.extend(secret_in(&log).map(|what| format!("{what} in the service's log")));
        let personal: Vec<&str> =
            self.columns().iter().filter(|(_, column)| column.personal.is_some()).map(|(name, _)| *name).collect();
        let values = (0..ANSWERS).flat_map(|number| {
            let event = self.event(10_000 + number);
            personal.iter().filter_map(move |name| event[*name].as_str().map(str::to_owned)).collect::<Vec<_>>()
        });
        let word = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
        let words_of_log: std::collections::HashSet<&str> = log.split(word).collect();
        let leaked = values.filter(|value| value.len() > 3 && words_of_log.contains(value.as_str())).count();
        if leaked > 0 {
            found.push(format!("{leaked} values of personal columns in the service's log"));
        }
        let words = format!(
            "{} files and {} lines of log searched: {}",
            self.domain.files.len(),
            log.lines().count(),
            if found.is_empty() { "nothing found".to_owned() } else { found.join("; ") }
        );
        Ok(Evidence::new(found.is_empty() && log.lines().count() > ANSWERS, words))
    }
}

/// Looks like a secret: keys of clouds, private keys, passwords in addresses.
fn secret_in(text: &str) -> Option<&'static str> {
    let has = |what: &str| text.contains(what);
    let address = text.split_whitespace().any(|word| {
        let rest = word.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        rest.is_some_and(|host| host.split_once('@').is_some_and(|(user, _)| user.contains(':')))
    });
    let aws = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() == 20
            && word.starts_with("AKIA")
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    });
    let assigned = text.lines().any(|line| {
        let lower = line.to_ascii_lowercase();
        ["password", "secret_key", "api_key", "access_token"].iter().any(|word| {
            lower.split_once(word).is_some_and(|(_, rest)| {
                let rest = rest.trim_start();
                rest.strip_prefix(['=', ':']).is_some_and(|value| value.trim().trim_matches(['"', '\'']).len() >= 6)
            })
        })
    });
    match () {
        () if has("-----BEGIN") && has("PRIVATE KEY") => Some("a private key"),
        () if aws => Some("a cloud key"),
        () if address => Some("a password in an address"),
        () if assigned => Some("a secret"),
        () => None,
    }
}

struct Caller {
    client: reqwest::Client,
    base: String,
}

impl Caller {
    async fn wait(&self, service: &mut Service) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            if let Ok(response) = self.client.get(format!("{}/readyz", self.base)).send().await
                && response.status().is_success()
            {
                return Ok(());
            }
            if service.child.try_wait()?.is_some() || start.elapsed() > READY_MAX {
                bail!(
                    "the service did not become ready: {}",
                    std::fs::read_to_string(&service.log)?.lines().last().unwrap_or_default()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn get(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        let response = self.client.get(format!("{}{path}", self.base)).send().await?;
        let status = response.status().as_u16();
        Ok((status, serde_json::from_str(&response.text().await?).unwrap_or_default()))
    }

    async fn post(&self, path: &str, body: &str) -> anyhow::Result<(u16, Value)> {
        self.post_once(path, body, None).await
    }

    async fn post_once(&self, path: &str, body: &str, key: Option<&str>) -> anyhow::Result<(u16, Value)> {
        let mut request = self.client.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.body(body.to_owned()).send().await?;
        let status = response.status().as_u16();
        Ok((status, serde_json::from_str(&response.text().await?).unwrap_or_default()))
    }

    /// The same event is the same request, whenever it is sent.
    async fn predict(&self, event: &Value) -> anyhow::Result<Value> {
        let body = event.to_string();
        let mut hasher = std::hash::DefaultHasher::new();
        body.hash(&mut hasher);
        let (status, answer) = self.post_once("/predict", &body, Some(&format!("{:x}", hasher.finish()))).await?;
        if status != 200 {
            bail!("/predict answered {status}: {answer}");
        }
        Ok(answer)
    }
}

/// A free port for the domain and for the hub, found by trying.
fn free_offset(port: u16) -> anyhow::Result<u16> {
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let found = (1_000..40_000).step_by(617).find(|offset| free(port + offset) && free(8_000 + offset));
    found.context("no free port was found")
}

/// Where a value is not what its schema says: types, required fields, constants and enumerations, all the way down.
fn mismatch(schema: &Value, value: &Value, all: &Value, place: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return mismatch(&all[reference.rsplit('/').next().unwrap_or_default()], value, all, place);
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    };
    let fits = match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if !fits {
        return Some(format!("`{place}` is not {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|constant| constant != value) {
        return Some(format!("`{place}` is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        return Some(format!("`{place}` is not one of {}", schema["enum"]));
    }
    if let Some(fields) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(missing) = required.into_iter().find(|name| !fields.contains_key(*name)) {
            return Some(format!("`{place}/{missing}` is missing"));
        }
        for (name, own) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = fields.get(name)
                && let Some(found) = mismatch(own, value, all, &format!("{place}/{name}"))
            {
                return Some(found);
            }
        }
    }
    let items = value.as_array().into_iter().flatten().enumerate();
    items.filter_map(|(at, item)| mismatch(&schema["items"], item, all, &format!("{place}/{at}"))).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_looks_and_ordinary_text_is_not() {
        for text in [
            "postgres://me:geheim@host/db",
            "AKIAIOSFODNN7EXAMPLE",
            "password = \"geheim99\"",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert!(secret_in(text).is_some(), "{text}");
        }
        for text in ["https://example.org/a", "the password is asked for", "name = \"fraud\"", "api_key = \"\""] {
            assert!(secret_in(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_value_is_held_against_its_schema_all_the_way_down() {
        let all = json!({ "Reason": { "type": "object", "required": ["text"], "properties": { "text": { "type": "string" } } } });
        let schema = json!({ "type": "object", "properties": { "reasons": { "type": "array", "items": { "$ref": "#/x/Reason" } } } });
        assert_eq!(mismatch(&schema, &json!({ "reasons": [{ "text": "a" }] }), &all, ""), None);
        assert!(
            mismatch(&schema, &json!({ "reasons": [{ "text": 1 }] }), &all, "")
                .is_some_and(|e| e.contains("/reasons/0/text"))
        );
        assert!(mismatch(&schema, &json!({ "reasons": [{}] }), &all, "").is_some());
    }
}
