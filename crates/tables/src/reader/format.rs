//! How text files are written, as a layout says it or as a file's name and header show it.

use super::Encoding;
use std::path::Path;

/// What parts the fields of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// A tab in files that end in `.tsv` or `.tab`, else a comma.
    ByName,
    /// As `ByName`; another common one if the header is one column by that and several by this. For files that no
    /// layout speaks of.
    ByHeader,
    Byte(u8),
    /// Any number of spaces and tabs.
    Blanks,
}

/// How text files are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFormat {
    pub delimiter: Delimiter,
    /// None: quotation marks are part of the text.
    pub quote: Option<u8>,
    /// Names of the columns of a file without a header; empty where there is one.
    pub columns: Vec<String>,
    pub decimal: char,
    /// Words that mean missing; the empty field always does.
    pub null_words: Vec<String>,
    pub encoding: Encoding,
}

impl Default for TextFormat {
    fn default() -> TextFormat {
        TextFormat {
            delimiter: Delimiter::ByName,
            quote: Some(b'"'),
            columns: Vec::new(),
            decimal: '.',
            null_words: Vec::new(),
            encoding: Encoding::UTF_8,
        }
    }
}

impl TextFormat {
    /// For files that no layout speaks of, such as those that a person's query names.
    pub fn by_header() -> TextFormat {
        TextFormat { delimiter: Delimiter::ByHeader, ..TextFormat::default() }
    }

    pub fn from_layout(layout: &septet_domain::Layout) -> Result<TextFormat, String> {
        let one = |text: &Option<String>, default: u8, key: &str| match text.as_deref().map(str::as_bytes) {
            None => Ok(default),
            Some([byte]) => Ok(*byte),
            Some(b"\\t") => Ok(b'\t'),
            Some(_) => Err(format!("{key} of the layout must be one character")),
        };
        if let Some(decimal) = layout.decimal.as_deref().filter(|decimal| ![".", ","].contains(decimal)) {
            return Err(format!("decimal is `{decimal}`; expected `.` or `,`"));
        }
        let label = layout.encoding.as_deref().unwrap_or("utf-8");
        Ok(TextFormat {
            delimiter: match layout.delimiter.as_deref() {
                None => Delimiter::ByName,
                Some("blanks") => Delimiter::Blanks,
                Some(_) => Delimiter::Byte(one(&layout.delimiter, b',', "delimiter")?),
            },
            quote: match layout.quote.as_deref() {
                Some("") => None,
                _ => Some(one(&layout.quote, b'"', "quote")?),
            },
            columns: layout.columns.clone(),
            decimal: char::from(one(&layout.decimal, b'.', "decimal")?),
            null_words: layout.null_words.clone(),
            encoding: Encoding::for_label(label).ok_or_else(|| {
                format!("encoding `{label}` is neither a WHATWG label such as windows-1252 nor utf-32le or utf-32be")
            })?,
        })
    }
}

impl Delimiter {
    /// The byte between fields, before a header was looked at; none: blanks.
    pub(super) fn byte(self, path: &Path) -> Option<u8> {
        match self {
            Delimiter::Byte(byte) => Some(byte),
            Delimiter::Blanks => None,
            Delimiter::ByName | Delimiter::ByHeader => {
                let tabs = super::plain_name(path).rsplit_once('.').is_some_and(|(_, ending)| is_tabbed(ending));
                Some(if tabs { b'\t' } else { b',' })
            }
        }
    }
}

fn is_tabbed(ending: &str) -> bool {
    matches!(ending, "tsv" | "tab")
}
