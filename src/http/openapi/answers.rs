//! How a route declares its answers: a status and a body, headers, and the codes of its problems.
//!
//! Each guard has a list of its refusals. A route names the lists of the guards in its signature.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::{
    ToSchema,
    openapi::{
        ArrayBuilder, Content, ContentBuilder, Ref, RefOr, Response, ResponseBuilder, extensions::Extensions,
    },
};

use crate::http::problem::{Code, ProblemBody};

/// Headers, by the names of their components.
pub const ETAG: &str = "ETag";
/// The `ETag` of any answer but one movie. It is a component of its own because its format differs.
pub const WEAK_ETAG: &str = "ETag.weak";
pub const CACHE_CONTROL: &str = "Cache-Control";
pub const LINK: &str = "Link";
pub const LOCATION: &str = "Location";
/// Whether the answer repeats that of an earlier request with the same `Idempotency-Key`.
pub const REPLAYED: &str = "Idempotency-Replayed";
/// How many requests an address may make, and how many are left of them.
pub const RATE_LIMIT: &str = "RateLimit";
pub const RATE_LIMIT_POLICY: &str = "RateLimit-Policy";
pub const REQUEST_ID: &str = "X-Request-Id";
pub const RETRY_AFTER: &str = "Retry-After";
pub const WWW_AUTHENTICATE: &str = "WWW-Authenticate";

/// The media type of a problem.
pub const PROBLEM: &str = "application/problem+json";

/// In a media type: the schema of the answers to requests that have the parameter `fields`.
pub const SCHEMA_WITH_FIELDS: &str = "x-schema-with-fields";

/// The description of a 304 for a weak tag.
pub const UNCHANGED: &str = "Nothing has changed: the ETag is still the one in `If-None-Match`.";

/// What every route may answer.
const ALWAYS: &[Code] = &[Code::InvalidQuery, Code::Internal, Code::TooManyRequests];

/// What one route answers, while it is put together.
pub struct Answers {
    successes: BTreeMap<u16, ResponseBuilder>,
    problems: BTreeMap<u16, BTreeSet<Code>>,
}

impl Answers {
    /// For a route that uses the database.
    #[must_use]
    pub fn with_database() -> Self {
        Self::without_database().problems(&[Code::DatabaseUnavailable, Code::Overloaded])
    }

    /// For a route that may need the search index.
    #[must_use]
    pub fn with_search() -> Self {
        Self::with_database().problems(&[Code::SearchBuilding])
    }

    /// For a route that does not use the database.
    #[must_use]
    pub fn without_database() -> Self {
        Self::always().problems(&[Code::DeadlineExceeded])
    }

    fn always() -> Self {
        Self { successes: BTreeMap::new(), problems: BTreeMap::new() }.problems(ALWAYS)
    }

    /// A success with a JSON body.
    #[must_use]
    pub fn json<T: ToSchema>(self, status: u16, description: &str, headers: &[&'static str]) -> Self {
        let content = Content::new(Some(Ref::from_schema_name(T::name())));
        self.success(status, description, headers, Some(("application/json", content)))
    }

    /// A success with a JSON body of which the parameter `fields` chooses a part. A document cannot make a schema
    /// depend on a parameter, and a schema that fits both answers could require nothing. So the schema is that of the
    /// whole answer, and an extension names the other one.
    #[must_use]
    pub fn json_of_fields<Whole: ToSchema, Part: ToSchema>(
        self,
        description: &str,
        headers: &[&'static str],
    ) -> Self {
        let mut content = Content::new(Some(Ref::from_schema_name(Whole::name())));
        let part = serde_json::json!(Ref::from_schema_name(Part::name()));
        content.extensions = Some(Extensions::from_iter([(SCHEMA_WITH_FIELDS, part)]));
        self.success(200, description, headers, Some(("application/json", content)))
    }

    /// For a stream of server-sent events. It lasts until the client disconnects, so it has no time limit. The schema
    /// is that of a list of events: OpenAPI 3.2 defines the schema of a stream that way, and 3.1 does not define it.
    #[must_use]
    pub fn events<Event: ToSchema>(description: &str) -> Self {
        let events = ArrayBuilder::new().items(Ref::from_schema_name(Event::name()));
        let content = Content::new(Some(events));
        let answers = Self::always().problems(&[Code::DatabaseUnavailable, Code::Overloaded]);
        answers.success(200, description, &[], Some(("text/event-stream", content)))
    }

    /// A success with nothing in its body.
    #[must_use]
    pub fn empty(self, status: u16, description: &str, headers: &[&'static str]) -> Self {
        self.success(status, description, headers, None)
    }

    fn success(
        mut self,
        status: u16,
        description: &str,
        headers: &[&'static str],
        content: Option<(&str, Content)>,
    ) -> Self {
        let mut answer = with_headers(ResponseBuilder::new().description(description), headers);
        if let Some((media_type, content)) = content {
            answer = answer.content(media_type, content);
        }
        self.successes.insert(status, answer);
        self
    }

    /// For a route without a rate limit.
    #[must_use]
    pub fn unlimited(mut self) -> Self {
        self.problems.remove(&429);
        self
    }

    /// Adds problems that the route can answer with.
    #[must_use]
    pub fn problems(mut self, codes: &[Code]) -> Self {
        for code in codes {
            self.problems.entry(code.kind().status.code).or_default().insert(*code);
        }
        self
    }
}

impl From<Answers> for BTreeMap<String, RefOr<Response>> {
    fn from(answers: Answers) -> Self {
        let is_limited = answers.problems.contains_key(&429);
        let limits: &[&'static str] = if is_limited { &[RATE_LIMIT, RATE_LIMIT_POLICY] } else { &[] };
        let problems = answers.problems.into_iter().map(|(status, codes)| (status, problem(status, &codes)));
        let all = answers.successes.into_iter().chain(problems);
        all.map(|(status, answer)| (status.to_string(), with_headers(answer, limits).build().into()))
            .collect()
    }
}

fn with_headers(answer: ResponseBuilder, headers: &[&'static str]) -> ResponseBuilder {
    let component = |name: &str| Ref::new(format!("#/components/headers/{name}"));
    let all = headers.iter().chain(&[REQUEST_ID]);
    // The part after a dot tells two components of one header apart.
    let header = |name: &'static str| name.split('.').next().unwrap_or(name);
    all.fold(answer, |answer, name| answer.header_ref(header(name), component(name)))
}

/// All problems of one status. The description says what each one means, and each has an example. All have the same
/// schema, so a generated client has one type for them.
fn problem(status: u16, codes: &BTreeSet<Code>) -> ResponseBuilder {
    let lines = codes.iter().map(|code| {
        let kind = code.kind();
        format!("- `{}`: {}", kind.code, kind.detail)
    });
    let description = lines.collect::<Vec<_>>().join("\n");
    let examples = codes.iter().map(|code| {
        let name = code.kind().code;
        (name, RefOr::Ref(Ref::new(format!("#/components/examples/{name}"))))
    });
    let schema = Ref::from_schema_name(ProblemBody::name());
    let content = ContentBuilder::new().schema(Some(schema)).examples_from_iter(examples).build();
    let headers: &[&'static str] = match status {
        401 => &[WWW_AUTHENTICATE],
        429 | 503 => &[RETRY_AFTER],
        _ => &[],
    };
    with_headers(ResponseBuilder::new().description(description), headers).content(PROBLEM, content)
}

/// Declares the answers of a feature's routes, for `#[utoipa::path(responses(…))]`.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident => $answers:expr;)*) => {
        $(
            $(#[$doc])*
            pub enum $name {}

            impl utoipa::IntoResponses for $name {
                fn responses() -> std::collections::BTreeMap<
                    String,
                    utoipa::openapi::RefOr<utoipa::openapi::Response>,
                > {
                    $answers.into()
                }
            }
        )*
    };
}
pub(crate) use answers;
