//! Numbers as people read them: `.742`, `1,754,155`, `0.84 %`. What is not a number is a dash.

const NONE: &str = "–";

/// `1,754,155`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `5.1k`, where a whole count has no room.
pub fn short_count(value: u64) -> String {
    let scaled = |unit: f64, letter: &str| {
        let shown = value as f64 / unit;
        if shown < 9.95 { format!("{shown:.1}{letter}") } else { format!("{shown:.0}{letter}") }
    };
    match value {
        0..1_000 => value.to_string(),
        1_000..999_500 => scaled(1e3, "k"),
        _ => scaled(1e6, "M"),
    }
}

/// Three digits that tell something: `.742`, `.0123`, `12.3`.
pub fn figure(value: f64) -> String {
    figure_with(value, decimals(value))
}

/// `1 window`, `2 windows`.
pub fn counted(value: u64, what: &str) -> String {
    format!("{} {what}{}", count(value), if value == 1 { "" } else { "s" })
}

/// For numbers that stand beside `like`: as many decimals as that one.
pub fn figure_like(value: f64, like: f64) -> String {
    figure_with(value, decimals(like))
}

/// `0.84 %` of a share of 0..=1.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let decimals = match value.abs() {
        value if value == 0.0 || value >= 99.95 => 0,
        10.0.. => 1,
        value => (1 - value.log10().floor() as i32).clamp(1, 6) as usize,
    };
    if value.is_finite() { format!("{value:.decimals$} %") } else { NONE.to_owned() }
}

/// A setting, as it would be typed: `31`, `0.05`.
pub fn plain(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { NONE.to_owned() }
}

fn decimals(value: f64) -> usize {
    match value.abs() {
        100.0.. => 0,
        10.0.. => 1,
        value if value >= 0.1 || value == 0.0 => 3,
        value if value.is_finite() => (2 - value.log10().floor() as i32).clamp(3, 8) as usize,
        _ => 3,
    }
}

fn figure_with(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let minus = if value < 0.0 && text.contains(|digit| matches!(digit, '1'..='9')) { "−" } else { "" };
    let whole = match whole.parse::<u64>() {
        Ok(0) if !fraction.is_empty() => String::new(),
        Ok(whole) => count(whole),
        Err(_) => whole.to_owned(),
    };
    if fraction.is_empty() { format!("{minus}{whole}") } else { format!("{minus}{whole}.{fraction}") }
}
