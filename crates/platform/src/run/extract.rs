//! Sources to checked rows: `tables/INPUT.parquet`, and `tables/quarantine.parquet` for what breaks the contract.

use crate::PlatformError;
use crate::inputs::places::at_file;
use crate::own_names::{refuse_declared, refuse_extras};
use crate::registry::home::make_folder;
use crate::run::demo::demo_file;
use crate::run::{Made, Run, demo_break};
use septet_domain::{Domain, Layout, did_you_mean};
use septet_tables::{ExtractReport, ExtractRequest, Location, Reading, TableFile, TablesError, TextFormat, extract};
use serde_json::json;
use std::path::Path;

/// The layout of the simulated source.
const DEMO_LAYOUT: &str = "demo";

pub async fn run(run: &Run<'_>) -> Result<Made, PlatformError> {
    let folder = run.home.partial_tables_folder(run.domain.name(), &run.run_id);
    // A half extract of a killed attempt is of no use.
    let _ = std::fs::remove_dir_all(&folder);
    make_folder(&folder)?;
    refuse_declared(&run.engine()?, run.domain).await?;
    let (layout_name, simulated) = (layout_name(run), simulated(run));
    let mut reports = Vec::new();
    for (at, (name, input)) in run.domain.spec.input.iter().enumerate() {
        let (file, sql, layout) = layout_sql(run.domain, &layout_name, (at > 0).then_some(name))?;
        let location = location(run, name)?;
        let format = TextFormat::from_layout(&layout)
            .map_err(|what| PlatformError::usage(what, format!("see [layout.{layout_name}]")))?;
        let request =
            ExtractRequest { input_name: name, input, location: &location, layout_sql: &sql, format, folder: &folder };
        let engine = run.engine()?;
        run.progress.begin(&format!("extract {name}"), None, "rows");
        let show = |reading: Reading| run.progress.done(reading.rows);
        let report = extract(&engine, &request, &show).await;
        run.progress.end();
        if let Err(TablesError::TooManyBroken { .. }) = &report {
            // The rows that broke can be asked for: septet sql DOMAIN --run ID.
            let names: Vec<&String> = reports.iter().map(|(name, _)| name).chain([name]).collect();
            gather_quarantine(run, &folder, &names).await?;
        }
        let report = report.map_err(|error| told(run, &file, error))?;
        report.notes.iter().for_each(|note| run.progress.say(note));
        if at == 0 {
            refuse_extras(&run.engine()?, run.domain, &report.extras).await?;
        }
        reports.push((name.clone(), report));
    }
    gather_quarantine(run, &folder, &reports.iter().map(|(name, _)| name).collect::<Vec<_>>()).await?;
    let demo_break = match run.options.demo_break {
        Some(how) => Some(demo_break::apply(run, &folder, how).await?),
        None => None,
    };
    put_in_place(run, &folder, &reports)?;
    let sum = |of: fn(&ExtractReport) -> u64| reports.iter().map(|(_, report)| of(report)).sum::<u64>();
    let fingerprint = reports.iter().map(|(_, report)| report.fingerprint.clone()).collect::<Vec<_>>().join("-");
    Ok(Made {
        rows_in: sum(|report| report.rows_in),
        rows_out: sum(|report| report.rows_out),
        quarantined: sum(|report| report.quarantined),
        fingerprint,
        detail: json!({ "layout": layout_name, "simulated": simulated, "inputs": reports, "demo_break": demo_break }),
    })
}

/// An extract's error, with its place or with where the rows that broke are to be seen.
fn told(run: &Run, file: &str, error: TablesError) -> PlatformError {
    match error {
        TablesError::TooManyBroken { .. } => {
            let (domain, run_id) = (run.domain.name(), &run.run_id);
            let see = format!("see them with: septet sql {domain} --run {run_id} \"SELECT * FROM quarantine\"");
            PlatformError::usage(error.to_string(), see)
        }
        error => at_file(run.domain, file, error),
    }
}

/// The extracted tables under their name. Published ones are in readers' hands: a repeated extract may only find the
/// same rows again.
fn put_in_place(run: &Run, folder: &Path, reports: &[(String, ExtractReport)]) -> Result<(), PlatformError> {
    let place = run.tables_folder();
    let published = run.home.published(run.domain.name())?.filter(|published| published.run_id == run.run_id);
    if let Some(published) = published {
        std::fs::remove_dir_all(folder).map_err(|error| PlatformError::io(folder, error))?;
        let same = reports.iter().all(|(name, report)| published.tables.get(name) == Some(&report.fingerprint));
        let what = format!("the tables of run `{}` are published, and its source now gives other rows", run.run_id);
        return if same { Ok(()) } else { Err(PlatformError::usage(what, "extract them under a new run ID")) };
    }
    let _ = std::fs::remove_dir_all(&place);
    std::fs::rename(folder, &place).map_err(|error| PlatformError::io(&place, error))
}

fn layout_name(run: &Run) -> String {
    run.options.layout.clone().unwrap_or_else(|| DEMO_LAYOUT.to_owned())
}

/// Real rows in the demo's layout are not simulated.
fn simulated(run: &Run) -> bool {
    let made_here = layout_name(run) != DEMO_LAYOUT || run.options.sources.is_empty();
    made_here && run.domain.spec.layout.get(&layout_name(run)).is_some_and(|layout| layout.simulated)
}

fn location(run: &Run, input: &str) -> Result<Location, PlatformError> {
    match run.options.sources.get(input) {
        Some(text) => Ok(Location::parse(text)?),
        None if layout_name(run) == DEMO_LAYOUT => {
            let file = match run.domain.demo_file(input) {
                Some(file) => file,
                None => demo_file(run.home, input, run.options.demo_small, run.progress)?,
            };
            Ok(Location::Files(file.display().to_string()))
        }
        None => Err(PlatformError::usage(
            format!("layout `{}` needs a source for `{input}`", layout_name(run)),
            "give --source FILE_OR_URL",
        )),
    }
}

/// File name, SELECT and format of a layout; inputs after the first have `sources/LAYOUT.INPUT.sql`.
pub(crate) fn layout_sql(
    domain: &Domain,
    layout: &str,
    further_input: Option<&String>,
) -> Result<(String, String, Layout), PlatformError> {
    if layout.ends_with(".sql") {
        let sql = std::fs::read_to_string(layout).map_err(|error| PlatformError::io(layout, error))?;
        return Ok((layout.to_owned(), sql, Layout::default()));
    }
    let file = match further_input {
        Some(input) => format!("sources/{layout}.{input}.sql"),
        None => format!("sources/{layout}.sql"),
    };
    let Some(sql) = domain.files.get(&file) else {
        let known: Vec<&str> = domain.files_in("sources", ".sql").map(|(name, _)| name).collect();
        let hint = did_you_mean(layout, known.iter().copied())
            .unwrap_or_else(|| "or give the path of a SELECT of your own, ending in .sql".to_owned());
        return Err(PlatformError::usage(
            format!("there is no layout `{layout}`; there are {}", known.join(", ")),
            hint,
        ));
    };
    Ok((file, sql.clone(), domain.spec.layout.get(layout).cloned().unwrap_or_default()))
}

/// One table `quarantine` of all inputs.
async fn gather_quarantine(run: &Run<'_>, folder: &Path, inputs: &[&String]) -> Result<(), PlatformError> {
    let engine = run.engine()?;
    let mut selects = Vec::new();
    for name in inputs {
        let part = format!("{name}.quarantine");
        engine.register_file(&TableFile { name: part.clone(), path: folder.join(format!("{part}.parquet")) }).await?;
        selects.push(format!("SELECT * FROM \"{part}\""));
    }
    engine.write(&selects.join(" UNION ALL "), &folder.join("quarantine.parquet"), &|_| {}).await?;
    for name in inputs {
        let path = folder.join(format!("{name}.quarantine.parquet"));
        std::fs::remove_file(&path).map_err(|error| PlatformError::io(&path, error))?;
    }
    Ok(())
}
