//! Errors in a domain's files: what was found, where it stands, and what was expected instead.

use std::fmt;
use std::ops::Range;

/// A place in a text file. Lines and columns count from 1; columns count characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub column: usize,
}

impl Place {
    pub fn start_of(file: &str) -> Place {
        Place { file: file.to_owned(), line: 1, column: 1 }
    }

    /// The place of a byte offset in `text`.
    pub fn at_offset(file: &str, text: &str, offset: usize) -> Place {
        let before = &text.as_bytes()[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        Place { file: file.to_owned(), line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    pub place: Place,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\n  hint: {hint}"))
    }
}

/// Everything that is wrong with a domain, in file order; never empty.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Problems(pub Vec<Problem>);

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

/// Keys that had another name, and the name that they have.
const RENAMED: [(&str, &str); 6] = [
    ("metric", "measure"),
    ("alerts_per_day", "flags_per_day"),
    ("concerns", "owner"),
    ("purchases", "series"),
    ("customer", "key"),
    ("feature", "features"),
];

/// Turns what serde says of a span into a problem, with the closest known key where a key is unknown.
pub(crate) fn from_toml(file: &str, text: &str, error: &toml::de::Error) -> Problem {
    let span: Range<usize> = error.span().unwrap_or(0..0);
    let message = error.message().replace('\n', " ");
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let hint = match quoted.split_first() {
        Some((found, expected)) if message.starts_with("unknown") => RENAMED
            .iter()
            .find(|(old, new)| old == found && expected.contains(&new.split(' ').next().unwrap_or_default()))
            .map(|(_, new)| format!("it is called `{new}` since 2026-11-28"))
            .or_else(|| did_you_mean(found, expected.iter().copied())),
        _ => None,
    };
    Problem { place: Place::at_offset(file, text, span.start), message, hint }
}

/// A hint that names the known word closest to `found`, if one is close: it begins with it, or the Damerau-Levenshtein
/// distance is at most a third of the length (a convention).
pub fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let distance = |word: &str| match !found.is_empty() && word.starts_with(found) {
        true => 1,
        false => strsim::damerau_levenshtein(&found.to_lowercase(), &word.to_lowercase()),
    };
    let closest = known.into_iter().map(|word| (distance(word), word)).min()?;
    (closest.0 <= 1 + found.chars().count() / 3).then(|| format!("did you mean `{}`?", closest.1))
}
