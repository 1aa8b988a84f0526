//! What each command does, for a person or as JSON.

use crate::arguments::{Action, Arguments, Output, Page, Part, RunArguments, Step};
use crate::bars::Bars;
use crate::serving::log_place;
use crate::settings::{SETTINGS, Settings, reference_markdown};
use crate::show;
use anyhow::{Context, bail};
use clap::CommandFactory;
use septet_domain::{Domain, Domains};
use septet_platform::monitor::{MonitorOptions, MonitoringReport, Rehearsed};
use septet_platform::{
    CHAMPION, Home, Kept, PINNED, Run, RunOptions, Scorer, Signed, StepName, Store, VersionAction, change_version,
    check_domain, new_run_id,
};
use septet_tables::{Engine, EngineSettings, Format, TableFile};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

pub use crate::doctor::doctor;

pub fn domains_of(settings: &Settings) -> anyhow::Result<Domains> {
    Ok(Domains::find(settings.domains.as_deref())?)
}

fn engine(settings: &Settings, home: &Home) -> anyhow::Result<Engine> {
    let settings = EngineSettings { memory_max: settings.memory_max, spill_folder: home.spill_folder(), partitions: 1 };
    Ok(Engine::new(&settings)?)
}

pub async fn check(settings: &Settings, only: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let domains = domains_of(settings)?;
    let names = only.map_or_else(|| domains.names(), |name| vec![name.to_owned()]);
    let spill = std::env::temp_dir().join("septet-check");
    let mut failed = false;
    let mut answers = Vec::new();
    for name in names {
        let engine = Engine::new(&EngineSettings {
            memory_max: settings.memory_max,
            spill_folder: spill.clone(),
            partitions: 1,
        })?;
        let checked = match domains.load(&name) {
            Ok(domain) => check_domain(&engine, &domain).await,
            Err(problems) => Err(problems.into()),
        };
        match checked {
            Ok(()) => {
                answers.push(json!({ "domain": name, "sound": true, "problems": [] }));
                if !json {
                    println!("{name}: sound");
                }
            }
            Err(error) => {
                failed = true;
                let problems: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
                answers.push(json!({ "domain": name, "sound": false, "problems": problems }));
                eprintln!("{error}");
            }
        }
    }
    if json {
        println!("{}", json!(answers));
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn options(domain: &Domain, arguments: &RunArguments) -> anyhow::Result<RunOptions> {
    let inputs: Vec<&String> = domain.spec.input.keys().collect();
    let mut sources = BTreeMap::new();
    for text in &arguments.source {
        let named = text.split_once('=').filter(|(name, _)| inputs.iter().any(|input| input == name));
        let (name, url) = match named {
            Some((name, url)) => (name.to_owned(), url.to_owned()),
            None if inputs.len() == 1 => (inputs[0].clone(), text.clone()),
            None => {
                bail!(
                    "`--source {}` does not say which input it is for; expected INPUT=URL with one of {inputs:?}",
                    septet_tables::redacted(text)
                )
            }
        };
        if sources.insert(name.clone(), url).is_some() {
            bail!("`{name}` has two sources; name several files by one glob, such as 'data/*.csv'");
        }
    }
    if !sources.is_empty() && arguments.layout.is_none() {
        let known: Vec<&str> = domain.files_in("sources", ".sql").map(|(name, _)| name).collect();
        bail!(
            "a source needs its layout: --layout with one of {}, or the path of a SELECT of your own",
            known.join(", ")
        );
    }
    Ok(RunOptions { sources, layout: arguments.layout.clone(), demo_small: arguments.small })
}

/// What of a domain's definition is other than a version's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// At most what watches.
    Nothing,
    /// What is decided on a score and told of it: `septet run` decides anew in seconds.
    Answers,
    /// What is learned: `septet run` trains.
    Model,
    /// The version cannot be read, and why: such as one that an older program made.
    Unreadable(String),
}

/// What a command on runs needs, opened once.
pub struct Workshop {
    home: Home,
    store: Store,
    domain: Domain,
    memory_max: usize,
    threads: usize,
}

impl Workshop {
    pub async fn open(settings: &Settings, domain: &str) -> anyhow::Result<Workshop> {
        let home = Home::open(&settings.home)?;
        let domain = domains_of(settings)?.load(domain)?;
        septet_platform::use_threads(settings.threads);
        let store = Store::open(&home.store_file(), settings.database_url.as_deref()).await?;
        check_domain(&engine(settings, &home)?, &domain).await?;
        Ok(Workshop { store, domain, memory_max: settings.memory_max, threads: settings.threads, home })
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// What of the definition changed since the champion was made; none without a champion that can be loaded.
    pub async fn changed_since_champion(&self) -> anyhow::Result<Option<Changed>> {
        let Some(champion) = self.store.alias(self.domain.name(), CHAMPION).await? else { return Ok(None) };
        let loaded = Scorer::load(&self.home.version_folder(self.domain.name(), &champion.version));
        let today = self.domain.fingerprints();
        Ok(Some(match loaded {
            Err(error) => Changed::Unreadable(error.to_string()),
            Ok(scorer) if scorer.manifest.definition.model != today.model => Changed::Model,
            Ok(scorer) if scorer.manifest.definition.answers != today.answers => Changed::Answers,
            Ok(_) => Changed::Nothing,
        }))
    }

    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Puts troubles into what was observed and looks whether they are found.
    pub async fn rehearse(&self, settings: &Settings, spoiled: &[&str]) -> anyhow::Result<Vec<Rehearsed>> {
        let looking = MonitorOptions { rehearsal: true, ..self.looking(settings).await? };
        let quiet = septet_platform::NoProgress;
        let gathered = septet_platform::monitor::gather(&looking, &quiet).await?;
        Ok(septet_platform::monitor::rehearse(&gathered, spoiled).await?)
    }

    async fn looking(&self, settings: &Settings) -> anyhow::Result<MonitorOptions> {
        let store = Arc::new(Store::open(&self.home.store_file(), settings.database_url.as_deref()).await?);
        Ok(MonitorOptions {
            home: self.home.clone(),
            store,
            domain: Arc::new(self.domain.clone()),
            log: log_place(settings, &self.home, self.domain.name()),
            memory_max: self.memory_max,
            as_of: None,
            since: None,
            reference_until: None,
            rehearsal: false,
        })
    }

    /// Looks at what was observed, if there is a champion, and brings the alerts to it.
    pub async fn look(&self, settings: &Settings, bars: &Bars) -> anyhow::Result<Option<MonitoringReport>> {
        if self.changed_since_champion().await?.is_none() {
            return Ok(None);
        }
        let looking = self.looking(settings).await?;
        let found = septet_platform::monitor::look(&looking, bars).await?;
        crate::watching::record(settings, &looking.store, &found).await?;
        Ok(Some(found))
    }

    pub fn run<'a>(&'a self, options: RunOptions, run_id: String, bars: &'a Bars) -> Run<'a> {
        let Workshop { home, store, domain, memory_max, threads } = self;
        Run {
            home,
            store,
            domain,
            options,
            run_id,
            memory_max: *memory_max,
            threads: *threads,
            progress: bars,
            kept: Kept::default(),
        }
    }
}

pub async fn run(settings: &Settings, arguments: &RunArguments, json: bool) -> anyhow::Result<ExitCode> {
    let workshop = Workshop::open(settings, &arguments.domain).await?;
    let options = options(&workshop.domain, arguments)?;
    let bars = Bars::new(json);
    let report = septet_platform::start(workshop.run(options, new_run_id(), &bars), arguments.fresh).await?;
    let found = match arguments.no_monitor {
        true => None,
        false => workshop.look(settings, &bars).await?,
    };
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        show::run_report(&report);
        if arguments.small && !report.promoted {
            println!(
                "The small demo has too few positives to prove anything; run it without --small for one that can."
            );
        }
        if let Some(found) = found {
            show::findings(&found);
        }
    }
    let champion = workshop.store.alias(workshop.domain.name(), CHAMPION).await?;
    match unanswered(workshop.domain.name(), champion.is_some(), arguments.small) {
        None => Ok(ExitCode::SUCCESS),
        Some(words) => {
            eprintln!("{words}");
            Ok(ExitCode::from(1))
        }
    }
}

/// What is said after a run that leaves a domain without an answer; none in small, which proves nothing either way.
fn unanswered(domain: &str, has_champion: bool, small: bool) -> Option<String> {
    (!has_champion && !small).then(|| {
        format!("Nothing answers for `{domain}`: no version of it has passed its gates, and none was promoted by hand.")
    })
}

pub async fn step(
    settings: &Settings,
    step: Step,
    arguments: &RunArguments,
    run_id: &str,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_.:+".contains(c);
    if run_id.is_empty() || run_id.starts_with('.') || !run_id.chars().all(safe) {
        bail!("`{run_id}` cannot name a run; expected letters, digits and -_.:+");
    }
    let step = match step {
        Step::Extract => StepName::Extract,
        Step::Transform => StepName::Transform,
        Step::Load => StepName::Load,
        Step::Train => StepName::Train,
        Step::Validate => StepName::Validate,
        Step::Health => StepName::Health,
    };
    let workshop = Workshop::open(settings, &arguments.domain).await?;
    let options = options(&workshop.domain, arguments)?;
    let bars = Bars::new(json);
    let report = septet_platform::step(workshop.run(options, run_id.to_owned(), &bars), step).await?;
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        let (rows_in, rows_out) = (show::thousands(report.rows_in), show::thousands(report.rows_out));
        println!(
            "{}: {rows_in} rows in, {rows_out} out, {} quarantined, {:.2} s",
            report.name, report.quarantined, report.seconds
        );
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn models(settings: &Settings, domain: &str, json: bool) -> anyhow::Result<ExitCode> {
    let domain = domains_of(settings)?.load(domain)?;
    let home = Home::open(&settings.home)?;
    let store = Store::open(&home.store_file(), settings.database_url.as_deref()).await?;
    let versions = store.versions(domain.name()).await?;
    let champion = store.alias(domain.name(), CHAMPION).await?.map(|alias| alias.version);
    let pinned = store.alias(domain.name(), PINNED).await?.map(|alias| alias.version);
    if json {
        let versions: Vec<serde_json::Value> = versions
            .iter()
            .map(|version| {
                let mut record = json!(version);
                record["metrics"] = serde_json::from_str(&version.metrics).unwrap_or_default();
                record
            })
            .collect();
        let changes = store.alias_changes(domain.name(), CHAMPION).await?;
        println!(
            "{}",
            json!({ "domain": domain.name(), "champion": champion, "pinned": pinned, "versions": versions, "changes": changes })
        );
        return Ok(ExitCode::SUCCESS);
    }
    let metric = domain.spec.model.measure.get_ref().clone();
    let mut table = show::table(&["version", "status", "made", &metric, "baseline", "run"]);
    for version in &versions {
        let metrics: serde_json::Value = serde_json::from_str(&version.metrics).unwrap_or_default();
        let mark = match champion.as_ref() == Some(&version.version) {
            true if pinned.as_ref() == Some(&version.version) => " = champion, pinned",
            true => " = champion",
            false => "",
        };
        table.add_row(vec![
            format!("{}{mark}", version.version),
            version.status.clone(),
            version.created_at.chars().take(16).collect(),
            show::number(metrics[&metric]["value"].as_f64()),
            show::number(metrics[&metric]["baseline"].as_f64()),
            version.run_id.clone(),
        ]);
    }
    println!("{table}");
    Ok(ExitCode::SUCCESS)
}

/// What is done with a version, by whom and why.
pub struct ModelChange {
    pub domain: String,
    pub action: Action,
    pub version: Option<String>,
    pub by: String,
    pub why: String,
    pub anyway: bool,
}

pub async fn change_model(settings: &Settings, change: &ModelChange, json: bool) -> anyhow::Result<ExitCode> {
    let domain = domains_of(settings)?.load(&change.domain)?;
    let home = Home::open(&settings.home)?;
    let store = Store::open(&home.store_file(), settings.database_url.as_deref()).await?;
    let action = match change.action {
        Action::Promote => VersionAction::Promote,
        Action::Rollback => VersionAction::Rollback,
        Action::Pin => VersionAction::Pin,
        Action::Unpin => VersionAction::Unpin,
        Action::Delete => VersionAction::Delete,
    };
    let signed = Signed { by: &change.by, why: &change.why };
    let version = change.version.as_deref();
    let done = change_version(&home, &store, domain.name(), action, version, change.anyway, signed).await?;
    if json {
        let champion = store.alias(domain.name(), CHAMPION).await?.map(|alias| alias.version);
        println!("{}", json!({ "domain": domain.name(), "champion": champion, "done": done }));
    } else {
        println!("{}: {done}", domain.name());
    }
    Ok(ExitCode::SUCCESS)
}

pub fn domains(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let domains = domains_of(settings)?;
    let mut table = show::table(&["domain", "port", "question", "layouts", "from"]);
    let mut all = Vec::new();
    for name in domains.names() {
        let domain = match domains.load(&name) {
            Ok(domain) => domain,
            Err(problems) => {
                eprintln!("{problems}");
                continue;
            }
        };
        let layouts: Vec<&str> = domain.files_in("sources", ".sql").map(|(name, _)| name).collect();
        let from = match &domain.origin {
            septet_domain::Origin::Builtin => "built in".to_owned(),
            septet_domain::Origin::Folder(folder) => folder.display().to_string(),
        };
        table.add_row(vec![
            name.clone(),
            domain.spec.port.to_string(),
            domain.spec.question.clone(),
            layouts.join(", "),
            from.clone(),
        ]);
        all.push(json!({ "name": name, "port": domain.spec.port, "question": domain.spec.question, "layouts": layouts, "from": from }));
    }
    if json {
        println!("{}", json!(all));
    } else {
        println!("{table}");
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn sql(settings: &Settings, words: &[String], format: Output, json: bool) -> anyhow::Result<ExitCode> {
    let home = Home::open(&settings.home)?;
    let engine = engine(settings, &home)?.with_files();
    let (domain, query) = match words {
        [domain, query] => (Some(domain), query),
        [query] => (None, query),
        _ => bail!("expected [DOMAIN] QUERY"),
    };
    if let Some(domain) = domain {
        let name = domains_of(settings)?.load(domain)?.name().to_owned();
        let published = home.published(&name)?;
        let published =
            published.with_context(|| format!("`{name}` has no published tables yet; first: septet run {name}"))?;
        for table in published.tables.keys() {
            let path = home.tables_folder(&name, &published.run_id).join(format!("{table}.parquet"));
            engine.register_file(&TableFile { name: table.clone(), path }).await?;
        }
        // Read only for who asks: the log may be long.
        let asked = engine.reads(query)?;
        if asked.iter().any(|table| table == "decisions" || table == "outcomes") {
            let place = crate::serving::log_place(settings, &home, &name);
            let log = place.open(&name).await?;
            let tables = tokio::task::spawn_blocking(move || log.tables()).await??;
            for (table, batch) in tables {
                engine.register_batches(table, batch.schema(), vec![batch])?;
            }
        }
    }
    let (schema, mut batches) = engine.query(query).await?;
    if batches.is_empty() {
        batches.push(septet_tables::arrow::array::RecordBatch::new_empty(schema));
    }
    let format = match (json, format) {
        (true, _) | (_, Output::Json) => Format::JsonLines,
        (_, Output::Csv) => Format::Csv,
        (_, Output::Table) => Format::Table,
    };
    septet_tables::print(&batches, format, &mut std::io::stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

pub fn settings(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let mut table = show::table(&["setting", "value", "from", "meaning"]);
    let mut all = serde_json::Map::new();
    for setting in &SETTINGS {
        let value = settings.value(setting.key);
        let text = match (setting.secret, value.text.as_str()) {
            (true, text) if text.contains("://") => septet_tables::redacted(text),
            (true, text) if !text.is_empty() => "(set, not shown)".to_owned(),
            (_, text) => text.to_owned(),
        };
        table.add_row(vec![setting.key, &text, &value.origin, setting.meaning]);
        all.insert(setting.key.to_owned(), json!({ "value": text, "from": value.origin }));
    }
    if json {
        println!("{}", json!(all));
    } else {
        println!("{table}");
    }
    Ok(ExitCode::SUCCESS)
}

pub fn reference(settings: &Settings, page: Page) -> anyhow::Result<ExitCode> {
    let page = match page {
        Page::Domain => septet_domain::reference_markdown(),
        Page::Kinds => septet_platform::kinds::reference_markdown(),
        Page::Settings => reference_markdown(),
        Page::Problems => septet_server::problem::reference_markdown(),
        Page::Sql => septet_tables::reference_markdown(&engine(settings, &Home::open(&settings.home)?)?)?,
    };
    print!("{page}");
    Ok(ExitCode::SUCCESS)
}

pub fn completions(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Arguments::command(), "septet", &mut std::io::stdout());
    ExitCode::SUCCESS
}

pub async fn bench(settings: &Settings, part: Part, arguments: &RunArguments, out: &Path) -> anyhow::Result<ExitCode> {
    let workshop = Workshop::open(settings, &arguments.domain).await?;
    let options = options(&workshop.domain, arguments)?;
    let bars = Bars::new(true);
    let run = workshop.run(options, new_run_id(), &bars);
    let figures = match part {
        Part::Windows => septet_platform::bench::windows(&run, out).await?,
        Part::Train => septet_platform::bench::train(&run, out).await?,
    };
    println!("{figures}");
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_leaves_nothing_answering_says_so_but_in_small() {
        assert!(
            unanswered("cards", false, false).is_some_and(|words| words.starts_with("Nothing answers for `cards`"))
        );
        assert_eq!(unanswered("cards", true, false), None);
        assert_eq!(unanswered("cards", false, true), None);
    }
}
