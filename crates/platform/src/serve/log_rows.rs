//! Rows of the decision log: what they hold, and how they stand in SQLite, in PostgreSQL and in Arrow.

use crate::PlatformError;
use rusqlite::{Connection, Row};
use septet_tables::arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use std::sync::Arc;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Place in the log, rising; given by the log.
    pub sequence: i64,
    pub request_id: Arc<str>,
    /// The key of the event.
    pub key: Arc<str>,
    pub idempotency_key: Option<String>,
    pub trace_id: Arc<str>,
    /// Microseconds since 1970 UTC.
    pub event_time: i64,
    pub answered_at: i64,
    pub version: Arc<str>,
    /// The run whose published tables the windows were built on.
    pub run_id: Arc<str>,
    /// The request's JSON object as it came.
    pub input: Arc<str>,
    /// JSON list in the order of the version's features.
    pub features: String,
    pub probability: f64,
    pub action: Option<String>,
    /// The reply's JSON without its timing and its closing brace.
    pub answer: Arc<str>,
}

/// What windows need of an answer.
#[derive(Clone, Debug)]
pub struct LoggedEvent {
    pub sequence: i64,
    pub key: String,
    /// The request's JSON object as it came.
    pub input: String,
}

/// The truth of one event, as it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub key: String,
    pub label: String,
    /// JSON value.
    pub value: String,
    pub told_at: i64,
}

pub(super) const DECISION_COLUMNS: &str = "sequence, request_id, key, idempotency_key, trace_id, event_time, answered_at, version, \
     run_id, input, features, probability, action, answer";

pub(super) fn store_error(error: impl std::fmt::Display) -> PlatformError {
    PlatformError::Store(format!("decision log: {error}"))
}

pub(super) fn decisions_batch(decisions: &[Decision]) -> Result<RecordBatch, PlatformError> {
    let text = |of: fn(&Decision) -> &str| -> ArrayRef {
        Arc::new(decisions.iter().map(|d| Some(of(d))).collect::<StringArray>())
    };
    let time = |of: fn(&Decision) -> i64| -> ArrayRef {
        Arc::new(decisions.iter().map(|d| Some(of(d))).collect::<TimestampMicrosecondArray>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("sequence", Arc::new(decisions.iter().map(|d| Some(d.sequence)).collect::<Int64Array>())),
        ("request_id", text(|d| &d.request_id)),
        ("key", text(|d| &d.key)),
        ("event_time", time(|d| d.event_time)),
        ("answered_at", time(|d| d.answered_at)),
        ("version", text(|d| &d.version)),
        ("run_id", text(|d| &d.run_id)),
        ("trace_id", text(|d| &d.trace_id)),
        ("probability", Arc::new(decisions.iter().map(|d| Some(d.probability)).collect::<Float64Array>())),
        ("action", Arc::new(decisions.iter().map(|d| d.action.as_deref()).collect::<StringArray>())),
        ("input", text(|d| &d.input)),
        ("features", text(|d| &d.features)),
        ("answer", Arc::new(decisions.iter().map(|d| Some(format!("{}}}", d.answer))).collect::<StringArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .map_err(store_error)
}

pub(super) fn outcomes_batch(outcomes: &[Outcome]) -> Result<RecordBatch, PlatformError> {
    let text = |of: fn(&Outcome) -> &str| -> ArrayRef {
        Arc::new(outcomes.iter().map(|o| Some(of(o))).collect::<StringArray>())
    };
    let told: ArrayRef = Arc::new(outcomes.iter().map(|o| Some(o.told_at)).collect::<TimestampMicrosecondArray>());
    let columns =
        [("key", text(|o| &o.key)), ("label", text(|o| &o.label)), ("value", text(|o| &o.value)), ("told_at", told)];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .map_err(store_error)
}

pub(super) fn decision_of(row: &Row) -> rusqlite::Result<Decision> {
    Ok(Decision {
        sequence: row.get(0)?,
        request_id: row.get(1)?,
        key: row.get(2)?,
        idempotency_key: row.get(3)?,
        trace_id: row.get(4)?,
        event_time: row.get(5)?,
        answered_at: row.get(6)?,
        version: row.get(7)?,
        run_id: row.get(8)?,
        input: row.get(9)?,
        features: row.get(10)?,
        probability: row.get(11)?,
        action: row.get(12)?,
        answer: row.get(13)?,
    })
}

pub(super) fn decision_of_postgres(row: &tokio_postgres::Row) -> Result<Decision, PlatformError> {
    let text = |at: usize| row.try_get::<_, String>(at).map_err(store_error);
    let number = |at: usize| row.try_get::<_, i64>(at).map_err(store_error);
    Ok(Decision {
        sequence: number(0)?,
        request_id: text(1)?.into(),
        key: text(2)?.into(),
        idempotency_key: row.try_get(3).map_err(store_error)?,
        trace_id: text(4)?.into(),
        event_time: number(5)?,
        answered_at: number(6)?,
        version: text(7)?.into(),
        run_id: text(8)?.into(),
        input: text(9)?.into(),
        features: text(10)?,
        probability: row.try_get(11).map_err(store_error)?,
        action: row.try_get(12).map_err(store_error)?,
        answer: text(13)?.into(),
    })
}

pub(super) fn append_sqlite(
    connection: &mut Connection,
    domain: &str,
    decisions: &[&Decision],
    outcomes: &[&Outcome],
) -> Result<(), PlatformError> {
    let transaction = connection.transaction().map_err(store_error)?;
    {
        let sql = format!(
            "INSERT INTO {domain}_decisions (request_id, key, idempotency_key, trace_id, event_time, answered_at, version, \
             run_id, input, features, probability, action, answer) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        );
        let mut insert = transaction.prepare_cached(&sql).map_err(store_error)?;
        for d in decisions {
            let values = rusqlite::params![
                d.request_id,
                d.key,
                d.idempotency_key,
                d.trace_id,
                d.event_time,
                d.answered_at,
                d.version,
                d.run_id,
                d.input,
                d.features,
                d.probability,
                d.action,
                d.answer
            ];
            insert.execute(values).map_err(store_error)?;
        }
        let sql = format!("INSERT INTO {domain}_outcomes (key, label, value, told_at) VALUES (?, ?, ?, ?)");
        let mut insert = transaction.prepare_cached(&sql).map_err(store_error)?;
        for outcome in outcomes {
            let values = rusqlite::params![outcome.key, outcome.label, outcome.value, outcome.told_at];
            insert.execute(values).map_err(store_error)?;
        }
    }
    transaction.commit().map_err(store_error)
}

/// One statement a table: columns travel as arrays, so that a commit is two round trips however much waits.
pub(super) async fn append_postgres(
    client: &mut Client,
    domain: &str,
    decisions: &[&Decision],
    outcomes: &[&Outcome],
) -> Result<(), PlatformError> {
    let transaction = client.transaction().await.map_err(store_error)?;
    if !decisions.is_empty() {
        let sql = format!(
            "INSERT INTO {domain}_decisions (request_id, key, idempotency_key, trace_id, event_time, answered_at, version, \
             run_id, input, features, probability, action, answer) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], \
             $8::text[], $9::text[], $10::text[], $11::float8[], $12::text[], $13::text[])"
        );
        let own = || decisions.iter().copied();
        let text = |of: fn(&Decision) -> &str| own().map(of).collect::<Vec<&str>>();
        let maybe = |of: fn(&Decision) -> Option<&str>| own().map(of).collect::<Vec<Option<&str>>>();
        let number = |of: fn(&Decision) -> i64| own().map(of).collect::<Vec<i64>>();
        let values: [&(dyn ToSql + Sync); 13] = [
            &text(|d| &d.request_id),
            &text(|d| &d.key),
            &maybe(|d| d.idempotency_key.as_deref()),
            &text(|d| &d.trace_id),
            &number(|d| d.event_time),
            &number(|d| d.answered_at),
            &text(|d| &d.version),
            &text(|d| &d.run_id),
            &text(|d| &d.input),
            &text(|d| &d.features),
            &decisions.iter().map(|d| d.probability).collect::<Vec<f64>>(),
            &maybe(|d| d.action.as_deref()),
            &text(|d| &d.answer),
        ];
        transaction.execute(&sql, &values).await.map_err(store_error)?;
    }
    for outcome in outcomes {
        let sql = format!("INSERT INTO {domain}_outcomes (key, label, value, told_at) VALUES ($1, $2, $3, $4)");
        let types = [Type::TEXT, Type::TEXT, Type::TEXT, Type::INT8];
        let insert = transaction.prepare_typed(&sql, &types).await.map_err(store_error)?;
        let values: [&(dyn ToSql + Sync); 4] = [&outcome.key, &outcome.label, &outcome.value, &outcome.told_at];
        transaction.execute(&insert, &values).await.map_err(store_error)?;
    }
    transaction.commit().await.map_err(store_error)
}
