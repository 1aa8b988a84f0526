//! What a column beyond the contract is. A source that says so is believed; where only texts are known, a type is guessed if
//! printing it gives back every text that was read: `0742`, `1E5` and `T` are no other way of writing 742, 100000 and true.

use crate::contract::{instant, number, truth};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// What a source says of a column whose values are read as texts.
#[derive(Clone, Debug)]
pub(crate) enum Claim {
    /// A text, whatever it looks like.
    Text,
    /// Nothing: it is written, as in CSV.
    Written,
    Whole,
    Number,
    Truth,
    Time,
    /// Each value of JSON says what it is; the kinds that were seen until now.
    Json(Arc<JsonKinds>),
}

/// Kinds of JSON values in one column.
#[derive(Debug, Default)]
pub(crate) struct JsonKinds(AtomicU8);

impl JsonKinds {
    pub const TEXT: u8 = 1;
    pub const NUMBER: u8 = 2;
    pub const TRUTH: u8 = 4;

    pub fn saw(&self, kind: u8) {
        self.0.fetch_or(kind, Ordering::Relaxed);
    }

    fn claim(&self) -> Claim {
        match self.0.load(Ordering::Relaxed) {
            JsonKinds::NUMBER => Claim::Number,
            JsonKinds::TRUTH => Claim::Truth,
            _ => Claim::Text,
        }
    }
}

/// How whole numbers are kept where their type is a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wholes {
    /// As numbers: a later value may have a fraction. Those beyond 53 bits are identifiers, which stay texts.
    AsNumbers,
    /// As whole numbers, for people's own queries.
    AsWholes,
}

/// A column judged by every value in it.
#[derive(Clone, Debug)]
pub(crate) struct Guess {
    claim: Claim,
    decimal: char,
    any: bool,
    /// Whole numbers of 64 bits, printed as they were written.
    whole: bool,
    /// Whole numbers that 64 bits with a fraction may not hold.
    beyond: bool,
    number: bool,
    truth: bool,
    time: bool,
    /// Ways of printing numbers that gave back each text; see [`printings`].
    printings: [bool; PRINTINGS],
    decimals: Option<usize>,
    shape: Option<Shape>,
    /// The fractions of the times are all as long, or none ends with a zero.
    digits_equal: bool,
    digits_short: bool,
}

impl Guess {
    /// `decimal`: the sign that numbers are written with, where the source says nothing of them.
    pub fn new(claim: Claim, decimal: char) -> Guess {
        let decimal = if matches!(claim, Claim::Written) { decimal } else { '.' };
        Guess {
            claim,
            decimal,
            any: false,
            whole: true,
            beyond: false,
            number: true,
            truth: true,
            time: true,
            printings: [true; PRINTINGS],
            decimals: None,
            shape: None,
            digits_equal: true,
            digits_short: true,
        }
    }

    pub fn look(&mut self, column: &ArrayRef) {
        let Some(words) = column.as_string_opt::<i32>().filter(|_| !matches!(self.claim, Claim::Text)) else { return };
        for word in words.iter().flatten() {
            if self.any && !(self.whole || self.number || self.truth || self.time) {
                return;
            }
            self.any = true;
            self.whole &= self.whole && word.parse().is_ok_and(|whole: i64| whole.to_string() == word);
            match self.claim {
                Claim::Written => self.look_at_written(word),
                _ => {
                    self.number &= self.number && stated_number(word).is_some();
                    self.truth &= self.truth && truth(word).is_some();
                    self.time &= self.time && instant(word).is_some();
                }
            }
        }
    }

    fn look_at_written(&mut self, word: &str) {
        self.truth &= matches!(word, "true" | "false");
        if self.number {
            let value = number(word, self.decimal);
            self.number = value.is_some_and(|value| self.prints(word, value));
            self.beyond |= value.is_some_and(|value| value.abs() >= 9_007_199_254_740_992.0) && !word.contains('e');
        }
        if self.time {
            self.time = shape(word).is_some_and(|(shape, digits)| self.fits(shape, digits)) && instant(word).is_some();
        }
    }

    fn prints(&mut self, word: &str, value: f64) -> bool {
        let decimals =
            *self.decimals.get_or_insert_with(|| word.split_once(self.decimal).map_or(0, |(_, rest)| rest.len()));
        for (way, stands) in self.printings.iter_mut().enumerate().filter(|(_, stands)| **stands) {
            let printed = printings(value, way, decimals);
            *stands = printed.replacen('.', self.decimal.encode_utf8(&mut [0; 4]), 1) == word;
        }
        self.printings.iter().any(|stands| *stands)
    }

    fn fits(&mut self, shape: Shape, digits: &str) -> bool {
        let first = self.shape.get_or_insert(shape);
        self.digits_equal &= first.digits == shape.digits;
        self.digits_short &= !digits.ends_with('0');
        Shape { digits: shape.digits, ..*first } == shape && (self.digits_equal || self.digits_short)
    }

    /// The type that holds every value that was looked at.
    pub fn data_type(&self, wholes: Wholes) -> DataType {
        let claim = match &self.claim {
            Claim::Json(kinds) => kinds.claim(),
            other => other.clone(),
        };
        let whole = self.whole && wholes == Wholes::AsWholes;
        match claim {
            _ if !self.any => DataType::Utf8,
            Claim::Text => DataType::Utf8,
            Claim::Whole if self.whole => DataType::Int64,
            Claim::Written | Claim::Number if whole => DataType::Int64,
            Claim::Written if self.truth => DataType::Boolean,
            Claim::Written if self.number && !(self.beyond && wholes == Wholes::AsNumbers) => DataType::Float64,
            Claim::Written if self.time => DataType::Timestamp(TimeUnit::Microsecond, None),
            Claim::Number if self.number => DataType::Float64,
            Claim::Truth if self.truth => DataType::Boolean,
            Claim::Time if self.time => DataType::Timestamp(TimeUnit::Microsecond, None),
            _ => DataType::Utf8,
        }
    }

    /// The texts as the type that was found for them.
    pub fn retype(&self, column: &ArrayRef, wanted: &DataType) -> ArrayRef {
        let Some(words) = column.as_string_opt::<i32>().filter(|_| column.data_type() != wanted) else {
            return column.clone();
        };
        match wanted {
            DataType::Boolean => Arc::new(words.iter().map(|word| truth(word?)).collect::<BooleanArray>()),
            DataType::Int64 => Arc::new(words.iter().map(|word| word?.parse().ok()).collect::<Int64Array>()),
            DataType::Float64 => {
                Arc::new(words.iter().map(|word| number(word?, self.decimal)).collect::<Float64Array>())
            }
            _ => Arc::new(words.iter().map(|word| instant(word?)).collect::<TimestampMicrosecondArray>()),
        }
    }
}

/// A number of a source that has numbers: what is none of these is missing.
fn stated_number(word: &str) -> Option<()> {
    let no_number = matches!(word, "NaN" | "Infinity" | "-Infinity");
    (no_number || number(word, '.').is_some()).then_some(())
}

/// Rust, Rust with a point, Python and R, and always as many decimals.
const PRINTINGS: usize = 4;

fn printings(value: f64, way: usize, decimals: usize) -> String {
    match way {
        0 => format!("{value}"),
        1 => format!("{value:?}"),
        2 => with_signed_exponent(value),
        _ => format!("{value:.decimals$}"),
    }
}

/// As C prints: 1e-05 and 1.5e+20, and 0.001 and 2.0 between.
fn with_signed_exponent(value: f64) -> String {
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e').and_then(|(digits, e)| Some((digits, e.parse::<i32>().ok()?)))
    else {
        return text;
    };
    match exponent {
        -4..16 => format!("{value:?}"),
        _ => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// Between day and time; none where there is no time.
    between: Option<u8>,
    digits: usize,
    zulu: bool,
}

/// The shape of `2026-05-04`, `2026-05-04 10:00:00.25` and their like, and the digits of the second's fraction.
fn shape(text: &str) -> Option<(Shape, &str)> {
    let like = |text: &str, pattern: &str| {
        let fits = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
        text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
    };
    if like(text, "0000-00-00") {
        return Some((Shape { between: None, digits: 0, zulu: false }, ""));
    }
    let between = text.as_bytes().get(10).copied().filter(|byte| matches!(byte, b' ' | b'T'))?;
    let (day, time) = (text.get(..10)?, text.get(11..)?);
    let zulu = time.ends_with('Z');
    let time = time.strip_suffix('Z').unwrap_or(time);
    let (clock, digits) = time.split_once('.').unwrap_or((time, ""));
    let fraction = digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit()) && !time.ends_with('.');
    let sound = like(day, "0000-00-00") && like(clock, "00:00:00") && !clock.ends_with("60") && fraction;
    sound.then_some((Shape { between: Some(between), digits: digits.len(), zulu }, digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::StringArray;

    fn found(claim: Claim, words: &[&str], wholes: Wholes) -> DataType {
        let column: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
        let mut guess = Guess::new(claim, '.');
        guess.look(&column);
        guess.data_type(wholes)
    }

    const TIME: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

    #[test]
    fn a_type_is_guessed_only_if_it_prints_every_text_as_it_was() {
        let (number, text) = (DataType::Float64, DataType::Utf8);
        for (words, run, query) in [
            (&["742", "5411", "-3"][..], number.clone(), DataType::Int64),
            (&["0742", "742"], text.clone(), text.clone()),
            (&["1E5", "100000"], text.clone(), text.clone()),
            (&["12e4", "7"], text.clone(), text.clone()),
            (&["1.10", "1.1"], text.clone(), text.clone()),
            (&["1.10", "1.1", "1.100", "2"], text.clone(), text.clone()),
            (&["12.50", "3.00", "-0.05"], number.clone(), number.clone()),
            (&["1.5", "2", "0.25"], number.clone(), number.clone()),
            (&["1.0", "2.5", "1e-05", "1e+16"], number.clone(), number.clone()),
            (&["1.0", "1"], text.clone(), text.clone()),
            (&["+49123", "49123"], text.clone(), text.clone()),
            (&["4000000000000000006", "4000000000000000014"], text.clone(), DataType::Int64),
            (&["123456789012345678901234567890"], text.clone(), text.clone()),
            (&["-0", "0"], number.clone(), number),
            (&["T", "F"], text.clone(), text.clone()),
            (&["Y", "N"], text.clone(), text.clone()),
            (&["True", "False"], text.clone(), text.clone()),
            (&["true", "false"], DataType::Boolean, DataType::Boolean),
            (&["2026-05-04", "2026-05-05"], TIME, TIME),
            (&["2026-05-04 10:00:00", "2026-05-05 10:00:00"], TIME, TIME),
            (&["2026-05-04T10:00:00.250Z", "2026-05-05T10:00:00.000Z"], TIME, TIME),
            (&["2026-05-04 10:00:00.25", "2026-05-05 10:00:00"], TIME, TIME),
            (&["2026-05-04 10:00:00.250", "2026-05-05 10:00:00"], text.clone(), text.clone()),
            (&["2026-05-04", "2026-05-04 00:00:00"], text.clone(), text.clone()),
            (&["2026-05-04T10:00:00", "2026-05-04T10:00:00Z"], text.clone(), text.clone()),
            (&["20260504", "2026-05-04"], text.clone(), text.clone()),
            (&["2026-13-04"], text.clone(), text.clone()),
            (&["1,5", "2"], text.clone(), text.clone()),
            (&[" 5", "6"], text.clone(), text.clone()),
            (&["", "5"], text.clone(), text.clone()),
            (&[], text.clone(), text),
        ] {
            assert_eq!(found(Claim::Written, words, Wholes::AsNumbers), run, "{words:?} of a run");
            assert_eq!(found(Claim::Written, words, Wholes::AsWholes), query, "{words:?} of a query");
        }
    }

    #[test]
    fn a_source_that_says_what_it_has_is_believed_as_far_as_no_digit_is_lost() {
        let json = |kind: u8| {
            let kinds = JsonKinds::default();
            kinds.saw(kind);
            Claim::Json(Arc::new(kinds))
        };
        let text = DataType::Utf8;
        for (claim, words, expected) in [
            (Claim::Text, &["1", "2"][..], text.clone()),
            (Claim::Whole, &["9007199254740993", "-1"], DataType::Int64),
            (Claim::Whole, &["18446744073709551615"], text.clone()),
            (Claim::Number, &["1.10", "2", "NaN"], DataType::Float64),
            (Claim::Number, &["9007199254740993"], text.clone()),
            (Claim::Truth, &["t", "f"], DataType::Boolean),
            (Claim::Time, &["2026-05-04 10:00:00.25+00", "2026-05-04 10:00:00+00"], TIME),
            (Claim::Time, &["infinity"], text.clone()),
            (json(JsonKinds::NUMBER), &["1.10", "1E5"], DataType::Float64),
            (json(JsonKinds::NUMBER), &["18446744073709551617"], text.clone()),
            (json(JsonKinds::TRUTH), &["true"], DataType::Boolean),
            (json(JsonKinds::TEXT), &["742"], text.clone()),
            (json(JsonKinds::TEXT | JsonKinds::NUMBER), &["742"], text),
        ] {
            assert_eq!(found(claim.clone(), words, Wholes::AsNumbers), expected, "{claim:?} {words:?}");
        }
    }
}
