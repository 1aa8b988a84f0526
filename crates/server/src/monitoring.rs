//! What watching found: performance, drift, alerts, the machine. The looks themselves are made elsewhere; this shows them.

use crate::body::{is_json, read_text};
use crate::problem::{FieldError, Problem};
use crate::state::DomainState;
use axum::Json;
use axum::extract::{Path, Request, State};
use septet_platform::AlertRecord;
use septet_platform::serve::{Document, read_document};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Characters of a name or a note.
const NOTE_CHARACTERS_MAX: usize = 2_000;

fn store_failed(error: &septet_platform::PlatformError) -> Problem {
    tracing::error!(%error, "alerts cannot be read or written");
    Problem::new("internal", "the failure is in the log under this trace id")
}

/// The newest look's parts by name; null until the first look is made.
fn parts(state: &DomainState, names: &[&str]) -> Map<String, Value> {
    let look = state.watched.look();
    names
        .iter()
        .map(|name| ((*name).to_owned(), look.as_ref().map_or(Value::Null, |look| look[*name].clone())))
        .collect()
}

pub async fn performance(State(state): State<Arc<DomainState>>) -> Json<Value> {
    let about = ["version", "as_of", "window", "immature_from", "performance", "panels", "watches", "budget", "notes"];
    let mut page = parts(&state, &about);
    page.insert("trouble".to_owned(), json!(state.watched.trouble()));
    Json(Value::Object(page))
}

/// How far the latest answers are from what the version learned from, and the newest look's verdicts.
pub async fn drift(State(state): State<Arc<DomainState>>) -> Result<Json<Value>, Problem> {
    let answerer = state.service.answerer();
    let answerer = answerer.ok_or_else(|| Problem::new("not_ready", state.service.condition().stage))?;
    let manifest = answerer.manifest();
    let columns = answerer.live_features.as_ref().map(|live| live.drift());
    Ok(Json(json!({
        "version": manifest.version,
        "rows_min": septet_platform::ROWS_MIN,
        "conventions": { "psi_moderate": 0.1, "psi_large": 0.25 },
        "columns": columns,
        "look": parts(&state, &["as_of", "learned", "watched", "drift"]),
    })))
}

pub async fn alerts(State(state): State<Arc<DomainState>>) -> Result<Json<Value>, Problem> {
    let (store, domain) = (state.service.store(), state.service.domain().name());
    let alerts = store.alerts(domain).await.map_err(|error| store_failed(&error))?;
    let deliveries = store.deliveries(domain).await.map_err(|error| store_failed(&error))?;
    let open = alerts.iter().filter(|alert| alert.status != "resolved").count();
    Ok(Json(json!({ "open": open, "alerts": alerts, "deliveries": deliveries })))
}

pub async fn acknowledge(
    State(state): State<Arc<DomainState>>,
    Path(alert_id): Path<String>,
    request: Request,
) -> Result<Json<AlertRecord>, Problem> {
    change(&state, &alert_id, "acknowledged", request).await
}

pub async fn resolve(
    State(state): State<Arc<DomainState>>,
    Path(alert_id): Path<String>,
    request: Request,
) -> Result<Json<AlertRecord>, Problem> {
    change(&state, &alert_id, "resolved", request).await
}

async fn change(
    state: &DomainState,
    alert_id: &str,
    status: &str,
    request: Request,
) -> Result<Json<AlertRecord>, Problem> {
    is_json(request.headers())?;
    let limits = &state.limits;
    let text = read_text(request, limits.body_bytes_max, limits.request_timeout).await?;
    let (by, note) = signed(&text)?;
    let (store, domain) = (state.service.store(), state.service.domain().name());
    let changed =
        store.change_alert(domain, alert_id, status, &by, &note).await.map_err(|error| store_failed(&error))?;
    let alerts = store.alerts(domain).await.map_err(|error| store_failed(&error))?;
    match alerts.into_iter().find(|alert| alert.alert_id == alert_id) {
        None => Err(Problem::new("alert_unknown", "see /monitoring/alerts for what there is")),
        Some(_) if !changed => Err(Problem::new("alert_resolved", "a resolved alert stays as it is")),
        Some(alert) => Ok(Json(alert)),
    }
}

/// Who does it, and a note: `{"by": "ann", "note": "..."}`.
fn signed(text: &str) -> Result<(String, String), Problem> {
    let Document { value: body, twice } = read_document(text, "").map_err(Problem::unread)?;
    if !twice.is_empty() {
        return Err(Problem::contract(twice));
    }
    let Some(fields) = body.as_object() else {
        return Err(broken("", "type", "expected an object with `by` and, if you like, `note`"));
    };
    if let Some(strange) = fields.keys().find(|key| !["by", "note"].contains(&key.as_str())) {
        return Err(broken(
            &format!("/{}", septet_platform::serve::escaped(strange)),
            "unknown",
            "expected `by` and `note`",
        ));
    }
    let text = |name: &str| match fields.get(name) {
        None => Ok(String::new()),
        Some(Value::String(text)) if text.chars().count() > NOTE_CHARACTERS_MAX => {
            Err(broken(&format!("/{name}"), "length", "it is longer than 2,000 characters"))
        }
        Some(Value::String(text)) if text.contains('\0') => {
            Err(broken(&format!("/{name}"), "values", "the character U+0000 cannot be stored"))
        }
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(broken(&format!("/{name}"), "type", "expected a text")),
    };
    let (by, note) = (text("by")?, text("note")?);
    if by.is_empty() { Err(broken("/by", "required", "say who you are")) } else { Ok((by, note)) }
}

fn broken(pointer: &str, code: &'static str, detail: &str) -> Problem {
    let error = FieldError { pointer: pointer.to_owned(), code, detail: detail.to_owned() };
    Problem::new("contract_broken", "one field is wrong").with_errors(vec![error])
}

pub async fn system(State(state): State<Arc<DomainState>>) -> Json<Value> {
    let system = &state.watched.system;
    Json(json!({ "sample": system.newest(), "levels": system.levels() }))
}
