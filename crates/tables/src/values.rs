//! What one value may be: the same rules for a row of a file and for a row of a request.

use crate::Reason;
use septet_domain::{Column, ColumnType, did_you_mean};

/// Characters of one text: 5 times the longest review on the large portals.
pub const TEXT_CHARACTERS_MAX: usize = 25_000;

/// Characters of an event's key, of four bytes at the most: an index entry of PostgreSQL holds 2,704.
pub const KEY_CHARACTERS_MAX: usize = 125;

/// Why a value breaks its column's contract.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// A required value is missing.
    Missing,
    /// It is not of the column's type.
    Type,
    Below(f64),
    Above(f64),
    /// Not among the allowed words.
    NotAllowed,
    /// A required text is empty.
    Empty,
    /// More characters than this.
    TooLong(usize),
    /// It holds U+0000, which PostgreSQL cannot store.
    Nul,
}

impl Fault {
    pub fn reason(self) -> Reason {
        match self {
            Fault::Missing => Reason::Required,
            Fault::Type => Reason::Type,
            Fault::Below(_) | Fault::Above(_) => Reason::Range,
            Fault::NotAllowed | Fault::Nul => Reason::Values,
            Fault::Empty | Fault::TooLong(_) => Reason::Length,
        }
    }

    /// What is wrong, without the value: it may be personal.
    pub fn detail(self, column: Option<&Column>) -> String {
        let values = || column.and_then(|column| column.values.as_deref()).unwrap_or_default();
        match self {
            Fault::Missing => "a required value is missing".to_owned(),
            Fault::Type => format!("not {}", column.map_or("of the column's type", |column| expected(column.kind))),
            Fault::Below(min) => format!("below {min}"),
            Fault::Above(max) => format!("above {max}"),
            Fault::NotAllowed => format!("not one of {}", values().join(", ")),
            Fault::Empty => "a required text is empty".to_owned(),
            Fault::TooLong(max) => format!("longer than {max} characters"),
            Fault::Nul => "a text cannot hold the character U+0000".to_owned(),
        }
    }

    /// The same with what was probably meant.
    pub fn detail_of_text(self, column: Option<&Column>, text: &str) -> String {
        let allowed = column.and_then(|column| column.values.as_ref()).into_iter().flatten().map(String::as_str);
        let hint = if self == Fault::NotAllowed { did_you_mean(text, allowed) } else { None };
        hint.map_or_else(|| self.detail(column), |hint| format!("{}; {hint}", self.detail(column)))
    }
}

/// What a value of a type is, with its article.
pub fn expected(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "a text",
        ColumnType::Number => "a finite number",
        ColumnType::Integer => "a whole number of 64 bits",
        ColumnType::Bool => "true or false",
        ColumnType::Timestamp => "a time such as `2026-03-02T12:00:00Z`",
    }
}

/// `column`: none for a column beyond the contract.
pub fn text_fault(column: Option<&Column>, is_key: bool, text: &str) -> Option<Fault> {
    let most = if is_key { KEY_CHARACTERS_MAX } else { TEXT_CHARACTERS_MAX };
    let values = column.and_then(|column| column.values.as_ref());
    let allowed = || values.is_none_or(|values| values.iter().any(|word| word == text));
    if text.is_empty() && column.is_some_and(|column| column.required && !column.label) {
        Some(Fault::Empty)
    } else if text.len() > most && text.chars().count() > most {
        Some(Fault::TooLong(most))
    } else if text.contains('\0') {
        Some(Fault::Nul)
    } else if !allowed() {
        Some(Fault::NotAllowed)
    } else {
        None
    }
}

pub fn number_fault(column: &Column, value: f64) -> Option<Fault> {
    let below = column.min.filter(|min| value < *min).map(Fault::Below);
    below.or_else(|| column.max.filter(|max| value > *max).map(Fault::Above))
}

/// A number as a whole one. From 2^53 on a number of 64 bits with a fraction no longer says which whole number was meant.
pub fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64)
}

/// Whether microseconds since 1970 lie in the years 0 to 9999, which RFC 3339 can write.
pub fn in_calendar(micros: i64) -> bool {
    (-62_167_219_200_000_000..253_402_300_800_000_000).contains(&micros)
}

/// Days since 1970 that began after a leap second. Source: IERS Bulletin C up to number 72 (2026).
const DAYS_AFTER_LEAP_SECONDS: [i64; 27] = [
    912, 1_096, 1_461, 1_826, 2_191, 2_557, 2_922, 3_287, 3_652, 4_199, 4_564, 4_929, 5_660, 6_574, 7_305, 7_670,
    8_217, 8_582, 8_947, 9_496, 10_043, 10_592, 13_149, 14_245, 15_522, 16_617, 17_167,
];

/// Whether this is within the first second of a day that began after a leap second.
pub fn follows_leap_second(micros: i64) -> bool {
    let (day, within) = (micros.div_euclid(86_400_000_000), micros.rem_euclid(86_400_000_000));
    within < 1_000_000 && DAYS_AFTER_LEAP_SECONDS.contains(&day)
}
