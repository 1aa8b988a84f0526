//! What of a domain decides what: a change of an alarm's level needs no training, one of a rule none either, one of a feature does.

use crate::domain::Domain;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Hashes of two parts of a domain's definition; what is in neither only watches. Comments and spaces change none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// What decides inputs and model: contract, windows, series, features, labels, split, kinds. A change asks for training.
    pub model: String,
    /// What decides answers: decision, rules, look-ups, estimates, `answer.sql`, gates, and the words of reasons. A change asks for
    /// a new decision on the same model.
    pub answers: String,
}

/// Keys of `domain.toml` that decide inputs and model.
const MODEL_KEYS: [&str; 7] = ["input", "series", "layout", "window", "features", "model", "measure"];
/// Keys that decide answers; words of the keys above are among them.
const ANSWER_KEYS: [&str; 7] = ["title", "question", "lookup", "estimate", "decision", "rule", "gates"];
/// Words for a person, wherever they stand.
const WORDS: [&str; 6] = ["meaning", "unit", "title", "grain", "personal", "says"];
/// What else than words a feature says.
const MONOTONE: &str = "monotone";
/// What only an extract asks: the rows that it gives have a fingerprint of their own.
const EXTRACT_KEYS: [&str; 7] =
    ["quarantine_share_max", "delimiter", "quote", "decimal", "null_words", "encoding", "simulated"];

impl Domain {
    pub fn fingerprints(&self) -> Fingerprints {
        let whole: toml::Table = self.files.get("domain.toml").and_then(|text| text.parse().ok()).unwrap_or_default();
        let (mut model, mut answers) = (blake3::Hasher::new(), blake3::Hasher::new());
        for (key, value) in &whole {
            let value = &written_out(key, value.clone());
            if MODEL_KEYS.contains(&key.as_str()) {
                let decides = without(value.clone(), true);
                // `[features]` that only say what they mean decide nothing.
                if key != "features" || decides.contains(MONOTONE) {
                    put(&mut model, key, &decides);
                }
                put(&mut answers, key, &without(value.clone(), false));
            } else if ANSWER_KEYS.contains(&key.as_str()) {
                put(&mut answers, key, &format!("{value:?}"));
            }
        }
        let rows = self.spec.series.iter().map(|series| series.get_ref().rows.get_ref().clone());
        let looked_up = self.spec.lookup.values().map(|lookup| lookup.table.get_ref().clone());
        let files = |names: &[&str], tables: BTreeSet<String>, hasher: &mut blake3::Hasher| {
            let tables = tables.into_iter().map(|name| format!("tables/{name}.sql"));
            for file in names.iter().map(|name| (*name).to_owned()).chain(tables) {
                if let Some(text) = self.files.get(&file) {
                    put(hasher, &file, &without_comments(text));
                }
            }
        };
        files(&["features.sql", "label.sql"], self.tables_behind(rows.collect()), &mut model);
        files(&["answer.sql"], self.tables_behind(looked_up.collect()), &mut answers);
        let text = |hasher: blake3::Hasher| hasher.finalize().to_hex()[..16].to_owned();
        Fingerprints { model: text(model), answers: text(answers) }
    }

    /// Some tables and all that are named in what makes them.
    fn tables_behind(&self, wanted: Vec<String>) -> BTreeSet<String> {
        let (mut found, mut waiting) = (BTreeSet::new(), wanted);
        while let Some(table) = waiting.pop() {
            let Some(sql) = self.files.get(&format!("tables/{table}.sql")) else { continue };
            if found.insert(table) {
                let words = sql.split(|c: char| !(c.is_alphanumeric() || c == '_'));
                waiting.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
            }
        }
        found
    }
}

/// SQL without comments, and with one space wherever there is any outside of quotes.
fn without_comments(sql: &str) -> String {
    let (mut kept, mut rest) = (String::with_capacity(sql.len()), sql);
    while let Some(first) = rest.chars().next() {
        let end = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if first.is_whitespace() {
            rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len())
        } else {
            let quoted = if first == '\'' || first == '"' { rest[1..].find(first).map(|at| at + 2) } else { None };
            let end = quoted.unwrap_or(first.len_utf8());
            kept.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        };
        if !kept.ends_with(' ') {
            kept.push(' ');
        }
        rest = &rest[end..];
    }
    kept.trim().to_owned()
}

/// What is short for a table, as the table.
fn written_out(key: &str, value: toml::Value) -> toml::Value {
    let long = |table: &mut toml::Table, name: &str| {
        for (_, value) in table.iter_mut().filter(|(_, value)| value.is_str()) {
            *value = toml::Value::Table([(name.to_owned(), value.clone())].into_iter().collect());
        }
    };
    let mut value = value;
    match (key, &mut value) {
        ("features", toml::Value::Table(features)) => long(features, "meaning"),
        ("window", toml::Value::Array(windows)) => {
            let columns = windows.iter_mut().filter_map(|window| window.get_mut("columns")?.as_table_mut());
            columns.for_each(|columns| long(columns, "is"));
        }
        _ => {}
    }
    value
}

fn put(hasher: &mut blake3::Hasher, name: &str, text: &str) {
    for part in [name, text] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
}

/// The value as text without words for a person, or with nothing else than those.
fn without(value: toml::Value, words: bool) -> String {
    fn strip(value: &mut toml::Value, words: bool) {
        match value {
            toml::Value::Table(table) => {
                table.retain(|key, inner| {
                    let name: &str = key;
                    let word = WORDS.contains(&name) && !inner.is_table();
                    let extract = EXTRACT_KEYS.contains(&name) && !inner.is_table();
                    let nested =
                        inner.is_table() || inner.as_array().is_some_and(|all| all.iter().any(toml::Value::is_table));
                    if words { !word && !extract } else { word || nested }
                });
                table.iter_mut().for_each(|(_, inner)| strip(inner, words));
            }
            toml::Value::Array(all) => all.iter_mut().for_each(|inner| strip(inner, words)),
            _ => {}
        }
    }
    let mut value = value;
    strip(&mut value, words);
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use crate::Domains;

    /// Which of the two change with a text of `domain.toml` or a file.
    fn changed(file: &str, from: &str, to: &str) -> (bool, bool) {
        let domain = Domains::default().load("fraud").unwrap();
        let mut other = domain.clone();
        let text = other.files.get_mut(file).unwrap();
        assert!(text.contains(from), "`{from}` is not in {file}");
        *text = text.replacen(from, to, 1);
        let (a, b) = (domain.fingerprints(), other.fingerprints());
        (a.model != b.model, a.answers != b.answers)
    }

    #[test]
    fn only_what_decides_inputs_and_model_asks_for_training() {
        let toml = "domain.toml";
        for (file, from, to, expected) in [
            (toml, "above = 0.03", "above = 0.04", (false, false)),
            (toml, "schedule = \"0 2 * * *\"", "schedule = \"0 3 * * *\"", (false, false)),
            (toml, "port = 8001", "port = 9001", (false, false)),
            (toml, "# What the card did", "# What a card did", (false, false)),
            ("monitor/by_day.sql", "SELECT", "SELECT /* */", (false, false)),
            (toml, "flags_per_day = 100", "flags_per_day = 90", (false, true)),
            (toml, "terminal_payments_7d >= 5", "terminal_payments_7d >= 6", (false, true)),
            (toml, "meaning = \"time of the payment\"", "meaning = \"when it was paid\"", (false, true)),
            (toml, "meaning = \"payments of the card in {over}\"", "meaning = \"payments in {over}\"", (false, true)),
            (toml, "is_night = \"paid before 7", "is_night = \"paid before seven", (false, true)),
            (toml, "is_weekend = \"paid on a weekend (1) or not (0)\"\n", "", (false, true)),
            (
                toml,
                "last_was_fraud = \"last(is_fraud)\"",
                "last_was_fraud = { is = \"last(is_fraud)\" }",
                (false, false),
            ),
            (toml, "empty = 0", "empty = 1", (true, false)),
            (toml, "[features]\n", "[features]\namount = { monotone = \"rising\" }\n", (true, true)),
            ("tests/frauds_are_few.sql", "0.5", "0.6", (false, false)),
            ("answer.sql", "SELECT", "SELECT 1 AS one,", (false, true)),
            ("features.sql", "    amount,", "  amount, -- in EUR; it's what was paid\n", (false, false)),
            ("features.sql", "    amount,", "    /* \"it\" */ amount,", (false, false)),
            ("features.sql", "    amount,", "    amount, '--' AS dashes,", (true, false)),
            (toml, "over = [\"1d\", \"7d\", \"30d\"]", "over = [\"2d\", \"7d\", \"30d\"]", (true, false)),
            (toml, "trees = [200, 300, 400]", "trees = [200, 300]", (true, false)),
            ("features.sql", "    amount,", "    amount, ln(amount + 1) AS l,", (true, false)),
        ] {
            assert_eq!(changed(file, from, to), expected, "{from} -> {to}");
        }
    }
}
