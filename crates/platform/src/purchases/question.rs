//! What a request about a customer holds: a name to look up, or four numbers, or orders. Exactly one of the three.

use crate::purchases::book::{Event, Summary};
use crate::serve::{Cell, Violation};
use crate::split::DAY;
use septet_domain::{Column, ColumnType, Personal, Purchases};
use septet_tables::instant;
use serde_json::Value;

/// Orders in one request: far more than a person places.
const ORDERS_MAX: usize = 10_000;
/// Largest number of days and purchases: a hundred years.
const NUMBER_MAX: f64 = 36_525.0;

/// Places of the columns of a question.
#[derive(Clone, Copy, Debug)]
pub struct QuestionColumns;

impl QuestionColumns {
    pub const CUSTOMER: usize = 0;
    pub const FREQUENCY: usize = 1;
    pub const RECENCY: usize = 2;
    pub const AGE: usize = 3;
    pub const MONETARY: usize = 4;
    pub const ORDERS: usize = 5;
    pub const AS_OF: usize = 6;
}

/// Columns of a question, in the order of [`QuestionColumns`].
pub fn question_columns(spec: &Purchases) -> Vec<(String, Column)> {
    let column = |kind: ColumnType, meaning: &str, unit: Option<&str>, max: Option<f64>| Column {
        kind,
        required: false,
        meaning: Some(meaning.to_owned()),
        unit: unit.map(str::to_owned),
        min: max.map(|_| 0.0),
        max,
        values: None,
        personal: None,
        label: false,
        known_after: None,
        reveals: None,
    };
    let days = Some("days");
    let most = Some(NUMBER_MAX);
    let customer = Column {
        personal: Some(Personal::Identifier),
        ..column(ColumnType::Text, "a customer of the published data, who is looked up", None, None)
    };
    let money = spec.unit.as_deref();
    vec![
        (spec.customer.get_ref().clone(), customer),
        ("frequency".to_owned(), column(ColumnType::Integer, "days with a purchase after the first one", None, most)),
        ("recency".to_owned(), column(ColumnType::Number, "from the first purchase to the latest one", days, most)),
        ("T".to_owned(), column(ColumnType::Number, "since the first purchase", days, most)),
        (
            "monetary".to_owned(),
            column(ColumnType::Number, "mean spent on a day of purchase after the first one", money, Some(1e12)),
        ),
        (
            "orders".to_owned(),
            column(
                ColumnType::Text,
                "all orders of one customer, as a list of objects of `at` and `value`",
                None,
                None,
            ),
        ),
        (
            "as_of".to_owned(),
            column(ColumnType::Timestamp, "with orders: the moment asked for; default: now", None, None),
        ),
    ]
}

/// Orders as they are kept: checked, sorted, as JSON.
pub fn orders(value: &Value) -> Result<Cell, (&'static str, String)> {
    let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
        return Err((
            "type",
            "expected a list of at least one order, such as {\"at\": \"2026-03-01\", \"value\": 20}".to_owned(),
        ));
    };
    if list.len() > ORDERS_MAX {
        return Err(("length", format!("at most {ORDERS_MAX} orders")));
    }
    let mut read: Vec<(i64, f64)> = Vec::with_capacity(list.len());
    for (number, order) in list.iter().enumerate() {
        let (at, spent) = (order["at"].as_str().and_then(instant), order["value"].as_f64());
        let known = order.as_object().is_some_and(|fields| fields.keys().all(|key| key == "at" || key == "value"));
        match (at, spent) {
            (Some(at), Some(spent)) if known && spent > 0.0 && spent < 1e12 => read.push((at, spent)),
            _ => {
                let what = format!("order {number} needs `at`, a time, and `value`, above 0, and nothing else");
                return Err(("type", what));
            }
        }
    }
    read.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    serde_json::to_string(&read).map(Cell::Text).map_err(|error| ("type", error.to_string()))
}

/// Says what is wrong with a question as a whole. `is_known`: whether a customer can be looked up.
pub fn check(cells: &[Cell], names: &[&str], pointer: &str, is_known: &dyn Fn(&str) -> bool) -> Vec<Violation> {
    use QuestionColumns as At;
    let given = |at: usize| cells[at] != Cell::Null;
    let say = |at: usize, code: &'static str, detail: String| Violation {
        pointer: if at == usize::MAX { pointer.to_owned() } else { format!("{pointer}/{}", names[at]) },
        code,
        detail,
    };
    let numbers = [At::FREQUENCY, At::RECENCY, At::AGE];
    let told = numbers.iter().any(|&at| given(at)) || given(At::MONETARY);
    let ways = [given(At::CUSTOMER), told, given(At::ORDERS)].iter().filter(|way| **way).count();
    if ways != 1 {
        let detail = format!("give either `{}`, or `frequency`, `recency` and `T`, or `orders`", names[At::CUSTOMER]);
        return vec![say(usize::MAX, "required", detail)];
    }
    let mut wrong = Vec::new();
    if given(At::AS_OF) && !given(At::ORDERS) {
        wrong.push(say(At::AS_OF, "values", "only orders are read as of a time".to_owned()));
    }
    if let Cell::Text(customer) = &cells[At::CUSTOMER] {
        if !is_known(customer) {
            wrong.push(say(
                At::CUSTOMER,
                "values",
                "no such customer in the published data; send their orders".to_owned(),
            ));
        }
        return wrong;
    }
    if given(At::ORDERS) {
        if summary_of(cells, 0).is_none() {
            wrong.push(say(At::ORDERS, "range", "every order comes after `as_of`".to_owned()));
        }
        return wrong;
    }
    for at in numbers.into_iter().filter(|&at| !given(at)) {
        wrong.push(say(at, "required", "`frequency`, `recency` and `T` are needed together".to_owned()));
    }
    let number = |at: usize| match cells[at] {
        Cell::Number(value) => value,
        Cell::Integer(value) => value as f64,
        _ => f64::NAN,
    };
    if number(At::RECENCY) > number(At::AGE) {
        wrong.push(say(At::RECENCY, "range", "the latest purchase cannot be later than now: at most `T`".to_owned()));
    }
    if (number(At::FREQUENCY) == 0.0) != (number(At::RECENCY) == 0.0) && wrong.is_empty() {
        wrong.push(say(At::RECENCY, "range", "0 without a repeat purchase, above 0 with one".to_owned()));
    }
    if number(At::FREQUENCY) > number(At::RECENCY).max(1.0) && wrong.is_empty() {
        let detail = "more days with a purchase than days between the first and the latest".to_owned();
        wrong.push(say(At::FREQUENCY, "range", detail));
    }
    if number(At::MONETARY) == 0.0 {
        wrong.push(say(At::MONETARY, "range", "above 0; leave it out if it is not known".to_owned()));
    }
    wrong
}

/// The numbers of a question that holds orders or numbers; `now` is when it was asked.
pub fn summary_of(cells: &[Cell], now: i64) -> Option<Summary> {
    use QuestionColumns as At;
    if let Cell::Text(orders) = &cells[At::ORDERS] {
        let orders: Vec<(i64, f64)> = serde_json::from_str(orders).ok()?;
        let now = if let Cell::Time(time) = cells[At::AS_OF] { time } else { now.max(orders.last()?.0) };
        // An order without a number is one of its own.
        let event = |(order, (at, value)): (usize, (i64, f64))| Event { day: at.div_euclid(DAY) as i32, order: order as u32, value };
        let days: Vec<Event> = orders.into_iter().filter(|(at, _)| *at <= now).enumerate().map(event).collect();
        return Summary::of(&days, now.div_euclid(DAY) as i32);
    }
    let (Cell::Integer(frequency), Cell::Number(recency), Cell::Number(age)) =
        (&cells[At::FREQUENCY], &cells[At::RECENCY], &cells[At::AGE])
    else {
        return None;
    };
    let monetary = if let Cell::Number(value) = cells[At::MONETARY] { Some(value) } else { None };
    Some(Summary { frequency: *frequency as u32, recency: *recency, age: *age, monetary })
}
