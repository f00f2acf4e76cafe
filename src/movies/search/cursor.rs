//! Where a page ended. The cursor does not contain the filter; the code that hands it out binds it to the filter.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::plan::Plan;

/// Numbers that order movies: the smaller key comes first. The last two numbers are the id.
pub type Key = [u64; 4];

/// The place of a movie in an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Numbers(Key),
    /// A place in the order of names.
    Name(Vec<u8>),
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub(super) plan: Plan,
    /// How many movies the pages up to this place showed.
    pub(super) shown: usize,
    pub(super) place: Place,
}

impl Cursor {
    /// The cursor in characters that are valid in a URL.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (kind, bytes) = match &self.place {
            Place::Numbers(key) => ('k', key.iter().flat_map(|number| number.to_be_bytes()).collect()),
            Place::Name(key) => ('n', key.clone()),
        };
        format!("{kind}.{}.{}.{}", self.plan.to_text(), self.shown, URL_SAFE_NO_PAD.encode(bytes))
    }

    /// `None` if the text is not a cursor.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut next = || parts.next();
        let (kind, plan, shown, bytes) = (next()?, next()?, next()?, next()?);
        let bytes = URL_SAFE_NO_PAD.decode(bytes).ok()?;
        let place = match kind {
            "k" => {
                let (numbers, []) = bytes.as_chunks::<8>() else { return None };
                let numbers: Vec<u64> = numbers.iter().map(|number| u64::from_be_bytes(*number)).collect();
                Place::Numbers(numbers.try_into().ok()?)
            }
            "n" => Place::Name(bytes),
            _ => return None,
        };
        let is_all = parts.next().is_none();
        is_all.then_some(Self { plan: Plan::parse(plan)?, shown: shown.parse().ok()?, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_parses_to_what_was_written_and_other_text_is_refused() {
        for place in [Place::Numbers([0, 1, u64::MAX, 7]), Place::Name(vec![0, 255, 46])] {
            let cursor = Cursor { plan: Plan::default(), shown: 20, place };
            let text = cursor.to_text();
            assert_eq!(Cursor::parse(&text), Some(cursor));
            for odd in
                [&text[1..], &format!("{text}."), &format!("{text}="), "k.0.20.AAAA", "k.0.x.", "n.0", ""]
            {
                assert_eq!(Cursor::parse(odd), None, "{odd}");
            }
        }
    }
}
