//! `/api/users/me/tokens`: the caller's personal access tokens. Only a session makes, lists and deletes them.

use std::time::Duration;

use bson::DateTime;
use rocket::{State, delete, get, post};
use serde::Serialize;
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::current_password::{self, Proof};
use crate::{
    accounts::{
        CurrentUser, Users,
        audit::{Audit, Event},
        grants::Grants,
        guard::CURRENT_PASSWORD,
        password::{ClaimedPassword, Hasher},
        personal_tokens::{
            PersonalToken, PersonalTokenView, Scope, model::NAME_CHARACTERS, scope::ScopesRule,
            secret::PersonalSecret, store::TooMany,
        },
        sessions::begin::no_random_numbers,
        throttle::Throttle,
    },
    http::{
        body::{self, JsonBody},
        fields::{
            AnyString, Fields, FromFields, Integer, Text,
            schema::{body_of, describe},
        },
        ids::{PathId, TokenId},
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
};

const DAYS: Integer = Integer { min: 1, max: 366 };
const DEFAULT_DAYS: i32 = 90;

/// The current password, and what the token is to be.
pub struct NewToken {
    current_password: Option<ClaimedPassword>,
    name: String,
    scopes: Vec<Scope>,
    days: i32,
}

impl FromFields for NewToken {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let current = fields.required_unless_waived(CURRENT_PASSWORD, &AnyString);
        let name = fields.required("name", &Text::line(NAME_CHARACTERS));
        let scopes = fields.required("scopes", &ScopesRule);
        let days = fields.optional("expires_in_days", &DAYS);
        Some(Self {
            current_password: current?.map(|text| ClaimedPassword::new(&text)),
            name: name?,
            scopes: scopes?,
            days: days?.unwrap_or(DEFAULT_DAYS),
        })
    }
}

impl PartialSchema for NewToken {
    fn schema() -> RefOr<Schema> {
        let object = describe(
            body_of::<Self>(),
            CURRENT_PASSWORD,
            current_password::WORDS,
            json!("plum-cake-at-noon"),
        );
        let object = describe(object, "name", "What the token is for.", json!("backup script"));
        let object = describe(object, "scopes", "What the token may do.", json!(["movies:write"]));
        let words = "After how many days the token expires. If it is unset: 90.";
        describe(object, "expires_in_days", words, json!(90)).into()
    }
}

impl ToSchema for NewToken {}

/// The caller's personal access tokens, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub struct PersonalTokenList {
    #[schema(max_items = 50)]
    items: Vec<PersonalTokenView>,
}

answers! {
    Listed => Answers::with_database()
        .json::<PersonalTokenList>(200, "The tokens that have not expired.", &[])
        .problems(CurrentUser::REFUSALS);
    Made => Answers::with_database()
        .json::<PersonalTokenView>(201, "The token with its secret, which no other answer shows.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .problems(Hasher::REFUSALS)
        .problems(&[Code::WrongPassword, Code::TooManyTokens]);
    Removed => Answers::with_database()
        .empty(204, "The token is deleted.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(&[Code::TokenNotFound]);
}

/// Lists the caller's personal access tokens, newest first.
///
/// Needs the token of a session. Expired tokens are not in the list, and the secret of a token is never shown again.
#[utoipa::path(context_path = "/api/users", tag = "users", operation_id = "list_tokens", responses(Listed))]
#[get("/me/tokens")]
pub(in crate::accounts) async fn list(
    user: CurrentUser,
    _query: NoQuery,
    grants: &State<Grants>,
) -> Result<Reply, Problem> {
    let found = grants.personal_tokens.list(&user.account).await?;
    Reply::ok(&PersonalTokenList { items: found.into_iter().map(PersonalTokenView::new).collect() })
}

/// Makes a personal access token, for a script.
///
/// Needs the token of a session, and the current password. An account without a password leaves `current_password` out;
/// its session must have begun within the last 10 minutes. Otherwise the answer is 403 `wrong-password`.
///
/// The token may do what its `scopes` say. It is shown in this answer only. It ends when it expires or is deleted. A
/// new password, a reset, `POST /api/auth/logout-all` and the deletion of the account end it too. A caller with 50
/// tokens gets 409 `too-many-tokens`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "create_token",
    request_body = NewToken,
    responses(Made),
)]
#[post("/me/tokens", data = "<body>")]
pub(in crate::accounts) async fn create(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    hasher: &State<Hasher>,
    throttle: &State<Throttle>,
    grants: &State<Grants>,
    body: JsonBody<NewToken>,
) -> Result<Reply, Problem> {
    let NewToken { current_password, name, scopes, days } = body.0;
    let proof = Proof { user: &user, users, hasher, audit: &audit };
    let verified = proof.admit(throttle, current_password.as_ref()).await?;
    let secret = PersonalSecret::random().map_err(no_random_numbers)?;
    let created_at = DateTime::now();
    let lifetime = Duration::from_hours(24) * days.unsigned_abs();
    let token = PersonalToken {
        digest: secret.digest(),
        id: TokenId::new(),
        user: verified.id,
        // The generation was read together with the verified password. If the password has changed since, the token has
        // already ended.
        generation: verified.generation,
        name,
        scopes,
        created_at,
        last_used_at: None,
        expires_at: created_at.saturating_add_duration(lifetime),
    };
    grants.personal_tokens.insert(&token).await?.map_err(|TooMany| Problem::TooManyTokens)?;
    audit.record(Event::TokenCreated, user.id());
    Reply::created(&PersonalTokenView::new(token).with_secret(&secret))
}

/// Deletes one of the caller's personal access tokens.
///
/// Needs the token of a session. The server rejects the deleted token from the next request on. If the caller has no
/// token with this id, the answer is 404 `token-not-found`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "delete_token",
    params(PathId<TokenId>),
    responses(Removed)
)]
#[delete("/me/tokens/<id>")]
pub(in crate::accounts) async fn remove(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    id: PathId<TokenId>,
    grants: &State<Grants>,
) -> Result<Reply, Problem> {
    if !grants.personal_tokens.remove(&user.account, id.or_not_found()?).await? {
        return Err(Problem::TokenNotFound);
    }
    audit.record(Event::TokenDeleted, user.id());
    Ok(Reply::no_content())
}
