//! A run from its first connection to its report. Everything in it is bounded: requests, seconds, connections.

use crate::bodies::Bodies;
use crate::connection::Connection;
use crate::pace::{Clock, Pace, Tickets, scheduled};
use crate::request::Target;
use crate::tally::{Collected, Tally};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::{JoinSet, LocalSet};

pub use crate::settings::Settings;

pub const REQUESTS_MAX: usize = 20_000_000; // 4 minutes of the fastest server seen here (70,000 a second)
pub const SECONDS_MAX: f64 = 900.0; // longer than any comparison; a forgotten generator stops
pub const CONNECTIONS_MAX: usize = 1_000; // below the usual limit of open files, 1,024
const RATE_MIN: f64 = 0.01; // some nine requests in the longest run
/// After a fault, lest a server that is gone be asked a million times.
const PAUSE: Duration = Duration::from_millis(10);

pub struct Outcome {
    /// Without the warm-up.
    pub report: Value,
    /// Reply bodies, one a line, those of the warm-up included.
    pub replies: Option<Vec<u8>>,
}

/// Runs on the calling thread, with one more for the pace.
pub fn run(target: Target, bodies: Bodies, settings: &Settings) -> Result<Outcome, String> {
    let requests = requests(bodies.count(), settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime does not start: {error}"))?;
    LocalSet::new().block_on(&runtime, drive(Rc::new(target), bodies, settings, requests))
}

/// How many there are at the most; all of them at a rate.
fn requests(bodies: usize, settings: &Settings) -> Result<usize, String> {
    if settings.duration.is_zero() || settings.timeout.is_zero() {
        return Err("0 s to measure or to wait for a reply: give more".to_owned());
    }
    let seconds = (settings.warmup + settings.duration + settings.timeout).as_secs_f64();
    if seconds > SECONDS_MAX {
        return Err(format!("{seconds} s, with warm-up and the wait for the last reply, is more than {SECONDS_MAX}"));
    }
    if !(1..=CONNECTIONS_MAX).contains(&settings.connections) {
        return Err(format!("{} connections: give 1 to {CONNECTIONS_MAX}", settings.connections));
    }
    let Pace::Rate(rate) = settings.pace else {
        return Ok(if settings.repeat { REQUESTS_MAX } else { bodies.min(REQUESTS_MAX) });
    };
    let requests = scheduled(rate, settings.warmup + settings.duration);
    if !(rate >= RATE_MIN && requests <= REQUESTS_MAX) {
        return Err(format!(
            "{rate} requests/s: give {RATE_MIN} or more, and at the most {REQUESTS_MAX} requests in all"
        ));
    }
    if requests > bodies && !settings.repeat {
        return Err(format!("{requests} requests need as many bodies, there are {bodies}: give more, or --repeat"));
    }
    Ok(requests)
}

/// What the connections of a run share, all on one thread.
struct Shared {
    bodies: Bodies,
    tickets: Tickets,
    tally: RefCell<Tally>,
    collected: Option<RefCell<Collected>>,
}

async fn drive(target: Rc<Target>, bodies: Bodies, settings: &Settings, requests: usize) -> Result<Outcome, String> {
    let mut connections = Vec::new();
    for _ in 0..settings.connections {
        let opened = Connection::open(target.clone(), settings.timeout).await;
        connections.push(opened.map_err(|fault| format!("{}; is the server running?", fault.message()))?);
    }
    let tickets = Tickets::new(settings.pace, Clock::from_now(settings), requests);
    let end = tickets.clock().end;
    let collected = settings.collect.then(RefCell::default);
    let shared = Rc::new(Shared { bodies, tickets, tally: RefCell::default(), collected });
    let pacing = shared.tickets.start(settings.connections);
    let mut asking = JoinSet::new();
    for connection in connections {
        asking.spawn_local(ask_in_turn(shared.clone(), connection));
    }
    let deadline = tokio::time::Instant::from_std(end + settings.timeout);
    // What is still on its way at the deadline is given up: sent, and neither answered nor an error.
    let in_time = tokio::time::timeout_at(deadline, asking.join_all()).await.is_ok();
    if pacing.is_some_and(|thread| thread.join().is_err()) {
        return Err("the thread that paces the requests has stopped".to_owned());
    }
    outcome(&shared, in_time)
}

async fn ask_in_turn(shared: Rc<Shared>, mut connection: Connection) {
    while let Some(ticket) = shared.tickets.next().await {
        let sent = Instant::now();
        shared.tally.borrow_mut().send(&ticket);
        let result = connection.ask(shared.bodies.get(ticket.number)).await;
        shared.tally.borrow_mut().answer(&ticket, sent, Instant::now(), &result);
        match (result, &shared.collected) {
            (Ok(reply), Some(collected)) => collected.borrow_mut().add(ticket.number, reply.content),
            (Ok(_), None) => {}
            (Err(_), _) => tokio::time::sleep(PAUSE).await,
        }
    }
}

fn outcome(shared: &Shared, in_time: bool) -> Result<Outcome, String> {
    let taken = shared.tickets.taken();
    let mut report = shared.tally.borrow().report(&shared.tickets);
    if report["offered"] == 0 {
        return Err(
            "nothing was measured: the bodies were used up, or all connections stuck, in the warm-up".to_owned()
        );
    }
    report["bodies_used"] = json!(taken);
    report["ended_in_time"] = json!(in_time);
    let replies = shared.collected.as_ref().map(|collected| collected.take().lines(taken)).transpose()?;
    Ok(Outcome { report, replies })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pace: Pace, repeat: bool) -> Settings {
        let (warmup, duration, timeout) = (Duration::from_secs(1), Duration::from_secs(20), Duration::from_secs(5));
        Settings { pace, connections: 4, warmup, duration, timeout, repeat, collect: false }
    }

    #[test]
    fn a_rate_needs_a_body_for_every_request_of_warm_up_and_run() {
        assert_eq!(requests(21_000, &settings(Pace::Rate(1_000.0), false)), Ok(21_000));
        assert!(requests(20_999, &settings(Pace::Rate(1_000.0), false)).is_err());
        assert_eq!(requests(1, &settings(Pace::Rate(1_000.0), true)), Ok(21_000));
        assert_eq!(requests(5, &settings(Pace::Saturate, false)), Ok(5));
    }

    #[test]
    fn what_has_no_bound_is_refused() {
        for rate in [0.0, 1e-30, -1.0, 1e9, f64::NAN, f64::INFINITY] {
            assert!(requests(1, &settings(Pace::Rate(rate), true)).is_err(), "{rate}");
        }
        assert!(requests(1, &Settings { connections: 0, ..settings(Pace::Saturate, true) }).is_err());
        assert!(requests(1, &Settings { connections: 5_000, ..settings(Pace::Saturate, true) }).is_err());
        assert!(
            requests(1, &Settings { duration: Duration::from_secs(3_600), ..settings(Pace::Saturate, true) }).is_err()
        );
        assert_eq!(requests(1, &settings(Pace::Saturate, true)), Ok(REQUESTS_MAX));
    }
}
