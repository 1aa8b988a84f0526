//! The files of a domain that was planned from a table. What nobody but a person knows is a comment at its place.

use crate::newcomer::columns::{Kind, Plan, Planned, Role};
use crate::newcomer::names::quoted;
use septet_tables::WrittenAs;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The input that the table is shaped to.
pub const INPUT: &str = "records";
/// The layout of the table itself.
pub const LAYOUT: &str = "own";
/// Rows above which each candidate takes minutes.
const LARGE_ROWS_MIN: u64 = 200_000;

/// What is known beside the columns.
pub struct Draft<'a> {
    pub name: &'a str,
    pub port: u16,
    /// The file's own name.
    pub file: String,
    pub plan: &'a Plan,
    pub written: &'a WrittenAs,
    /// Share of positives among the rows with a label, once known.
    pub positives: Option<f64>,
    /// The split's value in TOML, and why it is so.
    pub split: (String, String),
    /// A row of the table as a request.
    pub case: Option<Value>,
}

pub fn files(draft: &Draft) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([
        ("domain.toml".to_owned(), domain_toml(draft)),
        ("features.sql".to_owned(), features_sql(draft.plan)),
        (format!("sources/{LAYOUT}.sql"), layout_sql(draft.plan)),
    ]);
    if let Some(case) = &draft.case {
        files.insert("cases/first.json".to_owned(), format!("{case:#}\n"));
    }
    files
}

/// A text as TOML writes it; JSON's escapes are among TOML's.
fn text(words: &str) -> String {
    Value::from(words).to_string()
}

/// What may stand in a comment: one line.
fn comment(words: &str) -> String {
    words.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn domain_toml(draft: &Draft) -> String {
    let Draft { name, port, plan, .. } = draft;
    let title = spoken(name);
    let of = |role: &Role| plan.role(role).map_or("", |column| &column.name);
    let target = plan.role(&Role::Label);
    let question = match target {
        Some(label) if label.kind == Kind::Bool => format!("Is {} true?", spoken(&label.name).to_lowercase()),
        Some(label) => format!("What is {}?", spoken(&label.name).to_lowercase()),
        None => "Fill in".to_owned(),
    };
    let columns: String = plan.columns.iter().filter(is_read).map(column_line).collect();
    let mut out = format!(
        "# Written by `septet new` from {file}: {rows} rows, all of which were looked at.\n\
         # Comments with FILL IN mark what a table cannot say. Nothing is written here again: it is yours.\n\
         name = {name_text}\n\
         title = {title_text} # FILL IN: what people call it\n\
         question = {question_text} # FILL IN: the question that an answer answers\n\
         port = {port}\n\
         schedule = \"0 3 * * *\" # each night at 3, UTC\n\n\
         [input.{INPUT}]\n\
         grain = \"one row of the table\" # FILL IN: such as one payment, one employee\n\
         key = {key}\n\
         time = {time}\n\n\
         # required: no value is missing in any row of the table. min and max: set them where you know them, a request beyond is refused.\n\
         [input.{INPUT}.columns]\n{columns}\n",
        file = comment(&draft.file),
        rows = plan.rows,
        name_text = text(name),
        title_text = text(&title),
        question_text = text(&question),
        key = text(of(&Role::Key)),
        time = text(of(&Role::Time)),
    );
    out.push_str(&layout_toml(draft));
    out.push_str(&model_toml(draft, target));
    out
}

/// `monthly_income` as a person says it.
fn spoken(name: &str) -> String {
    let mut words = name.replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

fn is_read(column: &&Planned) -> bool {
    !matches!(column.role, Role::LeftOut(_))
}

fn column_line(column: &Planned) -> String {
    let mut keys = vec![format!("type = \"{}\"", column.kind.word())];
    if column.required {
        keys.push("required = true".to_owned());
    }
    if column.range.is_some_and(|(min, _)| min >= 0.0) && column.role != Role::Key {
        keys.push("min = 0".to_owned());
    }
    if let Some(personal) = column.personal {
        keys.push(format!("personal = \"{personal}\""));
    }
    if column.role == Role::Label {
        keys.push("label = true, known_after = \"0d\"".to_owned());
    }
    keys.push(format!("meaning = {}", text(&format!("{} (fill in the meaning)", column.name.replace('_', " ")))));
    let mut notes = Vec::new();
    if let Some((min, max)) = column.range.filter(|_| column.personal.is_none() && column.role == Role::Feature) {
        notes.push(format!("{min} to {max} seen"));
    }
    if column.personal.is_some() {
        notes.push("personal by its name: a guess".to_owned());
    }
    if column.role == Role::Label {
        notes.push("FILL IN known_after: how long after the row's time this is known".to_owned());
    }
    notes.extend(column.note.clone());
    let notes = if notes.is_empty() { String::new() } else { format!(" # {}", comment(&notes.join("; "))) };
    format!("{} = {{ {} }}{notes}\n", column.name, keys.join(", "))
}

fn layout_toml(draft: &Draft) -> String {
    let WrittenAs { delimiter, encoding, columns } = draft.written;
    let mut out = format!("[layout.{LAYOUT}]\ntitle = {}\n", text(&draft.file));
    if let Some(delimiter) = delimiter {
        out.push_str(&format!("delimiter = {}\n", text(&delimiter.to_string())));
    }
    if draft.plan.decimal_comma {
        out.push_str("decimal = \",\"\n");
    }
    if let Some(encoding) = encoding {
        out.push_str(&format!("encoding = \"{encoding}\" # a guess: it is no UTF-8\n"));
    }
    if !columns.is_empty() {
        let names: Vec<String> = columns.iter().map(|name| text(name)).collect();
        out.push_str(&format!(
            "# The first line is a row already: FILL IN names, here and in sources/{LAYOUT}.sql.\ncolumns = [{}]\n",
            names.join(", ")
        ));
    }
    if !draft.plan.null_words.is_empty() {
        let words: Vec<String> = draft.plan.null_words.iter().map(|word| text(word)).collect();
        out.push_str(&format!(
            "# They stand where a value is missing, and mean that in every column.\nnull_words = [{}]\n",
            words.join(", ")
        ));
    }
    out + "\n"
}

fn model_toml(draft: &Draft, target: Option<&Planned>) -> String {
    let Some(target) = target else {
        return format!(
            "# FILL IN: no --label was given. Give the column that is predicted `label = true, known_after = \"0d\"` above, name it here,\n\
             # take it out of features.sql, and see docs/domain.md for what else [model] says.\n\
             [model]\nkind = \"fill_in\"\ntarget = \"fill_in\"\nmeasure = \"log_loss\"\nbaselines = [\"prior\"]\nsplit = {}\n",
            draft.split.0
        );
    };
    let label = target.kind == Kind::Bool;
    let (measure, baseline) = if label { ("log_loss", "prior") } else { ("rmse", "mean") };
    let candidates = match (draft.plan.rows > LARGE_ROWS_MIN, label) {
        (true, _) => include_str!("large.toml.txt"),
        (false, true) => include_str!("label.toml.txt"),
        (false, false) => include_str!("number.toml.txt"),
    };
    let mut out = format!(
        "[model]\ntarget = {}\nmeasure = \"{measure}\"\nbaselines = [\"{baseline}\"]\n# {}\nsplit = {}\n\n{candidates}\n",
        text(&target.name),
        comment(&draft.split.1),
        draft.split.0
    );
    let positives = draft.positives.unwrap_or(0.1).clamp(0.001, 0.999);
    if label {
        // Half as likely again as the mean, and never above one half: some rows are flagged, and not most of them.
        let threshold = (1.5 * positives).min(0.5);
        let missed = ((1.0 - threshold) / threshold * 10.0).round() / 10.0;
        out.push_str(&format!(
            "# FILL IN what errors cost, in any one unit. Until then the line is drawn at a probability of {threshold:.2}; the table's share of\n\
             # positives is {positives:.3}. Or flags_per_day = N, for people who can look at N rows a day.\n\
             [decision]\ncosts = {{ missed = {missed:?}, false_alarm = 1.0 }}\n\
             positive = \"flag\" # FILL IN: what is done, such as \"review\"\nnegative = \"pass\"\n\n"
        ));
    }
    out.push_str(
        "# Wider than the defaults: small tables know less exactly, wide ones take longer to explain. Narrow them as you come to know.\n\
         [gates]\nprediction_us_max = 200\nexplanation_us_max = 10000\n",
    );
    if label {
        let most = (positives + 0.3).clamp(0.5, 0.95);
        out.push_str(&format!("calibration_error_max = 0.05\nflagged_share_max = {most:.2}\n"));
    }
    out
}

fn features_sql(plan: &Plan) -> String {
    let mut out = String::from(
        "-- The model's inputs, one a line: expressions over the row are fine too. The label, and what is known only after it, must not be here.\n",
    );
    for column in &plan.columns {
        match &column.role {
            Role::Kept(why) => out.push_str(&format!("-- not {}: {}\n", column.name, comment(why))),
            Role::LeftOut(why) => out.push_str(&format!("-- not {}: {}\n", column.name, comment(why))),
            _ => {}
        }
    }
    let features: Vec<String> = plan
        .columns
        .iter()
        .filter(|column| column.role == Role::Feature)
        .map(|column| format!("    {}", column.name))
        .collect();
    out.push_str(&format!("SELECT\n{}\nFROM {INPUT}\n", features.join(",\n")));
    out
}

fn layout_sql(plan: &Plan) -> String {
    let mut out = String::from(
        "-- From the table's columns to the contract's. CSV is text all through: what is calculated needs a CAST.\n",
    );
    for column in &plan.columns {
        if let (Role::LeftOut(why), Some(source)) = (&column.role, &column.source) {
            out.push_str(&format!("-- left out: {} ({})\n", comment(&quoted(source)), comment(why)));
        }
    }
    let line = |column: &Planned| match column.sql == column.name {
        true => format!("    {}", column.name),
        false => format!("    {} AS {}", column.sql, column.name),
    };
    let columns: Vec<String> = plan.columns.iter().filter(is_read).map(line).collect();
    out.push_str(&format!("SELECT\n{}\nFROM source\n", columns.join(",\n")));
    out
}

/// A row as the first case: a request with what the row says, and nothing that points at a person.
pub fn case(plan: &Plan, row: &Map<String, Value>) -> Value {
    let mut event = Map::new();
    for column in plan.columns.iter().filter(is_read) {
        let shown = match &column.role {
            Role::Label => None,
            Role::Key => Some(example(column)),
            Role::Time => row.get(&column.name).cloned(),
            Role::Feature if column.personal.is_none() => {
                row.get(&column.name).filter(|value| !value.is_null()).cloned()
            }
            _ => column.required.then(|| example(column)),
        };
        if let Some(value) = shown {
            event.insert(column.name.clone(), value);
        }
    }
    let label = plan.role(&Role::Label);
    let expect = match label.and_then(|label| label.range) {
        // Any number that a sensible model could say.
        Some((min, max)) => json!({ "probability_min": min - (max - min), "probability_max": max + (max - min) }),
        None if label.is_some_and(|label| label.kind != Kind::Bool) => json!({}),
        None => json!({ "probability_min": 0.0, "probability_max": 1.0 }),
    };
    let name = "a row of the table; narrow what is expected once you know the right answer";
    json!([{ "name": name, "event": event, "windows": {}, "expect": expect }])
}

/// A value of the column that is nobody's own.
fn example(column: &Planned) -> Value {
    let middle = column.range.map_or(1.0, |(min, max)| (min + max) / 2.0);
    match column.kind {
        Kind::Integer => json!(middle.round() as i64),
        Kind::Number => json!(middle),
        Kind::Bool => json!(false),
        Kind::Timestamp => json!("2000-01-01"),
        Kind::Text if column.role == Role::Key => json!("case-1"),
        Kind::Text => json!(
            column
                .usual
                .clone()
                .filter(|_| column.different.is_some_and(|n| n <= 20))
                .unwrap_or_else(|| "example".to_owned())
        ),
    }
}
