//! Commands that answer: `serve`, `up`, and `replay`, which answers once more.

use crate::background;
use crate::bars::Bars;
use crate::settings::Settings;
use crate::show;
use crate::workshop::{Changed, Workshop, domains_of, log_place};
use anyhow::{Context, bail};
use septet_domain::Domain;
use septet_platform::monitor::SystemWatch;
use septet_platform::serve::{Service, ServiceOptions};
use septet_platform::{Home, RunOptions, Store, new_run_id};
use septet_server::{Answers, DomainState, Limits, Site, Watched};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// A single request that takes longer is told so.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Domains named, or all there are.
fn chosen(settings: &Settings, names: &[String]) -> anyhow::Result<Vec<Arc<Domain>>> {
    let domains = domains_of(settings)?;
    let names = if names.is_empty() { domains.names() } else { names.to_vec() };
    names.iter().map(|name| Ok(Arc::new(domains.load(name)?))).collect()
}

fn service_options(
    settings: &Settings,
    home: &Home,
    store: &Arc<Store>,
    domain: Arc<Domain>,
) -> anyhow::Result<ServiceOptions> {
    let log = log_place(settings, home, domain.name());
    Ok(ServiceOptions {
        home: home.clone(),
        store: store.clone(),
        domain,
        memory_max: settings.memory_max,
        log,
        clock_skew_max_micros: settings.clock_skew_max.as_micros() as i64,
        log_after: settings.log_after,
        queue_max: settings.queue_max,
    })
}

fn limits(settings: &Settings) -> anyhow::Result<Limits> {
    Ok(Limits {
        body_bytes_max: settings.body_max,
        batch_bytes_max: settings.batch_max,
        rows_max: settings.rows_max,
        concurrency_max: settings.concurrency_max,
        request_timeout: REQUEST_TIMEOUT,
        api_keys: settings.api_keys.clone(),
    })
}

/// The address to listen on. Non-loopback addresses need API keys or `open_to_all = yes`.
fn bind(settings: &Settings) -> anyhow::Result<IpAddr> {
    let address = settings.bind;
    if !address.is_loopback() && settings.api_keys.is_empty() && !settings.open_to_all {
        bail!(
            "bind = `{address}` lets others in: set api_keys (SEPTET_API_KEYS), or open_to_all = yes if that is meant"
        );
    }
    Ok(address)
}

pub async fn serve(settings: &Settings, names: &[String]) -> anyhow::Result<ExitCode> {
    let domains = chosen(settings, names)?;
    let address = bind(settings)?;
    let home = Home::open(&settings.home)?;
    let store = Arc::new(Store::open(&home.store_file(), settings.database_url.as_deref()).await?);
    septet_platform::use_threads(settings.threads);
    septet_server::start_metrics()?;
    let (offset, hub_port) = (settings.port_offset, settings.hub_port);
    let draining = Arc::new(AtomicBool::new(false));
    let system = Arc::new(SystemWatch::new(home.root()));
    let (mut states, mut sites) = (Vec::new(), Vec::new());
    for domain in domains {
        let port = domain.spec.port.checked_add(offset).context("port_offset leads beyond port 65535")?;
        let listener = septet_server::listen(SocketAddr::new(address, port)).await?;
        let service = Service::start(service_options(settings, &home, &store, domain)?)?;
        let watched = Arc::new(Watched::new(system.clone()));
        let state = DomainState::new(service, limits(settings)?, draining.clone(), watched);
        let name = state.service.domain().name().to_owned();
        sites.push(Site { name, listener, answers: Answers::Domain(septet_server::domain(state.clone())) });
        states.push(state);
    }
    let listener = septet_server::listen(SocketAddr::new(address, hub_port.saturating_add(offset))).await?;
    sites.push(Site { name: "hub".to_owned(), listener, answers: Answers::Hub(septet_server::hub(&states)) });
    let channels = crate::workshop::channels(settings);
    let rounds = background::start(settings, &store, &states, &system, channels);
    let addresses = addresses(&sites, &states)?;
    let (shown, watched) = (Bars::new(false), states.clone());
    let announcing = tokio::spawn(async move {
        wait_until_ready(&watched, &shown).await;
        println!("{addresses}\nStop with Ctrl-C.");
    });
    septet_server::serve(sites, states, draining, settings.drain, stopped()).await?;
    announcing.abort();
    rounds.iter().for_each(tokio::task::JoinHandle::abort);
    eprintln!("stopped; every answer given is in the decision log");
    Ok(ExitCode::SUCCESS)
}

/// Shows what start-up is at, until every domain answers or has said why it cannot.
async fn wait_until_ready(states: &[Arc<DomainState>], bars: &Bars) {
    let start = Instant::now();
    let mut said = vec![String::new(); states.len()];
    loop {
        for (state, said) in states.iter().zip(&mut said) {
            let condition = state.service.condition();
            if condition.stage != *said {
                let name = state.service.domain().name();
                let line = format!("{name}: {} ({:.1} s)", condition.stage, start.elapsed().as_secs_f64());
                septet_platform::Progress::say(bars, &line);
                *said = condition.stage;
            }
        }
        if states.iter().all(|state| state.ready()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn addresses(sites: &[Site], states: &[Arc<DomainState>]) -> anyhow::Result<String> {
    let mut table = show::table(&["", "question", "address", "try it"]);
    for site in sites {
        let question = states.iter().find(|state| state.service.domain().name() == site.name);
        let question = question.map_or("all domains", |state| state.service.domain().spec.question.as_str());
        let address = site.listener.local_addr()?;
        let docs = if site.name == "hub" { String::new() } else { format!("http://{address}/docs/") };
        table.add_row(vec![site.name.clone(), question.to_owned(), format!("http://{address}"), docs]);
    }
    Ok(table.to_string())
}

/// Ends with Ctrl-C, or when a supervisor says so.
async fn stopped() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            drop(interrupted.await);
            return;
        };
        tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    drop(interrupted.await);
}

pub async fn up(settings: &Settings, names: &[String], small: bool) -> anyhow::Result<ExitCode> {
    // What would be refused later is refused before the work.
    bind(settings)?;
    for domain in chosen(settings, names)? {
        let workshop = Workshop::open(settings, domain.name()).await?;
        match workshop.changed_since_champion().await? {
            None => {}
            Some(Changed::Nothing) => continue,
            // It answers by the definition that it was made by; what is learned from is for a person to say.
            Some(changed) => {
                let name = domain.name();
                match changed {
                    Changed::Unreadable(why) => {
                        eprintln!(
                            "{name}: its champion cannot be read ({why}); `septet run {name}` trains another one"
                        );
                    }
                    Changed::Model => eprintln!(
                        "{name}: what is learned has changed since the champion was made; `septet run {name}` trains"
                    ),
                    _ => eprintln!(
                        "{name}: what is decided has changed since the champion was made; `septet run {name}` decides anew"
                    ),
                }
                continue;
            }
        }
        let bars = Bars::new(false);
        eprintln!("{}: no champion yet; running its pipeline on simulated rows", domain.name());
        let options = RunOptions { demo_small: small, ..RunOptions::default() };
        let report = septet_platform::start(workshop.run(options, new_run_id(), false, &bars), false).await?;
        show::run_report(&report);
    }
    serve(settings, names).await
}

pub async fn replay(settings: &Settings, domain: &str, request_id: &str, json: bool) -> anyhow::Result<ExitCode> {
    let domain = Arc::new(domains_of(settings)?.load(domain)?);
    let home = Home::open(&settings.home)?;
    let store = Arc::new(Store::open(&home.store_file(), settings.database_url.as_deref()).await?);
    septet_platform::use_threads(settings.threads);
    let options = service_options(settings, &home, &store, domain)?;
    let (runtime, id) = (tokio::runtime::Handle::current(), request_id.to_owned());
    let work = move || septet_platform::serve::replay(&options, &runtime, &id);
    let replayed = tokio::task::spawn_blocking(work).await??;
    if json {
        println!("{}", serde_json::to_string(&replayed)?);
    } else {
        println!("request {} by version {}, windows of run {}", replayed.request_id, replayed.version, replayed.run_id);
        println!("{}", serde_json::to_string_pretty(&replayed.answer)?);
        let word = |equal: bool| if equal { "equal to the bit" } else { "DIFFERENT" };
        println!("features: {}\nanswer:   {}", word(replayed.features_equal), word(replayed.answer_equal));
        for (feature, logged, again) in &replayed.different_features {
            println!("  {feature}: {logged} then, {again} now");
        }
    }
    Ok(if replayed.equal { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
