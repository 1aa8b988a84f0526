use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

#[derive(Default)]
struct Kept {
    rows: Vec<Vec<String>>,
    broken: Vec<(i64, String)>,
}

impl Sink for Kept {
    fn batch(&mut self, batch: RecordBatch) -> bool {
        for row in 0..batch.num_rows() {
            let cell = |column: &datafusion::arrow::array::ArrayRef| {
                datafusion::arrow::util::display::array_value_to_string(column, row).unwrap()
            };
            self.rows.push(batch.columns()[..batch.num_columns() - 2].iter().map(cell).collect());
        }
        true
    }

    fn broken(&mut self, row: QuarantineRow) -> bool {
        self.broken.push((row.row, row.message));
        true
    }

    fn bytes(&mut self, _: u64) {}
}

#[derive(Debug)]
struct Found {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Row and message.
    broken: Vec<(i64, String)>,
}

/// Reads files of these names and contents as one source.
fn read_as(files: &[(&str, Vec<u8>)], format: TextFormat) -> Result<Found, String> {
    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
    files.iter().zip(&paths).for_each(|((_, bytes), path)| std::fs::write(path, bytes).unwrap());
    let mut kept = Kept::default();
    let reader = Reader::open(paths, format).map_err(|error| error.to_string())?;
    let rows = reader.read(&mut kept).map_err(|error| error.to_string())?;
    assert_eq!(rows as usize, kept.rows.len() + kept.broken.len(), "each row is there or told");
    let columns = reader.names().into_iter().map(str::to_owned).collect();
    Ok(Found { columns, rows: kept.rows, broken: kept.broken })
}

fn read(name: &str, bytes: impl AsRef<[u8]>) -> Found {
    read_as(&[(name, bytes.as_ref().to_vec())], TextFormat::default()).unwrap()
}

fn refused(name: &str, bytes: impl AsRef<[u8]>, format: TextFormat) -> String {
    read_as(&[(name, bytes.as_ref().to_vec())], format).unwrap_err()
}

fn encoded(label: &str) -> TextFormat {
    TextFormat { encoding: Encoding::for_label(label).unwrap(), ..TextFormat::default() }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// A text in a Unicode encoding, with or without its mark.
fn unicode(text: &str, label: &str, mark: bool) -> Vec<u8> {
    let text = if mark { format!("\u{feff}{text}") } else { text.to_owned() };
    match label {
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "utf-32le" => text.chars().flat_map(|letter| u32::from(letter).to_le_bytes()).collect(),
        "utf-32be" => text.chars().flat_map(|letter| u32::from(letter).to_be_bytes()).collect(),
        _ => text.into_bytes(),
    }
}

const TEXT: &str = "name,n\nMüller,1\n田中😀,2\n";

#[test]
fn text_in_any_unicode_encoding_is_read_where_the_layout_says_so_and_named_where_it_does_not() {
    let json = "{\"name\":\"Müller\",\"n\":1}\n{\"name\":\"田中😀\",\"n\":2}\n";
    for label in ["utf-16le", "utf-16be", "utf-32le", "utf-32be"] {
        for mark in [true, false] {
            for (name, text) in [("x.csv", TEXT), ("x.ndjson", json)] {
                let bytes = unicode(text, label, mark);
                let found = read_as(&[(name, bytes.clone())], encoded(label)).unwrap();
                assert_eq!(found.columns, ["name", "n"], "{label}");
                assert_eq!(found.rows, [["Müller", "1"], ["田中😀", "2"]], "{label}");
                let error = refused(name, &bytes, TextFormat::default());
                assert!(error.contains(&format!("set encoding = \"{label}\"")), "{label}, mark {mark}: {error}");
            }
        }
    }
    assert_eq!(read_as(&[("x.csv", unicode(TEXT, "utf-16be", true))], encoded("utf-16")).unwrap().rows.len(), 2);
    assert_eq!(read("x.csv", unicode(TEXT, "utf-8", true)).columns, ["name", "n"]);
    assert_eq!(read_as(&[("x.csv", unicode(TEXT, "", true))], encoded("windows-1252")).unwrap().rows[0][0], "Müller");
}

#[test]
fn a_wrong_encoding_never_prints_the_file_as_a_name() {
    let long = format!("name,n\n{}", "secret person,1\n".repeat(2_000));
    for label in ["utf-16le", "utf-16be", "utf-32le"] {
        let error = refused("x.csv", &long, encoded(label));
        assert!(error.contains(&format!("is not {label}")) && error.len() < 400, "{error}");
    }
    let error = refused("x.csv", b"na\xefve,n\n1,2\n", TextFormat::default());
    assert!(error.contains("header that is not UTF-8") && error.contains("windows-1252"), "{error}");
    let error = refused("x.csv", format!("{};b\n1;2\n", "a".repeat(5_000)), TextFormat::default());
    assert!(error.contains("set delimiter = \";\"") && error.len() < 400, "{error}");
}

#[test]
fn bytes_that_are_no_character_cost_their_row_in_every_encoding() {
    let mut wide = unicode("name,n\na,1\nX,2\nc,3\n", "utf-16le", true);
    let at = wide.windows(2).position(|pair| pair == b"X\0").unwrap();
    wide[at..at + 2].copy_from_slice(&[0x00, 0xd8]);
    let mut widest = unicode("name,n\na,1\nX,2\nc,3\n", "utf-32le", false);
    let at = widest.windows(4).position(|four| four == b"X\0\0\0").unwrap();
    widest[at..at + 4].copy_from_slice(&[0, 0xd8, 0, 0]);
    for (label, bytes) in [
        ("utf-8", b"name,n\na,1\n\xff,2\nc,3\n".to_vec()),
        ("shift_jis", b"name,n\na,1\n\x81\xff,2\nc,3\n".to_vec()),
        ("gbk", b"name,n\na,1\nX\xff,2\nc,3\n".to_vec()),
        ("euc-kr", b"name,n\na,1\n\xff\xff,2\nc,3\n".to_vec()),
        ("utf-16le", wide),
        ("utf-32le", widest),
    ] {
        let found = read_as(&[("x.csv", bytes)], encoded(label)).unwrap();
        assert_eq!(found.rows, [["a", "1"], ["c", "3"]], "{label}");
        assert_eq!(found.broken.len(), 1, "{label}");
        assert!(found.broken[0].1.contains(&format!("line 3 is not {}", label.to_uppercase())), "{:?}", found.broken);
    }
    let japanese = encoding_rs::SHIFT_JIS.encode("name,n\n田中,1\n").0.into_owned();
    assert_eq!(read_as(&[("x.csv", japanese)], encoded("shift_jis")).unwrap().rows, [["田中", "1"]]);
    assert_eq!(Encoding::for_label("utf-7"), None);
}

#[test]
fn one_bad_line_of_json_costs_one_row_and_a_late_key_is_a_column() {
    let mut bytes = b"\xef\xbb\xbf".to_vec();
    for row in 0..12_000 {
        match row {
            7 => bytes.extend(b"{\"id\":\"\xfc\"}\n"),
            20 => bytes.extend(b"{\"id\":20,\n"),
            30 => bytes.extend(b"{\"id\":1,\"id\":2}\n"),
            11_500.. => bytes.extend(format!("{{\"id\":{row},\"late\":\"x\"}}\n").bytes()),
            _ => bytes.extend(format!("{{\"id\":{row}}}\n").bytes()),
        }
    }
    let found = read("x.ndjson", bytes);
    assert_eq!(found.columns, ["id", "late"]);
    assert_eq!(found.rows.len(), 11_997);
    assert_eq!(found.rows.last().unwrap(), &["11999", "x"]);
    let told: Vec<(i64, &str)> =
        found.broken.iter().map(|(row, what)| (*row, what.split(':').next().unwrap())).collect();
    assert_eq!(told[0], (8, "line 8 is not UTF-8; set the layout's encoding, such as windows-1252"));
    assert_eq!(told[1], (21, "line 21 is not a JSON object"));
    assert!(found.broken[2].1.contains("key `id` comes twice"), "{:?}", found.broken);
    let one = read("one.ndjson", b"\xef\xbb\xbf{\"channel\":\"web\",\"n\":null}");
    assert_eq!((one.columns, one.rows), (vec!["channel".into(), "n".into()], vec![vec!["web".into(), String::new()]]));
    let error = refused("x.ndjson", "[ERROR] no\nnothing\n", TextFormat::default());
    assert!(error.contains("expected one object a line, or an array of objects"), "{error}");
}

#[test]
fn json_keeps_the_digits_of_the_file() {
    let values =
        ["18446744073709551616", "123456789012345678901234567890", "1.10", "1E5", "-0", "9007199254740993.0", "true"];
    for value in values {
        assert_eq!(read("x.ndjson", format!("{{\"x\": {value} }}")).rows, [[value]]);
    }
    let found = read("x.ndjson", r#"{"x": {"a b": [1.10, "\" x"] }, "y": "\u00fc\n\ud83d\ude00"}"#);
    assert_eq!(found.rows, [[r#"{"a b":[1.10,"\" x"]}"#, "ü\n😀"]]);
}

#[test]
fn a_json_array_is_read_object_by_object() {
    let three = [["1", "a"], ["2", "b,]}"], ["3", "c"]];
    for text in [
        r#"[{"n":1,"x":"a"},{"n":2,"x":"b,]}"},{"n":3,"x":"c"}]"#,
        "[\n{\"n\":1,\"x\":\"a\"},\n{\"n\":2,\"x\":\"b,]}\"},\n{\"n\":3,\"x\":\"c\"}\n]\n",
        "\u{feff} [ {\n  \"n\": 1,\n  \"x\": \"a\"\n }, {\n \"n\": 2,\n \"x\": \"b,]}\"\n }, { \"n\": 3, \"x\": \"c\" } ]",
    ] {
        let found = read("x.json", text);
        assert_eq!(found.rows, three, "{text}");
        assert_eq!(found.broken, []);
    }
    for (broken, row) in [
        (r#"{"n":2,"x":"b},"#, 2),
        (r#"{"n":2,"x":"b","#, 2),
        (r#"{"n":2,"x":"b"}},"#, 3),
        (r#"{"n":2 "x":"b"},"#, 2),
        (r#"{"n":[2,"x":"b"},"#, 2),
        (r"oops,", 2),
    ] {
        let found = read("x.json", format!("[\n{{\"n\":1,\"x\":\"a\"}},\n{broken}\n{{\"n\":3,\"x\":\"c\"}}\n]"));
        assert!(
            found.rows.contains(&vec!["1".into(), "a".into()]) && found.rows.contains(&vec!["3".into(), "c".into()]),
            "{broken}: {found:?}"
        );
        assert_eq!(found.broken.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [row], "{broken}");
    }
    let error = refused("x.json", r#"[{"n":1},{"n":2}"#, TextFormat::default());
    assert!(error.contains("not closed by `]`") && error.contains("cut short"), "{error}");
}

/// Payments, and a stray mark put into each of the given lines.
fn payments(count: usize) -> Vec<String> {
    let row = |at: usize| format!("B{at:06},2026-01-01 00:00:00,c{},t{},5.00,false", at % 17, at % 5);
    std::iter::once("payment_id,paid_at,customer_id,terminal_id,amount,is_fraud".to_owned())
        .chain((0..count).map(row))
        .collect()
}

#[test]
fn a_stray_quotation_mark_costs_its_own_row_and_says_its_line() {
    let stray = |line: &str, column: usize, end: bool| {
        let mut fields: Vec<String> = line.split(',').map(str::to_owned).collect();
        let at = if end { fields[column].len() } else { 0 };
        fields[column].insert(at, '"');
        fields.join(",")
    };
    for column in 0..6 {
        for begin in [1, 100, 1_500, 2_999, 3_000] {
            for apart in [None, Some(1), Some(2), Some(5), Some(800)] {
                let mut lines = payments(3_000);
                lines[begin] = stray(&lines[begin], column, false);
                let mut expected = vec![begin as i64];
                if let Some(end) = apart.map(|apart| begin + apart).filter(|end| *end <= 3_000) {
                    lines[end] = stray(&lines[end], (column + 2) % 6, true);
                    expected.push(end as i64);
                }
                let found = read("x.csv", lines.join("\n") + "\n");
                let rows: Vec<i64> = found.broken.iter().map(|(row, _)| *row).collect();
                assert_eq!(rows, expected, "column {column}, line {}, {apart:?} apart: {:?}", begin + 1, found.broken);
                assert!(found.broken[0].1.starts_with(&format!("line {} opens a quotation mark", begin + 1)));
                assert_eq!(found.rows.len(), 3_000 - expected.len());
            }
        }
    }
}

#[test]
fn a_pair_of_stray_marks_is_told_whatever_the_identifiers_look_like() {
    let row = |at: usize| {
        format!("{:x}-{:x}-{:x},{}.{:02},x\n", at * 7_919 + 40_961, at * 31 + 161, at * 131 + 10, at % 9, at % 90)
    };
    for apart in [1, 2, 20] {
        let mut lines: Vec<String> = (0..100).map(row).collect();
        lines[50] = lines[50].replacen(',', ",\"", 1);
        lines[50 + apart] = lines[50 + apart].replacen(",x", "\",x", 1);
        let found = read("x.csv", format!("id,amount,kind\n{}", lines.concat()));
        assert_eq!(
            found.broken.iter().map(|(row, _)| *row).collect::<Vec<_>>(),
            [51, 51 + apart as i64],
            "{apart} apart"
        );
    }
    // A mark that is missing at the end of a row where every field has its marks.
    let found = read("x.csv", "id,text\n\"a\",\"b\"\n\"c\",\"d\n\"e\",\"f, g\"\n\"h\",\"i\"\n");
    assert_eq!(found.rows, [["a", "b"], ["e", "f, g"], ["h", "i"]]);
    assert_eq!(found.broken.len(), 1);
}

#[test]
fn text_of_several_lines_in_quotes_stays_one_field() {
    let long = (0..300).map(|at| format!("Line {at}, with commas, and more.")).collect::<Vec<_>>().join("\n");
    let text = format!(
        "id,text,stars\n1,\"Good, but\nslow, \"\"very\"\" slow\",3\r\n2,\"{long}\",4\n3,\"12, Main Street\nTown, X\",5\n4,\"a\",1"
    );
    let found = read("x.csv", text);
    assert_eq!(found.broken, []);
    assert_eq!(found.rows[0], ["1", "Good, but\nslow, \"very\" slow", "3"]);
    assert_eq!((found.rows[1][1].as_str(), found.rows.len()), (long.as_str(), 4));
    let addresses = read("x.csv", "id,address\n12,\"Jean Dupont\n3, rue de la Paix\"\n13,b\n");
    assert_eq!(addresses.rows, [["12", "Jean Dupont\n3, rue de la Paix"], ["13", "b"]]);
    assert_eq!(read("x.csv", "\"a\",b\r1,2\r\r3,4").rows, [["1", "2"], ["3", "4"]]);
}

#[test]
fn ragged_rows_nameless_columns_and_other_delimiters_are_told() {
    let found = read("x.csv", "a,b\n1,2,\n1\n3,4\n");
    assert_eq!(found.rows, [["3", "4"]]);
    assert_eq!(
        found.broken[0].1,
        "line 2 has 3 fields, expected 2; the last is empty: a delimiter at the end of the line?"
    );
    assert_eq!(found.broken[1].1, "line 3 has 1 fields, expected 2");
    let found = read("x.csv", ",a,,column_1,\n0,1,2,3,4\n");
    assert_eq!(found.columns, ["column_1_", "a", "column_3", "column_1", "column_5"]);
    for (mark, shown) in [(';', ";"), ('\t', "\\\\t"), ('|', "|")] {
        let text = format!("a{mark}b{mark}c\n1{mark}2{mark}3\n");
        let error = refused("x.csv", &text, TextFormat::default());
        assert!(error.contains(&format!("set delimiter = \"{shown}\"")), "{error}");
        let found = read_as(&[("x.csv", text.into_bytes())], TextFormat::by_header()).unwrap();
        assert_eq!((found.columns.len(), found.rows), (3, vec![vec!["1".into(), "2".into(), "3".into()]]));
    }
    assert_eq!(read("x.csv", "size; cm\n1\n2\n").columns, ["size; cm"]);
    assert!(refused("x.csv", "a,a\n1,2\n", TextFormat::default()).contains("has two columns called `a`"));
}

#[test]
fn packed_files_are_read_to_their_end_whatever_members_and_padding_they_have() {
    let whole = TEXT.as_bytes();
    let (head, tail) = whole.split_at(9);
    for (name, pack) in
        [("x.csv.gz", gzip as fn(&[u8]) -> Vec<u8>), ("x.CSV.GZ", gzip), ("x.csv.zst", zstd), ("X.Csv.ZST", zstd)]
    {
        let members = [pack(head), pack(tail)].concat();
        for zeros in [0, 1, 512, 200_000] {
            let padded = [pack(head), vec![0; zeros], pack(tail), vec![0; zeros]].concat();
            assert_eq!(read(name, &padded).rows.len(), 2, "{name} with {zeros} zeros");
        }
        assert_eq!(read(name, &members).rows.len(), 2, "{name}");
        let error = refused(name, [pack(whole), b"garbage".to_vec()].concat(), TextFormat::default());
        assert!(error.contains("has 7 bytes behind its packed data") && !error.contains("middle"), "{error}");
        let error = refused(name, &pack(whole)[..30], TextFormat::default());
        assert!(error.contains("ends in the middle") && error.contains("cut short"), "{error}");
        let error = refused(name, TEXT, TextFormat::default());
        assert!(error.contains("although its name says so"), "{error}");
        assert!(refused(name, pack(&pack(whole)), TextFormat::default()).contains("packed twice"));
    }
    assert_eq!(read("not-named-so.csv", gzip(whole)).rows.len(), 2);
    let tar = [&[b'x'; 100][..], &[0; 157], b"ustar\0", &[0; 300]].concat();
    for (bytes, what) in [
        (&b"BZh91AY"[..], "bzip2"),
        (b"PK\x03\x04..", "Excel"),
        (b"PAR1....", "name it .parquet"),
        (&tar, "tar archive"),
    ] {
        assert!(refused("x.csv", bytes, TextFormat::default()).contains(what));
    }
}

#[test]
fn endings_in_any_case_say_what_a_file_is() {
    let json = "{\"name\":\"a\",\"n\":1}\n{\"name\":\"b\",\"n\":2}\n";
    for (name, text) in [
        ("x.csv", TEXT),
        ("X.CSV", TEXT),
        ("plan [final] 1.Csv", TEXT),
        ("x.txt", TEXT),
        ("x.jsonl", json),
        ("x.NDJSON", json),
        ("x.json", json),
        ("x.tsv", "name\tn\na,b\t1\nc\t2\n"),
        ("x.TAB", "name\tn\na,b\t1\nc\t2\n"),
    ] {
        let found = read(name, text);
        assert_eq!((found.columns, found.rows.len()), (vec!["name".to_owned(), "n".to_owned()], 2), "{name}");
    }
    for (name, what) in [
        ("noext", "has no ending that says what kind of file it is; expected .csv"),
        ("x.foo", "`.foo` is not a known ending"),
        ("x.csv.bz2", "unpack it first"),
        ("x.parquet.gz", "is a packed Parquet file"),
        ("x.XLSX", "`.xlsx` is not a known ending"),
    ] {
        let error = refused(name, "x", TextFormat::default());
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn parts_without_a_line_are_skipped_and_parts_of_another_header_are_named() {
    let part = |text: &str| text.as_bytes().to_vec();
    let files = [("0.csv", vec![]), ("1.csv", part("a,b\n1,2\n")), ("2.csv", vec![]), ("3.csv", part("b,a\n4,3\n"))];
    let found = read_as(&files, TextFormat::default()).unwrap();
    assert_eq!(found.rows, [["1", "2"], ["3", "4"]]);
    let files = [("1.csv", part("a,b\n1,2\n")), ("2.csv", part("a,c\n1,2\n"))];
    let error = read_as(&files, TextFormat::default()).unwrap_err();
    assert!(error.contains("has no `b`, which") && error.contains("has `c`, which"), "{error}");
    let empty = read_as(&[("0.csv", vec![]), ("1.csv", vec![])], TextFormat::default()).unwrap_err();
    assert!(empty.contains("begins with a header"), "{empty}");
}
