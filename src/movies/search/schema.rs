//! The fields of the index, and how a movie becomes a document.
//!
//! Raise [`VERSION`] when you change a field, a tokenizer, a stemmer or an order: an index of another version is
//! rebuilt.

use bson::oid::ObjectId;
use tantivy::{
    TantivyDocument, Term,
    schema::{BytesOptions, FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions},
    tokenizer::TokenizerManager,
};

use super::{movie::IndexedMovie, names::NameOrder, tokenizers, tokens};
use crate::movies::folding;

/// The version of the index format.
pub const VERSION: u32 = 2;

/// Names whose phrases have at most this many bytes together are indexed whole. Only a name of very many words has
/// more.
const BEGINNINGS: usize = 2_048;

pub mod columns {
    pub const ID_HIGH: &str = "id_high";
    pub const ID_LOW: &str = "id_low";
    pub const CREATED_AT: &str = "created_at";
    pub const YEAR: &str = "year";
    pub const STANDING: &str = "standing";
    pub const NAME_KEY: &str = "name_key";
    pub const GENRES: &str = "genres";
    pub const COUNTRIES: &str = "countries";
    pub const LANGUAGES: &str = "languages";
}

/// A field of words.
#[derive(Debug, Clone, Copy)]
pub struct Text {
    pub words: Field,
    /// `None` for the names of people, which have no stems.
    pub stems: Option<Field>,
}

#[derive(Debug)]
pub struct Fields {
    pub schema: Schema,
    names: NameOrder,
    pub id: Field,
    id_high: Field,
    id_low: Field,
    pub name: Text,
    pub directors: Text,
    pub casts: Text,
    pub plot: Text,
    /// The whole name without spaces, after a mark: see [`whole`].
    pub whole: Field,
    /// For suggestions: the folded name, and the rest of the name from each word on.
    pub name_start: Field,
    pub word_start: Field,
    pub exact_name: Field,
    pub exact_casts: Field,
    pub exact_directors: Field,
    pub exact_genres: Field,
    pub exact_countries: Field,
    pub exact_languages: Field,
    pub year: Field,
    pub added_by: Field,
    created_at: Field,
    standing: Field,
    name_key: Field,
}

/// The marks of the terms in [`Fields::whole`].
pub mod whole {
    pub const NAME: char = '=';
    /// The name without the article at its beginning.
    pub const WITHOUT_ARTICLE: char = '~';
    /// The name without the article and the subtitle.
    pub const MAIN_TITLE: char = '>';
}

impl Fields {
    #[must_use]
    pub fn new() -> Self {
        let mut schema = Schema::builder();
        let indexed = |tokenizer: &str, option| {
            let indexing = TextFieldIndexing::default().set_tokenizer(tokenizer).set_index_option(option);
            TextOptions::default().set_indexing_options(indexing.set_fieldnorms(false))
        };
        let words = || indexed(tokenizers::WORDS, IndexRecordOption::WithFreqsAndPositions);
        let stems = || indexed(tokenizers::STEMS, IndexRecordOption::Basic);
        let exact = || indexed(tokenizers::EXACT, IndexRecordOption::Basic);
        let counted = || exact().set_fast(tokenizers::EXACT);
        let bytes = || BytesOptions::default().set_indexed();
        let name = Text {
            words: schema.add_text_field("name", words()),
            stems: Some(schema.add_text_field("name_stems", stems())),
        };
        let directors = Text { words: schema.add_text_field("directors", words()), stems: None };
        let casts = Text { words: schema.add_text_field("casts", words()), stems: None };
        let plot = Text {
            words: schema.add_text_field("plot", words()),
            stems: Some(schema.add_text_field("plot_stems", stems())),
        };
        Self {
            names: NameOrder::new(),
            id: schema.add_bytes_field("id", bytes()),
            id_high: schema.add_u64_field(columns::ID_HIGH, FAST),
            id_low: schema.add_u64_field(columns::ID_LOW, FAST),
            name,
            directors,
            casts,
            plot,
            whole: schema.add_text_field("whole", exact()),
            name_start: schema.add_text_field("name_start", exact()),
            word_start: schema.add_text_field("word_start", exact()),
            exact_name: schema.add_text_field("exact_name", exact()),
            exact_casts: schema.add_text_field("exact_casts", exact()),
            exact_directors: schema.add_text_field("exact_directors", exact()),
            exact_genres: schema.add_text_field(columns::GENRES, counted()),
            exact_countries: schema.add_text_field(columns::COUNTRIES, counted()),
            exact_languages: schema.add_text_field(columns::LANGUAGES, counted()),
            year: schema.add_i64_field(columns::YEAR, INDEXED | FAST),
            added_by: schema.add_bytes_field("added_by", bytes()),
            created_at: schema.add_i64_field(columns::CREATED_AT, FAST),
            standing: schema.add_u64_field(columns::STANDING, FAST),
            name_key: schema.add_bytes_field(columns::NAME_KEY, BytesOptions::default().set_fast()),
            schema: schema.build(),
        }
    }

    #[must_use]
    pub fn tokenizers() -> TokenizerManager {
        tokenizers::all()
    }

    /// The term that identifies this movie.
    #[must_use]
    pub fn id_term(&self, id: ObjectId) -> Term {
        Term::from_field_bytes(self.id, &id.bytes())
    }

    #[must_use]
    pub fn document(&self, movie: &IndexedMovie) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        let (high, low) = id_numbers(movie.id);
        document.add_bytes(self.id, &movie.id.bytes());
        document.add_u64(self.id_high, high);
        document.add_u64(self.id_low, low);
        self.add_name(&mut document, &movie.name, movie.id);
        let marks = super::languages::marks(&movie.languages);
        let people = [
            (self.casts.words, self.exact_casts, &movie.casts),
            (self.directors.words, self.exact_directors, &movie.directors),
        ];
        for (words, exact, names) in people {
            for name in names {
                document.add_text(words, name);
                document.add_text(exact, name);
            }
        }
        for (text, field) in [(Some(&movie.name), self.name), (movie.plot.as_ref(), self.plot)] {
            if let (Some(text), Some(stems)) = (text, field.stems) {
                document.add_text(field.words, text);
                document.add_text(stems, tokenizers::with_marks(&marks, text));
            }
        }
        let values = [
            (self.exact_genres, &movie.genres),
            (self.exact_countries, &movie.countries),
            (self.exact_languages, &movie.languages),
        ];
        for (field, values) in values {
            for value in values {
                document.add_text(field, value);
            }
        }
        if let Some(year) = movie.year {
            document.add_i64(self.year, year.into());
        }
        document.add_bytes(self.added_by, &movie.added_by.bytes());
        document.add_i64(self.created_at, movie.created_at);
        document.add_u64(self.standing, standing(movie));
        document
    }

    fn add_name(&self, document: &mut TantivyDocument, name: &str, id: ObjectId) {
        document.add_text(self.exact_name, name);
        document.add_bytes(self.name_key, &self.names.key(name, id));
        let groups = tokens::groups(name);
        let without_article = tokens::key(tokens::without_article(&groups));
        document.add_text(self.whole, format!("{}{}", whole::NAME, tokens::key(&groups)));
        document.add_text(self.whole, format!("{}{without_article}", whole::WITHOUT_ARTICLE));
        if let Some(title) = tokens::main_title(name) {
            let title = tokens::key(tokens::without_article(&tokens::groups(title)));
            document.add_text(self.whole, format!("{}{title}", whole::MAIN_TITLE));
        }
        document.add_text(self.name_start, folding::plain(name));
        let phrases = folding::phrases(name);
        let is_long = phrases.iter().map(String::len).sum::<usize>() > BEGINNINGS;
        for phrase in &phrases {
            document.add_text(self.word_start, if is_long { folding::cut(phrase) } else { phrase });
        }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

/// An id as two numbers: reading columns of numbers is far faster than reading columns of bytes.
#[must_use]
pub fn id_numbers(id: ObjectId) -> (u64, u64) {
    let bytes = id.bytes();
    let number = |part: &[u8]| part.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    (number(&bytes[..8]), number(&bytes[8..]))
}

#[must_use]
pub fn id_of_numbers(high: u64, low: u64) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&high.to_be_bytes());
    bytes[8..].copy_from_slice(&low.to_be_bytes()[4..]);
    ObjectId::from_bytes(bytes)
}

/// The values of [`standing`] are below this.
const STANDINGS: u64 = 64;

/// Ranks movies that match a search equally well. A large cast and a short name rank higher.
fn standing(movie: &IndexedMovie) -> u64 {
    let cast = (movie.casts.len() as u64 + 1).pow(4).ilog2();
    let words = movie.name.split_whitespace().count() as u64;
    (u64::from(cast) + 12_u64.saturating_sub(words)).min(STANDINGS - 1)
}
