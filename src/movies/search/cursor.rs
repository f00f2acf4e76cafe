//! Where a page ended. It says nothing of the filter: who hands it out binds it to that.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::plan::Plan;

/// Numbers that order movies: less stands earlier. The last two are the id.
pub type Key = [u64; 4];

/// The place of a movie in an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Numbers(Key),
    /// The order of names.
    Name(Vec<u8>),
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    pub(super) plan: Plan,
    /// How many were shown up to here.
    pub(super) shown: usize,
    pub(super) place: Place,
}

impl Cursor {
    /// In characters that a URL takes.
    #[must_use]
    pub fn to_text(&self) -> String {
        let (kind, bytes) = match &self.place {
            Place::Numbers(key) => ('k', key.iter().flat_map(|number| number.to_be_bytes()).collect()),
            Place::Name(key) => ('n', key.clone()),
        };
        format!("{kind}.{}.{}.{}", self.plan.to_text(), self.shown, URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Nothing, if no cursor reads like this.
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
    fn a_cursor_is_read_as_it_was_written_and_anything_else_is_none() {
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
