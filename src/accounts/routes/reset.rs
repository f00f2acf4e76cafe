//! A forgotten password: mailing the link, and setting the new password.

use mongodb::Database;
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
        grants::Grants,
        letters,
        mail_token::MailToken,
        password::{Hasher, NewPassword, NewPasswordRule, Requester},
        throttle::{Action, Throttle},
    },
    http::{
        body::{self, JsonBody},
        fields::{
            AnyString, Fields, FromFields, Opaque,
            schema::{body_of, describe},
        },
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
    mail::Mailer,
    mongo::{self, COMMAND},
};

/// Any string. A string that is not an email belongs to no account.
pub struct Forgot {
    email: EmailAddress,
}

impl FromFields for Forgot {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", &AnyString)?;
        Some(Self { email: EmailAddress::claimed(&email) })
    }
}

impl PartialSchema for Forgot {
    fn schema() -> RefOr<Schema> {
        let words = "The email of the account. Upper and lower case make no difference.";
        describe(body_of::<Self>(), "email", words, json!("ann@example.com")).into()
    }
}

impl ToSchema for Forgot {}

/// A new password, with the token of a link.
pub struct Reset {
    token: MailToken,
    password: NewPassword,
}

impl FromFields for Reset {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let token = fields.required("reset_token", &Opaque);
        let password = fields.required("password", &NewPasswordRule);
        Some(Self { token: MailToken::claimed(token?), password: password? })
    }
}

impl PartialSchema for Reset {
    fn schema() -> RefOr<Schema> {
        let object =
            describe(body_of::<Self>(), "password", NewPasswordRule::WORDS, json!("plum-cake-at-noon"));
        let example = json!("bR3z0tJmJ0n1kzqHf2m8wq2o5oQm9m3n5v1wqk7yq3E");
        describe(object, "reset_token", "From the link that was mailed.", example).into()
    }
}

impl ToSchema for Reset {}

answers! {
    Asked => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .empty(202, "If the account exists, the server mails a link to it.", &[]);
    PasswordSet => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .empty(204, "The new password is set, and every session of the user has ended.", &[])
        .problems(Hasher::REFUSALS)
        .problems(&[Code::InvalidResetToken]);
}

/// Mails a link with which the user can set a new password.
///
/// Anyone may call this. The answer is always 202, in the same time, whether the account exists or not, so nobody
/// learns who has an account. The link works once, within one hour. After too many requests the answer is 429
/// `too-many-requests`.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "forgot_password",
    request_body = Forgot,
    responses(Asked),
)]
#[post("/forgot", data = "<body>")]
pub(in crate::accounts) async fn forgot(
    audit: Audit,
    _query: NoQuery,
    database: &State<Database>,
    users: &State<Users>,
    throttle: &State<Throttle>,
    mailer: &State<Mailer>,
    body: JsonBody<Forgot>,
) -> Result<Reply, Problem> {
    let Forgot { email } = body.0;
    // Every request counts. None can succeed, so none is forgiven.
    throttle.admit(Action::Forgot, &email, &audit).await?.count().await?;
    // Checks that the database is available, with a command that does not depend on the email.
    mongo::ping(database, COMMAND).await?;
    let (users, mailer) = (Users::clone(users), Mailer::clone(mailer));
    tokio::spawn(async move {
        if let Err(problem) = send_link(&users, &mailer, &audit, email).await {
            tracing::warn!(reason = problem.to_string(), "a reset link was not sent");
        }
    });
    Ok(Reply::accepted())
}

async fn send_link(
    users: &Users,
    mailer: &Mailer,
    audit: &Audit,
    email: EmailAddress,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let token = MailToken::random()?;
    if let Some(user) = users.add_reset(&email, &token.digest()).await? {
        audit.record(Event::ResetRequested, user);
        mailer.send(letters::reset(&email, mailer.link_base(), &token));
    }
    Ok(())
}

/// Sets a new password with the token from a mailed link.
///
/// Anyone who has the token may call this. It ends every session and every personal access token of the account, and it
/// confirms the address that the link was mailed to. A token that is unknown, used or over an hour old gets 422
/// `invalid-reset-token`.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "reset_password",
    request_body = Reset,
    responses(PasswordSet),
)]
#[post("/reset", data = "<body>")]
pub(in crate::accounts) async fn reset(
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    grants: &State<Grants>,
    hasher: &State<Hasher>,
    throttle: &State<Throttle>,
    mailer: &State<Mailer>,
    body: JsonBody<Reset>,
) -> Result<Reply, Problem> {
    let Reset { token, password } = body.0;
    let digest = token.digest();
    // The token names no account, so the throttle counts by the address alone.
    let attempt = throttle.admit(Action::Reset, &EmailAddress::claimed(""), &audit).await?;
    // Hashing is expensive, so it is not done for a made-up token.
    let Some(owner) = users.owner_of_reset(&digest).await? else {
        attempt.count().await?;
        return Err(Problem::InvalidResetToken);
    };
    let hash = hasher.hash(password, &Requester::new(audit.address, &owner)).await?;
    let account = users.reset(&digest, &hash).await?.ok_or(Problem::InvalidResetToken)?;
    attempt.forgive().await;
    grants.tidy_up(account.id, account.generation).await;
    audit.record(Event::PasswordReset, account.id);
    mailer.send(letters::password_changed(&EmailAddress::claimed(&account.email)));
    Ok(Reply::no_content())
}
