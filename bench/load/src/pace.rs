//! When requests are due. At a rate, request i is due at start + i / rate and nothing that the server does can move
//! that; at saturation the next one is due when a connection is free.

use crate::settings::Settings;
use std::cell::Cell;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

pub use crate::settings::Pace;

/// The system wakes a sleeper up to 50 us late (Linux's timer slack), so the last of a wait is spent awake.
const AWAKE_MAX: Duration = Duration::from_micros(60);
/// Of the time between two requests, so that at high rates the pace is not paid for with the server's processor.
const AWAKE_SHARE_MAX: f64 = 0.1;
/// Before the first request of a schedule, so that the thread that paces is up.
const LEAD: Duration = Duration::from_millis(20);

/// The moments of a run. What comes before `measured_from` is warm-up.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub start: Instant,
    pub measured_from: Instant,
    pub end: Instant,
}

impl Clock {
    pub fn from_now(settings: &Settings) -> Clock {
        let lead = if settings.pace == Pace::Saturate { Duration::ZERO } else { LEAD };
        let start = Instant::now() + lead;
        let measured_from = start + settings.warmup;
        Clock { start, measured_from, end: measured_from + settings.duration }
    }
}

/// The turn of one request.
pub struct Ticket {
    pub number: usize,
    /// None at saturation.
    pub intended: Option<Instant>,
    /// Not a part of the warm-up.
    pub measured: bool,
}

/// Hands out the turns in order to whichever connection asks first. A turn that is due while all are busy waits.
pub struct Tickets {
    pace: Pace,
    clock: Clock,
    requests: usize,
    taken: Cell<usize>,
    due: Arc<Semaphore>,
}

impl Tickets {
    pub fn new(pace: Pace, clock: Clock, requests: usize) -> Tickets {
        Tickets { pace, clock, requests, taken: Cell::new(0), due: Arc::new(Semaphore::new(0)) }
    }

    /// The next turn, once it is due; none after the last.
    pub async fn next(&self) -> Option<Ticket> {
        if self.pace != Pace::Saturate {
            self.due.acquire().await.ok()?.forget();
        }
        let number = self.taken.get();
        let ticket = self.ticket(number)?;
        self.taken.set(number + 1);
        Some(ticket)
    }

    fn ticket(&self, number: usize) -> Option<Ticket> {
        if number >= self.requests {
            return None;
        }
        match self.pace {
            Pace::Rate(rate) => {
                let intended = intended(self.clock.start, rate, number);
                Some(Ticket { number, intended: Some(intended), measured: number >= self.warmup_requests(rate) })
            }
            Pace::Saturate => {
                let now = Instant::now();
                let ticket = Ticket { number, intended: None, measured: now >= self.clock.measured_from };
                (now < self.clock.end).then_some(ticket)
            }
        }
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    pub fn taken(&self) -> usize {
        self.taken.get()
    }

    /// Requests that the schedule holds after the warm-up; none at saturation, which has no schedule.
    pub fn offered(&self) -> Option<usize> {
        match self.pace {
            Pace::Rate(rate) => Some(self.requests - self.warmup_requests(rate)),
            Pace::Saturate => None,
        }
    }

    fn warmup_requests(&self, rate: f64) -> usize {
        scheduled(rate, self.clock.measured_from - self.clock.start).min(self.requests)
    }

    /// Starts the thread that makes turns due, because tokio's own timer knows whole milliseconds only. It ends after
    /// the last turn, when it also frees the connections that still wait for one.
    pub fn start(&self, waiting: usize) -> Option<JoinHandle<()>> {
        let Pace::Rate(rate) = self.pace else { return None };
        let (due, start, requests) = (self.due.clone(), self.clock.start, self.requests);
        let awake = AWAKE_MAX.min(Duration::from_secs_f64(AWAKE_SHARE_MAX / rate));
        Some(std::thread::spawn(move || {
            let mut released = 0;
            while released < requests {
                sleep_until(intended(start, rate, released), awake);
                let now = Instant::now();
                let before = released;
                while released < requests && intended(start, rate, released) <= now {
                    released += 1;
                }
                due.add_permits(released - before);
            }
            due.add_permits(waiting);
        }))
    }
}

/// Requests that are due before `time` is over.
pub fn scheduled(rate: f64, time: Duration) -> usize {
    (rate * time.as_secs_f64()).ceil() as usize
}

fn intended(start: Instant, rate: f64, number: usize) -> Instant {
    start + Duration::from_secs_f64(number as f64 / rate)
}

fn sleep_until(moment: Instant, awake: Duration) {
    std::thread::sleep(moment.saturating_duration_since(Instant::now()).saturating_sub(awake));
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tickets(pace: Pace, requests: usize) -> Tickets {
        let start = Instant::now();
        let clock = Clock { start, measured_from: start, end: start + Duration::from_millis(100) };
        Tickets::new(pace, Clock { measured_from: start + Duration::from_millis(20), ..clock }, requests)
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }

    #[test]
    fn turns_at_a_rate_are_due_at_even_distances_and_never_early() {
        let tickets = tickets(Pace::Rate(1_000.0), 100);
        let thread = tickets.start(1).expect("a rate is paced");
        let mut count = 0;
        while let Some(ticket) = wait(tickets.next()) {
            let intended = ticket.intended.expect("a rate has a schedule");
            assert_eq!(intended, tickets.clock.start + Duration::from_millis(count));
            assert!(Instant::now() >= intended);
            assert_eq!(ticket.measured, count >= 20);
            count += 1;
        }
        thread.join().expect("the thread ends by itself");
        assert_eq!((count, tickets.offered()), (100, Some(80)));
    }

    #[test]
    fn turns_at_saturation_end_with_the_requests_or_the_time() {
        let few = tickets(Pace::Saturate, 2);
        assert!(few.start(1).is_none());
        assert_eq!((0..3).filter_map(|_| wait(few.next())).count(), 2);
        let many = tickets(Pace::Saturate, usize::MAX);
        std::thread::sleep(Duration::from_millis(101));
        assert!(wait(many.next()).is_none());
    }
}
