//! Where a source lies: files by path or glob, an object store, or a PostgreSQL query. Remote objects are
//! fetched into a folder of the run first, so that what is read is complete and can be read again.

use crate::TablesError;
use futures::StreamExt;
use object_store::{ObjectStore, ObjectStoreExt, path::Path as ObjectPath};
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;
use url::Url;

/// A source's address, with what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A path or a glob such as `data/2024-*.csv.gz`.
    Files(String),
    /// `s3://`, `gs://`, `az://` with an object or a glob; settings by the stores' own environment variables.
    Objects(Url),
    /// `postgres://user@host/database?table=payments` or `?query=SELECT ...`; the password may come from PGPASSWORD.
    Postgres { url: String, query: String },
}

impl Location {
    pub fn parse(text: &str) -> Result<Location, TablesError> {
        let source = |what: String| TablesError::Source { location: redacted(text), what };
        let url = match Url::parse(text) {
            Ok(url) => url,
            Err(error) if text.contains("://") => return Err(source(format!("is not an address: {error}"))),
            Err(_) => return Ok(Location::Files(text.to_owned())),
        };
        match url.scheme() {
            "s3" | "gs" | "az" | "abfs" | "abfss" => Ok(Location::Objects(url)),
            "postgres" | "postgresql" => postgres(url).map_err(source),
            "file" => url
                .to_file_path()
                .map(|path| Location::Files(path.display().to_string()))
                .map_err(|()| source("a file URL has an absolute path, such as file:///data/x.csv".to_owned())),
            // A Windows drive letter is no scheme.
            scheme if scheme.len() == 1 => Ok(Location::Files(text.to_owned())),
            scheme => {
                Err(source(format!("`{scheme}://` is not known; expected a path, s3://, gs://, az:// or postgres://")))
            }
        }
    }
}

fn postgres(mut url: Url) -> Result<Location, String> {
    let mut query = None;
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    url.set_query(None);
    for (key, value) in pairs {
        match key.as_str() {
            "query" => query = Some(value),
            "table" => query = Some(format!("SELECT * FROM {}", quoted_name(&value))),
            _ => {
                url.query_pairs_mut().append_pair(&key, &value);
            }
        }
    }
    let query = query.ok_or("a PostgreSQL source needs ?table=NAME or ?query=SELECT...")?;
    Ok(Location::Postgres { url: url.to_string(), query })
}

fn quoted_name(name: &str) -> String {
    name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect::<Vec<_>>().join(".")
}

/// The address as it may be shown: without password and without query.
pub fn redacted(text: &str) -> String {
    match Url::parse(text) {
        Ok(mut url) if url.has_host() => {
            let _ = url.set_password(None);
            // What is asked of a database tells one run from another; a password among it does not.
            let kept: Vec<(String, String)> =
                url.query_pairs().into_owned().filter(|(key, _)| key == "table" || key == "query").collect();
            url.set_query(None);
            if !kept.is_empty() {
                url.query_pairs_mut().extend_pairs(kept);
            }
            url.to_string()
        }
        Err(_) if text.contains("://") => format!("{}://...", text.split("://").next().unwrap_or_default()),
        _ if text.contains("password=") => "...".to_owned(),
        _ => text.to_owned(),
    }
}

/// Files that a path or glob names, in order of name; an error if there are none. A name that is there is meant as it
/// stands, whatever signs of a glob it has; of a folder, what writers leave beside their parts is not read.
pub fn local_files(pattern: &str) -> Result<Vec<PathBuf>, TablesError> {
    let open = |reason: String| TablesError::Open { location: pattern.to_owned(), reason };
    if Path::new(pattern).is_file() {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let folder = Path::new(pattern).is_dir();
    let text = match pattern.rsplit_once('/') {
        _ if folder => format!("{}/*", glob::Pattern::escape(pattern.trim_end_matches('/'))),
        Some((parent, name)) if Path::new(parent).is_dir() => format!("{}/{name}", glob::Pattern::escape(parent)),
        _ => pattern.to_owned(),
    };
    let found = glob::glob(&text).map_err(|error| open(error.to_string()))?;
    let found: Vec<PathBuf> = found.collect::<Result<_, _>>().map_err(|error| open(error.to_string()))?;
    let read = |path: &PathBuf| path.is_file() && !(folder && is_left_beside(path));
    let mut files: Vec<PathBuf> = found.into_iter().filter(read).collect();
    files.sort();
    match files.is_empty() {
        true if folder => Err(open("there is no file in this folder".to_owned())),
        true => Err(open("there is no such file".to_owned())),
        false => Ok(files),
    }
}

/// `_SUCCESS`, `.part-0.crc` and their like.
fn is_left_beside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['_', '.']))
}

/// Fetches the objects that a URL or glob names into `folder`; files in order of key.
pub async fn fetch_objects(url: &Url, folder: &Path) -> Result<Vec<PathBuf>, TablesError> {
    let open = |reason: String| TablesError::Open { location: redacted(url.as_str()), reason };
    // AWS_ENDPOINT_URL and its like: the stores read their own environment variables, in lower case.
    let environment = std::env::vars().map(|(key, value)| (key.to_lowercase(), value));
    let (store, path) = object_store::parse_url_opts(url, environment).map_err(|error| open(error.to_string()))?;
    let keys = matching_keys(store.as_ref(), &path).await.map_err(|error| open(error.to_string()))?;
    if keys.is_empty() {
        return Err(open("there is no such object".to_owned()));
    }
    std::fs::create_dir_all(folder).map_err(|error| TablesError::io(folder, error))?;
    let mut files = Vec::new();
    for (number, key) in keys.iter().enumerate() {
        let file = folder.join(format!("{number:05}-{}", key.filename().unwrap_or("object")));
        fetch(store.as_ref(), key, &file).await.map_err(&open)?;
        files.push(file);
    }
    Ok(files)
}

/// `*` stops at `/`, as it does for local files.
const SAME_FOLDER: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

async fn matching_keys(store: &dyn ObjectStore, path: &ObjectPath) -> object_store::Result<Vec<ObjectPath>> {
    let text = url_decoded(path.as_ref());
    let Some(star) = text.find(['*', '?', '[']) else { return Ok(vec![path.clone()]) };
    let prefix = text[..star].rsplit_once('/').map(|(folder, _)| ObjectPath::from(folder));
    let pattern = glob::Pattern::new(&text).unwrap_or_default();
    let mut listed = store.list(prefix.as_ref());
    let mut keys = Vec::new();
    while let Some(object) = listed.next().await {
        let key = object?.location;
        if pattern.matches_with(key.as_ref(), SAME_FOLDER) {
            keys.push(key);
        }
    }
    keys.sort();
    Ok(keys)
}

/// `*` and `?` travel percent-encoded in a parsed URL.
fn url_decoded(path: &str) -> String {
    path.replace("%2A", "*").replace("%3F", "?").replace("%5B", "[").replace("%5D", "]")
}

async fn fetch(store: &dyn ObjectStore, key: &ObjectPath, file: &Path) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut bytes = store.get(key).await.map_err(|error| text(&error))?.into_stream();
    let mut out = tokio::fs::File::create(file).await.map_err(|error| text(&error))?;
    while let Some(chunk) = bytes.next().await {
        out.write_all(&chunk.map_err(|error| text(&error))?).await.map_err(|error| text(&error))?;
    }
    out.flush().await.map_err(|error| text(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_there_is_meant_as_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("data [x]");
        std::fs::create_dir(&inner).unwrap();
        for name in ["plan [final] *.csv", "a1.csv", "a2.csv", "_SUCCESS", ".a1.csv.crc"] {
            std::fs::write(inner.join(name), "a\n1\n").unwrap();
        }
        let found = |pattern: &str| -> Vec<String> {
            let files = local_files(&format!("{}/{pattern}", folder.path().display())).unwrap();
            files.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(found("data [x]/plan [final] *.csv"), ["plan [final] *.csv"]);
        assert_eq!(found("data [x]/a[12].csv"), ["a1.csv", "a2.csv"]);
        assert_eq!(found("data [x]"), ["a1.csv", "a2.csv", "plan [final] *.csv"]);
        assert!(local_files("/nowhere/x.csv").unwrap_err().to_string().contains("there is no such file"));
    }
}
