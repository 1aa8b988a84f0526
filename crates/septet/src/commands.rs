//! What each command does, for a person or as JSON.

use crate::arguments::{Action, Arguments, Output, Page, Part, RunArguments, Step};
use crate::bars::Bars;
use crate::settings::{SETTINGS, Settings, reference_markdown};
use crate::show;
use crate::workshop::{Workshop, domains_of, engine, engine_in_passing};
use anyhow::{Context, bail};
use clap::CommandFactory;
use septet_domain::Domain;
use septet_platform::{
    CHAMPION, Home, PINNED, Run, RunOptions, Signed, StepName, Store, VersionAction, change_version, check_domain,
    new_run_id,
};
use septet_tables::{Engine, Format, TableFile};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

pub use crate::doctor::doctor;

pub async fn check(settings: &Settings, only: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let domains = domains_of(settings)?;
    let names = only.map_or_else(|| domains.names(), |name| vec![name.to_owned()]);
    let mut failed = false;
    let mut answers = Vec::new();
    for name in names {
        let (engine, _spill) = engine_in_passing(settings, 1)?;
        let checked = match domains.load(&name) {
            Ok(domain) => match domains.same_port(&domain) {
                None => check_domain(&engine, &domain).await,
                Some(problem) => Err(septet_domain::Problems(vec![problem]).into()),
            },
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

pub fn options(
    domain: &Domain,
    source: &[String],
    layout: Option<&str>,
    demo_small: bool,
) -> anyhow::Result<RunOptions> {
    let inputs: Vec<&String> = domain.spec.input.keys().collect();
    let mut sources = BTreeMap::new();
    for text in source {
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
    if !sources.is_empty() && layout.is_none() {
        let known: Vec<&str> = domain.files_in("sources", ".sql").map(|(name, _)| name).collect();
        bail!(
            "a source needs its layout: --layout with one of {}, or the path of a SELECT of your own",
            known.join(", ")
        );
    }
    Ok(RunOptions { sources, layout: layout.map(str::to_owned), demo_small, demo_break: None })
}

pub async fn run(settings: &Settings, arguments: &RunArguments, json: bool) -> anyhow::Result<ExitCode> {
    let workshop = Workshop::open(settings, &arguments.domain).await?;
    let options = options(&workshop.domain, &arguments.source, arguments.layout.as_deref(), arguments.small)?;
    let bars = Bars::new(json);
    let run = workshop.run(options, new_run_id(), arguments.accept, &bars);
    let report = septet_platform::start(run, arguments.fresh).await;
    workshop.tell_of_run(settings, &report).await?;
    let report = report?;
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
    refresh: bool,
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
    if refresh && step != StepName::Load {
        bail!("--refresh belongs to the step load");
    }
    let workshop = Workshop::open(settings, &arguments.domain).await?;
    let options = options(&workshop.domain, &arguments.source, arguments.layout.as_deref(), arguments.small)?;
    let bars = Bars::new(json);
    let run = workshop.run(options, run_id.to_owned(), arguments.accept, &bars);
    let report = septet_platform::step(Run { refresh, ..run }, step).await;
    if step >= StepName::Load {
        workshop.tell_of_run(settings, &report).await?;
    }
    let report = report?;
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

/// The tables that a question is about: those in force, or those of one run, as far as it came.
async fn register_tables(engine: &Engine, home: &Home, name: &str, run_id: Option<&str>) -> anyhow::Result<()> {
    let folder = match run_id {
        Some(run_id) => home.rows_of_run(name, run_id)?,
        None => {
            let published = home.published(name)?;
            let none = || format!("`{name}` has no tables in force yet; first: septet run {name}");
            home.tables_folder(name, &published.with_context(none)?.run_id)
        }
    };
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "parquet") {
            let table = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            engine.register_file(&TableFile { name: table, path }).await?;
        }
    }
    Ok(())
}

pub async fn sql(
    settings: &Settings,
    words: &[String],
    run_id: Option<&str>,
    format: Output,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let (domain, query) = match words {
        [domain, query] => (Some((domain, Home::open(&settings.home)?)), query),
        [query] => (None, query),
        _ => bail!("expected [DOMAIN] QUERY"),
    };
    if domain.is_none() && run_id.is_some() {
        bail!("--run belongs to a domain: septet sql DOMAIN --run ID QUERY");
    }
    // A query of a file needs no home, and makes none.
    let (engine, _spill) = match &domain {
        Some((_, home)) => (engine(settings, home)?, None),
        None => engine_in_passing(settings, 1).map(|(engine, spill)| (engine, Some(spill)))?,
    };
    let engine = engine.with_files();
    if let Some((domain, home)) = domain {
        let name = domains_of(settings)?.load(domain)?.name().to_owned();
        register_tables(&engine, &home, &name, run_id).await?;
        // Read only for who asks: the log may be long.
        let asked = engine.reads(query)?;
        if asked.iter().any(|table| table == "decisions" || table == "outcomes") {
            let place = crate::workshop::log_place(settings, &home, &name);
            let log = place.open(&name).await?;
            let tables = tokio::task::spawn_blocking(move || log.tables()).await??;
            for (table, batch) in tables {
                engine.register_batches(table, batch.schema(), vec![batch])?;
            }
        }
    }
    engine.name_files(query).await?;
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
        Page::Sql => septet_tables::reference_markdown(&engine_in_passing(settings, 1)?.0)?,
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
    let options = options(&workshop.domain, &arguments.source, arguments.layout.as_deref(), arguments.small)?;
    let bars = Bars::new(true);
    let run = workshop.run(options, new_run_id(), false, &bars);
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
