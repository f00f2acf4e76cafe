//! Refreshing a session: a client whose token lives for minutes gets a new one.

use rocket::{State, post};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    accounts::{
        EmailAddress, Users,
        audit::{Audit, Event},
        sessions::{
            Sessions,
            begin::{ACCESS_LIFETIME, no_random_numbers},
            refresh_token::{RefreshTokens, Seed},
            rotation::{Rotation, Successor},
        },
        throttle::{Action, Throttle},
        token::Tokens,
    },
    http::{
        body::{self, JsonBody},
        fields::{
            Fields, FromFields, Opaque,
            schema::{body_of, describe},
        },
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
};

/// Any string: one that is not a refresh token of this server is rejected.
pub struct Refresh {
    token: String,
}

impl FromFields for Refresh {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { token: fields.required("refresh_token", &Opaque)? })
    }
}

impl PartialSchema for Refresh {
    fn schema() -> RefOr<Schema> {
        let example = json!("ZWHwwqO01eb3CBkg…");
        describe(body_of::<Self>(), "refresh_token", "From the login, or from the last refresh.", example)
            .into()
    }
}

impl ToSchema for Refresh {}

/// An access token, and the refresh token for the next one.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[schema(as = RefreshedToken)]
pub struct RefreshedView {
    /// For the `Authorization` header, after `Bearer`.
    token: String,
    #[schema(value_type = String, example = "Bearer")]
    token_type: &'static str,
    /// The token expires in this many seconds.
    #[schema(minimum = 0, example = 900)]
    expires_in: u64,
    /// For the next `POST /api/auth/refresh`. It works once.
    refresh_token: String,
    /// The refresh token expires in this many seconds: 30 days, or less at the end of the session's year.
    #[schema(minimum = 0, example = 2_592_000)]
    refresh_expires_in: u64,
}

answers! {
    Refreshed => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .json::<RefreshedView>(200, "A new token, and the next refresh token.", &[])
        .problems(&[Code::InvalidRefreshToken]);
}

/// Issues a new token and the next refresh token.
///
/// Anyone who has a refresh token may call this. Each refresh token works once. If one is used again, its
/// session ends, because somebody else may have it. The exception: for 10 seconds, and while its successor is unused,
/// the token that was used last gets the same successor again, so a lost answer logs nobody out.
///
/// A refresh token that is unknown, expired or used, or whose session has ended, gets 401 `invalid-refresh-token`.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "refresh",
    request_body = Refresh,
    responses(Refreshed),
)]
#[post("/refresh", data = "<body>")]
pub(in crate::accounts) async fn refresh(
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    throttle: &State<Throttle>,
    sessions: &State<Sessions>,
    tokens: &State<Tokens>,
    refresh_tokens: &State<RefreshTokens>,
    body: JsonBody<Refresh>,
) -> Result<Reply, Problem> {
    let known = refresh_tokens.recognise(&body.token);
    // The throttle counts by session and address. A token that this service never made counts by the address alone.
    let counted = known.as_ref().map(|known| known.session.to_string()).unwrap_or_default();
    let attempt = throttle.admit(Action::Refresh, &EmailAddress::claimed(&counted), &audit).await?;
    let Some(known) = known else {
        attempt.count().await?;
        return Err(Problem::InvalidRefreshToken);
    };
    let seed = Seed::random().map_err(no_random_numbers)?;
    let successor = refresh_tokens.make(known.session, &seed).digest();
    let rotation = sessions.rotate(&known, &seed, &successor).await?;
    match rotation {
        Rotation::Successor(successor) if is_current(users, &successor).await? => {
            attempt.forgive().await;
            let Successor { session, seed, lifetime } = *successor;
            let access_lifetime = ACCESS_LIFETIME.min(lifetime);
            return Reply::ok(&RefreshedView {
                token: tokens.issue(&session, access_lifetime)?,
                token_type: "Bearer",
                expires_in: access_lifetime.as_secs(),
                refresh_token: refresh_tokens.make(session.id, &seed).expose().to_owned(),
                refresh_expires_in: lifetime.as_secs(),
            });
        }
        Rotation::Reused(user) => audit.record(Event::RefreshTokenReused, user),
        Rotation::Successor(_) | Rotation::Ended => {}
    }
    attempt.count().await?;
    Err(Problem::InvalidRefreshToken)
}

/// Whether the account exists and has the session's generation. Otherwise the session has ended.
async fn is_current(users: &Users, successor: &Successor) -> Result<bool, Problem> {
    let account = users.find(successor.session.user).await?;
    Ok(account.is_some_and(|account| account.generation == successor.session.generation))
}
