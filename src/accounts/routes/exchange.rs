//! The end of a sign-in with a provider: the client exchanges its code, and what the sign-in is for is done.

use rocket::{State, post};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    accounts::{
        Account, EmailAddress, Users,
        audit::{Audit, Event},
        identity::{Identity, Link},
        letters,
        oidc::{Oidc, Purpose, SignedIn, secret::ShortSecret},
        sessions::{
            begin::{SignIn, SignIns, TokenView},
            model::NAME_CHARACTERS,
            naming::DefaultName,
        },
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
    mail::Mailer,
    mongo::StoreError,
};

/// The code, what proves whose it is, and how the session is to be.
pub struct Exchange {
    code: ShortSecret,
    verifier: String,
    name: Option<String>,
    refresh: bool,
}

impl FromFields for Exchange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let code = fields.required("code", &AnyString);
        let verifier = fields.required("verifier", &AnyString);
        let name = fields.optional("name", &Text::line(NAME_CHARACTERS));
        let refresh = fields.optional("refresh", &Boolean);
        Some(Self {
            code: ShortSecret::claimed(&code?),
            verifier: verifier?,
            name: name?,
            refresh: refresh?.unwrap_or_default(),
        })
    }
}

impl PartialSchema for Exchange {
    fn schema() -> RefOr<Schema> {
        let example = json!("bR3z0tJmJ0n1kzqHf2m8wq2o5oQm9m3n5v1wqk7yq3E");
        let object = describe(body_of::<Self>(), "code", "From behind `#code=`.", example);
        let words = "Whose S256 was the `challenge` of the start.";
        let example = json!("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        let object = describe(object, "verifier", words, example);
        let words = "What to call the session; unset, it is called after the `User-Agent`.";
        let object = describe(object, "name", words, json!("Firefox on the laptop"));
        let words = "Whether the session can be refreshed: then the token lives for 15 minutes.";
        describe(object, "refresh", words, json!(true)).into()
    }
}

impl ToSchema for Exchange {}

answers! {
    Exchanged => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .json::<TokenView>(200, "A token.", &[])
        .problems(&[Code::InvalidExchangeCode, Code::EmailTaken]);
}

/// Ends a sign-in with a provider: signs in to the account of that identity, makes it at the first sign-in, or links the
/// identity to the account of the ticket. The code is good for one attempt, for 60 seconds.
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
    let Exchange { code, verifier, name, refresh } = body.0;
    // A code names no account: what is counted is the address.
    let attempt = throttle.admit(Action::Exchange, &EmailAddress::claimed(""), &audit).await?;
    let found = match oidc.codes.take(&code, &verifier).await? {
        Some(signed_in) => settle(users, &audit, mailer, oidc, signed_in).await?,
        None => None,
    };
    let Some(account) = found else {
        attempt.count().await?;
        return Err(Problem::InvalidExchangeCode);
    };
    let (session, view) = sign_ins
        .begin(SignIn {
            user: account.id,
            generation: account.generation,
            name: name.unwrap_or(default_name.0),
            refresh,
        })
        .await?;
    audit.record(Event::Login, account.id);
    attempt.forgive().await;
    let follow_up = async {
        sign_ins.sessions.end_excess(&session).await?;
        users.remember_address(account.id, &throttle.digest_of(audit.address)).await
    };
    if let Err(error) = follow_up.await {
        tracing::warn!(%error, "a sign-in that succeeded was not followed up");
    }
    Reply::ok(&view)
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

/// Makes the account. Of two first sign-ins at the same moment one does, and both are signed in.
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
        // By its email or by its identity: an insert does not say which.
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
        // Another account has it since the provider confirmed it.
        Err(StoreError::Duplicate(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
