//! Commands that look: `monitor`, `alerts`, `drift`.

use crate::arguments::MonitorArguments;
use crate::bars::Bars;
use crate::settings::Settings;
use crate::show;
use crate::workshop::{Workshop, domains_of, engine_in_passing, log_place, record};
use anyhow::{Context, bail};
use septet_platform::monitor::{MonitorOptions, files, look};
use septet_platform::{DemoBreak, Home, RunOptions, Store, new_run_id};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

fn moment(flag: &str, text: Option<&String>) -> anyhow::Result<Option<i64>> {
    let Some(text) = text else { return Ok(None) };
    let micros = septet_tables::instant(text);
    micros.map(Some).with_context(|| format!("--{flag} `{text}` is not a time; expected such as 2018-09-05"))
}

pub async fn monitor(settings: &Settings, arguments: &MonitorArguments, json: bool) -> anyhow::Result<ExitCode> {
    let home = Home::open(&settings.home)?;
    let domain = Arc::new(domains_of(settings)?.load(&arguments.domain)?);
    septet_platform::use_threads(settings.threads);
    let store = Arc::new(Store::open(&home.store_file(), settings.database_url.as_deref()).await?);
    let looking = MonitorOptions {
        log: log_place(settings, &home, domain.name()),
        home,
        store: store.clone(),
        domain,
        memory_max: settings.memory_max,
        as_of: moment("as-of", arguments.as_of.as_ref())?,
        since: moment("since", arguments.since.as_ref())?,
        reference_until: moment("reference-until", arguments.reference_until.as_ref())?,
        rehearsal: false,
    };
    let bars = Bars::new(json);
    let found = look(&looking, &bars).await?;
    if let Some(path) = &arguments.html {
        let page = septet_platform::monitor::html(&found)?;
        std::fs::write(path, page).with_context(|| path.display().to_string())?;
    }
    // A question about another time changes nothing.
    let hypothetical = arguments.as_of.is_some() || arguments.reference_until.is_some();
    if !hypothetical {
        record(settings, &store, &found).await?;
    }
    if json {
        println!("{}", found.json()?);
    } else {
        show::look(&found);
        if let Some(path) = &arguments.html {
            println!("\nReport written: {}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is wanted of the alerts.
pub struct AlertRequest {
    pub domain: Option<String>,
    pub all: bool,
    /// An alert, and the status it gets.
    pub change: Option<(String, &'static str)>,
    pub by: String,
    pub note: String,
    pub deliveries: bool,
}

pub async fn alerts(settings: &Settings, request: &AlertRequest, json: bool) -> anyhow::Result<ExitCode> {
    let home = Home::open(&settings.home)?;
    let store = Store::open(&home.store_file(), settings.database_url.as_deref()).await?;
    if let (Some(domain), Some((id, status))) = (&request.domain, &request.change)
        && !store.change_alert(domain, id, status, &request.by, &request.note).await?
    {
        bail!("`{domain}` has no alert `{id}` that is not resolved; `septet alerts {domain}` lists them");
    }
    let domains = match &request.domain {
        Some(domain) => vec![domain.clone()],
        None => store.alert_domains().await?,
    };
    let (mut alerts, mut deliveries, mut resolved) = (Vec::new(), Vec::new(), 0);
    for domain in &domains {
        let own = store.alerts(domain).await?;
        let (open, over): (Vec<_>, Vec<_>) =
            own.into_iter().partition(|alert| request.all || alert.status != "resolved");
        resolved += over.len();
        alerts.extend(open);
        deliveries.extend(store.deliveries(domain).await?);
    }
    if json {
        println!("{}", json!({ "alerts": alerts, "deliveries": deliveries }));
        return Ok(ExitCode::SUCCESS);
    }
    show::alerts(&alerts, resolved);
    if request.deliveries {
        show::deliveries(&deliveries);
    }
    Ok(ExitCode::SUCCESS)
}

/// Breaks the newest days of a demo, or with `None` mends them.
pub async fn change_demo(
    settings: &Settings,
    domain: &str,
    how: Option<DemoBreak>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let workshop = Workshop::open(settings, domain).await?;
    let bars = Bars::new(json);
    let run = workshop.run(RunOptions::default(), new_run_id(), true, &bars);
    let done = septet_platform::break_demo(run, how).await?;
    if json {
        println!("{}", serde_json::to_string(&done)?);
        return Ok(ExitCode::SUCCESS);
    }
    match &done.what {
        Some(what) => println!(
            "Broken: {what}. A service that runs finds it by itself within a minute; else: septet monitor {domain}\n\
             What it opens: septet alerts {domain}\nTo undo it: septet demo mend {domain}"
        ),
        None => println!("Mended: the demo's rows are in force as they were (run {}).", done.run_id),
    }
    Ok(ExitCode::SUCCESS)
}

pub async fn drift(settings: &Settings, reference: &Path, current: &Path, json: bool) -> anyhow::Result<ExitCode> {
    septet_platform::use_threads(settings.threads);
    let (engine, _spill) = engine_in_passing(settings, settings.threads)?;
    let engine = engine.with_files();
    for path in [reference, current] {
        if !path.exists() {
            bail!("`{}` is not there; expected a Parquet, CSV or JSON file", path.display());
        }
    }
    let read = |path: &Path| {
        let sql = format!("SELECT * FROM '{}'", path.display().to_string().replace('\'', "''"));
        let (engine, name) = (&engine, path.display().to_string());
        async move {
            engine.name_files(&sql).await?;
            engine.query(&sql).await.context(name)
        }
    };
    let (reference, current) = tokio::try_join!(read(reference), read(current))?;
    let found = files::compare(&reference, &current)?;
    if json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        show::file_drift(&found);
    }
    Ok(ExitCode::SUCCESS)
}
