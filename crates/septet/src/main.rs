//! The binary: commands and settings. What a command does is written in the crates below.
#![deny(clippy::unwrap_used)]

mod arguments;
mod background;
mod bars;
mod commands;
mod doctor;
mod dry;
mod grade;
mod newcomer;
mod serving;
mod settings;
mod show;
mod watching;
mod workshop;

use arguments::{Arguments, Command, DemoAct, How};
use clap::Parser;
use septet_platform::DemoBreak;
use settings::Settings;
use std::process::ExitCode;

/// Answers make and drop many small texts on several threads: measured a tenth faster than the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    let arguments = Arguments::parse();
    let json = arguments.json;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(arguments)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(code) => code,
        Err(error) if format!("{error:#}").contains(BROKEN_PIPE) => ExitCode::SUCCESS,
        Err(error) => {
            if json {
                println!("{}", serde_json::json!({ "error": format!("{error:#}") }));
            }
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

const BROKEN_PIPE: &str = "Broken pipe";

/// `septet sql ... | head` closes our output: that is no failure of ours.
fn end_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|text| text.contains(BROKEN_PIPE)) {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let settings = Settings::read(&arguments)?;
    start_log(&settings);
    let json = arguments.json;
    match arguments.command {
        Command::New(new) => newcomer::new(&settings, &new, json).await,
        Command::Check { domain: Some(domain), source, layout } if !source.is_empty() => {
            dry::check_source(&settings, &domain, &source, layout.as_deref(), json).await
        }
        Command::Check { domain, .. } => commands::check(&settings, domain.as_deref(), json).await,
        Command::Run(run) => commands::run(&settings, &run, json).await,
        Command::Step { step, run, run_id, refresh } => {
            commands::step(&settings, step, &run, &run_id, refresh, json).await
        }
        Command::Serve { names } => serving::serve(&settings, &names).await,
        Command::Up { names, small } => serving::up(&settings, &names, small).await,
        Command::Replay { domain, request_id } => serving::replay(&settings, &domain, &request_id, json).await,
        Command::Monitor(monitor) => watching::monitor(&settings, &monitor, json).await,
        Command::Alerts { domain, all, acknowledge, resolve, by, note, deliveries } => {
            let by = by.unwrap_or_else(user);
            let change = acknowledge.map(|id| (id, "acknowledged")).or(resolve.map(|id| (id, "resolved")));
            let request = watching::AlertRequest { domain, all, change, by, note, deliveries };
            watching::alerts(&settings, &request, json).await
        }
        Command::Validate { .. } => anyhow::bail!(
            "`validate` is a step of a run (septet step DOMAIN validate); the production grade is `septet grade`"
        ),
        Command::Grade { domain, min_grade, sabotage, out } => {
            let request = grade::GradeRequest { domain, min_grade, sabotage, out };
            grade::grade(&settings, &request, json).await
        }
        Command::Demo { act: DemoAct::Break { domain, how } } => {
            let how = match how {
                How::Amounts => DemoBreak::Amounts,
                How::Renamed => DemoBreak::Renamed,
                How::Labels => DemoBreak::Labels,
            };
            watching::change_demo(&settings, &domain, Some(how), json).await
        }
        Command::Demo { act: DemoAct::Mend { domain } } => watching::change_demo(&settings, &domain, None, json).await,
        Command::Drift { reference, current } => watching::drift(&settings, &reference, &current, json).await,
        Command::Models { domain, action: Some(action), version, why, by, anyway } => {
            let (by, why) = (by.unwrap_or_else(user), why.unwrap_or_default());
            let change = commands::ModelChange { domain, action, version, by, why, anyway };
            commands::change_model(&settings, &change, json).await
        }
        Command::Models { domain, .. } => commands::models(&settings, &domain, json).await,
        Command::Domains => commands::domains(&settings, json),
        Command::Sql { run_id, words, format } => {
            commands::sql(&settings, &words, run_id.as_deref(), format, json).await
        }
        Command::Doctor => commands::doctor(&settings, json).await,
        Command::Settings => commands::settings(&settings, json),
        Command::Reference { page } => commands::reference(&settings, page),
        Command::Completions { shell } => Ok(commands::completions(shell)),
        Command::Bench { part, run, out } => commands::bench(&settings, part, &run, &out).await,
    }
}

/// Whose name stands under what is done.
fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned())
}

/// Log lines go to standard error, so that standard output is the answer alone.
fn start_log(settings: &Settings) {
    let filter = tracing_subscriber::EnvFilter::new(&settings.log);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if settings.log_as_json {
        lines.json().flatten_event(true).init();
    } else {
        lines.init();
    }
}
