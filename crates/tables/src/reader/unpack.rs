//! A file's bytes as they were before it was packed: gzip and zstd by what the file begins with, any number of members
//! one after the other, with zeros between and behind them as tapes and archives leave them.

use super::told;
use flate2::bufread::GzDecoder;
use std::io::{BufRead, Read, Result};

/// Bytes read at once from a file.
const WINDOW_BYTES: usize = 1 << 16;

/// A buffer that can be looked into before it is read.
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Window<R> {
        Window { input, buffer: vec![0; WINDOW_BYTES], start: 0, end: 0 }
    }

    /// The next `count` bytes, fewer only where the input ends. At most 64 KB.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8]> {
        while self.end - self.start < count.min(WINDOW_BYTES) {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.buffer[self.start..self.end.min(self.start + count)])
    }
}

impl<R: Read> Read for Window<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Window<R> {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.start == self.end {
            self.peek(1)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// Endings of names, in any case.
    pub(super) const ENDINGS: [(&'static str, Packing); 4] =
        [(".gz", Packing::Gzip), (".gzip", Packing::Gzip), (".zst", Packing::Zstd), (".zstd", Packing::Zstd)];

    fn of(head: &[u8]) -> Option<Packing> {
        match head {
            [0x1f, 0x8b, ..] => Some(Packing::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Packing::Zstd),
            // A frame to be skipped: what parallel packers begin with.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Packing::Zstd),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
        }
    }
}

/// What a text file is not, though it is named like one.
const OTHER_KINDS: [(&[u8], &str); 5] = [
    (b"BZh", "is packed by bzip2, which is not read here; unpack it first"),
    (b"\xfd7zXZ\0", "is packed by xz, which is not read here; unpack it first"),
    (b"PK\x03\x04", "is a ZIP archive or an Excel workbook; unpack it, or save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook; save it as CSV"),
    (b"PAR1", "is a Parquet file by its content; name it .parquet"),
];

/// Where a tar archive says that it is one.
const TAR_AT: usize = 257;

/// The unpacked bytes of a text file. `named` is what its name says of the packing.
pub(super) fn unpacked(file: impl Read + 'static, named: Option<Packing>) -> Result<Box<dyn Read>> {
    let mut window = Window::new(file);
    let head = window.peek(6)?;
    let plain: Box<dyn Read> = match (Packing::of(head), named) {
        (Some(packing), _) => Box::new(Unpacked { packing, state: Some(State::Between(window)), members: 0 }),
        (None, Some(named)) if !head.is_empty() => {
            return Err(told(format!(
                "is not {0}, although its name says so; if it is not packed at all, name it without that ending",
                named.word()
            )));
        }
        _ => Box::new(window),
    };
    let mut plain = Window::new(plain);
    let head = plain.peek(TAR_AT + 5)?;
    if head.get(TAR_AT..).is_some_and(|name| name == b"ustar") {
        return Err(told("is a tar archive; unpack the files in it".to_owned()));
    }
    if Packing::of(head).is_some() {
        return Err(told("is packed twice; unpack it once".to_owned()));
    }
    match OTHER_KINDS.iter().find(|(begin, _)| head.starts_with(begin)) {
        Some((_, what)) => Err(told((*what).to_owned())),
        None => Ok(Box::new(plain)),
    }
}

enum Member<R: Read> {
    Gzip(Box<GzDecoder<Window<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Window<R>>),
}

enum State<R: Read> {
    Between(Window<R>),
    Within(Member<R>),
}

/// All members of a packed file, one after the other.
struct Unpacked<R: Read> {
    packing: Packing,
    /// None after the end and after an error.
    state: Option<State<R>>,
    members: u64,
}

impl<R: Read> Unpacked<R> {
    fn begin(&mut self, input: Window<R>) -> Result<Member<R>> {
        self.members += 1;
        Ok(match self.packing {
            Packing::Gzip => Member::Gzip(Box::new(GzDecoder::new(input))),
            Packing::Zstd => Member::Zstd(zstd::stream::read::Decoder::with_buffer(input)?.single_frame()),
        })
    }

    /// Whether another member follows; an error if something else does.
    fn another(&self, input: &mut Window<R>) -> Result<bool> {
        if self.members > 0 {
            skip_zeros(input)?;
        }
        let head = input.peek(4)?;
        if head.is_empty() || Packing::of(head) == Some(self.packing) {
            return Ok(!head.is_empty());
        }
        let rest = std::io::copy(input, &mut std::io::sink())?;
        let word = self.packing.word();
        Err(told(format!(
            "has {rest} bytes behind its packed data that are not {word}; the rows before them are whole: cut these bytes off, or fetch the file again"
        )))
    }
}

fn skip_zeros(input: &mut impl BufRead) -> Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        let more = zeros > 0 && zeros == buffer.len();
        input.consume(zeros);
        if !more {
            return Ok(());
        }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state.take() {
                None => return Ok(0),
                Some(State::Between(mut input)) => {
                    if !self.another(&mut input)? {
                        return Ok(0);
                    }
                    self.state = Some(State::Within(self.begin(input)?));
                }
                Some(State::Within(mut member)) => {
                    let count = match &mut member {
                        Member::Gzip(member) => member.read(buffer)?,
                        Member::Zstd(member) => member.read(buffer)?,
                    };
                    if count > 0 {
                        self.state = Some(State::Within(member));
                        return Ok(count);
                    }
                    self.state = Some(State::Between(match member {
                        Member::Gzip(member) => member.into_inner(),
                        Member::Zstd(member) => member.finish(),
                    }));
                }
            }
        }
    }
}
