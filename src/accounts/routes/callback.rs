//! The way back from a provider. Nothing is made or linked here: the client gets a code, and the exchange does the rest.

use rocket::{
    Request, State, get,
    http::CookieJar,
    request::{FromRequest, Outcome},
};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Type,
        path::{Parameter, ParameterIn},
    },
};

use super::start::{ProviderId, PublicUrl};
use crate::{
    accounts::{
        Users,
        audit::Audit,
        identity::Identity,
        oidc::{
            Failure, Oidc, Provider, Purpose, SignedIn, Start, redeem::Returned, secret::ShortSecret,
            start::cookie_name,
        },
        sessions::begin::no_random_numbers,
    },
    config::{AccountsSettings, Signup},
    http::{
        openapi::{
            answers::{Answers, LOCATION, answers},
            parameters::optional,
        },
        problem::{Code, Problem},
        query::{Query, invalid},
        reply::Reply,
    },
    mongo::StoreError,
};

/// The parameters that the server reads, of those that a provider sends. A provider may send more (RFC 6749, section
/// 4.1.2).
pub(in crate::accounts) struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    issuer: Option<String>,
    error: Option<String>,
}

impl CallbackQuery {
    fn read(query: &mut Query<'_>) -> Result<Self, Problem> {
        let mut one = |name: &str| query.one(name).map(|value| value.map(str::to_owned));
        let read =
            Self { state: one("state")?, code: one("code")?, issuer: one("iss")?, error: one("error")? };
        query.pass_over_the_rest();
        Ok(read)
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for CallbackQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, Self::read)
    }
}

impl IntoParams for CallbackQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        vec![
            optional("state", "The state of the start. It names the cookie.", text()),
            optional("code", "The provider's code.", text()),
            optional("iss", "The provider's issuer (RFC 9207).", text()),
            optional("error", "Why the provider sends no code.", text()),
        ]
    }
}

answers! {
    Returned302 => Answers::without_database()
        .empty(302, "Back to `return_to`, with `#code=` or `#error=`.", &[LOCATION])
        .problems(&[Code::ProviderNotFound]);
}

/// Receives the browser that comes back from a provider.
///
/// The provider sends the browser here; clients do not call this. The server sends the browser on to `return_to`, with
/// `#code=` if the sign-in succeeded. Otherwise with `#error=` and one of `access-denied`, `email-taken`,
/// `email-not-verified`, `provider-failed`, `link-failed` and `overloaded`. Other parameters than those listed are
/// ignored.
///
/// A browser without the cookie of the start gets 400 `invalid-query` and is not redirected.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "finish_sign_in",
    params(ProviderId, CallbackQuery),
    responses(Returned302)
)]
#[get("/oidc/<id>/callback")]
pub(in crate::accounts) async fn callback(
    id: ProviderId,
    query: CallbackQuery,
    audit: Audit,
    public_url: PublicUrl,
    cookies: &CookieJar<'_>,
    oidc: &State<Oidc>,
    users: &State<Users>,
    settings: &State<AccountsSettings>,
) -> Result<Reply, Problem> {
    let id = id.as_str();
    let start = started(oidc, id, query.state.as_deref(), cookies);
    let start = start.ok_or_else(|| invalid("state", "belongs to no sign-in that this browser has begun"))?;
    let provider = oidc.find(id).ok_or(Problem::ProviderNotFound)?;
    let returned = Returned {
        code: query.code.as_deref(),
        issuer: query.issuer.as_deref(),
        error: query.error.as_deref(),
    };
    let code = ShortSecret::random().map_err(no_random_numbers)?;
    let signed_in = async {
        let signed_in = sign_in(provider, &start, &returned, &public_url, users, settings).await?;
        oidc.codes.insert(&code, &start.challenge, &signed_in).await.map_err(failure)
    };
    let fragment = match signed_in.await {
        Ok(()) => format!("code={}", code.expose()),
        Err(failure) => {
            audit.provider_login_failed(id, failure.code());
            format!("error={}", failure.code())
        }
    };
    let address = format!("{}#{fragment}", start.return_to);
    // The cookie is no longer needed.
    Ok(Reply::found(address).header("Set-Cookie", public_url.cookie(id, &start.state, None)))
}

/// The sign-in that this browser has begun with the provider under this state.
fn started(oidc: &Oidc, id: &str, state: Option<&str>, cookies: &CookieJar<'_>) -> Option<Start> {
    let state = state?;
    let cookie = cookies.get(&cookie_name(state))?;
    oidc.sealing.open(id, state, cookie.value())
}

fn failure(error: StoreError) -> Failure {
    tracing::warn!(%error, "a sign-in with a provider failed");
    Failure::Overloaded
}

/// Finds out who signs in, and what the sign-in is for. It looks for obstacles only so that the browser can name
/// them; the exchange decides.
async fn sign_in(
    provider: &Provider,
    start: &Start,
    returned: &Returned<'_>,
    public_url: &PublicUrl,
    users: &Users,
    settings: &AccountsSettings,
) -> Result<SignedIn, Failure> {
    let id = &provider.settings.id;
    let person = provider.redeem(start, returned, public_url.callback(id)).await?;
    let identity = Identity {
        provider: id.clone(),
        issuer: provider.settings.issuer.clone(),
        subject: person.subject.clone(),
    };
    let owner = users.find_by_identity(&identity).await.map_err(failure)?;
    let purpose = match (start.link, owner) {
        (Some(link), None) if users.may_link(link, id).await.map_err(failure)? => Purpose::Link(link),
        // The identity or the account is linked already, or the account has moved on.
        (Some(_), _) => return Err(Failure::LinkFailed),
        (None, Some(_)) => Purpose::SignIn,
        (None, None) if settings.signup == Signup::Closed => return Err(Failure::AccessDenied),
        (None, None) => {
            let email = provider.confirmed_address(person).await?;
            if users.find_by_email(&email).await.map_err(failure)?.is_some() {
                return Err(Failure::EmailTaken);
            }
            Purpose::SignUp(email.to_string())
        }
    };
    Ok(SignedIn { identity, purpose })
}
