//! Rows of JSON: one object a line, or one array of objects. A number is kept as it was written.

use super::unpack::Window;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Error, ErrorKind, Read, Result};

/// Keys of a source's objects. More are values that were made keys.
const KEYS_MAX: usize = 10_000;
/// Bytes of one row: 64 times the longest text of a contract.
const ROW_BYTES_MAX: usize = 64 << 20;

/// The keys of a source's objects, in the order in which they first come.
#[derive(Debug, Default)]
pub(super) struct Keys {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Keys {
    pub(super) fn of(names: impl IntoIterator<Item = String>) -> Keys {
        let mut keys = Keys::default();
        names.into_iter().for_each(|name| keys.add(&name));
        keys
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    fn add(&mut self, name: &str) {
        if !self.places.contains_key(name) {
            self.places.insert(name.to_owned(), self.names.len());
            self.names.push(name.to_owned());
        }
    }

    /// `hint` is where it is if the objects have one order of keys.
    pub(super) fn place(&self, name: &str, hint: usize) -> Option<usize> {
        match self.names.get(hint) {
            Some(here) if here == name => Some(hint),
            _ => self.places.get(name).copied(),
        }
    }

    /// Adds the keys of an object; what is none is left out.
    pub(super) fn look(&mut self, text: &[u8]) -> Result<()> {
        let Ok(Names(names)) = serde_json::from_slice::<Names>(text) else { return Ok(()) };
        for (at, name) in names.iter().enumerate() {
            if self.place(name, at).is_none() {
                self.add(name);
            }
        }
        match self.names.len() {
            0..=KEYS_MAX => Ok(()),
            _ => Err(super::told(format!("has objects with more than {KEYS_MAX} different keys"))),
        }
    }
}

/// An object's keys in their order.
struct Names<'a>(Vec<Cow<'a, str>>);

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Names<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Names<'de>, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Names<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Names<'de>, A::Error> {
                let mut names = Vec::with_capacity(16);
                while let Some((Key(name), IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// The same JSON without blanks between its parts: a table has lists and objects as one text.
pub(super) fn compact(json: &str) -> String {
    let (mut quoted, mut escaped) = (false, false);
    json.chars()
        .filter(|letter| {
            let keep = quoted || !letter.is_ascii_whitespace();
            quoted ^= *letter == '"' && !escaped;
            escaped = quoted && *letter == '\\' && !escaped;
            keep
        })
        .collect()
}

/// The rows' texts, one after the other.
pub(super) struct Texts<R> {
    input: Window<R>,
    /// None: one object a line.
    array: Option<Array>,
    line: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Array {
    Begins,
    Within,
    Ended,
}

impl<R: Read> Texts<R> {
    pub(super) fn new(input: R) -> Result<Texts<R>> {
        let mut input = Window::new(input);
        let head = input.peek(1 << 12)?;
        // `[` alone begins a line of a log as well.
        let array = match head.trim_ascii_start() {
            [b'[', rest @ ..] => matches!(rest.trim_ascii_start().first(), Some(b'{' | b']') | None),
            _ => false,
        };
        Ok(Texts { input, array: array.then_some(Array::Begins), line: 1 })
    }

    /// Puts the next text that is not blank into `into`; the line on which it begins, none at the end.
    pub(super) fn next(&mut self, into: &mut Vec<u8>) -> Result<Option<u64>> {
        loop {
            into.clear();
            let (line, there) = match self.array {
                None => (self.line, self.next_line(into)?),
                Some(_) => self.next_element(into)?,
            };
            if !there {
                return Ok(None);
            }
            if !into.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    fn next_line(&mut self, into: &mut Vec<u8>) -> Result<bool> {
        let length = (&mut self.input).take(ROW_BYTES_MAX as u64 + 1).read_until(b'\n', into)?;
        if length > ROW_BYTES_MAX {
            return Err(too_long(self.line));
        }
        self.line += 1;
        // A file that others were put behind has a mark at each one's begin.
        if into.starts_with(b"\xef\xbb\xbf") {
            into.drain(..3);
        }
        Ok(length > 0)
    }

    fn step(&mut self) {
        if self.input.peek(1).is_ok_and(|next| next == b"\n") {
            self.line += 1;
        }
        self.input.consume(1);
    }

    /// One element of the array, or what stands behind its end.
    fn next_element(&mut self, into: &mut Vec<u8>) -> Result<(u64, bool)> {
        loop {
            let next = self.input.peek(1)?.first().copied();
            match (next, self.array) {
                (None, Some(Array::Ended)) => return Ok((self.line, false)),
                (None, _) => {
                    return Err(Error::new(ErrorKind::UnexpectedEof, "the array of objects is not closed by `]`"));
                }
                (Some(byte), _) if byte.is_ascii_whitespace() => {}
                (Some(b','), Some(Array::Within)) => {}
                (Some(b'['), Some(Array::Begins)) => self.array = Some(Array::Within),
                (Some(b']'), Some(Array::Within)) => self.array = Some(Array::Ended),
                (Some(_), Some(Array::Ended)) => {
                    let line = self.line;
                    (&mut self.input).take(ROW_BYTES_MAX as u64).read_to_end(into)?;
                    return Ok((line, true));
                }
                (Some(_), _) => {
                    let line = self.line;
                    return self.element(into).map(|()| (line, true));
                }
            }
            self.step();
        }
    }

    /// Reads up to the end of an element. Where its braces or quotes do not close, it ends before what can only be
    /// another one.
    fn element(&mut self, into: &mut Vec<u8>) -> Result<()> {
        let begin = self.line;
        let mut open: Vec<u8> = Vec::new();
        let (mut quoted, mut escaped, mut before) = (false, false, b' ');
        loop {
            let Some(byte) = self.input.peek(1)?.first().copied() else { return Ok(()) };
            if quoted {
                // JSON's strings have no line break in them: the quote was not closed.
                quoted = byte != b'\n' && (byte != b'"' || escaped);
                escaped = quoted && byte == b'\\' && !escaped;
            } else {
                match (byte, open.last()) {
                    (b',' | b']', None) => return Ok(()),
                    (b'{' | b'[', Some(b'{')) if before != b':' => return Ok(()),
                    (b'{' | b'[', None) if !into.is_empty() => return Ok(()),
                    (b']', Some(b'{')) => return Ok(()),
                    (b'{' | b'[', _) => open.push(byte),
                    (b'}' | b']', Some(_)) => {
                        let matching = open.pop() == Some(if byte == b'}' { b'{' } else { b'[' });
                        if open.is_empty() || !matching {
                            into.push(byte);
                            self.step();
                            return Ok(());
                        }
                    }
                    (b'"', _) => quoted = true,
                    _ => {}
                }
                if !byte.is_ascii_whitespace() {
                    before = byte;
                }
            }
            into.push(byte);
            if into.len() > ROW_BYTES_MAX {
                return Err(too_long(begin));
            }
            self.step();
        }
    }
}

fn too_long(line: u64) -> Error {
    let megabytes = ROW_BYTES_MAX >> 20;
    super::told(format!(
        "has a row of more than {megabytes} MB, on line {line}; expected one object a line, or an array of objects"
    ))
}
