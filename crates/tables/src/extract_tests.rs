//! Extracts of small files: what was written is what is read, in every form.

use super::*;
use crate::EngineSettings;
use crate::parquet::{read_batch, write_batch};
use datafusion::arrow::array::*;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{Int8Type, Int32Type, TimeUnit};
use septet_domain::Domains;

/// Payments in a folder of their own, with more columns than the contract has.
struct Source {
    folder: tempfile::TempDir,
}

impl Source {
    fn new() -> Source {
        Source { folder: tempfile::tempdir().unwrap() }
    }

    fn text(&self, name: &str, text: &str) -> &Source {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn parquet(&self, name: &str, columns: &[(&str, ArrayRef)]) -> &Source {
        let rows = columns[0].1.len();
        let text = |prefix: &str| -> ArrayRef {
            Arc::new((0..rows).map(|row| Some(format!("{prefix}{name}{row}"))).collect::<StringArray>())
        };
        let times: ArrayRef = Arc::new(StringArray::from(vec!["2026-01-01 00:00:00"; rows]));
        let amounts: ArrayRef = Arc::new(Float64Array::from(vec![5.0; rows]));
        let own = [
            ("payment_id", text("p")),
            ("paid_at", times),
            ("customer_id", text("c")),
            ("terminal_id", text("t")),
            ("amount", amounts),
        ];
        // The batch is written as it is: our own writer would make plain texts of views.
        let batch = RecordBatch::try_from_iter_with_nullable(
            own.into_iter().chain(columns.iter().cloned()).map(|(name, column)| (name, column, true)),
        );
        write_batch(&self.folder.path().join(name), &batch.unwrap()).unwrap();
        self
    }

    async fn extract(&self, pattern: &str) -> Result<(ExtractReport, RecordBatch), TablesError> {
        let out = tempfile::tempdir().unwrap();
        let domain = Domains::default().load("fraud").unwrap();
        let (input_name, input) = domain.spec.first_input();
        let settings = EngineSettings { memory_max: 1 << 28, spill_folder: out.path().join("spill"), partitions: 1 };
        let request = ExtractRequest {
            input_name,
            input,
            location: &Location::Files(self.folder.path().join(pattern).display().to_string()),
            layout_sql: "SELECT * FROM source",
            format: TextFormat::default(),
            folder: out.path(),
        };
        let report = extract(&Engine::new(&settings).unwrap(), &request, &|_| {}).await?;
        let rows = read_batch(&out.path().join(format!("{input_name}.parquet"))).unwrap();
        Ok((report, rows))
    }
}

fn texts(rows: &RecordBatch, name: &str) -> Vec<String> {
    let column = cast(rows.column_by_name(name).unwrap(), &DataType::Utf8).unwrap();
    column.as_string::<i32>().iter().map(|text| text.unwrap_or("-").to_owned()).collect()
}

const HEADER: &str = "payment_id,paid_at,customer_id,terminal_id,amount";

#[tokio::test]
async fn codes_stay_the_texts_that_they_are_in_every_form() {
    let codes = ["0742", "742", "1E5", "100000", "T", "Y", "1.10", "1.1", "+49123", "49123"];
    let cards = ["9007199254740993", "9007199254740992", "4000000000000000006", "4000000000000000014"];
    let source = Source::new();
    let both: Vec<(&str, &str)> = codes.iter().copied().zip(cards.iter().copied().cycle()).collect();
    let csv = |(row, (code, card)): (usize, &(&str, &str))| format!("p{row},2026-01-01,c,t,5,{code},{card}\n");
    source.text("a.csv", &format!("{HEADER},code,card\n{}", both.iter().enumerate().map(csv).collect::<String>()));
    let json = |(row, (code, card)): (usize, &(&str, &str))| {
        format!(
            r#"{{"payment_id":"p{row}","paid_at":"2026-01-01","customer_id":"c","terminal_id":"t","amount":5,"code":"{code}","card":{card}}}"#
        ) + "\n"
    };
    source.text("a.ndjson", &both.iter().enumerate().map(json).collect::<String>());
    let column = |part: fn(&(&str, &str)) -> String| -> ArrayRef {
        Arc::new(both.iter().map(|row| Some(part(row))).collect::<StringArray>())
    };
    let (code, card) = (column(|(code, _)| (*code).to_owned()), column(|(_, card)| (*card).to_owned()));
    source.parquet("a.parquet", &[("code", code.clone()), ("card", card.clone())]);
    let large = |column: &ArrayRef| cast(column, &DataType::LargeUtf8).unwrap();
    source.parquet("large.parquet", &[("code", large(&code)), ("card", large(&card))]);
    for file in ["a.csv", "a.ndjson", "a.parquet", "large.parquet"] {
        let (_, rows) = source.extract(file).await.unwrap();
        assert_eq!(texts(&rows, "code"), codes, "{file}");
        assert_eq!(texts(&rows, "card"), both.iter().map(|(_, card)| *card).collect::<Vec<_>>(), "{file}");
    }
}

#[tokio::test]
async fn numbers_that_digits_only_look_like_stay_what_the_source_says() {
    let source = Source::new();
    let digits: ArrayRef = Arc::new(StringArray::from(vec!["1", "2"]));
    source.parquet("a.parquet", &[("x", digits.clone()), ("y", cast(&digits, &DataType::Utf8View).unwrap())]);
    let line = |row: usize, x: &str, y: &str| {
        format!(
            r#"{{"payment_id":"p{row}","paid_at":"2026-01-01","customer_id":"c","terminal_id":"t","amount":5,"x":{x},"y":{y}}}"#
        )
    };
    source.text("a.ndjson", &[line(0, "\"1\"", "1.10"), line(1, "2", "1E5")].join("\n"));
    for (file, x, y) in [("a.parquet", DataType::Utf8, DataType::Utf8), ("a.ndjson", DataType::Utf8, DataType::Float64)]
    {
        let (_, rows) = source.extract(file).await.unwrap();
        let kind = |name: &str| rows.column_by_name(name).unwrap().data_type().clone();
        assert_eq!((kind("x"), kind("y")), (x, y), "{file}");
    }
}

#[tokio::test]
async fn long_numbers_of_json_are_read_into_texts_digit_by_digit() {
    let ids =
        ["18446744073709551616", "18446744073709551617", "123456789012345678901234567890", "9007199254740993", "7"];
    let customers = ["1.10", "1E5", "90071992547409930001", "-0", "12.50"];
    let line = |(id, customer): (&&str, &&str)| {
        format!(r#"{{"payment_id":{id},"paid_at":"2026-01-01","customer_id":{customer},"terminal_id":"t","amount":5}}"#)
    };
    let lines: Vec<String> = ids.iter().zip(&customers).map(line).collect();
    let (report, rows) = Source::new().text("a.ndjson", &lines.join("\n")).extract("a.ndjson").await.unwrap();
    assert_eq!((report.rows_out, report.quarantined), (5, 0));
    assert_eq!(texts(&rows, "payment_id"), ids);
    assert_eq!(texts(&rows, "customer_id"), customers);
}

/// Two values of every Arrow type that Parquet writes.
fn every_type() -> Vec<(ArrayRef, Option<DataType>, &'static str)> {
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![3, 100]));
    let mut all = Vec::new();
    for kind in [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Decimal128(20, 0),
    ] {
        all.push((cast(&whole, &kind).unwrap(), Some(DataType::Int64), "3 100"));
    }
    for kind in [DataType::Float16, DataType::Float32, DataType::Float64, DataType::Decimal128(10, 2)] {
        all.push((cast(&whole, &kind).unwrap(), Some(DataType::Float64), "3.0 100.0"));
    }
    all.push((Arc::new(UInt64Array::from(vec![u64::MAX, 1])), Some(DataType::Utf8), "18446744073709551615 1"));
    let truths: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    all.push((truths, Some(DataType::Boolean), "true false"));
    let dictionary: DictionaryArray<Int8Type> = vec!["a", "b"].into_iter().collect();
    all.push((Arc::new(dictionary), Some(DataType::Utf8), "a b"));
    let times: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![-1, 1_777_888_800_000_000_000]));
    let shown = "1969-12-31T23:59:59.999999 2026-05-04T10:00:00";
    all.push((times.clone(), Some(time.clone()), shown));
    let zoned = times.as_primitive::<datafusion::arrow::datatypes::TimestampNanosecondType>().clone();
    all.push((Arc::new(zoned.with_timezone("Europe/Berlin")), Some(time.clone()), shown));
    let day = "1970-01-04T00:00:00 1970-04-11T00:00:00";
    all.push((cast(&cast(&whole, &DataType::Int32).unwrap(), &DataType::Date32).unwrap(), Some(time), day));
    let seconds = cast(&whole, &DataType::Int32).unwrap();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
    let field = Arc::new(Field::new("a", DataType::Int64, true));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    (0..2).for_each(|_| map.append(true).unwrap());
    for array in [
        Arc::new(NullArray::new(2)) as ArrayRef,
        cast(&seconds, &DataType::Time32(TimeUnit::Second)).unwrap(),
        cast(&whole, &DataType::Time64(TimeUnit::Microsecond)).unwrap(),
        cast(&whole, &DataType::Duration(TimeUnit::Millisecond)).unwrap(),
        Arc::new(BinaryArray::from(vec![&b"a"[..], b"b"])),
        Arc::new(FixedSizeBinaryArray::try_from_iter([[7u8; 16], [8u8; 16]].iter()).unwrap()),
        Arc::new(list),
        Arc::new(StructArray::from(vec![(field, whole.clone())])),
        Arc::new(map.finish()),
    ] {
        all.push((array, None, ""));
    }
    all
}

#[tokio::test]
async fn a_column_of_any_arrow_type_becomes_one_of_ours_or_is_left_out_by_name() {
    for (array, expected, values) in every_type() {
        let kind = array.data_type().clone();
        let (report, rows) =
            Source::new().parquet("a.parquet", &[("extra", array)]).extract("a.parquet").await.unwrap();
        let found = rows.column_by_name("extra").map(|column| column.data_type().clone());
        assert_eq!((found, report.rows_out), (expected.clone(), 2), "{kind}");
        match expected {
            Some(_) => assert_eq!(texts(&rows, "extra").join(" "), values, "{kind}"),
            None => assert!(report.notes[0].starts_with("column `extra` is left out: it"), "{:?}", report.notes),
        }
    }
}

#[tokio::test]
async fn parts_whose_writers_chose_other_types_are_one_table() {
    let words: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    let usual = [("word", words.clone()), ("n", whole.clone())];
    let narrow = cast(&whole, &DataType::Int32).unwrap();
    let packed = cast(&words, &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).unwrap();
    let nothing: ArrayRef = Arc::new(NullArray::new(2));
    type Part<'a> = (&'a str, Vec<(&'a str, ArrayRef)>, &'a str);
    let others: [Part; 4] = [
        ("width", vec![("word", cast(&words, &DataType::LargeUtf8).unwrap()), ("n", narrow)], "1 - 1 -"),
        ("packed", vec![("word", packed), ("n", whole.clone())], "1 - 1 -"),
        ("order", vec![("n", whole), ("word", words)], "1 - 1 -"),
        ("null", vec![("word", nothing.clone()), ("n", nothing)], "1 - - -"),
    ];
    for (name, other, n) in others {
        let source = Source::new();
        source.parquet("1.parquet", &usual).parquet("2.parquet", &other);
        let (_, rows) = source.extract("*.parquet").await.unwrap();
        assert_eq!(texts(&rows, "n").join(" "), n, "{name}");
        let word = if name == "null" { "a - - -" } else { "a - a -" };
        assert_eq!(texts(&rows, "word").join(" "), word, "{name}");
    }
    let source = Source::new();
    let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    source.parquet("1.parquet", &usual).parquet("2.parquet", &[("word", flags.clone()), ("n", flags)]);
    let error = source.extract("*.parquet").await.unwrap_err().to_string();
    assert!(error.contains("the column `word` as Boolean"), "{error}");
}

#[tokio::test]
async fn a_query_about_a_text_file_sees_the_types_of_all_rows() {
    let source = Source::new();
    let late: String = (0..1_500).map(|row| format!("{row},{}\n", if row < 1_400 { "" } else { "x7" })).collect();
    source.text("late.csv", &format!("id,note\n{late}")).text("codes.csv", "code\n007\n7\n");
    source.text("broken.csv", "a,b\n1,2\n3\n").text("a.ndjson", "{\"a\":18446744073709551617}\n{\"a\":1}\n");
    let settings = EngineSettings { memory_max: 1 << 28, spill_folder: source.folder.path().join("s"), partitions: 2 };
    let engine = Engine::new(&settings).unwrap().with_files();
    let path = |name: &str| source.folder.path().join(name).display().to_string();
    for (sql, expected) in [
        (format!("SELECT count(note) FROM '{}'", path("late.csv")), 100.0),
        (format!("SELECT sum(id % 2) FROM '{}'", path("late.csv")), 750.0),
        (format!("SELECT count(DISTINCT code) FROM '{}'", path("codes.csv")), 2.0),
        (format!("SELECT count(*) FROM '{}' WHERE a = '18446744073709551617'", path("a.ndjson")), 1.0),
        (
            format!("SELECT count(*) FROM '{}' a JOIN '{}' b ON a.id = b.id", path("late.csv"), path("late.csv")),
            1_500.0,
        ),
    ] {
        assert_eq!(engine.number(&sql).await.unwrap(), Some(expected), "{sql}");
    }
    let error = engine.query(&format!("SELECT * FROM '{}'", path("broken.csv"))).await.unwrap_err().to_string();
    assert!(error.contains("broken.csv") && error.contains("row 2: line 3 has 1 fields, expected 2"), "{error}");
}
