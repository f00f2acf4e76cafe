//! How a problem is answered: a body as in RFC 9457, and its headers.

use std::{borrow::Cow, io::Cursor, time::Duration};

use rocket::{
    Request, Response,
    http::{ContentType, Header, Status},
    response::{self, Responder},
};
use serde::{Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::{
    codes::{Code, Kind},
    left,
    variants::Problem,
};
use crate::http::{fields::FieldError, request_id::RequestId};

/// The seconds that a client should wait for a database to come back or a queue to get shorter.
const RETRY_AFTER: u64 = 2;

impl Problem {
    /// What happened this time, or the code's own detail if there is nothing to add.
    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::InvalidJson(detail) | Self::InvalidQuery(detail) => Cow::Owned(detail.clone()),
            Self::TooManyRequests(wait) => {
                Cow::Owned(format!("Too many attempts. Try again in {} s.", whole_seconds(*wait)))
            }
            Self::BadHeader(detail) | Self::OwnerOnly(detail) => Cow::Borrowed(detail),
            Self::PayloadTooLarge(limit) if limit % 1024 == 0 => {
                Cow::Owned(format!("The body is larger than {} MiB.", limit / 1024))
            }
            Self::PayloadTooLarge(limit) => Cow::Owned(format!("The body is larger than {limit} KiB.")),
            Self::SignInAgain => Cow::Borrowed(
                "Your account has no password. Sign in again, then repeat this request within 10 minutes without current_password.",
            ),
            _ => Cow::Borrowed(self.kind().detail),
        }
    }

    /// RFC 6750, section 3: says what is wrong with the token, but only if one was sent.
    fn challenge(&self) -> Option<String> {
        let realm = r#"Bearer realm="movie-bag""#;
        match self {
            Self::MissingToken | Self::InvalidRefreshToken | Self::BadCredentials => Some(realm.to_owned()),
            Self::InvalidToken | Self::ExpiredToken | Self::RevokedToken => {
                let description = self.kind().detail;
                Some(format!(r#"{realm}, error="invalid_token", error_description="{description}""#))
            }
            Self::InsufficientScope(scope) => {
                let scope = scope.map(|scope| format!(r#", scope="{scope}""#)).unwrap_or_default();
                Some(format!(r#"Bearer error="insufficient_scope"{scope}"#))
            }
            _ => None,
        }
    }

    /// The seconds that a client should wait before it tries again.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests(wait) | Self::RequestInProgress(wait) => Some(whole_seconds(*wait)),
            _ if self.kind().status == Status::ServiceUnavailable => Some(RETRY_AFTER),
            _ => None,
        }
    }
}

/// Rounded up, so that a client that waits this long does not come too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let words = "What went wrong, for programs. A later release may add codes: treat one that you do not know as its \
                     `status` says. `/problems/<code>` explains each.";
        let names = Self::ALL.iter().map(|code| code.kind().code);
        let codes = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names));
        codes.description(Some(words)).into()
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "ProblemCode".into()
    }
}

/// Problem details (RFC 9457). A program should look at `code`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// The address of a page that explains the code to people, relative to this server.
    #[schema(format = "uri-reference")]
    r#type: String,
    #[schema(value_type = String)]
    title: &'static str,
    /// The status of the answer, repeated here.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    #[schema(value_type = Code)]
    code: &'static str,
    /// What happened, for people.
    detail: &'a str,
    /// The path of the request.
    #[schema(value_type = String)]
    instance: &'a str,
    /// The id of the request, under which the server's log has more.
    request_id: &'a str,
    /// Every invalid field. Only with `validation-failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<FieldError>>, nullable = false)]
    errors: Option<&'a [FieldError]>,
    /// The path of the movie that has the name. Only with `duplicate-movie`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false, format = "uri-reference")]
    existing: Option<&'a str>,
}

impl Problem {
    /// The problem as a client reads it. `instance` is the path of the request.
    pub fn view<'a>(&'a self, instance: &'a str, request_id: &'a str) -> ProblemView<'a> {
        ProblemView { problem: self, instance, request_id }
    }
}

/// A problem with the request that it belongs to.
pub struct ProblemView<'a> {
    problem: &'a Problem,
    instance: &'a str,
    request_id: &'a str,
}

impl Serialize for ProblemView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Kind { status, code, title, .. } = self.problem.kind();
        let (mut errors, mut existing) = (None, None);
        match self.problem {
            Problem::ValidationFailed(fields) => errors = Some(fields.as_slice()),
            Problem::DuplicateMovie(path) => existing = Some(path.as_str()),
            _ => {}
        }
        ProblemBody {
            r#type: format!("/problems/{code}"),
            title,
            status: status.code,
            code,
            detail: &self.problem.detail(),
            instance: self.instance,
            request_id: self.request_id,
            errors,
            existing,
        }
        .serialize(serializer)
    }
}

impl<'r> Responder<'r, 'static> for Problem {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let request_id = RequestId::of(request);
        left::leave_answered(request, &self);
        let view = self.view(request.uri().path().as_str(), request_id.as_str());
        let body = serde_json::to_vec(&view).map_err(|_| Status::InternalServerError)?;
        let mut response = Response::build()
            .status(self.kind().status)
            .header(ContentType::new("application", "problem+json"))
            // Fairings set these too, but they do not run for a request that is refused before it is routed.
            .header(Header::new("X-Content-Type-Options", "nosniff"))
            .header(Header::new("Cache-Control", "no-store"))
            .header(Header::new(RequestId::HEADER, request_id.as_str().to_owned()))
            .sized_body(body.len(), Cursor::new(body))
            .finalize();
        if let Some(challenge) = self.challenge() {
            response.set_header(Header::new("WWW-Authenticate", challenge));
        }
        if let Self::MethodNotAllowed(allow) = &self {
            response.set_header(Header::new("Allow", allow.clone()));
        }
        if let Some(seconds) = self.retry_after() {
            response.set_header(Header::new("Retry-After", seconds.to_string()));
        }
        Ok(response)
    }
}
