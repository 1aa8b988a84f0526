//! Looks whether the machine has what is needed, and says how to mend what it has not.

use crate::settings::Settings;
use crate::show;
use septet_platform::{Home, Store};
use serde::Serialize;
use std::process::{Command, ExitCode};
use sysinfo::{Disks, System};

/// A run of a million rows needs about this much.
const DISK_FREE_MIN: u64 = 2_000_000_000;
const MEMORY_FREE_MIN: u64 = 2_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

#[derive(Serialize)]
struct Finding {
    what: &'static str,
    verdict: Verdict,
    found: String,
    fix: String,
}

fn finding(what: &'static str, verdict: Verdict, found: impl Into<String>, fix: &str) -> Finding {
    let fix = if verdict == Verdict::Ok { String::new() } else { fix.to_owned() };
    Finding { what, verdict, found: found.into(), fix }
}

pub async fn doctor(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let findings = vec![
        home(settings),
        store(settings).await,
        disk(settings),
        memory(settings),
        cores(settings),
        tool("rustc", "--version", "only for building from source: https://rustup.rs"),
        tool("c++", "--version", "only for building from source: install g++ or clang"),
    ];
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    if json {
        println!("{}", serde_json::to_string(&findings)?);
    } else {
        let mut table = show::table(&["", "what", "found", "what to do"]);
        for finding in &findings {
            let mark = serde_json::to_value(finding.verdict)?;
            table.add_row(vec![mark.as_str().unwrap_or_default(), finding.what, &finding.found, &finding.fix]);
        }
        println!("{table}");
    }
    Ok(if failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn home(settings: &Settings) -> Finding {
    let path = &settings.home;
    let probe = path.join(".doctor");
    let written = Home::open(path)
        .map_err(|error| error.to_string())
        .and_then(|_| std::fs::write(&probe, "x").map_err(|error| error.to_string()));
    let _ = std::fs::remove_file(&probe);
    match written {
        Ok(()) => finding("home folder", Verdict::Ok, format!("{} can be written", path.display()), ""),
        Err(error) => finding("home folder", Verdict::Fail, error, "choose another with --home DIR"),
    }
}

async fn store(settings: &Settings) -> Finding {
    let opened = match Home::open(&settings.home) {
        Ok(home) => Store::open(&home.store_file(), settings.database_url.as_deref()).await,
        Err(error) => Err(error),
    };
    let kind = if settings.database_url.as_deref().is_some() { "PostgreSQL" } else { "SQLite" };
    match opened {
        Ok(_) => finding("registry", Verdict::Ok, format!("{kind} answers"), ""),
        Err(error) => finding(
            "registry",
            Verdict::Fail,
            error.to_string(),
            "check database_url (septet settings) and that the server runs",
        ),
    }
}

fn disk(settings: &Settings) -> Finding {
    let path = settings.home.canonicalize().unwrap_or_else(|_| settings.home.clone());
    let Ok(disks) = Disks::new_with_refreshed_list() else {
        return finding("disk", Verdict::Warn, "cannot tell", "look with df -h");
    };
    let own = disks
        .iter()
        .filter(|disk| path.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().as_os_str().len());
    let Some(free) = own.map(|disk| disk.available_space()) else {
        return finding("disk", Verdict::Warn, "cannot tell", "look with df -h");
    };
    let verdict = if free < DISK_FREE_MIN { Verdict::Warn } else { Verdict::Ok };
    finding(
        "disk",
        verdict,
        format!("{:.1} GB free", free as f64 / 1e9),
        "a run of a million rows takes up to 2 GB: free some, or choose another --home",
    )
}

fn memory(settings: &Settings) -> Finding {
    let Ok(mut system) = System::new() else {
        return finding("memory", Verdict::Warn, "cannot tell", "look with free -h");
    };
    system.refresh_memory();
    let free = system.available_memory();
    let found = format!("{:.1} GB free, memory_max = {}", free as f64 / 1e9, settings.value("memory_max").text);
    match settings.memory_max as u64 > free || free < MEMORY_FREE_MIN {
        true => finding("memory", Verdict::Warn, found, "lower memory_max, or close other programs"),
        false => finding("memory", Verdict::Ok, found, ""),
    }
}

fn cores(settings: &Settings) -> Finding {
    finding("threads", Verdict::Ok, format!("{} for training", settings.threads), "")
}

fn tool(name: &'static str, flag: &str, fix: &str) -> Finding {
    match Command::new(name).arg(flag).output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout);
            finding(name, Verdict::Ok, text.lines().next().unwrap_or_default(), "")
        }
        _ => finding(name, Verdict::Warn, "not found", fix),
    }
}
