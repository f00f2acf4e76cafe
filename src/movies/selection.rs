//! `fields`: which fields of a movie a client wants to read.

use rocket::{
    Request,
    request::{FromRequest, Outcome},
};

use super::{
    model::FIELDS,
    view::{MovieView, ReadMovie},
};
use crate::http::{
    problem::Problem,
    query::{Query, invalid},
    reply::Json,
};

/// The chosen fields; all fields if the parameter is absent. `id` is always included.
#[derive(Debug)]
pub struct Selection(Option<Vec<&'static str>>);

/// The query of a request for one movie.
pub struct SelectionQuery(pub Selection);

impl Selection {
    /// # Errors
    /// 400 for a name that is not a field, or occurs twice.
    pub fn read(query: &mut Query<'_>) -> Result<Self, Problem> {
        let Some(text) = query.one("fields")? else { return Ok(Self(None)) };
        let mut fields = Vec::new();
        for name in text.split(',').map(str::trim) {
            let known = FIELDS.iter().copied().find(|field| *field == name).ok_or_else(|| {
                invalid("fields", &format!("must be a comma-separated list of {}", FIELDS.join(", ")))
            })?;
            if fields.contains(&known) {
                return Err(invalid("fields", &format!("contains '{known}' twice")));
            }
            fields.push(known);
        }
        Ok(Self(Some(fields)))
    }

    /// The parameter that parses to this; `None` if all fields are chosen.
    #[must_use]
    pub fn parameter(&self) -> Option<String> {
        self.0.as_ref().map(|fields| fields.join(","))
    }

    /// Writes the chosen fields of a movie.
    ///
    /// # Errors
    /// 500 if the movie cannot be written as JSON.
    pub fn write(&self, movie: &ReadMovie, json: &mut Json) -> Result<(), Problem> {
        if let Some(fields) = &self.0 {
            return json.view(&MovieView::only(movie, fields));
        }
        json.text(movie.json()?);
        Ok(())
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SelectionQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| Selection::read(query).map(Self))
    }
}
