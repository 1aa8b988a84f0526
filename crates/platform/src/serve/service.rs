//! A domain that answers: it loads the champion, rebuilds the windows from history and log, starts the engine, and takes
//! over a new champion without a pause. Everything HTTP does is a call of this; it knows no HTTP.

use crate::error::arrow_error;
use crate::inputs::contract::Event;
use crate::registry::CHAMPION;
use crate::registry::clock::now_micros;
use crate::registry::home::Lock;
use crate::serve::answerer::Answerer;
use crate::serve::engine::{Message, Takeover, run};
use crate::serve::keys::key_hash;
use crate::serve::messages::{Feedback, OutcomeStatus, Refusal, Replies, RequestOptions};
use crate::serve::quality::RequestQuality;
use crate::serve::rebuild::{Rebuilding, count_logged, tables};
use crate::serve::shared::{Current, EngineSettings, ServiceOptions};
use crate::version::learned_tables::register_as_learned;
use crate::{Home, PlatformError, Store};
use septet_domain::Domain;
use septet_tables::arrow::array::{ArrayRef, RecordBatch, StringArray};
use septet_tables::arrow::datatypes::{DataType, Field, Schema};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{RwLock, mpsc, oneshot};
use tracing::{error, info, warn};

/// How often it is looked whether another version has become champion.
const CHAMPION_POLL: Duration = Duration::from_secs(1);
/// Outcomes that the engine takes in at once.
const FEEDBACK_ROWS_MAX: usize = 128;
/// Rebuilding is tried again after this long when it went wrong.
const RETRY: Duration = Duration::from_secs(5);

pub struct Service {
    options: ServiceOptions,
    messages: mpsc::Sender<Message>,
    current: Arc<Current>,
    pub quality: RequestQuality,
    started: Instant,
    ready: AtomicBool,
    stopping: AtomicBool,
    /// What start-up is at, or why there is no answer.
    stage: Mutex<String>,
    /// Reads of the published history for feedback: one at a time.
    history: tokio::sync::Mutex<()>,
    /// Feedback is refused while windows are rebuilt: a label told meanwhile would be missed.
    feedback: RwLock<()>,
    contracts: AtomicU64,
    engine: Mutex<Option<std::thread::JoinHandle<()>>>,
    _lock: Lock,
}

/// How a service is, for health pages.
#[derive(Clone, Debug)]
pub struct Condition {
    pub ready: bool,
    pub stage: String,
    pub uptime: Duration,
    pub waiting: usize,
    pub queue_max: usize,
    pub entities: usize,
    pub events: u64,
    pub batches: u64,
    /// The latest commit of the log.
    pub commit_micros: u64,
    /// Microseconds since 1970 UTC; 0 before the first event.
    pub newest_event: i64,
}

impl Service {
    /// Starts; it answers when the windows are rebuilt, which [`Service::condition`] tells.
    pub fn start(options: ServiceOptions) -> Result<Arc<Service>, PlatformError> {
        let lock = options.home.lock(&format!("{}.serve", options.domain.name()))?;
        let (sender, receiver) = mpsc::channel(options.queue_max);
        let service = Arc::new(Service {
            options,
            messages: sender,
            current: Arc::default(),
            quality: RequestQuality::default(),
            started: Instant::now(),
            ready: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            stage: Mutex::new("starting".to_owned()),
            history: tokio::sync::Mutex::new(()),
            feedback: RwLock::new(()),
            contracts: AtomicU64::new(0),
            engine: Mutex::new(None),
            _lock: lock,
        });
        tokio::spawn(service.clone().live(receiver));
        Ok(service)
    }

    pub fn domain(&self) -> &Arc<Domain> {
        &self.options.domain
    }

    pub fn home(&self) -> &Home {
        &self.options.home
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.options.store
    }

    /// The version that answers now.
    pub fn answerer(&self) -> Option<Arc<Answerer>> {
        self.current.answerer.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn ready(&self) -> bool {
        let engine_lives = !self.messages.is_closed();
        self.ready.load(Ordering::Acquire) && engine_lives && !self.current.gauges.broken.load(Ordering::Acquire)
    }

    pub fn condition(&self) -> Condition {
        let gauges = &self.current.gauges;
        Condition {
            ready: self.ready(),
            stage: self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            uptime: self.started.elapsed(),
            waiting: self.options.queue_max - self.messages.capacity(),
            queue_max: self.options.queue_max,
            entities: gauges.entities.load(Ordering::Relaxed),
            events: gauges.events.load(Ordering::Relaxed),
            batches: gauges.batches.load(Ordering::Relaxed),
            commit_micros: gauges.commit_micros.load(Ordering::Relaxed),
            newest_event: gauges.newest_event.load(Ordering::Relaxed),
        }
    }

    /// Answers events in order. Does not wait if too much waits already, unless `patient`.
    pub async fn predict(&self, events: Vec<(Event, RequestOptions)>, patient: bool) -> Result<Replies, Refusal> {
        if !self.ready() {
            return Err(Refusal::NotReady);
        }
        let (reply, answered) = oneshot::channel();
        let message = Message::Predict { events, arrived: Instant::now(), reply };
        if patient {
            self.messages.send(message).await.map_err(|_| Refusal::NotReady)?;
        } else {
            self.messages.try_send(message).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Refusal::Overloaded,
                mpsc::error::TrySendError::Closed(_) => Refusal::NotReady,
            })?;
        }
        answered.await.map_err(|_| Refusal::NotReady)
    }

    /// Takes in labels that came later; each is on disk when it is confirmed.
    pub async fn feedback(&self, told: Vec<Feedback>) -> Result<Vec<OutcomeStatus>, Refusal> {
        let Ok(_rebuilding) = self.feedback.try_read() else { return Err(Refusal::NotReady) };
        let answerer = self.answerer().filter(|_| self.ready()).ok_or(Refusal::NotReady)?;
        let keys = self.current.history_keys.read().unwrap_or_else(PoisonError::into_inner).clone();
        let wanted: Vec<String> =
            told.iter().map(|one| one.key.clone()).filter(|key| keys.contains(&key_hash(key))).collect();
        let history = self.history_events(&answerer, wanted).await.map_err(|error| {
            error!(%error, "the published history cannot be read");
            Refusal::Internal
        })?;
        let mut noted = Vec::with_capacity(told.len());
        // In pieces, so that requests are answered between them.
        for part in told.chunks(FEEDBACK_ROWS_MAX) {
            let own = part.iter().filter_map(|one| Some((one.key.clone(), history.get(&one.key)?.clone()))).collect();
            let (reply, answered) = oneshot::channel();
            let message = Message::Feedback { told: part.to_vec(), history: own, reply };
            self.messages.send(message).await.map_err(|_| Refusal::NotReady)?;
            noted.extend(answered.await.map_err(|_| Refusal::NotReady)??);
        }
        Ok(noted)
    }

    /// Rows of the published history by key.
    async fn history_events(
        &self,
        answerer: &Answerer,
        keys: Vec<String>,
    ) -> Result<HashMap<String, Event>, PlatformError> {
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let _alone = self.history.lock().await;
        let (table, input) = answerer.domain.spec.first_input();
        let engine = tables(&self.options)?;
        let folder = self.options.home.tables_folder(self.options.domain.name(), &answerer.run_id);
        register_as_learned(&engine, &answerer.domain, &folder, answerer.manifest()).await?;
        let schema = Arc::new(Schema::new(vec![Field::new("wanted_key", DataType::Utf8, false)]));
        let column: ArrayRef = Arc::new(StringArray::from(keys));
        let batch = RecordBatch::try_new(schema.clone(), vec![column]).map_err(arrow_error)?;
        engine.register_batches("wanted", schema, vec![batch])?;
        let key = input.key.get_ref();
        let sql =
            format!("SELECT * FROM \"{table}\" WHERE CAST(\"{key}\" AS VARCHAR) IN (SELECT wanted_key FROM wanted)");
        let (_, batches) = engine.query(&sql).await?;
        let mut found = HashMap::new();
        for batch in &batches {
            found.extend(answerer.contract().events_of(batch)?.into_iter().map(|event| (event.key.to_string(), event)));
        }
        Ok(found)
    }

    /// Answers no more, and waits until all that was asked before is answered and on disk.
    pub async fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.ready.store(false, Ordering::Release);
        let _ = self.messages.send(Message::Stop).await;
        let engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(engine) = engine {
            let _ = tokio::task::spawn_blocking(move || engine.join()).await;
        }
    }

    /// From the first load to the last: loads, starts the engine, then looks for another champion.
    async fn live(self: Arc<Service>, receiver: mpsc::Receiver<Message>) {
        let mut receiver = Some(receiver);
        let mut answering: Option<(String, String)> = None;
        while !self.stopping.load(Ordering::Acquire) {
            let wanted = self.wanted().await;
            let broken = self.current.gauges.broken.load(Ordering::Acquire);
            let pause = match wanted {
                Err(error) => {
                    self.say(&error.to_string());
                    RETRY
                }
                Ok(wanted) if answering.as_ref() == Some(&wanted) && !broken => CHAMPION_POLL,
                Ok(wanted) => match self.clone().take_over(&wanted, &mut receiver).await {
                    Ok(()) => {
                        answering = Some(wanted);
                        CHAMPION_POLL
                    }
                    Err(error) => {
                        error!(domain = self.options.domain.name(), %error, "the champion cannot be loaded");
                        self.say(&error.to_string());
                        RETRY
                    }
                },
            };
            tokio::time::sleep(pause).await;
        }
    }

    fn say(&self, stage: &str) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage.to_owned();
    }

    /// The champion's version and the run whose tables are published.
    async fn wanted(&self) -> Result<(String, String), PlatformError> {
        let name = self.options.domain.name();
        let champion = self.options.store.alias(name, CHAMPION).await?;
        let published = self.options.home.published(name)?;
        match (champion, published) {
            (Some(champion), Some(published)) if published.is_between(Some(&champion.version), now_micros()) => {
                Err(PlatformError::usage("tables and champion are being changed", "it takes a moment"))
            }
            (Some(champion), Some(published)) => Ok((champion.version, published.run_id)),
            _ => {
                Err(PlatformError::usage(format!("`{name}` has no champion yet"), format!("first: septet run {name}")))
            }
        }
    }

    async fn take_over(
        self: Arc<Service>,
        wanted: &(String, String),
        receiver: &mut Option<mpsc::Receiver<Message>>,
    ) -> Result<(), PlatformError> {
        let _no_feedback = self.feedback.write().await;
        let start = Instant::now();
        let (service, own) = (self.clone(), wanted.clone());
        let runtime = tokio::runtime::Handle::current();
        let work = move || {
            let number = service.contracts.fetch_add(1, Ordering::Relaxed) + 1;
            let log = runtime.block_on(service.options.log.open(service.options.domain.name()))?;
            let upto = log.last_sequence()?;
            let labels = log.outcomes(i64::MAX)?;
            let rebuilding = Rebuilding { options: &service.options, version: &own.0, run_id: &own.1, number };
            let mut loaded = runtime.block_on(rebuilding.loaded_from_history(&labels, &|stage| service.say(stage)))?;
            service.say("counting what was answered before");
            count_logged(&mut loaded, &log, upto, &labels)?;
            Ok::<_, PlatformError>((loaded, log))
        };
        let (loaded, log) =
            tokio::task::spawn_blocking(work).await.map_err(|error| arrow_error(error.to_string()))??;
        let reader = self.options.log.open(self.options.domain.name()).await?;
        match receiver.take() {
            Some(receiver) => {
                let settings = EngineSettings {
                    clock_skew_max_micros: self.options.clock_skew_max_micros,
                    log_after: self.options.log_after,
                };
                let current = self.current.clone();
                let engine = std::thread::Builder::new().name(format!("{}-engine", self.options.domain.name()));
                let engine = engine
                    .spawn(move || run(loaded, reader, log, settings, current, receiver))
                    .map_err(|error| arrow_error(error.to_string()))?;
                *self.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine);
                // The engine shows itself before it takes the first message.
                while self.answerer().is_none() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            None => {
                let (done, swapped) = oneshot::channel();
                let message = Message::Swap { next: Box::new(Takeover { loaded, reader, log }), done };
                self.messages.send(message).await.map_err(|_| arrow_error("the engine has ended"))?;
                if !swapped.await.unwrap_or(false) {
                    return Err(arrow_error("the rebuilt windows could not be taken over"));
                }
            }
        }
        let notes = self.answerer().map(|answerer| answerer.notes.clone()).unwrap_or_default();
        notes.iter().for_each(|note| warn!(domain = self.options.domain.name(), "{note}"));
        self.say("answering");
        self.ready.store(!self.stopping.load(Ordering::Acquire), Ordering::Release);
        let seconds = start.elapsed().as_secs_f64();
        info!(domain = self.options.domain.name(), version = %wanted.0, seconds, "a version answers");
        Ok(())
    }
}
