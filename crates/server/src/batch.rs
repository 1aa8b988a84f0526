//! `/predict/batch`: many events, an answer or an error for each, and a summary at the end. NDJSON is read and answered as
//! it flows, in constant memory.

use crate::body::{
    CHUNKS_WAITING_MAX, Chunk, Media, Part, Writing, body_of, media, not_utf8, read_text, text_parts, without_mark,
};
use crate::predict::{count, read_event, wish};
use crate::problem::Problem;
use crate::state::DomainState;
use crate::trace::Admitted;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::StreamExt;
use futures::stream::BoxStream;
use septet_platform::serve::{Event, Refusal, Reply, RequestOptions, Unread, Violation, escaped, fault, given_twice};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Rows handed to the engine together.
const ROWS_PER_CHUNK: usize = 128;
/// For a whole body to come, and for the next part of a stream.
const BODY_TIME: Duration = Duration::from_secs(60);

/// Answers so far.
#[derive(Default)]
struct Summary {
    rows: u64,
    answered: u64,
    refused: u64,
    repeated: u64,
    actions: BTreeMap<String, u64>,
}

/// A row that was read, or why it could not be.
type Row = Result<Event, Problem>;

struct Batch {
    state: Arc<DomainState>,
    wish: RequestOptions,
    summary: Summary,
    started: Instant,
    /// Held until the last row is answered.
    _admitted: Option<Admitted>,
}

pub async fn predict_batch(State(state): State<Arc<DomainState>>, request: Request) -> Result<Response, Problem> {
    let wish = RequestOptions { idempotency_key: None, ..wish(&request)? };
    let Some(media) = media(request.headers()) else {
        let detail = "send a JSON list as application/json, NDJSON as application/x-ndjson, or CSV as text/csv";
        return Err(Problem::new("media_type_unsupported", detail));
    };
    if state.service.answerer().is_none() {
        return Err(Problem::new("not_ready", state.service.condition().stage));
    }
    let admitted = request.extensions().get::<Admitted>().cloned();
    let batch =
        Batch { state: state.clone(), wish, summary: Summary::default(), started: Instant::now(), _admitted: admitted };
    match media {
        Media::Json => {
            let text = read_text(request, state.limits.batch_bytes_max, BODY_TIME).await?;
            batch.list(&text).await
        }
        Media::JsonLines => {
            let writing = Writing::of(request.headers())?;
            Ok(stream(batch, text_parts(request.into_body(), writing, BODY_TIME)))
        }
        Media::Csv => {
            let text = read_text(request, state.limits.batch_bytes_max, BODY_TIME).await?;
            csv(batch, text)
        }
    }
}

/// The items of a JSON list, each as its text.
pub fn items_of(text: &str) -> Result<Vec<&RawValue>, Problem> {
    serde_json::from_str(text)
        .map_err(|error| Problem::new("body_not_json", format!("expected a list of objects: {}", fault(text, &error))))
}

impl Batch {
    async fn list(mut self, text: &str) -> Result<Response, Problem> {
        let values = items_of(text)?;
        if values.len() > self.state.limits.rows_max {
            let detail = format!("at most {} rows; send more as application/x-ndjson", self.state.limits.rows_max);
            return Err(Problem::new("body_too_large", detail));
        }
        let mut out = String::from("{\"results\":[");
        for (number, chunk) in values.chunks(ROWS_PER_CHUNK).enumerate() {
            let first = number * ROWS_PER_CHUNK;
            let rows =
                chunk.iter().enumerate().map(|(at, raw)| self.read(raw.get(), &format!("/{}", first + at))).collect();
            let lines = self.answer(rows).await;
            for line in lines.lines() {
                if !out.ends_with('[') {
                    out.push(',');
                }
                out.push_str(line);
            }
        }
        out.push_str("],\"summary\":");
        out.push_str(&self.summary().to_string());
        out.push('}');
        let mut response = Response::new(Body::from(out));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    fn read(&self, text: &str, pointer: &str) -> Row {
        read_event(&self.state, |contract| contract.read_json(text, pointer))
    }

    /// One line of JSON a row, in order.
    async fn answer(&mut self, rows: Vec<Row>) -> String {
        let mut problems: Vec<Option<Problem>> = Vec::with_capacity(rows.len());
        let mut events = Vec::with_capacity(rows.len());
        for row in rows {
            problems.push(row.map(|event| events.push((event, self.wish.clone()))).err());
        }
        let replies = if events.is_empty() { Ok(Vec::new()) } else { self.state.service.predict(events, true).await };
        let mut replies = match replies {
            Ok(replies) => replies.into_iter(),
            Err(refusal) => {
                let refused = problems.iter().filter(|problem| problem.is_none()).map(|_| Err(refusal.clone()));
                refused.collect::<Vec<_>>().into_iter()
            }
        };
        // The text of an answer, its place and the brackets.
        let length = |reply: &Result<Reply, Refusal>| reply.as_ref().map_or(0, |reply| reply.answered.text.len() + 32);
        let mut lines = String::with_capacity(replies.as_slice().iter().map(length).sum());
        for problem in problems {
            let row = self.summary.rows;
            self.summary.rows += 1;
            let answered = match problem {
                Some(problem) => Err(problem),
                None => replies.next().expect("one reply an event").map_err(|refusal| Problem::refusal(&refusal)),
            };
            match answered {
                Ok(reply) => {
                    count(&self.state, &reply);
                    self.summary.answered += 1;
                    self.summary.repeated += u64::from(reply.repeated);
                    let action = reply.answered.action.as_deref().unwrap_or("none");
                    match self.summary.actions.get_mut(action) {
                        Some(times) => *times += 1,
                        None => drop(self.summary.actions.insert(action.to_owned(), 1)),
                    }
                    let _ = writeln!(lines, "{{\"row\":{row},{}}}", &reply.answered.text[1..]);
                }
                Err(problem) => {
                    self.summary.refused += 1;
                    let _ = writeln!(lines, "{}", json!({ "row": row, "problem": problem.to_value() }));
                }
            }
        }
        lines
    }

    fn summary(&self) -> Value {
        let Summary { rows, answered, refused, repeated, actions } = &self.summary;
        json!({
            "rows": rows, "answered": answered, "refused": refused, "repeated": repeated, "actions": actions,
            "seconds": self.started.elapsed().as_secs_f64(),
        })
    }

    fn last_line(&self) -> Bytes {
        Bytes::from(format!("{}\n", json!({ "summary": self.summary() })))
    }
}

/// False if nobody reads any more, or reads nothing for too long: a client that only sends is not waited for.
async fn handed_over(sender: &mpsc::Sender<Chunk>, lines: Bytes) -> bool {
    sender.send_timeout(Ok(lines), BODY_TIME).await.is_ok()
}

/// A reply of lines that somebody writes while it is read.
fn lines_response(receiver: mpsc::Receiver<Chunk>) -> Response {
    let mut response = Response::new(body_of(receiver));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

fn stream(mut batch: Batch, mut body: BoxStream<'static, Part>) -> Response {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let line_max = batch.state.limits.body_bytes_max;
    tokio::spawn(async move {
        let (mut buffer, mut rows, mut number, mut too_long) = (Vec::new(), Vec::new(), 0_u64, false);
        loop {
            // A stream that says nothing for so long is over.
            let Ok(part) = tokio::time::timeout(BODY_TIME, body.next()).await else { return };
            let ended = !matches!(part, Some(Ok(_)));
            let mut broken_off = None;
            match part {
                Some(Ok(bytes)) => buffer.extend_from_slice(&bytes),
                Some(Err(None)) => return,
                // What came before it is answered; a line that it breaks off is not whole.
                Some(Err(Some(problem))) => {
                    buffer.truncate(buffer.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
                    broken_off = Some(problem);
                }
                None if buffer.is_empty() => {}
                None => buffer.push(b'\n'),
            }
            let mut start = 0;
            while let Some(length) = buffer[start..].iter().position(|&byte| byte == b'\n') {
                let line = &buffer[start..start + length];
                start += length + 1;
                if std::mem::take(&mut too_long) {
                    continue;
                }
                if let Some(row) = read_line(&batch, line, number) {
                    rows.push(row);
                    number += 1;
                }
                if rows.len() == ROWS_PER_CHUNK {
                    let lines = batch.answer(std::mem::take(&mut rows)).await;
                    if !handed_over(&sender, Bytes::from(lines)).await {
                        return;
                    }
                }
            }
            buffer.drain(..start);
            if buffer.len() > line_max {
                if !too_long {
                    rows.push(Err(Problem::new("body_too_large", format!("a line has at most {line_max} bytes"))));
                    number += 1;
                }
                too_long = true;
                buffer.clear();
            }
            if let Some(problem) = broken_off {
                rows.push(Err(problem));
            }
            // What is there is answered before more is waited for.
            if !rows.is_empty() {
                let lines = batch.answer(std::mem::take(&mut rows)).await;
                if !handed_over(&sender, Bytes::from(lines)).await {
                    return;
                }
            }
            if ended {
                handed_over(&sender, batch.last_line()).await;
                return;
            }
        }
    });
    lines_response(receiver)
}

/// A line's row; none if the line is blank.
fn read_line(batch: &Batch, line: &[u8], number: u64) -> Option<Row> {
    let line = if number == 0 { without_mark(line) } else { line }.trim_ascii();
    if line.is_empty() {
        return None;
    }
    Some(match std::str::from_utf8(line) {
        Ok(text) => batch.read(text, &format!("/{number}")),
        Err(error) => Err(not_utf8(line, error.valid_up_to())),
    })
}

fn csv(mut batch: Batch, text: String) -> Result<Response, Problem> {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING_MAX);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(std::io::Cursor::new(text));
    let header = reader.headers().map_err(|error| Problem::new("body_not_text", error.to_string()))?.clone();
    refuse_repeated(&header)?;
    tokio::spawn(async move {
        let (mut record, mut rows, mut number) = (csv::StringRecord::new(), Vec::new(), 0_u64);
        loop {
            let more = match reader.read_record(&mut record) {
                Ok(more) => {
                    if more {
                        rows.push(csv_row(&batch, &header, &record, number));
                    }
                    more
                }
                Err(error) => {
                    rows.push(Err(Problem::new("body_not_text", error.to_string())));
                    !error.is_io_error()
                }
            };
            number += 1;
            if !rows.is_empty() && (rows.len() == ROWS_PER_CHUNK || !more) {
                let lines = batch.answer(std::mem::take(&mut rows)).await;
                if !handed_over(&sender, Bytes::from(lines)).await {
                    return;
                }
            }
            if !more {
                handed_over(&sender, batch.last_line()).await;
                return;
            }
        }
    });
    Ok(lines_response(receiver))
}

/// A column that is named twice has two values, of which nobody can say which one counts.
fn refuse_repeated(header: &csv::StringRecord) -> Result<(), Problem> {
    let named = header.iter().enumerate();
    let repeated = named.filter(|(at, name)| header.iter().take(*at).filter(|earlier| earlier == name).count() == 1);
    let twice: Vec<Violation> = repeated.map(|(_, name)| given_twice(format!("/{}", escaped(name)))).collect();
    if twice.is_empty() { Ok(()) } else { Err(Problem::contract(twice)) }
}

fn csv_row(batch: &Batch, header: &csv::StringRecord, record: &csv::StringRecord, number: u64) -> Row {
    if record.len() != header.len() {
        let detail = format!("the header has {} fields, this row {}", header.len(), record.len());
        return Err(Problem::new("body_not_text", detail));
    }
    let fields: Vec<(&str, &str)> = header.iter().zip(record.iter()).collect();
    read_event(&batch.state, |contract| contract.read_text(&fields, &format!("/{number}")).map_err(Unread::Violations))
}
