//! The pipeline's promises: the contract finds what is broken, equal rows give equal bytes, documents are current.

use crate::Evidence;
use crate::sandbox::Sandbox;
use septet_domain::ColumnType;
use septet_platform::Manifest;
use std::collections::BTreeMap;

impl Sandbox {
    /// Rows broken in every way the contract knows: each must be found, by its column and reason, and no other.
    pub async fn spoiled(&self) -> anyhow::Result<Evidence> {
        let (columns, key) = (self.columns(), self.key());
        let mut rows = self.rows.clone();
        let mut expected: BTreeMap<(String, String), u64> = BTreeMap::new();
        let mut spoil = |at: usize, cell: Option<&str>, reason: &str| {
            let mut row = self.rows[rows.len() % self.rows.len()].clone();
            row[key] = Some(match columns[key].1.kind {
                ColumnType::Integer => format!("{}", 9_000_000_000_000i64 + rows.len() as i64),
                _ => format!("spoiled {}", rows.len()),
            });
            row[at] = cell.map(str::to_owned);
            *expected.entry((columns[at].0.to_owned(), reason.to_owned())).or_default() += 1;
            rows.push(row);
        };
        for (at, (_, column)) in columns.iter().enumerate() {
            if column.required && at != key {
                spoil(at, None, "required");
            }
            if !matches!(column.kind, ColumnType::Text) && at != key {
                spoil(at, Some("no such value"), "type");
            }
            if let Some(min) = column.min {
                spoil(at, Some(&format!("{}", min - 1.0)), "range");
            }
            if column.values.is_some() {
                spoil(at, Some("no such word"), "values");
            }
        }
        let again = self.rows[0].clone();
        rows.push(again);
        *expected.entry((columns[key].0.to_owned(), "duplicate_key".to_owned())).or_default() += 1;
        let (file, layout) = self.write("spoiled", &rows)?;
        self.sabotage.break_layout(&layout, columns[key].0)?;
        let report = self.step("extract", "spoiled", &file, &layout)?;
        let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
        for reason in report["detail"]["inputs"][0][1]["reasons"].as_array().into_iter().flatten() {
            let text = |at: usize| reason[at].as_str().unwrap_or_default().to_owned();
            found.insert((text(0), text(1)), reason[2].as_u64().unwrap_or(0));
        }
        let count = |name: &str| report[name].as_u64().unwrap_or(0);
        let balanced =
            count("rows_in") == count("rows_out") + count("quarantined") && count("rows_in") == rows.len() as u64;
        let broken: u64 = expected.values().sum();
        let words = format!(
            "{} rows in = {} out + {} in quarantine; {broken} rows broken in {} ways, {}",
            count("rows_in"),
            count("rows_out"),
            count("quarantined"),
            expected.len(),
            if found == expected { "each found".to_owned() } else { format!("found {found:?}") }
        );
        Ok(Evidence::new(balanced && found == expected, words))
    }

    /// Two runs on the same rows, and a step repeated.
    pub async fn twice(&self) -> anyhow::Result<Evidence> {
        let (file, layout) = self.write("sample", &self.rows)?;
        let mut prints = Vec::new();
        for (step, run) in [
            ("extract", "first"),
            ("transform", "first"),
            ("extract", "second"),
            ("transform", "second"),
            ("transform", "second"),
        ] {
            if self.sabotage.hits("idempotence") && run == "second" {
                self.write("sample", &self.rows[1..])?;
            }
            let report = self.step(step, run, &file, &layout)?;
            prints.push(report["fingerprint"].as_str().unwrap_or_default().to_owned());
        }
        let equal = prints[0] == prints[2] && prints[1] == prints[3] && prints[3] == prints[4] && !prints[0].is_empty();
        let words = format!(
            "extract {} and {}, transform {}, {} and repeated {}",
            prints[0], prints[2], prints[1], prints[3], prints[4]
        );
        Ok(Evidence::new(equal, words))
    }

    /// Whether every column and feature says what it is, and papers are current.
    pub fn documented(&self, papers_current: bool) -> anyhow::Result<Evidence> {
        let columns = self.columns();
        let silent: Vec<&str> =
            columns.iter().filter(|(_, column)| column.meaning.is_none()).map(|(name, _)| *name).collect();
        let manifest = self.home().version_folder(self.domain.name(), &self.version).join("manifest.json");
        let manifest: Manifest = serde_json::from_slice(&std::fs::read(manifest)?)?;
        // Columns beyond the contract are the source's own: the domain cannot say what they mean.
        let own = manifest.features.iter().filter(|feature| !manifest.extras.contains(&feature.name));
        let features = own.filter(|feature| self.domain.spec.words_of(&feature.name).meaning.is_none()).count();
        let readme = self.domain.files.get("README.md").map_or(0, String::len);
        let layouts: Vec<&str> = self.domain.files_in("sources", ".sql").map(|(name, _)| name).collect();
        let text = self.domain.files.get("README.md").map(String::as_str).unwrap_or_default();
        let unnamed: Vec<&&str> = layouts.iter().filter(|name| !text.contains(**name)).collect();
        let passed = silent.is_empty() && features == 0 && readme > 500 && unnamed.is_empty() && papers_current;
        let papers = if papers_current {
            "card and report are the champion's, to the byte"
        } else {
            "card or report differ from the champion's manifest"
        };
        let words = format!(
            "{} columns without a meaning, {features} features without one, README of {readme} characters, layouts it does not name: {}; {papers}",
            silent.len(),
            unnamed.len()
        );
        Ok(Evidence::new(passed, words))
    }
}
