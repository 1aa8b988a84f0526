//! Parameters of model kinds, with types: a misspelt name or a value out of range is refused before anything is fitted.

use septet_domain::{ParameterValue, did_you_mean};
use std::collections::BTreeMap;
use std::fmt;

/// One thing that a kind can be told.
pub struct Parameter {
    pub name: &'static str,
    pub range: Range,
    /// What it is where nothing is said, in words.
    pub default: &'static str,
    pub meaning: &'static str,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub enum Range {
    /// A number from one end to the other, both included.
    Number(f64, f64),
    /// A whole number from one end to the other, both included.
    Whole(f64, f64),
    /// A truth value; 0 and 1 stand for false and true.
    Flag,
    /// One of some words.
    Word(&'static [&'static str]),
    /// The name of a label.
    Label,
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |value: f64| if value == f64::MAX { "any".to_owned() } else { value.to_string() };
        match self {
            Range::Number(min, max) => write!(f, "a number from {} to {}", min, end(*max)),
            Range::Whole(min, max) => write!(f, "a whole number from {} to {}", min, end(*max)),
            Range::Flag => f.write_str("true or false"),
            Range::Word(words) => write!(f, "one of {}", words.join(", ")),
            Range::Label => f.write_str("the name of a label"),
        }
    }
}

impl Range {
    fn holds(&self, value: &ParameterValue) -> bool {
        match (self, value) {
            (Range::Number(min, max), ParameterValue::Number(value)) => (*min..=*max).contains(value),
            (Range::Whole(min, max), ParameterValue::Number(value)) => {
                value.fract() == 0.0 && (*min..=*max).contains(value)
            }
            (Range::Flag, ParameterValue::Flag(_)) => true,
            (Range::Flag, ParameterValue::Number(value)) => *value == 0.0 || *value == 1.0,
            (Range::Word(words), ParameterValue::Word(value)) => words.contains(&value.as_str()),
            (Range::Label, ParameterValue::Word(_)) => true,
            _ => false,
        }
    }
}

/// Says what is wrong with a parameter, with a hint; none if nothing is.
pub fn wrong(
    known: &[Parameter],
    kind: &str,
    name: &str,
    value: &ParameterValue,
    labels: &[&str],
) -> Option<(String, Option<String>)> {
    let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
        let names = known.iter().map(|parameter| parameter.name);
        let hint = did_you_mean(name, names.clone());
        let all: Vec<&str> = names.collect();
        return Some((format!("kind `{kind}` has no parameter `{name}`; it has {}", all.join(", ")), hint));
    };
    if let (Range::Label, ParameterValue::Word(label)) = (parameter.range, value)
        && !labels.contains(&label.as_str())
    {
        let hint = did_you_mean(label, labels.iter().copied());
        return Some((format!("`{name}` is `{label}`, which is no label of this domain"), hint));
    }
    match parameter.range.holds(value) {
        true => None,
        false => Some((format!("`{name}` is `{value}`; expected {}", parameter.range), None)),
    }
}

/// Values of parameters by name, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters(pub BTreeMap<String, ParameterValue>);

impl Parameters {
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.0.get(name)? {
            ParameterValue::Number(value) => Some(*value),
            ParameterValue::Flag(value) => Some(f64::from(u8::from(*value))),
            ParameterValue::Word(_) => None,
        }
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.number(name).map(|value| value != 0.0)
    }

    pub fn word(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            ParameterValue::Word(value) => Some(value),
            _ => None,
        }
    }

    /// All but some.
    pub fn without(&self, names: &[&str]) -> Parameters {
        Parameters(
            self.0
                .iter()
                .filter(|(name, _)| !names.contains(&name.as_str()))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_and_a_value_out_of_range_are_refused_with_what_was_expected() {
        let known = [
            Parameter { name: "trees", range: Range::Whole(1.0, 9.0), default: "5", meaning: "how many" },
            Parameter { name: "model", range: Range::Word(&["a", "b"]), default: "a", meaning: "which" },
            Parameter { name: "pairs", range: Range::Flag, default: "true", meaning: "whether" },
        ];
        let number = ParameterValue::Number;
        let (message, hint) = wrong(&known, "k", "teres", &number(3.0), &[]).unwrap();
        assert!(message.contains("no parameter `teres`") && hint.unwrap().contains("`trees`"));
        for (name, value) in [
            ("trees", number(3.5)),
            ("trees", number(10.0)),
            ("model", ParameterValue::Word("c".to_owned())),
            ("pairs", number(2.0)),
        ] {
            assert!(wrong(&known, "k", name, &value, &[]).is_some(), "{name} = {value}");
        }
        for (name, value) in [
            ("trees", number(9.0)),
            ("model", ParameterValue::Word("b".to_owned())),
            ("pairs", number(1.0)),
            ("pairs", ParameterValue::Flag(false)),
        ] {
            assert!(wrong(&known, "k", name, &value, &[]).is_none(), "{name} = {value}");
        }
    }
}
