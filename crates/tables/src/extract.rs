//! From a source to checked rows: read, shape by the layout's SELECT, keep the contract, write Parquet.
//! Everything streams; the books are balanced at the end.

use crate::contract::{Contract, Extra};
use crate::guess::{Claim, Guess, Wholes};
use crate::location::{fetch_objects, local_files};
use crate::parquet::{BackgroundParquet, ParquetFile};
use crate::postgres;
use crate::quarantine::{Quarantine, QuarantineRow};
use crate::reader::{Reader, Sink, TextFormat};
use crate::reading::decimal_scale;
use crate::{Engine, Location, ROW_COLUMN, SOURCE_COLUMN, TablesError, Written, redacted};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use septet_domain::Input;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Rows that one run may send to quarantine: each is kept in memory until the end.
const QUARANTINE_ROWS_MAX: u64 = 1_000_000;

pub struct ExtractRequest<'a> {
    pub input_name: &'a str,
    pub input: &'a Input,
    pub location: &'a Location,
    /// One SELECT from the table `source` to the contract.
    pub layout_sql: &'a str,
    pub format: TextFormat,
    /// Where `INPUT.parquet` and `INPUT.quarantine.parquet` are written.
    pub folder: &'a Path,
}

/// What the caller may show while it runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    pub rows: u64,
    pub bytes: u64,
    pub bytes_total: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct ExtractReport {
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    /// Rows that the layout's WHERE left out.
    pub filtered: u64,
    /// Column, reason and count, most first.
    pub reasons: Vec<(String, String, u64)>,
    pub fingerprint: String,
    /// Columns beyond the contract.
    pub extras: Vec<String>,
    /// What was done with columns that a person may have expected otherwise, a sentence each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Runs the extract. On an error nothing is left under the final names.
pub async fn extract(
    engine: &Engine,
    request: &ExtractRequest<'_>,
    progress: &(dyn Fn(Reading) + Sync),
) -> Result<ExtractReport, TablesError> {
    let spool = request.folder.join("spool");
    let (mut claims, mut format) = (Vec::new(), request.format.clone());
    let files = match request.location {
        Location::Files(pattern) => local_files(pattern)?,
        Location::Objects(url) => fetch_objects(url, &spool).await?,
        Location::Postgres { url, query } => {
            std::fs::create_dir_all(&spool).map_err(|error| TablesError::io(&spool, error))?;
            let file = spool.join("query.csv");
            let fetched = postgres::fetch(url, query, &file).await?;
            claims = fetched.claims;
            format = TextFormat { null_words: vec![fetched.null_word], ..TextFormat::default() };
            vec![file]
        }
    };
    let decimal = format.decimal;
    let reader = Arc::new(Reader::open(files, format)?.with_claims(claims));
    let report = shape(engine, request, reader, decimal, progress).await;
    let _ = std::fs::remove_dir_all(&spool);
    if report.is_err() {
        let _ = std::fs::remove_file(request.folder.join(format!("{}.parquet", request.input_name)));
    }
    report
}

async fn shape(
    engine: &Engine,
    request: &ExtractRequest<'_>,
    reader: Arc<Reader>,
    decimal: char,
    progress: &(dyn Fn(Reading) + Sync),
) -> Result<ExtractReport, TablesError> {
    let source = Arc::new(SourceStream { reader: reader.clone(), state: Arc::default() });
    let context = engine.context();
    context.deregister_table("source")?;
    context
        .register_table("source", Arc::new(StreamingTable::try_new(reader.schema.clone(), vec![source.clone()])?))?;
    let sql = with_row_places(engine, request.layout_sql).await?;
    let mut stream = engine.stream(&sql).await?;
    let shown = match request.location {
        Location::Files(pattern) => pattern.clone(),
        Location::Objects(url) => redacted(url.as_str()),
        Location::Postgres { url, .. } => redacted(url),
    };
    let mut contract = Contract::new(request.input, &stream.schema(), decimal, &shown)?;
    let raw_path = request.folder.join(format!("{}.raw.parquet", request.input_name));
    let path = request.folder.join(format!("{}.parquet", request.input_name));
    let first_path = if contract.extras().is_empty() { &path } else { &raw_path };
    let file = BackgroundParquet::create(first_path, contract.schema().clone())?;
    let guess = |extra: &Extra| Guess::new(claim_of(&reader, &extra.delivered), decimal);
    let mut guesses: Vec<Guess> = contract.extras().iter().map(guess).collect();
    let mut delivered = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| TablesError::from_sql(error, &sql))?;
        delivered += batch.num_rows() as u64;
        let checked = contract.check(&batch)?;
        let first_extra = checked.rows.num_columns() - guesses.len();
        for (guess, column) in guesses.iter_mut().zip(&checked.rows.columns()[first_extra..]) {
            guess.look(column);
        }
        file.write(checked.rows);
        source.state.take_broken(checked.broken)?;
        let bytes = source.state.bytes.load(Ordering::Relaxed);
        progress(Reading { rows: delivered, bytes, bytes_total: reader.bytes });
    }
    let written = file.finish()?;
    let written = if contract.extras().is_empty() { written } else { give_types(&raw_path, &path, &guesses)? };
    let rows_in = source.state.rows.load(Ordering::Relaxed);
    // The reader stops at the limit too.
    source.state.take_broken(vec![])?;
    context.deregister_table("source")?;
    let extras = contract.extras().iter().map(|extra| extra.name.clone()).collect();
    let report = finish(request, &source.state, written, rows_in, delivered, extras, &shown)?;
    Ok(ExtractReport { notes: contract.left_out().iter().map(left_out).collect(), ..report })
}

/// What is known of a column beyond the contract before its values are.
fn claim_of(reader: &Reader, delivered: &Field) -> Claim {
    match delivered.data_type() {
        DataType::UInt64 => Claim::Whole,
        kind => match decimal_scale(kind) {
            Some(..=0) => Claim::Whole,
            Some(_) => Claim::Number,
            None => reader.claim_of(delivered),
        },
    }
}

fn left_out((name, kind): &(String, DataType)) -> String {
    match kind {
        DataType::Null => format!("column `{name}` is left out: it has no values and no type"),
        kind => format!(
            "column `{name}` is left out: its type is {kind}; the layout's SELECT can make a number, a text or a time of it"
        ),
    }
}

fn finish(
    request: &ExtractRequest<'_>,
    state: &SourceState,
    written: Written,
    rows_in: u64,
    delivered: u64,
    extras: Vec<String>,
    shown: &str,
) -> Result<ExtractReport, TablesError> {
    let quarantine = state.quarantine.lock().unwrap_or_else(PoisonError::into_inner);
    let unparseable: u64 =
        quarantine.counts.iter().filter(|((_, reason), _)| *reason == "unparseable").map(|(_, count)| count).sum();
    // A layout that aggregates yields rows of another kind: then its own rows are what is counted.
    let rows_in = if delivered + unparseable > rows_in { delivered + unparseable } else { rows_in };
    let filtered = rows_in - unparseable - delivered;
    if rows_in == 0 {
        return Err(TablesError::Empty { location: shown.to_owned(), what: "it holds a header and nothing else" });
    }
    let accounted = written.rows + quarantine.total + filtered;
    if accounted != rows_in {
        return Err(TablesError::Books { input: request.input_name.to_owned(), rows_in, accounted });
    }
    let path = request.folder.join(format!("{}.quarantine.parquet", request.input_name));
    let mut file = ParquetFile::create(&path, Quarantine::schema())?;
    file.write(quarantine.batch(request.input_name)?)?;
    file.finish()?;
    let max = request.input.quarantine_share_max;
    if quarantine.total as f64 > max * (rows_in - filtered) as f64 {
        let (quarantined, most_often) =
            (quarantine.total, quarantine.most_often(|column| is_personal(request.input, column)));
        return Err(TablesError::TooManyBroken {
            input: request.input_name.to_owned(),
            quarantined,
            rows: rows_in - filtered,
            max,
            most_often,
        });
    }
    let mut reasons: Vec<(String, String, u64)> = quarantine
        .counts
        .iter()
        .map(|((column, reason), count)| (column.clone(), (*reason).to_owned(), *count))
        .collect();
    reasons.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.cmp(b)));
    let quarantined = quarantine.total;
    Ok(ExtractReport {
        rows_in,
        rows_out: written.rows,
        quarantined,
        filtered,
        reasons,
        fingerprint: written.fingerprint,
        extras,
        notes: Vec::new(),
    })
}

/// Whether a value of the column, or of none a whole line, may be of a person: a source's own columns are any of them.
fn is_personal(input: &Input, column: Option<&str>) -> bool {
    match column.and_then(|column| input.columns.iter().find(|(name, _)| name.get_ref() == column)) {
        Some((_, column)) => column.personal.is_some(),
        None => input.columns.values().any(|column| column.personal.is_some()),
    }
}

/// The layout's SELECT with the hidden place columns added, where its shape allows that.
async fn with_row_places(engine: &Engine, sql: &str) -> Result<String, TablesError> {
    let schema = engine.plan(sql).await?;
    if schema.index_of(ROW_COLUMN).is_ok() {
        return Ok(sql.to_owned());
    }
    let upper = sql.to_ascii_uppercase();
    // The last FROM at the top level belongs to the SELECT whose columns are delivered.
    // DISTINCT would tell rows apart by their place.
    let distinct = upper.split_whitespace().any(|word| word == "DISTINCT");
    if let Some(at) = top_level_from(&upper).filter(|_| !distinct) {
        let (head, tail) = sql.split_at(at);
        let extended = format!("{}, {SOURCE_COLUMN}, {ROW_COLUMN} {tail}", head.trim_end());
        if engine.plan(&extended).await.is_ok() {
            return Ok(extended);
        }
    }
    Ok(sql.to_owned())
}

/// Byte offset of the first FROM outside brackets, quotes and comments.
pub fn top_level_from(upper: &str) -> Option<usize> {
    let bytes = upper.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            quote @ (b'\'' | b'"') => at += 1 + bytes[at + 1..].iter().position(|&byte| byte == quote)?,
            b'-' if bytes.get(at + 1) == Some(&b'-') => at += bytes[at..].iter().position(|&byte| byte == b'\n')?,
            b'F' if depth == 0 && upper[at..].starts_with("FROM") && at > 0 => {
                let apart = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
                if apart(bytes.get(at - 1)) && apart(bytes.get(at + 4)) {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The reader as a table that the engine can stream from, once.
#[derive(Clone)]
struct SourceStream {
    reader: Arc<Reader>,
    state: Arc<SourceState>,
}

#[derive(Default)]
struct SourceState {
    rows: AtomicU64,
    bytes: AtomicU64,
    quarantine: Mutex<Quarantine>,
}

impl SourceState {
    fn take_broken(&self, rows: Vec<QuarantineRow>) -> Result<(), TablesError> {
        let mut quarantine = self.quarantine.lock().unwrap_or_else(PoisonError::into_inner);
        rows.into_iter().for_each(|row| quarantine.push(row));
        if quarantine.total <= QUARANTINE_ROWS_MAX {
            return Ok(());
        }
        Err(TablesError::Engine(format!(
            "more than {QUARANTINE_ROWS_MAX} rows break the contract; most often: {}",
            quarantine.most_often(|_| true)
        )))
    }
}

impl std::fmt::Debug for SourceStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SourceStream")
    }
}

impl PartitionStream for SourceStream {
    fn schema(&self) -> &SchemaRef {
        &self.reader.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(self.reader.schema.clone(), 4);
        let (sender, own) = (builder.tx(), self.clone());
        builder.spawn_blocking(move || {
            let mut sink = ChannelSink { sender, state: &own.state };
            let rows = own.reader.read(&mut sink).map_err(|error| DataFusionError::External(Box::new(error)))?;
            own.state.rows.store(rows, Ordering::Relaxed);
            Ok(())
        });
        builder.build()
    }
}

struct ChannelSink<'a> {
    sender: tokio::sync::mpsc::Sender<datafusion::error::Result<RecordBatch>>,
    state: &'a SourceState,
}

impl Sink for ChannelSink<'_> {
    fn batch(&mut self, batch: RecordBatch) -> bool {
        self.sender.blocking_send(Ok(batch)).is_ok()
    }

    fn broken(&mut self, row: QuarantineRow) -> bool {
        self.state.take_broken(vec![row]).is_ok()
    }

    fn bytes(&mut self, read: u64) {
        self.state.bytes.fetch_add(read, Ordering::Relaxed);
    }
}

/// Writes the file again with the text columns beyond the contract as what they turned out to be.
fn give_types(from: &Path, to: &Path, guesses: &[Guess]) -> Result<Written, TablesError> {
    let open = File::open(from).map_err(|error| TablesError::io(from, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(open).map_err(|error| TablesError::io(from, error))?;
    let schema = builder.schema().clone();
    let first = schema.fields().len() - guesses.len();
    let retyped = |(at, field): (usize, &Arc<Field>)| match at.checked_sub(first) {
        Some(extra) if *field.data_type() == DataType::Utf8 => {
            field.as_ref().clone().with_data_type(guesses[extra].data_type(Wholes::AsNumbers))
        }
        _ => field.as_ref().clone(),
    };
    let schema = Arc::new(Schema::new(schema.fields().iter().enumerate().map(retyped).collect::<Vec<_>>()));
    let mut file = ParquetFile::create(to, schema.clone())?;
    for batch in builder.build().map_err(|error| TablesError::io(from, error))? {
        let batch = batch.map_err(|error| TablesError::io(from, error))?;
        let mut columns = batch.columns().to_vec();
        for (column, (guess, field)) in columns[first..].iter_mut().zip(guesses.iter().zip(&schema.fields()[first..])) {
            *column = guess.retype(column, field.data_type());
        }
        file.write(
            RecordBatch::try_new(schema.clone(), columns).map_err(|error| TablesError::Engine(error.to_string()))?,
        )?;
    }
    let written = file.finish()?;
    std::fs::remove_file(from).map_err(|error| TablesError::io(from, error))?;
    Ok(written)
}

#[cfg(test)]
#[path = "extract_tests.rs"]
mod tests;
