//! `/predict`, one event at a time: read, ask the engine, pass on what it says.

use crate::body::{is_json, read_text};
use crate::problem::Problem;
use crate::state::DomainState;
use crate::trace::Admitted;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use septet_platform::serve::{Event, EventContract, Reply, RequestOptions, Unread};
use std::sync::Arc;
use std::time::Instant;

/// Characters of an `Idempotency-Key`: a UUID has 36.
const IDEMPOTENCY_KEY_MAX: usize = 200;

/// What is said of the time in a reply's body, and in its header; and the headers of a reply, those that go around it too.
const TIMING_BYTES: usize = 32;
const SERVER_TIMING_BYTES: usize = 160;
const HEADERS: usize = 8;

pub async fn predict(State(state): State<Arc<DomainState>>, request: Request) -> Result<Response, Problem> {
    let arrived = Instant::now();
    let wish = wish(&request)?;
    is_json(request.headers())?;
    let text = read_text(request, state.limits.body_bytes_max, state.limits.request_timeout).await?;
    let event = read_event(&state, |contract| contract.read_json(&text, ""))?;
    let parse_us = arrived.elapsed().as_micros() as u64;
    let asked = state.service.predict(vec![(event, wish)], false);
    let replies = tokio::time::timeout(state.limits.request_timeout, asked).await;
    let replies = replies
        .map_err(|_| Problem::new("timeout", "the answer is recorded when it comes; ask again with the same key"))?;
    let reply = replies.map_err(|refusal| Problem::refusal(&refusal))?.swap_remove(0);
    let reply = reply.map_err(|refusal| Problem::refusal(&refusal))?;
    count(&state, &reply);
    Ok(respond(&reply, parse_us, arrived))
}

/// What a request wants, from its query string and its headers.
pub fn wish(request: &Request) -> Result<RequestOptions, Problem> {
    let explain_fully = match request.uri().query() {
        None | Some("") => false,
        Some("explain=full") => true,
        Some("explain=short") => false,
        Some(_) => return Err(Problem::new("query_not_known", "this address takes `explain=full` or `explain=short`")),
    };
    let trace_id = request.extensions().get::<Admitted>().map(|admitted| admitted.trace_id.clone()).unwrap_or_default();
    Ok(RequestOptions { explain_fully, idempotency_key: idempotency_key(request.headers())?, trace_id })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Problem::new("header_not_valid", "Idempotency-Key is given more than once"));
    }
    match value.to_str() {
        Ok(text)
            if !text.is_empty() && text.len() <= IDEMPOTENCY_KEY_MAX && text.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            Ok(Some(text.to_owned()))
        }
        _ => {
            let detail =
                format!("Idempotency-Key has 1 to {IDEMPOTENCY_KEY_MAX} visible ASCII characters and no space");
            Err(Problem::new("header_not_valid", detail))
        }
    }
}

/// One event, counted among what came; or a problem with all that is wrong with it.
pub fn read_event(
    state: &DomainState,
    read: impl FnOnce(&EventContract) -> Result<Event, Unread>,
) -> Result<Event, Problem> {
    let answerer =
        state.service.answerer().ok_or_else(|| Problem::new("not_ready", state.service.condition().stage))?;
    match read(answerer.contract()) {
        Ok(event) => {
            state.service.quality.taken(answerer.contract(), &event);
            Ok(event)
        }
        Err(unread) => {
            if let Unread::Violations(violations) = &unread {
                state.service.quality.refused(Some(answerer.contract()), violations);
                state.metrics.refused.increment(1);
            }
            Err(Problem::unread(unread))
        }
    }
}

pub fn count(state: &DomainState, reply: &Reply) {
    match reply.repeated {
        true => state.service.quality.repeated(),
        false => state.metrics.answered(reply.answered.action.as_deref()),
    }
}

fn respond(reply: &Reply, parse_us: u64, arrived: Instant) -> Response {
    let timing = &reply.timing;
    let total_us = arrived.elapsed().as_micros() as u64;
    let mut body = String::with_capacity(reply.answered.text.len() + TIMING_BYTES);
    body.push_str(&reply.answered.text);
    body.push_str(",\"timing_us\":");
    push_number(&mut body, total_us);
    body.push('}');
    let parts = [
        ("parse;dur=", parse_us),
        (", wait;dur=", timing.waited.into()),
        (", features;dur=", timing.features.into()),
        (", model;dur=", timing.model.into()),
        (", explain;dur=", timing.explain.into()),
        (", log;dur=", timing.log.into()),
        (", total;dur=", total_us),
    ];
    let mut server_timing = String::with_capacity(SERVER_TIMING_BYTES);
    for (name, us) in parts {
        server_timing.push_str(name);
        push_millis(&mut server_timing, us);
    }
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let text = |text: Result<HeaderValue, _>| text.unwrap_or(HeaderValue::from_static(""));
    headers.insert("server-timing", text(HeaderValue::try_from(server_timing)));
    headers.insert("x-request-id", text(HeaderValue::from_str(&reply.answered.request_id)));
    if reply.repeated {
        headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    }
    let mut response = Response::new(Body::from(body));
    *response.headers_mut() = headers;
    response
}

fn push_number(text: &mut String, number: u64) {
    text.push_str(itoa::Buffer::new().format(number));
}

/// Microseconds as milliseconds, exactly.
fn push_millis(text: &mut String, us: u64) {
    push_number(text, us / 1_000);
    text.push('.');
    // The thousand keeps the zeros before the other digits.
    text.push_str(&itoa::Buffer::new().format(1_000 + us % 1_000)[1..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_library_writes_them() {
        for us in [0, 7, 10, 999, 1_000, 1_009, 60_050, 123_456_789, u64::MAX] {
            let (mut number, mut millis) = (String::new(), String::new());
            push_number(&mut number, us);
            push_millis(&mut millis, us);
            assert_eq!((number, millis), (us.to_string(), format!("{}.{:03}", us / 1_000, us % 1_000)));
        }
    }
}
