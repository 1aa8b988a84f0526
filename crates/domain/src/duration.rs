//! Lengths of time as people write them: `90s`, `30m`, `12h`, `7d`, `2w`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};
use std::{borrow::Cow, fmt, str::FromStr};

/// A whole number of microseconds, 0 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration {
    micros: i64,
}

const UNITS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Duration {
    pub const SECOND: Duration = Duration { micros: 1_000_000 };

    pub const fn from_days(days: i64) -> Duration {
        Duration { micros: days * 86_400_000_000 }
    }

    pub fn micros(self) -> i64 {
        self.micros
    }

    /// `7 days`, `1 hour`: as a sentence has it.
    pub fn in_words(self) -> String {
        let short = self.to_string();
        let (count, letter) = short.split_at(short.len() - 1);
        let unit = match letter {
            "d" => "day",
            "h" => "hour",
            "m" => "minute",
            _ => "second",
        };
        format!("{count} {unit}{}", if count == "1" { "" } else { "s" })
    }

    pub fn days(self) -> f64 {
        self.micros as f64 / 86_400e6
    }
}

impl FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Duration, String> {
        let error = || format!("`{text}` is not a length of time; expected a number and s, m, h, d or w, such as `7d`");
        let unit = text.chars().last().ok_or_else(error)?;
        let (_, seconds) = UNITS.iter().find(|(letter, _)| *letter == unit).ok_or_else(error)?;
        let count: i64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| error())?;
        let micros = count.checked_mul(seconds * 1_000_000).filter(|micros| *micros >= 0).ok_or_else(error)?;
        Ok(Duration { micros })
    }
}

/// The largest unit that divides it: `7d`, but `36h`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.micros / 1_000_000;
        // Weeks are written as days: `7d` is what users type.
        let (unit, size) = UNITS[1..].iter().find(|(_, size)| seconds % size == 0).unwrap_or(&('s', 1));
        write!(f, "{}{unit}", seconds / size)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+[smhdw]$" })
    }
}
