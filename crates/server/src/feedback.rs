//! `/feedback`: the truth that comes later, for one event or many. Telling the same twice changes nothing.

use crate::batch::items_of;
use crate::body::{Media, media, read_text};
use crate::problem::{FieldError, Problem};
use crate::state::DomainState;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use septet_platform::serve::{Cell, Document, EventColumn, EventContract, Feedback, OutcomeStatus, read_document};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;

pub async fn feedback(State(state): State<Arc<DomainState>>, request: Request) -> Result<Response, Problem> {
    let lines = match media(request.headers()) {
        Some(Media::Json) => false,
        Some(Media::JsonLines) => true,
        _ => {
            let detail = "send an object or a list as application/json, or NDJSON as application/x-ndjson";
            return Err(Problem::new("media_type_unsupported", detail));
        }
    };
    let answerer =
        state.service.answerer().ok_or_else(|| Problem::new("not_ready", state.service.condition().stage))?;
    let text = read_text(request, state.limits.batch_bytes_max, 6 * state.limits.request_timeout).await?;
    let single = !lines && !text.trim_start().starts_with('[');
    let rows: Vec<&str> = match (lines, single) {
        (true, _) => text.lines().filter(|line| !line.trim().is_empty()).collect(),
        (false, true) => vec![&text],
        (false, false) => items_of(&text)?.into_iter().map(RawValue::get).collect(),
    };
    if rows.len() > state.limits.rows_max {
        return Err(Problem::new("body_too_large", format!("at most {} rows", state.limits.rows_max)));
    }
    let pointer = |row: usize| if single { String::new() } else { format!("/{row}") };
    let read: Vec<Result<Vec<Feedback>, Problem>> =
        rows.iter().enumerate().map(|(row, text)| read_told(answerer.contract(), text, &pointer(row))).collect();
    let not_json = |(row, told): (usize, &Result<Vec<Feedback>, Problem>)| match told {
        Err(problem) if problem.code == "body_not_json" => Some((row, problem.detail.clone())),
        _ => None,
    };
    // Nothing is taken of a body that is not JSON.
    if let Some((row, detail)) = read.iter().enumerate().find_map(not_json) {
        let detail = if lines { format!("row {}: {detail}", row + 1) } else { detail };
        return Err(Problem::new("body_not_json", detail));
    }
    let told: Vec<Feedback> = read.iter().flatten().flatten().cloned().collect();
    let noted = if told.is_empty() { Ok(Vec::new()) } else { state.service.feedback(told).await };
    let noted = noted.map_err(|refusal| Problem::refusal(&refusal))?;
    noted.iter().for_each(|noted| state.metrics.told(word(*noted)));
    answer(read, noted, single)
}

/// The key, and one truth for each label that is given.
fn read_told(contract: &EventContract, text: &str, pointer: &str) -> Result<Vec<Feedback>, Problem> {
    let Document { value, twice } = read_document(text, pointer).map_err(Problem::unread)?;
    let mut errors: Vec<FieldError> = twice.into_iter().map(FieldError::from).collect();
    let mut wrong = |name: &str, code: &'static str, detail: String| {
        let pointer = format!("{pointer}/{}", septet_platform::serve::escaped(name));
        errors.push(FieldError { pointer, code, detail });
    };
    let empty = serde_json::Map::new();
    let object = value.as_object().unwrap_or(&empty);
    let key_column = &contract.columns[contract.key];
    let key = match object.get(&key_column.name).map(|key| key_column.cell(key)) {
        Some(Ok(Cell::Text(text))) => text,
        Some(Ok(Cell::Integer(number))) => number.to_string(),
        Some(Err((code, detail))) => {
            wrong(&key_column.name, code, detail);
            String::new()
        }
        _ => {
            wrong(&key_column.name, "required", "the key of the event is missing".to_owned());
            String::new()
        }
    };
    let mut told = Vec::new();
    for (name, value) in object.iter().filter(|(name, _)| **name != key_column.name) {
        match contract.columns.iter().position(|column| column.name == *name && column.label()) {
            None => wrong(name, "unknown", "not a label of this domain".to_owned()),
            Some(label) if contract.columns[label].label_from_later_rows() => {
                wrong(name, "label", "made from later rows: send those rows, and the label comes by itself".to_owned())
            }
            Some(label) => match contract.columns[label].cell(value) {
                Ok(cell) => told.push(Feedback { key: key.clone(), label, value: cell, text: value.to_string() }),
                Err((code, detail)) => wrong(name, code, detail),
            },
        }
    }
    let sent = |column: &&EventColumn| column.label() && !column.label_from_later_rows();
    let labels: Vec<&str> = contract.columns.iter().filter(sent).map(|column| column.name.as_str()).collect();
    if labels.is_empty() {
        wrong("", "label", "no label of this domain is sent: all are made from later rows by themselves".to_owned());
    } else if labels.iter().all(|label| !object.contains_key(*label)) {
        wrong(labels.first().unwrap_or(&""), "required", format!("give at least one of {}", labels.join(", ")));
    }
    match errors.is_empty() {
        true => Ok(told),
        false => {
            let detail = format!("{} fields are wrong", errors.len());
            Err(Problem::new("contract_broken", detail).with_errors(errors))
        }
    }
}

fn word(noted: OutcomeStatus) -> &'static str {
    match noted {
        OutcomeStatus::Recorded => "recorded",
        OutcomeStatus::Unchanged => "unchanged",
        OutcomeStatus::Unknown => "unknown",
    }
}

fn answer(
    read: Vec<Result<Vec<Feedback>, Problem>>,
    noted: Vec<OutcomeStatus>,
    single: bool,
) -> Result<Response, Problem> {
    let mut noted = noted.into_iter();
    let mut results = Vec::with_capacity(read.len());
    let mut counts = [("recorded", 0_u64), ("unchanged", 0), ("unknown", 0), ("refused", 0)];
    for (row, told) in read.into_iter().enumerate() {
        let state = match told {
            Err(problem) if single => return Err(problem),
            Err(problem) => {
                results.push(json!({ "row": row, "state": "refused", "problem": problem.to_value() }));
                "refused"
            }
            Ok(told) => {
                let states: Vec<OutcomeStatus> =
                    told.iter().map(|_| noted.next().expect("one for each that was told")).collect();
                let first = states.iter().find(|state| **state == OutcomeStatus::Recorded).or(states.first());
                let state = word(*first.expect("at least one label"));
                if single && state == "unknown" {
                    return Err(Problem::new(
                        "event_unknown",
                        "neither the decision log nor the published history has it",
                    ));
                }
                results.push(json!({ "row": row, "state": state }));
                state
            }
        };
        counts.iter_mut().filter(|(known, _)| *known == state).for_each(|(_, count)| *count += 1);
    }
    let summary: serde_json::Map<String, Value> =
        counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
    let body = json!({ "results": results, "summary": summary });
    let mut response = Response::new(Body::from(body.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
