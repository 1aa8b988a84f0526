//! Looks at every row of a table that nobody has described yet, so that its contract can be written from what is there and not
//! from the first thousand rows.

use crate::contract::{instant, integer, number};
use crate::quarantine::QuarantineRow;
use crate::reader::{Kind, Reader, Sink, kind_of};
use crate::reading::{printed, unpacked};
use crate::{Delimiter, Encoding, Location, TablesError, TextFormat, local_files};
use datafusion::arrow::array::RecordBatch;
use foldhash::quality::FixedState;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;

/// Different values of a column that are kept with their counts: more are no categories.
const WORDS_MAX: usize = 500;
/// Characters of a value that is kept.
const WORD_CHARACTERS_MAX: usize = 200;
/// Different values of a column that are told apart: 8 bytes each.
const DISTINCT_MAX: usize = 5_000_000;

/// What is in a table.
#[derive(Debug)]
pub struct Survey {
    /// Rows that could be read.
    pub rows: u64,
    /// Rows that could not, and the first one's place and reason.
    pub broken: u64,
    pub first_broken: Option<String>,
    /// How its text is written, as far as it is other than usual.
    pub written: Written,
    pub columns: Vec<ColumnSurvey>,
}

/// How a text file is written, where a layout must say so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub delimiter: Option<char>,
    pub encoding: Option<&'static str>,
    /// The columns of a file whose first line is a row already.
    pub columns: Vec<String>,
}

/// What is in a column. Counts are of rows with a value, unless they say otherwise.
#[derive(Debug)]
pub struct ColumnSurvey {
    pub name: String,
    pub given: u64,
    pub numbers: u64,
    pub wholes: u64,
    /// Numbers with a decimal comma.
    pub comma_numbers: u64,
    /// Digits that begin with a needless zero, as codes do.
    pub padded: u64,
    pub instants: u64,
    pub mails: u64,
    pub phones: u64,
    /// Numbers that pass the check of payment cards (Luhn).
    pub cards: u64,
    pub min: f64,
    pub max: f64,
    /// Different values; none above five millions.
    pub distinct: Option<u64>,
    /// Different values with their counts; none if there are more than 500.
    pub words: Option<BTreeMap<String, u64>>,
    /// Values that are no numbers, with their counts; none if there are more than 500.
    pub strange: Option<BTreeMap<String, u64>>,
    /// Sum of characters, and of blanks between words.
    pub characters: u64,
    pub blanks: u64,
    pub days: Days,
    seen: HashSet<u64, FixedState>,
}

/// Days that are written in another way than ISO 8601.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Days {
    /// Values that look so, all alike.
    pub count: u64,
    shape: Option<DayShape>,
    first_max: u32,
    second_max: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DayShape {
    mark: char,
    year_first: bool,
    /// Parts of the clock: 0, 2 or 3.
    clock: usize,
}

impl Days {
    /// Values of one column.
    pub fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Days {
        let mut days = Days::default();
        texts.for_each(|text| days.look(text));
        days
    }

    fn look(&mut self, text: &str) {
        let Some((shape, first, second)) = day(text) else { return };
        if *self.shape.get_or_insert(shape) != shape {
            return;
        }
        self.count += 1;
        self.first_max = self.first_max.max(first);
        self.second_max = self.second_max.max(second);
    }

    /// The format for `to_timestamp`, whether it has a clock, and whether day and month could be the other way round.
    pub fn format(&self) -> Option<(String, bool, bool)> {
        let DayShape { mark, year_first, clock } = self.shape?;
        let day_first = match (self.first_max > 12, self.second_max > 12) {
            (true, true) => return None,
            (true, false) => true,
            (false, true) => false,
            (false, false) => mark != '/',
        };
        let day = match (year_first, day_first) {
            (true, _) => format!("%Y{mark}%m{mark}%d"),
            (false, true) => format!("%d{mark}%m{mark}%Y"),
            (false, false) => format!("%m{mark}%d{mark}%Y"),
        };
        let clock_format = ["", "", " %H:%M", " %H:%M:%S"][clock];
        let unsure = !year_first && self.first_max <= 12 && self.second_max <= 12;
        Some((format!("{day}{clock_format}"), clock > 0, unsure))
    }
}

/// The shape of `25.7.2018`, `7/25/2018 10:00` and their like, with the two numbers beside the year.
fn day(text: &str) -> Option<(DayShape, u32, u32)> {
    let (day, clock) = text.split_once(' ').map_or((text, ""), |(day, clock)| (day, clock));
    let mark = day.chars().find(|letter| !letter.is_ascii_digit()).filter(|mark| ['.', '/', '-'].contains(mark))?;
    let parts: Vec<&str> = day.split(mark).collect();
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let [a, b, c] = parts[..] else { return None };
    let (year_first, first, second) = match (a.len(), b.len(), c.len()) {
        (4, 1..=2, 1..=2) => (true, c, b),
        (1..=2, 1..=2, 4) => (false, a, b),
        _ => return None,
    };
    let clock: Vec<&str> = if clock.is_empty() { Vec::new() } else { clock.split(':').collect() };
    let sound = parts.iter().all(&digits) && clock.iter().all(digits) && clock.len() != 1;
    if !sound || clock.len() > 3 {
        return None;
    }
    Some((DayShape { mark, year_first, clock: clock.len() }, first.parse().ok()?, second.parse().ok()?))
}

impl ColumnSurvey {
    fn new(name: &str) -> ColumnSurvey {
        ColumnSurvey {
            name: name.to_owned(),
            given: 0,
            numbers: 0,
            wholes: 0,
            comma_numbers: 0,
            padded: 0,
            instants: 0,
            mails: 0,
            phones: 0,
            cards: 0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            distinct: Some(0),
            words: Some(BTreeMap::new()),
            strange: Some(BTreeMap::new()),
            characters: 0,
            blanks: 0,
            days: Days::default(),
            seen: HashSet::with_hasher(FixedState::with_seed(7)),
        }
    }

    fn look(&mut self, text: &str) {
        self.given += 1;
        self.characters += text.chars().count() as u64;
        self.blanks += text.trim().matches(' ').count() as u64;
        if self.distinct.is_some() {
            self.seen.insert(FixedState::with_seed(8).hash_one(text));
            self.distinct = (self.seen.len() <= DISTINCT_MAX).then_some(self.seen.len() as u64);
        }
        count(&mut self.words, text);
        match number(text, '.') {
            Some(value) => {
                self.numbers += 1;
                self.comma_numbers += u64::from(!text.contains('.'));
                self.wholes += u64::from(integer(text, '.').is_some());
                self.min = self.min.min(value);
                self.max = self.max.max(value);
            }
            None => {
                self.comma_numbers += u64::from(number(text, ',').is_some());
                count(&mut self.strange, text);
            }
        }
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let all_digits = digits == text.len();
        self.padded += u64::from(all_digits && digits > 1 && text.starts_with('0'));
        self.mails += u64::from(is_mail(text));
        self.phones += u64::from(!all_digits && is_phone(text, digits));
        self.cards += u64::from((15..=16).contains(&digits) && is_card(text));
        if digits >= 6 && !all_digits {
            self.instants += u64::from(instant(text).is_some());
            self.days.look(text.trim());
        }
    }
}

fn count(words: &mut Option<BTreeMap<String, u64>>, text: &str) {
    let Some(known) = words else { return };
    if let Some(times) = known.get_mut(text) {
        *times += 1;
    } else if known.len() < WORDS_MAX && text.chars().count() <= WORD_CHARACTERS_MAX {
        known.insert(text.to_owned(), 1);
    } else {
        *words = None;
    }
}

fn is_mail(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(who, host)| !who.is_empty() && host.contains('.') && !text.contains(' ') && !host.contains('@'))
}

/// As people write numbers to call: `+49 30 1234567`, `(030) 123-4567`.
fn is_phone(text: &str, digits: usize) -> bool {
    let marks = text.chars().all(|letter| letter.is_ascii_digit() || " +-()/".contains(letter));
    marks
        && (8..=15).contains(&digits)
        && (text.starts_with(['+', '(']) || text.matches([' ', '-']).count() >= 2)
        && day(text).is_none()
        && instant(text).is_none()
}

fn is_card(text: &str) -> bool {
    let plain = text.chars().all(|letter| letter.is_ascii_digit() || letter == ' ' || letter == '-');
    plain && passes_luhn(text.bytes().filter(u8::is_ascii_digit).map(|byte| u32::from(byte - b'0')))
}

/// Whether the last of some decimal digits checks the others by Luhn's rule, as on payment cards. True of no digits. Source:
/// ISO/IEC 7812-1, annex B.
pub fn passes_luhn(digits: impl DoubleEndedIterator<Item = u32>) -> bool {
    let doubled = |(at, digit): (usize, u32)| match (at % 2, digit * 2) {
        (0, _) => digit,
        (_, twice) if twice > 9 => twice - 9,
        (_, twice) => twice,
    };
    digits.rev().enumerate().map(doubled).sum::<u32>().is_multiple_of(10)
}

struct Looking {
    rows: u64,
    broken: u64,
    first_broken: Option<String>,
    columns: Vec<ColumnSurvey>,
    error: Option<TablesError>,
}

impl Sink for Looking {
    fn batch(&mut self, batch: RecordBatch) -> bool {
        self.rows += batch.num_rows() as u64;
        for (column, array) in self.columns.iter_mut().zip(batch.columns()) {
            match unpacked(array) {
                Ok(array) => printed(&array).iter().flatten().for_each(|text| column.look(text)),
                Err(error) => {
                    self.error = Some(error);
                    return false;
                }
            }
        }
        true
    }

    fn broken(&mut self, row: QuarantineRow) -> bool {
        self.broken += 1;
        self.first_broken.get_or_insert_with(|| format!("row {}: {}", row.row, row.message));
        true
    }

    fn bytes(&mut self, _: u64) {}
}

/// Reads all of it once.
pub fn survey(address: &str) -> Result<Survey, TablesError> {
    let Location::Files(pattern) = Location::parse(address)? else {
        let what = "is no file; fetch some rows into one first".to_owned();
        return Err(TablesError::Source { location: crate::redacted(address), what });
    };
    let files = local_files(&pattern)?;
    let (reader, written) = opened(&files)?;
    let own = &reader.schema.fields()[..reader.schema.fields().len() - 2];
    let columns = own.iter().map(|field| ColumnSurvey::new(field.name())).collect();
    let mut looking = Looking { rows: 0, broken: 0, first_broken: None, columns, error: None };
    reader.read(&mut looking)?;
    if let Some(error) = looking.error {
        return Err(error);
    }
    if looking.rows == 0 {
        return Err(TablesError::Empty { location: pattern, what: "nothing can be learned of its columns" });
    }
    let Looking { rows, broken, first_broken, columns, .. } = looking;
    Ok(Survey { rows, broken, first_broken, written, columns })
}

/// The reader that makes most of the files: by the usual delimiters, UTF-8 or else windows-1252, with a header or without.
fn opened(files: &[std::path::PathBuf]) -> Result<(Reader, Written), TablesError> {
    let mut written = Written::default();
    if kind_of(&files[0])? == Kind::Parquet {
        return Ok((Reader::open(files.to_vec(), TextFormat::default())?, written));
    }
    let mut format = TextFormat::default();
    if is_latin(files, &format)? {
        written.encoding = Some("windows-1252");
        format.encoding = Encoding::for_label("windows-1252").unwrap_or(format.encoding);
    }
    if kind_of(&files[0])? == Kind::Json {
        return Ok((Reader::open(files.to_vec(), format)?, written));
    }
    let width = |format: &TextFormat| header_of(files, format).map(|names| names.len()).unwrap_or(0);
    let usual = width(&format);
    let others =
        [';', '\t', '|'].map(|mark| (mark, TextFormat { delimiter: Delimiter::Byte(mark as u8), ..format.clone() }));
    let wider =
        others.into_iter().map(|(mark, format)| (width(&format), mark, format)).max_by_key(|(width, ..)| *width);
    if let Some((_, mark, other)) = wider.filter(|(width, ..)| *width > usual) {
        written.delimiter = Some(mark);
        format = other;
    }
    if let Some(names) = names_if_headless(files, &format) {
        written.columns.clone_from(&names);
        format.columns = names;
    }
    Ok((Reader::open(files.to_vec(), format)?, written))
}

/// The names in a file's header, duplicates too: a line that is a row already may hold a value twice.
fn header_of(files: &[std::path::PathBuf], format: &TextFormat) -> Result<Vec<String>, TablesError> {
    let reader = Reader::open(files.to_vec(), format.clone())?;
    let own = reader.schema.fields().len() - 2;
    Ok(reader.schema.fields()[..own].iter().map(|field| field.name().clone()).collect())
}

/// Names for the columns of a file whose first line is a row already: a quarter of its fields are numbers other than years, or one
/// comes twice.
fn names_if_headless(files: &[std::path::PathBuf], format: &TextFormat) -> Option<Vec<String>> {
    let wide: Vec<String> = (1..=10_000).map(|at| format!("column_{at}")).collect();
    let numbers = |names: &[String]| {
        let is_number = |name: &&String| number(name, '.').is_some_and(|value| !(1900.0..2100.0).contains(&value));
        names.iter().filter(is_number).count()
    };
    match header_of(files, format) {
        Ok(names) if numbers(&names) * 4 >= names.len() && numbers(&names) > 0 => {
            Some(wide.into_iter().take(names.len()).collect())
        }
        Ok(_) => None,
        Err(TablesError::Source { what, .. }) if what.contains("two columns called") => {
            let fields = crate::reader::fields_of_first_line(&files[0], format)?;
            (numbers(&fields) > 0).then(|| wide.into_iter().take(fields.len()).collect())
        }
        Err(_) => None,
    }
}

/// Whether something in the files is no UTF-8.
fn is_latin(files: &[std::path::PathBuf], format: &TextFormat) -> Result<bool, TablesError> {
    struct Broken(bool);
    impl Sink for Broken {
        fn batch(&mut self, _: RecordBatch) -> bool {
            true
        }
        fn broken(&mut self, row: QuarantineRow) -> bool {
            self.0 |= row.message.contains("windows-1252");
            !self.0
        }
        fn bytes(&mut self, _: u64) {}
    }
    let mut broken = Broken(false);
    match Reader::open(files.to_vec(), format.clone()) {
        Ok(reader) => {
            reader.read(&mut broken)?;
            Ok(broken.0)
        }
        // A header that is told with the sign for what could not be read.
        Err(TablesError::Source { what, .. }) => Ok(what.contains("windows-1252") || what.contains('\u{fffd}')),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surveyed(name: &str, bytes: &[u8]) -> Survey {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        survey(&path.display().to_string()).unwrap()
    }

    #[test]
    fn a_file_says_itself_how_it_is_written() {
        let plain = surveyed("a.csv", b"id,amount\n1,2.5\n2,NA\n");
        assert_eq!((plain.written, plain.columns[1].numbers), (Written::default(), 1));
        assert_eq!(plain.columns[1].strange.as_ref().unwrap().get("NA"), Some(&1));
        let german = surveyed("b.csv", b"Stra\xdfe;Betrag\nA;1,5\nB;2\n");
        assert_eq!((german.written.delimiter, german.written.encoding), (Some(';'), Some("windows-1252")));
        assert_eq!((german.columns[1].comma_numbers, german.columns[1].numbers), (2, 1));
        let headless = surveyed("c.csv", b"A11,6,6,x\nA12,48,5,y\n");
        assert_eq!((headless.written.columns.len(), headless.rows), (4, 2));
        let years = surveyed("d.csv", b"land,2019,2020\na,1,2\n");
        assert_eq!((years.written.columns.len(), years.rows), (0, 1));
    }

    #[test]
    fn days_are_told_by_what_cannot_be_a_month() {
        let format = |texts: &[&str]| Days::of(texts.iter().copied()).format();
        let found = |text: &str, clock, unsure| Some((text.to_owned(), clock, unsure));
        assert_eq!(format(&["25.07.2018", "01.02.2018"]), found("%d.%m.%Y", false, false));
        assert_eq!(format(&["7/25/2018 9:05"]), found("%m/%d/%Y %H:%M", true, false));
        assert_eq!(format(&["01.02.2018"]), found("%d.%m.%Y", false, true));
        assert_eq!(format(&["2018/07/25"]), found("%Y/%m/%d", false, false));
        assert_eq!((format(&["25/25/2018"]), format(&["hello"])), (None, None));
    }

    #[test]
    fn what_points_at_people_is_counted() {
        let found =
            surveyed("p.csv", b"m,p,c\na@b.de,+49 30 1234567,4111 1111 1111 1111\nx,2018-07-25,4111111111111112\n");
        let counts: Vec<_> = found.columns.iter().map(|column| (column.mails, column.phones, column.cards)).collect();
        assert_eq!(counts, [(1, 0, 0), (0, 1, 0), (0, 0, 1)]);
    }
}
