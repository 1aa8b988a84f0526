//! The command line.

use crate::newcomer::NewArguments;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Train, check, serve and monitor prediction services written in SQL and TOML
#[derive(Debug, Parser)]
#[command(name = "septet", version, max_term_width = 100)]
pub struct Arguments {
    /// Folder that holds everything a run writes [default: ./septet-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// Folder of domains that override the built-in ones or add to them
    #[arg(long, global = true, value_name = "DIR")]
    pub domains: Option<PathBuf>,
    /// Print for programs: JSON on standard output, nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a domain's folder from any table: contract, layout, features and a first case
    New(NewArguments),
    /// Read a domain (or all) and check everything it says; runs nothing. With --source: what a run would refuse in it
    Check {
        domain: Option<String>,
        /// Rows to try, as `run` takes them: they are read and not kept; exit code 1 if a run would stop
        #[arg(long, value_name = "[INPUT=]URL", requires = "domain", requires = "layout")]
        source: Vec<String>,
        /// Name of a layout, or the path of a SELECT of your own ending in .sql
        #[arg(long, value_name = "NAME", requires = "source")]
        layout: Option<String>,
    },
    /// Run the pipeline: extract, transform, load, train, validate, health
    Run(RunArguments),
    /// Run one step of a run, as a scheduler does
    Step {
        #[command(flatten)]
        run: RunArguments,
        #[arg(value_enum)]
        step: Step,
        /// Name of the run; its extract step begins it
        #[arg(long = "run", value_name = "ID")]
        run_id: String,
        /// Of step load: the tables come into force now, beside the champion and without a training
        #[arg(long)]
        refresh: bool,
    },
    /// Answer over HTTP: every domain named (or all with a champion) on its port, and all behind the hub
    Serve {
        #[arg(value_name = "DOMAIN")]
        names: Vec<String>,
    },
    /// The main job: run the pipeline of every domain without a champion, then serve them all
    Up {
        #[arg(value_name = "DOMAIN")]
        names: Vec<String>,
        /// The demo source in small: a quick look
        #[arg(long)]
        small: bool,
    },
    /// Make a logged answer again and say whether it is equal to the bit; exit code 1 if not
    Replay { domain: String, request_id: String },
    /// Look at what was observed: quality, drift, performance on labels that are known, watched numbers, alerts
    Monitor(MonitorArguments),
    /// Alerts: list, acknowledge, resolve
    Alerts {
        domain: Option<String>,
        /// Resolved ones too
        #[arg(long)]
        all: bool,
        /// Say that you look after it
        #[arg(long, value_name = "ALERT", requires = "domain", conflicts_with = "resolve")]
        acknowledge: Option<String>,
        /// Close it; the same episode does not open again
        #[arg(long, value_name = "ALERT", requires = "domain")]
        resolve: Option<String>,
        /// Who does it [default: the name you are logged in under]
        #[arg(long)]
        by: Option<String>,
        #[arg(long, default_value = "")]
        note: String,
        /// What was sent by which channel, and what could not be
        #[arg(long)]
        deliveries: bool,
    },
    /// The production grade: run what it grades and say what each line rests on; exit code 1 below --min-grade
    Grade {
        domain: Option<String>,
        /// A+, A, A-, B+ ... F
        #[arg(long, value_name = "GRADE")]
        min_grade: Option<String>,
        /// Break the thing that a line grades (`all`: every one), to see that the line notices
        #[arg(long, value_name = "LINE")]
        sabotage: Option<String>,
        /// Where the result is written for programs
        #[arg(long, value_name = "FILE", default_value = "production_validation.json")]
        out: PathBuf,
    },
    /// The former name of `grade`
    #[command(hide = true)]
    Validate {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        words: Vec<String>,
    },
    /// Break the newest days of a demo, to see the monitoring find it; and mend them
    Demo {
        #[command(subcommand)]
        act: DemoAct,
    },
    /// Compare two files column by column, by Evidently's default tests
    Drift { reference: PathBuf, current: PathBuf },
    /// Versions of a domain's model, with what they reached; or change which one answers
    Models {
        domain: String,
        #[arg(value_enum, requires = "why")]
        action: Option<Action>,
        version: Option<String>,
        /// Why; kept with your name
        #[arg(long, value_name = "REASON")]
        why: Option<String>,
        /// Who does it [default: the name you are logged in under]
        #[arg(long)]
        by: Option<String>,
        /// Although gates of the version have failed
        #[arg(long)]
        anyway: bool,
    },
    /// Domains that can be run
    Domains,
    /// Query a domain's published tables, its `decisions` and `outcomes`, or any file: septet sql [DOMAIN] QUERY
    Sql {
        /// The tables of this run instead of those in force, also where it failed
        #[arg(long = "run", value_name = "ID")]
        run_id: Option<String>,
        #[arg(value_names = ["DOMAIN", "QUERY"], num_args = 1..=2, required = true)]
        words: Vec<String>,
        #[arg(long, value_enum, default_value_t = Output::Table)]
        format: Output,
    },
    /// Look whether this machine has what is needed; exit code 1 if not
    Doctor,
    /// Every setting with its value and where it came from
    Settings,
    /// Reference pages, generated
    Reference {
        #[arg(value_enum)]
        page: Page,
    },
    /// Completions for a shell, on standard output
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// One part of a run alone, timed, for comparisons with other tools
    Bench {
        #[arg(value_enum)]
        part: Part,
        #[command(flatten)]
        run: RunArguments,
        /// File (windows) or folder (train) to write the result to
        #[arg(long, value_name = "PATH")]
        out: PathBuf,
    },
}

#[derive(Args, Debug)]
pub struct MonitorArguments {
    pub domain: String,
    /// How far back, such as 2018-09-05 [default: as the domain says]
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Look as if nothing after this had come; alerts are left as they are
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Take what came before this for usual; alerts are left as they are
    #[arg(long, value_name = "TIME")]
    pub reference_until: Option<String>,
    /// Write the page for people
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub struct RunArguments {
    pub domain: String,
    /// Path, glob or URL of the rows; INPUT=... if the domain has several inputs. Without it: the demo source
    #[arg(long, value_name = "[INPUT=]URL")]
    pub source: Vec<String>,
    /// Name of a layout, or the path of a SELECT of your own ending in .sql
    #[arg(long, value_name = "NAME")]
    pub layout: Option<String>,
    /// The rows may shrink, be older or lack columns beside those in force
    #[arg(long)]
    pub accept: bool,
    /// Start a new run even if an equal one is unfinished
    #[arg(long)]
    pub fresh: bool,
    /// The demo source in small: a quick look
    #[arg(long)]
    pub small: bool,
    /// Do not look at what was observed when the run is over
    #[arg(long)]
    pub no_monitor: bool,
}

#[derive(Subcommand, Debug)]
pub enum DemoAct {
    /// Change the newest days of the simulated rows in force, beside the champion that answers
    Break {
        domain: String,
        #[arg(long, value_enum, default_value_t = How::Amounts)]
        how: How,
    },
    /// Put the rows in force as they were
    Mend { domain: String },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum How {
    /// The number that tells the model most, a third larger
    Amounts,
    /// A third of the names of the entity that tells the model most, renamed
    Renamed,
    /// Three times as many positives in the newest days whose labels are known
    Labels,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Action {
    /// The version answers from now on
    Promote,
    /// The champion before this one answers again
    Rollback,
    /// The version answers and stays champion: runs promote nothing
    Pin,
    Unpin,
    /// The version's folder and record are removed
    Delete,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Step {
    Extract,
    Transform,
    Load,
    Train,
    Validate,
    Health,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Csv,
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Page {
    Domain,
    Kinds,
    Sql,
    Settings,
    Problems,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Part {
    Windows,
    Train,
}
