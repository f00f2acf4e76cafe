//! The decisions that are made once for a search, before its first page, and stay the same for all its pages: how
//! rare each word is, which words may have typos, and how many words may be missing. The cursor carries them, so all
//! pages have the same order, whatever is added in the meantime.

/// How much a word counts. A rare word counts more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordPlan {
    /// From 1 to 5; 0 for a very frequent word.
    pub rarity: u8,
    /// Whether words with typos match.
    pub typos: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub words: Vec<WordPlan>,
    /// How many of the words a movie may lack.
    pub left_out: usize,
}

/// A search shows movies that lack at most this many words.
const MOST_LEFT_OUT: usize = 2;

/// How many words of a search may have typos. Each one is compared with every word of the index.
pub const MOST_TYPOS: usize = 12;

/// The rarity of the rarest words.
pub const RARITIES: u8 = 5;

impl Plan {
    /// The plan to try if this one finds nothing. A single word cannot be left out.
    #[must_use]
    pub fn relaxed(&self) -> Option<Self> {
        let left_out = self.left_out + 1;
        let fits = left_out <= MOST_LEFT_OUT && left_out < self.words.len();
        fits.then(|| Self { words: self.words.clone(), left_out })
    }

    /// Writes the plan as a digit, and a letter for each word.
    #[must_use]
    pub fn to_text(&self) -> String {
        let letter = |word: &WordPlan| char::from(b'a' + word.rarity * 2 + u8::from(word.typos));
        self.left_out.to_string().chars().chain(self.words.iter().map(letter)).collect()
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (left_out, words) = text.split_at_checked(1)?;
        let word = |letter: u8| {
            let bits = letter.checked_sub(b'a')?;
            let word = WordPlan { rarity: bits / 2, typos: bits % 2 == 1 };
            (word.rarity <= RARITIES).then_some(word)
        };
        let words = words.bytes().map(word).collect::<Option<Vec<_>>>()?;
        if words.iter().filter(|word| word.typos).count() > MOST_TYPOS {
            return None;
        }
        let left_out = left_out
            .parse()
            .ok()
            .filter(|left_out| *left_out == 0 || (*left_out <= MOST_LEFT_OUT && *left_out < words.len()))?;
        Some(Self { words, left_out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_parses_to_what_was_written() {
        let word = |rarity, typos| WordPlan { rarity, typos };
        let plan = Plan { words: vec![word(0, false), word(5, true), word(2, true)], left_out: 0 };
        assert_eq!(Plan::parse(&plan.to_text()), Some(plan.clone()));
        let relaxed = plan.relaxed().unwrap();
        assert_eq!(Plan::parse(&relaxed.to_text()), Some(relaxed.clone()));
        assert_eq!(relaxed.relaxed().unwrap().relaxed(), None);
        assert_eq!(Plan { words: vec![word(1, true)], left_out: 0 }.relaxed(), None);
        for odd in ["0bbbbbbbbbbbbb", "", "x", "9ccc", "1c", "0m", "0z", "0\u{e9}", "\u{e9}"] {
            assert_eq!(Plan::parse(odd), None, "{odd}");
        }
    }
}
