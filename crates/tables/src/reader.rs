//! Reads files row by row into text columns with each row's place, so that one broken line costs one
//! line. Types are the contract's business, not the file's; Parquet keeps the types it has.

use crate::guess::{Claim, JsonKinds};
use crate::json_row::{self, JsonValue};
use crate::parts;
use crate::quarantine::{QuarantineRow, Reason};
use crate::{ROW_COLUMN, SOURCE_COLUMN, TablesError};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const BATCH_ROWS: usize = 8_192;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Lines that one CSV row may span by quoted line breaks: more is an unclosed quote that swallows other rows.
const LINES_PER_ROW_MAX: u64 = 1_000;
/// Where a field says which column of the reader it is, through a layout's SELECT.
const COLUMN_KEY: &str = "septet.column";
/// NDJSON rows looked at for keys. A key that first comes later sends its row to quarantine.
const KEY_ROWS: usize = 10_000;

/// How text files are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFormat {
    /// None: any number of spaces and tabs.
    pub delimiter: Option<u8>,
    /// None: quotation marks are part of the text.
    pub quote: Option<u8>,
    /// Names of the columns of a file without a header; empty where there is one.
    pub columns: Vec<String>,
    pub decimal: char,
    /// Words that mean missing; the empty field always does.
    pub null_words: Vec<String>,
    pub encoding: &'static encoding_rs::Encoding,
}

impl Default for TextFormat {
    fn default() -> TextFormat {
        TextFormat {
            delimiter: Some(b','),
            quote: Some(b'"'),
            columns: Vec::new(),
            decimal: '.',
            null_words: Vec::new(),
            encoding: encoding_rs::UTF_8,
        }
    }
}

impl TextFormat {
    pub fn from_layout(layout: &septet_domain::Layout) -> Result<TextFormat, String> {
        let one = |text: &Option<String>, default: u8, key: &str| match text.as_deref().map(str::as_bytes) {
            None => Ok(default),
            Some([byte]) => Ok(*byte),
            Some(b"\\t") => Ok(b'\t'),
            Some(_) => Err(format!("{key} of the layout must be one character")),
        };
        let label = layout.encoding.as_deref().unwrap_or("utf-8");
        let encoding = encoding_rs::Encoding::for_label(label.as_bytes());
        Ok(TextFormat {
            delimiter: match layout.delimiter.as_deref() {
                Some("blanks") => None,
                _ => Some(one(&layout.delimiter, b',', "delimiter")?),
            },
            quote: match layout.quote.as_deref() {
                Some("") => None,
                _ => Some(one(&layout.quote, b'"', "quote")?),
            },
            columns: layout.columns.clone(),
            decimal: char::from(one(&layout.decimal, b'.', "decimal")?),
            null_words: layout.null_words.clone(),
            encoding: encoding
                .ok_or_else(|| format!("encoding `{label}` is not a WHATWG label such as windows-1252"))?,
        })
    }
}

/// Files of one kind and one shape, read one after the other.
pub struct Reader {
    files: Vec<PathBuf>,
    kind: Kind,
    format: TextFormat,
    /// The file's own columns, then the row's place.
    pub schema: SchemaRef,
    /// Bytes of all files, for progress.
    pub bytes: u64,
    /// What is said of each column that is read as text; none where a file's own types are kept.
    claims: Vec<Claim>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Csv,
    Json,
    Parquet,
}

/// Gets each batch, the lines that are no rows, and the bytes read; each says false to stop.
pub trait Sink {
    fn batch(&mut self, batch: RecordBatch) -> bool;
    fn broken(&mut self, row: QuarantineRow) -> bool;
    fn bytes(&mut self, read: u64);
}

impl Reader {
    /// Looks at the first file for its columns. All files must have the same ending.
    pub fn open(files: Vec<PathBuf>, format: TextFormat) -> Result<Reader, TablesError> {
        let kind = kind_of(&files[0])?;
        if let Some(other) = files.iter().find(|file| kind_of(file).ok() != Some(kind)) {
            let what = format!("is of another kind than `{}`; read them in two runs", files[0].display());
            return Err(TablesError::Source { location: other.display().to_string(), what });
        }
        let own = match kind {
            Kind::Csv => text_schema(&csv_header(&files[0], &format)?),
            Kind::Json => text_schema(&json_keys(&files, &format)?),
            Kind::Parquet => parts::columns(&files)?,
        };
        let claim = |_: &Field| match kind {
            Kind::Json => Claim::Json(Arc::new(JsonKinds::default())),
            Kind::Csv | Kind::Parquet => Claim::Written,
        };
        let claims = if kind == Kind::Parquet { Vec::new() } else { own.iter().map(claim).collect() };
        let bytes = files.iter().filter_map(|file| file.metadata().ok()).map(|facts| facts.len()).sum();
        let place = [Field::new(SOURCE_COLUMN, DataType::Utf8, false), Field::new(ROW_COLUMN, DataType::Int64, false)];
        let schema = Arc::new(Schema::new(own.into_iter().chain(place).collect::<Vec<_>>()));
        Ok(Reader { files, kind, format, schema, bytes, claims })
    }

    /// The same with what a database says of its columns, in their order.
    pub(crate) fn with_claims(self, claims: Vec<Claim>) -> Reader {
        if claims.len() == self.columns() { Reader { claims, ..self } } else { self }
    }

    /// What the source says of a text column that a SELECT over it yields.
    pub(crate) fn claim_of(&self, field: &Field) -> Claim {
        let column = field.metadata().get(COLUMN_KEY).and_then(|at| at.parse::<usize>().ok());
        match column.and_then(|at| self.claims.get(at)) {
            Some(claim) => claim.clone(),
            None if self.kind == Kind::Parquet => Claim::Text,
            None => Claim::Written,
        }
    }

    /// Whether its files are text, whose types nobody has said.
    pub(crate) fn reads_text(path: &Path) -> bool {
        matches!(kind_of(path), Ok(Kind::Csv | Kind::Json))
    }

    /// Reads everything into the sink; the number of rows read, broken ones included.
    pub fn read(&self, sink: &mut dyn Sink) -> Result<u64, TablesError> {
        let mut rows = 0;
        for file in &self.files {
            rows += match self.kind {
                Kind::Csv => self.read_csv(file, sink)?,
                Kind::Json => self.read_json(file, sink)?,
                Kind::Parquet => parts::read(file, &self.schema, sink)?,
            };
        }
        Ok(rows)
    }

    fn columns(&self) -> usize {
        self.schema.fields().len() - 2
    }

    fn read_csv(&self, path: &Path, sink: &mut dyn Sink) -> Result<u64, TablesError> {
        let location = path.display().to_string();
        let header = csv_header(path, &self.format)?;
        let expected: Vec<&str> =
            self.schema.fields().iter().take(self.columns()).map(|field| field.name().as_str()).collect();
        if header != expected {
            let what = format!("has the columns {}, but the first file has {}", header.join(", "), expected.join(", "));
            return Err(TablesError::Source { location, what });
        }
        let counted = Counted::open(path, &self.format)?;
        let read = counted.read.clone();
        let mut reader = csv_reader(counted.decoded, &self.format);
        let mut rows = Rows::new(self.columns(), &location, &self.format);
        let mut record = csv::ByteRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_byte_record(&mut record) {
                Ok(false) => break,
                Ok(true) if reader.position().line() - line > LINES_PER_ROW_MAX => {
                    let what = format!(
                        "a quote that begins on line {line} is not closed within {LINES_PER_ROW_MAX} lines; mend it, or set the layout's quote"
                    );
                    return Err(TablesError::Source { location, what });
                }
                Ok(true) => {
                    if !rows.push_csv(&record, line, &expected, sink) {
                        return Ok(rows.row);
                    }
                }
                Err(error) => return Err(damaged(&location, rows.row, &error)),
            }
            if rows.full() && !rows.hand_over(&self.schema, &read, sink)? {
                return Ok(rows.row);
            }
        }
        rows.hand_over(&self.schema, &read, sink)?;
        Ok(rows.row)
    }

    fn read_json(&self, path: &Path, sink: &mut dyn Sink) -> Result<u64, TablesError> {
        let location = path.display().to_string();
        let names: Vec<String> =
            self.schema.fields().iter().take(self.columns()).map(|field| field.name().clone()).collect();
        let counted = Counted::open(path, &self.format)?;
        let read = counted.read.clone();
        let mut lines = BufReader::new(counted.decoded);
        let mut rows = Rows::new(self.columns(), &location, &self.format);
        rows.claims = &self.claims;
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = lines.read_until(b'\n', &mut line).map_err(|error| damaged(&location, rows.row, &error))?;
            if length == 0 {
                break;
            }
            let row = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&line);
            if !row.iter().all(u8::is_ascii_whitespace) && !rows.push_json(row, &names, sink) {
                return Ok(rows.row);
            }
            if rows.full() && !rows.hand_over(&self.schema, &read, sink)? {
                return Ok(rows.row);
            }
        }
        rows.hand_over(&self.schema, &read, sink)?;
        Ok(rows.row)
    }
}

/// Text columns being filled.
struct Rows<'a> {
    columns: Vec<StringBuilder>,
    places: Vec<i64>,
    row: u64,
    location: &'a str,
    null_words: &'a [String],
    /// Of NDJSON, to note what its values say they are.
    claims: &'a [Claim],
}

impl<'a> Rows<'a> {
    fn new(columns: usize, location: &'a str, format: &'a TextFormat) -> Rows<'a> {
        let columns = (0..columns).map(|_| StringBuilder::new()).collect();
        Rows { columns, places: Vec::new(), row: 0, location, null_words: &format.null_words, claims: &[] }
    }

    fn full(&self) -> bool {
        self.places.len() >= BATCH_ROWS
    }

    fn broken(&self, column: Option<&str>, value: String, message: String) -> QuarantineRow {
        let column = column.map(str::to_owned);
        let (source, row) = (self.location.to_owned(), self.row as i64);
        QuarantineRow { source, row, column, value: Some(value), reason: Reason::Unparseable, message, at: None }
    }

    fn push_csv(&mut self, record: &csv::ByteRecord, line: u64, names: &[&str], sink: &mut dyn Sink) -> bool {
        self.row += 1;
        if record.len() != self.columns.len() {
            let message = format!("line {line} has {} fields, expected {}", record.len(), self.columns.len());
            let value = record.iter().map(|field| String::from_utf8_lossy(field)).collect::<Vec<_>>().join(",");
            return sink.broken(self.broken(None, value, message));
        }
        if let Some(at) = record.iter().position(|field| std::str::from_utf8(field).is_err()) {
            let value = String::from_utf8_lossy(&record[at]).into_owned();
            let message = format!("line {line} is not UTF-8; set the layout's encoding");
            return sink.broken(self.broken(Some(names[at]), value, message));
        }
        for (builder, field) in self.columns.iter_mut().zip(record) {
            let field = std::str::from_utf8(field).unwrap_or_default();
            builder.append_option(Some(field).filter(|field| !is_null(field, self.null_words)));
        }
        self.places.push(self.row as i64);
        true
    }

    fn push_json(&mut self, line: &[u8], names: &[String], sink: &mut dyn Sink) -> bool {
        self.row += 1;
        let text = || String::from_utf8_lossy(line).trim_end().to_owned();
        let fields = match json_row::fields(line) {
            Ok(fields) => fields,
            Err(error) => return sink.broken(self.broken(None, text(), format!("not a JSON object: {error}"))),
        };
        if let Some((key, _)) = fields.iter().find(|(key, _)| !names.contains(key)) {
            let message = format!("key `{key}` does not occur in the first {KEY_ROWS} rows");
            return sink.broken(self.broken(Some(key), text(), message));
        }
        for (at, (builder, name)) in self.columns.iter_mut().zip(names).enumerate() {
            // Most rows have their keys in the same order.
            let usual = fields.get(at).filter(|(key, _)| key == name);
            let value = usual.or_else(|| fields.iter().find(|(key, _)| key == name)).map(|(_, value)| value);
            let (kind, value) = match value {
                None | Some(JsonValue::Null) => (0, None),
                Some(JsonValue::Text(text)) => (JsonKinds::TEXT, Some(text.as_str())),
                Some(JsonValue::Nested(text)) => (JsonKinds::TEXT, Some(*text)),
                Some(JsonValue::Number(text)) => (JsonKinds::NUMBER, Some(*text)),
                Some(JsonValue::Truth(text)) => (JsonKinds::TRUTH, Some(*text)),
            };
            let value = value.filter(|value| !is_null(value, self.null_words));
            if let (Some(Claim::Json(kinds)), true) = (self.claims.get(at), value.is_some()) {
                kinds.saw(kind);
            }
            builder.append_option(value);
        }
        self.places.push(self.row as i64);
        true
    }

    /// Gives the sink what was filled; false if it wants no more.
    fn hand_over(&mut self, schema: &SchemaRef, read: &ByteCount, sink: &mut dyn Sink) -> Result<bool, TablesError> {
        sink.bytes(read.take());
        Ok(sink.batch(self.take(schema)?))
    }

    fn take(&mut self, schema: &SchemaRef) -> Result<RecordBatch, TablesError> {
        let count = self.places.len();
        let mut columns: Vec<ArrayRef> =
            self.columns.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef).collect();
        columns.push(Arc::new(StringArray::from(vec![self.location; count])));
        columns.push(Arc::new(Int64Array::from(std::mem::take(&mut self.places))));
        RecordBatch::try_new(schema.clone(), columns).map_err(|error| TablesError::Engine(error.to_string()))
    }
}

fn is_null(field: &str, null_words: &[String]) -> bool {
    field.is_empty() || null_words.iter().any(|word| word == field)
}

fn kind_of(path: &Path) -> Result<Kind, TablesError> {
    let name = path.to_string_lossy().to_lowercase();
    let plain = [".gz", ".zst"].iter().fold(name.as_str(), |name, ending| name.strip_suffix(ending).unwrap_or(name));
    match plain.rsplit('.').next().unwrap_or_default() {
        "csv" | "tsv" | "txt" => Ok(Kind::Csv),
        "json" | "ndjson" | "jsonl" => Ok(Kind::Json),
        "parquet" => Ok(Kind::Parquet),
        ending => {
            let what =
                format!("`.{ending}` is not a known ending; expected .csv, .ndjson or .parquet, with .gz or .zst");
            Err(TablesError::Source { location: path.display().to_string(), what })
        }
    }
}

fn text_schema(names: &[String]) -> Vec<Field> {
    let field = |(at, name): (usize, &String)| {
        let column = std::collections::HashMap::from([(COLUMN_KEY.to_owned(), at.to_string())]);
        Field::new(name, DataType::Utf8, true).with_metadata(column)
    };
    names.iter().enumerate().map(field).collect()
}

/// A file decompressed and decoded to UTF-8, and the compressed bytes read so far.
struct Counted {
    decoded: Box<dyn Read>,
    read: Arc<ByteCount>,
}

#[derive(Debug, Default)]
struct ByteCount(std::sync::atomic::AtomicU64);

impl ByteCount {
    fn take(&self) -> u64 {
        self.0.swap(0, std::sync::atomic::Ordering::Relaxed)
    }
}

struct CountedFile(File, Arc<ByteCount>);

impl Read for CountedFile {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.read(buffer)?;
        self.1.0.fetch_add(count as u64, std::sync::atomic::Ordering::Relaxed);
        Ok(count)
    }
}

impl Counted {
    fn open(path: &Path, format: &TextFormat) -> Result<Counted, TablesError> {
        let open = |error: std::io::Error| TablesError::Open {
            location: path.display().to_string(),
            reason: error.to_string(),
        };
        let read = Arc::new(ByteCount::default());
        let file = BufReader::with_capacity(1 << 16, CountedFile(File::open(path).map_err(open)?, read.clone()));
        let plain: Box<dyn Read> = match path.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => Box::new(MultiGzDecoder::new(file)),
            Some("zst") => Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(open)?),
            _ => Box::new(file),
        };
        let decoded: Box<dyn Read> = if format.encoding == encoding_rs::UTF_8 {
            plain
        } else {
            Box::new(encoding_rs_io::DecodeReaderBytesBuilder::new().encoding(Some(format.encoding)).build(plain))
        };
        Ok(Counted { decoded, read })
    }
}

fn csv_reader(input: Box<dyn Read>, format: &TextFormat) -> csv::Reader<Box<dyn Read>> {
    let mut builder = csv::ReaderBuilder::new();
    builder.flexible(true).buffer_capacity(1 << 17).has_headers(format.columns.is_empty());
    match format.quote {
        Some(quote) => builder.quote(quote),
        None => builder.quoting(false),
    };
    match format.delimiter {
        Some(delimiter) => builder.delimiter(delimiter).from_reader(input),
        None => builder.delimiter(b'\t').from_reader(Box::new(Blanks::new(input))),
    }
}

/// Lines whose fields are parted by one tab instead of any number of blanks.
struct Blanks {
    lines: BufReader<Box<dyn Read>>,
    line: Vec<u8>,
    /// What is made of the line and not yet read.
    made: std::collections::VecDeque<u8>,
}

impl Blanks {
    fn new(input: Box<dyn Read>) -> Blanks {
        Blanks { lines: BufReader::new(input), line: Vec::new(), made: std::collections::VecDeque::new() }
    }
}

impl Read for Blanks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.made.is_empty() {
            self.line.clear();
            if self.lines.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(0);
            }
            let fields = self.line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
            self.made.extend(fields.collect::<Vec<_>>().join(&b'\t'));
            self.made.push_back(b'\n');
        }
        self.made.read(buffer)
    }
}

fn csv_header(path: &Path, format: &TextFormat) -> Result<Vec<String>, TablesError> {
    let location = path.display().to_string();
    if !format.columns.is_empty() {
        return Ok(format.columns.clone());
    }
    let mut reader = csv_reader(Counted::open(path, format)?.decoded, format);
    let header = reader.byte_headers().map_err(|error| damaged(&location, 0, &error))?;
    let names: Vec<String> = header
        .iter()
        .map(|name| String::from_utf8_lossy(name).trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    if names.is_empty() {
        return Err(TablesError::Empty { location, what: "the file is empty; a CSV file begins with a header" });
    }
    if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        let what = format!("has two columns called `{}`", twice.1);
        return Err(TablesError::Source { location, what });
    }
    Ok(names)
}

fn json_keys(files: &[PathBuf], format: &TextFormat) -> Result<Vec<String>, TablesError> {
    let mut names: Vec<String> = Vec::new();
    for path in files {
        let lines = BufReader::new(Counted::open(path, format)?.decoded);
        for line in lines.lines().take(KEY_ROWS) {
            let line = line.map_err(|error| damaged(&path.display().to_string(), 0, &error))?;
            let Ok(object) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line) else {
                continue;
            };
            names.extend(object.keys().filter(|key| !names.contains(key)).cloned().collect::<Vec<_>>());
        }
    }
    if names.is_empty() {
        let location = files[0].display().to_string();
        return Err(TablesError::Empty { location, what: "no line is a JSON object" });
    }
    Ok(names)
}

pub(crate) fn damaged(location: &str, row: u64, error: &dyn std::fmt::Display) -> TablesError {
    TablesError::Damaged { location: location.to_owned(), row, reason: error.to_string() }
}
