//! Background work while services answer: it looks at the machine every few seconds, at each domain when its tables or its champion
//! have changed and on its schedule. A look is a process of its own, so that its memory is gone when it ends and its fall
//! takes nobody with it.

use crate::settings::Settings;
use septet_platform::alerts::{Channels, SYSTEM, deliver, reconcile_findings};
use septet_platform::monitor::{SystemWatch, next_in};
use septet_platform::{CHAMPION, Store};
use septet_server::DomainState;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tracing::{error, info};

/// Between two samples of the machine, and between two tries to send what waits.
const SAMPLE: Duration = Duration::from_secs(15);
const DELIVERY: Duration = Duration::from_secs(5);
/// Between two questions whether something to look at has changed.
const POLL: Duration = Duration::from_secs(2);
/// A look that is due waits for a pause between requests, and no longer than this: a service that was started again amid
/// them has something better to do.
const PAUSE_WAIT_MAX: Duration = Duration::from_secs(60);
/// A look that takes longer is given up.
const LOOK_MAX: Duration = Duration::from_secs(900);
/// What makes a process the least pressing: the first gives a core up at once to whoever wakes (Linux, SCHED_IDLE), the
/// second within some milliseconds.
const YIELDING: [&[&str]; 2] = [&["chrt", "--idle", "0"], &["nice", "-n", "19"]];

/// Starts looking; the tasks end when they are aborted.
pub fn start(
    settings: &Settings,
    store: &Arc<Store>,
    states: &[Arc<DomainState>],
    system: &Arc<SystemWatch>,
    channels: Channels,
) -> Vec<JoinHandle<()>> {
    let arguments = flags(settings);
    let looks = states.iter().map(|state| tokio::spawn(domain(state.clone(), store.clone(), arguments.clone())));
    let mut tasks: Vec<JoinHandle<()>> = looks.collect();
    tasks.push(tokio::spawn(machine(states.to_vec(), store.clone(), system.clone(), channels.clone())));
    tasks.push(tokio::spawn(post(store.clone(), channels)));
    tasks
}

/// What a process of our own needs to find the same home and domains; the rest it reads where we did.
fn flags(settings: &Settings) -> Vec<String> {
    let mut flags = vec!["--home".to_owned(), settings.home.display().to_string()];
    if let Some(domains) = &settings.domains {
        flags.extend(["--domains".to_owned(), domains.display().to_string()]);
    }
    flags
}

async fn post(store: Arc<Store>, channels: Channels) {
    loop {
        if let Err(error) = deliver(&store, &channels).await {
            error!(%error, "alerts cannot be sent: the store does not answer");
        }
        tokio::time::sleep(DELIVERY).await;
    }
}

async fn machine(states: Vec<Arc<DomainState>>, store: Arc<Store>, system: Arc<SystemWatch>, channels: Channels) {
    loop {
        let asleep = Instant::now();
        tokio::time::sleep(SAMPLE).await;
        let lag_ms = asleep.elapsed().saturating_sub(SAMPLE).as_secs_f64() * 1e3;
        let conditions: Vec<_> = states.iter().map(|state| state.service.condition()).collect();
        let queue = conditions.iter().map(|c| c.waiting as f64 / c.queue_max.max(1) as f64).fold(0.0, f64::max);
        let commit_ms = conditions.iter().map(|c| c.commit_micros as f64 / 1e3).fold(0.0, f64::max);
        system.sample(queue, lag_ms, commit_ms);
        let (found, watches) = (system.findings(), SystemWatch::names());
        if let Err(error) = reconcile_findings(&store, SYSTEM, &found, &watches, &channels).await {
            error!(%error, "alerts of the machine cannot be recorded");
        }
    }
}

async fn domain(state: Arc<DomainState>, store: Arc<Store>, flags: Vec<String>) {
    let name = state.service.domain().name().to_owned();
    let (mut looked_at, mut due, mut waits_since, mut answered) = (None, None, None, 0);
    loop {
        tokio::time::sleep(POLL).await;
        if !state.ready() {
            continue;
        }
        let before = std::mem::replace(&mut answered, state.service.condition().events);
        let champion = store.alias(&name, CHAMPION).await.ok().flatten().map(|alias| alias.version);
        let published = state.service.home().published(&name).ok().flatten().map(|published| published.run_id);
        let seen = Some((champion, published));
        let scheduled = due.is_some_and(|due: Instant| Instant::now() >= due);
        if seen == looked_at && !scheduled {
            continue;
        }
        let waits = waits_since.get_or_insert_with(Instant::now).elapsed();
        if answered != before && waits < PAUSE_WAIT_MAX {
            continue;
        }
        waits_since = None;
        let start = Instant::now();
        let look = tokio::time::timeout(LOOK_MAX, look(&name, state.service.home().root(), &flags)).await;
        let look = look.unwrap_or_else(|_| Err(format!("the look took longer than {} s", LOOK_MAX.as_secs())));
        match &look {
            Ok(_) => info!(domain = name, seconds = start.elapsed().as_secs_f64(), "looked at what was observed"),
            Err(trouble) => error!(domain = name, %trouble, "what was observed could not be looked at"),
        }
        state.watched.put(look);
        looked_at = seen;
        due = next_in(state.service.domain()).map(|wait| Instant::now() + wait);
    }
}

/// A process that does not outlive whoever waits for it.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The program where it takes only what time answering leaves, as far as the machine knows how.
fn behind(program: &Path) -> Command {
    static KNOWN: OnceLock<Option<&[&str]>> = OnceLock::new();
    let works = |words: &&&[&str]| {
        let mut trial = Command::new(words[0]);
        trial.args(&words[1..]).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    };
    let Some([first, others @ ..]) = KNOWN.get_or_init(|| YIELDING.iter().find(works).copied()) else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(others).arg(program);
    command
}

/// One look, by `septet monitor`; its answer lies in the home folder until the next one.
async fn look(domain: &str, home: &Path, flags: &[String]) -> Result<serde_json::Value, String> {
    let told = |error: std::io::Error| error.to_string();
    let folder = home.join("looks");
    std::fs::create_dir_all(&folder).map_err(told)?;
    let (answer, said) = (folder.join(format!("{domain}.json")), folder.join(format!("{domain}.log")));
    let program = std::env::current_exe().map_err(told)?;
    let mut command = behind(&program);
    command.args(flags).args(["--json", "monitor", domain]).stdin(Stdio::null());
    command.stdout(File::create(&answer).map_err(told)?).stderr(File::create(&said).map_err(told)?);
    let mut running = Running(command.spawn().map_err(told)?);
    let status = loop {
        match running.0.try_wait().map_err(told)? {
            Some(status) => break status,
            None => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    if !status.success() {
        let said = std::fs::read_to_string(&said).unwrap_or_default();
        return Err(said.lines().last().unwrap_or("it ended without a word").to_owned());
    }
    let answer = std::fs::read(&answer).map_err(told)?;
    serde_json::from_slice(&answer).map_err(|error| format!("its answer is not JSON: {error}"))
}
