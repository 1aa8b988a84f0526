//! What is asked of a run: how fast, for how long, over how many connections.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Requests per second.
    Rate(f64),
    Saturate,
}

pub struct Settings {
    pub pace: Pace,
    pub connections: usize,
    pub warmup: Duration,
    pub duration: Duration,
    /// For one request, and for all that are still on their way at the end.
    pub timeout: Duration,
    /// Begin again with the first body after the last one.
    pub repeat: bool,
    pub collect: bool,
}
