//! Whether the files of a domain's folder are those that something reads.

use super::Check;
use crate::domain::DEMO_ENDINGS;
use crate::problem::{Place, Problem, did_you_mean};

/// The layout of the simulated source.
const DEMO_LAYOUT: &str = "demo";
/// What a domain's folder may hold beside texts for people.
const FILES: [&str; 4] = ["domain.toml", "features.sql", "label.sql", "answer.sql"];
const FOLDERS: [(&str, &str); 5] =
    [("sources", ".sql"), ("tables", ".sql"), ("tests", ".sql"), ("monitor", ".sql"), ("cases", ".json")];

impl Check<'_> {
    pub(super) fn files(&mut self) {
        let domain = self.domain;
        if !domain.files.contains_key("features.sql") {
            self.say(0..0, "the folder has no features.sql".to_owned(), None);
        }
        let layouts: Vec<&str> = domain.files_in("sources", ".sql").map(|(name, _)| name).collect();
        for name in domain.spec.layout.keys().filter(|name| !layouts.contains(&name.as_str())) {
            let message = format!("[layout.{name}] has no file sources/{name}.sql");
            let hint = did_you_mean(name, layouts.iter().copied());
            let offset = domain.files["domain.toml"].find(&format!("[layout.{name}]")).unwrap_or(0);
            self.say(offset..offset, message, hint);
        }
        if layouts.contains(&DEMO_LAYOUT) && !domain.spec.layout.contains_key(DEMO_LAYOUT) {
            let hint = Some("add: [layout.demo], with title and simulated = true".to_owned());
            self.say(
                0..0,
                "sources/demo.sql has no [layout.demo]: simulated rows would pass for real ones".to_owned(),
                hint,
            );
        }
        self.known_files();
        self.demo_files();
        for (name, _) in domain.files_in("tables", ".sql").filter(|(name, _)| domain.spec.input.contains_key(*name)) {
            let place = Place::start_of(&domain.path_of(&format!("tables/{name}.sql")));
            let message = format!("table `{name}` has the name of an input; choose another file name");
            self.problems.push(Problem { place, message, hint: None });
        }
    }

    /// Demo rows belong to an input, and to a layout that says what they are.
    fn demo_files(&mut self) {
        let domain = self.domain;
        let inputs = domain.spec.input.keys().map(String::as_str);
        for name in domain.demo_files() {
            let input = DEMO_ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
            let (message, hint) = match input {
                Some(input) if !domain.spec.input.contains_key(input) => {
                    (format!("there is no input `{input}`"), did_you_mean(input, inputs.clone()))
                }
                Some(_) if domain.files.contains_key("sources/demo.sql") => continue,
                Some(_) => {
                    let hint = "add sources/demo.sql, one SELECT to the contract, and [layout.demo]".to_owned();
                    ("demo rows have no layout".to_owned(), Some(hint))
                }
                None => {
                    let hint = "files of demo/ are called INPUT.csv or INPUT.csv.gz".to_owned();
                    ("nothing reads this file".to_owned(), Some(hint))
                }
            };
            let place = Place::start_of(&domain.path_of(&format!("demo/{name}")));
            self.problems.push(Problem { place, message, hint });
        }
    }

    /// A file that nothing reads is a slip in its name.
    fn known_files(&mut self) {
        let domain = self.domain;
        let named_elsewhere = |path: &&String| path.ends_with(".md") || path.starts_with("demo/");
        for path in domain.files.keys().filter(|path| !named_elsewhere(path)) {
            let hint = match path.split_once('/') {
                None if FILES.contains(&path.as_str()) => continue,
                None => did_you_mean(path, FILES),
                Some((folder, file)) => match FOLDERS.iter().find(|(name, _)| *name == folder) {
                    Some((_, ending)) if file.ends_with(ending) && !file.contains('/') => continue,
                    Some((_, ending)) => Some(format!("files of {folder}/ end in {ending}, without folders below")),
                    None => did_you_mean(folder, FOLDERS.iter().map(|(name, _)| *name)),
                },
            };
            let place = Place::start_of(&domain.path_of(path));
            self.problems.push(Problem { place, message: "nothing reads this file".to_owned(), hint });
        }
    }
}
