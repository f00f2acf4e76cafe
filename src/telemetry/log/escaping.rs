//! Escapes characters that would mislead a reader of the JSON log.
//!
//! JSON allows these characters unescaped. But some end a line in an editor or a log viewer (U+2028, U+2029, the C1
//! controls), and others change the direction of the text after them (<https://trojansource.codes>). A client could
//! use them to make a line look like something else.

use std::{fmt::Write as _, io, str};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// Makes writers that escape lines of JSON, and pass them to the writers of the inner maker.
pub struct Escaping<M>(pub M);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Escaping<M> {
    type Writer = Escaped<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Escaped(self.0.make_writer())
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Escaped(self.0.make_writer_for(metadata))
    }
}

/// A writer that gets a whole line at a time.
pub struct Escaped<W>(W);

impl<W: io::Write> io::Write for Escaped<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match escaped(line) {
            Some(escaped) => self.0.write_all(escaped.as_bytes()),
            None => self.0.write_all(line),
        }?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The escaped line; `None` if there is nothing to escape. In JSON, such characters can only be inside a string.
fn escaped(line: &[u8]) -> Option<String> {
    let text = str::from_utf8(line).ok().filter(|line| !line.is_ascii() && line.contains(is_deceptive))?;
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_deceptive(character) {
            // All of them have four hex digits. Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    Some(escaped)
}

/// The C1 controls, the line separators, and the characters that Unicode calls `Bidi_Control`.
fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn misleading_characters_are_escaped_and_the_rest_is_unchanged() {
        for (line, written) in [
            ("{\"a\":\"b\"}\n", "{\"a\":\"b\"}\n"),
            ("{\"a\":\"Amélie 東京 🎬\"}\n", "{\"a\":\"Amélie 東京 🎬\"}\n"),
            ("{\"a\":\"é\u{2028}\u{2029}\u{202e}\"}\n", "{\"a\":\"é\\u2028\\u2029\\u202e\"}\n"),
            ("{\"a\":\"\u{85}\u{61c}\u{200f}\u{2066}\"}\n", "{\"a\":\"\\u0085\\u061c\\u200f\\u2066\"}\n"),
        ] {
            let mut out = Escaped(Vec::new());
            out.write_all(line.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(out.0).unwrap(), written);
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(line).unwrap(),
                serde_json::from_str::<serde_json::Value>(written).unwrap()
            );
        }
    }
}
