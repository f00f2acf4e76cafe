//! The end of a sign-in with a provider: the client exchanges its code, and the server does what the sign-in is for.

use rocket::{State, post};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::sign_in::{SessionWish, SignInEnd};
use crate::{
    accounts::{
        Account, EmailAddress, Users,
        audit::{Audit, Event},
        identity::{Identity, Link},
        letters,
        oidc::{Oidc, Purpose, SignedIn, secret::ShortSecret},
        sessions::{
            begin::{SignIns, TokenView},
            naming::DefaultName,
        },
        throttle::{Action, Throttle},
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
    mail::Mailer,
    mongo::StoreError,
};

/// The code, the verifier of the client that began the sign-in, and how the client wants its session.
pub struct Exchange {
    code: ShortSecret,
    verifier: String,
    session: SessionWish,
}

impl FromFields for Exchange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let code = fields.required("code", &Opaque);
        let verifier = fields.required("verifier", &Opaque);
        let session = SessionWish::from_fields(fields);
        Some(Self { code: ShortSecret::claimed(&code?), verifier: verifier?, session: session? })
    }
}

impl PartialSchema for Exchange {
    fn schema() -> RefOr<Schema> {
        let example = json!("bR3z0tJmJ0n1kzqHf2m8wq2o5oQm9m3n5v1wqk7yq3E");
        let words = "From the address that the browser returned to, after `#code=`.";
        let object = describe(body_of::<Self>(), "code", words, example);
        let words = "The verifier whose S256 was the `challenge` of the start (RFC 7636).";
        let example = json!("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        SessionWish::described(describe(object, "verifier", words, example)).into()
    }
}

impl ToSchema for Exchange {}

answers! {
    Exchanged => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .json::<TokenView>(200, "The token of the new session.", &[])
        .problems(&[Code::InvalidExchangeCode, Code::EmailTaken]);
}

/// Finishes a sign-in with a provider: exchanges the code for a token.
///
/// Anyone who has the code and its verifier may call this. It logs in to the account that is linked to the provider's
/// user; if no account is linked, it creates one. After a start with a `link_ticket`, it links the provider to the account
/// of the ticket and logs in to that.
///
/// A code works for one attempt, within 60 seconds; otherwise the answer is 422 `invalid-exchange-code`. No account
/// is found by its email: if an account has the email of a new user, the answer is 409 `email-taken`.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "exchange_code",
    request_body = Exchange,
    responses(Exchanged),
)]
#[post("/exchange", data = "<body>")]
pub(in crate::accounts) async fn exchange(
    audit: Audit,
    _query: NoQuery,
    oidc: &State<Oidc>,
    users: &State<Users>,
    throttle: &State<Throttle>,
    sign_ins: &State<SignIns>,
    mailer: &State<Mailer>,
    default_name: DefaultName,
    body: JsonBody<Exchange>,
) -> Result<Reply, Problem> {
    let Exchange { code, verifier, session } = body.0;
    // The code names no account, so the throttle counts by the address alone.
    let attempt = throttle.admit(Action::Exchange, &EmailAddress::claimed(""), &audit).await?;
    let found = match oidc.codes.take(&code, &verifier).await? {
        Some(signed_in) => settle(users, &audit, mailer, oidc, signed_in).await?,
        None => None,
    };
    let Some(account) = found else {
        attempt.count().await?;
        return Err(Problem::InvalidExchangeCode);
    };
    let sign_in = session.sign_in(account.id, account.generation, default_name);
    let end = SignInEnd { sign_ins, users, throttle, audit: &audit };
    end.finish(sign_in, attempt, async { Ok(()) }).await
}

/// Does what the sign-in is for. `None` if that can no longer be done.
async fn settle(
    users: &Users,
    audit: &Audit,
    mailer: &Mailer,
    oidc: &Oidc,
    signed_in: SignedIn,
) -> Result<Option<Account>, Problem> {
    let SignedIn { identity, purpose } = signed_in;
    match purpose {
        Purpose::SignIn => Ok(users.find_by_identity(&identity).await?),
        Purpose::SignUp(email) => sign_up(users, audit, &EmailAddress::claimed(&email), &identity).await,
        Purpose::Link(to) => {
            let Some(account) = link(users, to, &identity).await? else { return Ok(None) };
            audit.record(Event::IdentityLinked, account.id);
            let name = oidc
                .find(&identity.provider)
                .map_or(identity.provider.as_str(), |found| &found.settings.name);
            mailer.send(letters::provider_linked(&EmailAddress::claimed(&account.email), name));
            Ok(Some(account))
        }
    }
}

/// Creates the account. If two first sign-ins happen at once, one of them creates it, and both are signed in.
async fn sign_up(
    users: &Users,
    audit: &Audit,
    email: &EmailAddress,
    identity: &Identity,
) -> Result<Option<Account>, Problem> {
    match users.insert_identified(email, identity).await {
        Ok(account) => {
            audit.record(Event::Signup, account.id);
            Ok(Some(account))
        }
        // The email or the identity exists already. The insert does not say which.
        Err(StoreError::Duplicate(_)) => match users.find_by_identity(identity).await? {
            Some(account) => Ok(Some(account)),
            None => Err(Problem::EmailTaken),
        },
        Err(error) => Err(error.into()),
    }
}

async fn link(users: &Users, to: Link, identity: &Identity) -> Result<Option<Account>, Problem> {
    match users.link(to, identity).await {
        Ok(linked) => Ok(linked),
        // Another account has taken the identity since the provider confirmed it.
        Err(StoreError::Duplicate(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
