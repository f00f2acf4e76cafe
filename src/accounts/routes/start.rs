//! The beginning of a sign-in with a provider: the list of providers, and the redirect to one of them.

use std::convert::Infallible;

use rocket::{
    Request, State, get,
    request::{FromParam, FromRequest, Outcome},
};
use serde::Serialize;
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Type,
        path::{Parameter, ParameterIn},
    },
};

use crate::{
    accounts::{
        Users,
        identity::Link,
        oidc::{
            Failure, Oidc, Start,
            secret::ShortSecret,
            start::{LIFETIME, cookie_name},
        },
        sessions::begin::no_random_numbers,
    },
    http::{
        ids::UserId,
        openapi::{
            answers::{Answers, LOCATION, answers},
            parameters::{optional, required},
        },
        problem::{Code, Problem},
        query::{NoQuery, Query, invalid},
        reply::Reply,
    },
};

/// The S256 of a verifier, as base64url has it.
const CHALLENGE_CHARACTERS: usize = 43;

/// A provider, for a button.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Provider)]
pub struct ProviderView<'a> {
    #[schema(value_type = String, pattern = "^[a-z0-9]{1,32}$", example = "google")]
    id: &'a str,
    /// The name to show to people.
    #[schema(value_type = String, max_length = 100, example = "Google")]
    name: &'a str,
}

/// The providers with which users can sign in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ProviderList<'a> {
    items: Vec<ProviderView<'a>>,
}

/// Where clients reach this server. If the setting is unset, that is the address on which the server listens, which is
/// known only once it does.
pub(in crate::accounts) struct PublicUrl(String);

impl PublicUrl {
    fn of(request: &Request<'_>) -> Result<Self, Problem> {
        let oidc = request.rocket().state::<Oidc>();
        let oidc = oidc.ok_or_else(|| Problem::Internal("BUG: the providers are not managed".into()))?;
        let config = request.rocket().config();
        let listens = || format!("http://{}", std::net::SocketAddr::from((config.address, config.port)));
        Ok(Self(oidc.public_url.clone().unwrap_or_else(listens)))
    }

    /// Where a provider sends the browser back to.
    pub fn callback(&self, provider: &str) -> String {
        format!("{}/api/auth/oidc/{provider}/callback", self.0)
    }

    /// The header line that sets the cookie of a start. Without a value, it deletes the cookie.
    pub fn cookie(&self, provider: &str, state: &str, value: Option<&str>) -> String {
        let name = cookie_name(state);
        let seconds = if value.is_some() { LIFETIME.as_secs() } else { 0 };
        let secure = if self.0.starts_with("https:") { "; Secure" } else { "" };
        let value = value.unwrap_or_default();
        format!(
            "{name}={value}; Path=/api/auth/oidc/{provider}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        )
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for PublicUrl {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        match Self::of(request) {
            Ok(url) => Outcome::Success(url),
            Err(problem) => problem.forward(request),
        }
    }
}

/// `?challenge=&return_to=&link_ticket=`
pub(in crate::accounts) struct StartQuery {
    challenge: String,
    return_to: String,
    link_ticket: Option<String>,
}

impl StartQuery {
    fn read(request: &Request<'_>, query: &mut Query<'_>) -> Result<Self, Problem> {
        let is_challenge = |text: &str| {
            text.len() == CHALLENGE_CHARACTERS
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let rule = "must be the S256 of a verifier: 43 characters of base64url";
        let challenge =
            query.parsed("challenge", rule, |text| is_challenge(text).then(|| text.to_owned()))?;
        let challenge = challenge.ok_or_else(|| invalid("challenge", "is required"))?;
        let asked = query.one("return_to")?;
        let allowed = request.rocket().state::<Oidc>().map(|oidc| oidc.return_to.clone());
        let mut allowed = allowed.unwrap_or_default();
        if allowed.is_empty() {
            allowed.push(format!("{}/", PublicUrl::of(request)?.0));
        }
        // The comparison is byte for byte, so that no address can be mistaken for an allowed one.
        let found = allowed.into_iter().find(|address| asked.is_none_or(|asked| asked == address));
        let return_to = found.ok_or_else(|| invalid("return_to", "is not one of oidc_return_to"))?;
        let link_ticket = query.one("link_ticket")?.map(str::to_owned);
        Ok(Self { challenge, return_to, link_ticket })
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for StartQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| Self::read(request, query))
    }
}

impl IntoParams for StartQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let challenge = text().pattern(Some("^[A-Za-z0-9_-]{43}$"));
        vec![
            required("challenge", "The S256 of the client's verifier (RFC 7636).", challenge),
            optional(
                "return_to",
                "Where the browser returns to: one of the addresses that the operator has set. If it is unset, the first of them.",
                text().format(Some(utoipa::openapi::SchemaFormat::Custom("uri".to_owned()))),
            ),
            optional(
                "link_ticket",
                "From `POST /api/users/me/identities`: links the provider to that account.",
                text(),
            ),
        ]
    }
}

/// The provider in the path of a sign-in, whether it exists or not.
pub(in crate::accounts) struct ProviderId(String);

impl ProviderId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromParam<'_> for ProviderId {
    type Error = Infallible;

    fn from_param(param: &str) -> Result<Self, Infallible> {
        Ok(Self(param.to_owned()))
    }
}

impl IntoParams for ProviderId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![provider_parameter("id")]
    }
}

/// The id of a provider in a path.
pub(super) fn provider_parameter(name: &str) -> Parameter {
    let id = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some("^[a-z0-9]{1,32}$"))
        .description(Some("The id of a provider: 1 to 32 characters a to z and 0 to 9."));
    utoipa::openapi::path::ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(utoipa::openapi::Required::True)
        .schema(Some(id))
        .build()
}

answers! {
    Listed => Answers::without_database().json::<ProviderList<'_>>(200, "The providers.", &[]);
    Begun => Answers::without_database()
        .empty(302, "To the provider; or back to `return_to`, with `#error=`.", &[LOCATION])
        .problems(&[Code::ProviderNotFound]);
}

/// Lists the providers with which users can sign in.
///
/// Anyone may call this. The list is empty if the operator has set up no provider.
#[utoipa::path(context_path = "/api/auth", tag = "auth", operation_id = "list_providers", responses(Listed))]
#[get("/providers")]
pub(in crate::accounts) fn providers(_query: NoQuery, oidc: &State<Oidc>) -> Result<Reply, Problem> {
    let settings = oidc.providers().iter().map(|provider| &provider.settings);
    let items = settings.map(|settings| ProviderView { id: &settings.id, name: &settings.name }).collect();
    Reply::ok(&ProviderList { items })
}

/// Sends the browser to a provider to sign in there.
///
/// Anyone may call this. A client opens this address in a browser. The provider sends the browser back to this server,
/// which sends it on to `return_to` with a code for `POST /api/auth/exchange`. With a `link_ticket` the sign-in links
/// the provider to the account of the ticket. If the sign-in cannot begin, the browser returns to `return_to` with
/// `#error=` at once.
///
/// A `return_to` that the operator has not allowed gets 400 `invalid-query`, and an unknown provider gets 404
/// `provider-not-found`.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "start_sign_in",
    params(ProviderId, StartQuery),
    responses(Begun)
)]
#[get("/oidc/<id>/start")]
pub(in crate::accounts) async fn start(
    id: ProviderId,
    query: StartQuery,
    public_url: PublicUrl,
    oidc: &State<Oidc>,
    users: &State<Users>,
) -> Result<Reply, Problem> {
    let id = id.as_str();
    let provider = oidc.find(id).ok_or(Problem::ProviderNotFound)?;
    let StartQuery { challenge, return_to, link_ticket } = query;
    let back = |failure: Failure| Ok(Reply::found(format!("{return_to}#error={}", failure.code())));
    let mut start = Start::new(challenge, return_to.clone(), None).map_err(no_random_numbers)?;
    let address = match provider.authorization(&start, public_url.callback(id)).await {
        Ok(address) => address,
        Err(error) => {
            tracing::warn!(provider = id, reason = %error, "a sign-in with a provider could not begin");
            return back(Failure::ProviderFailed);
        }
    };
    // This comes last, because it uses up the ticket.
    if let Some(ticket) = link_ticket {
        match use_ticket(users, &ticket).await {
            Ok(Some(link)) => start.link = Some(link),
            Ok(None) => return back(Failure::LinkFailed),
            Err(Problem::DatabaseUnavailable(_) | Problem::Overloaded) => return back(Failure::Overloaded),
            Err(problem) => return Err(problem),
        }
    }
    let sealed = oidc.sealing.seal(id, &start).map_err(no_random_numbers)?;
    let cookie = public_url.cookie(id, &start.state, Some(&sealed));
    Ok(Reply::found(address).header("Set-Cookie", cookie))
}

/// The ticket begins with the id of the account that stores its digest.
async fn use_ticket(users: &Users, ticket: &str) -> Result<Option<Link>, Problem> {
    let Some((user, secret)) = ticket.split_at_checked(24) else { return Ok(None) };
    let Some(user) = UserId::parse(user) else { return Ok(None) };
    Ok(users.use_link_ticket(user, &ShortSecret::claimed(secret).digest()).await?)
}
