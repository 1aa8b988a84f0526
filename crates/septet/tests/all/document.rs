//! Whether an API document is what OpenAPI 3.1 allows, as far as ours can go wrong, and whether its examples fit its schemas.

use serde_json::Value;

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "object", "array", "null"];
const METHODS: [&str; 4] = ["get", "post", "put", "delete"];

/// Panics with all that is wrong.
pub fn check_document(document: &Value) {
    let mut wrong = Vec::new();
    let tags: Vec<&Value> = document["tags"].as_array().into_iter().flatten().map(|tag| &tag["name"]).collect();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let place = format!("{method} {path}");
            let known = METHODS.contains(&method.as_str()) && tags.contains(&&operation["tags"][0]);
            if !known || operation["operationId"].as_str().is_none() {
                wrong.push(format!("{place}: no such method, no tag or no name"));
            }
            let reply = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            if method == "get"
                && reply.is_object()
                && resolved(document, reply)["properties"].as_object().is_none_or(|all| all.is_empty())
            {
                wrong.push(format!("{place}: its reply says nothing"));
            }
            let media = operation["requestBody"]["content"].as_object();
            for (kind, media) in media.into_iter().flatten().filter(|(_, media)| media.get("example").is_some()) {
                fits(document, &media["schema"], &media["example"], &format!("{place}: example of {kind}"), &mut wrong);
            }
        }
    }
    schemas(document, document, "", &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    validated(document);
}

/// By a validator of other people, where there is one.
fn validated(document: &Value) {
    let Ok(python) = std::env::var("SEPTET_TEST_PYTHON") else { return };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, document.to_string().as_bytes()).unwrap();
    let script = "import json, sys, openapi_spec_validator as v; v.validate(json.load(open(sys.argv[1])))";
    let done = std::process::Command::new(python).args(["-c", script]).arg(file.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str().and_then(|name| name.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => schema,
    }
}

/// Every object that is a schema: one under `schema`, `properties`, `items` or `schemas`.
fn schemas(document: &Value, at: &Value, place: &str, wrong: &mut Vec<String>) {
    match at {
        Value::Object(fields) => {
            if fields.contains_key("$ref") && resolved(document, at).is_null() {
                wrong.push(format!("{place}: {} leads nowhere", fields["$ref"]));
            }
            let named = !place.ends_with("/properties") && !place.ends_with("/schemas") && !place.contains("/example");
            if named {
                own_words(fields, place, wrong);
            }
            fields.iter().for_each(|(name, value)| schemas(document, value, &format!("{place}/{name}"), wrong));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| schemas(document, item, &format!("{place}/{at}"), wrong));
        }
        _ => {}
    }
}

fn own_words(fields: &serde_json::Map<String, Value>, place: &str, wrong: &mut Vec<String>) {
    let mut must = |name: &str, holds: fn(&Value) -> bool| {
        if fields.get(name).is_some_and(|value| !holds(value)) {
            wrong.push(format!("{place}/{name}: {}", fields[name]));
        }
    };
    must("type", |value| {
        let known = |word: &Value| word.as_str().is_some_and(|word| TYPES.contains(&word) || word == "http");
        value.as_array().map_or_else(|| known(value), |all| !all.is_empty() && all.iter().all(known))
    });
    for name in ["enum", "oneOf", "anyOf", "required", "tags"] {
        // `required` of a parameter is a truth value.
        must(name, |value| value.is_boolean() || value.is_array());
    }
    for name in ["minimum", "maximum", "minLength", "maxLength", "minProperties", "minItems", "maxItems"] {
        must(name, Value::is_number);
    }
    for name in ["pattern", "format", "summary", "operationId"] {
        must(name, Value::is_string);
    }
    let satisfiable = fields.get("minProperties").and_then(Value::as_u64).unwrap_or(0)
        <= fields.get("properties").and_then(Value::as_object).map_or(u64::MAX, |all| all.len() as u64);
    if !satisfiable {
        wrong.push(format!("{place}: asks for more properties than it allows"));
    }
}

/// Whether a value is what a schema allows.
fn fits(document: &Value, schema: &Value, value: &Value, place: &str, wrong: &mut Vec<String>) {
    let schema = resolved(document, schema);
    for ways in ["oneOf", "anyOf"].iter().filter_map(|name| schema[name].as_array()) {
        let fit = |way: &&Value| {
            let mut own = Vec::new();
            fits(document, way, value, place, &mut own);
            own.is_empty()
        };
        if ways.iter().filter(fit).count() == 0 {
            wrong.push(format!("{place}: no way fits {value}"));
        }
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is = |word: &Value| word == kind || kind == "integer" && word == "number";
    let types = &schema["type"];
    if !(types.is_null() || is(types) || types.as_array().is_some_and(|all| all.iter().any(is))) {
        wrong.push(format!("{place}: {value} is no {types}"));
    }
    if schema["format"] == "date-time"
        && value.as_str().is_some_and(|text| !(text.contains('T') && text.ends_with('Z')))
    {
        wrong.push(format!("{place}: {value} is no date-time"));
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        wrong.push(format!("{place}: {value} is not among {}", schema["enum"]));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            wrong.push(format!("{place}: `{name}` is missing"));
        }
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(own) => fits(document, own, field, &format!("{place}/{name}"), wrong),
            None if schema["additionalProperties"] == false => wrong.push(format!("{place}: `{name}` is not known")),
            None => {}
        }
    }
    for item in value.as_array().into_iter().flatten().filter(|_| schema["items"].is_object()) {
        fits(document, &schema["items"], item, place, wrong);
    }
}
