//! Reads a file of movies, a record at a time: NDJSON or CSV, plain or gzipped. It keeps no record, because a file may
//! be larger than the memory.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use serde_json::{Map, Value};

use super::rows::{INVALID, Rows};

/// The longest line of NDJSON, and the longest text of a row of CSV, in bytes: as much as a body of the API.
pub const MAX_RECORD: usize = 256 * 1024;
/// The code of a record that is longer.
pub const TOO_LARGE: &str = "payload-too-large";
/// Columns that hold several values, with `|` between them.
const LISTS: [&str; 5] = ["casts", "genres", "directors", "countries", "languages"];
const INTEGERS: [&str; 2] = ["year", "runtime"];
const OTHERS: [&str; 8] =
    ["name", "plot", "poster_url", "id", "added_by", "created_at", "updated_at", "version"];

/// A record, by the line on which it begins, counted from 1.
pub struct Record {
    pub line: u64,
    /// The value, or the code that says why the record cannot be read.
    pub value: Result<Value, &'static str>,
}

type Records = Box<dyn Iterator<Item = io::Result<Record>> + Send>;

/// Reads the records of a file. A name that ends with `.csv` or `.csv.gz` means CSV with a header; anything else is
/// NDJSON. Gzip is recognized by its first bytes.
///
/// # Errors
/// When the file cannot be read, or its header has a column that is not a field of a movie.
pub fn read(file: File, path: &Path, progress: &ProgressBar) -> io::Result<Records> {
    progress.set_length(file.metadata()?.len());
    let mut raw = BufReader::with_capacity(64 * 1024, progress.wrap_read(file));
    let is_gzip = raw.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut text: Box<dyn BufRead + Send> =
        if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(raw))) } else { Box::new(raw) };
    if text.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        // A byte order mark, as spreadsheets write it.
        text.consume(3);
    }
    let ends_with =
        |path: &Path, end: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(end));
    let unpacked = if ends_with(path, "gz") { path.with_extension("") } else { path.to_owned() };
    if ends_with(&unpacked, "csv") { csv(text) } else { Ok(Box::new(ndjson(text))) }
}

fn ndjson(mut text: impl BufRead + Send + 'static) -> impl Iterator<Item = io::Result<Record>> + Send {
    let mut line = 0;
    let mut bytes = Vec::new();
    std::iter::from_fn(move || {
        loop {
            line += 1;
            bytes.clear();
            let limit = MAX_RECORD as u64 + 1;
            match text.by_ref().take(limit).read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            if bytes.len() > MAX_RECORD && bytes.last() != Some(&b'\n') {
                return Some(match text.skip_until(b'\n') {
                    Ok(_) => Ok(Record { line, value: Err(TOO_LARGE) }),
                    Err(error) => Err(error),
                });
            }
            if bytes.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let value = serde_json::from_slice(&bytes).map_err(|_| "invalid-json");
            return Some(Ok(Record { line, value }));
        }
    })
}

fn csv(text: impl BufRead + Send + 'static) -> io::Result<Records> {
    let mut rows = Rows::new(text);
    let header = match rows.next() {
        Some(row) => row?.1.map_err(|code| io::Error::other(format!("the header cannot be read: {code}")))?,
        None => Vec::new(),
    };
    let header: Vec<String> = header.iter().map(|column| column.trim().to_owned()).collect();
    for (place, column) in header.iter().enumerate() {
        if header[..place].contains(column) {
            return Err(io::Error::other(format!("the header has the column '{column}' twice")));
        }
        if ![&LISTS[..], &INTEGERS, &OTHERS].concat().contains(&column.as_str()) {
            return Err(io::Error::other(format!(
                "the header has the column '{column}', which is not a field of a movie"
            )));
        }
    }
    Ok(Box::new(rows.map(move |row| {
        let (line, cells) = row?;
        let value = cells.and_then(|cells| object(&header, &cells).ok_or(INVALID));
        Ok(Record { line, value })
    })))
}

/// A row as the object that a client would send: an empty cell is an unset field or an empty list. `None` if
/// the row has more or fewer cells than the header.
fn object(header: &[String], row: &[String]) -> Option<Value> {
    if row.len() != header.len() {
        return None;
    }
    let mut object = Map::new();
    for (column, cell) in header.iter().zip(row) {
        let column = column.as_str();
        let value = if LISTS.contains(&column) {
            let items = cell.split('|').map(Value::from);
            if cell.trim().is_empty() { Value::Array(Vec::new()) } else { items.collect() }
        } else if cell.trim().is_empty() {
            continue;
        } else if INTEGERS.contains(&column) {
            cell.trim().parse::<i64>().map_or_else(|_| cell.as_str().into(), Value::from)
        } else {
            cell.as_str().into()
        };
        object.insert(column.to_owned(), value);
    }
    Some(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::json;

    use super::*;

    fn records(name: &str, bytes: &[u8]) -> Vec<(u64, Result<Value, &'static str>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        File::create(&path).unwrap().write_all(bytes).unwrap();
        read(File::open(&path).unwrap(), &path, &ProgressBar::hidden())
            .unwrap()
            .map(|record| record.map(|record| (record.line, record.value)).unwrap())
            .collect()
    }

    #[test]
    fn ndjson_is_read_line_by_line() {
        let long = "x".repeat(MAX_RECORD + 10);
        let text = format!("\u{feff}{{\"name\":\"a\"}}\r\n\n{long}\n{{broken\n\"last\"");
        let expected = [
            (1, Ok(json!({"name": "a"}))),
            (3, Err("payload-too-large")),
            (4, Err("invalid-json")),
            (5, Ok(json!("last"))),
        ];
        assert_eq!(records("f.ndjson", text.as_bytes()), expected);
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_read() {
        let line = format!("\"{}\"", "x".repeat(MAX_RECORD - 2));
        for end in ["", "\n"] {
            assert!(records("f", format!("{line}{end}").as_bytes())[0].1.is_ok());
        }
    }

    #[test]
    fn gzip_is_known_by_its_bytes_and_may_have_several_members() {
        let member = |text: &str| {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap()
        };
        let bytes = [member("1\n"), member("2\n")].concat();
        assert_eq!(records("plain", &bytes), [(1, Ok(json!(1))), (2, Ok(json!(2)))]);
    }

    #[test]
    fn csv_has_a_header_and_lists_with_bars() {
        let text = "name,year,casts,genres,plot\n\"Heat\",1995,Al Pacino|Robert De Niro,Crime,\"two\nlines\"\nShort,1\n$,,,Drama,\nOdd,soon,,A||B,\n";
        let expected = [
            (
                2,
                Ok(
                    json!({"name": "Heat", "year": 1995, "casts": ["Al Pacino", "Robert De Niro"], "genres": ["Crime"], "plot": "two\nlines"}),
                ),
            ),
            (4, Err("invalid-csv")),
            (5, Ok(json!({"name": "$", "casts": [], "genres": ["Drama"]}))),
            (6, Ok(json!({"name": "Odd", "year": "soon", "casts": [], "genres": ["A", "", "B"]}))),
        ];
        assert_eq!(records("films.csv", text.as_bytes()), expected);
    }

    #[test]
    fn a_row_that_is_too_long_is_refused_and_the_next_one_read() {
        let row = |length: usize| format!("aa,\"{}\"\n", "x\n".repeat(length / 2));
        let (whole, long) = (row(MAX_RECORD - 2), row(MAX_RECORD));
        let text = format!("name,plot\n{whole}{long}b,short\n");
        let rows = records("f.csv", text.as_bytes());
        let half = u64::try_from(MAX_RECORD / 2).unwrap();
        assert_eq!(rows[0].1.as_ref().unwrap()["plot"].as_str().unwrap().len(), MAX_RECORD - 2);
        assert_eq!(rows[1], (2 + half, Err(TOO_LARGE)));
        assert_eq!(rows[2], (3 + 2 * half, Ok(json!({ "name": "b", "plot": "short" }))));
        assert_eq!(rows.len(), 3);
    }

    /// A record that never ends must not be kept in memory.
    #[test]
    fn an_open_quote_or_a_row_of_commas_does_not_fill_the_memory() {
        for (start, endless, code) in [("a,\"", b'x', TOO_LARGE), ("a,", b',', INVALID)] {
            let start = format!("name,plot\nfirst,\n{start}");
            let text = io::Cursor::new(start.into_bytes()).chain(io::repeat(endless).take(1 << 26));
            let mut records = csv(BufReader::new(text)).unwrap();
            assert_eq!(records.next().unwrap().unwrap().line, 2);
            let record = records.next().unwrap().unwrap();
            assert_eq!((record.line, record.value), (3, Err(code)));
            assert!(records.next().is_none());
        }
    }

    #[test]
    fn lines_are_counted_whatever_ends_them() {
        for end in ["\n", "\r\n"] {
            let lines = ["name,year", "", "Heat,1995", "short", "\"two", "lines\",1", "", "", "Ronin,1998"];
            let rows = records("f.csv", lines.join(end).as_bytes());
            assert_eq!(rows.iter().map(|row| row.0).collect::<Vec<_>>(), [3, 4, 5, 9], "{end:?}");
        }
    }

    proptest::proptest! {
        /// Whatever a file contains, it is read to its end or causes an error, and the line numbers never go back.
        /// (In CSV a lone carriage return ends a record, but not a line.)
        #[test]
        fn no_file_is_too_broken_to_be_read(
            name in "f\\.(ndjson|csv|csv\\.gz)",
            header in proptest::sample::select(vec!["", "name,year,casts\n", "\u{feff}name\n", "\u{1f}\u{8b}"]),
            rest in proptest::collection::vec(
                proptest::prop_oneof![proptest::prelude::any::<u8>(), proptest::sample::select(b"\",\n\r|{}[]:1a".to_vec())],
                0..300,
            ),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(name);
            std::fs::write(&path, [header.as_bytes(), &rest].concat()).unwrap();
            if let Ok(records) = read(File::open(&path).unwrap(), &path, &ProgressBar::hidden()) {
                let mut last = 0;
                for record in records.take(1_000).map_while(Result::ok) {
                    proptest::prop_assert!(record.line >= last.max(1), "{} after {last}", record.line);
                    last = record.line;
                    if let Ok(value) = record.value {
                        let _ = crate::http::fields::Fields::read::<crate::movies::model::MovieInput>(value);
                    }
                }
            }
        }
    }
}
