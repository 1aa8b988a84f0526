//! Text files as tables of people's own queries: each column has the type that every row of it allows, not the first thousand.

use crate::guess::{Guess, Wholes};
use crate::quarantine::QuarantineRow;
use crate::reader::{Reader, Sink, TextFormat};
use crate::{Location, TablesError, local_files};
use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{DynamicFileCatalog, TableProvider, UrlTableFactory};
use datafusion::datasource::dynamic_file::DynamicListTableFactory;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;

/// Batches of some thousand rows that wait for the query.
const BATCHES_WAITING_MAX: usize = 4;

/// Makes files nameable as tables in a session.
pub(crate) fn with_files(context: SessionContext) -> SessionContext {
    let others = Arc::new(DynamicListTableFactory::default());
    let catalogs = context.state().catalog_list().clone();
    let catalogs = DynamicFileCatalog::new(catalogs, Arc::new(Files { others: others.clone() }));
    let session = context.session_id();
    let context: SessionContext =
        context.into_state_builder().with_session_id(session).with_catalog_list(Arc::new(catalogs)).build().into();
    others.session_store().with_state(context.state_weak_ref());
    context
}

/// Text files by our own reader, others by the engine's.
#[derive(Debug)]
struct Files {
    others: Arc<DynamicListTableFactory>,
}

impl UrlTableFactory for Files {
    fn try_new<'own, 'name, 'made>(
        &'own self,
        name: &'name str,
    ) -> BoxFuture<'made, Result<Option<Arc<dyn TableProvider>>>>
    where
        'own: 'made,
        'name: 'made,
    {
        async move {
            let files = match Location::parse(name) {
                Ok(Location::Files(pattern)) => local_files(&pattern).ok(),
                _ => None,
            };
            let Some(files) = files.filter(|files| Reader::reads_text(&files[0])) else {
                return self.others.try_new(name).await;
            };
            // The file is read whole.
            let table = tokio::task::spawn_blocking(|| table_of(files)).await;
            Ok(Some(table.map_err(|error| DataFusionError::External(Box::new(error)))?.map_err(external)?))
        }
        .boxed()
    }
}

fn table_of(files: Vec<PathBuf>) -> std::result::Result<Arc<dyn TableProvider>, TablesError> {
    let reader = Reader::open(files, TextFormat::by_header())?;
    let own = &reader.schema.fields()[..reader.schema.fields().len() - 2];
    let mut survey =
        Survey { guesses: own.iter().map(|field| Guess::new(reader.claim_of(field), '.')).collect(), broken: None };
    reader.read(&mut survey)?;
    if let Some(row) = survey.broken {
        let what = format!("row {}: {}", row.row, row.message);
        return Err(TablesError::Source { location: row.source, what });
    }
    let typed =
        |(field, guess): (&Arc<Field>, &Guess)| Field::new(field.name(), guess.data_type(Wholes::AsWholes), true);
    let schema = Arc::new(Schema::new(own.iter().zip(&survey.guesses).map(typed).collect::<Vec<_>>()));
    let stream = TypedRows { schema: schema.clone(), reader: Arc::new(reader), guesses: survey.guesses.into() };
    Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(stream)])?))
}

/// Looks at every row.
struct Survey {
    guesses: Vec<Guess>,
    broken: Option<QuarantineRow>,
}

impl Sink for Survey {
    fn batch(&mut self, batch: RecordBatch) -> bool {
        self.guesses.iter_mut().zip(batch.columns()).for_each(|(guess, column)| guess.look(column));
        true
    }

    fn broken(&mut self, row: QuarantineRow) -> bool {
        self.broken.get_or_insert(row);
        false
    }

    fn bytes(&mut self, _: u64) {}
}

/// The rows once more, as what they turned out to be.
#[derive(Clone)]
struct TypedRows {
    schema: SchemaRef,
    reader: Arc<Reader>,
    guesses: Arc<[Guess]>,
}

impl std::fmt::Debug for TypedRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TypedRows")
    }
}

impl PartitionStream for TypedRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStream::builder(self.schema.clone(), BATCHES_WAITING_MAX);
        let (batches, rows) = (builder.tx(), self.clone());
        builder.spawn_blocking(move || {
            let reader = rows.reader.clone();
            reader.read(&mut Typing { batches, rows }).map_err(external)?;
            Ok(())
        });
        builder.build()
    }
}

struct Typing {
    batches: tokio::sync::mpsc::Sender<Result<RecordBatch>>,
    rows: TypedRows,
}

impl Sink for Typing {
    fn batch(&mut self, batch: RecordBatch) -> bool {
        let columns = batch.columns().iter().zip(self.rows.guesses.iter()).zip(self.rows.schema.fields());
        let columns: Vec<ArrayRef> =
            columns.map(|((column, guess), field)| guess.retype(column, field.data_type())).collect();
        let batch = RecordBatch::try_new(self.rows.schema.clone(), columns).map_err(DataFusionError::from);
        self.batches.blocking_send(batch).is_ok()
    }

    // The survey found none.
    fn broken(&mut self, _: QuarantineRow) -> bool {
        false
    }

    fn bytes(&mut self, _: u64) {}
}

fn external(error: TablesError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
