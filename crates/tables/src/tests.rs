//! The engine's promises: memory is a limit, one row equals the batch, and only pure expressions are features.

use crate::arrow::array::{Array, AsArray, Float64Array, RecordBatch, StringArray};
use crate::arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use crate::{Engine, EngineSettings, Format, RowExpressions, TableFile, TablesError, numbers, print};
use std::sync::Arc;

pub(crate) fn engine(memory_max: usize) -> (Engine, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = EngineSettings { memory_max, spill_folder: folder.path().join("spill"), partitions: 1 };
    (Engine::new(&settings).unwrap(), folder)
}

#[tokio::test]
async fn a_sort_larger_than_memory_spills_and_a_limit_too_small_is_said() {
    let sql = "SELECT value, value * 7919 % 1000003 AS shuffled, repeat('x', 40) AS text FROM generate_series(1, 1500000) ORDER BY 2";
    let (small, folder) = engine(30_000_000);
    let path = folder.path().join("sorted.parquet");
    let written = small.write(sql, &path, &|_| {}).await.unwrap();
    assert_eq!(written.rows, 1_500_000);
    let (large, other) = engine(2_000_000_000);
    let path = other.path().join("sorted.parquet");
    assert_eq!(large.write(sql, &path, &|_| {}).await.unwrap(), written, "spilling changes nothing");
    let (tiny, folder) = engine(100_000);
    let path = folder.path().join("sorted.parquet");
    let error = tiny.write(sql, &path, &|_| {}).await.unwrap_err();
    assert!(matches!(error, TablesError::Memory(_)), "{error}");
    assert!(!path.exists(), "no half-written table");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_large_aggregate_has_the_same_bytes_each_time_and_the_same_groups_when_it_spills() {
    let sql = "SELECT value * 7919 % 300007 AS entity, count(*) AS n, sum(value) AS whole, sum(value / 7.0) AS broken
               FROM generate_series(1, 1200000) GROUP BY value * 7919 % 300007";
    let mut fingerprints = Vec::new();
    for memory_max in [2_000_000_000, 14_000_000] {
        let (engine, folder) = engine(memory_max);
        let path = folder.path().join("groups.parquet");
        let written = engine.write(sql, &path, &|_| {}).await.unwrap();
        for _ in 0..4 {
            assert_eq!(engine.write(sql, &path, &|_| {}).await.unwrap(), written, "with {memory_max} bytes");
        }
        fingerprints.push(written.fingerprint);
        engine.register_file(&TableFile { name: "groups".to_owned(), path }).await.unwrap();
        let one = |sql: &'static str| engine.number(sql);
        assert_eq!(one("SELECT count(DISTINCT entity) FROM groups").await.unwrap(), Some(300_007.0));
        assert_eq!(one("SELECT CAST(sum(n) AS DOUBLE) FROM groups").await.unwrap(), Some(1_200_000.0));
        assert_eq!(one("SELECT CAST(sum(whole) AS DOUBLE) FROM groups").await.unwrap(), Some(720_000_600_000.0));
    }
    assert_ne!(fingerprints[0], fingerprints[1], "the second spilled: its groups are sorted");
}

#[tokio::test]
async fn few_rows_keep_the_order_of_their_groups_and_an_error_of_many_is_told() {
    let (engine, _folder) = engine(100_000_000);
    let sql = "SELECT value * 7 % 13 AS entity, count(*) AS n FROM generate_series(1, 50000) GROUP BY value * 7 % 13";
    let (_, batches) = engine.query(sql).await.unwrap();
    let entities = batches[0].column(0).as_primitive::<Int64Type>();
    assert!((0..13).all(|at| entities.value(at) == (at as i64 + 1) * 7 % 13), "{entities:?}");
    let sql =
        "SELECT value % 1000 AS entity, sum(1 / (value - 400000)) AS x FROM generate_series(1, 900000) GROUP BY 1";
    let error = engine.query(sql).await.unwrap_err();
    assert!(error.to_string().contains("Divide by zero"), "{error}");
}

fn events() -> RecordBatch {
    let amounts: Float64Array = (0..500).map(|at| (at % 7 != 0).then(|| f64::from(at) / 3.0)).collect();
    let words: StringArray = (0..500).map(|at| (at % 5 != 0).then(|| format!("w{}", at % 9))).collect();
    let schema =
        Schema::new(vec![Field::new("amount", DataType::Float64, true), Field::new("word", DataType::Utf8, true)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(amounts), Arc::new(words)]).unwrap()
}

async fn compile(sql: &str) -> Result<RowExpressions, TablesError> {
    let (engine, _folder) = engine(100_000_000);
    RowExpressions::compile(&engine, sql, "events", events().schema()).await
}

#[tokio::test]
async fn an_expression_on_one_row_equals_the_batch_to_the_bit() {
    let sql = "SELECT amount / nullif(amount - 3, 0) AS a, coalesce(ln(amount + 1), -1) AS b, CASE WHEN word = 'w3' THEN 1 ELSE 0 END AS c,
               upper(word) AS d, amount > 20 AS e FROM events";
    let expressions = compile(sql).await.unwrap();
    let events = events();
    let batch = expressions.evaluate(&events).unwrap();
    for row in 0..events.num_rows() {
        let one = expressions.evaluate(&events.slice(row, 1)).unwrap();
        for (column, single) in batch.iter().zip(&one) {
            assert_eq!(&column.slice(row, 1).to_data(), &single.to_data(), "row {row}");
        }
    }
}

#[tokio::test]
async fn what_is_no_row_expression_is_refused() {
    for sql in [
        "SELECT amount FROM events WHERE amount > 1",
        "SELECT sum(amount) AS s FROM events",
        "SELECT amount, row_number() OVER (ORDER BY amount) AS n FROM events",
        "SELECT a.amount FROM events a JOIN events b ON a.word = b.word",
        "SELECT random() AS r FROM events",
        "SELECT now() AS n FROM events",
        "SELECT DISTINCT amount FROM events",
    ] {
        assert!(compile(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn nulls_become_missing_numbers_and_truth_becomes_one() {
    let expressions = compile("SELECT amount, amount > 100 AS large FROM events").await.unwrap();
    let columns = expressions.evaluate(&events()).unwrap();
    let (amounts, large) = (numbers(&columns[0]).unwrap(), numbers(&columns[1]).unwrap());
    assert!(amounts[0].is_nan() && large[0].is_nan());
    assert_eq!((amounts[3], large[3], large[499]), (1.0, 0.0, 1.0));
    assert_eq!(
        columns[0].as_primitive::<Float64Type>().null_count(),
        amounts.iter().filter(|value| value.is_nan()).count()
    );
}

#[tokio::test]
async fn results_print_as_table_csv_and_json_lines() {
    let (engine, _folder) = engine(100_000_000);
    let (_, batches) = engine.query("SELECT 1 AS one, 'a,b' AS text, CAST(NULL AS DOUBLE) AS nothing").await.unwrap();
    let text = |format| {
        let mut out = Vec::new();
        print(&batches, format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(text(Format::Csv), "one,text,nothing\n1,\"a,b\",\n");
    assert_eq!(text(Format::JsonLines), "{\"one\":1,\"text\":\"a,b\"}\n");
    assert!(text(Format::Table).contains("| one | text | nothing |"));
}
