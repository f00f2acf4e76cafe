//! Logging in.

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
        password::{ClaimedPassword, Hasher, Requester},
        sessions::{
            begin::{SignIn, SignIns, TokenView},
            model::NAME_CHARACTERS,
            naming::DefaultName,
        },
        store::credentials::Credentials,
        throttle::{Action, Throttle},
    },
    http::{
        body::{self, JsonBody},
        fields::{
            AnyString, Boolean, Fields, FromFields, Text,
            schema::{body_of, describe},
        },
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
};

/// What login takes: any two strings, and how the session is to be.
pub struct Login {
    email: String,
    password: ClaimedPassword,
    name: Option<String>,
    refresh: bool,
}

impl FromFields for Login {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", &AnyString);
        let password = fields.required("password", &AnyString);
        let name = fields.optional("name", &Text::line(NAME_CHARACTERS));
        let refresh = fields.optional("refresh", &Boolean);
        Some(Self {
            email: email?,
            password: ClaimedPassword::new(&password?),
            name: name?,
            refresh: refresh?.unwrap_or_default(),
        })
    }
}

impl PartialSchema for Login {
    fn schema() -> RefOr<Schema> {
        let object = describe(body_of::<Self>(), "email", "Whatever the case.", json!("ann@example.com"));
        let object = describe(object, "password", "The account's.", json!("plum-cake-at-noon"));
        let words = "What to call the session; unset, it is called after the `User-Agent`.";
        let object = describe(object, "name", words, json!("Firefox on the laptop"));
        let words = "Whether the session can be refreshed: then the token lives for 15 minutes.";
        describe(object, "refresh", words, json!(true)).into()
    }
}

impl ToSchema for Login {}

answers! {
    LoggedIn => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .json::<TokenView>(200, "A token.", &[])
        .problems(Hasher::REFUSALS)
        .problems(&[Code::BadCredentials]);
}

/// Makes a session and issues its token. An unknown email and a wrong password get the same answer in the same time.
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
    let Login { email, password, name, refresh } = body.0;
    let email = EmailAddress::claimed(&email);
    let attempt = throttle.admit(Action::Login, &email, &audit).await?;
    let too_early = attempt.too_early();
    let who = Requester::new(audit.address, &email);
    // From anywhere, and as often as they like: that must not take the owner's places.
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
    let (session, view) = sign_ins
        .begin(SignIn {
            user: credentials.id,
            generation: credentials.generation,
            name: name.unwrap_or(default_name.0),
            refresh,
        })
        .await?;
    audit.record(Event::Login, credentials.id);
    attempt.forgive().await;
    let address = throttle.digest_of(audit.address);
    let follow_up = async {
        sign_ins.sessions.end_excess(&session).await?;
        afterwards(users, hasher, &credentials, password, &who, &address).await
    };
    if let Err(problem) = follow_up.await {
        tracing::warn!(code = problem.code().kind().code, "a login that succeeded was not followed up");
    }
    Reply::ok(&view)
}

/// What a login leaves behind. The password was right: if this fails, the next login will do it.
async fn afterwards(
    users: &Users,
    hasher: &Hasher,
    verified: &Credentials,
    password: ClaimedPassword,
    who: &Requester,
    address: &str,
) -> Result<(), Problem> {
    users.remember_address(verified.id, address).await?;
    if let Some(hash) = &verified.password_hash
        && let Some(renewed) = hasher.renew(password, hash, who).await?
    {
        users.renew_hash(verified, &renewed).await?;
    }
    Ok(())
}
