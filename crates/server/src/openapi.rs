//! `/openapi.json` (3.1): made from the contract and the version that answers, with examples that really work.

use crate::problem::{CODES, PROBLEM_JSON, Problem};
use crate::routes::{ROUTES, Route};
use crate::state::DomainState;
use axum::Json;
use axum::extract::{OriginalUri, State};
use septet_domain::{ColumnType, Domain};
use septet_platform::serve::{Answerer, EventColumn, EventContract, KEY_CHARACTERS_MAX, RowsOf, TEXT_CHARACTERS_MAX};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub async fn openapi(
    State(state): State<Arc<DomainState>>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Value>, Problem> {
    let answerer =
        state.service.answerer().ok_or_else(|| Problem::new("not_ready", state.service.condition().stage))?;
    let base = uri.path().strip_suffix("/openapi.json").unwrap_or_default();
    Ok(Json(document(&answerer, base, !state.limits.api_keys.is_empty())))
}

/// The whole document. `base`: path before the domain's own addresses.
pub fn document(answerer: &Answerer, base: &str, with_keys: bool) -> Value {
    let spec = &answerer.domain.spec;
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("Septet: {}", spec.title),
            "version": env!("CARGO_PKG_VERSION"),
            "description": format!("{} Every answer is recorded with its reasons before it is given.", spec.question),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "servers": [{ "url": if base.is_empty() { "/" } else { base } }],
        "paths": paths(answerer),
        "components": { "schemas": schemas(answerer), "responses": problem_responses() },
    });
    if with_keys {
        document["components"]["securitySchemes"] = json!({ "key": { "type": "http", "scheme": "bearer" } });
        document["security"] = json!([{ "key": [] }]);
    }
    document
}

/// Names of the shared answers to what goes wrong, by status.
fn problems(statuses: &[u16]) -> Map<String, Value> {
    let reference =
        |status: &u16| (status.to_string(), json!({ "$ref": format!("#/components/responses/Problem{status}") }));
    statuses.iter().map(reference).collect()
}

fn problem_responses() -> Map<String, Value> {
    let mut responses = Map::new();
    for (_, status, _) in CODES {
        let titles: Vec<String> = CODES
            .iter()
            .filter(|(_, s, _)| *s == status)
            .map(|(code, _, title)| format!("`{code}`: {title}"))
            .collect();
        let mut response = json!({
            "description": titles.join("; "),
            "content": { PROBLEM_JSON: { "schema": { "$ref": "#/components/schemas/Problem" } } },
        });
        if status == 503 {
            response["headers"] =
                json!({ "Retry-After": { "schema": { "type": "integer" }, "description": "seconds" } });
        }
        responses.insert(format!("Problem{status}"), response);
    }
    responses
}

fn answered(description: &str, media: &str, schema: Value, others: &[u16]) -> Value {
    let mut responses = problems(others);
    responses
        .insert("200".to_owned(), json!({ "description": description, "content": { media: { "schema": schema } } }));
    Value::Object(responses)
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A row of a batch: one that breaks its schema is refused by itself, and the others are answered.
fn by_itself(name: &str) -> Value {
    json!({ "anyOf": [reference(name), {}], "description": format!("{name}; a row that breaks it is refused by itself") })
}

fn paths(answerer: &Answerer) -> Map<String, Value> {
    let told = |route: &Route| {
        let mut operations = route.operation?(answerer);
        for operation in operations.as_object_mut()?.values_mut() {
            operation["tags"] = json!([tag(route.path)]);
        }
        Some((route.path.to_owned(), operations))
    };
    ROUTES.iter().filter_map(told).collect()
}

/// Groups of addresses, with what they are for.
const TAGS: [(&str, &str); 4] = [
    ("answers", "Rows in, answers out, and the truth that came later"),
    ("model", "The version that answers"),
    ("monitoring", "Quality, drift, performance and alerts"),
    ("service", "Whether it is up, and its metrics"),
];

fn tag(path: &str) -> &'static str {
    match path.split('/').nth(1) {
        Some("predict" | "feedback") => "answers",
        Some("model") => "model",
        Some("monitoring") => "monitoring",
        _ => "service",
    }
}

/// A page that is read.
pub fn page(id: &str, summary: &str, others: &[u16]) -> Value {
    let responses = answered(summary, "application/json", crate::pages::schema(id), others);
    json!({ "get": { "operationId": id, "summary": summary, "responses": responses } })
}

fn explain() -> Value {
    json!({
        "name": "explain", "in": "query", "required": false, "schema": { "type": "string", "enum": ["short", "full"] },
        "description": "`full` gives the contribution of every feature",
    })
}

pub fn predict(answerer: &Answerer) -> Value {
    let idempotency = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "schema": { "type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$" },
        "description": "the same key and request get the same answer, counted once; the event's own key does the same",
    });
    let asked = [400, 401, 405, 409, 413, 415, 422, 500, 503, 504];
    json!({ "post": {
        "operationId": "predict", "summary": answerer.domain.spec.question,
        "parameters": [explain(), idempotency],
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": reference("Event"), "example": example(answerer) } } },
        "responses": answered("the answer", "application/json", reference("Answer"), &asked),
    }})
}

pub fn predict_batch(answerer: &Answerer) -> Value {
    let lines = "one object a line; one line of answer for each, in order, then one with `summary`";
    json!({ "post": {
        "operationId": "predictBatch", "summary": "Many events; an answer or an error for each",
        "parameters": [explain()],
        "requestBody": { "required": true, "content": {
            "application/json": {
                "schema": { "type": "array", "items": by_itself("Event") }, "example": [example(answerer)] },
            "application/x-ndjson": { "schema": { "description": lines } },
            "text/csv": { "schema": { "description": "a header with column names, then rows" } },
        }},
        "responses": batch_responses(lines),
    }})
}

/// Null where no truth can be told: all labels are made from later rows.
pub fn feedback(answerer: &Answerer) -> Value {
    if !answerer.contract().columns.iter().any(is_told) {
        return Value::Null;
    }
    json!({ "post": {
        "operationId": "feedback", "summary": "The truth that came later, for one event or many",
        "requestBody": { "required": true, "content": {
            "application/json": { "schema": { "oneOf": [
                reference("Outcome"), { "type": "array", "items": by_itself("Outcome") } ] },
                "example": outcome_example(answerer) },
            "application/x-ndjson": { "schema": { "description": "one object a line" } },
        }},
        "responses": answered("what became of each", "application/json", reference("OutcomeResults"),
            &[400, 401, 404, 405, 413, 415, 422, 500, 503, 504]),
    }})
}

pub fn readyz() -> Value {
    let any = crate::pages::schema("readyz");
    json!({ "get": { "operationId": "readyz", "summary": "200 while it answers", "responses": {
        "200": { "description": "ready", "content": { "application/json": { "schema": any } } },
        "503": { "description": "not ready, and why", "content": {
            "application/json": { "schema": any },
            PROBLEM_JSON: { "schema": reference("Problem") } } },
    }}})
}

pub fn metrics() -> Value {
    let responses = answered("metrics", "text/plain", json!({ "type": "string" }), &[401, 503]);
    json!({ "get": { "operationId": "metrics", "summary": "Prometheus metrics", "responses": responses } })
}

pub fn alert_action(id: &str, summary: &str) -> Value {
    json!({ "post": {
        "operationId": id, "summary": summary,
        "parameters": [{ "name": "alert_id", "in": "path", "required": true, "schema": { "type": "string" } }],
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": reference("Signature"), "example": { "by": "ann", "note": "known since the campaign" } } } },
        "responses": answered("the alert as it stands now", "application/json", json!({ "type": "object" }),
            &[400, 401, 404, 405, 409, 413, 415, 422, 500, 503, 504]),
    }})
}

fn batch_responses(lines: &str) -> Value {
    let mut responses = answered(
        "an answer a row",
        "application/json",
        reference("Answers"),
        &[400, 401, 405, 413, 415, 500, 503, 504],
    );
    responses["200"]["content"]["application/x-ndjson"] =
        json!({ "schema": { "type": "string", "description": lines } });
    responses
}

fn schemas(answerer: &Answerer) -> Value {
    let contract = answerer.contract();
    json!({
        "Event": event_schema(&answerer.domain, contract),
        "Outcome": outcome_schema(contract),
        "OutcomeResults": { "type": "object", "required": ["results", "summary"], "properties": {
            "results": { "type": "array", "items": { "type": "object", "required": ["row", "state"], "properties": {
                "row": { "type": "integer" },
                "state": { "type": "string", "enum": ["recorded", "unchanged", "unknown", "refused"] },
                "problem": reference("Problem") } } },
            "summary": { "type": "object", "additionalProperties": { "type": "integer" } } } },
        "Signature": { "type": "object", "required": ["by"], "additionalProperties": false, "properties": {
            "by": { "type": "string", "minLength": 1, "maxLength": 2000, "pattern": "^[^\\u0000]*$" },
            "note": { "type": "string", "maxLength": 2000, "pattern": "^[^\\u0000]*$" } } },
        "Answer": answer_schema(answerer),
        "Answers": { "type": "object", "required": ["results", "summary"], "properties": {
            "results": { "type": "array", "items": { "type": "object" } }, "summary": { "type": "object" } } },
        "Problem": { "type": "object", "required": ["type", "title", "status", "code", "detail"], "properties": {
            "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
            "code": { "type": "string" }, "detail": { "type": "string" },
            "errors": { "type": "array", "items": { "type": "object", "required": ["pointer", "code", "detail"], "properties": {
                "pointer": { "type": "string", "description": "JSON pointer to the field" },
                "code": { "type": "string" }, "detail": { "type": "string" } } } } } },
    })
}

fn event_schema(domain: &Domain, contract: &EventContract) -> Value {
    let (_, input) = domain.spec.first_input();
    let key = &contract.columns[contract.key];
    let columns = contract.columns.iter().filter(|column| !column.label());
    let properties: Map<String, Value> =
        columns.clone().map(|column| (column.name.clone(), column_schema(column, column.name == key.name))).collect();
    let required: Vec<&str> = columns.filter(|column| column.required()).map(|column| column.name.as_str()).collect();
    let mut schema = json!({
        "type": "object", "description": input.grain, "properties": properties, "required": required,
        "additionalProperties": false,
    });
    let alternatives = contract.alternatives();
    if !alternatives.is_empty() {
        schema["description"] = json!("one key: looked up, or with its rows, or told by its numbers");
        let ways = alternatives.iter().map(|fields| json!({ "required": fields }));
        schema["oneOf"] = ways.collect();
    }
    schema
}

/// A list of rows that a request may bring.
fn rows_schema(column: &EventColumn, of: &RowsOf) -> Value {
    let properties: Map<String, Value> =
        of.columns.iter().map(|column| (column.name.clone(), column_schema(column, false))).collect();
    let required: Vec<&str> =
        of.columns.iter().filter(|column| column.required()).map(|column| column.name.as_str()).collect();
    let row = json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    });
    let meaning = column.spec.as_ref().and_then(|spec| spec.meaning.clone());
    json!({
        "type": ["array", "null"], "minItems": 1, "maxItems": of.rows_max, "items": row, "description": meaning,
    })
}

fn column_schema(column: &EventColumn, key: bool) -> Value {
    if let Some(of) = &column.rows {
        return rows_schema(column, of);
    }
    let mut schema = match column.kind {
        ColumnType::Text => json!({ "type": "string", "maxLength": TEXT_CHARACTERS_MAX, "pattern": "^[^\\u0000]*$" }),
        ColumnType::Number => json!({ "type": "number" }),
        ColumnType::Integer => {
            json!({ "type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX })
        }
        // As files may write it: one meaning of yes and no everywhere.
        ColumnType::Bool => json!({ "anyOf": [
            { "type": "boolean" },
            { "type": "integer", "enum": [0, 1] },
            { "type": "string", "pattern": "^\\s*([Tt]([Rr][Uu][Ee])?|[Ff]([Aa][Ll][Ss][Ee])?|[Yy]([Ee][Ss])?|[Nn][Oo]?|[01](\\.0)?)\\s*$" },
        ] }),
        ColumnType::Timestamp => {
            json!({ "type": "string", "format": "date-time", "description": "UTC if it names no zone" })
        }
    };
    if column.required() && column.kind == ColumnType::Text {
        schema["minLength"] = json!(1);
    }
    if key {
        schema["maxLength"] = json!(KEY_CHARACTERS_MAX);
    }
    let Some(spec) = &column.spec else { return nullable(column, schema) };
    if let Some(values) = &spec.values {
        schema = json!({ "type": "string", "enum": values });
    }
    if let Some(min) = spec.min {
        schema["minimum"] = json!(min);
    }
    if let Some(max) = spec.max {
        schema["maximum"] = json!(max);
    }
    let unit = spec.unit.as_ref().map(|unit| format!(" ({unit})")).unwrap_or_default();
    if let Some(meaning) = &spec.meaning {
        schema["description"] = json!(format!("{meaning}{unit}"));
    }
    nullable(column, schema)
}

/// An optional column may be null as well as absent.
fn nullable(column: &EventColumn, mut schema: Value) -> Value {
    if column.required() || column.label() {
        return schema;
    }
    if let Some(ways) = schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        ways.push(json!({ "type": "null" }));
        return schema;
    }
    schema["type"] = json!([schema["type"], "null"]);
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.push(Value::Null);
    }
    schema
}

/// Whether it is a label that is told by feedback.
fn is_told(column: &EventColumn) -> bool {
    column.label() && !column.label_from_later_rows()
}

fn outcome_schema(contract: &EventContract) -> Value {
    let key = &contract.columns[contract.key];
    let labels = contract.columns.iter().filter(|column| is_told(column));
    let mut properties: Map<String, Value> =
        labels.map(|column| (column.name.clone(), column_schema(column, false))).collect();
    properties.insert(key.name.clone(), column_schema(key, true));
    let least = properties.len().min(2);
    json!({
        "type": "object", "properties": properties, "required": [key.name],
        "minProperties": least, "additionalProperties": false,
    })
}

fn answer_schema(answerer: &Answerer) -> Value {
    json!({ "type": "object",
        "required": ["request_id", "domain", "model", "prediction", "decision", "reasons", "answer", "warnings", "timing_us"],
        "properties": {
            "request_id": { "type": "string", "format": "uuid" },
            "domain": { "const": answerer.domain.name() },
            "model": { "type": "object", "required": ["version", "kind"], "properties": {
                "version": { "type": "string" }, "kind": { "type": "string" } } },
            "prediction": prediction_schema(answerer),
            "decision": { "type": ["object", "null"], "required": ["action", "threshold", "rules"], "properties": {
                "action": { "type": "string" }, "threshold": { "type": ["number", "null"] },
                "rules": { "type": "array", "items": { "type": "string" }, "description": "rules that held, by name" } } },
            "reasons": { "type": "array", "items": { "type": "object",
                "required": ["feature", "value", "contribution", "text"], "properties": {
                    "feature": { "type": "string" }, "value": {},
                    "contribution": { "type": "number", "description": "log-odds (SHAP)" }, "text": { "type": "string" } } } },
            "answer": { "type": "object", "description": "the domain's own fields" },
            "warnings": { "type": "array", "items": { "type": "string" } },
            "timing_us": { "type": "integer", "description": "microseconds from the request's head to the reply's" },
        }
    })
}

fn prediction_schema(answerer: &Answerer) -> Value {
    let manifest = answerer.manifest();
    let target = json!({ "const": manifest.probability_of.as_ref().unwrap_or(&manifest.target) });
    let (name, of) = match manifest.task.as_str() {
        "number" => ("value", json!({ "type": "number" })),
        _ => ("probability", json!({ "type": "number", "minimum": 0, "maximum": 1, "description": "calibrated" })),
    };
    let mut schema =
        json!({ "type": "object", "required": ["target", name], "properties": { "target": target, name: of } });
    if manifest.task == "label" {
        let end = json!({ "type": "number", "minimum": 0, "maximum": 1 });
        schema["properties"]["interval"] = json!({ "type": "object", "required": ["low", "high"],
            "description": "around the probability: holds the true share of positives among rows of this score, for nine of ten rows",
            "properties": { "low": end, "high": end } });
        schema["required"] = json!(["target", name, "interval"]);
    }
    schema
}

/// A request that works: the first of the domain's cases, or one made from the contract.
pub fn example(answerer: &Answerer) -> Value {
    let cases = answerer
        .domain
        .files_in("cases", ".json")
        .next()
        .and_then(|(_, text)| serde_json::from_str::<Value>(text).ok());
    let event = cases.as_ref().map(|cases| &cases[0]["event"]).and_then(Value::as_object);
    let fits = |event: &&Map<String, Value>| {
        let value = Value::Object((*event).clone());
        answerer.contract().read(&value, String::new(), "").is_ok()
    };
    match event.filter(fits) {
        Some(event) => with_full_times(answerer.contract(), event.clone()),
        None => {
            let columns = answerer.contract().columns.iter().filter(|column| column.required());
            Value::Object(columns.map(|column| (column.name.clone(), sample(column))).collect())
        }
    }
}

/// The same with its times as RFC 3339 writes them, which `date-time` asks for.
fn with_full_times(contract: &EventContract, mut event: Map<String, Value>) -> Value {
    for column in contract.columns.iter().filter(|column| column.kind == ColumnType::Timestamp) {
        let Some(Value::String(text)) = event.get_mut(&column.name) else { continue };
        if let Some(full) = septet_platform::rfc3339(text) {
            *text = full;
        }
    }
    Value::Object(event)
}

fn sample(column: &EventColumn) -> Value {
    let spec = column.spec.as_ref();
    match column.kind {
        ColumnType::Text => spec.and_then(|spec| spec.values.clone()).map_or(json!("a1"), |values| json!(values[0])),
        ColumnType::Number => json!(spec.and_then(|spec| spec.min).unwrap_or(1.0)),
        ColumnType::Integer => json!(spec.and_then(|spec| spec.min).unwrap_or(1.0) as i64),
        ColumnType::Bool => json!(true),
        ColumnType::Timestamp => json!("2026-03-02T12:00:00Z"),
    }
}

fn outcome_example(answerer: &Answerer) -> Value {
    let contract = answerer.contract();
    let key = &contract.columns[contract.key].name;
    let mut outcome = Map::from_iter([(key.clone(), example(answerer)[key].clone())]);
    for label in contract.columns.iter().filter(|column| is_told(column)) {
        outcome.insert(label.name.clone(), sample(label));
    }
    Value::Object(outcome)
}
