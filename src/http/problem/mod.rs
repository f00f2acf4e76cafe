//! Every error that a client can be answered: its status, code, title, detail and headers.
//!
//! | question | file |
//! | --- | --- |
//! | which codes there are, and what is said of each | [`codes`] |
//! | `/problems/<code>` | [`mod@pages`] |
//!
//! The form is RFC 9457. What the log says of an error is another text: it is written here too, once,
//! with the request's id.

use std::{
    borrow::Cow,
    io::Cursor,
    sync::{Arc, OnceLock},
    time::Duration,
};

use rocket::{
    Request, Response,
    http::{ContentType, Header, Status},
    request,
    response::{self, Responder},
};
use serde::Serialize;
use utoipa::ToSchema;

pub mod codes;

pub use super::problem::codes::{Code, Kind};

use super::{fields::FieldError, request_id::RequestId};
use crate::{accounts::audit, mongo::StoreError};

/// How long a client should wait, in seconds, until a database is back or a queue is shorter.
const RETRY_AFTER: u64 = 2;

/// An error as the client reads it. Each variant's doc begins with its status.
#[derive(Debug, Clone)]
pub enum Problem {
    /// 400: what Rocket itself refuses.
    BadRequest,
    /// 400: the body is not JSON.
    InvalidJson(String),
    /// 400: a query parameter is unknown, repeated or malformed.
    InvalidQuery(String),
    /// 401: no `Authorization` header.
    MissingToken,
    /// 401: not a bearer token of ours.
    InvalidToken,
    /// 401: past its `exp`.
    ExpiredToken,
    /// 401: its cause is gone (logged out, a newer password, a deleted user).
    RevokedToken,
    /// 401: login only; does not tell an unknown email from a wrong password.
    BadCredentials,
    /// 403: the route needs the role `admin`.
    AdminsOnly,
    /// 403: the movie is another user's.
    NotOwner,
    /// 403: `current_password` is not the password.
    WrongPassword,
    /// 404: no such route.
    NotFound,
    /// 404: no such movie, or a malformed id.
    MovieNotFound,
    /// 404: no such user, or a malformed id.
    UserNotFound,
    /// 405: the route exists, with the methods named here.
    MethodNotAllowed(String),
    /// 408: the body came too slowly.
    RequestTimeout,
    /// 409: an account has this email.
    EmailTaken,
    /// 409: a movie has this name in this year.
    DuplicateMovie,
    /// 409: nobody would be admin any more.
    LastAdmin,
    /// 412: `If-Match` does not match.
    PreconditionFailed,
    /// 413: over the body limit.
    PayloadTooLarge,
    /// 415: the body's content type.
    UnsupportedMediaType,
    /// 422: the body's fields, every broken one.
    ValidationFailed(Vec<FieldError>),
    /// 422: a reset token that is unknown, used or too old.
    InvalidResetToken,
    /// 429: too many attempts; the next one may be made after this time.
    TooManyRequests(Duration),
    /// 500: a defect; the client learns nothing of it.
    Internal(Arc<str>),
    /// 501: the database has no change streams.
    NoEvents,
    /// 503: the database is away; the reason is for the log.
    DatabaseUnavailable(Arc<str>),
    /// 503: the request took too long.
    DeadlineExceeded,
    /// 503: too many wait already, to have a password hashed or for the database.
    Overloaded,
}

impl Problem {
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::BadRequest => Code::BadRequest,
            Self::InvalidJson(_) => Code::InvalidJson,
            Self::InvalidQuery(_) => Code::InvalidQuery,
            Self::MissingToken => Code::MissingToken,
            Self::InvalidToken => Code::InvalidToken,
            Self::ExpiredToken => Code::ExpiredToken,
            Self::RevokedToken => Code::RevokedToken,
            Self::BadCredentials => Code::BadCredentials,
            Self::AdminsOnly => Code::AdminsOnly,
            Self::NotOwner => Code::NotOwner,
            Self::WrongPassword => Code::WrongPassword,
            Self::NotFound => Code::NotFound,
            Self::MovieNotFound => Code::MovieNotFound,
            Self::UserNotFound => Code::UserNotFound,
            Self::MethodNotAllowed(_) => Code::MethodNotAllowed,
            Self::RequestTimeout => Code::RequestTimeout,
            Self::EmailTaken => Code::EmailTaken,
            Self::DuplicateMovie => Code::DuplicateMovie,
            Self::LastAdmin => Code::LastAdmin,
            Self::PreconditionFailed => Code::PreconditionFailed,
            Self::PayloadTooLarge => Code::PayloadTooLarge,
            Self::UnsupportedMediaType => Code::UnsupportedMediaType,
            Self::ValidationFailed(_) => Code::ValidationFailed,
            Self::InvalidResetToken => Code::InvalidResetToken,
            Self::TooManyRequests(_) => Code::TooManyRequests,
            Self::Internal(_) => Code::Internal,
            Self::NoEvents => Code::NoEvents,
            Self::DatabaseUnavailable(_) => Code::DatabaseUnavailable,
            Self::DeadlineExceeded => Code::DeadlineExceeded,
            Self::Overloaded => Code::Overloaded,
        }
    }

    fn kind(&self) -> Kind {
        self.code().kind()
    }

    /// What happened this time, if there is more to say than the code does.
    fn detail(&self) -> Cow<'static, str> {
        match self {
            Self::InvalidJson(detail) | Self::InvalidQuery(detail) => Cow::Owned(detail.clone()),
            Self::TooManyRequests(wait) => {
                Cow::Owned(format!("Too many attempts. Try again in {} s.", whole_seconds(*wait)))
            }
            _ => Cow::Borrowed(self.kind().detail),
        }
    }

    /// RFC 6750, section 3: what is wrong with a token that was sent; nothing of one that was not.
    fn challenge(&self) -> Option<String> {
        let realm = r#"Bearer realm="movie-bag""#;
        match self {
            Self::MissingToken | Self::BadCredentials => Some(realm.to_owned()),
            Self::InvalidToken | Self::ExpiredToken | Self::RevokedToken => {
                let description = self.kind().detail;
                Some(format!(r#"{realm}, error="invalid_token", error_description="{description}""#))
            }
            _ => None,
        }
    }

    /// What a client should wait, in seconds, before it tries again.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooManyRequests(wait) => Some(whole_seconds(*wait)),
            _ if self.kind().status == Status::ServiceUnavailable => Some(RETRY_AFTER),
            _ => None,
        }
    }

    fn log(&self, request: &Request<'_>) {
        let request_id = RequestId::of(request).as_str();
        match self {
            Self::Internal(reason) => tracing::error!(request_id, %reason, "internal error"),
            Self::DatabaseUnavailable(reason) => tracing::warn!(request_id, %reason, "database unavailable"),
            Self::InvalidToken
            | Self::ExpiredToken
            | Self::RevokedToken
            | Self::AdminsOnly
            | Self::NotOwner
            | Self::WrongPassword
            | Self::LastAdmin
            | Self::EmailTaken
            | Self::InvalidResetToken => audit::refused(request, self.kind().code),
            _ => {}
        }
    }
}

/// Rounded up: who comes back after this time is not too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX).max(1)
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::DatabaseUnavailable(reason.into()),
            // Where a unique rule can refuse, the caller has taken this out before.
            StoreError::Overloaded => Self::Overloaded,
            StoreError::Duplicate(_) | StoreError::Other(_) => Self::Internal(error.to_string().into()),
        }
    }
}

/// Problem details (RFC 9457). What a program should look at is `code`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// A page that explains the code to a person; relative to this server.
    #[schema(format = "uri-reference")]
    r#type: String,
    #[schema(value_type = String)]
    title: &'static str,
    /// The status of the answer, once more.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    #[schema(value_type = String)]
    code: &'static str,
    /// What happened, for a person.
    detail: &'a str,
    /// The path of the request.
    #[schema(value_type = String)]
    instance: Cow<'a, str>,
    /// Under which the log has more.
    request_id: &'a str,
    /// Every broken field; with `validation-failed` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<FieldError>>, nullable = false)]
    errors: Option<&'a [FieldError]>,
}

impl<'r> Responder<'r, 'static> for Problem {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'static> {
        let Kind { status, code, title, .. } = self.kind();
        let request_id = RequestId::of(request);
        self.log(request);
        let body = ProblemBody {
            r#type: format!("/problems/{code}"),
            title,
            status: status.code,
            code,
            detail: &self.detail(),
            instance: request.uri().path().as_str().into(),
            request_id: request_id.as_str(),
            errors: if let Self::ValidationFailed(errors) = &self { Some(errors) } else { None },
        };
        let body = serde_json::to_vec(&body).map_err(|_| Status::InternalServerError)?;
        let mut response = Response::build()
            .status(status)
            .header(ContentType::new("application", "problem+json"))
            // These also where no fairing runs: a request that is refused before it is routed.
            .header(Header::new("X-Content-Type-Options", "nosniff"))
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

/// Where a guard leaves its problem for the catcher: Rocket does not hand over a guard's error. The first
/// one is kept.
#[derive(Default)]
struct Refusal(OnceLock<Problem>);

impl Problem {
    /// A data guard's refusal.
    #[must_use]
    pub fn refuse(self, request: &Request<'_>) -> (Status, Self) {
        request.local_cache(Refusal::default).0.get_or_init(|| self.clone());
        (self.kind().status, self)
    }

    /// A request guard's refusal. To Rocket it is no error, so that it does not drop the body: see
    /// [`crate::http::refusal`].
    pub fn forward<T>(self, request: &Request<'_>) -> request::Outcome<T, Self> {
        request::Outcome::Forward(self.refuse(request).0)
    }

    /// What a guard has left, if one has.
    #[must_use]
    pub fn refused(request: &Request<'_>) -> Option<Self> {
        request.local_cache(Refusal::default).0.get().cloned()
    }
}
