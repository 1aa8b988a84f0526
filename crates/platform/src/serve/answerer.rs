//! A version ready to answer for its domain: everything compiled once, then events in, answers out. Knows no HTTP, no log
//! and no clock.

use crate::PlatformError;
use crate::error::arrow_error;
use crate::inputs::Inputs;
use crate::inputs::contract::{Event, EventContract};
use crate::inputs::history::nullable;
use crate::kinds::{Explanation, TermContribution};
use crate::registry::home::Home;
use crate::serve::decision::{compile_answer, compile_rules, decision_schema, json_of};
use crate::serve::lookup::Lookups;
use crate::serve::words::{Phrase, effect, phrases};
use crate::values::OwnedValue;
use crate::version::learned_tables::register_as_learned;
use crate::version::profiles::{LiveFeatures, Profiles};
use crate::version::{Manifest, Scorer};
use septet_domain::Domain;
use septet_learn::measures::Task;
use septet_tables::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use septet_tables::arrow::datatypes::DataType;
use septet_tables::{Engine, RowExpressions};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Reasons given unless all are asked for.
const REASONS: usize = 3;

pub struct Answerer {
    pub domain: Arc<Domain>,
    pub inputs: Inputs,
    pub scorer: Scorer,
    /// The run whose published tables hold the history.
    pub run_id: String,
    /// What of the published tables no longer fits the version, in sentences.
    pub notes: Vec<String>,
    lookups: Lookups,
    rules: Option<RowExpressions>,
    answer: Option<RowExpressions>,
    /// What was answered lately, beside what was learned from; none for a version without profiles.
    pub live_features: Option<LiveFeatures>,
    /// For each feature the words that a reason is made of.
    phrases: Vec<Phrase>,
}

/// What is answered about one event. Serialises to the reply without its timing.
#[derive(Serialize)]
pub struct Answer<'a> {
    pub request_id: &'a str,
    pub domain: &'a str,
    pub model: ModelName<'a>,
    pub prediction: Prediction<'a>,
    pub decision: Option<Decided<'a>>,
    pub reasons: Vec<ReasonGiven<'a>>,
    pub answer: &'a Map<String, Value>,
    pub warnings: Vec<String>,
}

#[derive(Serialize)]
pub struct ModelName<'a> {
    pub version: &'a str,
    pub kind: &'a str,
}

#[derive(Serialize)]
pub struct Prediction<'a> {
    pub target: &'a str,
    /// Of a label, or of what a kind of counts says it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Of the probability of a label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Ends>,
    /// Of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
}

/// Where the true share of positives lies among rows of this score, for nine of ten rows.
#[derive(Clone, Copy, Serialize)]
pub struct Ends {
    pub low: f64,
    pub high: f64,
}

#[derive(Serialize)]
pub struct Decided<'a> {
    pub action: &'a str,
    /// None where a rule decides in a domain that decides by nothing else.
    pub threshold: Option<f64>,
    /// Names of the rules that held.
    pub rules: Vec<&'a str>,
}

#[derive(Serialize)]
pub struct ReasonGiven<'a> {
    pub feature: &'a str,
    pub value: Shown<'a>,
    /// Log-odds.
    pub contribution: f64,
    pub text: String,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Shown<'a> {
    Value(&'a OwnedValue),
    Words(String),
}

/// One scored event, before it is put into words.
pub struct Scored {
    pub features: Vec<OwnedValue>,
    /// What is served: a probability, or a number.
    pub probability: f64,
    /// Of the probability of a label.
    interval: Option<Ends>,
    /// None where the domain decides nothing.
    pub action: Option<String>,
    /// Where it came with the score; else it is made when reasons are asked for.
    explanation: Option<Explanation>,
    /// What else the model says, by the manifest's `outputs`.
    outputs: Vec<f64>,
    /// Indices of the rules that held.
    rules: Vec<usize>,
    answer: Map<String, Value>,
}

impl Answerer {
    /// Loads a version and compiles the definition that it carries, against the columns of a run's tables.
    pub async fn load(
        home: &Home,
        engine: &Engine,
        domain: &str,
        version: &str,
        run_id: &str,
        number: u64,
    ) -> Result<Answerer, PlatformError> {
        let folder = home.version_folder(domain, version);
        let scorer = Scorer::load(&folder)?;
        let domain = Arc::new(crate::version::definition(&folder, domain)?);
        let tables = home.tables_folder(domain.name(), run_id);
        let notes = register_as_learned(engine, &domain, &tables, &scorer.manifest).await?;
        let inputs = Inputs::load(engine, &domain, &scorer.manifest.extras, number).await?;
        let lookups = Lookups::load(engine, &domain, &inputs.contract).await?;
        let schema = decision_schema(&domain, &inputs, &lookups, &scorer.manifest.outputs, scorer.task);
        let rules = compile_rules(engine, &domain, &schema).await?;
        let answer = compile_answer(engine, &domain, &schema).await?;
        let phrases = phrases(&domain, &scorer.manifest);
        let live_features = Profiles::load(&folder)?.map(LiveFeatures::new);
        Ok(Answerer {
            inputs,
            notes,
            lookups,
            rules,
            answer,
            live_features,
            phrases,
            run_id: run_id.to_owned(),
            scorer,
            domain,
        })
    }

    pub fn contract(&self) -> &EventContract {
        &self.inputs.contract
    }

    pub fn manifest(&self) -> &Manifest {
        &self.scorer.manifest
    }

    /// Scores and decides events, and fills in what `answer.sql` says of them.
    pub fn score(&self, events: &RecordBatch, features: Vec<Vec<OwnedValue>>) -> Result<Vec<Scored>, PlatformError> {
        let mut scored = self.decide(events, features, true)?;
        self.fill_in(events, &mut scored)?;
        Ok(scored)
    }

    /// The features of some events, with the window columns that were made for them.
    pub fn features_of(
        &self,
        events: &[&Event],
        batch: &RecordBatch,
        windows: Vec<ArrayRef>,
    ) -> Result<Vec<Vec<OwnedValue>>, PlatformError> {
        self.inputs.features(events, batch, windows)
    }

    /// Scores and decides events with the features that were made for them. `explained`: reasons will be asked for, so what
    /// gives them is kept where it comes with the score.
    pub fn decide(
        &self,
        events: &RecordBatch,
        features: Vec<Vec<OwnedValue>>,
        explained: bool,
    ) -> Result<Vec<Scored>, PlatformError> {
        let mut scored = Vec::with_capacity(features.len());
        let decision = self.manifest().decision.as_ref();
        let scores = self.scorer.score_each(&features, explained)?;
        for (features, (score, explanation)) in features.into_iter().zip(scores) {
            let probability = score.value;
            if !probability.is_finite() {
                return Err(PlatformError::Training("the model's answer is not a number".to_owned()));
            }
            let action = decision.map(|decision| decision.action(probability).to_owned());
            let outputs = self.scorer.outputs(&features)?;
            let (rules, answer) = (Vec::new(), Map::new());
            let interval = score.interval.map(|(low, high)| Ends { low, high });
            scored.push(Scored { features, probability, interval, action, explanation, outputs, rules, answer });
        }
        self.rule(events, &mut scored)?;
        Ok(scored)
    }

    fn rule(&self, events: &RecordBatch, scored: &mut [Scored]) -> Result<(), PlatformError> {
        let Some(rules) = &self.rules else { return Ok(()) };
        let batch = self.decision_batch(rules, events, scored)?;
        for (at, held) in rules.evaluate(&batch)?.iter().enumerate() {
            let held = septet_tables::numbers(held)?;
            for (scored, _) in scored.iter_mut().zip(held).filter(|(_, held)| *held == 1.0) {
                if scored.rules.is_empty() {
                    scored.action = Some(self.domain.spec.rule[at].action.get_ref().clone());
                }
                scored.rules.push(at);
            }
        }
        Ok(())
    }

    fn fill_in(&self, events: &RecordBatch, scored: &mut [Scored]) -> Result<(), PlatformError> {
        let Some(answer) = &self.answer else { return Ok(()) };
        let batch = self.decision_batch(answer, events, scored)?;
        for (name, column) in answer.names.iter().zip(answer.evaluate(&batch)?) {
            for (row, scored) in scored.iter_mut().enumerate() {
                scored.answer.insert(name.clone(), json_of(&column, row)?);
            }
        }
        Ok(())
    }

    fn decision_batch(
        &self,
        expressions: &RowExpressions,
        events: &RecordBatch,
        scored: &[Scored],
    ) -> Result<RecordBatch, PlatformError> {
        let contract = self.contract();
        let own = contract.columns.iter().zip(events.columns()).filter(|(column, _)| !column.label());
        let mut columns: Vec<ArrayRef> = own.map(|(_, column)| column.clone()).collect();
        for (at, name) in self.inputs.names.iter().enumerate() {
            if contract.schema().index_of(name).is_err() {
                columns.push(feature_column(scored, at, expressions.schema().field(columns.len()).data_type()));
            }
        }
        columns.extend(self.lookups.columns(events)?);
        let outputs = scored.first().map_or(0, |scored| scored.outputs.len());
        columns.extend((0..outputs).map(|at| nullable(scored.iter().map(|scored| scored.outputs[at]).collect())));
        for estimate in &self.manifest().estimates {
            let value = |scored: &Scored| Some(estimate.curve.as_ref()?.apply(scored.probability));
            columns.push(Arc::new(scored.iter().map(value).collect::<Float64Array>()));
        }
        columns.push(Arc::new(scored.iter().map(|scored| Some(scored.probability)).collect::<Float64Array>()));
        columns.push(Arc::new(scored.iter().map(|scored| scored.action.as_deref()).collect::<StringArray>()));
        RecordBatch::try_new(expressions.schema().clone(), columns).map_err(arrow_error)
    }

    /// The reply's JSON, without its timing and its closing brace.
    pub fn reply(
        &self,
        scored: &Scored,
        request_id: &str,
        explain_fully: bool,
        warnings: Vec<String>,
    ) -> Result<String, PlatformError> {
        let manifest = self.manifest();
        let answer = Answer {
            request_id,
            domain: self.domain.name(),
            model: ModelName { version: &manifest.version, kind: &manifest.kind },
            prediction: Prediction {
                target: manifest.probability_of.as_deref().unwrap_or(&manifest.target),
                probability: (self.scorer.task != Task::Number).then_some(scored.probability),
                interval: scored.interval,
                value: (self.scorer.task == Task::Number).then_some(scored.probability),
            },
            decision: scored.action.as_deref().map(|action| Decided {
                action,
                threshold: manifest.decision.as_ref().map(|decision| decision.threshold),
                rules: self.rules_of(scored),
            }),
            reasons: self.reasons(scored, explain_fully)?,
            answer: &scored.answer,
            warnings,
        };
        let mut text = serde_json::to_string(&answer).map_err(arrow_error)?;
        text.pop();
        Ok(text)
    }

    /// Names of the rules that held.
    pub fn rules_of(&self, scored: &Scored) -> Vec<&str> {
        scored.rules.iter().map(|&at| self.domain.spec.rule[at].name.get_ref().as_str()).collect()
    }

    /// Features as a JSON list in the manifest's order, for the log.
    pub fn features_text(&self, scored: &Scored) -> Result<String, PlatformError> {
        serde_json::to_string(&scored.features).map_err(arrow_error)
    }

    /// The first reasons, one sentence after the other.
    pub fn reasons_in_words(&self, scored: &Scored) -> Result<String, PlatformError> {
        Ok(self.reasons(scored, false)?.into_iter().map(|reason| reason.text).collect::<Vec<_>>().join(" "))
    }

    fn reasons<'a>(&'a self, scored: &'a Scored, all: bool) -> Result<Vec<ReasonGiven<'a>>, PlatformError> {
        let made = match &scored.explanation {
            Some(_) => None,
            None => Some(self.scorer.explain(&scored.features)?),
        };
        let Some(Explanation { contributions, terms, .. }) = scored.explanation.as_ref().or(made.as_ref()) else {
            return Ok(Vec::new());
        };
        // A text is told by its terms. What is not told is not put into words.
        let whole = (0..contributions.len()).filter(|at| terms.iter().all(|one| one.input != *at));
        let mut told: Vec<(f64, Result<usize, &TermContribution>)> =
            whole.map(|at| (contributions[at], Ok(at))).collect();
        told.extend(terms.iter().map(|one| (one.contribution, Err(one))));
        told.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        if !all {
            told.truncate(REASONS);
            told.retain(|(contribution, _)| *contribution != 0.0);
        }
        let in_words = |(contribution, what): (f64, Result<usize, &TermContribution>)| match what {
            Ok(at) => ReasonGiven {
                feature: &self.manifest().features[at].name,
                value: Shown::Value(&scored.features[at]),
                contribution,
                text: self.phrases[at].sentence(&scored.features[at], contribution),
            },
            Err(one) => ReasonGiven {
                feature: &self.manifest().features[one.input].name,
                value: Shown::Words(one.term.to_string()),
                contribution,
                text: format!(
                    "`{}` in the text, {}.",
                    one.term,
                    effect(contribution, self.phrases.first().is_some_and(|phrase| phrase.number))
                ),
            },
        };
        let reasons = told.into_iter().map(in_words).collect();
        Ok(reasons)
    }
}

fn feature_column(scored: &[Scored], at: usize, kind: &DataType) -> ArrayRef {
    match kind {
        DataType::Float64 => nullable(
            scored
                .iter()
                .map(|scored| if let OwnedValue::Number(value) = scored.features[at] { value } else { f64::NAN })
                .collect(),
        ),
        _ => {
            let word =
                |scored: &Scored| if let OwnedValue::Word(word) = &scored.features[at] { word.clone() } else { None };
            Arc::new(scored.iter().map(word).collect::<StringArray>())
        }
    }
}
