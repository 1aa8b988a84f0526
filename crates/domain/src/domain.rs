//! A domain as it was read: its specification beside the text of its files.

use crate::problem::Place;
use crate::spec::DomainSpec;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What the name of a file with demo rows ends in.
pub(crate) const DEMO_ENDINGS: [&str; 2] = [".csv", ".csv.gz"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Builtin,
    Folder(PathBuf),
}

/// A checked domain: its typed specification and the text of its files.
#[derive(Clone, Debug)]
pub struct Domain {
    pub spec: DomainSpec,
    pub origin: Origin,
    /// Text by path below the folder, such as `tables/daily.sql`.
    pub files: BTreeMap<String, String>,
}

impl Domain {
    pub fn name(&self) -> &str {
        self.spec.name.get_ref()
    }

    /// The file's name as errors show it.
    pub fn path_of(&self, file: &str) -> String {
        match &self.origin {
            Origin::Builtin => format!("domains/{}/{file}", self.name()),
            Origin::Folder(folder) => folder.join(file).display().to_string(),
        }
    }

    /// The place of a byte offset in one of the domain's files.
    pub fn place(&self, file: &str, offset: usize) -> Place {
        let text = self.files.get(file).map_or("", String::as_str);
        Place::at_offset(&self.path_of(file), text, offset)
    }

    /// Names and texts of the files in one sub-folder with one ending, in order of name.
    pub fn files_in<'a>(&'a self, folder: &'a str, ending: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.files.iter().filter_map(move |(path, text)| {
            let name = path.strip_prefix(folder)?.strip_prefix('/')?.strip_suffix(ending)?;
            Some((name, text.as_str()))
        })
    }

    /// The file of the domain's folder that holds an input's demo rows. Built-in domains have none: their rows are simulated.
    pub fn demo_file(&self, input: &str) -> Option<PathBuf> {
        let Origin::Folder(folder) = &self.origin else { return None };
        let files = DEMO_ENDINGS.map(|ending| folder.join("demo").join(format!("{input}{ending}")));
        files.into_iter().find(|file| file.is_file())
    }

    /// Names of the files in `demo/`, in order.
    pub(crate) fn demo_files(&self) -> Vec<String> {
        let Origin::Folder(folder) = &self.origin else { return Vec::new() };
        let found = std::fs::read_dir(folder.join("demo")).into_iter().flatten().flatten();
        let mut names: Vec<String> = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Hash of everything that can change a result: all files but the prose.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for (path, text) in self.files.iter().filter(|(path, _)| !path.ends_with(".md")) {
            for part in [path, text] {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }
}
