//! `/api/users/me/identities`: the providers that are linked to the caller's account.

use std::convert::Infallible;

use rocket::{State, delete, get, post, request::FromParam};
use serde::Serialize;
use serde_json::json;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        path::{Parameter, ParameterIn},
    },
};

use super::{
    current_password::{self, Proof},
    start::provider_parameter,
};
use crate::{
    accounts::{
        CurrentUser, EmailAddress, Users,
        audit::{Audit, Event},
        guard::CURRENT_PASSWORD,
        identity::Link,
        letters,
        oidc::{Oidc, secret::ShortSecret},
        password::{ClaimedPassword, Hasher},
        sessions::begin::no_random_numbers,
        store::identities::{LinkedIdentity, Unlinking},
        throttle::Throttle,
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
        timestamp::Timestamp,
    },
    mail::Mailer,
};

/// A provider that is linked to the account.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Identity)]
pub struct IdentityView {
    #[schema(pattern = "^[a-z0-9]{1,32}$", example = "google")]
    provider: String,
    linked_at: Timestamp,
}

impl From<LinkedIdentity> for IdentityView {
    fn from(linked: LinkedIdentity) -> Self {
        Self { provider: linked.provider, linked_at: Timestamp(linked.linked_at) }
    }
}

/// The linked providers, in the order in which they were linked.
#[derive(Serialize, utoipa::ToSchema)]
pub struct IdentityList {
    items: Vec<IdentityView>,
}

/// What lets a sign-in link the provider to this account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct LinkTicket {
    /// For `GET /api/auth/oidc/{id}/start`. It works once, within 60 seconds.
    #[schema(pattern = "^[0-9a-f]{24}[A-Za-z0-9_-]{43}$")]
    link_ticket: String,
}

/// The current password, if the account has one.
pub struct NewLink {
    current_password: Option<ClaimedPassword>,
}

impl FromFields for NewLink {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let current = fields.required_unless_waived(CURRENT_PASSWORD, &AnyString)?;
        Some(Self { current_password: current.map(|text| ClaimedPassword::new(&text)) })
    }
}

impl PartialSchema for NewLink {
    fn schema() -> RefOr<Schema> {
        describe(body_of::<Self>(), CURRENT_PASSWORD, current_password::WORDS, json!("plum-cake-at-noon"))
            .into()
    }
}

impl ToSchema for NewLink {}

/// The provider in the path, whether it is linked or not.
pub(in crate::accounts) struct LinkedProvider(String);

impl FromParam<'_> for LinkedProvider {
    type Error = Infallible;

    fn from_param(param: &str) -> Result<Self, Infallible> {
        Ok(Self(param.to_owned()))
    }
}

impl IntoParams for LinkedProvider {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![provider_parameter("provider")]
    }
}

answers! {
    Listed => Answers::with_database()
        .json::<IdentityList>(200, "The linked providers.", &[])
        .problems(CurrentUser::REFUSALS);
    TicketMade => Answers::with_database()
        .json::<LinkTicket>(201, "A ticket for the sign-in that links the provider.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .problems(Hasher::REFUSALS)
        .problems(&[Code::WrongPassword]);
    Unlinked => Answers::with_database()
        .empty(204, "The provider is no longer linked.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(&[Code::ProviderNotFound, Code::NoOtherSignIn]);
}

/// Lists the providers that are linked to the caller's account.
///
/// Needs the token of a session. The provider that was linked first is first in the list.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "list_identities",
    responses(Listed)
)]
#[get("/me/identities")]
pub(in crate::accounts) async fn list(
    user: CurrentUser,
    _query: NoQuery,
    users: &State<Users>,
) -> Result<Reply, Problem> {
    let found = users.identities(user.id()).await?;
    Reply::ok(&IdentityList { items: found.into_iter().map(IdentityView::from).collect() })
}

/// Makes a ticket that links a provider to the caller's account.
///
/// Needs the token of a session, and the current password. An account without a password leaves `current_password` out;
/// its session must have begun within the last 10 minutes. Otherwise the answer is 403 `wrong-password`.
///
/// Pass the ticket to `GET /api/auth/oidc/{id}/start` within 60 seconds. The sign-in that follows links the provider.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "create_link_ticket",
    request_body = NewLink,
    responses(TicketMade),
)]
#[post("/me/identities", data = "<body>")]
pub(in crate::accounts) async fn create(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    hasher: &State<Hasher>,
    throttle: &State<Throttle>,
    body: JsonBody<NewLink>,
) -> Result<Reply, Problem> {
    let proof = Proof { user: &user, users, hasher, audit: &audit };
    let verified = proof.admit(throttle, body.current_password.as_ref()).await?;
    let secret = ShortSecret::random().map_err(no_random_numbers)?;
    let link = Link { user: verified.id, generation: verified.generation };
    if !users.add_link_ticket(link, &secret.digest()).await? {
        return Err(Problem::RevokedToken);
    }
    Reply::created(&LinkTicket { link_ticket: format!("{}{}", verified.id, secret.expose()) })
}

/// Unlinks a provider from the caller's account.
///
/// Needs the token of a session. If the account has no password and no other provider, its user could not sign in
/// again: the answer is 409 `no-other-sign-in`. If the provider is not linked, the answer is 404 `provider-not-found`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "unlink_provider",
    params(LinkedProvider),
    responses(Unlinked)
)]
#[delete("/me/identities/<provider>")]
pub(in crate::accounts) async fn remove(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    provider: LinkedProvider,
    oidc: &State<Oidc>,
    users: &State<Users>,
    mailer: &State<Mailer>,
) -> Result<Reply, Problem> {
    let provider = provider.0.as_str();
    match users.unlink(user.id(), provider, &oidc.issuers()).await? {
        Unlinking::Done => {}
        Unlinking::NotLinked => return Err(Problem::ProviderNotFound),
        Unlinking::LastSignIn => return Err(Problem::NoOtherSignIn),
    }
    audit.record(Event::IdentityUnlinked, user.id());
    let name = oidc.find(provider).map_or(provider, |found| &found.settings.name);
    let email = EmailAddress::claimed(&user.account.email);
    mailer.send(letters::provider_unlinked(&email, name));
    Ok(Reply::no_content())
}
