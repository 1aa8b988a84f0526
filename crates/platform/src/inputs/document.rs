//! A request's JSON as a document: a name that is given twice in one object is found at any depth, and what cannot be read is said in
//! the sender's words. JSON leaves open which of two values counts, and every reader on the way may take another.

use super::cells::{Violation, escaped};
use super::contract::Unread;
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Names told that are given twice.
const TWICE_TOLD: usize = 20;

/// What people's programs write for values that JSON does not have.
const NO_JSON: [&str; 9] = ["NaN", "nan", "Infinity", "inf", "True", "False", "None", "undefined", "NULL"];

#[derive(Debug)]
pub struct Document {
    /// The last of two values of one name.
    pub value: Value,
    /// Names that are given twice.
    pub twice: Vec<Violation>,
}

/// Reads a JSON text; `pointer` is where it stands in the caller's document.
pub fn read_document(text: &str, pointer: &str) -> Result<Document, Unread> {
    let (mut path, mut twice) = (pointer.to_owned(), Vec::new());
    let mut reader = serde_json::Deserializer::from_str(text);
    let read = Node { path: &mut path, twice: &mut twice }.deserialize(&mut reader);
    match read.and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => Ok(Document { value, twice: twice.into_iter().map(given_twice).collect() }),
        Err(error) if error.to_string().starts_with("number out of range") => {
            let detail = "the number is beyond what 64 bits of floating point hold".to_owned();
            Err(Unread::Violations(vec![Violation { pointer: path, code: "range", detail }]))
        }
        Err(error) => Err(Unread::NotJson(fault(text, &error))),
    }
}

pub fn given_twice(pointer: String) -> Violation {
    Violation { pointer, code: "repeated", detail: "this name is given more than once".to_owned() }
}

/// What is wrong with a text that is no JSON, with its place.
pub fn fault(text: &str, error: &serde_json::Error) -> String {
    if text.trim().is_empty() {
        return "there is nothing in it; expected JSON".to_owned();
    }
    let place = format!("line {} column {}", error.line(), error.column());
    if error.is_eof() {
        return format!("the text ends too early, in the middle of a value: {error}");
    }
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let words = line.split(|c: char| !c.is_ascii_alphanumeric());
    let at = |word: &&str| {
        let start = word.as_ptr() as usize - line.as_ptr() as usize;
        (start..=start + word.len()).contains(&error.column().saturating_sub(1))
    };
    match words.filter(at).find(|word| NO_JSON.contains(word)) {
        Some(word) => format!("`{word}` at {place} is not JSON; what is missing is null, and truth is true or false"),
        None => error.to_string(),
    }
}

/// A value, and where it stands.
struct Node<'a> {
    path: &'a mut String,
    twice: &'a mut Vec<String>,
}

impl Node<'_> {
    /// Reads what stands one step further down. After an error the path says where it was.
    fn step<E>(&mut self, step: &str, read: impl FnOnce(Node) -> Result<Value, E>) -> Result<Value, E> {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(step);
        let value = read(Node { path: self.path, twice: self.twice })?;
        self.path.truncate(length);
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let mut ended = false;
            let item = self.step(&list.len().to_string(), |node| {
                let item = items.next_element_seed(node)?;
                ended = item.is_none();
                Ok(item.unwrap_or_default())
            })?;
            if ended {
                return Ok(list.into());
            }
            list.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = self.step(&escaped(&name), |node| fields.next_value_seed(node))?;
            if object.contains_key(&name) && self.twice.len() < TWICE_TOLD {
                let pointer = format!("{}/{}", self.path, escaped(&name));
                if !self.twice.contains(&pointer) {
                    self.twice.push(pointer);
                }
            }
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_given_twice_is_found_wherever_it_stands() {
        let found = |text: &str| -> Vec<String> {
            read_document(text, "/3").unwrap().twice.into_iter().map(|twice| twice.pointer).collect()
        };
        let nothing: [&str; 0] = [];
        assert_eq!(found(r#"{"a": 1, "b": {"a": 2}, "c": [{"a": 1}, {"a": 1}]}"#), nothing);
        assert_eq!(found(r#"{"a": 1, "a": 1}"#), ["/3/a"]);
        assert_eq!(found(r#"{"amount": 1, "am\u006funt": 2}"#), ["/3/amount"]);
        assert_eq!(found(r#"{"a": 1, "a": 2, "a": 3, "b": null, "b": null}"#), ["/3/a", "/3/b"]);
        assert_eq!(found(r#"{"x": [1, {"y/z": {"": 1, "": 2}}]}"#), ["/3/x/1/y~1z/"]);
        assert_eq!(found(r#"[{"a": 1}, {"a": 1, "a": 2}]"#), ["/3/1/a"]);
        assert_eq!(found(r#"{"a": {"b": 1, "b": 2}, "a": 5}"#), ["/3/a/b", "/3/a"]);
    }

    #[test]
    fn what_cannot_be_read_is_said_in_the_senders_words_with_its_place() {
        let cases = [
            ("", "there is nothing in it"),
            (" \n ", "there is nothing in it"),
            ("{\"a\": NaN}", "`NaN` at line 1 column"),
            ("{\n\"a\": -Infinity}", "`Infinity` at line 2 column"),
            ("{\"a\": None, \"b\": 1}", "`None` at line 1 column"),
            ("{\"a\": 1, \"b", "ends too early"),
            ("{\"a\": 1", "ends too early"),
            ("{\"a\": 1,}", "trailing comma at line 1 column 9"),
            ("{'a': 1}", "at line 1 column 2"),
            ("{} {}", "trailing characters at line 1 column 4"),
        ];
        for (text, expected) in cases {
            let Err(Unread::NotJson(said)) = read_document(text, "") else { panic!("{text}") };
            assert!(said.contains(expected), "{text}: {said}");
        }
        let Err(Unread::Violations(said)) = read_document(r#"{"a": [0, {"b/c": -1e400}]}"#, "/7") else { panic!() };
        assert_eq!((&*said[0].pointer, said[0].code), ("/7/a/1/b~1c", "range"));
    }
}
