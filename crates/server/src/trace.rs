//! Middleware: trace id, authentication, concurrency limit, latency metric, one line in the access log, and problems
//! where the router itself says no.

use crate::problem::Problem;
use crate::routes::pattern_of;
use crate::state::DomainState;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use septet_platform::serve::fresh_id;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;
use tracing::info;

/// Hexadecimal digits of a trace; a span has half of them. Source: W3C Trace Context.
const DIGITS: usize = 32;

/// What a request gets before it is routed.
#[derive(Clone)]
pub struct Admitted {
    pub trace_id: Arc<str>,
    /// Its place among the requests at work, given back when the last holder is done.
    _place: Arc<OwnedSemaphorePermit>,
}

/// Addresses that answer without a key: whoever watches a process need not know its secrets.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// `next`: what answers.
pub async fn around<F: Future<Output = Response>>(
    state: &DomainState,
    mut request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let arrived = Instant::now();
    let trace = trace_id(request.headers());
    // The pattern, never what was asked for: an address may hold anything.
    let route = pattern_of(request.uri().path());
    let method = request.method().clone();
    let mut response = match admitted(state, &request, route) {
        Err(problem) => problem.into_response(),
        // Whoever watches the process must hear of it under load too.
        Ok(()) if OPEN.contains(&route) => as_problem(next(request).await),
        Ok(()) => match state.at_work.clone().try_acquire_owned() {
            Err(_) => Problem::new("overloaded", "as many requests as allowed are at work").into_response(),
            Ok(permit) => {
                // A stream goes on when this is over, and takes its place with it.
                request.extensions_mut().insert(Admitted { trace_id: trace.clone(), _place: Arc::new(permit) });
                as_problem(next(request).await)
            }
        },
    };
    let mut span = [0; DIGITS];
    let parent = ["00-", &trace, "-", &fresh_id().simple().encode_lower(&mut span)[DIGITS / 2..], "-01"].concat();
    if let Ok(parent) = HeaderValue::try_from(parent) {
        response.headers_mut().insert("traceparent", parent);
    }
    let status = response.status().as_u16();
    state.metrics.request(route, status, arrived.elapsed());
    let elapsed_us = arrived.elapsed().as_micros() as u64;
    info!(domain = state.service.domain().name(), %method, route, status, elapsed_us, trace_id = %trace, "request");
    response
}

fn admitted(state: &DomainState, request: &Request, route: &str) -> Result<(), Problem> {
    if state.limits.api_keys.is_empty() || OPEN.contains(&route) {
        return Ok(());
    }
    let given = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = given("authorization").and_then(|text| text.strip_prefix("Bearer "));
    let key = bearer.or_else(|| given("x-api-key")).unwrap_or_default();
    match state.limits.api_keys.iter().any(|known| same_secret(known, key)) {
        true => Ok(()),
        false => Err(Problem::new("unauthorized", "send `Authorization: Bearer KEY` or `X-Api-Key: KEY`")),
    }
}

/// Takes equally long wherever the two differ.
fn same_secret(known: &str, given: &str) -> bool {
    let (known, given) = (known.as_bytes(), given.as_bytes());
    let differences = known.iter().zip(given).fold(0, |sum, (a, b)| sum | (a ^ b));
    known.len() == given.len() && differences == 0 && !known.is_empty()
}

/// The router's own refusals have no body of ours.
fn as_problem(response: Response) -> Response {
    let bare = response.headers().get(header::CONTENT_TYPE).is_none();
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED if bare => {
            let allow = response.headers().get(header::ALLOW).cloned();
            let mut problem = Problem::new("method_not_allowed", "see /openapi.json").into_response();
            if let Some(allow) = allow {
                problem.headers_mut().insert(header::ALLOW, allow);
            }
            problem
        }
        StatusCode::NOT_FOUND if bare => {
            Problem::new("not_found", "see /openapi.json for what there is").into_response()
        }
        _ => response,
    }
}

fn trace_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get("traceparent").and_then(|value| value.to_str().ok());
    let parts: Vec<&str> = given.map(|text| text.split('-').collect()).unwrap_or_default();
    match parts.as_slice() {
        ["00", trace, span, _] if hexadecimal(trace, DIGITS) && hexadecimal(span, DIGITS / 2) => Arc::from(*trace),
        _ => Arc::from(&*fresh_id().simple().encode_lower(&mut [0; DIGITS])),
    }
}

fn hexadecimal(text: &str, length: usize) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == length && text.bytes().all(digit) && text.bytes().any(|byte| byte != b'0')
}
