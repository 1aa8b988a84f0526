//! Settings: flags > environment (`SEPTET_...`, `.env` is read) > `septet.toml` > defaults, each with where it came from.

use crate::arguments::Arguments;
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One thing that can be set.
pub struct Setting {
    pub key: &'static str,
    pub default: &'static str,
    pub meaning: &'static str,
    /// Never shown.
    pub secret: bool,
}

/// All of them; the page `docs/reference/settings.md` is made from this list.
pub const SETTINGS: [Setting; 24] = [
    Setting {
        key: "home",
        default: "./septet-data",
        meaning: "folder that holds everything a run writes",
        secret: false,
    },
    Setting {
        key: "domains",
        default: "",
        meaning: "folder of domains that override the built-in ones or add to them",
        secret: false,
    },
    Setting {
        key: "memory_max",
        default: "2GB",
        meaning: "memory for queries before they spill to disk; a number and MB or GB. Training holds its rows beside that",
        secret: false,
    },
    Setting {
        key: "threads",
        default: "",
        meaning: "threads for training and windows; empty: one a core. Results do not depend on it",
        secret: false,
    },
    Setting {
        key: "database_url",
        default: "",
        meaning: "PostgreSQL that holds the registry instead of SQLite; also read from DATABASE_URL",
        secret: true,
    },
    Setting {
        key: "log",
        default: "warn",
        meaning: "what is logged to standard error: error, warn, info, debug, or a tracing filter",
        secret: false,
    },
    plain("log_format", "text", "`text` for people, `json` for programs: one object a line"),
    plain(
        "bind",
        "127.0.0.1",
        "address that services listen on; another than loopback needs api_keys, or open_to_all = yes",
    ),
    plain("hub_port", "8000", "port of the hub, which has every domain under /DOMAIN"),
    plain("port_offset", "0", "added to every domain's port"),
    Setting {
        key: "api_keys",
        default: "",
        meaning: "keys that open the door, apart by commas; empty: no key is asked for",
        secret: true,
    },
    plain("open_to_all", "no", "`yes` allows another address than loopback without keys"),
    plain(
        "decision_log",
        "before",
        "`before`: an answer is on disk before it is given; `after`: it is given first, and a crash can lose the last ones",
    ),
    plain("clock_skew_max", "5m", "how far an event's time may be ahead of the clock"),
    plain("queue_max", "1024", "requests that may wait for a domain's engine; beyond it they are refused with 503"),
    plain("concurrency_max", "1024", "requests at work at once, a domain"),
    plain("body_max", "1MB", "body of a single request, and a line of NDJSON"),
    plain("batch_max", "64MB", "body of a batch that is read whole: a JSON list, CSV"),
    plain("rows_max", "100000", "rows of a batch that is read whole"),
    Setting {
        key: "alert_webhook",
        default: "",
        meaning: "address that gets every page as JSON by POST; with an Idempotency-Key that repeats have too",
        secret: true,
    },
    Setting {
        key: "alert_smtp",
        default: "",
        meaning: "mail server for pages: smtp://user:password@host:port, smtps://..., or smtp://...?tls=required",
        secret: true,
    },
    plain("alert_from", "septet@localhost", "sender of pages by mail"),
    plain("alert_to", "", "whom pages are mailed to, apart by commas"),
    plain("drain", "0s", "after a signal to stop: how long /readyz says no before the listeners close"),
];

const fn plain(key: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { key, default, meaning, secret: false }
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Value {
    pub text: String,
    pub origin: String,
}

#[derive(Debug)]
pub struct Settings {
    values: BTreeMap<&'static str, Value>,
}

impl Settings {
    pub fn read(arguments: &Arguments) -> anyhow::Result<Settings> {
        // A missing .env is no error; a broken one is.
        match dotenvy::dotenv() {
            Err(dotenvy::Error::Io(_)) | Ok(_) => {}
            // The line itself may hold a secret.
            Err(dotenvy::Error::LineParse(_, at)) => bail!(".env: a line is not NAME=value, at character {at} of it"),
            Err(_) => bail!(".env: cannot be read"),
        }
        let file = read_file()?;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let flags = BTreeMap::from([("home", path(&arguments.home)), ("domains", path(&arguments.domains))]);
        let mut values = BTreeMap::new();
        for setting in &SETTINGS {
            let variable = format!("SEPTET_{}", setting.key.to_uppercase());
            let from_flag = flags.get(setting.key).cloned().flatten().map(|text| (text, format!("--{}", setting.key)));
            let from_variable = std::env::var(&variable).ok().map(|text| (text, variable));
            let shared = std::env::var("DATABASE_URL")
                .ok()
                .filter(|_| setting.key == "database_url")
                .map(|text| (text, "DATABASE_URL".to_owned()));
            let from_file = file.get(setting.key).map(|text| (text.clone(), "septet.toml".to_owned()));
            let (text, origin) = from_flag
                .or(from_variable)
                .or(shared)
                .or(from_file)
                .unwrap_or_else(|| (setting.default.to_owned(), "default".to_owned()));
            values.insert(setting.key, Value { text, origin });
        }
        Ok(Settings { values })
    }

    pub fn value(&self, key: &str) -> &Value {
        &self.values[key]
    }

    fn text(&self, key: &str) -> Option<&str> {
        Some(self.values[key].text.as_str()).filter(|text| !text.is_empty())
    }

    pub fn home(&self) -> PathBuf {
        PathBuf::from(&self.values["home"].text)
    }

    pub fn domains(&self) -> Option<PathBuf> {
        self.text("domains").map(PathBuf::from)
    }

    pub fn log(&self) -> &str {
        &self.values["log"].text
    }

    pub fn database_url(&self) -> Option<&str> {
        self.text("database_url")
    }

    pub fn threads(&self) -> anyhow::Result<usize> {
        match self.text("threads") {
            None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
            Some(text) => match text.parse() {
                Ok(threads) if threads > 0 => Ok(threads),
                _ => bail!("threads = `{text}` (from {}) is not a whole number above 0", self.value("threads").origin),
            },
        }
    }

    /// Bytes.
    pub fn memory_max(&self) -> anyhow::Result<usize> {
        self.bytes("memory_max")
    }

    /// A whole number.
    pub fn count(&self, key: &str) -> anyhow::Result<usize> {
        let Value { text, origin } = self.value(key);
        text.trim().parse().with_context(|| format!("{key} = `{text}` (from {origin}) is not a whole number"))
    }

    /// A length of time such as `5m`.
    pub fn time(&self, key: &str) -> anyhow::Result<std::time::Duration> {
        let Value { text, origin } = self.value(key);
        let parsed = text.trim().parse::<septet_domain::Duration>();
        let parsed = parsed.map_err(|error| anyhow::anyhow!("{key} = `{text}` (from {origin}): {error}"))?;
        Ok(std::time::Duration::from_micros(parsed.micros().max(0) as u64))
    }

    /// One of a few words.
    pub fn word(&self, key: &str, known: &[&'static str]) -> anyhow::Result<&'static str> {
        let Value { text, origin } = self.value(key);
        let found = known.iter().find(|word| **word == text.trim());
        found.copied().with_context(|| format!("{key} = `{text}` (from {origin}) is not one of {}", known.join(", ")))
    }

    /// Texts apart by commas, spaces around them left out.
    pub fn list(&self, key: &str) -> Vec<String> {
        self.value(key).text.split(',').map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    }

    /// A number of bytes such as `2GB`.
    pub fn bytes(&self, key: &str) -> anyhow::Result<usize> {
        let Value { text, origin } = self.value(key);
        let upper = text.trim().to_uppercase();
        let (number, unit) = match (upper.strip_suffix("GB"), upper.strip_suffix("MB")) {
            (Some(number), _) => (number, 1_000_000_000),
            (_, Some(number)) => (number, 1_000_000),
            _ => bail!("{key} = `{text}` (from {origin}) has no unit; expected such as 500MB or 2GB"),
        };
        let number: f64 = number
            .trim()
            .parse()
            .with_context(|| format!("{key} = `{text}` (from {origin}) is not a number and a unit"))?;
        if number.is_nan() || number <= 0.0 {
            bail!("{key} = `{text}` (from {origin}) must be above 0");
        }
        Ok((number * f64::from(unit)) as usize)
    }
}

/// `septet.toml` of the working folder: one table of known keys.
fn read_file() -> anyhow::Result<BTreeMap<String, String>> {
    let text = match std::fs::read_to_string("septet.toml") {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => bail!("septet.toml: {error}"),
    };
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        // The line itself may hold a secret.
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        anyhow::anyhow!("septet.toml:{line}: {}", error.message())
    })?;
    let mut values = BTreeMap::new();
    for (key, value) in table {
        if !SETTINGS.iter().any(|setting| setting.key == key) {
            let hint =
                septet_domain::did_you_mean(&key, SETTINGS.iter().map(|setting| setting.key)).unwrap_or_default();
            bail!("septet.toml: `{key}` is not a setting; {hint}");
        }
        let text = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            _ => bail!("septet.toml: `{key}` is neither a text nor a whole number"),
        };
        values.insert(key, text);
    }
    Ok(values)
}

/// The page `docs/reference/settings.md`.
pub fn reference_markdown() -> String {
    let mut page = String::from(
        "# Settings\n\nGenerated by `septet reference settings`; do not edit. Order: flag, then environment variable \
         (`.env` is read), then `septet.toml`, then default. `septet settings` shows each value and where it came from.\n\n\
         | `septet.toml` | environment | default | meaning |\n|---|---|---|---|\n",
    );
    for setting in &SETTINGS {
        let default = if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        page.push_str(&format!(
            "| `{}` | `SEPTET_{}` | {default} | {} |\n",
            setting.key,
            setting.key.to_uppercase(),
            setting.meaning
        ));
    }
    page
}
