//! What a list of movies can be asked for: typed and listed, never an operator from the wire.

use bson::Document;
use rocket::{
    Request,
    request::{FromRequest, Outcome},
};

use crate::{ids::UserId, page::Paging, problem::Problem, query::Query};

/// Which movies to list.
#[derive(Debug, Default)]
pub struct MovieFilter {
    pub added_by: Option<UserId>,
}

impl MovieFilter {
    /// The condition for the database.
    #[must_use]
    pub fn condition(&self) -> Document {
        let mut condition = Document::new();
        if let Some(owner) = self.added_by {
            condition.insert("added_by", owner);
        }
        condition
    }
}

/// The query of a list of movies.
pub struct MovieQuery {
    pub filter: MovieFilter,
    pub paging: Paging,
}

/// The query of the caller's own movies: the same without `added_by`.
pub struct MyMovieQuery(pub MovieQuery);

impl MovieQuery {
    fn read(query: &mut Query<'_>) -> Result<Self, Problem> {
        Ok(Self { filter: MovieFilter::default(), paging: Paging::read(query)? })
    }

    /// What a cursor of this list is bound to.
    #[must_use]
    pub fn binding(&self) -> String {
        format!("movies {} sort=-created_at", self.filter.condition())
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MovieQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let mut query = Query::of(request);
        let read = |query: &mut Query<'_>| {
            let added_by = query.parsed("added_by", "must be a user's id", UserId::parse)?;
            let read = Self::read(query)?;
            Ok(Self { filter: MovieFilter { added_by }, ..read })
        };
        finish(request, read(&mut query), query)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for MyMovieQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let mut query = Query::of(request);
        let read = MovieQuery::read(&mut query).map(Self);
        finish(request, read, query)
    }
}

fn finish<T>(request: &Request<'_>, read: Result<T, Problem>, query: Query<'_>) -> Outcome<T, Problem> {
    match read.and_then(|read| query.finish().map(|()| read)) {
        Ok(read) => Outcome::Success(read),
        Err(problem) => Outcome::Error(problem.refuse(request)),
    }
}
