//! Values that are a table or, where only one thing is said, its text.

use schemars::Schema;
use serde::Deserializer;
use serde::de::{Error, MapAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

pub(super) trait Short: Sized {
    fn of_text(text: String) -> Self;
    fn of_table<'de, A: MapAccess<'de>>(table: A) -> Result<Self, A::Error>;
}

pub(super) fn text_or_table<'de, T: Short, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(TextOrTable(PhantomData))
}

struct TextOrTable<T>(PhantomData<T>);

impl<'de, T: Short> Visitor<'de> for TextOrTable<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a table")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::of_text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<T, A::Error> {
        T::of_table(table)
    }
}

/// The schema's word for it.
pub(super) fn or_text(schema: &mut Schema) {
    schema.insert("type".to_owned(), serde_json::json!(["object", "string"]));
}
