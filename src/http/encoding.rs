//! Content encodings: which one a client asks for (RFC 9110, section 12.5.3), and the encoding itself.

use std::io::{self, Read, Write};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

/// An encoding that the server writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Brotli,
    Gzip,
}

/// How much time an encoding may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// For an answer that is made for each request.
    Fast,
    /// For an answer that is encoded once and sent often.
    Thorough,
}

/// The windows of brotli, as powers of two. A page has at most 1 MiB. A window larger than the body finds nothing more,
/// and clearing its memory takes as long as compressing a page of 20 movies. Below 2^17 the encoder uses other tables,
/// some of which are far slower.
const WINDOWS: std::ops::RangeInclusive<u32> = 17..=20;

fn window(size: usize) -> u32 {
    size.next_power_of_two().ilog2().clamp(*WINDOWS.start(), *WINDOWS.end())
}

impl Encoding {
    /// The name in `Content-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The encoding that these lines of `Accept-Encoding` ask for; `None` means the bytes as they are. If the client
    /// likes two encodings equally, the one with the smaller result wins.
    #[must_use]
    pub fn asked_for<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Self> {
        let items: Vec<(String, u16)> = lines.flat_map(|line| line.split(',')).filter_map(item).collect();
        let weight = |names: &[&str]| {
            let named = items.iter().find(|(name, _)| names.contains(&name.as_str()));
            named.or_else(|| items.iter().find(|(name, _)| name == "*")).map(|(_, weight)| *weight)
        };
        // Unencoded bytes are acceptable even if the client does not name them, but then they are the last choice.
        let as_they_are = items.iter().find(|(name, _)| name == "identity").map_or(0, |(_, weight)| *weight);
        let choices = [(weight(&["br"]), Self::Brotli), (weight(&["gzip", "x-gzip"]), Self::Gzip)];
        let mut best = (as_they_are.max(1), None);
        for (weight, encoding) in choices {
            let weight = weight.unwrap_or(0);
            if weight > best.0 || (weight == best.0 && best.1.is_none() && weight > 0) {
                best = (weight, Some(encoding));
            }
        }
        best.1
    }

    /// The bytes in this encoding.
    ///
    /// # Errors
    /// If the encoder fails, which no input causes.
    pub fn encode(self, bytes: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
        let mut encoded = Vec::with_capacity(bytes.len() / 4);
        match self {
            Self::Brotli => {
                let quality = if effort == Effort::Fast { 4 } else { 9 };
                let parameters = brotli::enc::BrotliEncoderParams {
                    quality,
                    lgwin: window(bytes.len()).cast_signed(),
                    size_hint: bytes.len(),
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut &*bytes, &mut encoded, &parameters)?;
            }
            Self::Gzip => {
                let level = if effort == Effort::Fast { Compression::new(4) } else { Compression::best() };
                let mut gzip = GzEncoder::new(&mut encoded, level);
                gzip.write_all(bytes)?;
                gzip.finish()?;
            }
        }
        Ok(encoded)
    }
}

/// Decompresses a gzip stream.
///
/// # Errors
/// If the bytes are not a gzip stream.
pub fn gunzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut decoded)?;
    Ok(decoded)
}

/// One member of the list and its weight in thousandths. A malformed member is ignored.
fn item(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let mut weight = 1_000;
    for part in parts {
        let (key, value) = part.split_once('=')?;
        if key.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value.trim())?;
        }
    }
    Some((name, weight))
}

/// `0`, `0.5`, `1.000`: RFC 9110, section 12.4.2.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || !["0", "1"].contains(&whole) {
        return None;
    }
    let weight = format!("{whole}{fraction:0<3}").parse().ok()?;
    (weight <= 1_000).then_some(weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_encoding_is_chosen() {
        let asked = |line: &str| Encoding::asked_for([line].into_iter());
        for (line, expected) in [
            ("gzip, deflate, br, zstd", Some(Encoding::Brotli)),
            ("gzip", Some(Encoding::Gzip)),
            ("X-GZIP", Some(Encoding::Gzip)),
            ("*", Some(Encoding::Brotli)),
            ("br;q=0.5, gzip", Some(Encoding::Gzip)),
            ("br;q=0, *", Some(Encoding::Gzip)),
            ("gzip;q=0.001", Some(Encoding::Gzip)),
            ("identity, br;q=0.5", None),
            ("identity;q=0.5, br;q=0.5", Some(Encoding::Brotli)),
            ("identity;q=0, gzip;q=0", None),
            ("br;q=0, gzip;q=0.000", None),
            ("*;q=0", None),
            ("", None),
            ("deflate, zstd", None),
            ("br;q=2, gzip;q=x", None),
            ("br ; Q=1.000 ,gzip;q=0.9", Some(Encoding::Brotli)),
        ] {
            assert_eq!(asked(line), expected, "{line}");
        }
        assert_eq!(Encoding::asked_for(["br;q=0.1", "gzip"].into_iter()), Some(Encoding::Gzip));
        assert_eq!(Encoding::asked_for(std::iter::empty()), None);
    }

    #[test]
    fn the_window_of_brotli_fits_the_body() {
        for (size, expected) in
            [(0, 17), (1_024, 17), (131_072, 17), (131_073, 18), (1 << 20, 20), (5 << 20, 20)]
        {
            assert_eq!(window(size), expected, "{size}");
        }
    }

    #[test]
    fn encoded_bytes_decode_to_the_original() {
        let text = "Al Pacino, Robert De Niro. ".repeat(4_000);
        for effort in [Effort::Fast, Effort::Thorough] {
            let gzip = Encoding::Gzip.encode(text.as_bytes(), effort).unwrap();
            assert_eq!(gunzip(&gzip).unwrap(), text.as_bytes());
            let encoded = Encoding::Brotli.encode(text.as_bytes(), effort).unwrap();
            let mut decoded = Vec::new();
            brotli::BrotliDecompress(&mut &*encoded, &mut decoded).unwrap();
            assert_eq!(decoded, text.as_bytes());
            assert!(gzip.len() < text.len() / 20 && encoded.len() < text.len() / 20);
        }
    }
}
