//! Confirming an address with the link that was mailed to it, and asking for another link.

use rocket::{State, post};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    accounts::{
        CurrentUser, EmailAddress, Users,
        audit::{Audit, Event},
        letters,
        mail_token::MailToken,
        sessions::begin::no_random_numbers,
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
};

/// The token of a link.
pub struct Verify {
    token: MailToken,
}

impl FromFields for Verify {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { token: MailToken::claimed(fields.required("verify_token", &Opaque)?) })
    }
}

impl PartialSchema for Verify {
    fn schema() -> RefOr<Schema> {
        let example = json!("bR3z0tJmJ0n1kzqHf2m8wq2o5oQm9m3n5v1wqk7yq3E");
        describe(body_of::<Self>(), "verify_token", "From the link that was mailed.", example).into()
    }
}

impl ToSchema for Verify {}

answers! {
    Verified => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .empty(204, "The address is confirmed.", &[])
        .problems(&[Code::InvalidVerifyToken]);
    Asked => Answers::with_database()
        .problems(CurrentUser::REFUSALS)
        .problems(Throttle::REFUSALS)
        .empty(202, "If the address is not confirmed yet, the server mails a link to it.", &[]);
}

/// Confirms an email address with the token from a mailed link.
///
/// Anyone who has the token may call this. It works once, within 3 days, and only while the account has the address
/// that the link was mailed to. Otherwise the answer is 422 `invalid-verify-token`.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "verify_email",
    request_body = Verify,
    responses(Verified),
)]
#[post("/verify", data = "<body>")]
pub(in crate::accounts) async fn verify(
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    throttle: &State<Throttle>,
    body: JsonBody<Verify>,
) -> Result<Reply, Problem> {
    // The token names no account, so the throttle counts by the address alone.
    let attempt = throttle.admit(Action::Verify, &EmailAddress::claimed(""), &audit).await?;
    let Some(user) = users.verify(&body.token.digest()).await? else {
        attempt.count().await?;
        return Err(Problem::InvalidVerifyToken);
    };
    attempt.forgive().await;
    audit.record(Event::EmailVerified, user);
    Ok(Reply::no_content())
}

/// Mails another link that confirms the caller's address.
///
/// Needs the token of a session. The new link replaces the one before. If the address is confirmed already, the answer
/// is 202 too, and no mail is sent. After too many requests the answer is 429 `too-many-requests`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "request_verification",
    responses(Asked)
)]
#[post("/me/verification")]
pub(in crate::accounts) async fn request(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    throttle: &State<Throttle>,
    mailer: &State<Mailer>,
) -> Result<Reply, Problem> {
    let email = EmailAddress::claimed(&user.account.email);
    // Every request counts, because each may send a mail.
    throttle.admit(Action::Verification, &email, &audit).await?.count().await?;
    let link = MailToken::random().map_err(no_random_numbers)?;
    if users.add_verification(&user.account, &link.digest()).await? {
        audit.record(Event::VerificationRequested, user.id());
        mailer.send(letters::verify(&email, mailer.link_base(), &link));
    }
    Ok(Reply::accepted())
}
