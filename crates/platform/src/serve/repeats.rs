//! Whether an event was asked before: in the same batch, lately, or as the decision log has it. One event is answered once, and
//! a key stands for one event.

use crate::PlatformError;
use crate::inputs::contract::{Cell, Event};
use crate::serve::keys::{KeyFilter, key_hash};
use crate::serve::log::DecisionLog;
use crate::serve::log_rows::Decision;
use crate::serve::messages::{Answered, Refusal, RequestOptions};
use serde_json::Value;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Answers remembered by key beside the log: far more than can be on their way to it.
const RECENT_ANSWERS_MAX: usize = 16_384;

/// The events of a batch that are answered anew, and where each key stands.
#[derive(Default)]
pub struct Rows {
    pub events: Vec<(Event, RequestOptions)>,
    by_key: HashMap<Arc<str>, usize, foldhash::fast::FixedState>,
    by_wish: HashMap<String, usize, foldhash::fast::FixedState>,
}

impl Rows {
    /// The row whose key, or idempotency key, this event has too.
    pub fn repeated(&self, event: &Event, wish: &RequestOptions) -> Option<usize> {
        let by_wish = wish.idempotency_key.as_ref().and_then(|key| self.by_wish.get(key));
        self.by_key.get(&event.key).into_iter().chain(by_wish).min().copied()
    }

    pub fn push(&mut self, event: Event, wish: RequestOptions) -> usize {
        let row = self.events.len();
        self.by_key.insert(event.key.clone(), row);
        self.by_wish.extend(wish.idempotency_key.iter().map(|key| (key.clone(), row)));
        self.events.push((event, wish));
        row
    }
}

/// What was answered and told lately: what is not yet in the log is here.
#[derive(Default)]
pub struct Recent {
    /// By key.
    pub answers: HashMap<Arc<str>, (Arc<Answered>, Arc<str>), foldhash::quality::RandomState>,
    wishes: HashSet<String>,
    /// Values told by key and label's column, and their order.
    pub outcomes: HashMap<(String, usize), Cell>,
    outcome_order: VecDeque<(String, usize)>,
    /// Keys and idempotency keys of what is recent, oldest first.
    order: VecDeque<(Arc<str>, Option<String>)>,
}

impl Recent {
    /// The answer that this event got before, if it was asked before; a refusal if the key stood for another.
    pub fn earlier(
        &self,
        event: &Event,
        wish: &RequestOptions,
        logged_keys: &KeyFilter,
        reader: &DecisionLog,
    ) -> Result<Option<Result<Arc<Answered>, Refusal>>, PlatformError> {
        if let Some((answered, input)) = self.answers.get(&event.key) {
            return Ok(Some(if same_input(input, &event.input) {
                Ok(answered.clone())
            } else {
                Err(conflict(wish, true))
            }));
        }
        if let Some(key) = &wish.idempotency_key {
            if self.wishes.contains(key) {
                // Had it been the same event, its key would have been found.
                return Ok(Some(Err(conflict(wish, false))));
            }
            if let Some(found) = reader.by_idempotency_key(key)? {
                let equal = same_input(&found.input, &event.input);
                return Ok(Some(if equal { Ok(answered_of(found)) } else { Err(conflict(wish, false)) }));
            }
        }
        if !logged_keys.may_hold(key_hash(&event.key)) {
            return Ok(None);
        }
        let Some(found) = reader.by_key(&event.key)? else { return Ok(None) };
        let equal = same_input(&found.input, &event.input);
        Ok(Some(if equal { Ok(answered_of(found)) } else { Err(conflict(wish, true)) }))
    }

    pub fn remember_answer(&mut self, event: &Event, wish: &RequestOptions, answered: &Arc<Answered>) {
        self.wishes.extend(wish.idempotency_key.clone());
        self.answers.insert(event.key.clone(), (answered.clone(), event.input.clone()));
        self.order.push_back((event.key.clone(), wish.idempotency_key.clone()));
        if self.order.len() > RECENT_ANSWERS_MAX
            && let Some((key, wish)) = self.order.pop_front()
        {
            // Long in the log by now.
            self.answers.remove(&key);
            if let Some(wish) = wish {
                self.wishes.remove(&wish);
            }
        }
    }

    /// What was told of an event counts before the log knows it.
    pub fn remember_outcome(&mut self, label: (String, usize), value: Cell) {
        if self.outcomes.insert(label.clone(), value).is_none() {
            self.outcome_order.push_back(label);
        }
        if self.outcome_order.len() > RECENT_ANSWERS_MAX
            && let Some(old) = self.outcome_order.pop_front()
        {
            self.outcomes.remove(&old);
        }
    }
}

fn answered_of(found: Decision) -> Arc<Answered> {
    let Decision { request_id, answer, action, probability, .. } = found;
    Arc::new(Answered { request_id, text: answer, action, probability })
}

pub fn conflict(wish: &RequestOptions, by_key: bool) -> Refusal {
    Refusal::Conflict { field: if by_key || wish.idempotency_key.is_none() { "key" } else { "Idempotency-Key" } }
}

/// Equal to the letter, or equal as JSON.
pub fn same_input(a: &str, b: &str) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    a == b || parse(a).is_some_and(|a| parse(b) == Some(a))
}
