//! What a service says of itself: health, the model, its features, the quality of what came in.

use crate::problem::Problem;
use crate::state::DomainState;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use septet_platform::serve::{Answerer, Condition};
use septet_platform::{PlatformError, Published, StepReport};
use serde_json::{Value, json};
use std::sync::Arc;

fn internal(error: &PlatformError) -> Problem {
    tracing::error!(%error, "a page about the service cannot be made");
    Problem::new("internal", "the failure is in the log under this trace id")
}

fn answerer(state: &DomainState) -> Result<Arc<Answerer>, Problem> {
    state.service.answerer().ok_or_else(|| Problem::new("not_ready", state.service.condition().stage))
}

pub async fn livez() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

pub async fn readyz(State(state): State<Arc<DomainState>>) -> Response {
    let condition = state.service.condition();
    let ready = state.ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if ready { "ready" } else { "not ready" };
    let mut response = (status, Json(json!({ "status": word, "stage": condition.stage }))).into_response();
    if !ready {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(1));
    }
    response
}

pub async fn health(State(state): State<Arc<DomainState>>) -> Json<Value> {
    let service = &state.service;
    let condition = service.condition();
    let domain = service.domain().name();
    let run = service.store().newest_run(domain).await;
    let last_run = match &run {
        Ok(Some(run)) => json!({ "run_id": run.run_id, "status": run.status }),
        _ => Value::Null,
    };
    let store = if run.is_ok() { "ok" } else { "failed" };
    let log = if condition.ready { "ok" } else { "unknown" };
    let status = match (state.ready(), store) {
        (true, "ok") => "ok",
        (true, _) => "degraded",
        _ => "unavailable",
    };
    let Condition { stage, uptime, waiting, queue_max, entities, events, newest_event, .. } = condition;
    Json(json!({
        "status": status,
        "domain": domain,
        "program_version": env!("CARGO_PKG_VERSION"),
        "model_version": service.answerer().map(|answerer| answerer.manifest().version.clone()),
        "stage": stage,
        "notes": service.answerer().map(|answerer| answerer.notes.clone()).unwrap_or_default(),
        "uptime_seconds": uptime.as_secs_f64(),
        "dependencies": { "registry": store, "decision_log": log },
        "last_run": last_run,
        "queue": { "waiting": waiting, "capacity": queue_max },
        "windows": { "entities": entities },
        "events_answered": events,
        "newest_event": instant(newest_event),
    }))
}

/// RFC 3339 of microseconds; null for 0.
fn instant(micros: i64) -> Value {
    match micros {
        0 => Value::Null,
        micros => septet_platform::instant_text(micros).map_or(Value::Null, Value::from),
    }
}

pub async fn model_info(State(state): State<Arc<DomainState>>) -> Result<Json<Value>, Problem> {
    let answerer = answerer(&state)?;
    let manifest = answerer.manifest();
    let service = &state.service;
    let record =
        service.store().version(service.domain().name(), &manifest.version).await.map_err(|error| internal(&error))?;
    let card = service.home().version_folder(service.domain().name(), &manifest.version).join("card.md");
    let card = tokio::fs::read_to_string(&card).await.unwrap_or_default();
    Ok(Json(json!({
        "version": manifest.version,
        "kind": manifest.kind,
        "question": manifest.question,
        "target": manifest.target,
        "trained_at": record.as_ref().map(|record| record.created_at.clone()),
        "trained_on": {
            "layout": manifest.layout, "simulated": manifest.simulated, "rows": manifest.data_rows,
            "from": manifest.data_from, "until": manifest.data_until, "fingerprint": manifest.data_fingerprint,
        },
        "task": manifest.task,
        "parameters": manifest.parameters,
        "learned": manifest.learned,
        "metrics": manifest.metrics,
        "decision": manifest.decision,
        "gates": record.map(|record| record.gates),
        "card": card,
    })))
}

pub async fn model_features(State(state): State<Arc<DomainState>>) -> Result<Json<Value>, Problem> {
    let answerer = answerer(&state)?;
    let manifest = answerer.manifest();
    let feature = |(at, feature): (usize, &septet_platform::FeatureSchema)| {
        let importance = manifest.importances.iter().find(|(name, _)| *name == feature.name).map(|(_, share)| *share);
        let (online, reads) = answerer.inputs.source_of(at);
        json!({
            "name": feature.name, "kind": feature.kind, "meaning": feature.meaning, "unit": feature.unit,
            "importance": importance, "online": online, "reads": reads,
        })
    };
    let features: Vec<Value> = manifest.features.iter().enumerate().map(feature).collect();
    Ok(Json(json!({ "version": manifest.version, "features": features })))
}

pub async fn quality(State(state): State<Arc<DomainState>>) -> Result<Json<Value>, Problem> {
    let service = &state.service;
    let published = service.home().published(service.domain().name()).map_err(|error| internal(&error))?;
    let last_run = match published {
        Some(published) => last_extract(&state, &published).await.map_err(|error| internal(&error))?,
        None => Value::Null,
    };
    let counts = service.quality.counts();
    let share = |count: u64| if counts.rows == 0 { 0.0 } else { count as f64 / counts.rows as f64 };
    let missing: Vec<Value> = counts
        .missing
        .iter()
        .map(|(column, count)| json!({ "column": column, "rows": count, "share": share(*count) }))
        .collect();
    let violations: Vec<Value> = counts
        .violations
        .iter()
        .map(|((column, code), count)| json!({ "column": column, "code": code, "rows": count, "share": share(*count) }))
        .collect();
    let condition = service.condition();
    let age = match condition.newest_event {
        0 => None,
        newest => Some((septet_platform::now_micros() - newest) as f64 / 1e6),
    };
    Ok(Json(json!({
        "last_run": last_run,
        "requests": {
            "rows": counts.rows, "refused": counts.refused, "repeated": counts.repeated,
            "missing": missing, "violations": violations, "features": unusual(&state),
        },
        "freshness": { "newest_event": instant(condition.newest_event), "age_seconds": age },
    })))
}

/// Features whose latest values were missing, outside the range of training, or words never seen there.
fn unusual(state: &DomainState) -> Value {
    let Some(answerer) = state.service.answerer() else { return Value::Null };
    let Some(live) = &answerer.live_features else { return Value::Null };
    let features = live.drift().into_iter().map(|column| {
        json!({
            "feature": column.name, "rows": column.rows, "missing_share": column.missing_share,
            "share_outside_training": column.share_outside, "share_unseen_in_training": column.share_unseen,
        })
    });
    Value::Array(features.collect())
}

/// What the extract of the published run counted.
async fn last_extract(state: &DomainState, published: &Published) -> Result<Value, PlatformError> {
    let service = &state.service;
    let text = service.store().step(service.domain().name(), &published.run_id, "extract").await?;
    let Some(report) = text.and_then(|text| serde_json::from_str::<StepReport>(&text).ok()) else {
        return Ok(Value::Null);
    };
    let reasons: Vec<Value> = report.detail["inputs"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|input| input[1]["reasons"].as_array().cloned().unwrap_or_default())
        .map(|reason| json!({ "column": reason[0], "reason": reason[1], "rows": reason[2] }))
        .collect();
    Ok(json!({
        "run_id": published.run_id, "rows_in": report.rows_in, "rows_out": report.rows_out,
        "quarantined": report.quarantined, "reasons": reasons,
    }))
}

/// This domain's own: of another one its own port tells, and of all the hub.
pub async fn metrics(State(state): State<Arc<DomainState>>) -> Response {
    show_metrics(&state);
    metrics_page(crate::metrics::of_domain(&crate::metrics::render(), state.service.domain().name()))
}

/// Brings what is shown, not counted, up to date.
pub fn show_metrics(state: &DomainState) {
    state.metrics.show(&state.service.condition());
    crate::metrics::show_machine(&state.watched.system);
    state.metrics.show_look(state.watched.look().as_deref());
}

pub fn metrics_page(text: String) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
