//! The command line of the generator: one JSON object on standard output, or one line on what is wrong.

use clap::Parser;
use septet_load::bodies::Bodies;
use septet_load::pace::Pace;
use septet_load::request::Target;
use septet_load::run::{Settings, run};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Offers HTTP requests to a server on this machine and tells how long its answers took.
#[derive(Debug, Parser)]
#[command(name = "load", version, max_term_width = 100)]
struct Arguments {
    /// Where the server listens; a loopback address such as 127.0.0.1:8001
    #[arg(long, value_name = "HOST:PORT")]
    address: SocketAddr,
    #[arg(long, default_value = "/predict")]
    path: String,
    /// One request body a line, used in this order
    #[arg(long, value_name = "FILE")]
    bodies: PathBuf,
    /// Begin again with the first body after the last one
    #[arg(long)]
    repeat: bool,
    /// Requests per second, sent on schedule whether or not the server keeps up
    #[arg(long, required_unless_present = "saturate")]
    rate: Option<f64>,
    /// As many requests as the connections can carry, each after the reply to the one before
    #[arg(long, conflicts_with = "rate")]
    saturate: bool,
    /// How long to measure
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// How long to send before measuring
    #[arg(long, default_value_t = 0.0, value_parser = seconds)]
    warmup_seconds: f64,
    /// How long one reply may take
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    timeout_seconds: f64,
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// A header for every request; may be given several times
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Write the body of each reply as a line, in the order of requests, those of the warm-up included
    #[arg(long, value_name = "FILE")]
    collect: Option<PathBuf>,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().map_err(|error| error.to_string())?;
    (0.0..=3_600.0).contains(&seconds).then_some(seconds).ok_or_else(|| "give 0 to 3600".to_owned())
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<Value, String> {
    let target = Target::new(arguments.address, &arguments.path, &arguments.header)?;
    let outcome = run(target, Bodies::read(&arguments.bodies)?, &settings(arguments))?;
    if let (Some(path), Some(replies)) = (&arguments.collect, outcome.replies) {
        std::fs::write(path, replies).map_err(|error| format!("replies `{}`: {error}", path.display()))?;
    }
    Ok(outcome.report)
}

fn settings(arguments: &Arguments) -> Settings {
    Settings {
        pace: arguments.rate.map_or(Pace::Saturate, Pace::Rate),
        connections: arguments.connections,
        warmup: Duration::from_secs_f64(arguments.warmup_seconds),
        duration: Duration::from_secs_f64(arguments.seconds),
        timeout: Duration::from_secs_f64(arguments.timeout_seconds),
        repeat: arguments.repeat,
        collect: arguments.collect.is_some(),
    }
}
