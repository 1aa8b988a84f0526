//! The folder that holds everything a run writes, and how its parts become visible: whole or not at all.
//!
//! ```text
//! store.sqlite                    runs, steps, versions, aliases (unless DATABASE_URL names PostgreSQL)
//! decisions/DOMAIN.sqlite         every answer given, with what it was made from (likewise)
//! demo/                           simulated sources
//! runs/DOMAIN/RUN/tables/         what a run made, Parquet
//! published/DOMAIN.json           which run's tables are the published ones: swapped by one rename
//! models/DOMAIN/VERSION/          versions; a folder appears by one rename
//! lock/DOMAIN                     held by the run at work
//! ```

use crate::error::PlatformError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub struct Home {
    root: PathBuf,
}

/// The tables that readers see.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Published {
    pub run_id: String,
    /// Table name to its fingerprint.
    pub tables: BTreeMap<String, String>,
    /// The champion moves with them.
    #[serde(default)]
    pub together: Option<Together>,
}

/// A champion that moves in one step with the tables. The alias lies in the store and the tables here: whoever reads both between
/// the two writes waits for the second.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Together {
    pub from: Option<String>,
    pub to: String,
    /// Microseconds. A step that has not ended long after was interrupted.
    pub at: i64,
}

/// Two writes of one step lie milliseconds apart.
const STEP_MICROS_MAX: i64 = 5_000_000;

impl Published {
    /// Whether the tables are already these, and the champion is still the one before.
    pub fn is_between(&self, champion: Option<&str>, now: i64) -> bool {
        self.together.as_ref().is_some_and(|together| {
            champion == together.from.as_deref()
                && champion != Some(&together.to)
                && now - together.at < STEP_MICROS_MAX
        })
    }
}

/// Held while it lives; given back when the process ends, however it ends.
pub struct Lock {
    _file: File,
}

impl Home {
    pub fn open(root: &Path) -> Result<Home, PlatformError> {
        fs::create_dir_all(root).map_err(|error| PlatformError::io(root, error))?;
        Ok(Home { root: root.to_owned() })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn store_file(&self) -> PathBuf {
        self.root.join("store.sqlite")
    }

    /// The decision log of a domain (unless DATABASE_URL names PostgreSQL).
    pub fn decisions_file(&self, domain: &str) -> PathBuf {
        self.root.join("decisions").join(format!("{domain}.sqlite"))
    }

    pub fn spill_folder(&self) -> PathBuf {
        self.root.join("spill")
    }

    pub fn demo_file(&self, name: &str) -> PathBuf {
        self.root.join("demo").join(name)
    }

    pub fn run_folder(&self, domain: &str, run_id: &str) -> PathBuf {
        self.root.join("runs").join(domain).join(run_id)
    }

    pub fn tables_folder(&self, domain: &str, run_id: &str) -> PathBuf {
        self.run_folder(domain, run_id).join("tables")
    }

    pub fn models_folder(&self, domain: &str) -> PathBuf {
        self.root.join("models").join(domain)
    }

    pub fn version_folder(&self, domain: &str, version: &str) -> PathBuf {
        self.models_folder(domain).join(version)
    }

    /// Takes the domain's lock, or says that another process has it.
    pub fn lock(&self, domain: &str) -> Result<Lock, PlatformError> {
        let path = self.root.join("lock").join(domain);
        make_folder(path.parent().unwrap_or(&self.root))?;
        let file = File::create(&path).map_err(|error| PlatformError::io(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(fs::TryLockError::WouldBlock) => Err(PlatformError::Locked(domain.to_owned())),
            Err(fs::TryLockError::Error(error)) => Err(PlatformError::io(&path, error)),
        }
    }

    pub fn published(&self, domain: &str) -> Result<Option<Published>, PlatformError> {
        let path = self.published_file(domain);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| PlatformError::io(&path, error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PlatformError::io(&path, error)),
        }
    }

    /// Makes a run's tables the published ones, in one step.
    pub fn publish(&self, domain: &str, published: &Published) -> Result<(), PlatformError> {
        let bytes = serde_json::to_vec_pretty(published).map_err(|error| PlatformError::io(&self.root, error))?;
        write_whole(&self.published_file(domain), &bytes)
    }

    /// Where a run's rows lie, as far as it came: its tables, or what its extract had when it failed.
    pub fn rows_of_run(&self, domain: &str, run_id: &str) -> Result<PathBuf, PlatformError> {
        let safe = !run_id.is_empty() && !run_id.contains(['/', '\\']) && !run_id.starts_with('.');
        let folders = [self.tables_folder(domain, run_id), self.partial_tables_folder(domain, run_id)];
        folders.into_iter().find(|folder| safe && folder.is_dir()).ok_or_else(|| {
            let runs = std::fs::read_dir(self.root.join("runs").join(domain)).into_iter().flatten().flatten();
            let mut known: Vec<String> = runs.map(|run| run.file_name().to_string_lossy().into_owned()).collect();
            known.sort();
            let what = format!("no rows are kept of run `{run_id}` of `{domain}`");
            PlatformError::usage(what, format!("kept are {}", known.join(", ")))
        })
    }

    /// Where an extract writes until it has ended.
    pub fn partial_tables_folder(&self, domain: &str, run_id: &str) -> PathBuf {
        self.run_folder(domain, run_id).join("tables.partial")
    }

    /// Which run's tables are published.
    pub fn published_file(&self, domain: &str) -> PathBuf {
        self.root.join("published").join(format!("{domain}.json"))
    }

    /// Removes the folders of all but the `keep` runs that were at work last and the published one.
    pub fn forget_runs(&self, domain: &str, keep: usize) -> Result<(), PlatformError> {
        let folder = self.root.join("runs").join(domain);
        let published = self.published(domain)?.map(|published| published.run_id);
        let Ok(entries) = fs::read_dir(&folder) else { return Ok(()) };
        let changed = |entry: &fs::DirEntry| entry.metadata().and_then(|facts| facts.modified()).ok();
        let mut runs: Vec<_> = entries
            .flatten()
            .map(|entry| (changed(&entry), entry.file_name().to_string_lossy().into_owned()))
            .collect();
        runs.sort();
        let old = runs.len().saturating_sub(keep);
        for run in runs.drain(..old).map(|(_, run)| run).filter(|run| Some(run) != published.as_ref()) {
            fs::remove_dir_all(folder.join(&run)).map_err(|error| PlatformError::io(folder.join(&run), error))?;
        }
        Ok(())
    }
}

pub fn make_folder(path: &Path) -> Result<(), PlatformError> {
    fs::create_dir_all(path).map_err(|error| PlatformError::io(path, error))
}

/// Writes a file so that a reader or a crash sees the old bytes or the new ones, never a part.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), PlatformError> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    let partial = path.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))
    };
    write().map_err(|error| PlatformError::io(path, error))
}

/// Puts a finished folder under its name in one step; a folder that is already there is the same and stays.
pub fn appear(partial: &Path, path: &Path) -> Result<(), PlatformError> {
    if path.exists() {
        return fs::remove_dir_all(partial).map_err(|error| PlatformError::io(partial, error));
    }
    fs::rename(partial, path).map_err(|error| PlatformError::io(path, error))?;
    sync_folder(path.parent().unwrap_or(Path::new("."))).map_err(|error| PlatformError::io(path, error))
}

/// A rename is on disk only when its folder is.
pub fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}
