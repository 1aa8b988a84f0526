//! Mistakes that a person makes when writing a domain: `septet check` finds each, with its file and place, before anything runs.

use crate::check_domain;
use septet_domain::Domains;
use septet_tables::{Engine, EngineSettings};
use std::collections::BTreeMap;
use std::path::Path;

const FILES: [(&str, &str); 9] = [
    ("domain.toml", DOMAIN),
    ("features.sql", "SELECT\n    weight,\n    ln(weight + 1) AS weight_log,\n    sender_parcels_7d\nFROM parcels\n"),
    ("answer.sql", "SELECT round(weight * probability, 2) AS weight_at_risk FROM parcels\n"),
    ("sources/demo.sql", "SELECT parcel_id, sent_at, sender_id, weight, kind, was_lost FROM source\n"),
    (
        "sources/post.sql",
        "SELECT id AS parcel_id, \"AT\" AS sent_at, sender AS sender_id, kg AS weight, kind, lost AS was_lost FROM source\n",
    ),
    ("tables/daily.sql", "SELECT date_trunc('day', sent_at) AS day, count(*) AS parcels FROM parcels GROUP BY 1\n"),
    ("tables/busiest.sql", "SELECT sender_id, count(*) AS parcels FROM parcels GROUP BY sender_id\n"),
    (
        "monitor/days.sql",
        "-- Parcels by day\nSELECT window_start AS day, count(*) AS parcels FROM observed GROUP BY window_start\n",
    ),
    (
        "cases/parcels.json",
        "[\n  {\n    \"name\": \"a light one\",\n    \"event\": { \"parcel_id\": \"c\", \"sent_at\": \"2026-01-02\", \"sender_id\": \"s\", \"weight\": 0.5 },\n    \"windows\": { \"sender_parcels_7d\": 3 },\n    \"expect\": { \"probability_max\": 0.9, \"action\": \"send\", \"rules\": [] }\n  }\n]\n",
    ),
];

const DOMAIN: &str = r#"name = "parcels"
title = "Lost parcels"
question = "Will this parcel be lost?"
port = 9009
schedule = "0 2 * * *"

[input.parcels]
grain = "one parcel"
key = "parcel_id"
time = "sent_at"

[input.parcels.columns]
parcel_id = { type = "text", required = true, meaning = "number of the parcel" }
sent_at = { type = "timestamp", required = true, meaning = "when it was sent" }
sender_id = { type = "text", required = true, personal = "identifier", meaning = "who sent it" }
weight = { type = "number", required = true, min = 0, max = 1000, unit = "kg", meaning = "what it weighs" }
kind = { type = "text", values = ["letter", "box"], meaning = "what it is" }
was_lost = { type = "bool", label = true, known_after = "14d", meaning = "it never arrived" }

[layout.demo]
title = "made up"
simulated = true

[layout.post]
title = "as the post gives it"
decimal = ","

[[window]]
entity = "sender_id"
over = ["7d", "30d"]
columns = { parcels = "count()", weight_avg = "avg(weight)" }

[[window]]
entity = "sender_id"
name = "sender_past"
delay = "14d"
over = ["60d"]
columns = { lost_share = "avg(was_lost)" }

[features]
weight = { meaning = "weight", unit = "kg" }
weight_log = "weight on a logarithmic scale"
sender_parcels_7d = "parcels of the sender in 7 days"

[model]
kind = "linear"
target = "was_lost"
split = { by = "time", train = "28d", delay = "14d", test = "7d", folds = 2 }
measure = "average_precision"
baselines = ["prior"]

[model.search]
c = [0.1, 1]

[lookup.busy]
table = "busiest"
key = "sender_id"
by = "sender_id"

[decision]
flags_per_day = 10
positive = "hold"
negative = "send"

[[rule]]
name = "heavy"
title = "heavier than a person can carry"
when = "weight > 100"
action = "hold"

[[watch]]
name = "held"
title = "parcels held in a day"
sql = "SELECT window_start AS at, sum(CASE WHEN action = 'hold' THEN 1 ELSE 0 END) AS value FROM observed GROUP BY window_start"
band = "up"
owner = "the depot"
"#;

/// The domain with changes, as check finds it: what it says, or nothing.
async fn found(folder: &Path, changes: &[(&str, &str, &str)], more: &[(&str, &str)]) -> String {
    let mut files: BTreeMap<&str, String> = FILES.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
    for (path, old, new) in changes {
        let text = files.get_mut(path).expect("a file of the domain");
        assert!(text.contains(old), "`{old}` is not in {path}");
        *text = text.replacen(old, new, 1);
    }
    files.extend(more.iter().map(|(path, text)| (*path, (*text).to_owned())));
    let _ = std::fs::remove_dir_all(folder);
    for (path, text) in files {
        let path = folder.join("parcels").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let spill_folder = folder.join("spill");
    let engine = Engine::new(&EngineSettings { memory_max: 1 << 28, spill_folder, partitions: 1 }).unwrap();
    let domains = Domains::find(Some(folder)).unwrap();
    let checked = match domains.load("parcels") {
        Ok(domain) => match domains.same_port(&domain) {
            None => check_domain(&engine, &domain).await,
            Some(problem) => Err(septet_domain::Problems(vec![problem]).into()),
        },
        Err(problems) => Err(problems.into()),
    };
    checked.err().map(|error| error.to_string()).unwrap_or_default().replace(&folder.display().to_string(), "")
}

const T: &str = "domain.toml";
const F: &str = "features.sql";
const C: &str = "cases/parcels.json";

/// File, what stood there, what a person made of it, and what is said of it.
const PLANTED: &[(&str, &str, &str, &[&str])] = &[
    // The file as such.
    (T, "port = 9009", "port = 90090", &["domain.toml:4:8"]),
    (T, "port = 9009", "port = 80", &["domain.toml:4:1", "port 80"]),
    (T, "port = 9009", "port = 8000", &["domain.toml:4:1", "the hub's"]),
    (T, "port = 9009", "port = 8001", &["domain.toml:4:1", "`fraud`'s too"]),
    (T, "port = 9009", "prot = 9009", &["domain.toml:4:1", "did you mean `port`?"]),
    (T, "port = 9009\n", "", &["port"]),
    (T, "name = \"parcels\"", "name = \"parcel\"", &["domain.toml:1:8", "folder is `parcels`"]),
    (T, "0 2 * * *", "0 2 * *", &["schedule has 4 fields"]),
    (T, "0 2 * * *", "0 25 * * *", &["domain.toml:5:", "schedule"]),
    (T, "[model]", "[modell]", &["did you mean `model`?"]),
    (T, "title = \"Lost parcels\"", "title = Lost parcels", &["domain.toml:2:"]),
    // The contract.
    (T, "key = \"parcel_id\"\ntime", "key = \"parcelid\"\ntime", &["domain.toml:9:7", "did you mean `parcel_id`?"]),
    (T, "time = \"sent_at\"", "time = \"sent\"", &["domain.toml:10:8", "did you mean `sent_at`?"]),
    (T, "type = \"number\"", "type = \"float\"", &["domain.toml:16:", "float"]),
    (T, "type = \"timestamp\"", "type = \"text\"", &["must be timestamp"]),
    (T, "min = 0, max = 1000", "min = 1000, max = 0", &["domain.toml:16:1", "min"]),
    (T, "sent_at = { type = \"timestamp\", required = true", "sent_at = { type = \"timestamp\"", &["required = true"]),
    (
        T,
        "kind = { type = \"text\", values",
        "kind = { type = \"text\", min = 0, values",
        &["min or max but is not a number"],
    ),
    (T, "values = [\"letter\", \"box\"]", "values = []", &["domain.toml:17:1", "values"]),
    (T, "known_after = \"14d\"", "known_after = \"14 days\"", &["is not a length of time", "such as `7d`"]),
    (T, "label = true, known_after", "known_after", &["known_after but not label"]),
    (T, "personal = \"identifier\"", "personal = \"yes\"", &["domain.toml:15:", "yes"]),
    // Layouts.
    (T, "[layout.demo]\ntitle = \"made up\"\nsimulated = true\n", "", &["[layout.demo]"]),
    (T, "[layout.post]", "[layout.psot]", &["did you mean `post`?"]),
    (T, "decimal = \",\"", "decimal = \";\"", &["domain.toml:24:1", "[layout.post]", "decimal"]),
    ("sources/post.sql", "SELECT", "SELEC", &["sources/post.sql:1:"]),
    ("sources/post.sql", "kg AS weight, ", "", &["sources/post.sql:1:1", "`weight`", "does not deliver"]),
    ("sources/post.sql", "AS weight", "AS wieght", &["sources/post.sql:1:1", "did you mean `wieght`?"]),
    ("sources/post.sql", "FROM source", "FROM parcels_raw", &["sources/post.sql:1:", "parcels_raw"]),
    ("sources/post.sql", "kg AS weight", "round(kg AS weight", &["sources/post.sql:1:"]),
    ("sources/demo.sql", "weight", "wieght(kg) AS weight", &["sources/demo.sql:1:", "wieght"]),
    // Windows.
    (T, "entity = \"sender_id\"\nover", "entity = \"sender\"\nover", &["did you mean `sender_id`?"]),
    (T, "avg(weight)", "mean(weight)", &["`mean` is not an aggregate", "expected count, sum"]),
    (T, "avg(weight)", "avg(wieght)", &["domain.toml:31:", "wieght"]),
    (T, "over = [\"7d\", \"30d\"]", "over = []", &["over needs at least one length"]),
    (T, "over = [\"7d\", \"30d\"]", "over = [\"a week\"]", &["is not a length of time"]),
    (T, "delay = \"14d\"\nover", "delay = \"1d\"\nover", &["known after 14d", "set delay = \"14d\""]),
    (T, "name = \"sender_past\"\n", "name = \"sender\"\n", &[]),
    (
        T,
        "name = \"sender_past\"\ndelay = \"14d\"\nover = [\"60d\"]\ncolumns = { lost_share = \"avg(was_lost)\" }",
        "over = [\"7d\"]\ncolumns = { parcels = \"count()\" }",
        &["two columns would be called `sender_parcels_7d`"],
    ),
    // Features.
    (F, "    weight,", "    wieght,", &["features.sql:2:5", "wieght"]),
    (F, "ln(weight + 1)", "log1p(weight)", &["features.sql:3:", "log1p"]),
    (F, "AS weight_log,", "AS weight_log", &["features.sql:"]),
    (F, "    sender_parcels_7d", "    sender_parcels_8d", &["features.sql:4:5", "Did you mean"]),
    (F, "    sender_parcels_7d", "    sender_parcels_7d,\n    was_lost", &["features.sql:5:5", "was_lost"]),
    (F, "FROM parcels", "FROM parcels WHERE weight > 1", &["without WHERE"]),
    (F, "ln(weight + 1)", "random()", &["depends on when it is called"]),
    (F, "ln(weight + 1)", "'a' || weight + 1", &["features.sql:"]),
    (F, "AS weight_log", "AS weight", &["features.sql:", "`weight`"]),
    (T, "weight_log = ", "weight_lgo = ", &["did you mean `weight_log`?"]),
    // The model.
    (T, "kind = \"linear\"", "kind = \"liner\"", &["did you mean `linear`?"]),
    (T, "target = \"was_lost\"", "target = \"weight\"", &["not a column with label"]),
    (T, "measure = \"average_precision\"", "measure = \"average_precison\"", &["did you mean `average_precision`?"]),
    (T, "measure = \"average_precision\"", "measure = \"rmse\"", &["`rmse` does not measure"]),
    (T, "baselines = [\"prior\"]", "baselines = [\"priori\"]", &["did you mean `prior`?"]),
    (T, "c = [0.1, 1]", "cc = [0.1, 1]", &["domain.toml:", "`cc`"]),
    (T, "c = [0.1, 1]", "c = []", &["has no value to try"]),
    (T, "c = [0.1, 1]", "c = [-1]", &["`c`"]),
    (T, "delay = \"14d\", test", "delay = \"1d\", test", &["the split's delay is 1d"]),
    (T, "by = \"time\"", "by = \"times\"", &["times"]),
    (T, "folds = 2", "folds = 0", &["folds"]),
    // Look-ups, decision, rules, answer.
    (T, "table = \"busiest\"", "table = \"buisiest\"", &["did you mean `busiest`?"]),
    (T, "key = \"sender_id\"\nby", "key = \"sender\"\nby", &["domain.toml:", "`sender`"]),
    (T, "by = \"sender_id\"", "by = \"sendr_id\"", &["did you mean `sender_id`?"]),
    (T, "flags_per_day = 10\n", "", &["exactly one"]),
    (T, "flags_per_day = 10", "flags_per_day = 10\nthreshold = 0.5", &["has 2 of"]),
    (T, "flags_per_day = 10", "threshold = 50", &["threshold"]),
    (T, "action = \"hold\"", "action = \"hodl\"", &["did you mean `hold`?"]),
    (T, "when = \"weight > 100\"", "when = \"wieght > 100\"", &["domain.toml:", "wieght"]),
    (T, "when = \"weight > 100\"", "when = \"weight\"", &["when", "condition"]),
    ("answer.sql", "probability", "probabilty", &["answer.sql:1:", "probabilty"]),
    // Tables, watches, pages.
    ("tables/daily.sql", "count(*)", "cuont(*)", &["tables/daily.sql:1:", "cuont"]),
    ("tables/daily.sql", "FROM parcels", "FROM busiest", &["tables/daily.sql:1:", "sent_at"]),
    ("tables/busiest.sql", "GROUP BY sender_id", "", &["tables/busiest.sql:1:"]),
    ("monitor/days.sql", "window_start AS day", "window_begin AS day", &["monitor/days.sql:2:", "window_begin"]),
    (T, "AS value FROM observed", "AS vlaue FROM observed", &["domain.toml:", "`value`"]),
    (T, "band = \"up\"\n", "", &["needs a level"]),
    (T, "band = \"up\"", "band = \"upwards\"", &["upwards"]),
    // Cases.
    (C, "[\n", "{\n", &["cases/parcels.json:1:"]),
    (C, "]\n", "\n", &["cases/parcels.json:"]),
    (C, "\"event\"", "\"evnt\"", &["cases/parcels.json:4:", "evnt"]),
    (C, "\"weight\": 0.5", "\"wieght\": 0.5", &["cases/parcels.json:3:", "wieght"]),
    (C, "\"weight\": 0.5", "\"weight\": \"light\"", &["cases/parcels.json:3:", "/weight"]),
    (C, "\"weight\": 0.5", "\"weight\": -5", &["cases/parcels.json:3:", "/weight"]),
    (C, "sender_parcels_7d", "sender_parcel_7d", &["did you mean `sender_parcels_7d`?"]),
    (C, "\"send\"", "\"sent\"", &["there is no action `sent`", "did you mean `send`?"]),
    (C, "\"rules\": []", "\"rules\": [\"heavyy\"]", &["did you mean `heavy`?"]),
    (C, "probability_max", "probability_maximum", &["cases/parcels.json:6:", "probability_maximum"]),
    (
        C,
        "\"probability_max\": 0.9",
        "\"probability_min\": 0.9, \"probability_max\": 0.1",
        &["at least 0.9 and at most 0.1"],
    ),
];

#[tokio::test]
async fn the_mistakes_that_people_make_are_found_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(found(folder.path(), &[], &[]).await, "", "the domain without a mistake");
    let mut missed = Vec::new();
    let mut wrong = 0;
    for (file, old, new, expected) in PLANTED {
        let said = found(folder.path(), &[(file, old, new)], &[]).await;
        // What is allowed is there too: not every change is a mistake.
        let sound = said.is_empty() == expected.is_empty();
        if !sound || expected.iter().any(|part| !said.contains(part)) {
            missed.push(format!("{file}: `{old}` -> `{new}`: expected {expected:?} in\n{said}"));
        }
        wrong += usize::from(!expected.is_empty());
    }
    for (path, hint) in [
        ("feature.sql", "did you mean `features.sql`?"),
        ("table/extra.sql", "did you mean `tables`?"),
        ("cases/more.sql", "end in .json"),
        ("sources/post.parcel.sql", "did you mean `parcels`?"),
    ] {
        let said = found(folder.path(), &[], &[(path, "SELECT 1 AS one")]).await;
        if !said.contains(hint) || !said.contains(path) {
            missed.push(format!("{path}: expected {hint} in\n{said}"));
        }
        wrong += 1;
    }
    assert!(missed.is_empty(), "{} of {wrong} are not found as they should:\n\n{}", missed.len(), missed.join("\n\n"));
    assert!(wrong >= 60, "{wrong}");
}
