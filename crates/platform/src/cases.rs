//! Cases of a domain: requests and the answers they must get. They are read the same way by `septet check`, before anything is
//! learned, and by the health step, which asks the version.

use crate::PlatformError;
use crate::inputs::contract::Violation;
use crate::inputs::{EventContract, Inputs};
use septet_domain::{Domain, Place, Problem, Problems, did_you_mean};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A request and the answer it must get: `cases/NAME.json` holds a list of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    pub event: Map<String, Value>,
    /// Window columns as the entity's past left them; those not named are null.
    #[serde(default)]
    pub windows: BTreeMap<String, f64>,
    pub expect: Expectation,
    /// Line of the file where its name stands.
    #[serde(skip)]
    pub line: usize,
    /// `cases/NAME.json`.
    #[serde(skip)]
    pub file: String,
}

/// What the answer must be; whatever is not named may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    probability_min: Option<f64>,
    probability_max: Option<f64>,
    action: Option<String>,
    /// Names of the rules that hold, all of them.
    rules: Option<Vec<String>>,
    /// Fields of `answer.sql`, each equal.
    #[serde(default)]
    answer: Map<String, Value>,
}

/// What a version said to a case.
pub struct Said<'a> {
    pub probability: f64,
    pub action: Option<&'a str>,
    pub rules: Vec<&'a str>,
    pub answer: &'a Map<String, Value>,
}

impl Expectation {
    /// Whether it was so, and what was said beside what was expected.
    pub fn judge(&self, said: &Said<'_>) -> (bool, String) {
        let mut parts = Vec::new();
        let range = self.probability_min.unwrap_or(f64::MIN)..=self.probability_max.unwrap_or(f64::MAX);
        let mut held = range.contains(&said.probability);
        let bound = |bound: Option<f64>, word: &str| bound.map(|bound| format!("{word} {bound}"));
        let bounds: Vec<String> = [bound(self.probability_min, "at least"), bound(self.probability_max, "at most")]
            .into_iter()
            .flatten()
            .collect();
        let expected = if bounds.is_empty() { String::new() } else { format!(", expected {}", bounds.join(" and ")) };
        parts.push(format!("probability {:.4}{expected}", said.probability));
        let mut compare = |what: &str, expected: String, found: String| {
            held &= expected == found;
            parts.push(match expected == found {
                true => format!("{what} {found}"),
                false => format!("{what} {found}, expected {expected}"),
            });
        };
        if let Some(action) = &self.action {
            compare("action", action.clone(), said.action.unwrap_or("none").to_owned());
        }
        if let Some(rules) = &self.rules {
            let listed = |mut names: Vec<&str>| {
                names.sort_unstable();
                if names.is_empty() { "none".to_owned() } else { names.join(" and ") }
            };
            compare("rules", listed(rules.iter().map(String::as_str).collect()), listed(said.rules.clone()));
        }
        for (field, expected) in &self.answer {
            compare(field, expected.to_string(), said.answer.get(field).unwrap_or(&Value::Null).to_string());
        }
        (held, parts.join("; "))
    }
}

/// All cases of a domain, in order of file and place.
pub fn read(domain: &Domain) -> Result<Vec<Case>, PlatformError> {
    let mut cases = Vec::new();
    for (file, text) in domain.files_in("cases", ".json") {
        let file = format!("cases/{file}.json");
        let read: Result<Vec<Case>, _> = serde_json::from_str(text);
        let mut read =
            read.map_err(|error| wrong(domain, &file, (error.line(), error.column()), plain(&error), None))?;
        let mut from = 0;
        for case in &mut read {
            // Names may repeat one another: each is looked for behind the one before.
            let name = Value::from(case.name.as_str()).to_string();
            from = text[from..].find(&name).map_or(from, |at| from + at + 1);
            case.line = 1 + text[..from].matches('\n').count();
            case.file.clone_from(&file);
        }
        cases.append(&mut read);
    }
    Ok(cases)
}

/// Without the engine's own words for the kinds of values.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    let text = text.replace("invalid type: ", "").replace("a sequence", "a list").replace("a map", "an object");
    match text.split_once(", expected struct ") {
        Some((found, _)) => format!("{found}, expected an object"),
        None => text,
    }
}

/// Says so unless every case can be asked: its fields are the contract's, its windows the domain's, its expectations possible.
pub fn check(domain: &Domain, inputs: &Inputs) -> Result<(), PlatformError> {
    let windows: Vec<&str> = inputs.windows().iter().flat_map(|window| &window.names).map(String::as_str).collect();
    for case in read(domain)? {
        let say = |message: String, hint: Option<String>| Err(case.wrong(domain, message, hint));
        if let Err(violations) = inputs.contract.read_case(&Value::Object(case.event.clone())) {
            // A column beyond the contract is known to the version that learned it.
            if let Some(violation) =
                violations.iter().find(|one| one.code != "unknown" || is_slip(&inputs.contract, one))
            {
                return say(in_words(std::slice::from_ref(violation)), None);
            }
        }
        if let Some(name) = case.windows.keys().find(|name| !windows.contains(&name.as_str())) {
            return say(format!("`{name}` is no window column"), did_you_mean(name, windows.iter().copied()));
        }
        let rules: Vec<&str> = domain.spec.rule.iter().map(|rule| rule.name.get_ref().as_str()).collect();
        let expected = case.expect.rules.iter().flatten();
        if let Some(name) = expected.into_iter().find(|name| !rules.contains(&name.as_str())) {
            return say(format!("there is no rule `{name}`"), did_you_mean(name, rules.iter().copied()));
        }
        let actions = domain.spec.decision.as_ref().map(|decision| decision.actions()).unwrap_or_default();
        if let Some(action) = case.expect.action.as_deref().filter(|action| !actions.contains(action)) {
            return say(format!("there is no action `{action}`"), did_you_mean(action, actions.iter().copied()));
        }
        if let (Some(low), Some(high)) = (case.expect.probability_min, case.expect.probability_max)
            && low > high
        {
            return say(format!("nothing is at least {low} and at most {high}"), None);
        }
    }
    Ok(())
}

/// Close to a column that there is.
fn is_slip(contract: &EventContract, violation: &Violation) -> bool {
    let name = violation.pointer.trim_start_matches('/');
    did_you_mean(name, contract.field_names()).is_some()
}

impl Case {
    pub fn wrong(&self, domain: &Domain, message: String, hint: Option<String>) -> PlatformError {
        wrong(domain, &self.file, (self.line, 1), format!("case `{}`: {message}", self.name), hint)
    }
}

pub fn in_words(violations: &[Violation]) -> String {
    violations.iter().map(|one| format!("{}: {}", one.pointer, one.detail)).collect::<Vec<_>>().join("; ")
}

fn wrong(domain: &Domain, file: &str, at: (usize, usize), message: String, hint: Option<String>) -> PlatformError {
    let place = Place { file: domain.path_of(file), line: at.0.max(1), column: at.1.max(1) };
    let hint = hint.or_else(|| Some("docs/domain.md shows what a case is".to_owned()));
    PlatformError::Domain(Problems(vec![Problem { place, message, hint }]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_case_says_what_was_expected_where_it_was_not_so() {
        let answer = json!({ "grade": "B", "loss": 12.5 });
        let said = Said {
            probability: 0.4,
            action: Some("review"),
            rules: vec!["large", "abroad"],
            answer: answer.as_object().unwrap(),
        };
        for (expect, held, words) in [
            (json!({}), true, "probability 0.4000"),
            (json!({ "probability_min": 0.5 }), false, "expected at least 0.5"),
            (json!({ "probability_max": 0.4 }), true, "at most 0.4"),
            (json!({ "action": "review" }), true, "action review"),
            (json!({ "action": "decline" }), false, "action review, expected decline"),
            (json!({ "rules": ["abroad", "large"] }), true, "rules abroad and large"),
            (json!({ "rules": [] }), false, "expected none"),
            (json!({ "answer": { "grade": "B" } }), true, "grade \"B\""),
            (json!({ "answer": { "grade": "C", "loss": 12.5 } }), false, "grade \"B\", expected \"C\""),
            (json!({ "answer": { "missing": 1 } }), false, "missing null, expected 1"),
        ] {
            let expectation: Expectation = serde_json::from_value(expect.clone()).unwrap();
            let (found, evidence) = expectation.judge(&said);
            assert_eq!(found, held, "{expect}: {evidence}");
            assert!(evidence.contains(words), "{expect}: {evidence}");
        }
    }
}
