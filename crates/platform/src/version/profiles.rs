//! Reference distributions of the inputs, stored with the version for live drift.

use crate::error::PlatformError;
use crate::error::arrow_error;
use crate::values::OwnedValue;
use crate::values::to_json;
use crate::version::watched::View;
use septet_learn::drift::profile::{NumberProfile, Profile, WORDS_MAX, WordProfile};
use septet_learn::drift::statistics::{jensen_shannon, ks, psi, wasserstein};
use septet_learn::drift::tally::Tally;
use septet_learn::frame::{Column, Frame, MISSING};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const FILE: &str = "profile.json";
/// Raised when profiles keep something else: an earlier fit with its profile is then not taken over.
/// 2: no words of persons.
pub const FORM: &str = "2";
/// Bins of a number: fewer than the most there can be, since pages show them.
const BINS: usize = 32;
/// Live rows after which the older half is forgotten.
const ROWS_PER_PART: u64 = 10_000;
/// With fewer rows a statistic says more about chance than about drift.
pub const ROWS_MIN: u64 = 200;

/// `profile.json`: the inputs in the manifest's order, and the probabilities on the newest test fold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Profiles {
    /// None in a version of an earlier program, which kept words as they were.
    #[serde(default)]
    inputs: Vec<InputProfile>,
    probability: Option<NumberProfile>,
}

/// An input as it is counted.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct InputProfile {
    name: String,
    view: View,
    /// By the view's names; none for a number that was never there.
    profiles: Vec<Option<Profile>>,
}

impl Profiles {
    /// `rows`: those of the frame that the version learned from. `personal`: of each column, whether it holds values that
    /// point at a person.
    pub fn learn(frame: &Frame, personal: &[bool], rows: &[u32], probability: &[f64]) -> Profiles {
        let frame = frame.take(rows);
        let columns = frame.names.iter().zip(&frame.columns).zip(personal);
        Profiles {
            inputs: columns.map(|((name, column), &personal)| InputProfile::learn(name, column, personal)).collect(),
            probability: NumberProfile::learn(probability, BINS),
        }
    }

    pub fn file(&self) -> Result<(&'static str, Vec<u8>), PlatformError> {
        Ok((FILE, to_json(self)?))
    }

    /// None if the version was made before there were profiles, or before they kept no words of persons.
    pub fn load(folder: &Path) -> Result<Option<Profiles>, PlatformError> {
        match std::fs::read(folder.join(FILE)) {
            Ok(bytes) => {
                let profiles: Profiles = serde_json::from_slice(&bytes).map_err(arrow_error)?;
                Ok((!profiles.inputs.is_empty()).then_some(profiles))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PlatformError::io(folder.join(FILE), error)),
        }
    }

    /// Every profile with its place in the tallies.
    fn all(&self) -> impl Iterator<Item = &Option<Profile>> {
        self.inputs.iter().flat_map(|input| &input.profiles)
    }

    fn tallies(&self) -> Tallies {
        let empty = |profile: &Option<Profile>| match profile {
            Some(Profile::Numbers(numbers)) => numbers.tally(),
            Some(Profile::Words(words)) => words.tally(),
            None => Tally::default(),
        };
        Tallies {
            rows: 0,
            features: self.all().map(empty).collect(),
            probability: self.probability.as_ref().map(NumberProfile::tally).unwrap_or_default(),
        }
    }
}

impl InputProfile {
    fn learn(name: &str, column: &Column, personal: bool) -> InputProfile {
        let view = View::of_column(column, personal);
        let profiles = match view.columns(column, |_| true) {
            Some(columns) => columns.iter().map(profile_of).collect(),
            None => vec![profile_of(column)],
        };
        InputProfile { name: name.to_owned(), view, profiles }
    }
}

fn profile_of(column: &Column) -> Option<Profile> {
    match column {
        Column::Number(values) => NumberProfile::learn(values, BINS).map(Profile::Numbers),
        Column::Category { codes, words } => {
            let word = |&code: &u32| (code != MISSING).then(|| words[code as usize].as_str());
            Some(Profile::Words(WordProfile::learn(&codes.iter().map(word).collect::<Vec<_>>(), WORDS_MAX)))
        }
    }
}

#[derive(Clone, Debug)]
struct Tallies {
    rows: u64,
    features: Vec<Tally>,
    probability: Tally,
}

impl Tallies {
    fn add(&mut self, profiles: &Profiles, features: &[OwnedValue], probability: f64) {
        self.rows += 1;
        let seen = profiles.inputs.iter().zip(features).flat_map(|(input, value)| input.view.see(value, false));
        for ((profile, tally), value) in profiles.all().zip(&mut self.features).zip(seen) {
            match (profile, value) {
                (Some(Profile::Numbers(numbers)), OwnedValue::Number(value)) => numbers.add(tally, value),
                (Some(Profile::Words(words)), OwnedValue::Word(word)) => words.add(tally, word.as_deref()),
                _ => {}
            }
        }
        if let Some(profile) = &profiles.probability {
            profile.add(&mut self.probability, probability);
        }
    }

    fn merge(&mut self, other: &Tallies) {
        self.rows += other.rows;
        let same = "made by the same profiles";
        self.features.iter_mut().zip(&other.features).for_each(|(own, other)| own.merge(other).expect(same));
        self.probability.merge(&other.probability).expect(same);
    }
}

/// The features of the latest ten to twenty thousand answers of one version, counted as they are given.
pub struct LiveFeatures {
    profiles: Profiles,
    parts: Mutex<[Tallies; 2]>,
}

/// How far a column's latest rows are from the version's own.
#[derive(Clone, Debug, Serialize)]
pub struct ColumnDrift {
    pub name: String,
    pub rows: u64,
    /// Below [`ROWS_MIN`] rows nothing else is said.
    pub enough: bool,
    pub missing_share: f64,
    pub missing_share_training: f64,
    /// Numbers: outside the range of training.
    pub share_outside: Option<f64>,
    /// Words: never seen in training.
    pub share_unseen: Option<f64>,
    pub psi: Option<f64>,
    pub jensen_shannon: Option<f64>,
    pub ks: Option<f64>,
    /// In standard deviations of training.
    pub wasserstein: Option<f64>,
}

impl LiveFeatures {
    pub fn new(profiles: Profiles) -> LiveFeatures {
        let parts = Mutex::new([profiles.tallies(), profiles.tallies()]);
        LiveFeatures { profiles, parts }
    }

    /// Counts answers: their features and their probability.
    pub fn count<'a>(&self, answers: impl Iterator<Item = (&'a [OwnedValue], f64)>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        for (features, probability) in answers {
            if parts[1].rows >= ROWS_PER_PART {
                parts.swap(0, 1);
                parts[1] = self.profiles.tallies();
            }
            parts[1].add(&self.profiles, features, probability);
        }
    }

    /// What is counted of every feature, and the probability last.
    pub fn drift(&self) -> Vec<ColumnDrift> {
        let mut all = {
            let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
            let mut all = parts[0].clone();
            all.merge(&parts[1]);
            all
        };
        let names = self.profiles.inputs.iter().flat_map(|input| input.view.names(&input.name));
        let features = names.zip(self.profiles.all()).zip(&all.features);
        let features = features.filter_map(|((name, profile), tally)| Some(column(&name, profile.as_ref()?, tally)));
        let mut columns: Vec<ColumnDrift> = features.collect();
        if let Some(profile) = &self.profiles.probability {
            let tally = std::mem::take(&mut all.probability);
            columns.push(column("probability", &Profile::Numbers(profile.clone()), &tally));
        }
        columns
    }
}

fn column(name: &str, profile: &Profile, live: &Tally) -> ColumnDrift {
    let (training, enough) = (profile.training(), live.rows() >= ROWS_MIN);
    let missing = |tally: &Tally| if tally.rows() == 0 { 0.0 } else { tally.missing as f64 / tally.rows() as f64 };
    let numbers = if let Profile::Numbers(numbers) = profile { Some(numbers) } else { None };
    let words = if let Profile::Words(words) = profile { Some(words) } else { None };
    let said = |value: Option<f64>| value.filter(|value| enough && value.is_finite());
    ColumnDrift {
        name: name.to_owned(),
        rows: live.rows(),
        enough,
        missing_share: missing(live),
        missing_share_training: missing(training),
        share_outside: said(numbers.and_then(|numbers| numbers.share_outside(live))),
        share_unseen: said(words.and_then(|words| words.share_unseen(live))),
        psi: said(psi(training, live)),
        jensen_shannon: said(jensen_shannon(training, live)),
        ks: said(numbers.and_then(|_| ks(training, live))),
        wasserstein: said(numbers.and_then(|numbers| wasserstein(numbers, training, live))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use septet_learn::bootstrap::SplitMix64;
    use std::sync::Arc;

    fn uniform(random: &mut SplitMix64) -> f64 {
        random.below(1_000_000) as f64 / 1e6
    }

    #[test]
    fn a_profile_holds_nothing_that_a_person_wrote() {
        let text = |row: usize| format!("guest{row} thought the soup of table{row} cold");
        let category =
            |words: Vec<String>| Column::Category { codes: (0..words.len() as u32).collect(), words: Arc::new(words) };
        let mut frame = Frame::default();
        frame.push("text".to_owned(), category((0..300).map(text).collect()));
        frame.push("guest".to_owned(), category((0..300).map(|row| format!("mark{row}")).collect()));
        let rows: Vec<u32> = (0..300).collect();
        let profiles = Profiles::learn(&frame, &[true, true], &rows, &[0.5]);
        let kept = String::from_utf8(profiles.file().unwrap().1).unwrap();
        assert!(!kept.contains("guest1") && !kept.contains("mark1") && !kept.contains("soup"), "{kept}");
        let live = LiveFeatures::new(profiles);
        let answer = |row: usize| [OwnedValue::Word(Some(text(row))), OwnedValue::Word(Some(format!("mark{row}")))];
        let answers: Vec<_> = (0..300).map(answer).collect();
        live.count(answers.iter().map(|answer| (answer.as_slice(), 0.5)));
        let drift = live.drift();
        let names: Vec<&str> = drift.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["text: characters", "text: share of new words", "guest", "probability"]);
        assert_eq!((drift[0].psi.unwrap() < 0.01, drift[2].share_unseen), (true, Some(0.0)), "{drift:?}");
    }

    #[test]
    fn rows_like_those_of_training_are_near_and_others_far() {
        let mut random = SplitMix64::new(3);
        let mut frame = Frame::default();
        frame.push("amount".to_owned(), Column::Number((0..20_000).map(|_| uniform(&mut random)).collect()));
        let rows: Vec<u32> = (0..20_000).collect();
        let profiles = Profiles::learn(&frame, &[false], &rows, &[0.1, 0.2, 0.3]);
        let psi_of = |shift: f64, random: &mut SplitMix64| {
            let live = LiveFeatures::new(profiles.clone());
            let values: Vec<[OwnedValue; 1]> =
                (0..5_000).map(|_| [OwnedValue::Number(uniform(random) + shift)]).collect();
            live.count(values.iter().map(|value| (value.as_slice(), 0.2)));
            let all = live.parts.lock().unwrap()[1].features[0].clone();
            let found = column("amount", profiles.inputs[0].profiles[0].as_ref().unwrap(), &all);
            assert_eq!((found.rows, found.enough), (5_000, true));
            (found.psi.unwrap(), found.share_outside.unwrap())
        };
        let (near, far) = (psi_of(0.0, &mut random), psi_of(0.3, &mut random));
        assert!(near.0 < 0.05 && near.1 < 0.01, "{near:?}");
        assert!(far.0 > 0.5 && (far.1 - 0.3).abs() < 0.05, "{far:?}");
    }
}
