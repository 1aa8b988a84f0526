//! Finds domains: those in the binary, and those in a folder that overrides them or adds more.

use crate::check::check;
use crate::domain::{Domain, Origin};
use crate::problem::{Place, Problem, Problems, did_you_mean, from_toml};
use crate::spec::DomainSpec;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// A folder with a domain in it is no larger: the built-in ones are below 100 kB.
const FILE_BYTES_MAX: u64 = 4 << 20;

impl Domain {
    /// A definition that is kept in a folder, as a version keeps it.
    pub fn kept_in(folder: &Path, name: &str) -> Result<Domain, Problems> {
        let mut files = BTreeMap::new();
        read_folder(folder, folder, &mut files)?;
        Domain::from_files(name, Origin::Folder(folder.to_owned()), files)
    }

    fn from_files(name: &str, origin: Origin, files: BTreeMap<String, String>) -> Result<Domain, Problems> {
        let file = match &origin {
            Origin::Builtin => format!("domains/{name}/domain.toml"),
            Origin::Folder(folder) => folder.join("domain.toml").display().to_string(),
        };
        let Some(text) = files.get("domain.toml") else {
            let message = "a domain's folder has a file domain.toml; this one has none".to_owned();
            return Err(Problems(vec![Problem { place: Place::start_of(&file), message, hint: None }]));
        };
        let spec: DomainSpec = toml::from_str(text).map_err(|error| Problems(vec![from_toml(&file, text, &error)]))?;
        let domain = Domain { spec, origin, files };
        let problems = check(&domain, name);
        if problems.is_empty() { Ok(domain) } else { Err(Problems(problems)) }
    }
}

/// All domains that can be named: each is read when asked for, so that one with an error hinders no other.
#[derive(Clone, Debug, Default)]
pub struct Domains {
    folders: BTreeMap<String, PathBuf>,
}

impl Domains {
    /// The built-in ones, and with `extra` every folder below it that has a `domain.toml`.
    pub fn find(extra: Option<&Path>) -> Result<Domains, Problems> {
        let mut folders = BTreeMap::new();
        let Some(extra) = extra else { return Ok(Domains { folders }) };
        for entry in std::fs::read_dir(extra).map_err(|error| unreadable(extra, &error))?.flatten() {
            if entry.path().join("domain.toml").is_file() {
                folders.insert(entry.file_name().to_string_lossy().into_owned(), entry.path());
            }
        }
        if folders.is_empty() {
            let message = "no folder below it has a domain.toml".to_owned();
            let hint = Some("name the folder that holds the domains' folders".to_owned());
            return Err(Problems(vec![Problem {
                place: Place::start_of(&extra.display().to_string()),
                message,
                hint,
            }]));
        }
        Ok(Domains { folders })
    }

    /// Those of one more folder that bear no name that is known already; none where there is no such folder.
    pub fn with_more(mut self, folder: &Path) -> Domains {
        let known = self.names();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !known.contains(&name) && entry.path().join("domain.toml").is_file() {
                self.folders.insert(name, entry.path());
            }
        }
        self
    }

    /// Names in order.
    pub fn names(&self) -> Vec<String> {
        let builtin = BUILTIN_FILES.iter().filter_map(|(path, _)| path.strip_suffix("/domain.toml").map(str::to_owned));
        let mut names: Vec<String> = builtin.chain(self.folders.keys().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Another domain that would listen where this one does.
    pub fn same_port(&self, domain: &Domain) -> Option<Problem> {
        let others = self.names().into_iter().filter(|name| name != domain.name());
        let other =
            others.filter_map(|name| self.load(&name).ok()).find(|other| other.spec.port == domain.spec.port)?;
        let text = domain.files.get("domain.toml").map_or("", String::as_str);
        let place = domain.place("domain.toml", text.find("\nport").map_or(0, |at| at + 1));
        let message = format!("port {} is `{}`'s too", domain.spec.port, other.name());
        Some(Problem { place, message, hint: Some("each domain answers on a port of its own".to_owned()) })
    }

    pub fn load(&self, name: &str) -> Result<Domain, Problems> {
        if let Some(folder) = self.folders.get(name) {
            let mut files = BTreeMap::new();
            read_folder(folder, folder, &mut files)?;
            return Domain::from_files(name, Origin::Folder(folder.clone()), files);
        }
        let prefix = format!("{name}/");
        let own = |(path, text): &(&str, &str)| Some((path.strip_prefix(&prefix)?.to_owned(), (*text).to_owned()));
        let files: BTreeMap<String, String> = BUILTIN_FILES.iter().filter_map(own).collect();
        if files.is_empty() {
            let names = self.names();
            let message = format!("there is no domain `{name}`; there are {}", names.join(", "));
            let hint = did_you_mean(name, names.iter().map(String::as_str));
            return Err(Problems(vec![Problem { place: Place::start_of(name), message, hint }]));
        }
        Domain::from_files(name, Origin::Builtin, files)
    }
}

fn read_folder(root: &Path, folder: &Path, files: &mut BTreeMap<String, String>) -> Result<(), Problems> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| unreadable(folder, &error))?;
    entries.sort();
    for path in entries {
        let wanted = ["toml", "sql", "md", "json"].iter().any(|ending| path.extension().is_some_and(|e| e == *ending));
        if path.is_dir() {
            read_folder(root, &path, files)?;
        } else if wanted && path.metadata().is_ok_and(|facts| facts.len() <= FILE_BYTES_MAX) {
            let text = std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
            let name = path.strip_prefix(root).expect("found below it").to_string_lossy().replace('\\', "/");
            files.insert(name, text);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problems {
    let place = Place::start_of(&path.display().to_string());
    Problems(vec![Problem { place, message: format!("cannot be read: {error}"), hint: None }])
}
