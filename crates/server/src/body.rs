//! Bodies: what they are written in, how they are packed, and the text that they hold.

use crate::problem::Problem;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use encoding_rs::{DecoderResult, Encoding, REPLACEMENT, UTF_8};
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use futures::stream::BoxStream;
use std::io::{self, Read};
use std::time::Duration;
use tokio::sync::mpsc;

/// Codings that a body may come in, as `Accept-Encoding` has them.
pub const CODINGS: &str = "gzip, zstd";

/// Memory of a zstd frame, as a power of two: 8 MB, which RFC 8878 asks of every reader and lets none exceed unasked.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Of a body that is unpacked while it comes.
const UNPACKED_CHUNK_BYTES: usize = 64 << 10;
/// U+FEFF in UTF-8, which some programs write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How the bytes of a body become a text, by its headers.
#[derive(Clone, Copy)]
pub struct Writing {
    coding: Coding,
    encoding: &'static Encoding,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Coding {
    Plain,
    Gzip,
    Zstd,
}

impl Writing {
    pub fn of(headers: &HeaderMap) -> Result<Writing, Problem> {
        Ok(Writing { coding: coding(headers)?, encoding: encoding(headers)? })
    }
}

fn coding(headers: &HeaderMap) -> Result<Coding, Problem> {
    let named: Vec<String> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty() && name != "identity")
        .collect();
    match named.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => Ok(Coding::Plain),
        ["gzip" | "x-gzip"] => Ok(Coding::Gzip),
        ["zstd"] => Ok(Coding::Zstd),
        _ => {
            let detail = "a body comes as it is, or once packed with gzip or zstd (content-encoding)";
            Err(Problem::new("coding_unsupported", detail))
        }
    }
}

/// The charset that the media type names; UTF-8 without one.
fn encoding(headers: &HeaderMap) -> Result<&'static Encoding, Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parameters = media.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let charset = parameters
        .map(|(name, value)| (name.trim(), value.trim().trim_matches('"')))
        .find(|(name, _)| name.eq_ignore_ascii_case("charset"));
    let Some((_, label)) = charset else { return Ok(UTF_8) };
    Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != REPLACEMENT).ok_or_else(|| {
        let shown: String = label.chars().take(40).collect();
        Problem::new(
            "media_type_unsupported",
            format!("the charset `{shown}` is not one this service reads; send UTF-8"),
        )
    })
}

/// The whole body as a text, if neither it nor what it unpacks to is larger than `bytes_max`, and it comes in time.
pub async fn read_text(request: Request, bytes_max: usize, time: Duration) -> Result<String, Problem> {
    let writing = Writing::of(request.headers())?;
    let body = read_body(request.into_body(), bytes_max, time).await?;
    let body = match writing.coding {
        Coding::Plain => body,
        coding => {
            let work = move || unpacked(&body, coding, bytes_max);
            let unpacked = tokio::task::spawn_blocking(work).await;
            unpacked.map_err(|_| Problem::new("internal", "the body could not be unpacked"))??
        }
    };
    text_of(body, writing.encoding)
}

async fn read_body(body: Body, bytes_max: usize, time: Duration) -> Result<Bytes, Problem> {
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

/// What a packed body holds, read as it comes.
fn reader<'a>(packed: impl Read + Send + 'a, coding: Coding) -> io::Result<Box<dyn Read + Send + 'a>> {
    Ok(match coding {
        Coding::Plain => Box::new(packed),
        Coding::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Coding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(packed)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(decoder)
        }
    })
}

fn not_packed(coding: Coding, error: &io::Error) -> Problem {
    let name = if coding == Coding::Gzip { "gzip" } else { "zstd" };
    Problem::new("body_not_text", format!("content-encoding says {name}, and the body cannot be unpacked: {error}"))
}

fn unpacked(packed: &[u8], coding: Coding, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut bytes = Vec::new();
    // One more than is allowed tells that there is more.
    let read = reader(packed, coding).and_then(|reader| reader.take(bytes_max as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| not_packed(coding, &error))?;
    match bytes.len() > bytes_max {
        true => Err(Problem::new("body_too_large", format!("at most {bytes_max} bytes, unpacked"))),
        false => Ok(bytes.into()),
    }
}

fn text_of(bytes: Bytes, encoding: &'static Encoding) -> Result<String, Problem> {
    if encoding != UTF_8 {
        let (text, used, wrong) = encoding.decode(&bytes);
        return match wrong {
            true => Err(Problem::new("body_not_text", format!("the body is not {}", used.name()))),
            false => Ok(text.into_owned()),
        };
    }
    let mut bytes = Vec::from(bytes);
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    String::from_utf8(bytes).map_err(|error| not_utf8(error.as_bytes(), error.utf8_error().valid_up_to()))
}

/// Where a text stops to be UTF-8, and what to do.
pub fn not_utf8(bytes: &[u8], at: usize) -> Problem {
    let before = &bytes[..at];
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = at - before.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1) + 1;
    let guess = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "; it looks like UTF-16: say `charset=utf-16` in content-type",
        [0x1f, 0x8b, ..] => "; it looks like gzip: say so in content-encoding",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "; it looks like zstd: say so in content-encoding",
        _ => "; another charset is named in content-type",
    };
    let what = format!("byte {} of it is not UTF-8 (line {line} column {column}){guess}", at + 1);
    Problem::new("body_not_text", what)
}

/// What follows of a body: a part, or why there is none; nothing to say where the sender has gone.
pub type Part = Result<Bytes, Option<Problem>>;

/// The body as parts of a text that is read while it comes: UTF-8, unless the sender named no other charset and sent other bytes.
pub fn text_parts(body: Body, writing: Writing, part_time: Duration) -> BoxStream<'static, Part> {
    let parts = body.into_data_stream();
    let plain: BoxStream<'static, Part> = match writing.coding {
        Coding::Plain => parts.map(|part| part.map_err(|_| None)).boxed(),
        coding => unpacked_parts(parts.boxed(), coding, part_time),
    };
    if writing.encoding == UTF_8 { plain } else { decoded_parts(plain, writing.encoding) }
}

/// Unpacks on a thread of its own, a bounded piece at a time: a small body may hold very much.
fn unpacked_parts(
    mut packed: BoxStream<'static, Result<Bytes, axum::Error>>,
    coding: Coding,
    part_time: Duration,
) -> BoxStream<'static, Part> {
    let (sender, parts) = mpsc::channel::<io::Result<Bytes>>(CHUNKS_WAITING_MAX);
    tokio::spawn(async move {
        loop {
            let part = match tokio::time::timeout(part_time, packed.next()).await {
                Ok(None) => return,
                Ok(Some(Ok(part))) => Ok(part),
                Ok(Some(Err(_))) | Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
            };
            let last = part.is_err();
            if sender.send(part).await.is_err() || last {
                return;
            }
        }
    });
    let (sender, unpacked) = mpsc::channel::<Part>(CHUNKS_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let said = |error: &io::Error| match error.kind() {
            io::ErrorKind::ConnectionAborted => None,
            _ => Some(not_packed(coding, error)),
        };
        let mut reader = match reader(PartsReader { parts, part: Bytes::new() }, coding) {
            Ok(reader) => reader,
            Err(error) => return drop(sender.blocking_send(Err(said(&error)))),
        };
        loop {
            let mut chunk = vec![0; UNPACKED_CHUNK_BYTES];
            let part = match reader.read(&mut chunk) {
                Ok(0) => return,
                Ok(length) => {
                    chunk.truncate(length);
                    Ok(Bytes::from(chunk))
                }
                Err(error) => Err(said(&error)),
            };
            let last = part.is_err();
            if sender.blocking_send(part).is_err() || last {
                return;
            }
        }
    });
    futures::stream::unfold(unpacked, |mut unpacked| async move { unpacked.recv().await.map(|part| (part, unpacked)) })
        .boxed()
}

/// Parts that come, as a file.
struct PartsReader {
    parts: mpsc::Receiver<io::Result<Bytes>>,
    part: Bytes,
}

impl Read for PartsReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.part.is_empty() {
            match self.parts.blocking_recv() {
                None => return Ok(0),
                Some(part) => self.part = part?,
            }
        }
        let length = self.part.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.part.split_to(length));
        Ok(length)
    }
}

/// Parts in another charset as UTF-8; the first byte that is none of it ends them.
fn decoded_parts(parts: BoxStream<'static, Part>, encoding: &'static Encoding) -> BoxStream<'static, Part> {
    let state = (parts, Some(encoding.new_decoder()));
    futures::stream::unfold(state, move |(mut parts, decoder)| async move {
        let mut decoder = decoder?;
        let (bytes, last) = match parts.next().await {
            Some(Ok(bytes)) => (bytes, false),
            Some(Err(problem)) => return Some((Err(problem), (parts, None))),
            None => (Bytes::new(), true),
        };
        let mut text = String::with_capacity(decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(4 * bytes.len()));
        let (result, _) = decoder.decode_to_string_without_replacement(&bytes, &mut text, last);
        match result {
            DecoderResult::InputEmpty => Some((Ok(text.into()), (parts, (!last).then_some(decoder)))),
            DecoderResult::OutputFull | DecoderResult::Malformed(..) => {
                let problem = Problem::new("body_not_text", format!("the body is not {}", encoding.name()));
                Some((Err(Some(problem)), (parts, None)))
            }
        }
    })
    .boxed()
}

/// A text without the mark that some programs write before it.
pub fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
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
