//! A copy of a domain's published run and champion in a home of its own, where rows are spoiled, services are killed and
//! nothing of value can be harmed.

use crate::Subject;
use crate::sabotage::Sabotage;
use anyhow::{Context, bail};
use septet_domain::{ColumnType, Domain, Domains};
use septet_platform::{CHAMPION, Home, Kept, NoProgress, Run, RunOptions, Signed, StepName, Store};
use septet_tables::arrow::array::{Array, AsArray};
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::DataType;
use septet_tables::{Engine, EngineSettings, TableFile};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Rows of the sample that is spoiled and extracted.
const SAMPLE_ROWS: usize = 2_000;
/// Keys that are asked about, the busiest.
const ANSWERS_KEYS: usize = 200;

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

/// A home of its own; gone when it is dropped.
pub struct Sandbox {
    folder: PathBuf,
    home: Home,
    store: Store,
    /// The copy in `folder`, which a sabotage may have changed.
    pub domain: Domain,
    /// As it was before that: what is expected of the copy.
    promised: Arc<Domain>,
    program: PathBuf,
    memory_max: usize,
    threads: usize,
    pub version: String,
    pub run_id: String,
    /// The input's columns as text, in the contract's order.
    pub rows: Vec<Vec<Option<String>>>,
    /// Where requests are questions about a key: its field, and some keys.
    key_name: String,
    keys: Vec<String>,
    pub sabotage: Sabotage,
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Sandbox {
    pub async fn build(subject: &Subject, sabotage: Sabotage) -> anyhow::Result<Sandbox> {
        let (theirs, domain) = (&subject.monitor.home, &subject.monitor.domain);
        let name = domain.name().to_owned();
        let champion = subject.monitor.store.alias(&name, CHAMPION).await?.map(|alias| alias.version);
        let (Some(version), Some(published)) = (champion, theirs.published(&name)?) else {
            bail!("`{name}` has no champion yet; first: septet run {name}");
        };
        let folder = std::env::temp_dir().join(format!("septet-grade-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let home = Home::open(&folder.join("home"))?;
        copy(&theirs.tables_folder(&name, &published.run_id), &home.tables_folder(&name, &published.run_id))?;
        copy(&theirs.version_folder(&name, &version), &home.version_folder(&name, &version))?;
        home.publish(&name, &published)?;
        let domains = folder.join("domains");
        for (file, text) in &domain.files {
            let path = domains.join(&name).join(file);
            std::fs::create_dir_all(path.parent().unwrap_or(&domains))?;
            std::fs::write(path, text)?;
        }
        sabotage.break_copies(&home.version_folder(&name, &version), &domains.join(&name))?;
        let mut sandbox = Sandbox {
            store: Store::open(&home.store_file(), None).await?,
            domain: Domains::find(Some(&domains))?.load(&name)?,
            promised: domain.clone(),
            folder,
            home,
            program: subject.program.clone(),
            memory_max: subject.monitor.memory_max,
            threads: subject.threads,
            version,
            run_id: published.run_id.clone(),
            rows: Vec::new(),
            key_name: String::new(),
            keys: Vec::new(),
            sabotage,
        };
        sandbox.copy_records(&subject.monitor.store).await?;
        sandbox.rows = sandbox.sample().await?;
        sandbox.find_keys().await?;
        Ok(sandbox)
    }

    /// What the store says of the run and the version.
    async fn copy_records(&self, theirs: &Store) -> anyhow::Result<()> {
        let name = self.domain.name();
        for step in StepName::ALL {
            if let Some(report) = theirs.step(name, &self.run_id, step.word()).await? {
                self.store.put_step(name, &self.run_id, step.word(), &report).await?;
            }
        }
        let record = theirs.version(name, &self.version).await?;
        let (metrics, mut gates) = record.map(|record| (record.metrics, record.gates)).unwrap_or_default();
        self.sabotage.break_record(&mut gates);
        self.store.put_version(name, &self.version, &self.run_id, &metrics).await?;
        self.store.judge_version(name, &self.version, &gates).await?;
        let signed = Signed { by: "septet", why: "a copy that is graded" };
        self.store.move_alias(name, CHAMPION, None, &self.version, signed).await?;
        Ok(())
    }

    /// The run whose tables are published, as the steps and gates know it.
    pub fn run(&self) -> Run<'_> {
        Run {
            home: &self.home,
            store: &self.store,
            domain: &self.domain,
            options: RunOptions::default(),
            run_id: self.run_id.clone(),
            memory_max: self.memory_max,
            threads: self.threads,
            progress: &NoProgress,
            accept: false,
            refresh: false,
            kept: Kept::default(),
        }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    fn engine(&self) -> anyhow::Result<Engine> {
        let settings =
            EngineSettings { memory_max: self.memory_max, spill_folder: self.folder.join("spill"), partitions: 1 };
        Ok(Engine::new(&settings)?)
    }

    async fn find_keys(&mut self) -> anyhow::Result<()> {
        let Some((table, key)) = self.domain.spec.question_key() else { return Ok(()) };
        let engine = self.engine()?;
        let path = self.home.tables_folder(self.domain.name(), &self.run_id).join(format!("{table}.parquet"));
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

    async fn sample(&self) -> anyhow::Result<Vec<Vec<Option<String>>>> {
        let engine = self.engine()?;
        let (table, input) = self.domain.spec.input.first().context("a domain has an input")?;
        let path = self.home.tables_folder(self.domain.name(), &self.run_id).join(format!("{table}.parquet"));
        engine.register_file(&TableFile { name: table.clone(), path }).await?;
        let columns: Vec<String> = input.columns.keys().map(|name| format!("\"{}\"", name.get_ref())).collect();
        let sql = format!("SELECT {} FROM \"{table}\" LIMIT {SAMPLE_ROWS}", columns.join(", "));
        let (_, batches) = engine.query(&sql).await?;
        let mut rows = Vec::new();
        for batch in &batches {
            let columns =
                batch.columns().iter().map(|column| cast(column, &DataType::Utf8)).collect::<Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                let cell = |column: &Arc<dyn Array>| {
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

    pub fn columns(&self) -> Vec<(&str, &septet_domain::Column)> {
        let input = self.promised.spec.input.values().next();
        input.into_iter().flat_map(|input| &input.columns).map(|(name, c)| (name.get_ref().as_str(), c)).collect()
    }

    pub fn key(&self) -> usize {
        let key = self.promised.spec.input.values().next().map(|input| input.key.get_ref().as_str());
        self.columns().iter().position(|(name, _)| Some(*name) == key).unwrap_or(0)
    }

    pub fn time(&self) -> usize {
        let time = self.promised.spec.input.values().next().map(|input| input.time.get_ref().as_str());
        self.columns().iter().position(|(name, _)| Some(*name) == time).unwrap_or(0)
    }

    pub fn write(&self, name: &str, rows: &[Vec<Option<String>>]) -> anyhow::Result<(PathBuf, PathBuf)> {
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

    pub fn program(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--home").arg(self.home.root()).arg("--domains").arg(self.folder.join("domains"));
        // The sandbox is a machine of its own: no other database, no channels.
        for variable in
            ["DATABASE_URL", "SEPTET_DATABASE_URL", "SEPTET_ALERT_WEBHOOK", "SEPTET_ALERT_SMTP", "SEPTET_API_KEYS"]
        {
            command.env_remove(variable);
        }
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    pub fn step(&self, step: &str, run: &str, file: &Path, layout: &Path) -> anyhow::Result<Value> {
        let mut command = self.program();
        command.args(["--json", "step", self.domain.name(), step, "--run", run, "--source"]).arg(file);
        command.arg("--layout").arg(layout);
        let output = command.output()?;
        if !output.status.success() {
            bail!("step {step}: {}", String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// An event like the published ones, later than all of them, under a key of its own; or a question about a key.
    pub fn event(&self, number: usize) -> Value {
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
}
