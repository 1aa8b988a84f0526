//! Whether an event was asked before: in the same batch, lately, or as the decision log has it. One event is answered once, and
//! a key stands for one event.

use crate::PlatformError;
use crate::inputs::contract::{Cell, Event, EventContract};
use crate::serve::keys::{KeyFilter, key_hash};
use crate::serve::log::DecisionLog;
use crate::serve::log_rows::Decision;
use crate::serve::messages::{Answered, Refusal, RequestOptions};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
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
    fn repeated(&self, event: &Event, wish: &RequestOptions) -> Option<usize> {
        let by_wish = wish.idempotency_key.as_ref().and_then(|key| self.by_wish.get(key));
        self.by_key.get(&event.key).into_iter().chain(by_wish).min().copied()
    }

    fn push(&mut self, event: Event, wish: RequestOptions) -> usize {
        let row = self.events.len();
        self.by_key.insert(event.key.clone(), row);
        self.by_wish.extend(wish.idempotency_key.iter().map(|key| (key.clone(), row)));
        self.events.push((event, wish));
        row
    }
}

/// What becomes of one event of a batch.
pub enum Admission {
    Refused(Refusal),
    Repeated(Arc<Answered>),
    /// Repeats an event of the same batch.
    RepeatsRow(usize),
    /// It is a row of the batch to be answered.
    Row(usize),
}

/// What is known of earlier answers, and how their requests are read.
pub struct Asked<'a> {
    pub contract: &'a EventContract,
    pub recent: &'a Recent,
    pub logged_keys: &'a KeyFilter,
    pub reader: &'a DecisionLog,
}

impl Asked<'_> {
    /// Whether an event, read by this contract, is to be answered anew; then it becomes a row.
    pub fn admit(&self, event: Event, wish: RequestOptions, rows: &mut Rows) -> Result<Admission, PlatformError> {
        if let Some(row) = rows.repeated(&event, &wish) {
            let (other, _) = &rows.events[row];
            return Ok(match other.cells == event.cells {
                true => Admission::RepeatsRow(row),
                false => Admission::Refused(conflict(&wish, other.key == event.key)),
            });
        }
        Ok(match self.earlier(&event, &wish)? {
            Some(Ok(answered)) => Admission::Repeated(answered),
            Some(Err(refusal)) => Admission::Refused(refusal),
            None => Admission::Row(rows.push(event, wish)),
        })
    }

    /// The answer that this event got before, if it was asked before; a refusal if the key stood for another.
    fn earlier(
        &self,
        event: &Event,
        wish: &RequestOptions,
    ) -> Result<Option<Result<Arc<Answered>, Refusal>>, PlatformError> {
        let same = |answered: Arc<Answered>, input: &str, by_key: bool| match self.same_event(input, event) {
            true => Ok(answered),
            false => Err(conflict(wish, by_key)),
        };
        if let Some((answered, input)) = self.recent.answers.get(&event.key) {
            return Ok(Some(same(answered.clone(), input, true)));
        }
        if let Some(key) = &wish.idempotency_key {
            if let Some((answered, input)) = self.recent.wished(key) {
                return Ok(Some(same(answered.clone(), input, false)));
            }
            if let Some(found) = self.reader.by_idempotency_key(key)? {
                let input = found.input.clone();
                return Ok(Some(same(answered_of(found), &input, false)));
            }
        }
        if !self.logged_keys.may_hold(key_hash(&event.key)) {
            return Ok(None);
        }
        let Some(found) = self.reader.by_key(&event.key)? else { return Ok(None) };
        let input = found.input.clone();
        Ok(Some(same(answered_of(found), &input, true)))
    }

    /// Whether an earlier request said the same in other words: 240.0 for 240, another zone, null for what was left out.
    fn same_event(&self, earlier: &str, event: &Event) -> bool {
        let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
        earlier == &*event.input
            || match self.contract.cells_of(earlier) {
                Some(cells) => cells == event.cells,
                // It was read by a contract that allowed more.
                None => parse(earlier).is_some_and(|earlier| parse(&event.input) == Some(earlier)),
            }
    }
}

/// What was answered and told lately: what is not yet in the log is here.
#[derive(Default)]
pub struct Recent {
    /// By key.
    pub answers: HashMap<Arc<str>, (Arc<Answered>, Arc<str>), foldhash::quality::RandomState>,
    /// The event's key by idempotency key.
    wishes: HashMap<String, Arc<str>>,
    /// Values told by key and label's column, and their order.
    pub outcomes: HashMap<(String, usize), Cell>,
    outcome_order: VecDeque<(String, usize)>,
    /// Keys and idempotency keys of what is recent, oldest first.
    order: VecDeque<(Arc<str>, Option<String>)>,
}

impl Recent {
    fn wished(&self, idempotency_key: &str) -> Option<&(Arc<Answered>, Arc<str>)> {
        self.answers.get(self.wishes.get(idempotency_key)?)
    }

    pub fn remember_answer(&mut self, event: &Event, wish: &RequestOptions, answered: &Arc<Answered>) {
        self.wishes.extend(wish.idempotency_key.iter().map(|wish| (wish.clone(), event.key.clone())));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::places::contract_schema;
    use crate::registry::ids::fresh_id;
    use crate::serve::log::LogPlace;
    use septet_domain::Domains;
    use septet_tables::arrow::datatypes::{DataType, Field, Schema};
    use serde_json::json;

    /// One event: its key, its idempotency key, what differs from the usual payment, and what becomes of it.
    type Sent = (&'static str, &'static str, Value, &'static str);

    fn payment(contract: &EventContract, (key, wish, changes, _): &Sent) -> (Event, RequestOptions) {
        let mut payment = json!({
            "payment_id": if key.is_empty() { "q" } else { key }, "paid_at": "2026-05-04T10:00:00Z", "customer_id": "c", "terminal_id": "t", "amount": 240,
        });
        if let Some(csv) = changes.as_str() {
            let names = ["payment_id", "paid_at", "customer_id", "terminal_id", "amount"];
            let fields: Vec<(&str, &str)> = names.into_iter().zip([*key].into_iter().chain(csv.split(','))).collect();
            let event = contract.read_text(&fields, "").unwrap();
            return (event, RequestOptions::default());
        }
        for (name, value) in changes.as_object().unwrap() {
            payment[name] = value.clone();
        }
        let event = contract.read_json(&payment.to_string(), "").unwrap();
        // The key of a question is made for it, and is not among its cells.
        let event = if key.is_empty() { Event { key: fresh_id().to_string().into(), ..event } } else { event };
        let idempotency_key = (!wish.is_empty()).then(|| (*wish).to_owned());
        (event, RequestOptions { idempotency_key, ..RequestOptions::default() })
    }

    fn decision(event: &Event, wish: &RequestOptions) -> Decision {
        Decision {
            sequence: 0,
            request_id: event.key.clone(),
            key: event.key.clone(),
            idempotency_key: wish.idempotency_key.clone(),
            trace_id: Arc::default(),
            event_time: event.time,
            answered_at: event.time,
            version: Arc::from("v"),
            run_id: Arc::from("r"),
            input: event.input.clone(),
            features: "[]".to_owned(),
            probability: 0.5,
            action: None,
            answer: Arc::from("{"),
        }
    }

    /// Sends batch after batch, each committed before the next; with and without what is remembered beside the log.
    fn check(batches: &[&[Sent]]) {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let domain = Domains::default().load("fraud").unwrap();
        let mut columns = contract_schema(domain.spec.first_input().1).fields().to_vec();
        columns.push(Arc::new(Field::new("channel", DataType::Utf8, true)));
        let contract = EventContract::new(&domain, &Arc::new(Schema::new(columns)), 1);
        for remembered in [true, false] {
            let mut log =
                runtime.block_on(LogPlace::File(folder.path().join(format!("{remembered}.db"))).open("d")).unwrap();
            let (mut recent, mut logged_keys) = (Recent::default(), KeyFilter::default());
            for (number, batch) in batches.iter().enumerate() {
                let mut rows = Rows::default();
                for sent in *batch {
                    let asked = Asked { contract: &contract, recent: &recent, logged_keys: &logged_keys, reader: &log };
                    let (event, wish) = payment(&contract, sent);
                    let found = match asked.admit(event, wish, &mut rows).unwrap() {
                        Admission::Refused(Refusal::Conflict { field }) => format!("conflict of {field}"),
                        Admission::Refused(other) => panic!("{other:?}"),
                        Admission::Repeated(_) => "as before".to_owned(),
                        Admission::RepeatsRow(row) => format!("as row {row}"),
                        Admission::Row(_) => "new".to_owned(),
                    };
                    assert_eq!(found, sent.3, "batch {number}, remembered: {remembered}, {sent:?}");
                }
                let decisions: Vec<Decision> = rows.events.iter().map(|(event, wish)| decision(event, wish)).collect();
                log.append(&decisions.iter().collect::<Vec<_>>(), &[]).unwrap();
                for (event, wish) in &rows.events {
                    logged_keys.insert(key_hash(&event.key));
                    let text: Arc<str> = Arc::from("{");
                    let answered = Answered { request_id: event.key.clone(), text, action: None, probability: 0.5 };
                    if remembered {
                        recent.remember_answer(event, wish, &Arc::new(answered));
                    }
                }
            }
        }
    }

    #[test]
    fn one_event_is_answered_once_and_a_key_stands_for_one() {
        let none = || json!({});
        let other = || json!({ "amount": 241 });
        check(&[&[("a", "", none(), "new"), ("a", "", none(), "as row 0"), ("b", "", none(), "new")]]);
        check(&[&[("a", "", none(), "new"), ("a", "", other(), "conflict of key"), ("a", "", none(), "as row 0")]]);
        check(&[&[("a", "", none(), "new")], &[("a", "", none(), "as before"), ("a", "", other(), "conflict of key")]]);
        // What was refused stands for nothing.
        check(&[&[("a", "", none(), "new"), ("a", "", other(), "conflict of key")], &[("a", "", none(), "as before")]]);
        check(&[&[("a", "w", none(), "new"), ("b", "w", none(), "conflict of Idempotency-Key")]]);
        check(&[&[("a", "w", none(), "new")], &[("b", "w", none(), "conflict of Idempotency-Key")]]);
        check(&[&[("a", "w", none(), "new")], &[("a", "x", none(), "as before"), ("b", "x", none(), "new")]]);
        // Questions have no key of their own.
        check(&[&[("", "w", none(), "new"), ("", "w", none(), "as row 0"), ("", "", none(), "new")]]);
        check(&[&[("", "w", none(), "new")], &[("", "w", none(), "as before")]]);
        check(&[&[("", "w", none(), "new")], &[("", "w", other(), "conflict of Idempotency-Key")]]);
    }

    #[test]
    fn a_retry_in_other_words_is_the_same_event() {
        let number = |text: &str| serde_json::from_str::<Value>(&format!("{{\"amount\": {text}}}")).unwrap();
        let time = |text: &str| json!({ "paid_at": text });
        let same = [
            number("240.0"),
            number("2.4e2"),
            number("24000e-2"),
            time("2026-05-04T12:00:00+02:00"),
            time("2026-05-04T10:00:00.000Z"),
            time("2026-05-04T10:00:00+00:00"),
            time("2026-05-04 10:00:00Z"),
            time("2026-05-04t10:00:00z"),
            time("2026-05-04T10:00:00"),
            json!({ "channel": null }),
            json!("2026-05-04T10:00:00Z,c,t,240"),
            json!("2026-05-04 10:00:00,c,t,240.00"),
        ];
        let other = [number("240.01"), number("0"), time("2026-05-04T10:00:01Z"), json!({ "customer_id": "C" })];
        for changes in same {
            check(&[&[("a", "", json!({}), "new"), ("a", "", changes.clone(), "as row 0")]]);
            check(&[&[("a", "", json!({}), "new")], &[("a", "", changes, "as before")]]);
        }
        for changes in other {
            check(&[&[("a", "", json!({}), "new"), ("a", "", changes.clone(), "conflict of key")]]);
            check(&[&[("a", "", json!({}), "new")], &[("a", "", changes, "conflict of key")]]);
        }
        check(&[&[("a", "", number("0"), "new"), ("a", "", number("-0.0"), "as row 0")]]);
        check(&[&[("a", "", number("-0.0"), "new")], &[("a", "", number("0"), "as before")]]);
    }
}
