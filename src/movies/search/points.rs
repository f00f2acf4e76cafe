//! The points that each kind of match scores. They are whole numbers, so that sums are exact in any order: a movie
//! has the same score on every page.

/// The points for a word in a field, by the kind of match.
pub struct Points {
    pub exact: u32,
    pub stem: u32,
    /// For the beginning of a word. Not in the plot, which has too many words.
    pub beginning: Option<u32>,
    /// For one edit, and for two edits.
    pub typo: [u32; 2],
}

pub const NAME: Points = Points { exact: 120, stem: 84, beginning: Some(60), typo: [54, 36] };
pub const DIRECTORS: Points = Points { exact: 70, stem: 0, beginning: Some(40), typo: [34, 18] };
pub const CASTS: Points = Points { exact: 66, stem: 0, beginning: Some(38), typo: [32, 18] };
pub const PLOT: Points = Points { exact: 40, stem: 20, beginning: None, typo: [12, 8] };

/// How many units of standing equal one point. A movie's standing is below 64, so it never makes up for a worse
/// field, or for a worse form of a word in the same field.
pub const STANDINGS_PER_POINT: u64 = 4;

/// The search is the whole name.
pub const WHOLE_NAME: u32 = 1_000;
/// The search is the name, except for an article at the beginning of either.
pub const WITHOUT_ARTICLE: u32 = 700;
/// The search is nearly that name, with one edit or two.
pub const MISSPELT_NAME: [u32; 2] = [400, 200];
/// The search is the part of the name before its subtitle.
pub const MAIN_TITLE: u32 = 1;
/// The words follow each other in the name, or in the name of a person.
pub const PHRASE_IN_NAME: u32 = 150;
pub const PHRASE_IN_PERSON: u32 = 60;
/// One of the words is the movie's year.
pub const YEAR: u32 = 120;
