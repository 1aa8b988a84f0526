//! A domain's engine: one thread that owns the live windows and answers what waits in small batches; what it answers goes
//! to the writer of the decision log. Batches share the fixed cost of compiled expressions and of a commit; under light load a batch is one.

use crate::PlatformError;
use crate::inputs::contract::Event;
use crate::registry::clock::now_micros;
use crate::registry::ids::fresh_id;
use crate::serve::answerer::Answerer;
use crate::serve::keys::key_hash;
use crate::serve::log::DecisionLog;
use crate::serve::log_rows::{Decision, Outcome};
use crate::serve::messages::{Answered, Feedback, OutcomeStatus, Refusal, Replies, Reply, RequestOptions, Timing};
use crate::serve::rebuild::{Loaded, catch_up, label_cell};
use crate::serve::repeats::{Admission, Asked, Recent, Rows};
use crate::serve::shared::{Current, EngineSettings};
use crate::serve::writer::{Batch, Order, Waiting, micros, write};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, RwLock};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tracing::error;

/// Events answered together at the most: beyond it a larger batch gains nothing and its first event waits longer.
const BATCH_EVENTS_MAX: usize = 128;
/// Batches between the engine and the writer.
const BATCHES_WAITING_MAX: usize = 4;
/// Batches after which entities without a living event are forgotten.
const BATCHES_PER_CLEANING: u64 = 4_096;

/// What goes into the log and what is replied, one an event, and the time that the batch took.
type Recorded = (Vec<Decision>, Vec<Arc<Answered>>, Timing);

pub enum Message {
    Predict {
        events: Vec<(Event, RequestOptions)>,
        arrived: Instant,
        reply: oneshot::Sender<Replies>,
    },
    Feedback {
        told: Vec<Feedback>,
        history: HashMap<String, Event>,
        reply: oneshot::Sender<Result<Vec<OutcomeStatus>, Refusal>>,
    },
    /// Another version or rebuilt windows, with connections to the log of its own: the old ones may be what broke.
    Swap {
        next: Box<Takeover>,
        done: oneshot::Sender<bool>,
    },
    /// Everything sent before it is answered; then the engine ends.
    Stop,
}

/// What the engine goes on with.
pub struct Takeover {
    pub loaded: Loaded,
    pub reader: DecisionLog,
    pub log: DecisionLog,
}

struct EngineState {
    loaded: Loaded,
    reader: DecisionLog,
    writer: SyncSender<Batch>,
    recent: Recent,
    settings: EngineSettings,
    current: Arc<Current>,
}

/// Runs until it is told to stop, or nobody is left to tell it.
pub fn run(
    loaded: Loaded,
    reader: DecisionLog,
    log: DecisionLog,
    settings: EngineSettings,
    current: Arc<Current>,
    mut messages: mpsc::Receiver<Message>,
) {
    let (writer, batches) = sync_channel(BATCHES_WAITING_MAX);
    let (log_after, watched) = (settings.log_after, current.clone());
    let writing = std::thread::spawn(move || write(log, &batches, log_after, &watched));
    let mut state = EngineState { loaded, reader, writer, recent: Recent::default(), settings, current };
    state.show();
    let mut waiting = None;
    while let Some(message) = waiting.take().or_else(|| messages.blocking_recv()) {
        match message {
            Message::Predict { events, arrived, reply } => {
                let mut size = events.len();
                let mut jobs = vec![Job { events, arrived, reply }];
                while size < BATCH_EVENTS_MAX {
                    match messages.try_recv() {
                        Ok(Message::Predict { events, arrived, reply }) => {
                            size += events.len();
                            jobs.push(Job { events, arrived, reply });
                        }
                        Ok(other) => {
                            waiting = Some(other);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                state.predict(jobs);
            }
            Message::Feedback { told, history, reply } => state.feedback(told, &history, reply),
            Message::Swap { next, done } => {
                let Takeover { loaded, reader, log } = *next;
                let swapped = state.swap(loaded, reader, log);
                let _ = done.send(swapped);
            }
            Message::Stop => break,
        }
    }
    drop(state);
    let _ = writing.join();
}

struct Job {
    events: Vec<(Event, RequestOptions)>,
    arrived: Instant,
    reply: oneshot::Sender<Replies>,
}

impl EngineState {
    fn predict(&mut self, jobs: Vec<Job>) {
        let start = Instant::now();
        let broken = self.current.gauges.broken.load(Ordering::Acquire);
        let mut rows = Rows::default();
        let mut fates: Vec<Vec<Admission>> = Vec::with_capacity(jobs.len());
        let mut waiting = Vec::with_capacity(jobs.len());
        for job in jobs {
            let mut own = Vec::with_capacity(job.events.len());
            for (event, wish) in job.events {
                own.push(if broken {
                    Admission::Refused(Refusal::NotReady)
                } else {
                    self.admit(event, wish, &mut rows)
                });
            }
            fates.push(own);
            waiting.push((job.arrived, job.reply));
        }
        let rows = rows.events;
        let answered = if rows.is_empty() { Ok(Recorded::default()) } else { self.answer(&rows) };
        let (decisions, answered, timing) = match answered {
            Ok(recorded) => recorded,
            Err(error) => {
                error!(
                    domain = self.loaded.answerer.domain.name(),
                    "a batch could not be answered: {}",
                    without_values(&error)
                );
                // The windows may have counted it, the log has not.
                self.current.gauges.broken.store(true, Ordering::Release);
                fates.iter_mut().flatten().for_each(|fate| *fate = Admission::Refused(Refusal::ModelFailed));
                Recorded::default()
            }
        };
        let reply = |fate: Admission, arrived: Instant| match fate {
            Admission::Refused(refusal) => Err(refusal),
            Admission::Repeated(answered) => Ok(Reply { answered, timing: Timing::default(), repeated: true }),
            Admission::RepeatsRow(row) => Ok(Reply { answered: answered[row].clone(), timing, repeated: true }),
            Admission::Row(row) => {
                let waited = start.saturating_duration_since(arrived).as_micros().min(u128::from(u32::MAX)) as u32;
                Ok(Reply { answered: answered[row].clone(), timing: Timing { waited, ..timing }, repeated: false })
            }
        };
        let waiting = fates
            .into_iter()
            .zip(waiting)
            .map(|(fates, (arrived, sender))| Waiting::Predict {
                replies: fates.into_iter().map(|fate| reply(fate, arrived)).collect(),
                reply: sender,
            })
            .collect();
        self.send(Batch { decisions, waiting, ..Batch::default() });
        // Where the writer waits for this core, it begins now: the disk then works while the next batch is answered.
        std::thread::yield_now();
        let gauges = &self.current.gauges;
        if gauges.batches.load(Ordering::Relaxed).is_multiple_of(BATCHES_PER_CLEANING) {
            let newest = gauges.newest_event.load(Ordering::Relaxed);
            self.loaded.live.forget_idle(newest);
            gauges.entities.store(self.loaded.live.entities(), Ordering::Relaxed);
        }
        gauges.batches.fetch_add(1, Ordering::Relaxed);
        gauges.events.fetch_add(rows.len() as u64, Ordering::Relaxed);
    }

    /// Whether the event is to be answered anew; then it becomes a row.
    fn admit(&mut self, event: Event, wish: RequestOptions, rows: &mut Rows) -> Admission {
        let ahead = event.time - now_micros();
        if ahead > self.settings.clock_skew_max_micros {
            return Admission::Refused(Refusal::Future { ahead_seconds: ahead / 1_000_000 });
        }
        let event = match event.contract == self.loaded.answerer.contract().number {
            true => event,
            // A newer version's contract took over while it waited.
            false => match serde_json::from_str(&event.input)
                .ok()
                .and_then(|value: Value| self.loaded.answerer.contract().read(&value, event.input.clone(), "").ok())
            {
                Some(event) => event,
                None => return Admission::Refused(Refusal::NotReady),
            },
        };
        let Loaded { answerer, logged_keys, .. } = &self.loaded;
        let asked = Asked { contract: answerer.contract(), recent: &self.recent, logged_keys, reader: &self.reader };
        asked.admit(event, wish, rows).unwrap_or_else(|error| {
            error!(%error, "the decision log cannot be read");
            // The rebuild comes with new connections.
            self.current.gauges.broken.store(true, Ordering::Release);
            Admission::Refused(Refusal::LogUnavailable)
        })
    }

    fn answer(&mut self, rows: &[(Event, RequestOptions)]) -> Result<Recorded, PlatformError> {
        let start = Instant::now();
        let answerer = self.loaded.answerer.clone();
        let events: Vec<&Event> = rows.iter().map(|(event, _)| event).collect();
        let batch = answerer.contract().batch(&events)?;
        let times: Vec<i64> = events.iter().map(|event| event.time).collect();
        let known: Vec<bool> =
            events.iter().map(|event| self.loaded.history_keys.contains(&key_hash(&event.key))).collect();
        let before = self.current.gauges.newest_event.load(Ordering::Relaxed);
        let windows = self.loaded.live.answer(&batch, &times, &known)?;
        let features = answerer.features_of(&events, &batch, windows)?;
        let made = Instant::now();
        let scored = answerer.score(&batch, features)?;
        if let Some(live) = &answerer.live_features {
            live.count(scored.iter().map(|scored| (scored.features.as_slice(), scored.probability)));
        }
        let modelled = Instant::now();
        let newest = times.iter().copied().max().unwrap_or(0);
        self.current.gauges.newest_event.fetch_max(newest, Ordering::Relaxed);
        let answered_at = now_micros();
        let version: Arc<str> = answerer.manifest().version.as_str().into();
        let run_id: Arc<str> = answerer.run_id.as_str().into();
        let (mut decisions, mut answers) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (((event, wish), scored), known) in rows.iter().zip(&scored).zip(&known) {
            let request_id: Arc<str> = Arc::from(&*fresh_id().hyphenated().encode_lower(&mut [0; 36]));
            let mut warnings = Vec::new();
            if *known {
                warnings.push(KNOWN_WARNING.to_owned());
            }
            if event.time < before - LATENESS_MICROS {
                warnings.push(LATE_WARNING.to_owned());
            }
            let text: Arc<str> = answerer.reply(scored, &request_id, wish.explain_fully, warnings)?.into();
            decisions.push(Decision {
                sequence: 0,
                request_id: request_id.clone(),
                key: event.key.clone(),
                idempotency_key: wish.idempotency_key.clone(),
                trace_id: wish.trace_id.clone(),
                event_time: event.time,
                answered_at,
                version: version.clone(),
                run_id: run_id.clone(),
                input: event.input.clone(),
                features: answerer.features_text(scored)?,
                probability: scored.probability,
                action: scored.action.clone(),
                answer: text.clone(),
            });
            let answered =
                Answered { request_id, text, action: scored.action.clone(), probability: scored.probability };
            answers.push(Arc::new(answered));
        }
        let timing = Timing {
            features: made.duration_since(start).as_micros() as u32,
            model: modelled.duration_since(made).as_micros() as u32,
            explain: micros(modelled),
            ..Timing::default()
        };
        for ((event, wish), answered) in rows.iter().zip(&answers) {
            self.loaded.logged_keys.insert(key_hash(&event.key));
            self.recent.remember_answer(event, wish, answered);
        }
        Ok((decisions, answers, timing))
    }

    fn feedback(
        &mut self,
        told: Vec<Feedback>,
        history: &HashMap<String, Event>,
        reply: oneshot::Sender<Result<Vec<OutcomeStatus>, Refusal>>,
    ) {
        let (mut noted, mut outcomes) = (Vec::with_capacity(told.len()), Vec::new());
        if self.current.gauges.broken.load(Ordering::Acquire) {
            let _ = reply.send(Err(Refusal::NotReady));
            return;
        }
        for one in told {
            match self.note(&one, history) {
                Ok((state, outcome)) => {
                    if outcome.is_some() {
                        self.recent.remember_outcome((one.key, one.label), one.value);
                    }
                    noted.push(state);
                    outcomes.extend(outcome);
                }
                Err(error) => {
                    error!("an outcome could not be taken in: {}", without_values(&error));
                    self.current.gauges.broken.store(true, Ordering::Release);
                    let _ = reply.send(Err(Refusal::Internal));
                    return;
                }
            }
        }
        let waiting = vec![Waiting::Feedback { noted, reply }];
        self.send(Batch { outcomes, waiting, ..Batch::default() });
    }

    fn send(&self, batch: Batch) {
        if self.writer.send(batch).is_err() {
            error!("the writer of the decision log has ended");
            self.current.gauges.broken.store(true, Ordering::Release);
        }
    }

    fn note(
        &mut self,
        told: &Feedback,
        history: &HashMap<String, Event>,
    ) -> Result<(OutcomeStatus, Option<Outcome>), PlatformError> {
        let answerer = self.loaded.answerer.clone();
        let label = &answerer.contract().columns[told.label];
        let Some(event) = self.event_of(&told.key, history)? else { return Ok((OutcomeStatus::Unknown, None)) };
        let before = match self.recent.outcomes.get(&(told.key.clone(), told.label)) {
            Some(cell) => Some(cell.clone()),
            None => self.reader.outcome(&told.key, &label.name)?.map(|text| label_cell(label, &text)),
        };
        let before = before.unwrap_or_else(|| event.cells[told.label].clone());
        if before == told.value {
            return Ok((OutcomeStatus::Unchanged, None));
        }
        let (old, new) = (
            answerer.contract().with_label(&event, told.label, before),
            answerer.contract().with_label(&event, told.label, told.value.clone()),
        );
        self.loaded.live.amend(
            &answerer.contract().batch(&[&old])?,
            &answerer.contract().batch(&[&new])?,
            event.time,
        )?;
        let outcome = Outcome {
            key: told.key.clone(),
            label: label.name.clone(),
            value: told.text.clone(),
            told_at: now_micros(),
        };
        Ok((OutcomeStatus::Recorded, Some(outcome)))
    }

    fn event_of(&self, key: &str, history: &HashMap<String, Event>) -> Result<Option<Event>, PlatformError> {
        if let Some(event) = history.get(key) {
            return Ok(Some(event.clone()));
        }
        let contract = self.loaded.answerer.contract();
        let input = match self.recent.answers.get(key) {
            Some((_, input)) => Some(input.clone()),
            None => self.reader.by_key(key)?.map(|found| found.input),
        };
        let Some(input) = input else { return Ok(None) };
        let value: Value = serde_json::from_str(&input).map_err(crate::error::arrow_error)?;
        Ok(contract.read(&value, input, "").ok())
    }

    /// Waits until everything sent to the writer is on disk, and this with it.
    fn flush(&self, last: impl FnOnce(SyncSender<()>) -> Order) {
        let (done, waiting) = sync_channel(1);
        let batch = Batch { orders: vec![last(done)], ..Batch::default() };
        if self.writer.send(batch).is_ok() {
            let _ = waiting.recv();
        }
    }

    /// Takes over another version and the windows rebuilt for it, after what was answered meanwhile is counted in them.
    fn swap(&mut self, mut loaded: Loaded, reader: DecisionLog, log: DecisionLog) -> bool {
        self.flush(Order::Flush);
        if let Err(error) = catch_up(&mut loaded, &reader) {
            error!(%error, "the rebuilt windows could not be brought up to now");
            return false;
        }
        self.flush(|done| Order::NewLog(Box::new(log), done));
        self.reader = reader;
        self.recent = Recent::default();
        self.loaded = loaded;
        self.current.gauges.broken.store(false, Ordering::Release);
        self.show();
        true
    }

    /// Tells the rest of the service which version answers.
    fn show(&self) {
        let put = |slot: &RwLock<Option<Arc<Answerer>>>| {
            *slot.write().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(self.loaded.answerer.clone());
        };
        put(&self.current.answerer);
        *self.current.history_keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
            self.loaded.history_keys.clone();
        self.current.gauges.entities.store(self.loaded.live.entities(), Ordering::Relaxed);
    }
}

/// Windows keep a day more than they need.
const LATENESS_MICROS: i64 = 86_400_000_000;
const LATE_WARNING: &str = "this event is more than a day behind the newest: windows may lack what was forgotten since";
const KNOWN_WARNING: &str =
    "this event is in the published history already: it is answered from it and not counted again";

/// An error's kind without what it quotes: it may be personal.
fn without_values(error: &PlatformError) -> &'static str {
    match error {
        PlatformError::Tables(_) => {
            "an expression of the domain failed on its values (features.sql, a rule, answer.sql)"
        }
        PlatformError::Store(_) => "the decision log failed",
        _ => "the model failed",
    }
}
