//! Secrets and personal values in what a domain's files and a service's log say.

use crate::Evidence;
use crate::sandbox::Sandbox;
use std::path::Path;

/// Requests whose personal values are searched for: those of the recovery, sent just before.
const EVENTS: usize = crate::service::ANSWERS;

impl Sandbox {
    pub fn secrets(&self, log: &Path) -> anyhow::Result<Evidence> {
        let mut found = Vec::new();
        for (name, text) in &self.domain.files {
            found.extend(secret_in(text).map(|what| format!("{what} in {name}")));
        }
        let log = std::fs::read_to_string(log)?;
        found.extend(secret_in(&log).map(|what| format!("{what} in the service's log")));
        let personal: Vec<&str> =
            self.columns().iter().filter(|(_, column)| column.personal.is_some()).map(|(name, _)| *name).collect();
        let values = (0..EVENTS).flat_map(|number| {
            let event = self.event(10_000 + number);
            personal.iter().filter_map(move |name| event[*name].as_str().map(str::to_owned)).collect::<Vec<_>>()
        });
        let word = |c: char| !(c.is_alphanumeric() || c == '_' || c == '-');
        let words_of_log: std::collections::HashSet<&str> = log.split(word).collect();
        let leaked = values.filter(|value| value.len() > 3 && words_of_log.contains(value.as_str())).count();
        if leaked > 0 {
            found.push(format!("{leaked} values of personal columns in the service's log"));
        }
        let words = format!(
            "{} files and {} lines of log searched: {}",
            self.domain.files.len(),
            log.lines().count(),
            if found.is_empty() { "nothing found".to_owned() } else { found.join("; ") }
        );
        Ok(Evidence::new(found.is_empty() && log.lines().count() > EVENTS, words))
    }
}

/// Looks like a secret: keys of clouds, private keys, passwords in addresses.
fn secret_in(text: &str) -> Option<&'static str> {
    let has = |what: &str| text.contains(what);
    let address = text.split_whitespace().any(|word| {
        let rest = word.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
        rest.is_some_and(|host| host.split_once('@').is_some_and(|(user, _)| user.contains(':')))
    });
    let aws = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() == 20
            && word.starts_with("AKIA")
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
    });
    let assigned = text.lines().any(|line| {
        let lower = line.to_ascii_lowercase();
        ["password", "secret_key", "api_key", "access_token"].iter().any(|word| {
            lower.split_once(word).is_some_and(|(_, rest)| {
                let rest = rest.trim_start();
                rest.strip_prefix(['=', ':']).is_some_and(|value| value.trim().trim_matches(['"', '\'']).len() >= 6)
            })
        })
    });
    match () {
        () if has("-----BEGIN") && has("PRIVATE KEY") => Some("a private key"),
        () if aws => Some("a cloud key"),
        () if address => Some("a password in an address"),
        () if assigned => Some("a secret"),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_looks_and_ordinary_text_is_not() {
        for text in [
            "postgres://me:geheim@host/db",
            "AKIAIOSFODNN7EXAMPLE",
            "password = \"geheim99\"",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert!(secret_in(text).is_some(), "{text}");
        }
        for text in ["https://example.org/a", "the password is asked for", "name = \"fraud\"", "api_key = \"\""] {
            assert!(secret_in(text).is_none(), "{text}");
        }
    }
}
