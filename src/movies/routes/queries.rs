//! The queries about movies, read from the URL.

use std::sync::Arc;

use rocket::{
    Request,
    request::{FromRequest, Outcome},
};

use crate::{
    http::{
        page::Paging,
        problem::Problem,
        query::{Query, flag, invalid},
    },
    movies::{
        filter::MovieFilter,
        selection::Selection,
        sort::{Direction, Sort},
    },
};

/// The query of a list of movies.
pub struct MovieQuery {
    pub filter: Arc<MovieFilter>,
    pub sort: Sort,
    pub selection: Selection,
    pub paging: Paging,
    /// Whether to count all that match.
    pub count: bool,
}

/// The query of the caller's own movies: the same without `added_by`, and with `role`.
pub struct MyMovieQuery {
    pub movies: MovieQuery,
    /// Whether the caller owns the movies or edits them.
    pub role: MyRole,
}

/// A user's role for the movies of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MyRole {
    Owner,
    Editor,
}

impl MyRole {
    pub const ALL: [Self; 2] = [Self::Owner, Self::Editor];

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
        }
    }
}

/// The query of the facets: the filters alone.
pub struct FacetQuery(pub MovieFilter);

impl MovieQuery {
    /// `others` are the parameters of the list that were read before.
    fn read(query: &mut Query<'_>, others: Vec<(&'static str, String)>) -> Result<Self, Problem> {
        let filter = MovieFilter::read(query)?;
        let rule =
            "must be created_at, name or year, with or without a leading '-', or relevance (only with q)";
        let usable = |sort: &Sort| filter.search.is_some() || *sort != Sort::Relevance;
        let sort = query.parsed("sort", rule, |text| Sort::parse(text).filter(usable))?;
        let default =
            if filter.search.is_some() { Sort::Relevance } else { Sort::CreatedAt(Direction::Descending) };
        let selection = Selection::read(query)?;
        let count = query.parsed("count", "must be true or false", flag)?;
        let mut parameters = others;
        parameters.extend(filter.parameters());
        parameters.extend(sort.map(|sort| ("sort", sort.parameter())));
        parameters.extend(selection.parameter().map(|fields| ("fields", fields)));
        parameters.extend(count.map(|count| ("count", count.to_string())));
        Ok(Self {
            sort: sort.unwrap_or(default),
            selection,
            paging: Paging::read(query, parameters)?,
            count: count.unwrap_or(false),
            filter: Arc::new(filter),
        })
    }

    /// What a cursor of this list is bound to. The database's cursors and the search index's differ.
    #[must_use]
    pub fn binding(&self, is_indexed: bool) -> String {
        let engine = if is_indexed { "indexed" } else { "movies" };
        format!("{engine} {} {:?}", self.filter.condition(), self.sort)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MovieQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| Self::read(query, Vec::new()))
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MyMovieQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| {
            if query.one("added_by")?.is_some() {
                return Err(invalid("added_by", "is not a parameter of this route"));
            }
            let known = |text: &str| MyRole::ALL.into_iter().find(|role| role.name() == text);
            let role = query.parsed("role", "must be owner or editor", known)?;
            let others = role.map(|role| ("role", role.name().to_owned())).into_iter().collect();
            let movies = MovieQuery::read(query, others)?;
            Ok(Self { movies, role: role.unwrap_or(MyRole::Owner) })
        })
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for FacetQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| MovieFilter::read(query).map(Self))
    }
}
