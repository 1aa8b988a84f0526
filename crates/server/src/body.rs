//! Bodies and their media types.

use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use std::time::Duration;
use tokio::sync::mpsc;

/// The whole body, if it is not larger than `bytes_max` and comes in time.
pub async fn read_body(body: Body, bytes_max: usize, time: Duration) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(time, axum::body::to_bytes(body, bytes_max)).await;
    let read = read.map_err(|_| Problem::new("timeout", "the body came too slowly"))?;
    read.map_err(|error| {
        let text = format!("{error}");
        // The error's type is not public; its text is the only sign of which it is.
        match text.contains("length limit exceeded") {
            true => Problem::new("body_too_large", format!("at most {bytes_max} bytes")),
            false => Problem::new("body_not_text", "the body ended early"),
        }
    })
}

/// Of a body that is made while it is read; so many may wait for a slow reader.
pub type Chunk = Result<Bytes, axum::Error>;
pub const CHUNKS_WAITING_MAX: usize = 4;

/// A body that somebody makes while it is read.
pub fn body_of(receiver: mpsc::Receiver<Chunk>) -> Body {
    Body::from_stream(futures::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|chunk| (chunk, receiver))
    }))
}

/// What a batch may be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Json,
    JsonLines,
    Csv,
}

/// The media type without its parameters, in lower case.
pub fn media(headers: &HeaderMap) -> Option<Media> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Some(Media::Json),
        "application/x-ndjson" | "application/jsonl" | "application/ndjson" => Some(Media::JsonLines),
        "text/csv" => Some(Media::Csv),
        _ => None,
    }
}

pub fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    match media(headers) {
        Some(Media::Json) => Ok(()),
        _ => Err(Problem::new("media_type_unsupported", "send the header `content-type: application/json`")),
    }
}
