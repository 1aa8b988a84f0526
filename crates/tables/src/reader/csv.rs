//! Rows of delimited text. A quotation mark that is not closed in its row costs that row and no other: the lines that it
//! swallowed are given back and read again.

use super::unpack::Window;
use std::collections::VecDeque;
use std::io::{BufRead, Read, Result};

/// Lines that one row may span by quoted line breaks: more is an unclosed quote that swallows other rows.
const LINES_PER_ROW_MAX: usize = 1_000;
/// Bytes of such lines together.
const ROW_BYTES_MAX: usize = 16 << 20;
/// Bytes of one line; more is no text by lines.
const LINE_BYTES_MAX: usize = 256 << 20;
/// Delimiters that lines within quotes have by being rows of exactly the header's fields, from which on that is taken for
/// no chance. Our choice.
const DELIMITERS_OF_ROWS: usize = 12;
/// The same where the lines' first fields look like the row's own, such as `B010799` and `B010000`.
const DELIMITERS_OF_ALIKE_ROWS: usize = 3;
/// The same where all of their fields do.
const DELIMITERS_OF_EQUAL_ROWS: usize = 2;

/// The fields of one row.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: Vec<u8>,
    ends: Vec<usize>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    Plain,
    Quoted,
    /// After a quotation mark within quotes: the end, or the first half of a doubled one.
    Closed,
}

/// What parts and what encloses fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    /// None: any number of blanks.
    pub delimiter: Option<u8>,
    pub quote: Option<u8>,
}

impl Marks {
    fn ends_field(self, byte: u8) -> bool {
        self.delimiter.map_or_else(|| byte.is_ascii_whitespace(), |delimiter| byte == delimiter)
    }
}

impl Record {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.state = State::Start;
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.text[begin..*end])
    }

    /// Splits a whole line by other marks.
    pub(super) fn again(&mut self, line: &[u8], marks: Marks) {
        self.clear();
        self.feed(line, marks);
    }

    /// Splits one more line, with its line break; whether a quote is open at its end.
    fn feed(&mut self, line: &[u8], marks: Marks) -> bool {
        let (mut rest, line_break) = line.split_at(line.len() - break_length(line));
        loop {
            match self.state {
                State::Start => {
                    if marks.delimiter.is_none() {
                        rest = rest.trim_ascii_start();
                        if rest.is_empty() {
                            return false;
                        }
                    }
                    let quoted = marks.quote.is_some() && rest.first().copied() == marks.quote;
                    rest = &rest[usize::from(quoted)..];
                    self.state = if quoted { State::Quoted } else { State::Plain };
                }
                State::Plain => {
                    let end = rest.iter().position(|byte| marks.ends_field(*byte));
                    self.text.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
                    self.ends.push(self.text.len());
                    self.state = State::Start;
                    match end {
                        Some(end) => rest = &rest[end + 1..],
                        None => return false,
                    }
                }
                State::Quoted => match rest.iter().position(|byte| Some(*byte) == marks.quote) {
                    Some(end) => {
                        self.text.extend_from_slice(&rest[..end]);
                        rest = &rest[end + 1..];
                        self.state = State::Closed;
                    }
                    None => {
                        self.text.extend_from_slice(rest);
                        self.text.extend_from_slice(line_break);
                        return true;
                    }
                },
                State::Closed if rest.first().copied() == marks.quote && !rest.is_empty() => {
                    self.text.push(rest[0]);
                    rest = &rest[1..];
                    self.state = State::Quoted;
                }
                State::Closed => self.state = State::Plain,
            }
        }
    }
}

fn break_length(line: &[u8]) -> usize {
    match line {
        [.., b'\r', b'\n'] => 2,
        [.., b'\r' | b'\n'] => 1,
        _ => 0,
    }
}

/// Lines with their breaks: line feed, carriage return, or both.
struct Lines<R> {
    input: Window<R>,
}

impl<R: Read> Lines<R> {
    /// Adds the next line to `into`; false at the end.
    fn next(&mut self, into: &mut Vec<u8>) -> Result<bool> {
        let begin = into.len();
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(into.len() > begin);
            }
            let end = buffer.iter().position(|byte| *byte == b'\n' || *byte == b'\r');
            let count = end.map_or(buffer.len(), |end| end + 1);
            into.extend_from_slice(&buffer[..count]);
            self.input.consume(count);
            if into.len() - begin > LINE_BYTES_MAX {
                let megabytes = LINE_BYTES_MAX >> 20;
                return Err(super::told(format!("has a line of more than {megabytes} MB; it is no text by lines")));
            }
            if end.is_none() {
                continue;
            }
            if into.last() == Some(&b'\r') && self.input.peek(1)? == b"\n" {
                into.push(b'\n');
                self.input.consume(1);
            }
            return Ok(true);
        }
    }
}

/// A line that was read ahead.
struct Waiting {
    line: Vec<u8>,
    /// It closed the quote that another line opened: if it has an odd number of marks, one of them is stray.
    closing: bool,
}

pub(super) enum Found {
    End,
    /// The record holds a row that begins on this line.
    Row(u64),
    /// A line, or the lines of one row, that are none; the text and why.
    Broken {
        text: Vec<u8>,
        message: String,
    },
}

/// The rows of one file.
pub(super) struct Records<R> {
    lines: Lines<R>,
    marks: Marks,
    waiting: VecDeque<Waiting>,
    /// Lines given out.
    line: u64,
    current: Vec<u8>,
    probe: Record,
}

impl<R: Read> Records<R> {
    pub(super) fn new(input: R, marks: Marks) -> Records<R> {
        let lines = Lines { input: Window::new(input) };
        Records { lines, marks, waiting: VecDeque::new(), line: 0, current: Vec::new(), probe: Record::default() }
    }

    /// The first row, which may span lines; false without one.
    pub(super) fn header(&mut self, record: &mut Record) -> Result<bool> {
        record.clear();
        if !self.next_line()?.0 {
            return Ok(false);
        }
        let mut open = record.feed(&self.current, self.marks);
        while open {
            if self.line as usize > LINES_PER_ROW_MAX || !self.next_line()?.0 {
                return Err(super::told("has a header with a quotation mark that is not closed".to_owned()));
            }
            open = record.feed(&self.current, self.marks);
        }
        Ok(true)
    }

    /// The next line as it stands, which is still given out afterwards.
    pub(super) fn look_ahead(&mut self) -> Result<&[u8]> {
        if self.waiting.is_empty() {
            let mut line = Vec::new();
            if self.lines.next(&mut line)? {
                self.waiting.push_back(Waiting { line, closing: false });
            }
        }
        Ok(self.waiting.front().map_or(b"", |waiting| &waiting.line))
    }

    pub(super) fn set_marks(&mut self, marks: Marks) {
        self.marks = marks;
    }

    /// The lines that the last row was made of.
    pub(super) fn text(&self) -> &[u8] {
        &self.current
    }

    /// The next line that is not blank; whether there is one, and whether it closed the quote of another.
    fn next_line(&mut self) -> Result<(bool, bool)> {
        loop {
            self.current.clear();
            let mut closing = false;
            match self.waiting.pop_front() {
                Some(waiting) => {
                    closing = waiting.closing;
                    self.current = waiting.line;
                }
                None if !self.lines.next(&mut self.current)? => return Ok((false, false)),
                None => {}
            }
            self.line += 1;
            let blank = match self.marks.delimiter {
                Some(_) => self.current.len() == break_length(&self.current),
                None => self.current.trim_ascii().is_empty(),
            };
            if !blank {
                return Ok((true, closing));
            }
        }
    }

    pub(super) fn next(&mut self, columns: usize, record: &mut Record) -> Result<Found> {
        record.clear();
        let (there, closing) = self.next_line()?;
        if !there {
            return Ok(Found::End);
        }
        let line = self.line;
        if closing && self.current.iter().filter(|byte| Some(**byte) == self.marks.quote).count() % 2 == 1 {
            let message = format!("line {line} has a stray quotation mark; mend it, or set the layout's quote");
            return Ok(Found::Broken { text: self.current.clone(), message });
        }
        if !record.feed(&self.current, self.marks) {
            return Ok(Found::Row(line));
        }
        self.across_lines(columns, record, line)
    }

    /// A row whose quote is open at the end of its first line.
    fn across_lines(&mut self, columns: usize, record: &mut Record, line: u64) -> Result<Found> {
        let mut taken: Vec<Waiting> = Vec::new();
        let mut bytes = 0;
        let closed = loop {
            if taken.len() == LINES_PER_ROW_MAX || bytes > ROW_BYTES_MAX {
                break false;
            }
            let next = match self.waiting.pop_front() {
                Some(waiting) => waiting,
                None => {
                    let mut next = Vec::new();
                    if !self.lines.next(&mut next)? {
                        break false;
                    }
                    Waiting { line: next, closing: false }
                }
            };
            let open = record.feed(&next.line, self.marks);
            bytes += next.line.len();
            taken.push(next);
            if !open {
                break true;
            }
        };
        if closed && !self.swallowed(columns, record, &taken) {
            self.line += taken.len() as u64;
            taken.iter().for_each(|taken| self.current.extend_from_slice(&taken.line));
            return Ok(Found::Row(line));
        }
        if let Some(last) = taken.last_mut().filter(|_| closed) {
            last.closing = true;
        }
        taken.into_iter().rev().for_each(|taken| self.waiting.push_front(taken));
        let message = format!(
            "line {line} opens a quotation mark that is not closed in its row; mend it, or set the layout's quote"
        );
        Ok(Found::Broken { text: self.current.clone(), message })
    }

    /// Whether the lines after the first are rows of their own rather than text within quotes.
    fn swallowed(&mut self, columns: usize, record: &Record, taken: &[Waiting]) -> bool {
        self.probe.clear();
        self.probe.feed(&self.current, Marks { quote: None, ..self.marks });
        let first = Look::of(&self.probe);
        let (mut rows, mut alike, mut equal) = (0, 0, 0);
        for taken in taken {
            self.probe.clear();
            let open = self.probe.feed(&taken.line, self.marks);
            if self.probe.len() + usize::from(open) == columns {
                rows += 1;
                let look = Look::of(&self.probe);
                equal += usize::from(look.all == first.all);
                alike += usize::from(look.all == first.all || look.first == first.first);
            }
        }
        let most = |count: usize| count * 10 >= taken.len() * 9;
        let delimiters = rows * columns.saturating_sub(1);
        if record.len() != columns {
            return rows * 2 >= taken.len() && (columns >= 4 || alike * 2 >= taken.len());
        }
        most(equal) && delimiters >= DELIMITERS_OF_EQUAL_ROWS
            || most(alike) && delimiters >= DELIMITERS_OF_ALIKE_ROWS
            || most(rows) && delimiters >= DELIMITERS_OF_ROWS && columns >= 4
    }
}

/// What a row's fields are written with.
struct Look {
    /// Of the first field: digits, letters and signs, such as `a9-9` of `Order77-1`.
    first: Vec<u8>,
    /// Of each field: words and signs, such as `a-a-a` of a date or of most long identifiers.
    all: Vec<Vec<u8>>,
}

impl Look {
    fn of(record: &Record) -> Look {
        let fine = |byte: u8| if byte.is_ascii_digit() { b'9' } else { b'a' };
        let first = record.fields().next().map(|field| shape(field, fine)).unwrap_or_default();
        Look { first, all: record.fields().map(|field| shape(field, |_| b'a')).collect() }
    }
}

/// The field with each run of one class of characters as one; quotation marks are left out.
fn shape(field: &[u8], class: impl Fn(u8) -> u8) -> Vec<u8> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80;
    let marks = |byte: &u8| !matches!(byte, b'"' | b'\'');
    let mut shape: Vec<u8> =
        field.iter().copied().filter(marks).map(|byte| if is_word(byte) { class(byte) } else { byte }).collect();
    shape.dedup();
    shape
}
