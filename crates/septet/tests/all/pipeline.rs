//! A run from source to champion, what it leaves, and what can be asked of it.

use crate::machine::{Machine, tree};
use serde_json::Value;

#[test]
fn a_run_ends_with_one_object_that_says_everything() {
    let machine = Machine::new();
    let report = machine.json(&["run", "fraud", "--small", "--json"]);
    let names: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["extract", "transform", "load", "train", "validate", "health"]);
    for step in report["steps"].as_array().unwrap() {
        for key in ["rows_in", "rows_out", "quarantined", "seconds", "peak_mb"] {
            assert!(step[key].is_number(), "{key} of {step}");
        }
    }
    for metric in ["average_precision", "roc_auc", "card_precision_at_100"] {
        let metric = &report["metrics"][metric];
        let value = |key: &str| metric[key].as_f64().unwrap();
        assert!(value("low") <= value("value") && value("value") <= value("high"), "{metric}");
        assert!(metric["baseline"].is_number());
    }
    let gates: Vec<&str> =
        report["gates"].as_array().unwrap().iter().map(|gate| gate["name"].as_str().unwrap()).collect();
    for gate in ["beats_linear", "beats_prior", "batch_equals_online", "no_look_ahead", "calibration", "model_size"] {
        assert!(gates.contains(&gate), "{gates:?}");
    }
    assert!(report["promoted"].is_boolean() && report["run_id"].is_string() && report["version"].is_string());
}

#[test]
fn parity_and_no_look_ahead_hold_on_the_demo() {
    let machine = Machine::new();
    let report = machine.json(&["run", "fraud", "--small", "--json"]);
    for gate in report["gates"].as_array().unwrap() {
        if ["batch_equals_online", "no_look_ahead"].contains(&gate["name"].as_str().unwrap()) {
            assert_eq!(gate["passed"], true, "{gate}");
        }
    }
}

#[test]
fn two_runs_with_one_seed_give_the_same_bytes_on_any_number_of_threads() {
    let (one, mut two) = (Machine::new(), Machine::new());
    two.environment.insert("SEPTET_THREADS".into(), "3".into());
    for machine in [&one, &two] {
        machine.ok(&["run", "fraud", "--small", "--json"]);
    }
    assert_eq!(tree(&one.home().join("models")), tree(&two.home().join("models")));
    let tables = |machine: &Machine| -> Vec<Vec<u8>> {
        tree(&machine.home().join("runs"))
            .into_iter()
            .filter(|(path, _)| path.ends_with(".parquet"))
            .map(|(_, bytes)| bytes)
            .collect()
    };
    assert_eq!(tables(&one), tables(&two));
}

#[test]
fn repeating_a_step_changes_nothing() {
    let machine = Machine::new();
    let steps = ["extract", "transform", "load", "train", "validate", "health"];
    let mut fingerprints = Vec::new();
    for step in steps {
        fingerprints
            .push(machine.json(&["step", "fraud", step, "--run", "r1", "--small", "--json"])["fingerprint"].clone());
    }
    let (models, published) = (tree(&machine.home().join("models")), tree(&machine.home().join("published")));
    for (step, fingerprint) in steps.iter().zip(fingerprints) {
        let again = machine.json(&["step", "fraud", step, "--run", "r1", "--small", "--json"]);
        assert_eq!(again["fingerprint"], fingerprint, "{step}");
    }
    assert_eq!(tree(&machine.home().join("models")), models);
    assert_eq!(tree(&machine.home().join("published")), published);
}

#[test]
fn a_step_before_its_turn_says_which_comes_first() {
    let machine = Machine::new();
    let error = machine.error(&["step", "fraud", "train", "--run", "r1", "--small"]);
    assert!(error.contains("its first step is extract"), "{error}");
    machine.ok(&["step", "fraud", "extract", "--run", "r1", "--small"]);
    let error = machine.error(&["step", "fraud", "load", "--run", "r1", "--small"]);
    assert!(error.contains("septet step fraud transform --run r1"), "{error}");
    let error = machine.error(&["step", "fraud", "extract", "--run", "../x", "--small"]);
    assert!(error.contains("cannot name a run"), "{error}");
}

#[test]
fn published_tables_versions_and_settings_can_be_asked_for() {
    let machine = Machine::new();
    let version = machine.json(&["run", "fraud", "--small", "--json"])["version"].clone();
    let rows = machine.number(&["fraud", "SELECT count(*) AS n FROM payments"]);
    assert!(rows > 30_000.0);
    assert!(
        machine.ok(&["sql", "fraud", "SELECT count(*) AS n FROM quarantine", "--format", "csv"]).starts_with("n\n")
    );
    let models = machine.json(&["models", "fraud", "--json"]);
    assert_eq!(models["versions"][0]["version"], version);
    assert!(machine.ok(&["models", "fraud"]).contains(version.as_str().unwrap()));
    machine.write("people.csv", "name,age\nAda,36\nAlan,41\n");
    assert_eq!(machine.number(&["SELECT sum(age) AS s FROM 'people.csv'"]), 77.0);
    let settings = machine.json(&["settings", "--json"]);
    assert_eq!(settings["threads"]["from"], "SEPTET_THREADS");
    assert_eq!(settings["memory_max"], serde_json::json!({ "value": "2GB", "from": "default" }));
    assert!(machine.ok(&["completions", "bash"]).contains("septet"));
}

#[test]
fn the_papers_of_a_version_stand_by_themselves() {
    let machine = Machine::new();
    let report = machine.json(&["run", "fraud", "--small", "--json"]);
    let page = std::fs::read_to_string(machine.path(report["report"].as_str().unwrap())).unwrap();
    for word in ["simulated", "average_precision", "linear", "<svg"] {
        assert!(page.contains(word), "the report lacks {word}");
    }
    for outside in ["src=\"http", "href=\"http", "<script src"] {
        assert!(!page.contains(outside), "the report reaches outside by {outside}");
    }
    let folder = machine.home().join("models/fraud").join(report["version"].as_str().unwrap());
    let card = std::fs::read_to_string(folder.join("card.md")).unwrap();
    assert!(card.contains("simulated") && card.contains("beats_linear"));
    let manifest: Value = serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    for key in
        ["definition", "data_fingerprint", "seed", "code_version", "features", "calibrator", "folds", "importances"]
    {
        assert!(!manifest[key].is_null(), "{key}");
    }
}

#[test]
fn settings_come_from_flag_environment_file_and_default_in_this_order() {
    let mut machine = Machine::new();
    machine.write("septet.toml", "memory_max = \"300MB\"\nlog = \"error\"\n");
    machine.write(".env", "SEPTET_MEMORY_MAX=400MB\n");
    assert_eq!(machine.json(&["settings", "--json"])["log"]["from"], "septet.toml");
    assert_eq!(machine.json(&["settings", "--json"])["memory_max"]["value"], "400MB");
    machine.environment.insert("SEPTET_MEMORY_MAX".into(), "500MB".into());
    assert_eq!(machine.json(&["settings", "--json"])["memory_max"]["value"], "500MB");
    assert_eq!(machine.json(&["settings", "--home", "elsewhere", "--json"])["home"]["from"], "--home");
    machine.environment.insert("SEPTET_DATABASE_URL".into(), "postgres://me:geheim@localhost/x".into());
    assert!(!machine.ok(&["settings"]).contains("geheim"));
    machine.write("septet.toml", "memory = \"300MB\"\n");
    assert!(machine.error(&["settings"]).contains("`memory` is not a setting; did you mean `memory_max`?"));
}

#[test]
fn the_doctor_says_what_is_wrong_and_how_to_mend_it() {
    let mut machine = Machine::new();
    let findings = machine.json(&["doctor", "--json"]);
    assert!(findings.as_array().unwrap().iter().all(|finding| finding["verdict"] != "fail"), "{findings}");
    machine.environment.insert("SEPTET_DATABASE_URL".into(), "postgres://nobody@127.0.0.1:9/none".into());
    let output = machine.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("check database_url"));
}

#[test]
fn settings_are_refused_by_name_at_start_and_misspelt_variables_are_told() {
    let mut machine = Machine::new();
    machine.environment.insert("SEPTET_MEMORY_MAXX".into(), "1GB".into());
    let output = machine.run(&["domains"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("did you mean `SEPTET_MEMORY_MAX`?"), "{told}");
    for (name, value) in [("SEPTET_MEMORY_MAX", "lots"), ("SEPTET_HUB_PORT", "eighty"), ("SEPTET_DRAIN", "-")] {
        machine.environment = [(name.into(), value.into())].into();
        let error = machine.error(&["domains"]);
        assert!(error.contains(&format!("(from {name})")), "{error}");
    }
    machine.environment.clear();
    assert!(machine.error(&["validate", "fraud"]).contains("`septet grade`"));
}

#[test]
fn the_registry_can_live_in_postgres() {
    let Ok(url) = std::env::var("SEPTET_TEST_POSTGRES") else {
        return eprintln!("skipped: PostgreSQL (SEPTET_TEST_POSTGRES is not set)");
    };
    let mut machine = Machine::new();
    machine.environment.insert("DATABASE_URL".into(), url);
    let version = machine.json(&["run", "fraud", "--small", "--json"])["version"].clone();
    assert!(!machine.home().join("store.sqlite").exists());
    let models = machine.json(&["models", "fraud", "--json"]);
    assert!(models["versions"].as_array().unwrap().iter().any(|known| known["version"] == version));
}

#[test]
fn a_second_run_of_the_same_domain_waits_for_nobody() {
    let machine = Machine::new();
    let mut first =
        machine.command(&["run", "fraud", "--small", "--json"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let lock = machine.home().join("lock/fraud");
    while !lock.exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let second = machine.run(&["run", "fraud", "--small", "--json"]);
    let done = first.try_wait().unwrap().is_some();
    first.wait().unwrap();
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(done || text.contains("another run of `fraud` is at work"), "{text}");
}

#[test]
fn generated_pages_are_current() {
    let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference");
    let machine = Machine::new();
    for page in ["settings", "sql", "problems"] {
        let current = machine.ok(&["reference", page]);
        let path = docs.join(format!("{page}.md"));
        if std::env::var_os("SEPTET_UPDATE").is_some() {
            std::fs::write(&path, &current).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == current, "docs/reference/{page}.md is stale: run SEPTET_UPDATE=1 make test");
    }
}
