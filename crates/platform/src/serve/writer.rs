//! Writes the decision log: all that waits goes into one transaction, and whoever asked hears of it when that is on disk.
//! What SQLite's write-ahead log holds is moved into the database by a thread beside, so that no commit waits for it.

use crate::PlatformError;
use crate::serve::engine::Current;
use crate::serve::log::{Decision, DecisionLog, Outcome, WriteAhead};
use crate::serve::words::{Noted, Refusal, Replies};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::oneshot;
use tracing::{error, warn};

/// Bytes written before the write-ahead log is moved into the database.
const MOVE_BYTES: usize = 4 << 20;
/// Of the write-ahead log, before the writer itself moves the rest: only between two commits can it begin anew.
const WRITE_AHEAD_BYTES_MAX: usize = 64 << 20;
/// What is written while one pass moves is left to the next.
const PASSES_MAX: usize = 3;
/// Of one outcome in the log and its indices, about.
const OUTCOME_BYTES: usize = 200;

/// What one commit writes and whom it concerns.
pub struct Batch {
    pub decisions: Vec<Decision>,
    pub outcomes: Vec<Outcome>,
    pub waiting: Vec<Waiting>,
}

pub enum Waiting {
    Predict {
        replies: Replies,
        reply: oneshot::Sender<Replies>,
    },
    Feedback {
        noted: Vec<Noted>,
        reply: oneshot::Sender<Result<Vec<Noted>, Refusal>>,
    },
    Flush(SyncSender<()>),
    /// From here on, by this connection.
    NewLog(Box<DecisionLog>, SyncSender<()>),
}

/// Commits batch after batch until nobody is left to send one.
pub fn write(mut log: DecisionLog, batches: &Receiver<Batch>, log_after: bool, current: &Current) {
    let mover = Mover::start(&log);
    let mut unmoved = 0;
    while let Ok(mut batch) = batches.recv() {
        while let Ok(next) = batches.try_recv() {
            batch.decisions.extend(next.decisions);
            batch.outcomes.extend(next.outcomes);
            batch.waiting.extend(next.waiting);
        }
        let start = Instant::now();
        let mut waiting = std::mem::take(&mut batch.waiting);
        // What follows a failed commit may repeat what it did not write: nothing is confirmed before the rebuild.
        let broken = current.gauges.broken.load(Ordering::Acquire);
        if log_after && !broken {
            answer_predictions(&mut waiting, 0);
        }
        let empty = batch.decisions.is_empty() && batch.outcomes.is_empty();
        let written = match (broken, empty) {
            (true, _) => Err(PlatformError::Store("waits for a rebuild".to_owned())),
            (false, true) => Ok(()),
            (false, false) => log.append(&batch.decisions, &batch.outcomes),
        };
        unmoved += batch.decisions.iter().map(|d| d.input.len() + d.features.len() + 2 * d.answer.len()).sum::<usize>();
        unmoved += batch.outcomes.len() * OUTCOME_BYTES;
        match written {
            Ok(()) => {
                current.gauges.commit_micros.store(u64::from(micros(start)), Ordering::Relaxed);
                answer_predictions(&mut waiting, micros(start));
                waiting.into_iter().for_each(|waiting| waiting.confirm(&mut log));
            }
            Err(error) => {
                if !broken {
                    error!(%error, "the decision log cannot be written; the service answers no more until it can");
                }
                // Windows count what the log does not hold: they are rebuilt before anybody is answered again.
                current.gauges.broken.store(true, Ordering::Release);
                waiting.into_iter().for_each(|waiting| waiting.refuse(&mut log));
            }
        }
        if unmoved >= MOVE_BYTES {
            unmoved = 0;
            mover.nudge(&log);
        }
        mover.begin_anew_if_due(&log);
    }
}

/// Moves SQLite's write-ahead log into its database, beside the writer and with a connection of its own.
struct Mover {
    /// None when it ends.
    nudges: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Bytes of the write-ahead log when the thread beside had moved it last.
    write_ahead: Arc<AtomicUsize>,
}

impl Mover {
    fn start(log: &DecisionLog) -> Mover {
        let write_ahead = Arc::new(AtomicUsize::new(0));
        let beside = log.beside().inspect_err(
            |error| warn!(%error, "the decision log cannot be opened twice; commits wait while it is moved"),
        );
        let Ok(Some((own, file))) = beside else { return Mover { nudges: None, thread: None, write_ahead } };
        let ((nudges, nudged), seen) = (sync_channel::<()>(1), write_ahead.clone());
        let work = move || nudged.iter().for_each(|()| move_beside(&own, &file, &seen));
        Mover { nudges: Some(nudges), thread: Some(std::thread::spawn(work)), write_ahead }
    }

    /// Does not wait for the thread beside; where there is none, moves.
    fn nudge(&self, log: &DecisionLog) {
        match &self.nudges {
            // It is at it, or will be.
            Some(nudges) => drop(nudges.try_send(())),
            None => drop(moved(log)),
        }
    }

    /// Only between two commits can nothing be left to move: once the write-ahead log is long, the writer moves the little
    /// that the thread beside has just left, and the next commit begins it anew.
    fn begin_anew_if_due(&self, log: &DecisionLog) {
        if self.write_ahead.load(Ordering::Relaxed) >= WRITE_AHEAD_BYTES_MAX && moved(log).is_some() {
            self.write_ahead.store(0, Ordering::Relaxed);
        }
    }
}

impl Drop for Mover {
    /// Its file is closed before anybody else opens the log in this process.
    fn drop(&mut self) {
        self.nudges = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Moves, and has the system write what was moved: else the writer would wait for all of it in the end.
fn move_beside(log: &DecisionLog, file: &File, seen: &AtomicUsize) {
    for _ in 0..PASSES_MAX {
        let Some(WriteAhead { all, unmoved }) = moved(log) else { return };
        if let Err(error) = file.sync_data() {
            return warn!(%error, "the decision log's database could not be written");
        }
        seen.store(all, Ordering::Relaxed);
        if unmoved <= MOVE_BYTES / 4 {
            return;
        }
    }
}

fn moved(log: &DecisionLog) -> Option<WriteAhead> {
    let moved = log.checkpoint().inspect_err(|error| warn!(%error, "the decision log could not be moved"));
    moved.ok().flatten()
}

fn answer_predictions(waiting: &mut Vec<Waiting>, log_micros: u32) {
    for one in std::mem::take(waiting) {
        match one {
            Waiting::Predict { mut replies, reply } => {
                replies.iter_mut().flatten().for_each(|reply| reply.timing.log = log_micros);
                // Whoever asked may have gone away: the answer is in the log all the same.
                let _ = reply.send(replies);
            }
            other => waiting.push(other),
        }
    }
}

impl Waiting {
    fn confirm(self, log: &mut DecisionLog) {
        match self {
            Waiting::Predict { replies, reply } => drop(reply.send(replies)),
            Waiting::Feedback { noted, reply } => drop(reply.send(Ok(noted))),
            other => other.refuse(log),
        }
    }

    fn refuse(self, log: &mut DecisionLog) {
        match self {
            Waiting::Predict { replies, reply } => {
                drop(reply.send(replies.iter().map(|_| Err(Refusal::LogUnavailable)).collect()));
            }
            Waiting::Feedback { reply, .. } => drop(reply.send(Err(Refusal::LogUnavailable))),
            Waiting::Flush(done) => {
                let _ = done.send(());
            }
            Waiting::NewLog(new, done) => {
                *log = *new;
                let _ = done.send(());
            }
        }
    }
}

pub fn micros(since: Instant) -> u32 {
    since.elapsed().as_micros().min(u128::from(u32::MAX)) as u32
}
