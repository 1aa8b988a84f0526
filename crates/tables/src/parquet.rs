//! Tables as Parquet files: columns are packed side by side on several cores, and the bytes are those of one.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::file::writer::SerializedFileWriter;

use crate::TablesError;
use crate::engine::without_views;

/// Batches of some thousand rows that wait for the writer.
const BATCHES_WAITING_MAX: usize = 4;
/// Rows of one group of a file, the library's usual.
const GROUP_ROWS: usize = 1 << 20;
/// Rows that are packed at a time: enough to be worth a thread, few enough to hold.
const PACKED_ROWS_MIN: usize = 1 << 16;
/// More threads wait for the widest column.
const PACKING_THREADS_MAX: usize = 4;

/// What was written: rows, and the hash of the file's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub rows: u64,
    pub fingerprint: String,
}

/// Writes one batch as a Parquet file.
pub fn write_batch(path: &Path, batch: &RecordBatch) -> Result<Written, TablesError> {
    let mut file = ParquetFile::create(path, batch.schema())?;
    file.write(batch.clone())?;
    file.finish()
}

/// A Parquet file written by a thread of its own, so that making the next batch need not wait for it.
pub(crate) struct BackgroundParquet {
    batches: SyncSender<Option<RecordBatch>>,
    writer: JoinHandle<Result<Option<Written>, TablesError>>,
}

impl BackgroundParquet {
    pub fn create(path: &Path, schema: SchemaRef) -> Result<BackgroundParquet, TablesError> {
        let mut file = ParquetFile::create(path, schema)?;
        let (batches, waiting) = sync_channel(BATCHES_WAITING_MAX);
        let writer = std::thread::spawn(move || {
            for batch in waiting {
                match batch {
                    Some(batch) => file.write(batch)?,
                    None => return file.finish().map(Some),
                }
            }
            // Whoever sent them gave up: the name never appears.
            Ok(None)
        });
        Ok(BackgroundParquet { batches, writer })
    }

    pub fn write(&self, batch: RecordBatch) {
        // A writer that has ended says why when it is asked to finish.
        let _ = self.batches.send(Some(batch));
    }

    /// Waits until nothing is written any more: the same path may be tried again.
    pub fn abandon(self) {
        drop(self.batches);
        let _ = self.writer.join();
    }

    pub fn finish(self) -> Result<Written, TablesError> {
        let _ = self.batches.send(None);
        let ended = |what: &str| TablesError::Engine(format!("the writer of a table {what}"));
        let written = self.writer.join().map_err(|_| ended("panicked"))??;
        written.ok_or_else(|| ended("ended early"))
    }
}

/// A Parquet file on its way: the name appears only when everything is in it and on disk.
pub(crate) struct ParquetFile {
    path: PathBuf,
    partial: PathBuf,
    file: SerializedFileWriter<File>,
    groups: ArrowRowGroupWriterFactory,
    /// As the batches come; in the file a text is a text.
    schema: SchemaRef,
    /// Of the group that is being written; none before its first row.
    columns: Vec<Column>,
    group_rows: usize,
    /// Rows of the group that are not packed yet.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    pub rows: u64,
}

impl ParquetFile {
    pub fn create(path: &Path, schema: SchemaRef) -> Result<ParquetFile, TablesError> {
        let partial = path.with_extension("parquet.partial");
        let file = File::create(&partial).map_err(|error| TablesError::io(&partial, error))?;
        let plain = |field: &FieldRef| field.as_ref().clone().with_data_type(without_views(field.data_type()));
        let plain = Arc::new(Schema::new(schema.fields().iter().map(plain).collect::<Vec<_>>()));
        let writer = ArrowWriter::try_new(file, plain, Some(properties()?)).map_err(engine_error)?;
        let (file, groups) = writer.into_serialized_writer().map_err(engine_error)?;
        let (columns, waiting) = (Vec::new(), Vec::new());
        let path = path.to_owned();
        Ok(ParquetFile {
            path,
            partial,
            file,
            groups,
            schema,
            columns,
            group_rows: 0,
            waiting,
            waiting_rows: 0,
            rows: 0,
        })
    }

    pub fn write(&mut self, mut batch: RecordBatch) -> Result<(), TablesError> {
        self.rows += batch.num_rows() as u64;
        while batch.num_rows() > 0 {
            let fitting = batch.num_rows().min(GROUP_ROWS - self.group_rows);
            self.waiting.push(batch.slice(0, fitting));
            self.group_rows += fitting;
            self.waiting_rows += fitting;
            if self.group_rows == GROUP_ROWS {
                self.close_group()?;
            } else if self.waiting_rows >= PACKED_ROWS_MIN {
                self.pack()?;
            }
            batch = batch.slice(fitting, batch.num_rows() - fitting);
        }
        Ok(())
    }

    /// Packs what waits, each column by whichever thread is free.
    fn pack(&mut self) -> Result<(), TablesError> {
        if self.columns.is_empty() {
            self.columns = self.next_columns()?;
        }
        let batches = std::mem::take(&mut self.waiting);
        let threads = match std::mem::take(&mut self.waiting_rows) {
            PACKED_ROWS_MIN.. => std::thread::available_parallelism().map_or(1, usize::from).min(PACKING_THREADS_MAX),
            _ => 1,
        };
        let columns = Mutex::new(self.columns.iter_mut());
        let next = || columns.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
        let work = || {
            while let Some(column) = next() {
                batches.iter().try_for_each(|batch| column.write(batch))?;
            }
            Ok(())
        };
        let packed: Result<(), ParquetError> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let panicked = |_| Err(ParquetError::General("packing a column panicked".to_owned()));
            let others = others.into_iter().map(|other| other.join().unwrap_or_else(panicked));
            // All are waited for, whatever the first says.
            std::iter::once(work()).chain(others).collect::<Vec<_>>().into_iter().collect()
        });
        packed.map_err(engine_error)
    }

    fn next_columns(&self) -> Result<Vec<Column>, TablesError> {
        let group = self.file.flushed_row_groups().len();
        let mut writers = self.groups.create_column_writers(group).map_err(engine_error)?.into_iter();
        let fields = self.schema.fields().iter().enumerate();
        // A list or a struct has several leaves, each with a writer of its own.
        let column = |(place, field): (usize, &FieldRef)| {
            let nothing = datafusion::arrow::array::new_empty_array(field.data_type());
            let leaves = compute_leaves(field, &nothing).map_err(engine_error)?.len();
            Ok(Column { place, field: field.clone(), leaves: writers.by_ref().take(leaves).collect() })
        };
        fields.map(column).collect()
    }

    fn close_group(&mut self) -> Result<(), TablesError> {
        if self.group_rows == 0 {
            return Ok(());
        }
        self.pack()?;
        self.group_rows = 0;
        let mut group = self.file.next_row_group().map_err(engine_error)?;
        for leaf in std::mem::take(&mut self.columns).into_iter().flat_map(|column| column.leaves) {
            leaf.close().and_then(|chunk| chunk.append_to_row_group(&mut group)).map_err(engine_error)?;
        }
        group.close().map_err(engine_error)?;
        Ok(())
    }

    pub fn finish(mut self) -> Result<Written, TablesError> {
        self.close_group()?;
        let ParquetFile { path, partial, file, rows, .. } = self;
        let file = file.into_inner().map_err(engine_error)?;
        file.sync_all().map_err(|error| TablesError::io(&partial, error))?;
        let fingerprint = file_fingerprint(&partial)?;
        std::fs::rename(&partial, &path).map_err(|error| TablesError::io(&path, error))?;
        // A rename is on disk only when its folder is.
        if let Some(folder) = path.parent().filter(|folder| cfg!(unix) && !folder.as_os_str().is_empty()) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| TablesError::io(folder, error))?;
        }
        Ok(Written { rows, fingerprint })
    }
}

/// A column of the group that is being written.
struct Column {
    place: usize,
    field: FieldRef,
    leaves: Vec<ArrowColumnWriter>,
}

impl Column {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ParquetError> {
        let leaves = compute_leaves(&self.field, batch.column(self.place))?;
        self.leaves.iter_mut().zip(&leaves).try_for_each(|(writer, leaf)| writer.write(leaf))
    }
}

/// One batch as the bytes of a Parquet file.
pub fn batch_bytes(batch: &RecordBatch) -> Result<Vec<u8>, TablesError> {
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties()?)).map_err(engine_error)?;
    writer.write(batch).map_err(engine_error)?;
    writer.into_inner().map_err(engine_error)
}

/// All rows of a Parquet file as one batch.
pub fn read_batch(path: &Path) -> Result<RecordBatch, TablesError> {
    let file = std::fs::File::open(path).map_err(|error| TablesError::io(path, error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| TablesError::io(path, error))?;
    let schema = builder.schema().clone();
    let batches = builder.build().map_err(|error| TablesError::io(path, error))?;
    let batches = batches.collect::<Result<Vec<_>, _>>().map_err(|error| TablesError::io(path, error))?;
    concat_batches(&schema, &batches).map_err(engine_error)
}

fn properties() -> Result<WriterProperties, TablesError> {
    let level = ZstdLevel::try_new(1).map_err(engine_error)?;
    // No writer version, no date: equal rows give equal bytes.
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by("septet".to_owned())
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build())
}

fn engine_error(error: impl std::fmt::Display) -> TablesError {
    TablesError::Engine(error.to_string())
}

/// Hash of a file's bytes.
pub fn file_fingerprint(path: &Path) -> Result<String, TablesError> {
    let mut file = File::open(path).map_err(|error| TablesError::io(path, error))?;
    let (mut hasher, mut buffer) = (blake3::Hasher::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut buffer).map_err(|error| TablesError::io(path, error))?;
        if read == 0 {
            return Ok(hasher.finalize().to_hex()[..32].to_owned());
        }
        hasher.update(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, StringArray, StructArray};
    use datafusion::arrow::datatypes::{DataType, Field, Float64Type};

    fn rows(from: usize, to: usize) -> RecordBatch {
        let number: ArrayRef =
            Arc::new((from..to).map(|row| (row % 7 > 0).then_some(row as i64)).collect::<Int64Array>());
        let words = (from..to).map(|row| (row % 5 > 0).then(|| format!("w{}", row % 300)));
        let words: ArrayRef = Arc::new(words.collect::<StringArray>());
        let value: ArrayRef = Arc::new((from..to).map(|row| row as f64 / 3.0).collect::<Float64Array>());
        let list = (from..to).map(|row| (row % 3 > 0).then(|| (0..row % 4).map(|at| Some(at as f64))));
        let list: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(list));
        let nullable = |name: &str, column: &ArrayRef| Arc::new(Field::new(name, column.data_type().clone(), true));
        let pair = [("a", &number), ("b", &words)].map(|(name, column)| (nullable(name, column), column.clone()));
        let pair: ArrayRef = Arc::new(StructArray::from(pair.to_vec()));
        let columns = [("number", number), ("words", words), ("list", list), ("pair", pair), ("value", value)];
        let fields: Vec<_> = columns.iter().map(|(name, column)| nullable(name, column)).collect();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
    }

    #[test]
    fn a_text_that_comes_as_a_view_is_written_as_a_text() {
        let folder = tempfile::tempdir().unwrap();
        let plain = rows(0, 100_000).project(&[1]).unwrap();
        let views = datafusion::arrow::compute::cast(plain.column(0), &DataType::Utf8View).unwrap();
        let views = RecordBatch::try_from_iter_with_nullable([("words", views, true)]).unwrap();
        let [plain, views] = [plain, views].map(|batch| write_batch(&folder.path().join("a.parquet"), &batch).unwrap());
        assert_eq!(plain, views);
    }

    #[test]
    fn the_bytes_are_those_of_the_librarys_writer() {
        let folder = tempfile::tempdir().unwrap();
        let schema = rows(0, 1).schema();
        let (path, peer) = (folder.path().join("ours.parquet"), folder.path().join("peer.parquet"));
        // Over the end of a group, and by batches that fit nothing.
        let ends = [0, 1, 8_192, 200_000, 200_000, 270_001, 1_048_575, 1_048_577, 1_120_000];
        for count in [1, 4, ends.len()] {
            let mut file = ParquetFile::create(&path, schema.clone()).unwrap();
            let mut other =
                ArrowWriter::try_new(File::create(&peer).unwrap(), schema.clone(), Some(properties().unwrap()));
            for ends in ends[..count].windows(2) {
                let batch = rows(ends[0], ends[1]);
                other.as_mut().unwrap().write(&batch).unwrap();
                file.write(batch).unwrap();
            }
            other.unwrap().close().unwrap();
            let written = file.finish().unwrap();
            assert_eq!((written.rows, written.fingerprint), (ends[count - 1] as u64, file_fingerprint(&peer).unwrap()));
        }
    }
}
