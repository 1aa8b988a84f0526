//! One line of NDJSON: its fields as they were written, so that a number keeps every digit.

use serde::de::{Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A field's value. Numbers are as they were written, and so is what is made of other values.
pub(crate) enum JsonValue<'a> {
    Null,
    Text(String),
    Number(&'a str),
    Truth(&'a str),
    Nested(&'a str),
}

/// The fields of an object in their order. A name that comes twice is an error.
pub(crate) fn fields(line: &[u8]) -> serde_json::Result<Vec<(String, JsonValue<'_>)>> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let fields = serde::Deserializer::deserialize_map(&mut reader, Fields)?;
    reader.end()?;
    Ok(fields)
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, JsonValue<'de>)>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = Vec::new();
        while let Some((name, raw)) = map.next_entry::<String, &'de RawValue>()? {
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("the key `{name}` comes twice")));
            }
            fields.push((name, value(raw.get()).map_err(A::Error::custom)?));
        }
        Ok(fields)
    }
}

fn value(text: &str) -> serde_json::Result<JsonValue<'_>> {
    Ok(match text.as_bytes().first() {
        Some(b'"') => JsonValue::Text(serde_json::from_str(text)?),
        Some(b'n') => JsonValue::Null,
        Some(b't' | b'f') => JsonValue::Truth(text),
        Some(b'{' | b'[') => JsonValue::Nested(text),
        _ => JsonValue::Number(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits_and_a_name_comes_once() {
        let line =
            br#"{"a": 18446744073709551617, "b":1.10, "c":"1.10", "d":-0 ,"e":1E5,"f":null,"g":true,"h":[1.10]}"#;
        let shown: Vec<String> = fields(line)
            .unwrap()
            .into_iter()
            .map(|(name, value)| match value {
                JsonValue::Null => format!("{name} null"),
                JsonValue::Text(text) => format!("{name} text {text}"),
                JsonValue::Number(text) => format!("{name} number {text}"),
                JsonValue::Truth(text) => format!("{name} truth {text}"),
                JsonValue::Nested(text) => format!("{name} nested {text}"),
            })
            .collect();
        let expected = "a number 18446744073709551617,b number 1.10,c text 1.10,d number -0,e number 1E5,f null,g truth true,h nested [1.10]";
        assert_eq!(shown.join(","), expected);
        for wrong in ["{\"a\":1,\"a\":2}", "[1]", "{\"a\":1", "{\"a\":1} x", "{\"a\":01}", "{\"a\":\"\\ud800\"}", "5"] {
            assert!(fields(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
