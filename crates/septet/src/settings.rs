//! Settings: flags > environment (`SEPTET_...`, `.env` is read) > `septet.toml` > defaults, each with where it came from.

use crate::arguments::Arguments;
use anyhow::bail;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

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
        meaning: "folder of domains that override the built-in ones or add to them; without it, ./domains adds to them",
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
        meaning: "accepted API keys, comma-separated; empty: no authentication",
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
    plain("concurrency_max", "1024", "concurrent requests per domain"),
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

/// Every setting, read and checked at start.
#[derive(Debug)]
pub struct Settings {
    pub home: PathBuf,
    pub domains: Option<PathBuf>,
    /// Bytes.
    pub memory_max: usize,
    pub threads: usize,
    pub database_url: Option<String>,
    pub log: String,
    pub log_as_json: bool,
    pub bind: IpAddr,
    pub hub_port: u16,
    pub port_offset: u16,
    pub api_keys: Vec<String>,
    pub open_to_all: bool,
    /// An answer is given before it is on disk.
    pub log_after: bool,
    pub clock_skew_max: Duration,
    pub queue_max: usize,
    pub concurrency_max: usize,
    /// Bytes, as `batch_max`.
    pub body_max: usize,
    pub batch_max: usize,
    pub rows_max: usize,
    pub alert_webhook: Option<String>,
    pub alert_smtp: Option<String>,
    pub alert_from: String,
    pub alert_to: Vec<String>,
    pub drain: Duration,
    given: Given,
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
        warn_of_unknown_variables();
        Settings::of(Given::read(arguments)?)
    }

    fn of(given: Given) -> anyhow::Result<Settings> {
        Ok(Settings {
            home: PathBuf::from(&given.value("home").text),
            domains: given.text("domains").map(PathBuf::from),
            memory_max: given.bytes("memory_max")?,
            threads: given.threads()?,
            database_url: given.text("database_url"),
            log: given.value("log").text.clone(),
            log_as_json: given.word("log_format", &["text", "json"])? == "json",
            bind: given.parsed("bind", "an IP address")?,
            hub_port: given.parsed("hub_port", "a port, 0 to 65535")?,
            port_offset: given.parsed("port_offset", "a whole number, 0 to 65535")?,
            api_keys: given.list("api_keys"),
            open_to_all: given.word("open_to_all", &["no", "yes"])? == "yes",
            log_after: given.word("decision_log", &["before", "after"])? == "after",
            clock_skew_max: given.time("clock_skew_max")?,
            queue_max: given.above_zero("queue_max")?,
            concurrency_max: given.above_zero("concurrency_max")?,
            body_max: given.bytes("body_max")?,
            batch_max: given.bytes("batch_max")?,
            rows_max: given.above_zero("rows_max")?,
            alert_webhook: given.text("alert_webhook"),
            alert_smtp: given.text("alert_smtp"),
            alert_from: given.text("alert_from").unwrap_or_default(),
            alert_to: given.list("alert_to"),
            drain: given.time("drain")?,
            given,
        })
    }

    /// A setting as it was given, and where.
    pub fn value(&self, key: &str) -> &Value {
        self.given.value(key)
    }
}

/// The settings' texts.
#[derive(Debug)]
struct Given(BTreeMap<&'static str, Value>);

impl Given {
    fn read(arguments: &Arguments) -> anyhow::Result<Given> {
        let file = read_file()?;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let flags = BTreeMap::from([("home", path(&arguments.home)), ("domains", path(&arguments.domains))]);
        let mut values = BTreeMap::new();
        for setting in &SETTINGS {
            let variable = variable_of(setting.key);
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
        Ok(Given(values))
    }

    fn value(&self, key: &str) -> &Value {
        &self.0[key]
    }

    fn text(&self, key: &str) -> Option<String> {
        Some(self.0[key].text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// What a setting should be, as an error.
    fn wrong(&self, key: &str, expected: &str) -> anyhow::Error {
        let Value { text, origin } = self.value(key);
        anyhow::anyhow!("{key} = `{text}` (from {origin}) is not {expected}")
    }

    fn parsed<T: std::str::FromStr>(&self, key: &str, expected: &str) -> anyhow::Result<T> {
        self.value(key).text.trim().parse().map_err(|_| self.wrong(key, expected))
    }

    fn above_zero(&self, key: &str) -> anyhow::Result<usize> {
        let expected = "a whole number above 0";
        let number = self.parsed(key, expected)?;
        if number == 0 { Err(self.wrong(key, expected)) } else { Ok(number) }
    }

    fn threads(&self) -> anyhow::Result<usize> {
        match self.text("threads") {
            None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
            Some(_) => self.above_zero("threads"),
        }
    }

    /// A length of time such as `5m`.
    fn time(&self, key: &str) -> anyhow::Result<Duration> {
        let Value { text, origin } = self.value(key);
        let parsed = text.trim().parse::<septet_domain::Duration>();
        let parsed = parsed.map_err(|error| anyhow::anyhow!("{key} = `{text}` (from {origin}): {error}"))?;
        Ok(Duration::from_micros(parsed.micros().max(0) as u64))
    }

    /// One of a few words.
    fn word(&self, key: &str, known: &[&'static str]) -> anyhow::Result<&'static str> {
        let found = known.iter().find(|word| **word == self.value(key).text.trim());
        found.copied().ok_or_else(|| self.wrong(key, &format!("one of {}", known.join(", "))))
    }

    /// Texts apart by commas, spaces around them left out.
    fn list(&self, key: &str) -> Vec<String> {
        self.value(key).text.split(',').map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
    }

    /// A number of bytes such as `2GB`.
    fn bytes(&self, key: &str) -> anyhow::Result<usize> {
        let upper = self.value(key).text.trim().to_uppercase();
        let wrong = || self.wrong(key, "a size above 0 such as 500MB or 2GB");
        let (number, unit) = match (upper.strip_suffix("GB"), upper.strip_suffix("MB")) {
            (Some(number), _) => (number, 1e9),
            (_, Some(number)) => (number, 1e6),
            _ => return Err(wrong()),
        };
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        if number.is_finite() && number > 0.0 { Ok((number * unit) as usize) } else { Err(wrong()) }
    }
}

fn variable_of(key: &str) -> String {
    format!("SEPTET_{}", key.to_uppercase())
}

/// Variables that the tests read.
const OF_TESTS: [&str; 3] = ["SEPTET_TEST_", "SEPTET_DATA", "SEPTET_UPDATE"];

/// A misspelt variable would change nothing in silence.
fn warn_of_unknown_variables() {
    let known: Vec<String> = SETTINGS.iter().map(|setting| variable_of(setting.key)).collect();
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("SEPTET_")) else { continue };
        if !known.iter().any(|variable| variable == name) && !OF_TESTS.iter().any(|own| name.starts_with(own)) {
            let hint = septet_domain::did_you_mean(name, known.iter().map(String::as_str));
            let hint = hint.unwrap_or_else(|| "`septet settings` lists them".to_owned());
            eprintln!("warning: the environment variable {name} is no setting: it is ignored; {hint}");
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn given(key: &'static str, text: &str) -> Given {
        let default =
            |setting: &Setting| (setting.key, Value { text: setting.default.to_owned(), origin: "default".to_owned() });
        let mut values: BTreeMap<_, _> = SETTINGS.iter().map(default).collect();
        values.insert(key, Value { text: text.to_owned(), origin: "septet.toml".to_owned() });
        Given(values)
    }

    #[test]
    fn defaults_are_settings() {
        let settings = Settings::of(given("bind", "127.0.0.1")).expect("sound");
        assert_eq!((settings.hub_port, settings.memory_max, settings.log_after), (8000, 2_000_000_000, false));
    }

    #[test]
    fn a_wrong_value_is_refused_by_name_and_place() {
        for (key, text) in [
            ("memory_max", "2"),
            ("memory_max", "-1GB"),
            ("memory_max", "infGB"),
            ("threads", "0"),
            ("log_format", "xml"),
            ("bind", "localhost"),
            ("hub_port", "70000"),
            ("port_offset", "-1"),
            ("open_to_all", "true"),
            ("decision_log", "never"),
            ("clock_skew_max", "soon"),
            ("queue_max", "0"),
            ("rows_max", "1.5"),
            ("body_max", "1"),
            ("drain", "x"),
        ] {
            let error = Settings::of(given(key, text)).expect_err(key).to_string();
            assert!(error.contains(&format!("{key} = `{text}` (from septet.toml)")), "{error}");
        }
    }
}
