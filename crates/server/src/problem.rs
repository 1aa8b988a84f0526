//! What goes wrong, as a program can read it: RFC 9457 problems. One table of codes, one place that turns an error into a
//! status; a code is never renamed.

use crate::body::CODINGS;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use septet_platform::serve::{Refusal, Unread, Violation};
use serde::Serialize;
use serde_json::{Value, json};

/// Media type of a problem. Source: RFC 9457.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Code, status, title.
type Entry = (&'static str, u16, &'static str);

pub const CODES: [Entry; 22] = [
    ("body_not_json", 400, "The body is not JSON"),
    ("body_not_text", 400, "The body is not the text its media type promises"),
    ("query_not_known", 400, "The query string has something this address does not take"),
    ("header_not_valid", 400, "A header cannot be read"),
    ("unauthorized", 401, "The API key is missing or not one of ours"),
    ("not_found", 404, "There is nothing at this address"),
    ("event_unknown", 404, "No event has this key"),
    ("alert_unknown", 404, "No alert has this id"),
    ("method_not_allowed", 405, "This address takes other methods"),
    ("event_in_future", 409, "The event's time is ahead of the clock"),
    ("key_conflict", 409, "The key stands for another request"),
    ("alert_resolved", 409, "The alert is resolved"),
    ("body_too_large", 413, "The body is larger than allowed"),
    ("media_type_unsupported", 415, "The media type is not one this address takes"),
    ("coding_unsupported", 415, "The body is packed in a way this address does not take"),
    ("contract_broken", 422, "The request breaks the contract"),
    ("internal", 500, "Something broke on our side"),
    ("model_failed", 500, "The model could not answer"),
    ("overloaded", 503, "Too much waits already"),
    ("not_ready", 503, "Not ready to answer yet"),
    ("log_unavailable", 503, "The answer could not be recorded, so there is none"),
    ("timeout", 504, "The answer took longer than allowed"),
];

/// Seconds after which it is worth asking again.
const RETRY_AFTER_SECONDS: u32 = 1;

#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    pub title: &'static str,
    pub status: u16,
    pub code: &'static str,
    pub detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

/// One thing that is wrong with one field.
#[derive(Clone, Debug, Serialize)]
pub struct FieldError {
    pub pointer: String,
    pub code: &'static str,
    pub detail: String,
}

impl Problem {
    /// `code` is one of [`CODES`].
    pub fn new(code: &str, detail: impl Into<String>) -> Problem {
        let fallback = CODES.iter().find(|(known, ..)| *known == "internal").unwrap_or(&CODES[0]);
        let &(code, status, title) = CODES.iter().find(|(known, ..)| *known == code).unwrap_or(fallback);
        Problem { kind: format!("/problems/{code}"), title, status, code, detail: detail.into(), errors: Vec::new() }
    }

    pub fn contract(violations: Vec<Violation>) -> Problem {
        let detail = match violations.len() {
            1 => "one field is wrong".to_owned(),
            count => format!("{count} fields are wrong"),
        };
        let errors = violations.into_iter().map(FieldError::from).collect();
        Problem::new("contract_broken", detail).with_errors(errors)
    }

    pub fn unread(unread: Unread) -> Problem {
        match unread {
            Unread::NotJson(reason) => Problem::new("body_not_json", reason),
            Unread::Violations(violations) => Problem::contract(violations),
        }
    }

    pub fn with_errors(self, errors: Vec<FieldError>) -> Problem {
        Problem { errors, ..self }
    }

    pub fn refusal(refusal: &Refusal) -> Problem {
        match refusal {
            Refusal::Overloaded => Problem::new("overloaded", "the queue is full; ask again later"),
            Refusal::NotReady => {
                Problem::new("not_ready", "the windows are being rebuilt, or the service is stopping; see /readyz")
            }
            Refusal::Conflict { field } => Problem::new(
                "key_conflict",
                format!("this {field} came before with another request; an event is answered once"),
            ),
            Refusal::Future { ahead_seconds } => Problem::new(
                "event_in_future",
                format!("the event is {ahead_seconds} s ahead of the clock, more than clock_skew_max allows"),
            ),
            Refusal::LogUnavailable => {
                Problem::new("log_unavailable", "the decision log cannot be written or read; ask again later")
            }
            Refusal::ModelFailed => Problem::new(
                "model_failed",
                "the model, a feature, a rule or answer.sql failed on these values; nothing was recorded, and the windows are \
                 rebuilt",
            ),
            Refusal::Internal => Problem::new("internal", "the failure is in the log under this trace id"),
        }
    }

    pub fn to_value(&self) -> Value {
        json!(self)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.status == 503 {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if self.code == "coding_unsupported" {
            response.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(CODINGS));
        }
        if self.status == 401 {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Violation> for FieldError {
    fn from(violation: Violation) -> FieldError {
        let Violation { pointer, code, detail } = violation;
        FieldError { pointer, code, detail }
    }
}

/// The page `docs/reference/problems.md`.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Problems\n\nGenerated by `septet reference problems`; do not edit. Every error is `application/problem+json` \
         (RFC 9457) with `code`, `status`, `title`, `detail` and, for `contract_broken`, `errors`: a list of `pointer` (JSON \
         pointer to the field), `code` (`required`, `type`, `range`, `values`, `length`, `unknown`, `label`, `repeated`) and `detail`. 503 \
         comes with `Retry-After`.\n\n| code | status | title |\n|---|---|---|\n",
    );
    for (code, status, title) in CODES {
        page.push_str(&format!("| `{code}` | {status} | {title} |\n"));
    }
    page
}
