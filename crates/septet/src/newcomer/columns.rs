//! What each column of a table is to a domain: its type, its part, how the layout reads it, and what nobody can know but a person.

use crate::newcomer::names::{clean, is_key, names_a_person, personal, quoted, unique};
use anyhow::bail;
use septet_platform::MISSING_WORDS;
use septet_tables::{ColumnSurvey, Survey, truth};
use std::collections::BTreeMap;

/// Words that mean missing in a column of words too: the others may be categories there.
const MISSING_EVERYWHERE: [&str; 10] = ["?", "NULL", "null", "N/A", "n/a", "#N/A", "NaN", "nan", "\\N", ""];
/// Different words among numbers that may all mean missing.
const STRANGE_WORDS_MAX: usize = 5;
/// Words that a label's positive side is called by.
const POSITIVE_WORDS: [&str; 16] = [
    "bad", "churn", "churned", "fraud", "default", "left", "leave", "positive", "pos", "won", "yes", "true", "1",
    "sick", "failed", "spam",
];
/// Different values above which a column of words is no category whatever its share of the rows is.
const ENTITY_VALUES_MIN: u64 = 500;

/// What a person named on the command line.
#[derive(Debug, Default)]
pub struct Named {
    pub label: Option<String>,
    pub positive: Option<String>,
    pub time: Option<String>,
    pub key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Integer,
    Bool,
    Timestamp,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Number => "number",
            Kind::Integer => "integer",
            Kind::Bool => "bool",
            Kind::Timestamp => "timestamp",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    Key,
    Time,
    Label,
    Feature,
    /// In the contract and no feature, and why.
    Kept(String),
    /// Not read at all, and why.
    LeftOut(String),
}

#[derive(Debug)]
pub struct Planned {
    pub name: String,
    /// As the source calls it; none where the layout makes it.
    pub source: Option<String>,
    pub kind: Kind,
    /// How the layout reads it, without AS.
    pub sql: String,
    pub required: bool,
    pub personal: Option<&'static str>,
    pub role: Role,
    /// Smallest and largest number seen.
    pub range: Option<(f64, f64)>,
    pub different: Option<u64>,
    /// The most frequent value, which is nobody's own.
    pub usual: Option<String>,
    pub note: Option<String>,
}

#[derive(Debug)]
pub struct Plan {
    pub columns: Vec<Planned>,
    pub null_words: Vec<String>,
    pub decimal_comma: bool,
    pub rows: u64,
}

impl Plan {
    pub fn role(&self, role: &Role) -> Option<&Planned> {
        self.columns.iter().find(|column| column.role == *role)
    }
}

/// What all of a column's values allow.
struct Facts<'a> {
    column: &'a ColumnSurvey,
    kind: Kind,
    sql: String,
    /// Rows with a value that does not mean missing; none where there are too many different ones to know.
    given: Option<u64>,
    note: Option<String>,
}

pub fn plan(survey: &Survey, named: &Named) -> anyhow::Result<Plan> {
    let given_names: Vec<&str> = survey.columns.iter().map(|column| column.name.as_str()).collect();
    for name in [&named.label, &named.time, &named.key].into_iter().flatten() {
        if !given_names.contains(&name.as_str()) {
            bail!("there is no column `{name}`; there are {}", given_names.join(", "));
        }
    }
    let decimal_comma = has_decimal_comma(survey);
    let null_words = null_words(survey, decimal_comma);
    let facts: Vec<Facts> = survey
        .columns
        .iter()
        .map(|column| facts(column, &null_words, decimal_comma, named.time.as_deref() == Some(&column.name)))
        .collect();
    let key = key_of(&facts, survey.rows, named)?;
    let time = time_of(&facts, survey.rows, named)?;
    let mut columns: Vec<Planned> = Vec::new();
    for fact in &facts {
        let taken: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let name = unique(clean(&fact.column.name), &taken);
        let is = |named: Option<&str>| named == Some(fact.column.name.as_str());
        columns.push(if is(named.label.as_deref()) {
            label(fact, name, named.positive.as_deref())?
        } else if is(key.as_deref()) {
            let personal = looks_personal(fact.column, &name).map(|_| "identifier");
            let kind = if fact.kind == Kind::Integer { Kind::Integer } else { Kind::Text };
            Planned { kind, required: true, personal, role: Role::Key, range: None, ..planned(fact, name, survey.rows) }
        } else if is(time.as_deref()) {
            Planned { required: true, role: Role::Time, ..planned(fact, name, survey.rows) }
        } else {
            let role = role(fact, &name, survey.rows);
            Planned { role, ..planned(fact, name, survey.rows) }
        });
    }
    add_what_is_missing(&mut columns, survey.rows);
    Ok(Plan { columns, null_words, decimal_comma, rows: survey.rows })
}

fn planned(fact: &Facts, name: String, rows: u64) -> Planned {
    let column = fact.column;
    let numbers = matches!(fact.kind, Kind::Number | Kind::Integer) && column.min <= column.max;
    let usual = column.words.as_ref().and_then(|words| words.iter().max_by_key(|(_, count)| **count));
    Planned {
        personal: personal(&name),
        name,
        source: Some(column.name.clone()),
        kind: fact.kind,
        sql: fact.sql.clone(),
        required: fact.given == Some(rows),
        role: Role::Feature,
        range: numbers.then_some((column.min, column.max)),
        different: column.distinct,
        usual: usual.map(|(word, _)| word.clone()),
        note: fact.note.clone(),
    }
}

/// A decimal comma somewhere, and nowhere a number that only a point can be read in.
fn has_decimal_comma(survey: &Survey) -> bool {
    let only_comma = |column: &ColumnSurvey| {
        let missing = count_of(column.strange.as_ref(), is_missing);
        column.numbers + missing < column.given && column.comma_numbers + missing == column.given
    };
    survey.columns.iter().any(only_comma)
}

fn is_missing(word: &str) -> bool {
    word.trim().is_empty() || MISSING_WORDS.contains(&word)
}

fn count_of(words: Option<&BTreeMap<String, u64>>, holds: impl Fn(&str) -> bool) -> u64 {
    words.into_iter().flatten().filter(|(word, _)| holds(word)).map(|(_, count)| count).sum()
}

/// Words that stand among numbers where one is missing, and those that mean missing anywhere.
fn null_words(survey: &Survey, decimal_comma: bool) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for column in &survey.columns {
        let strange = column.strange.iter().flatten().map(|(word, _)| word);
        let numbers = if decimal_comma { column.comma_numbers } else { column.numbers };
        let missing = |word: &&String| is_missing(word);
        let among_numbers = numbers > 0
            && column.strange.as_ref().is_some_and(|words| {
                let words = words.keys().filter(|word| is_missing(word)).count();
                (1..=STRANGE_WORDS_MAX).contains(&words)
            })
            && numbers + count_of(column.strange.as_ref(), is_missing) == column.given;
        let anywhere = |word: &&String| MISSING_EVERYWHERE.contains(&word.trim());
        let words: Vec<&String> =
            if among_numbers { strange.filter(missing).collect() } else { strange.filter(anywhere).collect() };
        found.extend(words.into_iter().cloned());
    }
    found.sort();
    found.dedup();
    // An empty field is missing by itself.
    found.retain(|word| !word.is_empty());
    found
}

fn facts<'a>(column: &'a ColumnSurvey, null_words: &[String], decimal_comma: bool, is_time: bool) -> Facts<'a> {
    let missing = |word: &str| null_words.iter().any(|known| known == word);
    // Words that mean missing are no numbers, so that they are all among the strange ones.
    let absent = match (&column.strange, null_words.is_empty()) {
        (_, true) => Some(0),
        (Some(words), false) => Some(count_of(Some(words), missing)),
        // Too many texts to count: but where every value is a time, or is another one, none of them is a word for missing.
        (None, false) => {
            let alike = [column.instants, column.days.count, column.distinct.unwrap_or(0)];
            alike.contains(&column.given).then_some(0)
        }
    };
    let given = absent.map(|absent| column.given - absent);
    let all = |count: u64| given.is_some_and(|given| given > 0 && count == given);
    let name = quoted(&column.name);
    let text = format!("CAST({name} AS VARCHAR)");
    let plain = |kind| Facts { column, kind, sql: name.clone(), given, note: None };
    let numbers = if decimal_comma { column.comma_numbers } else { column.numbers };
    if is_time && all(column.wholes) {
        return whole_times(column, given, &name, &text);
    }
    if all(numbers) && column.padded == 0 {
        return plain(if !decimal_comma && all(column.wholes) { Kind::Integer } else { Kind::Number });
    }
    if all(column.instants) {
        return plain(Kind::Timestamp);
    }
    if let Some((format, clock, unsure)) = column.days.format().filter(|_| all(column.days.count)) {
        let function = if clock { "to_timestamp" } else { "to_date" };
        let note = unsure.then(|| format!("read as {format}: no day above 12 says whether day or month comes first"));
        return Facts { column, kind: Kind::Timestamp, sql: format!("{function}({text}, '{format}')"), given, note };
    }
    let words = || column.words.iter().flatten().map(|(word, _)| word.as_str()).filter(|word| !missing(word));
    let is_truth = |word: &str| matches!(word.to_ascii_lowercase().as_str(), "true" | "false");
    if column.words.is_some() && given.is_some_and(|given| given > 0) && words().all(is_truth) {
        return plain(Kind::Bool);
    }
    plain(Kind::Text)
}

/// A time that is told by a whole number: a day as 20180725, or seconds or milliseconds since 1970.
fn whole_times<'a>(column: &'a ColumnSurvey, given: Option<u64>, name: &str, text: &str) -> Facts<'a> {
    let within = |low: f64, high: f64| column.min >= low && column.max <= high;
    let (sql, note) = if within(19_000_101.0, 21_001_231.0) {
        (format!("to_date({text}, '%Y%m%d')"), "read as a day, such as 20180725")
    } else if within(1e8, 5e9) {
        (format!("to_timestamp(CAST({name} AS BIGINT))"), "read as seconds since 1970")
    } else if within(1e11, 5e12) {
        (format!("to_timestamp_millis(CAST({name} AS BIGINT))"), "read as milliseconds since 1970")
    } else {
        return Facts { column, kind: Kind::Integer, sql: name.to_owned(), given, note: None };
    };
    Facts { column, kind: Kind::Timestamp, sql, given, note: Some(note.to_owned()) }
}

fn key_of(facts: &[Facts], rows: u64, named: &Named) -> anyhow::Result<Option<String>> {
    let unique = |fact: &&Facts| fact.given == Some(rows) && fact.column.distinct == Some(rows);
    if let Some(name) = &named.key {
        if let Some(fact) = facts.iter().find(|fact| fact.column.name == *name).filter(|fact| !unique(fact)) {
            let different = fact.column.distinct.unwrap_or_default();
            bail!(
                "`{name}` is no key: {different} different values in {rows} rows; leave --key out to number the rows"
            );
        }
        return Ok(Some(name.clone()));
    }
    let free = |fact: &&Facts| named.label.as_deref() != Some(&fact.column.name);
    let keys = |fact: &&Facts| matches!(fact.kind, Kind::Integer | Kind::Text) && is_key(&clean(&fact.column.name));
    Ok(facts.iter().filter(unique).filter(free).find(keys).map(|fact| fact.column.name.clone()))
}

fn time_of(facts: &[Facts], rows: u64, named: &Named) -> anyhow::Result<Option<String>> {
    let is_time = |fact: &&Facts| fact.kind == Kind::Timestamp && fact.given == Some(rows);
    if let Some(name) = &named.time {
        if !facts.iter().filter(is_time).any(|fact| fact.column.name == *name) {
            bail!("`{name}` is no time of every row: expected days or times, none missing");
        }
        return Ok(Some(name.clone()));
    }
    let birth = |fact: &&Facts| personal(&clean(&fact.column.name)).is_none();
    Ok(facts.iter().filter(is_time).find(birth).map(|fact| fact.column.name.clone()))
}

/// Why a column looks as if it named one person.
fn looks_personal(column: &ColumnSurvey, name: &str) -> Option<&'static str> {
    let most = |count: u64| column.given > 0 && count * 2 > column.given;
    let different = column.distinct.unwrap_or(u64::MAX);
    if most(column.mails) {
        Some("addresses of mail")
    } else if most(column.phones) {
        Some("telephone numbers")
    // One of ten numbers passes the check by chance.
    } else if column.given >= 5 && column.cards * 10 > column.given * 9 && different > 1 {
        Some("numbers of payment cards")
    } else if names_a_person(name) && different > 20 {
        Some("by its name it tells who somebody is")
    } else {
        None
    }
}

fn role(fact: &Facts, name: &str, rows: u64) -> Role {
    let column = fact.column;
    let different = column.distinct.unwrap_or(u64::MAX);
    let given = fact.given.unwrap_or(column.given).max(1);
    let left_out = |why: &str| Role::LeftOut(why.to_owned());
    if let Some(why) = looks_personal(column, name) {
        return Role::LeftOut(format!("looks personal: {why}"));
    }
    if fact.given == Some(0) {
        return left_out("it is empty");
    }
    if different == 1 && fact.given == Some(rows) {
        return left_out("it has one value in every row");
    }
    match fact.kind {
        Kind::Timestamp => {
            Role::Kept(format!("a time is no feature; a part of it can be, such as extract(year FROM {name})"))
        }
        Kind::Number | Kind::Bool => Role::Feature,
        Kind::Integer => {
            let counter = different == given && given > 20 && column.max - column.min < 1.5 * given as f64;
            let entity = is_key(name) && different > ENTITY_VALUES_MIN && different > given / 10;
            if different == given && given > 20 && (is_key(name) || counter) {
                left_out("every row has its own: it names rows")
            } else if entity {
                Role::Kept(format!(
                    "it names something that has several rows: [[window]] entity = \"{name}\" looks at its past"
                ))
            } else {
                Role::Feature
            }
        }
        Kind::Text => {
            let texts = column.characters / column.given.max(1) > 40 || column.blanks / column.given.max(1) >= 4;
            if texts && different > 50 {
                left_out("free text: it may name people; a kind that reads words takes it, see docs/domain.md")
            } else if different > 20 && different * 2 > given {
                left_out("nearly every row has its own: it names rows")
            } else if is_key(name) && different > ENTITY_VALUES_MIN {
                Role::Kept(format!(
                    "it names something that has several rows: [[window]] entity = \"{name}\" looks at its past"
                ))
            } else {
                Role::Feature
            }
        }
    }
}

/// The label: two values, or a number.
fn label(fact: &Facts, name: String, positive: Option<&str>) -> anyhow::Result<Planned> {
    let column = fact.column;
    let base = Planned { required: false, role: Role::Label, ..planned(fact, name, 0) };
    let words: Vec<(&String, &u64)> = column.words.iter().flatten().filter(|(word, _)| !is_missing(word)).collect();
    let text = format!("CAST({} AS VARCHAR)", quoted(&column.name));
    let literal = |word: &str| format!("'{}'", word.replace('\'', "''"));
    let shown = || words.iter().take(10).map(|(word, _)| word.as_str()).collect::<Vec<_>>().join("`, `");
    if let Some(word) = positive {
        if !words.iter().any(|(known, _)| *known == word) {
            bail!("`{}` is never `{word}`; it has `{}`", column.name, shown());
        }
        let sql = format!("CASE WHEN {text} = {} THEN true WHEN {text} IS NOT NULL THEN false END", literal(word));
        let note = Some(format!("true where it is `{word}`"));
        return Ok(Planned { kind: Kind::Bool, sql, note, range: None, ..base });
    }
    match words.as_slice() {
        [(first, first_count), (second, second_count)] => {
            if let (Some(a), Some(b)) = (truth(first), truth(second))
                && a != b
            {
                return Ok(Planned { kind: Kind::Bool, range: None, ..base });
            }
            let known = |word: &str| POSITIVE_WORDS.contains(&word.to_ascii_lowercase().as_str());
            let (first_number, second_number) = (first.parse::<f64>().ok(), second.parse::<f64>().ok());
            let second_is_true = match (first_number, second_number) {
                (Some(a), Some(b)) => b > a,
                _ if known(first) != known(second) => known(second),
                _ => second_count <= first_count,
            };
            let (yes, no) = if second_is_true { (second, first) } else { (first, second) };
            let sql = format!("CASE {text} WHEN {} THEN true WHEN {} THEN false END", literal(yes), literal(no));
            let note = Some(format!("true where it is `{yes}`, false where it is `{no}`: a guess, see --positive"));
            Ok(Planned { kind: Kind::Bool, sql, note, range: None, ..base })
        }
        [] | [_] if column.distinct.unwrap_or_default() < 2 => {
            bail!("`{}` has one value: nothing to predict", column.name)
        }
        _ if matches!(fact.kind, Kind::Number | Kind::Integer) => Ok(Planned { kind: Kind::Number, ..base }),
        _ => bail!(
            "`{}` has more than two values: `{}`; say which one counts with --positive WORD, all others are then false",
            column.name,
            shown()
        ),
    }
}

/// A table without key or time gets both from its rows' numbers.
fn add_what_is_missing(columns: &mut Vec<Planned>, rows: u64) {
    let taken: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let made = |name: &str, kind, sql: String, role, note: &str| Planned {
        name: unique(name.to_owned(), &taken),
        source: None,
        kind,
        sql,
        required: true,
        personal: None,
        role,
        range: None,
        different: None,
        usual: None,
        note: Some(note.to_owned()),
    };
    // A minute for each row, as long as that ends before today.
    let seconds = if rows < 1_000_000 { 60 } else { 1 };
    let time = made(
        "row_time",
        Kind::Timestamp,
        format!("to_timestamp(1577836800 + {seconds} * _row)"),
        Role::Time,
        "made up: the table has no time, so rows follow each other from 2020 on in the file's order; a request gives any, such as now",
    );
    let key = made(
        "row_key",
        Kind::Text,
        "'row-' || CAST(_row AS VARCHAR)".to_owned(),
        Role::Key,
        "made of the row's number: the table has no key. Numbers begin anew in each file, so read one file a run",
    );
    let has = |columns: &[Planned], role: &Role| columns.iter().any(|column| column.role == *role);
    if !has(columns, &Role::Time) {
        columns.insert(0, time);
    }
    if !has(columns, &Role::Key) {
        columns.insert(0, key);
    }
}
