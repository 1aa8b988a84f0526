//! Text in its own encoding to UTF-8. Bytes that are no character become one byte that is none in UTF-8 either, so that
//! their row is quarantined like any other that cannot be read; they never become another character.

use super::told;
use super::unpack::Window;
use encoding_rs::DecoderResult;
use std::io::{BufRead, Read, Result};

/// Stands for what could not be decoded: in no UTF-8 text.
const UNDECODABLE: u8 = 0xff;
/// Bytes at the begin of a file by which its encoding is told.
const HEAD_BYTES: usize = 4_096;
const OUT_BYTES: usize = 1 << 16;
/// Share of the bytes at one side of all pairs that are NUL where text is UTF-16: its digits, delimiters and line breaks.
const NUL_SHARE_MIN: f64 = 0.05;

/// How the characters of a text are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// What the WHATWG standard names.
    Standard(&'static encoding_rs::Encoding),
    Utf32Le,
    Utf32Be,
}

impl Encoding {
    pub const UTF_8: Encoding = Encoding::Standard(encoding_rs::UTF_8);
    const UTF_16LE: Encoding = Encoding::Standard(encoding_rs::UTF_16LE);
    const UTF_16BE: Encoding = Encoding::Standard(encoding_rs::UTF_16BE);

    pub fn for_label(label: &str) -> Option<Encoding> {
        match label.trim().to_ascii_lowercase().as_str() {
            "utf-32" | "utf32" | "utf-32le" | "utf32le" => Some(Encoding::Utf32Le),
            "utf-32be" | "utf32be" => Some(Encoding::Utf32Be),
            label => encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).map(Encoding::Standard),
        }
    }

    /// As a layout writes it.
    pub(super) fn name(self) -> String {
        match self {
            Encoding::Standard(encoding) => encoding.name().to_ascii_lowercase(),
            Encoding::Utf32Le => "utf-32le".to_owned(),
            Encoding::Utf32Be => "utf-32be".to_owned(),
        }
    }

    /// Bytes that every character has at least, where that is more than one.
    fn wide(self) -> Option<u8> {
        match self {
            Encoding::Utf32Le | Encoding::Utf32Be => Some(4),
            _ => (self == Encoding::UTF_16LE || self == Encoding::UTF_16BE).then_some(2),
        }
    }
}

/// A Unicode encoding that a file shows by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    encoding: Encoding,
    /// Length of the byte-order mark; 0 where NUL bytes tell.
    mark: usize,
}

fn seen(head: &[u8]) -> Option<Seen> {
    let by_mark = |encoding, mark| Some(Seen { encoding, mark });
    match head {
        [0xef, 0xbb, 0xbf, ..] => by_mark(Encoding::UTF_8, 3),
        [0xff, 0xfe, 0, 0, ..] => by_mark(Encoding::Utf32Le, 4),
        [0, 0, 0xfe, 0xff, ..] => by_mark(Encoding::Utf32Be, 4),
        [0xff, 0xfe, ..] => by_mark(Encoding::UTF_16LE, 2),
        [0xfe, 0xff, ..] => by_mark(Encoding::UTF_16BE, 2),
        _ => by_nuls(head).map(|encoding| Seen { encoding, mark: 0 }),
    }
}

fn by_nuls(head: &[u8]) -> Option<Encoding> {
    let quads: Vec<&[u8]> = head.chunks_exact(4).collect();
    // No character lies beyond U+10FFFF.
    if !quads.is_empty() && quads.iter().all(|quad| quad[3] == 0 && quad[2] <= 0x10) {
        return Some(Encoding::Utf32Le);
    }
    if !quads.is_empty() && quads.iter().all(|quad| quad[0] == 0 && quad[1] <= 0x10) {
        return Some(Encoding::Utf32Be);
    }
    let nuls = |side: usize| head.chunks_exact(2).filter(|pair| pair[side] == 0).count();
    let (first, second) = (nuls(0), nuls(1));
    let enough = |count: usize| count > 0 && count as f64 >= NUL_SHARE_MIN * (head.len() / 2) as f64;
    match (first, second) {
        _ if enough(second) && second > 2 * first => Some(Encoding::UTF_16LE),
        _ if enough(first) && first > 2 * second => Some(Encoding::UTF_16BE),
        _ => None,
    }
}

/// The text as UTF-8, without a byte-order mark; an error if it is written otherwise than `said`.
pub(super) fn decoded(plain: Box<dyn Read>, said: Encoding) -> Result<Box<dyn Read>> {
    let mut input = Window::new(plain);
    let head = input.peek(HEAD_BYTES)?;
    let seen = seen(head);
    let encoding = match seen {
        None if said.wide().is_some() && !head.is_empty() && !head.contains(&0) => {
            return Err(told(format!(
                "is not {0}: it has no NUL byte in its first {1} bytes; take `encoding = \"{0}\"` out of the layout, or say another",
                said.name(),
                head.len()
            )));
        }
        None => said,
        // A mark says which of two orders it is, and nothing else begins with one of UTF-8.
        Some(Seen { encoding, mark })
            if mark > 0 && (encoding == Encoding::UTF_8 || encoding.wide() == said.wide()) =>
        {
            encoding
        }
        Some(Seen { encoding, .. }) if encoding == said => encoding,
        Some(Seen { encoding, mark }) => {
            let by = if mark > 0 { "its byte-order mark" } else { "its NUL bytes" };
            let name = encoding.name();
            return Err(told(format!(
                "is written in {name}, told by {by}, and is read as {}; set encoding = \"{name}\" in its layout, or save it as UTF-8",
                said.name()
            )));
        }
    };
    input.consume(seen.map_or(0, |seen| seen.mark));
    Ok(match encoding {
        Encoding::Standard(encoding) if encoding == encoding_rs::UTF_8 => Box::new(input),
        Encoding::Standard(encoding) => {
            let decoder = encoding.new_decoder_without_bom_handling();
            Box::new(Decoded {
                input,
                source: Source::Standard(Box::new(decoder)),
                out: Vec::new(),
                at: 0,
                ended: false,
            })
        }
        wide => {
            let source = Source::Wide { big: wide == Encoding::Utf32Be };
            Box::new(Decoded { input, source, out: Vec::new(), at: 0, ended: false })
        }
    })
}

enum Source {
    Standard(Box<encoding_rs::Decoder>),
    Wide { big: bool },
}

struct Decoded<R> {
    input: Window<R>,
    source: Source,
    out: Vec<u8>,
    /// What of `out` was given away.
    at: usize,
    ended: bool,
}

impl<R: Read> Decoded<R> {
    fn more(&mut self) -> Result<()> {
        self.at = 0;
        self.out.clear();
        match &mut self.source {
            Source::Standard(decoder) => {
                self.out.resize(OUT_BYTES, 0);
                let (written, ended) = decode(&mut self.input, decoder, &mut self.out)?;
                self.out.truncate(written);
                self.ended = ended;
            }
            Source::Wide { big } => self.ended = decode_wide(&mut self.input, *big, &mut self.out)?,
        }
        Ok(())
    }
}

/// Fills `out` from the input; how much was written, and whether the input has ended.
fn decode<R: Read>(input: &mut Window<R>, decoder: &mut encoding_rs::Decoder, out: &mut [u8]) -> Result<(usize, bool)> {
    let mut written = 0;
    loop {
        let bytes = input.fill_buf()?;
        let last = bytes.is_empty();
        // One byte is kept for what cannot be decoded.
        let room = out.len() - 1;
        let (result, read, made) = decoder.decode_to_utf8_without_replacement(bytes, &mut out[written..room], last);
        input.consume(read);
        written += made;
        match result {
            DecoderResult::InputEmpty if last => return Ok((written, true)),
            DecoderResult::InputEmpty => {}
            DecoderResult::OutputFull => return Ok((written, false)),
            DecoderResult::Malformed(..) => {
                out[written] = UNDECODABLE;
                written += 1;
                if written + 8 > room {
                    return Ok((written, false));
                }
            }
        }
    }
}

fn decode_wide<R: Read>(input: &mut Window<R>, big: bool, out: &mut Vec<u8>) -> Result<bool> {
    while out.len() < OUT_BYTES {
        let bytes = input.peek(4)?;
        let length = bytes.len();
        let Ok(four) = <[u8; 4]>::try_from(bytes) else {
            out.extend((length > 0).then_some(UNDECODABLE));
            return Ok(true);
        };
        let code = if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) };
        match char::from_u32(code) {
            Some(letter) => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            None => out.push(UNDECODABLE),
        }
        input.consume(4);
    }
    Ok(false)
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.at == self.out.len() {
            if self.ended {
                return Ok(0);
            }
            self.more()?;
        }
        let count = (&self.out[self.at..]).read(buffer)?;
        self.at += count;
        Ok(count)
    }
}
