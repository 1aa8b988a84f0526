//! `septet new`: a domain's folder from any table, so that the first version answers before anything was written by hand.

mod columns;
mod names;
mod write;

use crate::settings::Settings;
use crate::workshop::{OWN_DOMAINS, domains_of, engine_in_passing};
use anyhow::{Context, bail};
use columns::{Kind, Named, Plan, Role};
use septet_domain::{Domain, Domains};
use septet_platform::{RunOptions, check_domain, dry_extract};
use septet_tables::{Engine, Format, TableFile, survey};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use write::{Draft, INPUT, LAYOUT};

/// The first port that is tried for a domain of one's own.
const FIRST_PORT: u16 = 9001;
/// Equal parts that the table's time is cut into, to look where labels lie.
const PARTS: usize = 60;
/// The split of tables that a split by time would leave a fold without one class.
const STRATIFIED: &str = "{ by = \"stratified\", folds = 5, holdout = 0.2 }";

#[derive(clap::Args, Debug)]
pub struct NewArguments {
    /// Lower case letters, digits and `_`
    pub name: String,
    /// The table: CSV, NDJSON or Parquet, also packed; a path or a glob
    #[arg(long, value_name = "FILE")]
    pub from: String,
    /// The column that is to be predicted: one of two values, or a number
    #[arg(long, value_name = "COLUMN")]
    pub label: Option<String>,
    /// The label's value that counts as true [default: a guess]
    #[arg(long, value_name = "WORD", requires = "label")]
    pub positive: Option<String>,
    /// The column of event time [default: the first that is one in every row]
    #[arg(long, value_name = "COLUMN")]
    pub time: Option<String>,
    /// The column that no two rows share [default: the first such that is called like one]
    #[arg(long, value_name = "COLUMN")]
    pub key: Option<String>,
}

pub async fn new(settings: &Settings, arguments: &NewArguments, json: bool) -> anyhow::Result<ExitCode> {
    let name = arguments.name.as_str();
    let domains = usable_name(settings, name)?;
    let parent = settings.domains.clone().unwrap_or_else(|| PathBuf::from(OWN_DOMAINS));
    let folder = parent.join(name);
    if folder.exists() {
        bail!("`{}` is there already, and is left as it is; choose another name", folder.display());
    }
    let found = survey(&arguments.from)?;
    let named = Named {
        label: arguments.label.clone(),
        positive: arguments.positive.clone(),
        time: arguments.time.clone(),
        key: arguments.key.clone(),
    };
    let plan = columns::plan(&found, &named)?;
    if !plan.columns.iter().any(|column| column.role == Role::Feature) {
        bail!("no column of the table can be an input of a model: all are empty, constant, personal or name rows");
    }
    let file =
        Path::new(&arguments.from).file_name().map_or(arguments.from.clone(), |f| f.to_string_lossy().into_owned());
    let mut draft = Draft {
        name,
        port: free_port(&domains),
        file,
        plan: &plan,
        written: &found.written,
        positives: None,
        split: (STRATIFIED.to_owned(), "by chance, each class in equal shares".to_owned()),
        case: None,
    };
    if plan.role(&Role::Label).is_some() {
        rehearse(settings, &mut draft, &arguments.from).await?;
    }
    put(&folder, &write::files(&draft))?;
    tell(&folder, &draft, &found, arguments, settings, json);
    Ok(ExitCode::SUCCESS)
}

fn usable_name(settings: &Settings, name: &str) -> anyhow::Result<Domains> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if name.is_empty() || !name.chars().all(plain) {
        bail!("`{name}` cannot name a domain; expected lower case letters, digits and `_`");
    }
    // The folder may not be there yet.
    let domains = match &settings.domains {
        Some(folder) if !folder.is_dir() => Domains::default(),
        Some(folder) => Domains::find(Some(folder)).unwrap_or_default(),
        None => domains_of(settings)?,
    };
    if domains.names().iter().any(|known| known == name) {
        bail!("there is a domain `{name}` already; choose another name");
    }
    Ok(domains)
}

fn free_port(domains: &Domains) -> u16 {
    let taken: Vec<u16> =
        domains.names().iter().filter_map(|name| domains.load(name).ok()).map(|domain| domain.spec.port).collect();
    (FIRST_PORT..u16::MAX).find(|port| !taken.contains(port)).unwrap_or(FIRST_PORT)
}

/// Runs the layout over the table: the split, the line and the first case come from rows as a run would have them.
async fn rehearse(settings: &Settings, draft: &mut Draft<'_>, source: &str) -> anyhow::Result<()> {
    let place = tempfile::Builder::new().prefix("septet-new-").tempdir().context("the folder for temporary files")?;
    let (folder, rows) = (place.path().join(draft.name), place.path().join("rows"));
    put(&folder, &write::files(draft))?;
    std::fs::create_dir_all(&rows)?;
    let domain = Domain::kept_in(&folder, draft.name)?;
    let (engine, _spill) = engine_in_passing(settings, 1)?;
    check_domain(&engine.beside(), &domain).await?;
    let options = RunOptions {
        sources: BTreeMap::from([(INPUT.to_owned(), source.to_owned())]),
        layout: Some(LAYOUT.to_owned()),
        demo_small: false,
        demo_break: None,
    };
    let found = dry_extract(&|| Ok(engine.beside()), &domain, &options, &rows).await?;
    if let Some(stops) = found.into_iter().find_map(|input| input.stops) {
        bail!("the table cannot be read as it is: {stops}");
    }
    engine.register_file(&TableFile { name: INPUT.to_owned(), path: rows.join(format!("{INPUT}.parquet")) }).await?;
    look_at_rows(&engine, draft).await
}

async fn look_at_rows(engine: &Engine, draft: &mut Draft<'_>) -> anyhow::Result<()> {
    let plan = draft.plan;
    let first = rows_of(engine, &format!("SELECT * FROM {INPUT} LIMIT 1")).await?;
    draft.case = first.first().map(|row| write::case(plan, row));
    let Some(label) = plan.role(&Role::Label) else { return Ok(()) };
    let is_label = label.kind == Kind::Bool;
    if is_label {
        let share = format!(
            "SELECT avg(CASE WHEN {0} THEN 1.0 ELSE 0.0 END) AS n FROM {INPUT} WHERE {0} IS NOT NULL",
            label.name
        );
        draft.positives = engine.number(&share).await?;
    }
    let Some(time) = plan.role(&Role::Time).filter(|time| time.source.is_some()) else { return Ok(()) };
    match by_time(engine, &time.name, &label.name, is_label).await? {
        Some(split) => {
            draft.split = (
                split,
                "tomorrow's rows are never in today's training: FILL IN delay where labels take time".to_owned(),
            )
        }
        None => {
            let why = "by chance: in a split by time some span would hold too few rows of either class. If rows are about the same people or \
                       things, split by them: { by = \"group\", group = COLUMN }";
            draft.split = (STRATIFIED.to_owned(), why.to_owned());
        }
    }
    Ok(())
}

async fn rows_of(engine: &Engine, sql: &str) -> anyhow::Result<Vec<Map<String, Value>>> {
    let (_, batches) = engine.query(sql).await?;
    let mut out = Vec::new();
    septet_tables::print(&batches, Format::JsonLines, &mut out)?;
    let lines = String::from_utf8_lossy(&out).into_owned();
    lines.lines().filter(|line| !line.is_empty()).map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// A split by time in which every span holds enough of either class; none if there is none.
async fn by_time(engine: &Engine, time: &str, label: &str, is_label: bool) -> anyhow::Result<Option<String>> {
    let seconds = format!("CAST(to_unixtime({time}) AS DOUBLE)");
    let Some(first) = engine.number(&format!("SELECT min({seconds}) AS n FROM {INPUT}")).await? else {
        return Ok(None);
    };
    let Some(last) = engine.number(&format!("SELECT max({seconds}) AS n FROM {INPUT}")).await? else { return Ok(None) };
    let part = (last - first) / PARTS as f64;
    if part < 60.0 {
        return Ok(None);
    }
    let positive = if is_label { format!("CASE WHEN {label} THEN 1 ELSE 0 END") } else { "0".to_owned() };
    let sql = format!(
        "SELECT CAST(floor(({seconds} - {first:.1}) / {part:.6}) AS BIGINT) AS part, count(*) AS rows, sum({positive}) AS positives \
         FROM {INPUT} WHERE {label} IS NOT NULL GROUP BY 1"
    );
    let mut counts = [(0u64, 0u64); PARTS];
    for row in rows_of(engine, &sql).await? {
        let number = |key: &str| row.get(key).and_then(Value::as_u64).unwrap_or_default();
        let (all, positives) = (number("rows"), number("positives"));
        let at = (number("part") as usize).min(PARTS - 1);
        counts[at].0 += all;
        counts[at].1 += positives;
    }
    let found = spans(&counts, is_label).map(|(train, test, folds)| {
        let (train, test) = (length(train as f64 * part), length(test as f64 * part));
        format!("{{ by = \"time\", train = \"{train}\", delay = \"0d\", test = \"{test}\", folds = {folds} }}")
    });
    Ok(found)
}

/// Parts of training, parts of a test span, and folds: the first choice in which each span has enough rows of each class.
fn spans(counts: &[(u64, u64); PARTS], is_label: bool) -> Option<(usize, usize, usize)> {
    let enough = |span: &[(u64, u64)], least: u64| {
        let (rows, positives) = span.iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        if is_label { positives >= least && rows - positives >= least } else { rows >= 3 * least }
    };
    // Rows of the rarer class in a span: below some dozen nothing can be told from chance.
    for least in [60, 20] {
        for (folds, test) in [(3, 5), (3, 6), (2, 8), (2, 9), (1, 15), (1, 18), (1, 21)] {
            // The oldest part may be cut when lengths are rounded.
            let train = PARTS - 2 * folds * test - 1;
            let tests = (0..2 * folds).map(|back| PARTS - (back + 1) * test);
            let sound = tests.into_iter().all(|from| enough(&counts[from..from + test], least));
            if sound && enough(&counts[1..1 + train], 2 * least) {
                return Some((train, test, folds));
            }
        }
    }
    None
}

/// Whole days, hours or minutes.
fn length(seconds: f64) -> String {
    match seconds {
        days if days >= 3.0 * 86_400.0 => format!("{}d", (days / 86_400.0) as u64),
        hours if hours >= 3.0 * 3_600.0 => format!("{}h", (hours / 3_600.0) as u64),
        minutes => format!("{}m", ((minutes / 60.0) as u64).max(1)),
    }
}

/// Writes a folder; `domain.toml` last, as without it the folder is no domain.
fn put(folder: &Path, files: &BTreeMap<String, String>) -> anyhow::Result<()> {
    let last = |(path, _): &(&String, &String)| path.as_str() == "domain.toml";
    let ordered = files.iter().filter(|file| !last(file)).chain(files.iter().filter(last));
    for (path, text) in ordered {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn tell(
    folder: &Path,
    draft: &Draft,
    found: &septet_tables::Survey,
    arguments: &NewArguments,
    settings: &Settings,
    json: bool,
) {
    let plan: &Plan = draft.plan;
    let name = draft.name;
    let count = |role: fn(&Role) -> bool| plan.columns.iter().filter(|column| role(&column.role)).count();
    let features = count(|role| *role == Role::Feature);
    let domains =
        settings.domains.as_ref().map(|folder| format!("--domains {} ", folder.display())).unwrap_or_default();
    let next = [
        format!("septet {domains}check {name}"),
        format!("septet {domains}run {name} --source {} --layout {LAYOUT}", shell(&arguments.from)),
    ];
    let of = |role: &Role| plan.role(role).map(|column| column.name.clone());
    if json {
        let told = json!({
            "domain": name, "folder": folder, "rows": plan.rows, "unreadable": found.broken, "key": of(&Role::Key),
            "time": of(&Role::Time), "label": of(&Role::Label), "features": features, "next": next,
        });
        println!("{told}");
        return;
    }
    println!("{}: {} rows, {} features", folder.display(), plan.rows, features);
    for (what, role) in [("key", Role::Key), ("time", Role::Time), ("label", Role::Label)] {
        if let Some(column) = plan.role(&role) {
            let note = column.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            println!("  {what}: {}{note}", column.name);
        }
    }
    for column in &plan.columns {
        if let Role::LeftOut(why) | Role::Kept(why) = &column.role {
            println!("  no feature: {} ({why})", column.name);
        }
    }
    if let Some(place) = &found.first_broken {
        println!("  {} lines could not be read; the first: {place}", found.broken);
    }
    match of(&Role::Label) {
        Some(_) => println!("Then:\n  {}\n  {}", next[0], next[1]),
        None => println!(
            "No --label was given: the domain has no target yet. Fill in [model] in domain.toml, or remove the folder and name the column. \
             Then:\n  {}\n  {}",
            next[0], next[1]
        ),
    }
}

/// A word for a shell, in quotes where it needs them.
fn shell(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_by_time_leaves_no_span_without_either_class() {
        let even = [(100, 20); PARTS];
        assert_eq!(spans(&even, true), Some((29, 5, 3)));
        let few = [(100, 2); PARTS];
        assert_eq!(spans(&few, true), Some((29, 15, 1)));
        let fewer = [(100, 1); PARTS];
        assert_eq!(spans(&fewer, true), None);
        let mut late = [(100, 0); PARTS];
        late[50..].iter_mut().for_each(|part| part.1 = 50);
        assert_eq!((spans(&late, true), spans(&late, false)), (None, Some((29, 5, 3))));
        assert_eq!((length(90_000.0), length(864_000.0), length(100.0)), ("25h".into(), "10d".into(), "1m".into()));
    }
}
