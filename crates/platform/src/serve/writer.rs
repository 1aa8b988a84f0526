//! Writes the decision log: all that waits goes into one transaction, and whoever asked hears of it when that is on disk.

use crate::PlatformError;
use crate::serve::engine::Current;
use crate::serve::log::{Decision, DecisionLog, Outcome};
use crate::serve::words::{Noted, Refusal, Replies};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::Instant;
use tokio::sync::oneshot;
use tracing::{error, warn};

/// Bytes written before the write-ahead log is moved away, when nobody waits and at any rate.
const CHECKPOINT_BYTES_IDLE: usize = 4 << 20;
const CHECKPOINT_BYTES_MAX: usize = 64 << 20;
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
    let mut unmoved = 0;
    loop {
        let mut batch = match batches.try_recv() {
            Ok(batch) => batch,
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                // Nobody waits: the best time to move the write-ahead log.
                move_log(&log, &mut unmoved, CHECKPOINT_BYTES_IDLE);
                match batches.recv() {
                    Ok(batch) => batch,
                    Err(_) => return,
                }
            }
        };
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
        move_log(&log, &mut unmoved, CHECKPOINT_BYTES_MAX);
    }
}

/// Moves the write-ahead log into the database once so many bytes were written.
fn move_log(log: &DecisionLog, unmoved: &mut usize, bytes: usize) {
    if *unmoved < bytes {
        return;
    }
    if let Err(error) = log.checkpoint() {
        warn!(%error, "the decision log could not be moved into its database");
    }
    *unmoved = 0;
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
