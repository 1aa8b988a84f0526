//! `kill -9` at random moments of every step: readers never see a part, and the end is the same to the byte.

use crate::machine::{Machine, tree};
use std::process::Stdio;
use std::time::{Duration, Instant};

const KILLS: u32 = 20;
const STEPS: [&str; 6] = ["extract", "transform", "load", "train", "validate", "health"];

/// A reader's view: the published tables answer a query, or there are none; every version folder is whole.
fn assert_whole(machine: &Machine) {
    let output = machine.run(&["sql", "fraud", "SELECT count(*) AS n, sum(amount) AS s FROM payments", "--json"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() || text.contains("no tables in force yet"), "{text}");
    for version in std::fs::read_dir(machine.home().join("models/fraud")).into_iter().flatten().flatten() {
        let mut names: Vec<String> = std::fs::read_dir(version.path())
            .unwrap()
            .flatten()
            .map(|file| file.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "answers.parquet",
                "card.md",
                "charts.json",
                "domain",
                "encoder.json",
                "gates.json",
                "interval.json",
                "manifest.json",
                "model.txt",
                "profile.json",
                "report.html"
            ]
        );
    }
}

type Files = std::collections::BTreeMap<String, Vec<u8>>;

/// What must not depend on where a run was killed.
fn results(machine: &Machine) -> (Files, Vec<(String, Vec<u8>)>) {
    let tables = tree(&machine.home().join("runs")).into_iter().filter(|(path, _)| path.ends_with(".parquet"));
    let by_name = tables.map(|(path, bytes)| (path.rsplit('/').next().unwrap_or_default().to_owned(), bytes)).collect();
    (tree(&machine.home().join("models")), by_name)
}

#[test]
fn a_step_killed_anywhere_can_be_repeated_and_ends_the_same() {
    let words = |step: &'static str| ["step", "fraud", step, "--run", "r1", "--small", "--json"];
    let whole = Machine::new();
    let mut seconds = Vec::new();
    for step in STEPS {
        let start = Instant::now();
        whole.ok(&words(step));
        seconds.push(start.elapsed());
    }
    let killed = Machine::new();
    // The demo file is made once; its making is killed in the first rounds.
    for (step, duration) in STEPS.into_iter().zip(seconds) {
        for kill in 0..KILLS {
            let mut child = killed.command(&words(step)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Moments spread over the step, by a fixed irregular sequence.
            let share = f64::from(kill * 7 % KILLS) / f64::from(KILLS) + 0.02;
            std::thread::sleep(duration.mul_f64(share).max(Duration::from_millis(1)));
            let _ = child.kill();
            child.wait().unwrap();
            assert_whole(&killed);
        }
        killed.ok(&words(step));
    }
    assert_eq!(results(&killed), results(&whole));
}

#[test]
fn a_killed_run_goes_on_at_its_first_missing_step() {
    let machine = Machine::new();
    let reference = Machine::new();
    reference.ok(&["run", "fraud", "--small", "--json"]);
    let mut attempts = 0;
    let mut life = Duration::from_millis(30);
    loop {
        attempts += 1;
        assert!(attempts < 50, "the run never ends");
        let mut child = machine
            .command(&["run", "fraud", "--small", "--json"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Each attempt lives a little longer than the one before.
        std::thread::sleep(life);
        life = life.mul_f64(1.2);
        let ended = child.try_wait().unwrap();
        if let Some(status) = ended {
            assert!(status.success());
            break;
        }
        let _ = child.kill();
        child.wait().unwrap();
        assert_whole(&machine);
    }
    assert_eq!(results(&machine), results(&reference));
    let run_folders = std::fs::read_dir(machine.home().join("runs/fraud")).unwrap().count();
    assert_eq!(run_folders, 1, "a resumed run is the same run");
}
