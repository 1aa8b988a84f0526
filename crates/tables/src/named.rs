//! Files that people's own queries name as tables, such as `FROM 'plan [final].csv'`.

use crate::reader::{Kind, kind_of};
use crate::{Engine, Location, TablesError, local_files};
use datafusion::common::TableReference;
use datafusion::datasource::file_format::options::ReadOptions;
use datafusion::datasource::listing::{ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::prelude::ParquetReadOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Engine {
    /// Looks at the files that a query names, so that what is wrong with one is told rather than that there is no such
    /// table. Parquet files become tables by the names that they have in the query.
    pub async fn name_files(&self, sql: &str) -> Result<(), TablesError> {
        for name in self.reads(sql)? {
            let table = TableReference::bare(name.as_str());
            if self.context().table_exist(table.clone())? || !looks_like_a_file(&name) {
                continue;
            }
            let Location::Files(pattern) = Location::parse(&name)? else { continue };
            let files = local_files(&pattern)?;
            let kind = kind_of(&files[0])?;
            if let Some(other) = files.iter().find(|file| kind_of(file).ok() != Some(kind)) {
                let what = format!("is of another kind than `{}`; name them one by one", files[0].display());
                return Err(TablesError::Source { location: other.display().to_string(), what });
            }
            if kind == Kind::Parquet {
                self.context().register_table(table, self.parquet_table(&files).await?)?;
            }
        }
        Ok(())
    }

    /// Whatever signs of a glob the files' names have, and in whatever case their ending is written.
    async fn parquet_table(&self, files: &[PathBuf]) -> Result<Arc<ListingTable>, TablesError> {
        let state = self.context().state();
        let urls = files.iter().map(|file| url_of(file)).collect::<Result<Vec<_>, _>>()?;
        let options = ParquetReadOptions::default()
            .to_listing_options(self.context().state().config(), state.default_table_options())
            .with_file_extension("");
        let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options);
        Ok(Arc::new(ListingTable::try_new(config.infer_schema(&state).await?)?))
    }
}

/// The file's address, in which no sign of its name means anything else.
pub(crate) fn url_of(file: &Path) -> Result<ListingTableUrl, TablesError> {
    let path = std::path::absolute(file).map_err(|error| TablesError::io(file, error))?;
    let url = url::Url::from_file_path(&path).map_err(|()| TablesError::io(file, "the path has no address"))?;
    Ok(ListingTableUrl::parse(url.as_str())?)
}

/// A name with a folder, an ending or a sign of a glob, or that of a file that is there; no table is called so by a domain.
fn looks_like_a_file(name: &str) -> bool {
    name.contains(['/', '\\', '.', '*', '?']) || Path::new(name).exists()
}

#[cfg(test)]
mod tests {
    use crate::tests::engine;
    use crate::{Engine, TablesError};
    use std::path::Path;

    async fn count(engine: Engine, folder: &Path, name: &str) -> Result<f64, TablesError> {
        let path = folder.join(name).display().to_string().replace('\'', "''");
        let sql = format!("SELECT CAST(count(*) AS DOUBLE) FROM '{path}'");
        engine.name_files(&sql).await?;
        Ok(engine.number(&sql).await?.unwrap())
    }

    #[tokio::test]
    async fn a_file_is_a_table_whatever_its_name_and_its_packing() {
        let folder = tempfile::tempdir().unwrap();
        let csv = "a,b\n1,x\n2,y\n3,z\n";
        let json = "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n";
        let mut files: Vec<(&str, Vec<u8>)> = ["x.csv", "plan [final].csv", "o'clock ?.csv", "X.CSV", "x.txt"]
            .map(|name| (name, csv.as_bytes().to_vec()))
            .to_vec();
        files.push(("x.tsv", csv.replace(',', "\t").into_bytes()));
        files.push(("semicolons.csv", csv.replace(',', ";").into_bytes()));
        files.push(("x.csv.zst", zstd::encode_all(csv.as_bytes(), 1).unwrap()));
        ["x.ndjson", "x.jsonl", "x.json"].iter().for_each(|name| files.push((name, json.as_bytes().to_vec())));
        files.push(("array.json", b"[{\"a\":1},{\"a\":2},{\"a\":3}]".to_vec()));
        files.iter().for_each(|(name, bytes)| std::fs::write(folder.path().join(name), bytes).unwrap());
        let (writer, _spill) = engine(100_000_000);
        for name in ["plan [final].parquet", "X.PARQUET"] {
            writer.write("SELECT value FROM generate_series(1, 3)", &folder.path().join(name), &|_| {}).await.unwrap();
            files.push((name, Vec::new()));
        }
        for (name, _) in &files {
            let (engine, _spill) = engine(100_000_000);
            assert_eq!(count(engine.with_files(), folder.path(), name).await.unwrap(), 3.0, "{name}");
        }
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_is_told_as_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("dup.csv"), "a,a\n1,2\n").unwrap();
        std::fs::write(folder.path().join("noext"), "a\n1\n").unwrap();
        for (name, what) in [
            ("dup.csv", "has two columns called `a`"),
            ("noext", "has no ending that says what kind of file it is"),
            ("nothere.csv", "there is no such file"),
        ] {
            let (engine, _spill) = engine(100_000_000);
            let error = count(engine.with_files(), folder.path(), name).await.unwrap_err().to_string();
            assert!(error.contains(what), "{name}: {error}");
        }
        let (engine, _spill) = engine(100_000_000);
        let error = engine.with_files().query("SELECT * FROM payments").await.unwrap_err().to_string();
        assert!(error.contains("payments"), "{error}");
    }
}
