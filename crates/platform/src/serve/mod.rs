//! Answering: events in, answers out, with live windows and a log that holds every one of them. Knows no HTTP.

mod answerer;
mod engine;
mod keys;
mod log;
mod lookup;
mod messages;
mod quality;
mod rebuild;
mod replay;
mod service;

mod writer;

pub use crate::inputs::RowsOf;
pub use crate::inputs::contract::{Cell, Event, EventColumn, EventContract, Unread, Violation, escaped};
pub use crate::registry::ids::fresh_id;
pub use answerer::{Answerer, Scored, check_decision};
pub use log::{Decision, DecisionLog, LogPlace, Outcome, forget_newest};
pub use messages::{Feedback, OutcomeStatus, Refusal, Replies, Reply, RequestOptions, Timing};
pub use quality::Counts;
pub(crate) use rebuild::{Labels, label_cell, with_labels};
pub use replay::{Replayed, replay};
pub use septet_tables::{KEY_CHARACTERS_MAX, TEXT_CHARACTERS_MAX};
pub use service::{Condition, Service, ServiceOptions};
