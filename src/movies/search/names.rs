//! The order of names: alphabetical, as a person expects it.

use bson::oid::ObjectId;
use icu_collator::{
    Collator, CollatorBorrowed,
    options::{CollatorOptions, Strength},
};

/// How many bytes of a name's key count for its place. Only a name of very unusual letters has more, and its cursor
/// would be too long.
const LONGEST_KEY: usize = 1_000;
const ID: usize = 12;

/// Makes keys in the order of MongoDB's collation `{locale: "en", strength: 3}`.
#[derive(Debug)]
pub struct NameOrder(CollatorBorrowed<'static>);

impl NameOrder {
    /// # Panics
    /// Never: the binary contains the collation data for English.
    #[must_use]
    pub fn new() -> Self {
        let mut options = CollatorOptions::default();
        options.strength = Some(Strength::Tertiary);
        let collator = Collator::try_new(icu_locale_core::locale!("en").into(), options);
        Self(collator.expect("BUG: the binary contains the collation data for English"))
    }

    /// Whether two names have the same place, so that the id decides.
    #[must_use]
    pub fn is_same(&self, one: &str, other: &str) -> bool {
        self.0.compare(one, other).is_eq()
    }

    /// The key of a movie in the order of names. No two movies have the same key.
    #[must_use]
    pub fn key(&self, name: &str, id: ObjectId) -> Vec<u8> {
        let mut key = Vec::new();
        let Ok(()) = self.0.write_sort_key_to(name, &mut key);
        key.truncate(LONGEST_KEY);
        // Less than any byte of a key, so that a name comes before longer names that begin with it.
        key.push(0);
        key.extend(id.bytes());
        key
    }
}

impl Default for NameOrder {
    fn default() -> Self {
        Self::new()
    }
}

/// The movie that has this key.
#[must_use]
pub fn id_of(key: &[u8]) -> Option<ObjectId> {
    key.last_chunk::<ID>().map(|id| ObjectId::from_bytes(*id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_alphabetical_order_and_the_id_breaks_ties() {
        let order = NameOrder::new();
        let low = ObjectId::from_bytes([0; 12]);
        let high = ObjectId::from_bytes([255; 12]);
        let ordered = [
            ("", high),
            ("8½", low),
            ("ea", low),
            ("ea", high),
            ("Éa", low),
            ("EB", low),
            ("ebb", low),
            ("ébb", low),
        ];
        let keys: Vec<_> = ordered.iter().map(|(name, id)| order.key(name, *id)).collect();
        assert!(keys.is_sorted() && keys.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(id_of(&keys[0]), Some(high));
        assert!(order.key(&"\u{fdfa}".repeat(300), low).len() <= LONGEST_KEY + 1 + ID);
    }
}
