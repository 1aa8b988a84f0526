//! Whether an answer is what the service's own document says of it.

use serde_json::Value;

/// Where a value is not what its schema says: types, required fields, constants and enumerations, all the way down.
pub fn mismatch(schema: &Value, value: &Value, all: &Value, place: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return mismatch(&all[reference.rsplit('/').next().unwrap_or_default()], value, all, place);
    }
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    };
    let fits = match &schema["type"] {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    };
    if !fits {
        return Some(format!("`{place}` is not {}", schema["type"]));
    }
    if schema.get("const").is_some_and(|constant| constant != value) {
        return Some(format!("`{place}` is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        return Some(format!("`{place}` is not one of {}", schema["enum"]));
    }
    if let Some(fields) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(missing) = required.into_iter().find(|name| !fields.contains_key(*name)) {
            return Some(format!("`{place}/{missing}` is missing"));
        }
        for (name, own) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = fields.get(name)
                && let Some(found) = mismatch(own, value, all, &format!("{place}/{name}"))
            {
                return Some(found);
            }
        }
    }
    let items = value.as_array().into_iter().flatten().enumerate();
    items.filter_map(|(at, item)| mismatch(&schema["items"], item, all, &format!("{place}/{at}"))).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_held_against_its_schema_all_the_way_down() {
        let all = json!({ "Reason": { "type": "object", "required": ["text"], "properties": { "text": { "type": "string" } } } });
        let schema = json!({ "type": "object", "properties": { "reasons": { "type": "array", "items": { "$ref": "#/x/Reason" } } } });
        assert_eq!(mismatch(&schema, &json!({ "reasons": [{ "text": "a" }] }), &all, ""), None);
        assert!(
            mismatch(&schema, &json!({ "reasons": [{ "text": 1 }] }), &all, "")
                .is_some_and(|e| e.contains("/reasons/0/text"))
        );
        assert!(mismatch(&schema, &json!({ "reasons": [{}] }), &all, "").is_some());
    }
}
