//! Reads files row by row into text columns with each row's place, so that one broken line costs one
//! line. Types are the contract's business, not the file's; Parquet keeps the types it has.

mod csv;
mod decode;
mod format;
mod json;
mod rows;
#[cfg(test)]
mod tests;
mod unpack;

use crate::guess::{Claim, JsonKinds};
use crate::parts;
use crate::quarantine::QuarantineRow;
use crate::{ROW_COLUMN, SOURCE_COLUMN, TablesError};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use rows::Rows;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unpack::Packing;

pub use decode::Encoding;
pub use format::{Delimiter, TextFormat};

pub(crate) const BATCH_ROWS: usize = 8_192;
/// Where a field says which column of the reader it is, through a layout's SELECT.
const COLUMN_KEY: &str = "septet.column";
/// Characters of a column's name in a message: a file read in the wrong way is one column, and its name the whole file.
pub(crate) const NAME_CHARACTERS_MAX: usize = 60;
/// Columns that a message lists.
pub(crate) const NAMES_MAX: usize = 40;
/// What people part fields by.
const USUAL_DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

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
pub(crate) enum Kind {
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
    /// Looks at the files for their columns. All files must be of one kind.
    pub fn open(files: Vec<PathBuf>, format: TextFormat) -> Result<Reader, TablesError> {
        let kind = kind_of(&files[0])?;
        if let Some(other) = files.iter().find(|file| kind_of(file).ok() != Some(kind)) {
            let what = format!("is of another kind than `{}`; read them in two runs", files[0].display());
            return Err(TablesError::Source { location: other.display().to_string(), what });
        }
        let own = match kind {
            Kind::Csv => text_schema(&first_header(&files, &format)?),
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

    fn names(&self) -> Vec<&str> {
        self.schema.fields().iter().take(self.columns()).map(|field| field.name().as_str()).collect()
    }

    fn read_csv(&self, path: &Path, sink: &mut dyn Sink) -> Result<u64, TablesError> {
        let location = path.display().to_string();
        let mut rows = Rows::new(self, &location);
        let Some(mut text) = CsvFile::open(path, &self.format)? else { return Ok(0) };
        let (names, found) = (self.names(), text.header.iter().map(String::as_str).collect::<Vec<_>>());
        same_columns(path, &self.files[0], &names, &found)?;
        let order: Vec<usize> = found.iter().filter_map(|found| names.iter().position(|name| name == found)).collect();
        let mut record = csv::Record::default();
        loop {
            let wants_more = match text.records.next(names.len(), &mut record) {
                Err(error) => return Err(unreadable(&location, rows.row, &error)),
                Ok(csv::Found::End) => break,
                Ok(csv::Found::Row(line)) => rows.push_csv(&record, line, text.records.text(), &order, sink),
                Ok(csv::Found::Broken { text, message }) => rows.push_broken(&text, message, sink),
            };
            if !wants_more || rows.full() && !rows.hand_over(&text.read, sink)? {
                return Ok(rows.row);
            }
        }
        rows.hand_over(&text.read, sink)?;
        Ok(rows.row)
    }

    fn read_json(&self, path: &Path, sink: &mut dyn Sink) -> Result<u64, TablesError> {
        let location = path.display().to_string();
        let mut rows = Rows::new(self, &location);
        let keys = json::Keys::of(self.names().into_iter().map(str::to_owned));
        let opened = Opened::new(path, &self.format)?;
        let mut texts = json::Texts::new(opened.text).map_err(|error| unreadable(&location, 0, &error))?;
        let mut text = Vec::new();
        while let Some(line) = texts.next(&mut text).map_err(|error| unreadable(&location, rows.row, &error))? {
            if !rows.push_json(&text, line, &keys, sink) || rows.full() && !rows.hand_over(&opened.read, sink)? {
                return Ok(rows.row);
            }
        }
        rows.hand_over(&opened.read, sink)?;
        Ok(rows.row)
    }
}

/// The file's name in lower case, without the endings of packing.
fn plain_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    match packing_of(&name) {
        Some((ending, _)) => name[..name.len() - ending.len()].to_owned(),
        None => name,
    }
}

fn packing_of(name: &str) -> Option<(&'static str, Packing)> {
    Packing::ENDINGS.into_iter().find(|(ending, _)| name.ends_with(ending))
}

pub(crate) fn kind_of(path: &Path) -> Result<Kind, TablesError> {
    const KNOWN: &str = "expected .csv, .tsv, .txt, .ndjson, .jsonl, .json or .parquet; texts may end in .gz or .zst";
    let refused = |what: String| Err(TablesError::Source { location: path.display().to_string(), what });
    let plain = plain_name(path);
    match plain.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv" | "tsv" | "tab" | "txt") => Ok(Kind::Csv),
        Some("json" | "ndjson" | "jsonl") => Ok(Kind::Json),
        Some("parquet") if path.to_string_lossy().to_lowercase().ends_with(".parquet") => Ok(Kind::Parquet),
        Some("parquet") => {
            refused("is a packed Parquet file; unpack it first: Parquet packs its columns by itself".into())
        }
        Some("bz2" | "xz" | "zip" | "7z" | "tar") => {
            refused("is packed in a way that is not read here; unpack it first".into())
        }
        Some("xlsx" | "xls" | "ods") => refused(format!(
            "is a workbook, whose `.{}` is not a known ending; save it as CSV",
            plain.rsplit('.').next().unwrap_or_default()
        )),
        Some(ending) if !ending.is_empty() => {
            refused(format!("`.{}` is not a known ending; {KNOWN}", shortened(ending)))
        }
        _ => refused(format!("has no ending that says what kind of file it is; {KNOWN}")),
    }
}

fn text_schema(names: &[String]) -> Vec<Field> {
    let field = |(at, name): (usize, &String)| {
        let column = std::collections::HashMap::from([(COLUMN_KEY.to_owned(), at.to_string())]);
        Field::new(name, DataType::Utf8, true).with_metadata(column)
    };
    names.iter().enumerate().map(field).collect()
}

/// A text file, unpacked and decoded to UTF-8, and the packed bytes read so far.
struct Opened {
    text: Box<dyn Read>,
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

impl Opened {
    fn new(path: &Path, format: &TextFormat) -> Result<Opened, TablesError> {
        let location = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| TablesError::Open { location: location.clone(), reason: error.to_string() })?;
        let read = Arc::new(ByteCount::default());
        let named = packing_of(&location.to_lowercase()).map(|(_, packing)| packing);
        let text = unpack::unpacked(CountedFile(file, read.clone()), named)
            .and_then(|plain| decode::decoded(plain, format.encoding))
            .map_err(|error| unreadable(&location, 0, &error))?;
        Ok(Opened { text, read })
    }
}

/// A delimited file whose header was read.
struct CsvFile {
    records: csv::Records<Box<dyn Read>>,
    header: Vec<String>,
    read: Arc<ByteCount>,
}

impl CsvFile {
    /// None if the file has no line: a part that nothing was written to.
    fn open(path: &Path, format: &TextFormat) -> Result<Option<CsvFile>, TablesError> {
        let location = path.display().to_string();
        let Opened { text, read } = Opened::new(path, format)?;
        let mut marks = csv::Marks { delimiter: format.delimiter.byte(path), quote: format.quote };
        let mut records = csv::Records::new(text, marks);
        if !format.columns.is_empty() {
            return Ok(Some(CsvFile { records, header: format.columns.clone(), read }));
        }
        let mut record = csv::Record::default();
        let told = |error: std::io::Error| unreadable(&location, 0, &error);
        if !records.header(&mut record).map_err(told)? {
            return Ok(None);
        }
        let next = records.look_ahead().map_err(told)?.to_vec();
        if let Some(other) = other_delimiter(records.text(), &next).filter(|_| record.len() == 1) {
            if format.delimiter != Delimiter::ByHeader {
                let shown = if other == b'\t' { "\\t".to_owned() } else { char::from(other).to_string() };
                let what = format!(
                    "has one column, called `{}`; set delimiter = \"{}\" in its layout, if that is what parts its fields",
                    shortened(String::from_utf8_lossy(records.text()).trim()),
                    shown.replace('\\', "\\\\")
                );
                return Err(TablesError::Source { location, what });
            }
            marks.delimiter = Some(other);
            let line = records.text().to_vec();
            records.set_marks(marks);
            record.again(&line, marks);
        }
        let header = header_names(&record, format).map_err(|what| TablesError::Source { location, what })?;
        Ok(Some(CsvFile { records, header, read }))
    }
}

/// The delimiter that a header of one column, and the row after it, have instead of the one that was looked for.
fn other_delimiter(header: &[u8], next: &[u8]) -> Option<u8> {
    let count = |line: &[u8], mark: u8| line.iter().filter(|byte| **byte == mark).count();
    let likely =
        |mark: &u8| count(header, *mark) > 0 && (next.is_empty() || count(next, *mark) >= count(header, *mark));
    USUAL_DELIMITERS.into_iter().filter(likely).max_by_key(|mark| count(header, *mark))
}

/// The names of the columns; those without one are called after their place.
fn header_names(record: &csv::Record, format: &TextFormat) -> Result<Vec<String>, String> {
    let mut names = Vec::with_capacity(record.len());
    for field in record.fields() {
        let name = std::str::from_utf8(field).map_err(|_| {
            let name = String::from_utf8_lossy(field);
            format!(
                "has a header that is not {}, near `{}`; set the layout's encoding, such as windows-1252",
                format.encoding.name().to_uppercase(),
                shortened(&name)
            )
        })?;
        names.push(name.trim_start_matches('\u{feff}').trim().to_owned());
    }
    for at in 0..names.len() {
        if names[at].is_empty() {
            let mut name = format!("column_{}", at + 1);
            while names.contains(&name) {
                name.push('_');
            }
            names[at] = name;
        }
    }
    match names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
        Some((_, twice)) => Err(format!("has two columns called `{}`", shortened(twice))),
        None => Ok(names),
    }
}

/// The fields of a file's first line, whether or not they can be names of columns.
pub(crate) fn fields_of_first_line(path: &Path, format: &TextFormat) -> Option<Vec<String>> {
    let text = Opened::new(path, format).ok()?.text;
    let marks = csv::Marks { delimiter: format.delimiter.byte(path), quote: format.quote };
    let (mut records, mut record) = (csv::Records::new(text, marks), csv::Record::default());
    let found = records.header(&mut record).ok()?;
    found.then(|| record.fields().map(|field| String::from_utf8_lossy(field).into_owned()).collect())
}

/// The header of the first file that has one.
fn first_header(files: &[PathBuf], format: &TextFormat) -> Result<Vec<String>, TablesError> {
    for file in files {
        if let Some(opened) = CsvFile::open(file, format)? {
            return Ok(opened.header);
        }
    }
    let location = files[0].display().to_string();
    Err(TablesError::Empty { location, what: "the file is empty; a CSV file begins with a header" })
}

/// The keys of all objects: one that comes late is a column as well.
fn json_keys(files: &[PathBuf], format: &TextFormat) -> Result<Vec<String>, TablesError> {
    let mut keys = json::Keys::default();
    for path in files {
        let told = |error: std::io::Error| unreadable(&path.display().to_string(), 0, &error);
        let mut texts = json::Texts::new(Opened::new(path, format)?.text).map_err(told)?;
        let mut text = Vec::new();
        while texts.next(&mut text).map_err(told)?.is_some() {
            keys.look(&text).map_err(told)?;
        }
    }
    if keys.names().is_empty() {
        let location = files[0].display().to_string();
        let what = "nothing in it is a JSON object; expected one object a line, or an array of objects";
        return Err(TablesError::Empty { location, what });
    }
    Ok(keys.names().to_vec())
}

/// An error that names what is missing and what is more; order does not matter.
fn same_columns(file: &Path, first: &Path, expected: &[&str], found: &[&str]) -> Result<(), TablesError> {
    let missing: Vec<&str> = expected.iter().filter(|name| !found.contains(name)).copied().collect();
    let more: Vec<&str> = found.iter().filter(|name| !expected.contains(name)).copied().collect();
    let mut what = Vec::new();
    if !missing.is_empty() {
        what.push(format!("has no {}, which `{}` has", listed(&missing), first.display()));
    }
    if !more.is_empty() {
        what.push(format!("has {}, which `{}` has not", listed(&more), first.display()));
    }
    if what.is_empty() {
        return Ok(());
    }
    let what = format!("{}; give the files one header, or read them in two runs", what.join(", and "));
    Err(TablesError::Source { location: file.display().to_string(), what })
}

/// Names for a message, as many and as long as a person reads.
pub(crate) fn listed(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("`{}`", shortened(name))).collect();
    let more = names.len().saturating_sub(NAMES_MAX);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// A name for a message: one line of it, and no more than a person reads.
pub(crate) fn shortened(name: &str) -> String {
    let plain = |letter: char| if letter.is_control() { '\u{fffd}' } else { letter };
    let mut shown: String = name.chars().take(NAME_CHARACTERS_MAX).map(plain).collect();
    if name.chars().nth(NAME_CHARACTERS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

/// A sentence about a file that travels through the readers.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Told(String);

fn told(what: String) -> std::io::Error {
    std::io::Error::other(Told(what))
}

/// What stopped the reading: a sentence of ours, a file cut short, or one that is damaged.
fn unreadable(location: &str, row: u64, error: &std::io::Error) -> TablesError {
    let location = location.to_owned();
    if let Some(Told(what)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return TablesError::Source { location, what: what.clone() };
    }
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => TablesError::Damaged { location, row, reason: error.to_string() },
        _ => {
            let what = format!("cannot be read on after row {row}: {error}; the file is damaged, fetch it again");
            TablesError::Source { location, what }
        }
    }
}

pub(crate) fn damaged(location: &str, row: u64, error: &dyn std::fmt::Display) -> TablesError {
    TablesError::Damaged { location: location.to_owned(), row, reason: error.to_string() }
}
