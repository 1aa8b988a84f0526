//! The words between the service and its engine: what is wished for, what is answered, why there is no answer.

use crate::inputs::contract::Cell;
use std::sync::Arc;

/// What a request wants beside the answer.
#[derive(Clone, Debug, Default)]
pub struct RequestOptions {
    pub explain_fully: bool,
    pub idempotency_key: Option<String>,
    pub trace_id: Arc<str>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too much waits already.
    Overloaded,
    /// Windows are being rebuilt, or the service is stopping.
    NotReady,
    /// The key or the idempotency key was used for another request.
    Conflict {
        field: &'static str,
    },
    /// The event's time is further ahead than `clock_skew_max`.
    Future {
        ahead_seconds: i64,
    },
    /// The answer could not be recorded: there is none.
    LogUnavailable,
    /// The model, a feature, a rule or `answer.sql` failed on the values: nothing was recorded.
    ModelFailed,
    Internal,
}

/// An answer, shared by all who asked the same.
#[derive(Debug)]
pub struct Answered {
    pub request_id: Arc<str>,
    /// The reply's JSON without its timing and its closing brace.
    pub text: Arc<str>,
    pub action: Option<String>,
    pub probability: f64,
}

/// How long the parts took, in microseconds; those of a batch are shared by its events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    pub waited: u32,
    pub features: u32,
    pub model: u32,
    pub explain: u32,
    pub log: u32,
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub answered: Arc<Answered>,
    pub timing: Timing,
    /// It had been answered before and was not counted again.
    pub repeated: bool,
}

pub type Replies = Vec<Result<Reply, Refusal>>;

/// One truth that came.
#[derive(Clone, Debug)]
pub struct Feedback {
    pub key: String,
    /// Index of the label's column in the contract.
    pub label: usize,
    pub value: Cell,
    /// JSON of the value.
    pub text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeStatus {
    Recorded,
    /// The same was told before.
    Unchanged,
    /// No event has this key.
    Unknown,
}
