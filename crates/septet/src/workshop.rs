//! What commands on a domain work with, opened once: its home, store and definition, and where its alerts go.

use crate::bars::Bars;
use crate::settings::Settings;
use anyhow::Context;
use septet_domain::{Domain, Domains};
use septet_grade::Subject;
use septet_platform::alerts::{Channels, Mail, deliver, reconcile, reconcile_findings};
use septet_platform::monitor::{MonitorOptions, MonitoringReport};
use septet_platform::serve::LogPlace;
use septet_platform::{CHAMPION, Home, Kept, PlatformError, Run, RunOptions, Scorer, Store, check_domain};
use septet_tables::{Engine, EngineSettings};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// The folder that `septet new` writes to without `--domains`, and that is looked into without it.
pub const OWN_DOMAINS: &str = "domains";

/// The built-in ones and those of `--domains`, or without it those of `./domains` that bear no built-in name.
pub fn domains_of(settings: &Settings) -> anyhow::Result<Domains> {
    let found = Domains::find(settings.domains.as_deref())?;
    Ok(match settings.domains {
        Some(_) => found,
        None => found.with_more(Path::new(OWN_DOMAINS)),
    })
}

pub fn engine(settings: &Settings, home: &Home) -> anyhow::Result<Engine> {
    let settings = EngineSettings { memory_max: settings.memory_max, spill_folder: home.spill_folder(), partitions: 1 };
    Ok(Engine::new(&settings)?)
}

/// An engine for what leaves nothing behind, with the folder that it spills to: its own, gone when it is dropped.
pub fn engine_in_passing(settings: &Settings, partitions: usize) -> anyhow::Result<(Engine, tempfile::TempDir)> {
    let folder = tempfile::Builder::new().prefix("septet-").tempdir().context("the folder for temporary files")?;
    let spill_folder = folder.path().to_owned();
    let settings = EngineSettings { memory_max: settings.memory_max, spill_folder, partitions };
    Ok((Engine::new(&settings)?, folder))
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
    pub home: Home,
    pub store: Store,
    pub domain: Domain,
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

    /// What `septet grade` grades.
    pub async fn subject(&self, settings: &Settings) -> anyhow::Result<Subject> {
        let monitor = MonitorOptions { rehearsal: true, ..self.looking(settings).await? };
        Ok(Subject { monitor, program: std::env::current_exe()?, threads: self.threads })
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
        record(settings, &looking.store, &found).await?;
        Ok(Some(found))
    }

    /// An alert where a run was stopped because it holds less than what is in force; its end where one was not.
    pub async fn tell_of_run<T>(&self, settings: &Settings, result: &Result<T, PlatformError>) -> anyhow::Result<()> {
        let name = self.domain.name();
        let found = match result {
            Ok(_) => Vec::new(),
            Err(PlatformError::HoldsLess { run_id, in_force, what, .. }) => {
                vec![septet_platform::alerts::stopped_run(run_id, in_force, what)]
            }
            Err(_) => return Ok(()),
        };
        let channels = channels(settings);
        let watches = HashSet::from([septet_platform::alerts::STOPPED_RUN.to_owned()]);
        reconcile_findings(&self.store, name, &found, &watches, &channels).await?;
        deliver(&self.store, &channels).await?;
        Ok(())
    }

    pub fn run<'a>(&'a self, options: RunOptions, run_id: String, accept: bool, bars: &'a Bars) -> Run<'a> {
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
            accept,
            refresh: false,
            kept: Kept::default(),
        }
    }
}

/// Where a domain's decision log is.
pub fn log_place(settings: &Settings, home: &Home, domain: &str) -> LogPlace {
    match settings.database_url.as_deref() {
        Some(url) => LogPlace::Url(url.to_owned()),
        None => LogPlace::File(home.decisions_file(domain)),
    }
}

/// Where alerts are sent, by the settings.
pub fn channels(settings: &Settings) -> Channels {
    let to = settings.alert_to.clone();
    let mail = settings.alert_smtp.clone().filter(|_| !to.is_empty());
    Channels {
        webhook: settings.alert_webhook.clone(),
        mail: mail.map(|url| Mail { url, from: settings.alert_from.clone(), to }),
    }
}

/// Brings the alerts to what was found, and sends what is due.
pub async fn record(settings: &Settings, store: &Store, found: &MonitoringReport) -> anyhow::Result<()> {
    let channels = channels(settings);
    reconcile(store, found, &channels).await?;
    deliver(store, &channels).await?;
    Ok(())
}
