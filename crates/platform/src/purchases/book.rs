//! Who bought when and for how much, one entry a customer and day, and the few numbers that models see of it.

use crate::PlatformError;
use crate::history::arrow_error;
use crate::purchases::UNIT_DAYS;
use crate::split::DAY;
use septet_domain::{Domain, Purchases};
use septet_learn::clv::history::{History, Spend};
use septet_tables::arrow::array::AsArray;
use septet_tables::arrow::compute::cast;
use septet_tables::arrow::datatypes::{DataType, Float64Type, Int64Type};
use septet_tables::{Engine, TablesError};
use std::collections::HashMap;

/// What a model sees of a customer. Days count from midnight to midnight, UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Days with a purchase after the first one.
    pub frequency: u32,
    /// From the first purchase to the latest one, in days.
    pub recency: f64,
    /// Since the first purchase, in days.
    pub age: f64,
    /// Mean spent on a day after the first one; none without such a day.
    pub monetary: Option<f64>,
}

impl Summary {
    /// Of purchases and refunds, ascending by day, as they were known at the end of `until`; none without a purchase that stands.
    pub fn of(events: &[Event], until: i32) -> Option<Summary> {
        let seen = days_of(&events[..events.partition_point(|event| event.day <= until)]);
        let (first, last) = (seen.first()?.0, seen.last()?.0);
        let repeats = &seen[1..];
        let spent: f64 = repeats.iter().map(|(_, value)| value).sum();
        Some(Summary {
            frequency: repeats.len() as u32,
            recency: f64::from(last - first),
            age: f64::from(until - first),
            monetary: (!repeats.is_empty()).then(|| spent / repeats.len() as f64),
        })
    }

    /// The numbers of [`super::FEATURES`], in order; NaN for none.
    pub fn features(&self) -> [f64; 4] {
        [f64::from(self.frequency), self.recency, self.age, self.monetary.unwrap_or(f64::NAN)]
    }

    /// From those numbers; an error in the words of whoever gave them.
    pub fn from_features(features: [f64; 4]) -> Summary {
        let [frequency, recency, age, monetary] = features;
        Summary { frequency: frequency as u32, recency, age, monetary: (!monetary.is_nan()).then_some(monetary) }
    }

    /// As the purchase models take it.
    pub fn history(&self) -> Result<History, PlatformError> {
        let history = History::new(self.frequency, self.recency / UNIT_DAYS, self.age / UNIT_DAYS);
        history.map_err(|error| PlatformError::Training(error.to_string()))
    }

    /// As the money's model takes it; none without a repeat purchase of known value.
    pub fn spend(&self) -> Option<Spend> {
        Spend::new(self.frequency, self.monetary?).ok()
    }
}

/// Something bought, or given back of an order: known since a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event {
    pub day: i32,
    /// Which order of the customer, by first appearance.
    pub order: u32,
    pub value: f64,
}

/// The days with an order that is not given back as a whole, and their values net of what is given back.
pub fn days_of(events: &[Event]) -> Vec<(i32, f64)> {
    let mut orders: Vec<(u32, i32, f64)> = Vec::new();
    for event in events {
        match orders.iter_mut().find(|(order, ..)| *order == event.order) {
            Some((.., value)) => *value += event.value,
            None => orders.push((event.order, event.day, event.value)),
        }
    }
    let mut days: Vec<(i32, f64)> = Vec::new();
    for (_, day, value) in orders.into_iter().filter(|(.., value)| *value > 0.0) {
        match days.last_mut().filter(|(known, _)| *known == day) {
            Some((_, spent)) => *spent += value,
            None => days.push((day, value)),
        }
    }
    days
}

/// All customers' purchases.
pub struct Book {
    /// Ascending.
    pub customers: Vec<String>,
    purchases: Vec<Vec<Event>>,
    /// The day of the newest row of the domain's first input, purchase or not: days since 1970.
    pub end: i32,
}

/// The customers of a book, as requests look them up.
#[derive(Debug, Default)]
pub struct Known {
    pub summaries: HashMap<String, Summary>,
}

impl Book {
    /// Reads the domain's purchases; the engine knows its tables.
    pub async fn read(engine: &Engine, domain: &Domain, spec: &Purchases) -> Result<Book, PlatformError> {
        let column = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let sql = format!(
            "SELECT CAST({customer} AS VARCHAR) AS customer, CAST({at} AS TIMESTAMP) AS day, CAST({order} AS VARCHAR) AS order_id, \
             CAST({value} AS DOUBLE PRECISION) AS value FROM {table} WHERE {customer} IS NOT NULL AND {value} <> 0 \
             ORDER BY customer, day, order_id",
            customer = column(spec.customer.get_ref()),
            at = column(spec.at.get_ref()),
            order = column(spec.order.get_ref()),
            value = column(spec.value.get_ref()),
            table = column(spec.table.get_ref()),
        );
        let place = |error: TablesError| crate::plan::at_offset(domain, spec.table.span().start, error);
        let (_, batches) = engine.query(&sql).await.map_err(place)?;
        let mut book = Book { customers: Vec::new(), purchases: Vec::new(), end: newest_day(engine, domain).await? };
        let mut orders: HashMap<String, u32> = HashMap::new();
        for batch in &batches {
            let days = days(batch.column(1))?;
            let customers = cast(batch.column(0), &DataType::Utf8).map_err(arrow_error)?;
            let ids = cast(batch.column(2), &DataType::Utf8).map_err(arrow_error)?;
            let values = batch.column(3).as_primitive::<Float64Type>();
            for (row, customer) in customers.as_string::<i32>().iter().enumerate() {
                let customer = customer.unwrap_or_default();
                if book.customers.last().is_none_or(|last| last != customer) {
                    book.customers.push(customer.to_owned());
                    book.purchases.push(Vec::new());
                    orders.clear();
                }
                let next = orders.len() as u32;
                let order = *orders.entry(ids.as_string::<i32>().value(row).to_owned()).or_insert(next);
                let event = Event { day: days[row], order, value: values.value(row) };
                book.purchases.last_mut().into_iter().for_each(|own| own.push(event));
            }
        }
        match book.customers.is_empty() {
            true => Err(PlatformError::Training(format!("table `{}` has no purchase", spec.table.get_ref()))),
            false => Ok(book),
        }
    }

    /// Purchases and refunds of a customer, ascending by day.
    pub fn purchases(&self, customer: usize) -> &[Event] {
        &self.purchases[customer]
    }

    pub fn summary(&self, customer: usize, until: i32) -> Option<Summary> {
        Summary::of(&self.purchases[customer], until)
    }

    /// Purchases after one day and until another, and what was spent on them, as known at the end.
    pub fn bought(&self, customer: usize, after: i32, until: i32) -> (u32, f64) {
        self.bought_as_of(customer, after, until, self.end)
    }

    /// The same as it was known at the end of a day.
    pub fn bought_as_of(&self, customer: usize, after: i32, until: i32, as_of: i32) -> (u32, f64) {
        let events = &self.purchases[customer];
        let days = days_of(&events[..events.partition_point(|event| event.day <= as_of)]);
        let inside = days.iter().filter(|(day, _)| *day > after && *day <= until);
        inside.fold((0, 0.0), |(count, spent), (_, value)| (count + 1, spent + value))
    }

    pub fn first_day(&self) -> i32 {
        self.purchases.iter().filter_map(|own| own.first()).map(|event| event.day).min().unwrap_or(self.end)
    }

    /// Everybody as of the end.
    pub fn known(&self) -> Known {
        let one = |at: usize| Some((self.customers[at].clone(), self.summary(at, self.end)?));
        Known { summaries: (0..self.customers.len()).filter_map(one).collect() }
    }
}

async fn newest_day(engine: &Engine, domain: &Domain) -> Result<i32, PlatformError> {
    let (table, input) = domain.spec.input.first().expect("checked: a domain has an input");
    let sql = format!("SELECT date_trunc('day', max(\"{}\")) AS day FROM \"{table}\"", input.time.get_ref());
    let (_, batches) = engine.query(&sql).await?;
    let newest = batches.first().map(|batch| days(batch.column(0))).transpose()?.and_then(|days| days.first().copied());
    newest.ok_or_else(|| PlatformError::Training(format!("table `{table}` has no row")))
}

fn days(column: &septet_tables::arrow::array::ArrayRef) -> Result<Vec<i32>, PlatformError> {
    let micros = DataType::Timestamp(septet_tables::arrow::datatypes::TimeUnit::Microsecond, None);
    let column = cast(column, &micros).map_err(arrow_error)?;
    let column = cast(&column, &DataType::Int64).map_err(arrow_error)?;
    Ok(column.as_primitive::<Int64Type>().iter().flatten().map(|micros| micros.div_euclid(DAY) as i32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bought(days: &[(i32, f64)]) -> Vec<Event> {
        days.iter().enumerate().map(|(at, &(day, value))| Event { day, order: at as u32, value }).collect()
    }

    #[test]
    fn the_first_purchase_is_no_repeat_and_what_comes_later_is_not_seen() {
        let purchases = bought(&[(10, 5.0), (12, 20.0), (40, 40.0), (90, 7.0)]);
        let seen = Summary::of(&purchases, 50).unwrap();
        assert_eq!(seen, Summary { frequency: 2, recency: 30.0, age: 40.0, monetary: Some(30.0) });
        assert_eq!(Summary::of(&purchases[..3], 50), Some(seen), "cutting the future changes nothing");
        let new = Summary::of(&purchases, 10).unwrap();
        assert_eq!(new, Summary { frequency: 0, recency: 0.0, age: 0.0, monetary: None });
        assert_eq!(Summary::of(&purchases, 9), None);
        assert_eq!(Summary::from_features(seen.features()), seen);
        assert_eq!(Summary::from_features(new.features()), new);
    }

    #[test]
    fn a_refund_counts_from_the_day_on_which_it_was_known() {
        let mut events = bought(&[(10, 5.0), (12, 20.0)]);
        events.push(Event { day: 60, order: 1, value: -20.0 });
        assert_eq!(Summary::of(&events, 59).unwrap().frequency, 1);
        assert_eq!(Summary::of(&events, 60).unwrap().frequency, 0);
    }
}
