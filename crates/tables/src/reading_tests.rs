//! Arrow types by contract types: what is read of each.

use super::*;
use datafusion::arrow::array::*;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::*;

/// The values read, one a word; `-` is null.
fn read(array: &ArrayRef, kind: ColumnType, decimal: char) -> String {
    let array = unpacked(array).unwrap();
    let read = read_as(&array, kind, decimal).unwrap();
    assert_eq!(read.data_type(), &arrow_type(kind), "{}", array.data_type());
    assert_eq!(read.len(), array.len());
    printed(&read).into_iter().map(|text| text.unwrap_or("-".to_owned())).collect::<Vec<_>>().join(" ")
}

fn words(words: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(words.to_vec()))
}

fn as_type(array: &ArrayRef, kind: DataType) -> ArrayRef {
    cast(array, &kind).unwrap()
}

fn dictionary(values: &ArrayRef) -> ArrayRef {
    let keys = Int8Array::from((0..values.len() as i8).collect::<Vec<_>>());
    Arc::new(DictionaryArray::new(keys, values.clone()))
}

fn decimal(values: Vec<i128>, precision: u8, scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
}

/// Each row: a column, then what comes as text, number, integer, bool and timestamp; none: every value is of another type.
fn matrix() -> Vec<(ArrayRef, [Option<&'static str>; 5])> {
    let whole: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2]));
    let of_whole = [Some("0 1 2"), Some("0.0 1.0 2.0"), Some("0 1 2"), Some("false true -"), None];
    let cents = decimal(vec![250, -150, 100], 10, 2);
    let of_cents = [Some("2.50 -1.50 1.00"), Some("2.5 -1.5 1.0"), Some("- - 1"), Some("- - true"), None];
    let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
    let nothing = [None, None, None, None, None];
    let mut rows = Vec::new();
    for kind in [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
    ] {
        rows.push((as_type(&whole, kind.clone()), of_whole));
        rows.push((dictionary(&as_type(&whole, kind)), of_whole));
    }
    for kind in [DataType::Float16, DataType::Float32, DataType::Float64] {
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.5, f64::NAN, f64::INFINITY]));
        let text = if kind == DataType::Float16 { "1 2.5 NaN inf" } else { "1.0 2.5 NaN inf" };
        let of_floats = [Some(text), Some("1.0 2.5 - -"), Some("1 - - -"), Some("true - - -"), None];
        rows.push((as_type(&floats, kind), of_floats));
    }
    for kind in [DataType::Decimal32(9, 2), DataType::Decimal64(18, 2), DataType::Decimal256(40, 2)] {
        rows.push((as_type(&cents, kind), of_cents));
    }
    rows.push((dictionary(&cents), of_cents));
    rows.push((cents, of_cents));
    let digit = decimal(vec![0, 1], 1, 0);
    rows.push((digit, [Some("0 1"), Some("0.0 1.0"), Some("0 1"), Some("false true"), None]));
    let negative_scale = decimal(vec![0, 12], 10, -2);
    rows.push((negative_scale, [Some("0 1200"), Some("0.0 1200.0"), Some("0 1200"), Some("false -"), None]));
    let truths: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
    rows.push((truths, [Some("true false"), None, None, Some("true false"), None]));

    // Whole numbers beyond 53 and 64 bits.
    let long: ArrayRef = Arc::new(Int64Array::from(vec![9_007_199_254_740_993, i64::MIN]));
    let of_long = "9007199254740993 -9223372036854775808";
    rows.push((long, [Some(of_long), Some("- -9.223372036854776e18"), Some(of_long), Some("- -"), None]));
    let long: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 1]));
    let of_long = [Some("18446744073709551615 1"), Some("- 1.0"), Some("- 1"), Some("- true"), None];
    rows.push((long, of_long));
    let long = decimal(vec![9_007_199_254_740_993, 18_446_744_073_709_551_617], 38, 0);
    let of_long =
        [Some("9007199254740993 18446744073709551617"), Some("- -"), Some("9007199254740993 -"), Some("- -"), None];
    rows.push((as_type(&long, DataType::Decimal256(40, 0)), of_long));
    rows.push((long, of_long));
    rows.push((
        decimal(vec![900_719_925_474_099_300], 38, 2),
        [Some("9007199254740993.00"), Some("-"), Some("9007199254740993"), Some("-"), None],
    ));

    // Texts, however they are packed.
    let texts = words(&["on", "3.0", "1e2", "t", "2026-05-04", "x"]);
    let of_texts = [
        Some("on 3.0 1e2 t 2026-05-04 x"),
        Some("- 3.0 100.0 - - -"),
        Some("- 3 100 - - -"),
        Some("- - - true - -"),
        Some("- - - - 2026-05-04T00:00:00 -"),
    ];
    for kind in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
        rows.push((dictionary(&as_type(&texts, kind.clone())), of_texts));
        rows.push((as_type(&texts, kind), of_texts));
    }
    for kind in [DataType::Binary, DataType::LargeBinary, DataType::BinaryView] {
        rows.push((as_type(&texts, kind), [of_texts[0], None, None, None, None]));
    }
    rows.push((Arc::new(BinaryArray::from(vec![&b"\xff"[..]])), nothing));

    // Days and times.
    let day = "2026-05-04T00:00:00";
    let days: ArrayRef = Arc::new(Date32Array::from(vec![20_577]));
    rows.push((as_type(&days, DataType::Date64), [Some(day), None, None, None, Some(day)]));
    rows.push((days, [Some("2026-05-04"), None, None, None, Some(day)]));
    let of_far_days = nothing;
    rows.push((Arc::new(Date32Array::from(vec![i32::MAX, i32::MIN])), of_far_days));
    for unit in units {
        let noon: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1_777_896_000]));
        let noon = as_type(&noon, DataType::Timestamp(unit, None));
        let text = Some("2026-05-04T12:00:00");
        rows.push((dictionary(&noon), [text, None, None, None, text]));
        let zoned = as_type(&noon, DataType::Timestamp(unit, Some("+02:00".into())));
        // A time without a zone that is given one is that time there.
        let (local, utc) = (Some("2026-05-04T12:00:00+02:00"), Some("2026-05-04T10:00:00"));
        rows.push((zoned, [local, None, None, None, utc]));
        rows.push((noon, [text, None, None, None, text]));
        let durations: ArrayRef =
            as_type(&(Arc::new(Int64Array::from(vec![90_000])) as ArrayRef), DataType::Duration(unit));
        let text = read(&durations, ColumnType::Text, '.');
        assert!(text.starts_with("PT"), "{text}");
        for kind in [ColumnType::Number, ColumnType::Integer, ColumnType::Bool, ColumnType::Timestamp] {
            assert_eq!(read(&durations, kind, '.'), "-");
        }
    }
    rows.push((
        Arc::new(TimestampNanosecondArray::from(vec![-1, -1_001, 999])),
        [
            Some("1969-12-31T23:59:59.999999999 1969-12-31T23:59:59.999998999 1970-01-01T00:00:00.000000999"),
            None,
            None,
            None,
            Some("1969-12-31T23:59:59.999999 1969-12-31T23:59:59.999998 1970-01-01T00:00:00"),
        ],
    ));
    rows.push((Arc::new(TimestampSecondArray::from(vec![i64::MAX, 253_402_300_800])), nothing));
    rows.push((Arc::new(TimestampMicrosecondArray::from(vec![i64::MAX, i64::MIN])), nothing));
    let ten = Some("10:00:00");
    rows.push((Arc::new(Time32SecondArray::from(vec![36_000])), [ten, None, None, None, None]));
    rows.push((Arc::new(Time64MicrosecondArray::from(vec![36_000_000_000])), [ten, None, None, None, None]));
    rows.push((Arc::new(IntervalYearMonthArray::from(vec![13])), [Some("1 years 1 mons"), None, None, None, None]));

    // What is no value of a column at all.
    rows.push((Arc::new(FixedSizeBinaryArray::try_from_iter([[7u8; 16]].iter()).unwrap()), nothing));
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)])]);
    rows.push((Arc::new(list), nothing));
    let field = Arc::new(Field::new("a", DataType::Int64, true));
    rows.push((Arc::new(StructArray::from(vec![(field, Arc::new(Int64Array::from(vec![1])) as ArrayRef)])), nothing));
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    map.keys().append_value("a");
    map.values().append_value(1);
    map.append(true).unwrap();
    rows.push((Arc::new(map.finish()), nothing));
    rows.push((Arc::new(NullArray::new(2)), nothing));
    rows
}

const KINDS: [ColumnType; 5] =
    [ColumnType::Text, ColumnType::Number, ColumnType::Integer, ColumnType::Bool, ColumnType::Timestamp];

#[test]
fn every_arrow_type_is_read_as_the_contract_says() {
    for (array, expected) in matrix() {
        for (kind, expected) in KINDS.into_iter().zip(expected) {
            let none = vec!["-"; array.len()].join(" ");
            assert_eq!(read(&array, kind, '.'), expected.unwrap_or(&none), "{} as {kind:?}", array.data_type());
        }
    }
}

#[test]
fn packed_texts_are_read_with_the_layouts_decimal_sign() {
    let texts = words(&["1.234", "12,5", "3,0"]);
    for kind in [DataType::Utf8, DataType::LargeUtf8, DataType::Utf8View] {
        for array in [as_type(&texts, kind.clone()), dictionary(&as_type(&texts, kind))] {
            assert_eq!(read(&array, ColumnType::Number, ','), "- 12.5 3.0");
            assert_eq!(read(&array, ColumnType::Integer, ','), "- - 3");
        }
    }
}

#[test]
fn a_dictionary_with_nulls_among_its_values_has_nulls() {
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
    let keys = Int8Array::from(vec![Some(0), Some(1), None]);
    let array: ArrayRef = Arc::new(DictionaryArray::new(keys, values));
    assert_eq!(read(&array, ColumnType::Text, '.'), "a - -");
    assert_eq!(unpacked(&array).unwrap().logical_nulls().unwrap().null_count(), 2);
}
