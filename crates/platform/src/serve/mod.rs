//! Answering: events in, answers out, with live windows and a log that holds every one of them. Knows no HTTP.

mod answerer;
mod decision;
mod engine;
mod keys;
mod log;
mod log_rows;
mod lookup;
mod messages;
mod quality;
mod rebuild;
mod repeats;
mod replay;
mod service;
mod shared;
mod words;
mod writer;

pub use crate::inputs::RowsOf;
pub use crate::inputs::contract::{Cell, Event, EventColumn, EventContract, Unread, Violation, escaped};
pub use crate::inputs::document::{Document, fault, given_twice, read_document};
pub use crate::registry::ids::fresh_id;
pub use answerer::{Answerer, Scored};
pub use decision::{check_decision, columns_of_decision};
pub use log::{DecisionLog, LogPlace, forget_newest};
pub use log_rows::{Decision, Outcome};
pub use messages::{Feedback, OutcomeStatus, Refusal, Replies, Reply, RequestOptions, Timing};
pub use quality::Counts;
pub(crate) use rebuild::{Labels, label_cell, with_labels};
pub use replay::{Replayed, replay};
pub use septet_tables::{KEY_CHARACTERS_MAX, TEXT_CHARACTERS_MAX};
pub use service::{Condition, Service};
pub use shared::ServiceOptions;
