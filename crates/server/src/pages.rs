//! What the pages that are read hold, field by field, for `/openapi.json`.

use serde_json::{Map, Value, json};

/// A field and its JSON type; `?` after it where it may be null, `any` where it is the library's or the domain's own.
type Field = (&'static str, &'static str);

/// The fields of each page, by its operation's id. All are always there.
const PAGES: [(&str, &[Field]); 10] = [
    (
        "health",
        &[
            ("status", "string"),
            ("domain", "string"),
            ("program_version", "string"),
            ("model_version", "string?"),
            ("stage", "string"),
            ("notes", "array"),
            ("uptime_seconds", "number"),
            ("dependencies", "object"),
            ("last_run", "object?"),
            ("queue", "object"),
            ("windows", "object"),
            ("events_answered", "integer"),
            ("newest_event", "string?"),
        ],
    ),
    ("livez", &[("status", "string")]),
    ("readyz", &[("status", "string"), ("stage", "string")]),
    (
        "modelInfo",
        &[
            ("version", "string"),
            ("kind", "string"),
            ("question", "string"),
            ("target", "string"),
            ("trained_at", "string?"),
            ("trained_on", "object"),
            ("task", "string"),
            ("parameters", "object"),
            ("learned", "object"),
            ("metrics", "object"),
            ("decision", "object?"),
            ("gates", "any"),
            ("card", "string"),
        ],
    ),
    ("modelFeatures", &[("version", "string"), ("features", "array")]),
    ("quality", &[("last_run", "object?"), ("requests", "object"), ("freshness", "object")]),
    (
        "drift",
        &[
            ("version", "string"),
            ("rows_min", "integer"),
            ("conventions", "object"),
            ("columns", "array?"),
            ("look", "object"),
        ],
    ),
    (
        "performance",
        &[
            ("version", "string?"),
            ("as_of", "string?"),
            ("window", "any"),
            ("immature_from", "any"),
            ("performance", "array?"),
            ("panels", "array?"),
            ("watches", "array?"),
            ("budget", "object?"),
            ("notes", "array?"),
            ("trouble", "any"),
        ],
    ),
    ("alerts", &[("open", "integer"), ("alerts", "array"), ("deliveries", "array")]),
    ("system", &[("sample", "object"), ("levels", "any")]),
];

/// The schema of a page's reply.
pub fn schema(id: &str) -> Value {
    let fields = PAGES.iter().find(|(known, _)| *known == id).map_or(&[][..], |(_, fields)| *fields);
    let properties: Map<String, Value> =
        fields.iter().map(|(name, kind)| ((*name).to_owned(), of_type(kind))).collect();
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn of_type(kind: &str) -> Value {
    let bare = kind.trim_end_matches('?');
    let mut schema = match bare {
        "any" => return json!({}),
        "array" => json!({ "type": bare, "items": {} }),
        bare => json!({ "type": bare }),
    };
    if kind != bare {
        schema["type"] = json!([bare, "null"]);
    }
    schema
}
