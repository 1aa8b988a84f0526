//! The clock, and times as text.

/// Microseconds since 1970 UTC, now.
pub fn now_micros() -> i64 {
    chrono::Utc::now().timestamp_micros()
}

/// The time that a text says, as RFC 3339 in UTC; none if it says no time.
pub fn rfc3339(text: &str) -> Option<String> {
    instant_text(septet_tables::instant(text)?)
}

/// RFC 3339 in UTC of microseconds since 1970.
pub fn instant_text(micros: i64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp_micros(micros)?;
    Some(time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}
