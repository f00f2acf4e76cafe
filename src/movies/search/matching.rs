//! Turns the words of a search into a query of the index.

use std::ops::Bound;

use tantivy::{
    DocSet, Searcher, TERMINATED, Term,
    query::{
        AllQuery, BooleanQuery, ConstScoreQuery, DisjunctionMaxQuery, EmptyQuery, EnableScoring, Occur,
        PhraseQuery, Query, RangeQuery, TermQuery,
    },
    schema::{Field, IndexRecordOption},
};

use super::{
    filters, languages,
    misspelt::{LONGEST_TYPO, Misspelt, TYPO_LETTERS},
    plan::{MOST_TYPOS, Plan, RARITIES, WordPlan},
    points::{self, Points},
    question::Meant,
    schema::{Fields, Text, whole},
    tokenizers,
    tokens::{self, Group},
    unwanted::Unwanted,
    words::{Wanted, Words},
};

pub(super) type AnyQuery = Box<dyn Query>;

/// A word that is in more movies than this, and in more than a quarter of all, matches only in its exact form: its
/// stems and its continuations would add little to so many movies, and would cost the most.
const FREQUENT: u64 = 20_000;
/// Typos are allowed only for a word whose exact form is in fewer movies than this.
const ENOUGH: usize = 3;

/// Makes queries for one state of the index.
pub struct Matcher<'a> {
    pub fields: &'a Fields,
    pub searcher: &'a Searcher,
}

impl Matcher<'_> {
    fn texts(&self) -> [(Text, &'static Points); 4] {
        let fields = self.fields;
        [
            (fields.name, &points::NAME),
            (fields.directors, &points::DIRECTORS),
            (fields.casts, &points::CASTS),
            (fields.plot, &points::PLOT),
        ]
    }

    /// Decides how rare each word is, and for which words typos are allowed.
    pub fn plan(&self, words: &Words) -> tantivy::Result<Plan> {
        let (mut plan, mut misspelt) = (Plan::default(), 0);
        for wanted in &words.wanted {
            let Wanted::Word { group, .. } = wanted else {
                plan.words.push(WordPlan { rarity: RARITIES, typos: false });
                continue;
            };
            let letters = group.joined().chars().count();
            let can_be = (TYPO_LETTERS[0]..=LONGEST_TYPO).contains(&letters) && misspelt < MOST_TYPOS;
            let typos = can_be
                && !self.has_enough(&any(self
                    .written(group)
                    .into_iter()
                    .map(|(query, _)| query)
                    .collect()))?;
            misspelt += usize::from(typos);
            plan.words.push(WordPlan { rarity: self.rarity(group)?, typos });
        }
        Ok(plan)
    }

    fn rarity(&self, group: &Group) -> tantivy::Result<u8> {
        let mut movies = 0;
        for (text, _) in self.texts() {
            movies += self.searcher.doc_freq(&Term::from_field_text(text.words, &group.joined()))?;
        }
        let all = self.searcher.num_docs();
        if movies > FREQUENT.max(all / 4) {
            return Ok(0);
        }
        // In more than a quarter of the movies, in more than a thirtieth, and so on.
        let mut steps = [4, 30, 300, 3_000].into_iter().zip(1..);
        Ok(steps.find(|(share, _)| movies > all / share).map_or(RARITIES, |(_, rarity)| rarity))
    }

    /// Whether enough movies match that no typo is needed.
    fn has_enough(&self, query: &dyn Query) -> tantivy::Result<bool> {
        let weight = query.weight(EnableScoring::disabled_from_searcher(self.searcher))?;
        let mut found = 0;
        for reader in self.searcher.segment_readers() {
            let mut scorer = weight.scorer(reader, 1.0)?;
            let mut doc = scorer.doc();
            while doc != TERMINATED {
                found += usize::from(!reader.is_deleted(doc));
                if found == ENOUGH {
                    return Ok(true);
                }
                doc = scorer.advance();
            }
        }
        Ok(false)
    }

    /// The query for all conditions.
    pub fn query(&self, meant: &Meant, plan: &Plan) -> AnyQuery {
        let mut clauses: Vec<(Occur, AnyQuery)> = Vec::new();
        let words = &meant.words;
        if !words.wanted.is_empty() {
            clauses.push((Occur::Must, self.words(words, plan)));
            clauses.extend(self.extras(words, plan).into_iter().map(|query| (Occur::Should, query)));
        }
        clauses
            .extend(filters::of(self.fields, meant).into_iter().map(|query| (Occur::Must, scored(query, 0))));
        if clauses.is_empty() {
            clauses.push((Occur::Must, scored(Box::new(AllQuery), 0)));
        }
        for parts in &words.unwanted {
            let anywhere = self.texts().map(|(text, _)| phrase(text.words, parts)).into();
            clauses.push((Occur::MustNot, Box::new(Unwanted(any(anywhere)))));
        }
        Box::new(BooleanQuery::new(clauses))
    }

    /// Requires every word, or all but the number of words that the plan leaves out.
    fn words(&self, words: &Words, plan: &Plan) -> AnyQuery {
        let each = words.wanted.iter().zip(&plan.words).map(|(wanted, plan)| match wanted {
            Wanted::Word { group, is_beginning } => self.word(group, *is_beginning, *plan),
            Wanted::Phrase(parts) => {
                let rarity = u32::from(plan.rarity);
                best(
                    self.texts()
                        .map(|(text, points)| scored(phrase(text.words, parts), points.exact * rarity))
                        .into(),
                )
            }
        });
        if plan.left_out == 0 {
            return Box::new(BooleanQuery::new(each.map(|query| (Occur::Must, query)).collect()));
        }
        let each: Vec<_> = each.map(|query| (Occur::Should, query)).collect();
        let needed = each.len() - plan.left_out;
        Box::new(BooleanQuery::with_minimum_required_clauses(each, needed))
    }

    /// Matches a word, and counts only the field and the form that score highest.
    fn word(&self, group: &Group, is_beginning: bool, plan: WordPlan) -> AnyQuery {
        let rarity = u32::from(plan.rarity.max(1));
        let mut forms: Vec<AnyQuery> = Vec::new();
        let mut add = |query: AnyQuery, points: u32| forms.push(scored(query, points * rarity));
        for (query, points) in self.written(group) {
            add(query, points);
        }
        if plan.rarity == 0 {
            return best(forms);
        }
        let stems = languages::all_stems(group);
        let joined = group.joined();
        let misspelt = plan.typos.then(|| Misspelt::new(&joined));
        for (text, points) in self.texts() {
            if let Some(field) = text.stems {
                for stem in &stems {
                    add(term(field, stem), points.stem);
                }
            }
            if let (true, Some(points)) = (is_beginning, points.beginning) {
                add(beginning(text.words, &joined), points);
            }
            for (query, points) in misspelt.iter().flat_map(|word| word.queries(text.words, points.typo)) {
                add(query, points);
            }
        }
        best(forms)
    }

    /// The exact form of a word, in each field.
    fn written(&self, group: &Group) -> Vec<(AnyQuery, u32)> {
        let mut found = Vec::new();
        for (text, points) in self.texts() {
            found.push((term(text.words, &group.joined()), points.exact));
            if group.parts.len() > 1 {
                found.push((phrase(text.words, &group.parts), points.exact));
            }
            let spoken = group.parts.first().and_then(|part| tokenizers::spoken(part));
            found.extend(spoken.map(|word| (term(text.words, word), points.stem)));
        }
        found
    }

    /// Optional matches that raise the score of a movie.
    fn extras(&self, words: &Words, plan: &Plan) -> Vec<AnyQuery> {
        let fields = self.fields;
        let without_article = tokens::key(tokens::without_article(&words.all));
        let whole_names = [
            (whole::NAME, tokens::key(&words.all), points::WHOLE_NAME),
            (whole::WITHOUT_ARTICLE, without_article.clone(), points::WITHOUT_ARTICLE),
            (whole::MAIN_TITLE, without_article.clone(), points::MAIN_TITLE),
        ];
        let mut whole_names: Vec<AnyQuery> = whole_names
            .into_iter()
            .map(|(mark, key, points)| scored(term(fields.whole, &format!("{mark}{key}")), points))
            .collect();
        if plan.words.iter().any(|word| word.typos) {
            let key = format!("{}{}", whole::WITHOUT_ARTICLE, without_article);
            let misspelt = Misspelt::new(&key);
            let names = misspelt.queries(fields.whole, points::MISSPELT_NAME);
            whole_names.extend(names.map(|(query, points)| scored(query, points)));
        }
        let mut extras = vec![best(whole_names)];
        let parts: Vec<String> = words.all.iter().flat_map(|group| group.parts.clone()).collect();
        if parts.len() > 1 {
            let phrases = [
                (fields.name, points::PHRASE_IN_NAME),
                (fields.directors, points::PHRASE_IN_PERSON),
                (fields.casts, points::PHRASE_IN_PERSON),
            ];
            extras
                .push(best(phrases.map(|(text, points)| scored(phrase(text.words, &parts), points)).into()));
            let years = parts.iter().filter(|part| part.len() == 4).filter_map(|part| part.parse().ok());
            let years = years.map(|year: i64| scored(integer(fields.year, year), points::YEAR));
            extras.extend(years);
        }
        extras
    }
}

pub(super) fn basic(term: Term) -> AnyQuery {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}

pub(super) fn term(field: Field, text: &str) -> AnyQuery {
    basic(Term::from_field_text(field, text))
}

pub(super) fn integer(field: Field, number: i64) -> AnyQuery {
    basic(Term::from_field_i64(field, number))
}

fn phrase(field: Field, parts: &[String]) -> AnyQuery {
    match parts {
        [] => Box::new(EmptyQuery),
        [part] => term(field, part),
        parts => {
            Box::new(PhraseQuery::new(parts.iter().map(|part| Term::from_field_text(field, part)).collect()))
        }
    }
}

/// Matches words that begin with the text.
fn beginning(field: Field, text: &str) -> AnyQuery {
    let end = format!("{text}{}", char::MAX);
    let bound = |text: &str| Bound::Included(Term::from_field_text(field, text));
    Box::new(RangeQuery::new(bound(text), bound(&end)))
}

fn scored(query: AnyQuery, points: u32) -> AnyQuery {
    // The conversion is exact: points are far below 2^24, above which a float has gaps between whole numbers.
    #[expect(clippy::cast_precision_loss, reason = "points are small")]
    let score = points as f32;
    Box::new(ConstScoreQuery::new(query, score))
}

/// Counts only the query that scores highest.
fn best(queries: Vec<AnyQuery>) -> AnyQuery {
    Box::new(DisjunctionMaxQuery::new(queries))
}

pub(super) fn any(queries: Vec<AnyQuery>) -> AnyQuery {
    Box::new(BooleanQuery::union(queries))
}
