//! What a reviewer reads before a version may answer: one page and one card, made from the manifest alone, so that
//! equal versions have equal papers to the byte.

mod charts;
pub(crate) mod numbers;
mod pictures;
pub(crate) mod svg;

pub use charts::{Charts, IntervalsHeld};
pub(crate) use numbers::figure;
pub(crate) use pictures::day_axis;

use crate::PlatformError;
use crate::judge::alone::beyond_contract;
use crate::judge::choose::EVENTS_FEW;
use crate::registry::store::GateRecord;
use crate::version::{BudgetHeld, Candidate, DecisionRule, FeatureSchema, FoldSummary, Manifest, MetricValue};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use pictures::{Picture, interval, pictures, precision, recall, test_folds_in_validation, timeline};
use septet_domain::ParameterValue;
use septet_learn::metrics::ReliabilityBin;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

const STYLE: &str = include_str!("style.css");

/// Rows of a table; a search or a folder of features may be longer than anybody reads.
const CANDIDATES_MAX: usize = 40;
const FEATURES_MAX: usize = 100;
const REASONS_MAX: usize = 30;

/// Everything the papers tell.
pub struct ReportInput<'a> {
    pub manifest: &'a Manifest,
    pub gates: &'a [GateRecord],
    pub charts: &'a Charts,
    pub rows_in: u64,
    pub rows_out: u64,
    pub quarantined: u64,
    pub filtered: u64,
    /// Column (may be empty), reason, rows.
    pub quarantine: &'a [(String, String, u64)],
}

/// A page that needs nothing beside itself: no network, no script.
pub fn html(input: &ReportInput) -> Result<String, PlatformError> {
    render(input, include_str!("template.html"), |environment| {
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
    })
}

/// The model card, in Markdown.
pub fn card(input: &ReportInput) -> Result<String, PlatformError> {
    render(input, include_str!("card.md.jinja"), |environment| {
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_formatter(|out, _, value| Ok(out.write_str(&markdown(&value.to_string()))?));
    })
}

fn render(input: &ReportInput, template: &str, escaping: fn(&mut Environment)) -> Result<String, PlatformError> {
    let json = serde_json::to_value(View::new(input)).map_err(|error| failed(input, error))?;
    let filled = || {
        let mut environment = environment()?;
        escaping(&mut environment);
        environment.template_from_str(template)?.render(template_value(json))
    };
    filled().map_err(|error| failed(input, error))
}

fn failed(input: &ReportInput, error: impl std::fmt::Display) -> PlatformError {
    PlatformError::Training(format!("the report of version `{}`: {error:#}", input.manifest.version))
}

/// Filters and style that every page shares.
pub(crate) fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    environment.add_filter("count", |value: u64| numbers::count(value));
    // What is absent is shown as a number that is none.
    environment.add_filter("plain", |value: Value| numbers::plain(number(value)));
    environment.add_filter("figure", |value: Value| numbers::figure(number(value)));
    environment.add_filter("like", |value: Value, like: Value| numbers::figure_like(number(value), number(like)));
    environment.add_filter("percent", |value: Value| numbers::percent(number(value)));
    Ok(environment)
}

fn number(value: Value) -> f64 {
    f64::try_from(value).unwrap_or(f64::NAN)
}

/// What both templates are filled from.
#[derive(Serialize)]
struct View<'a> {
    manifest: &'a Manifest,
    verdict: Verdict,
    gates: &'a [GateRecord],
    metrics: Vec<MetricRow<'a>>,
    /// Pairs, here and below: a template's maps have no order of their own.
    advantage: Vec<(&'a String, &'a Option<(f64, f64)>)>,
    pictures: Vec<Picture>,
    reliability: &'a [ReliabilityBin],
    timeline: Option<String>,
    test_folds_in_validation: usize,
    folds: Vec<FoldRow<'a>>,
    newest: Option<&'a FoldSummary>,
    /// Folds that say little.
    thin: Vec<&'a FoldSummary>,
    candidates: Candidates<'a>,
    decision: Option<DecisionView<'a>>,
    books: Books<'a>,
    parameters: Vec<(&'a String, String)>,
    learned: Vec<(&'a String, &'a f64)>,
    features: Vec<FeatureRow<'a>>,
    features_left_out: usize,
    /// Name, type, what it says alone.
    beyond_contract: Vec<[String; 3]>,
    left_out: &'a [(String, String)],
}

impl<'a> View<'a> {
    fn new(input: &ReportInput<'a>) -> View<'a> {
        let manifest = input.manifest;
        View {
            manifest,
            verdict: verdict(input.gates),
            gates: input.gates,
            metrics: metrics(manifest),
            advantage: manifest.advantage.iter().collect(),
            pictures: pictures(manifest, input.charts),
            reliability: &input.charts.reliability,
            timeline: timeline(manifest),
            test_folds_in_validation: test_folds_in_validation(manifest),
            folds: manifest.folds.iter().map(FoldRow::new).collect(),
            newest: manifest.folds.iter().find(|fold| fold.part == "test"),
            thin: manifest.folds.iter().filter(|fold| manifest.task == "label" && says_little(fold)).collect(),
            candidates: Candidates::new(manifest),
            decision: manifest.decision.as_ref().map(DecisionView::new),
            books: Books::new(input),
            parameters: manifest.parameters.iter().map(|(name, value)| (name, plain(value))).collect(),
            learned: manifest.learned.iter().collect(),
            features: features(manifest),
            beyond_contract: beyond_contract(manifest),
            left_out: &manifest.left_out,
            features_left_out: manifest.features.len().saturating_sub(FEATURES_MAX),
        }
    }
}

/// JSON in between leaves out NaN: it arrives as none, which is how it is shown.
pub(crate) fn template_value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(truth) => Value::from(truth),
        serde_json::Value::Number(number) => match number.as_u64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(words) => Value::from(words),
        serde_json::Value::Array(items) => items.into_iter().map(template_value).collect(),
        serde_json::Value::Object(fields) => {
            Value::from_pairs(fields.into_iter().map(|(name, value)| (name, template_value(value))))
        }
    }
}

/// Text of data as a Markdown cell: one line, no markup of its own.
fn markdown(words: &str) -> String {
    let mut escaped = String::with_capacity(words.len());
    for letter in words.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '|' | '`' | '*' | '[' | ']' | '\\' => escaped.extend(['\\', letter]),
            '\n' | '\r' => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[derive(Serialize)]
struct Verdict {
    /// `passed`, `failed` or `open`.
    status: &'static str,
    sentence: String,
}

fn verdict(gates: &[GateRecord]) -> Verdict {
    let failed: Vec<&str> = gates.iter().filter(|gate| !gate.passed).map(|gate| gate.name.as_str()).collect();
    let (status, sentence) = match (gates.len(), failed.len()) {
        (0, _) => ("open", "Not judged: no gate has been run.".to_owned()),
        (1, 0) => ("passed", "The one gate passed.".to_owned()),
        (all, 0) => ("passed", format!("All {all} gates passed.")),
        (all, 1) => ("failed", format!("1 of {all} gates failed: {}.", failed[0])),
        (all, some) => ("failed", format!("{some} of {all} gates failed: {}.", failed.join(", "))),
    };
    Verdict { status, sentence }
}

#[derive(Serialize)]
struct MetricRow<'a> {
    name: &'a str,
    meaning: &'a str,
    better: &'static str,
    metric: &'a MetricValue,
    interval: String,
    baselines: Vec<(&'a String, &'a f64)>,
}

/// Those that say how rows are ranked first, then the errors of the probabilities.
fn metrics<'a>(manifest: &'a Manifest) -> Vec<MetricRow<'a>> {
    let row = |(name, metric): (&'a String, &'a MetricValue)| MetricRow {
        name,
        meaning: &metric.meaning,
        better: if metric.higher_is_better { "higher is better" } else { "lower is better" },
        metric,
        interval: interval(name, metric),
        baselines: metric.baselines.iter().collect(),
    };
    let (ranking, errors): (Vec<_>, Vec<_>) = manifest.metrics.iter().partition(|(_, metric)| metric.higher_is_better);
    ranking.into_iter().chain(errors).map(row).collect()
}

/// A parameter as people write it.
fn plain(value: &ParameterValue) -> String {
    match value {
        ParameterValue::Number(value) => numbers::plain(*value),
        other => other.to_string(),
    }
}

#[derive(Serialize)]
struct FoldRow<'a> {
    fold: &'a FoldSummary,
    train_share: f64,
    test_share: f64,
}

impl FoldRow<'_> {
    fn new(fold: &FoldSummary) -> FoldRow<'_> {
        let share = |part: usize, whole: usize| part as f64 / whole as f64;
        FoldRow {
            fold,
            train_share: share(fold.train_positives, fold.train_rows),
            test_share: share(fold.test_positives, fold.test_rows),
        }
    }
}

fn says_little(fold: &FoldSummary) -> bool {
    fold.test_positives.min(fold.test_rows.saturating_sub(fold.test_positives)) < EVENTS_FEW
}

/// What was tried: the parameters that differ as columns.
#[derive(Serialize)]
struct Candidates<'a> {
    /// Whether several kinds competed.
    kinds: bool,
    columns: Vec<&'a String>,
    rows: Vec<CandidateRow<'a>>,
    left_out: usize,
}

#[derive(Serialize)]
struct CandidateRow<'a> {
    values: Vec<Option<String>>,
    candidate: &'a Candidate,
    chosen: bool,
}

impl<'a> Candidates<'a> {
    fn new(manifest: &'a Manifest) -> Candidates<'a> {
        let all = &manifest.candidates;
        let names: BTreeSet<&String> = all.iter().flat_map(|candidate| candidate.parameters.keys()).collect();
        let differs = |name: &&String| {
            all.iter().any(|candidate| candidate.parameters.get(*name) != all[0].parameters.get(*name))
        };
        let columns: Vec<&String> = names.into_iter().filter(differs).collect();
        let is_chosen = |candidate: &Candidate| {
            candidate.kind.as_ref().is_none_or(|kind| *kind == manifest.kind)
                && candidate.parameters == manifest.parameters
        };
        let chosen = all.iter().position(is_chosen);
        let row = |(at, candidate): (usize, &'a Candidate)| CandidateRow {
            values: columns.iter().map(|name| candidate.parameters.get(*name).map(plain)).collect(),
            candidate,
            chosen: Some(at) == chosen,
        };
        let shown = |(at, _): &(usize, &Candidate)| *at < CANDIDATES_MAX || Some(*at) == chosen;
        let rows: Vec<CandidateRow> = all.iter().enumerate().filter(shown).map(row).collect();
        let kinds = all.iter().any(|candidate| candidate.kind.is_some());
        Candidates { kinds, left_out: all.len() - rows.len(), columns, rows }
    }
}

#[derive(Serialize)]
struct DecisionView<'a> {
    rule: &'a DecisionRule,
    rows: u64,
    flagged: u64,
    precision: Option<f64>,
    recall: Option<f64>,
    flagged_share: Option<f64>,
    budgets: &'a [BudgetHeld],
}

impl DecisionView<'_> {
    fn new(rule: &DecisionRule) -> DecisionView<'_> {
        let flagged = rule.true_positive + rule.false_positive;
        let rows = flagged + rule.true_negative + rule.false_negative;
        DecisionView {
            rule,
            rows,
            flagged,
            precision: precision(rule),
            recall: recall(rule),
            budgets: &rule.budgets,
            flagged_share: (rows > 0).then(|| flagged as f64 / rows as f64),
        }
    }
}

/// Every row read is accounted for.
#[derive(Serialize)]
struct Books<'a> {
    rows_in: u64,
    rows_out: u64,
    quarantined: u64,
    filtered: u64,
    balanced: bool,
    /// The most frequent first.
    reasons: Vec<&'a (String, String, u64)>,
    reasons_left_out: usize,
}

impl Books<'_> {
    fn new<'a>(input: &ReportInput<'a>) -> Books<'a> {
        let mut reasons: Vec<&(String, String, u64)> = input.quarantine.iter().collect();
        reasons.sort_by(|left, right| right.2.cmp(&left.2).then_with(|| left.cmp(right)));
        reasons.truncate(REASONS_MAX);
        let sum = u128::from(input.rows_out) + u128::from(input.quarantined) + u128::from(input.filtered);
        Books {
            rows_in: input.rows_in,
            rows_out: input.rows_out,
            quarantined: input.quarantined,
            filtered: input.filtered,
            balanced: sum == u128::from(input.rows_in),
            reasons_left_out: input.quarantine.len() - reasons.len(),
            reasons,
        }
    }
}

#[derive(Serialize)]
struct FeatureRow<'a> {
    feature: &'a FeatureSchema,
    share: Option<f64>,
    /// Beyond the contract.
    extra: bool,
}

fn features<'a>(manifest: &'a Manifest) -> Vec<FeatureRow<'a>> {
    let shares: BTreeMap<&String, f64> = manifest.importances.iter().map(|(name, share)| (name, *share)).collect();
    let row = |feature: &'a FeatureSchema| FeatureRow {
        feature,
        share: shares.get(&feature.name).copied(),
        extra: manifest.extras.contains(&feature.name),
    };
    manifest.features.iter().take(FEATURES_MAX).map(row).collect()
}

#[cfg(test)]
mod tests;
