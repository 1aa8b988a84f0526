//! A reason in words: what a feature means, what it is, and which way it moves the answer.

use crate::values::OwnedValue;
use crate::version::Manifest;
use septet_domain::Domain;

/// "Mean amount of the card in 7 days" and " EUR".
#[derive(Clone, Debug)]
pub(super) struct Phrase {
    meaning: String,
    unit: String,
    /// What is answered is a number, not a probability.
    pub number: bool,
}

pub(super) fn phrases(domain: &Domain, manifest: &Manifest) -> Vec<Phrase> {
    let phrase = |feature: &crate::version::FeatureSchema| {
        let said = domain.spec.words_of(&feature.name);
        let meaning = said.meaning.or_else(|| feature.meaning.clone()).unwrap_or_else(|| feature.name.clone());
        let mut letters = meaning.chars();
        let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
        let unit = feature.unit.clone().or(said.unit);
        let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        Phrase { meaning: first + letters.as_str(), unit, number: manifest.task == "number" }
    };
    manifest.features.iter().map(phrase).collect()
}

/// `number`: what is answered is a number, not a probability.
pub(super) fn effect(contribution: f64, number: bool) -> &'static str {
    match (contribution, number) {
        (0.0, _) => "which changes nothing",
        (up, false) if up > 0.0 => "which raises the probability",
        (_, false) => "which lowers the probability",
        (up, true) if up > 0.0 => "which raises the number",
        (_, true) => "which lowers the number",
    }
}

impl Phrase {
    /// "Mean amount of the card in 7 days is 21.5 EUR, which raises the probability."
    pub(super) fn sentence(&self, value: &OwnedValue, contribution: f64) -> String {
        let (meaning, unit, effect) = (&*self.meaning, &*self.unit, effect(contribution, self.number));
        match value {
            OwnedValue::Number(value) if !value.is_nan() => {
                [meaning, " is ", &short(*value), unit, ", ", effect, "."].concat()
            }
            OwnedValue::Word(Some(word)) => [meaning, " is `", word, "`", unit, ", ", effect, "."].concat(),
            _ => [meaning, " is not known, ", effect, "."].concat(),
        }
    }
}

/// A number with at most four significant digits after the point, as people write it.
fn short(value: f64) -> String {
    match value.abs() {
        _ if value.fract() == 0.0 && value.abs() < 1e15 => format!("{value:.0}"),
        size if size >= 100.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
