//! Logging in.

use rocket::{State, post};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::sign_in::{SessionWish, SignInEnd};
use crate::{
    accounts::{
        EmailAddress, Users,
        audit::Audit,
        password::{ClaimedPassword, Hasher, Requester},
        sessions::{
            begin::{SignIns, TokenView},
            naming::DefaultName,
        },
        store::credentials::Credentials,
        throttle::{Action, Throttle},
    },
    http::{
        body::{self, JsonBody},
        fields::{
            AnyString, Fields, FromFields,
            schema::{body_of, describe},
        },
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
};

/// The body of a login: any two strings, and how the client wants its session.
pub struct Login {
    email: String,
    password: ClaimedPassword,
    session: SessionWish,
}

impl FromFields for Login {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", &AnyString);
        let password = fields.required("password", &AnyString);
        let session = SessionWish::from_fields(fields);
        Some(Self { email: email?, password: ClaimedPassword::new(&password?), session: session? })
    }
}

impl PartialSchema for Login {
    fn schema() -> RefOr<Schema> {
        let words = "The email of the account. Upper and lower case make no difference.";
        let object = describe(body_of::<Self>(), "email", words, json!("ann@example.com"));
        let words = "The password of the account.";
        SessionWish::described(describe(object, "password", words, json!("plum-cake-at-noon"))).into()
    }
}

impl ToSchema for Login {}

answers! {
    LoggedIn => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .json::<TokenView>(200, "The token of the new session.", &[])
        .problems(Hasher::REFUSALS)
        .problems(&[Code::BadCredentials]);
}

/// Logs in: begins a session and issues its token.
///
/// Anyone may call this. With `refresh: true` the token lives for 15 minutes, and the answer has a refresh token for
/// `POST /api/auth/refresh`. Without it the token lives for 7 days, unless the operator has set another time.
///
/// An unknown email and a wrong password get the same 401 `bad-credentials`, in the same time. After too many attempts
/// the answer is 429 `too-many-requests`.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "log_in",
    request_body = Login,
    responses(LoggedIn),
)]
#[post("/login", data = "<body>")]
pub(in crate::accounts) async fn login(
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    hasher: &State<Hasher>,
    throttle: &State<Throttle>,
    sign_ins: &State<SignIns>,
    default_name: DefaultName,
    body: JsonBody<Login>,
) -> Result<Reply, Problem> {
    let Login { email, password, session } = body.0;
    let email = EmailAddress::claimed(&email);
    let attempt = throttle.admit(Action::Login, &email, &audit).await?;
    let too_early = attempt.too_early();
    let who = Requester::new(audit.address, &email);
    // Such attempts may come from anywhere and in any number, so they must not take the account's own places.
    let who = if too_early.is_some() { who.network_alone() } else { who };
    let credentials = users.find_credentials(&email).await?;
    let hash = credentials.as_ref().and_then(|found| found.password_hash.as_ref());
    let hash = hash.filter(|_| too_early.is_none_or(|too_early| too_early.may_succeed));
    let known = hasher.verify(&password, hash, &who).await?;
    let user = credentials.as_ref().map(|found| found.id);
    let Some(credentials) = credentials.filter(|_| known) else {
        let problem = if let Some(too_early) = too_early {
            throttle.refuse(Action::Login, &email, &audit, too_early.wait)
        } else {
            audit.login_failed(email.masked(), user);
            Problem::BadCredentials
        };
        attempt.count().await?;
        return Err(problem);
    };
    let sign_in = session.sign_in(credentials.id, credentials.generation, default_name);
    let end = SignInEnd { sign_ins, users, throttle, audit: &audit };
    end.finish(sign_in, attempt, renew_hash(users, hasher, &credentials, password, &who)).await
}

/// Renews the hash if it has a lower cost. This runs only after the password was right.
async fn renew_hash(
    users: &Users,
    hasher: &Hasher,
    verified: &Credentials,
    password: ClaimedPassword,
    who: &Requester,
) -> Result<(), Problem> {
    if let Some(hash) = &verified.password_hash
        && let Some(renewed) = hasher.renew(password, hash, who).await?
    {
        users.renew_hash(verified, &renewed).await?;
    }
    Ok(())
}
