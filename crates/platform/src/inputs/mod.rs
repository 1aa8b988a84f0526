//! How a row's features are had. Two ways, and nothing outside this folder names one: events (row expressions and live windows
//! over one row) and series (a query over one key's rows). Both are made for training by what answers requests, and both can be
//! cut at a time.

pub mod cells;
mod columns;
pub mod contract;
pub mod document;
mod events;
pub mod features;
pub mod history;
mod json;
pub mod live;
#[cfg(test)]
mod one_verdict;
pub mod places;
mod screening;
mod series;
mod series_rows;
pub mod training;
pub mod windows;

pub use contract::EventContract;
pub use events::{with_labels_of_both, with_made_labels};
pub use series_rows::RowsOf;
pub use training::TrainingData;

use crate::PlatformError;
use crate::values::OwnedValue;
use contract::Event;
use features::FeatureSet;
use history::History;
use live::LiveWindows;
use places::{at_file, at_offset, contract_schema};
use septet_domain::{ColumnType, Domain};
use septet_learn::frame::{Column, Frame};
use septet_tables::Engine;
use septet_tables::arrow::array::{ArrayRef, RecordBatch};
use septet_tables::arrow::datatypes::{DataType, SchemaRef};
use series::{SeriesExamples, SeriesInputs};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use windows::{CompiledWindow, compile_windows};

/// What a version's inputs are, compiled: requests in, features out.
pub struct Inputs {
    pub contract: EventContract,
    /// The features, in order.
    pub names: Vec<String>,
    pub types: Vec<DataType>,
    way: Way,
}

enum Way {
    Events { windows: Vec<CompiledWindow>, features: Box<FeatureSet> },
    Series(Arc<SeriesInputs>),
}

impl Inputs {
    /// Compiles what a domain says against its tables, which the engine knows. `extras`: columns beyond the contract that are
    /// features; `number` tells contracts of one process apart.
    pub async fn load(
        engine: &Engine,
        domain: &Domain,
        extras: &[String],
        number: u64,
    ) -> Result<Inputs, PlatformError> {
        if let Some(spec) = &domain.spec.series {
            let own = Arc::new(SeriesInputs::load(engine, domain, spec).await?);
            return Inputs::of_series(engine, domain, spec, own, number).await;
        }
        let (table, _) = domain.spec.first_input();
        let published = engine.plan(&format!("SELECT * FROM \"{table}\"")).await?;
        Inputs::of_events(engine, domain, &published, extras, number).await
    }

    /// The same of a domain without data, to see whether its SQL is sound.
    pub async fn plan(engine: &Engine, domain: &Domain) -> Result<Inputs, PlatformError> {
        match &domain.spec.series {
            Some(spec) => {
                let own = Arc::new(SeriesInputs::plan(engine, domain, spec).await?);
                Inputs::of_series(engine, domain, spec, own, 0).await
            }
            None => {
                let published = contract_schema(domain.spec.first_input().1);
                let made = Inputs::of_events(engine, domain, &published, &[], 0).await?;
                events::plan_labels(engine, domain).await?;
                Ok(made)
            }
        }
    }

    async fn of_series(
        engine: &Engine,
        domain: &Domain,
        spec: &septet_domain::Spanned<septet_domain::Series>,
        own: Arc<SeriesInputs>,
        number: u64,
    ) -> Result<Inputs, PlatformError> {
        let (columns, request) = series::request(engine, domain, spec, &own).await?;
        let (names, types) = (own.names.clone(), own.types.clone());
        let contract = EventContract::of_questions(columns, request, own.clone(), number);
        Ok(Inputs { contract, names, types, way: Way::Series(own) })
    }

    async fn of_events(
        engine: &Engine,
        domain: &Domain,
        published: &SchemaRef,
        extras: &[String],
        number: u64,
    ) -> Result<Inputs, PlatformError> {
        let contract = EventContract::new(domain, published, number);
        let windows = compile_windows(engine, domain, contract.schema()).await;
        let windows = windows.map_err(|error| in_windows(domain, error))?;
        let names: Vec<String> = windows.iter().flat_map(|window| window.names.clone()).collect();
        let features = FeatureSet::compile(engine, domain, contract.schema(), &names, extras).await;
        let features = features.map_err(|error| match error {
            PlatformError::Tables(error) => at_file(domain, "features.sql", error),
            other => other,
        })?;
        let (names, types) = (features.names.clone(), features.types().to_vec());
        Ok(Inputs { contract, names, types, way: Way::Events { windows, features: Box::new(features) } })
    }

    /// The table that `answer.sql` and rules name after FROM.
    pub fn answer_table(domain: &Domain) -> &str {
        match &domain.spec.series {
            Some(series) => series.get_ref().rows.get_ref(),
            None => domain.spec.first_input().0,
        }
    }

    /// Whether answers change what later ones are made from: then there is a state to rebuild from history and log.
    pub fn keeps_state(&self) -> bool {
        match &self.way {
            Way::Events { .. } => true,
            Way::Series(_) => false,
        }
    }

    /// Windows that are replayed for training and rebuilt for answers.
    pub fn windows(&self) -> &[CompiledWindow] {
        match &self.way {
            Way::Events { windows, .. } => windows,
            Way::Series(_) => &[],
        }
    }

    /// The state that a history leaves.
    pub fn state_of(&self, history: &History) -> Result<LiveWindows, PlatformError> {
        LiveWindows::of_history(self.windows().to_vec(), history)
    }

    /// How a feature is had online (`row`, `window` or `series`), and the request's and window columns that it reads.
    pub fn source_of(&self, feature: usize) -> (&'static str, Vec<String>) {
        let Way::Events { windows, features } = &self.way else { return ("series", Vec::new()) };
        let reads = features.reads().get(feature).cloned().unwrap_or_default();
        let of_window = |read: &String| windows.iter().any(|window| window.names.contains(read));
        (if reads.iter().any(of_window) { "window" } else { "row" }, reads)
    }

    /// Of each feature, whether its values point at a person. A text of a series may be of any of its rows' columns.
    pub fn personal(&self, domain: &Domain) -> Vec<bool> {
        match &self.way {
            Way::Events { features, .. } => features.personal(domain),
            Way::Series(_) => features::personal_of_series(domain, &self.types),
        }
    }

    /// The features of some requests, with the window columns that were made for them.
    pub fn features(
        &self,
        events: &[&Event],
        batch: &RecordBatch,
        windows: Vec<ArrayRef>,
    ) -> Result<Vec<Vec<OwnedValue>>, PlatformError> {
        match &self.way {
            Way::Events { features, .. } => features.answer(batch, windows),
            Way::Series(_) => {
                let one = |event: &&Event| {
                    let features = event.features.as_ref().map(|features| features.to_vec());
                    features.ok_or_else(|| crate::error::arrow_error("a question without features"))
                };
                events.iter().map(one).collect()
            }
        }
    }

    /// The features of a case: a request, and window columns as its entity's past left them (others are null).
    pub fn case_features(
        &self,
        event: &Event,
        batch: &RecordBatch,
        given: &BTreeMap<String, f64>,
    ) -> Result<Vec<Vec<OwnedValue>>, PlatformError> {
        let names = self.windows().iter().flat_map(|window| &window.names);
        let columns = names.map(|name| history::nullable(vec![given.get(name).copied().unwrap_or(f64::NAN)]));
        self.features(&[event], batch, columns.collect())
    }

    /// Features of all keys as of a moment; none where rows are answered about.
    fn frame_of_keys(&self, moment: i64) -> Result<Option<SeriesExamples>, PlatformError> {
        match &self.way {
            Way::Events { .. } => Ok(None),
            Way::Series(own) => own.all(moment).map(Some),
        }
    }

    /// Features of a range of a history's rows; none where a row of the history is not what is answered about.
    pub fn frame(&self, history: &History, rows: Range<usize>) -> Result<Option<Frame>, PlatformError> {
        let Way::Events { windows, features } = &self.way else { return Ok(None) };
        let made = windows::replay(history, windows, rows.clone())?;
        features.frame(history, &made, rows).map(Some)
    }
}

/// An engine's error of a window, which knows no place of its own: at the expression that names what the error names, else at the
/// first window.
fn in_windows(domain: &Domain, error: PlatformError) -> PlatformError {
    let said = error.to_string();
    let named = |text: &str| {
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| word.len() > 2);
        words.into_iter().any(|word| said.contains(&format!("No field named {word}")))
    };
    let expressions = domain.spec.window.iter().flat_map(|window| window.get_ref().columns.values());
    let at = expressions.into_iter().find(|text| named(&text.get_ref().is)).map(|text| text.span().start);
    let offset = at.or_else(|| domain.spec.window.first().map(|window| window.span().start)).unwrap_or(0);
    match error {
        PlatformError::Tables(error) => at_offset(domain, offset, error),
        other => other,
    }
}

/// What is watched for drift where rows of the history are not answered about: their own numbers.
pub fn numbers_of(domain: &Domain, history: &History, rows: Range<usize>) -> Result<Frame, PlatformError> {
    let (_, input) = domain.spec.first_input();
    let mut frame = Frame::default();
    for (name, column) in &input.columns {
        let shown = matches!(column.kind, ColumnType::Number | ColumnType::Integer) && column.personal.is_none();
        if shown && name.get_ref() != input.key.get_ref() {
            let values = history.column(name.get_ref())?.slice(rows.start, rows.len());
            frame.push(name.get_ref().clone(), Column::Number(septet_tables::numbers(&values)?));
        }
    }
    Ok(frame)
}
