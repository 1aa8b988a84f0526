//! A place to run the program in, and what tests ask of its answers.

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

pub struct Machine {
    pub folder: TempDir,
    /// More environment for every command.
    pub environment: BTreeMap<String, String>,
}

impl Machine {
    pub fn new() -> Machine {
        Machine { folder: tempfile::tempdir().expect("a temporary folder"), environment: BTreeMap::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// The command, not yet started. Nothing of the developer's own settings reaches it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_septet"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SEPTET_") || name == "DATABASE_URL") {
            command.env_remove(name);
        }
        // Tests run beside each other: one thread each.
        command.current_dir(self.folder.path()).env("SEPTET_HOME", self.home()).env("SEPTET_THREADS", "1");
        command.envs(&self.environment).args(words);
        command
    }

    pub fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("the program starts")
    }

    /// Standard output of a command that must succeed.
    pub fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert!(output.status.success(), "septet {words:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The last line of standard output as JSON.
    pub fn json(&self, words: &[&str]) -> Value {
        let text = self.ok(words);
        let line = text.trim().lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"))
    }

    /// The report of a run whose version may fail its gates, in a home without an earlier champion: the exit code says whether
    /// anything answers.
    pub fn judged(&self, words: &[&str]) -> Value {
        let output = self.run(words);
        let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let line = text.trim().lines().last().unwrap_or_default();
        let report: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why} in {line}; {error}"));
        assert_eq!(output.status.success(), report["promoted"] == true, "{error}");
        assert_eq!(error.contains("Nothing answers for `"), report["promoted"] != true, "{error}");
        report
    }

    /// Standard error of a command that must fail, without a panic.
    pub fn error(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success(),
            "septet {words:?} should have failed:\n{}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(!text.contains("panicked"), "{text}");
        text
    }

    /// One number answered by `septet sql`.
    pub fn number(&self, words: &[&str]) -> f64 {
        let row = self.json(&[&["sql", "--json"], words].concat());
        row.as_object().and_then(|row| row.values().next()).and_then(Value::as_f64).expect("one number")
    }
}

/// Bytes of every file below a folder, by path.
pub fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(at) = waiting.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").display().to_string();
                files.insert(name, std::fs::read(&path).expect("a readable file"));
            }
        }
    }
    files
}

/// The folder of real data, or a message that it is skipped.
pub fn real_data() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("SEPTET_DATA").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: real data not found");
    None
}

/// A copy of a built-in domain in `domains/NAME`, with texts replaced in its files; the folder to give as --domains.
pub fn copied_domain(machine: &Machine, from: &str, name: &str, changes: &[(&str, &str, &str)]) -> PathBuf {
    copied_folder(machine, "domains", from, name, changes)
}

/// The same of a domain in any folder of the repository.
pub fn copied_folder(machine: &Machine, root: &str, from: &str, name: &str, changes: &[(&str, &str, &str)]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(root).join(from);
    let mut files: BTreeMap<String, String> =
        tree(&source).into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).expect("text"))).collect();
    let toml = files.get_mut("domain.toml").expect("a domain");
    *toml = toml.replacen(&format!("name = \"{from}\""), &format!("name = \"{name}\""), 1);
    for (file, old, new) in changes {
        let text = files.entry((*file).to_owned()).or_default();
        assert!(text.contains(old), "`{old}` is not in {file}");
        *text = text.replacen(old, new, 1);
    }
    for (path, text) in files {
        machine.write(&format!("domains/{name}/{path}"), text);
    }
    machine.path("domains")
}
