//! Writes the decision log: all that waits goes into one transaction, and whoever asked hears of it when that is on disk. While
//! the disk is waited for, the next transaction is written.
//! What SQLite's write-ahead log holds is moved into the database by a thread beside, so that no commit waits for it.

use crate::PlatformError;
use crate::serve::log::{DecisionLog, WriteAhead};
use crate::serve::log_rows::{Decision, Outcome};
use crate::serve::messages::{OutcomeStatus, Refusal, Replies, Reply};
use crate::serve::shared::Current;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SendError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::oneshot;
use tracing::{error, warn};

/// Bytes written before the write-ahead log is moved into the database.
const MOVE_BYTES: usize = 8 << 20;
/// WAL size at which the writer itself checkpoints; the WAL can only restart between commits.
const WRITE_AHEAD_BYTES_MAX: usize = 64 << 20;
/// What is written while one pass moves is left to the next.
const PASSES_MAX: usize = 3;
/// Commits that may wait for the disk.
const COMMITS_WAITING_MAX: usize = 4;
/// Of one outcome in the log and its indices, about.
const OUTCOME_BYTES: usize = 200;

/// What one commit writes and whom it concerns.
#[derive(Default)]
pub struct Batch {
    pub decisions: Vec<Decision>,
    pub outcomes: Vec<Outcome>,
    pub waiting: Vec<Waiting>,
    pub orders: Vec<Order>,
}

/// Who hears of it when a commit is on disk.
pub enum Waiting {
    Predict { replies: Replies, reply: oneshot::Sender<Replies> },
    Feedback { noted: Vec<OutcomeStatus>, reply: oneshot::Sender<Result<Vec<OutcomeStatus>, Refusal>> },
}

/// What the writer does when everything before is on disk and answered.
pub enum Order {
    Flush(SyncSender<()>),
    /// From here on, by this connection.
    NewLog(Box<DecisionLog>, SyncSender<()>),
}

/// Commits batch after batch until nobody is left to send one.
pub fn write(mut log: DecisionLog, batches: &Receiver<Batch>, log_after: bool, current: &Arc<Current>) {
    let mover = Mover::start(&log);
    let mut disk = Disk::start(&log, current);
    let (mut unmoved, mut next) = (0, None);
    while let Some(first) = next.take().or_else(|| batches.recv().ok()) {
        let mut all: Vec<Batch> = std::iter::once(first).chain(batches.try_iter()).collect();
        let mut waiting: Vec<Waiting> = all.iter_mut().flat_map(|batch| std::mem::take(&mut batch.waiting)).collect();
        let decisions: Vec<&Decision> = all.iter().flat_map(|batch| &batch.decisions).collect();
        let outcomes: Vec<&Outcome> = all.iter().flat_map(|batch| &batch.outcomes).collect();
        let start = Instant::now();
        // What follows a failed commit may repeat what it did not write: nothing is confirmed before the rebuild.
        let broken = current.gauges.broken.load(Ordering::Acquire);
        if log_after && !broken {
            answer_predictions(&mut waiting, 0);
        }
        let empty = decisions.is_empty() && outcomes.is_empty();
        let written = match (broken, empty) {
            (true, _) => Err(PlatformError::Store("waits for a rebuild".to_owned())),
            (false, true) => Ok(()),
            (false, false) => log.append(&decisions, &outcomes),
        };
        unmoved += decisions.iter().map(|d| d.input.len() + d.features.len() + 2 * d.answer.len()).sum::<usize>();
        unmoved += outcomes.len() * OUTCOME_BYTES;
        next = batches.try_recv().ok();
        match written {
            Ok(()) => disk.settle(Committed { waiting, start }, next.is_some()),
            Err(error) => {
                if !broken {
                    error!(%error, "the decision log cannot be written; the service answers no more until it can");
                }
                // Windows count what the log does not hold: they are rebuilt before anybody is answered again.
                current.gauges.broken.store(true, Ordering::Release);
                waiting.into_iter().for_each(Waiting::refuse);
            }
        }
        for order in all.into_iter().flat_map(|batch| batch.orders) {
            disk.finish();
            let done = match order {
                Order::Flush(done) => done,
                Order::NewLog(new, done) => {
                    log = *new;
                    // If the disk failed, what it left uncertain is written once more, into the database.
                    moved(&log);
                    done
                }
            };
            disk = Disk::start(&log, current);
            let _ = done.send(());
        }
        if unmoved >= MOVE_BYTES {
            unmoved = 0;
            mover.nudge(&log);
        }
        mover.begin_anew_if_due(&log);
    }
}

/// Brings commits to disk and tells who waits for them; where more waits to be written, beside the writer.
struct Disk {
    /// None where a commit is on disk when it returns.
    ahead: Option<Arc<Ahead>>,
    /// None when it ends.
    commits: Option<SyncSender<Committed>>,
    thread: Option<JoinHandle<()>>,
    current: Arc<Current>,
}

/// SQLite's write-ahead log, where a commit leaves it to us.
struct Ahead {
    file: File,
    /// After a failure the system may take for written what is not: nothing is on disk until the log is opened anew.
    failed: AtomicBool,
}

/// A commit's end, but for the disk.
struct Committed {
    waiting: Vec<Waiting>,
    /// When writing began.
    start: Instant,
}

impl Disk {
    fn start(log: &DecisionLog, current: &Arc<Current>) -> Disk {
        let left = log.leave_sync().inspect_err(
            |error| warn!(%error, "the write-ahead log cannot be opened; each commit waits for the disk by itself"),
        );
        let ahead = left.ok().flatten().map(|file| Arc::new(Ahead { file, failed: AtomicBool::new(false) }));
        let beside = ahead.clone().map(|ahead| {
            let ((commits, committed), current) = (sync_channel::<Committed>(COMMITS_WAITING_MAX), current.clone());
            let work = move || {
                while let Ok(first) = committed.recv() {
                    // One wait for all that was committed before it began.
                    let all: Vec<Committed> = std::iter::once(first).chain(committed.try_iter()).collect();
                    let on_disk = ahead.sync(&current);
                    all.into_iter().for_each(|one| one.end(on_disk, &current));
                }
            };
            (commits, std::thread::spawn(work))
        });
        let (commits, thread) = beside.unzip();
        Disk { ahead, commits, thread, current: current.clone() }
    }

    fn settle(&self, committed: Committed, more_waits: bool) {
        match &self.commits {
            Some(commits) if more_waits => {
                if let Err(SendError(committed)) = commits.send(committed) {
                    committed.end(false, &self.current);
                }
            }
            _ => {
                let on_disk = self.ahead.as_ref().is_none_or(|ahead| ahead.sync(&self.current));
                committed.end(on_disk, &self.current);
            }
        }
    }

    /// Waits for what is left to do beside.
    fn finish(&mut self) {
        self.commits = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Ahead {
    /// Whether all that was committed is on disk now.
    fn sync(&self, current: &Current) -> bool {
        if let Err(error) = self.file.sync_data() {
            error!(%error, "the decision log cannot be brought to disk; the service answers no more until it can");
            self.failed.store(true, Ordering::Release);
            current.gauges.broken.store(true, Ordering::Release);
        }
        !self.failed.load(Ordering::Acquire)
    }
}

impl Committed {
    fn end(mut self, on_disk: bool, current: &Current) {
        if !on_disk {
            return self.waiting.into_iter().for_each(Waiting::refuse);
        }
        let took = micros(self.start);
        current.gauges.commit_micros.store(u64::from(took), Ordering::Relaxed);
        answer_predictions(&mut self.waiting, took);
        self.waiting.into_iter().for_each(Waiting::confirm);
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
    fn confirm(self) {
        match self {
            Waiting::Predict { replies, reply } => drop(reply.send(replies)),
            Waiting::Feedback { noted, reply } => drop(reply.send(Ok(noted))),
        }
    }

    fn refuse(self) {
        match self {
            Waiting::Predict { replies, reply } => {
                // What was refused before has its own reason.
                let unrecorded = |reply: Result<Reply, Refusal>| reply.and(Err(Refusal::LogUnavailable));
                drop(reply.send(replies.into_iter().map(unrecorded).collect()));
            }
            Waiting::Feedback { reply, .. } => drop(reply.send(Err(Refusal::LogUnavailable))),
        }
    }
}

pub fn micros(since: Instant) -> u32 {
    since.elapsed().as_micros().min(u128::from(u32::MAX)) as u32
}
