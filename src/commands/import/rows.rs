//! CSV (RFC 4180), a row at a time, in bounded memory: a row that is too long is read to its end and forgotten. After a
//! quote that is never closed, the `csv` crate would keep the whole rest of the file in memory.

use std::io::{self, BufRead};

use csv_core::{ReadRecordResult, Reader};

use super::records::{MAX_RECORD, TOO_LARGE};

/// The code of a row that is not UTF-8, or does not fit its header.
pub const INVALID: &str = "invalid-csv";
/// More cells than any header may have.
const MAX_CELLS: usize = 64;

/// The line on which a row begins, counted from 1, and its cells, or the code that says why it cannot be read.
pub type Row = (u64, Result<Vec<String>, &'static str>);

/// The rows of a text, including the header. Empty lines are skipped.
pub struct Rows<T> {
    text: T,
    parser: Reader,
    /// The cells of a row, one after the other. There is room for one byte more than a row may have.
    cells: Vec<u8>,
    /// Where in `cells` each cell ends.
    ends: [usize; MAX_CELLS],
    is_over: bool,
}

impl<T: BufRead> Rows<T> {
    pub fn new(text: T) -> Self {
        let cells = vec![0; MAX_RECORD + 1];
        Self { text, parser: Reader::new(), cells, ends: [0; MAX_CELLS], is_over: false }
    }

    fn read(&mut self) -> io::Result<Option<Row>> {
        self.pass_line_ends()?;
        let line = self.parser.line();
        let (mut length, mut count) = (0, 0);
        let mut broken = None;
        loop {
            let input = self.text.fill_buf()?;
            let (result, taken, written, ended) =
                self.parser.read_record(input, &mut self.cells[length..], &mut self.ends[count..]);
            self.text.consume(taken);
            length += written;
            count += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    broken = Some(TOO_LARGE);
                    length = 0;
                }
                ReadRecordResult::OutputEndsFull => {
                    broken = broken.or(Some(INVALID));
                    count = 0;
                }
                ReadRecordResult::Record => {
                    return Ok(Some((line, broken.map_or_else(|| self.row(count), Err))));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Skips the line ends before a row, so that its line number is that of its first line: the parser ends a row at
    /// the first CR or LF.
    fn pass_line_ends(&mut self) -> io::Result<()> {
        loop {
            let input = self.text.fill_buf()?;
            let ends = input.iter().take_while(|byte| [b'\r', b'\n'].contains(byte)).count();
            if ends == 0 {
                return Ok(());
            }
            self.parser.read_record(&input[..ends], &mut self.cells, &mut self.ends);
            self.text.consume(ends);
        }
    }

    fn row(&self, count: usize) -> Result<Vec<String>, &'static str> {
        let mut start = 0;
        let cells = self.ends[..count].iter().map(|end| {
            let cell = str::from_utf8(&self.cells[start..*end]).map_err(|_| INVALID)?;
            start = *end;
            Ok(cell.to_owned())
        });
        cells.collect()
    }
}

impl<T: BufRead> Iterator for Rows<T> {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = self.read().transpose();
        self.is_over = !matches!(row, Some(Ok(_)));
        row
    }
}
