//! Reads a query. A refusal names the parameter that is unknown, repeated or malformed.

use rocket::{
    Request,
    request::{FromRequest, Outcome},
};

use super::problem::Problem;

/// The parameters of one request, while they are read.
pub struct Query<'r> {
    /// The path of the route.
    path: &'r str,
    left: Vec<(&'r str, &'r str)>,
}

impl<'r> Query<'r> {
    pub fn of(request: &'r Request<'_>) -> Self {
        let left = request.uri().query().map(|query| query.segments().collect()).unwrap_or_default();
        Self { path: request.route().map_or("", |route| route.uri.path()), left }
    }

    /// The route's path with these parameters, ready for one more at the end. Both are written afresh, since it may
    /// be unsafe to repeat the client's spelling (`//host/`).
    #[must_use]
    pub fn address_with(&self, parameters: &[(&str, String)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let separator = if query.is_empty() { "" } else { "&" };
        format!("{}?{query}{separator}", self.path)
    }

    /// A parameter that may be given once.
    ///
    /// # Errors
    /// 400 if it is given twice.
    pub fn one(&mut self, name: &str) -> Result<Option<&'r str>, Problem> {
        let mut values = self.left.extract_if(.., |(found, _)| *found == name).map(|(_, value)| value);
        let value = values.next();
        if values.next().is_some() {
            return Err(invalid(name, "is given twice"));
        }
        Ok(value)
    }

    /// A parameter that may be given several times.
    pub fn all(&mut self, name: &str) -> Vec<&'r str> {
        self.left.extract_if(.., |(found, _)| *found == name).map(|(_, value)| value).collect()
    }

    /// Like [`Query::one`], and parses the text.
    ///
    /// # Errors
    /// 400 if it is given twice, or if `parse` returns `None`.
    pub fn parsed<T>(
        &mut self,
        name: &str,
        rule: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.one(name)?.map(|text| parse(text).ok_or_else(|| invalid(name, rule))).transpose()
    }

    /// Ignores the other parameters, for a query that another service writes.
    pub fn pass_over_the_rest(&mut self) {
        self.left.clear();
    }

    /// Must be called last.
    ///
    /// # Errors
    /// 400 for a parameter that the route has not read.
    pub fn finish(self) -> Result<(), Problem> {
        match self.left.first() {
            Some((name, _)) => Err(invalid(name, "is not a parameter of this route")),
            None => Ok(()),
        }
    }
}

impl Query<'_> {
    /// A request guard: reads with `read`, and refuses the parameters that are left over.
    pub fn guard<'r, T>(
        request: &'r Request<'_>,
        read: impl FnOnce(&mut Query<'r>) -> Result<T, Problem>,
    ) -> Outcome<T, Problem> {
        let mut query = Query::of(request);
        match is_utf8(request)
            .and_then(|()| read(&mut query))
            .and_then(|value| query.finish().map(|()| value))
        {
            Ok(value) => Outcome::Success(value),
            Err(problem) => problem.forward(request),
        }
    }
}

/// Rocket turns broken UTF-8 into replacement characters, which would find nothing or the wrong thing.
fn is_utf8(request: &Request<'_>) -> Result<(), Problem> {
    let Some(query) = request.uri().query() else { return Ok(()) };
    let broken = query.split('&').find(|part| part.percent_decode().is_err());
    broken.map_or(Ok(()), |part| Err(invalid(part.split_at_byte(b'=').0.as_str(), "is not UTF-8")))
}

/// Reads `true` or `false`.
#[must_use]
pub fn flag(text: &str) -> Option<bool> {
    text.parse().ok()
}

/// The problem that names a parameter.
#[must_use]
pub fn invalid(name: &str, reason: &str) -> Problem {
    Problem::InvalidQuery(format!("The query parameter '{name}' {reason}."))
}

/// Reads digits only: `+5` is not a number here.
#[must_use]
pub fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// For routes without parameters.
pub struct NoQuery;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for NoQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |_| Ok(Self))
    }
}
