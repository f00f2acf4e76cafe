//! Signing up.

use rocket::{
    Request, State, post,
    request::{FromRequest, Outcome},
};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    accounts::{
        EmailAddress, EmailRule, Role, UserView, Users,
        audit::{Audit, Event},
        letters,
        mail_token::MailToken,
        password::{Hasher, NewPassword, NewPasswordRule, Requester},
        sessions::begin::no_random_numbers,
        throttle::{Action, Throttle},
    },
    config::{self, AccountsSettings},
    http::{
        body::{self, JsonBody},
        fields::{
            Fields, FromFields,
            schema::{body_of, describe},
        },
        openapi::answers::{Answers, LOCATION, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
    mail::Mailer,
    mongo::{StoreError, indexes},
};

/// What signup takes: no role, and nothing else that the server decides.
pub struct Signup {
    email: EmailAddress,
    password: NewPassword,
}

impl FromFields for Signup {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", &EmailRule);
        let password = fields.required("password", &NewPasswordRule);
        Some(Self { email: email?, password: password? })
    }
}

impl PartialSchema for Signup {
    fn schema() -> RefOr<Schema> {
        let object = describe(
            body_of::<Self>(),
            "email",
            "Upper and lower case make no difference. The server stores it in lower case.",
            json!("ann@example.com"),
        );
        describe(object, "password", NewPasswordRule::WORDS, json!("plum-cake-at-noon")).into()
    }
}

impl ToSchema for Signup {}

/// The request guard of sign-up. If sign-up is closed, the server refuses the request without looking at the rest of
/// it.
pub(in crate::accounts) struct SignupOpen;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for SignupOpen {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        match request.guard::<&State<AccountsSettings>>().await {
            Outcome::Success(settings) if settings.signup == config::Signup::Open => Outcome::Success(Self),
            Outcome::Success(_) => Problem::SignupClosed.forward(request),
            _ => Problem::Internal("BUG: the settings are not managed".into()).forward(request),
        }
    }
}

answers! {
    SignedUp => Answers::with_database()
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .json::<UserView>(201, "The new user.", &[LOCATION])
        .problems(Hasher::REFUSALS)
        .problems(&[Code::SignupClosed, Code::EmailTaken]);
}

/// Signs up: makes an account and mails the link that confirms its address.
///
/// Anyone may call this. The new account has the role `user`. If an account has this email already, the answer is 409
/// `email-taken`. If only the operator makes accounts here, the answer is 403 `signup-closed`.
#[utoipa::path(
    context_path = "/api/auth",
    tag = "auth",
    operation_id = "sign_up",
    request_body = Signup,
    responses(SignedUp),
)]
#[post("/signup", data = "<body>")]
pub(in crate::accounts) async fn signup(
    _open: SignupOpen,
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    hasher: &State<Hasher>,
    throttle: &State<Throttle>,
    mailer: &State<Mailer>,
    body: JsonBody<Signup>,
) -> Result<Reply, Problem> {
    let Signup { email, password } = body.0;
    let attempt = throttle.admit(Action::Signup, &email, &audit).await?;
    let asked = throttle.admit_email(&email, None, &audit).await?;
    let hash = hasher.hash(password, &Requester::new(audit.address, &email)).await?;
    let link = MailToken::random().map_err(no_random_numbers)?;
    // The email is never looked up first. The unique index decides, even between two requests at once.
    let account = match users.insert(email.clone(), &hash, &link.digest()).await {
        Ok(account) => account,
        Err(StoreError::Duplicate(indexes::EMAIL_UNIQUE)) => {
            asked.count().await?;
            attempt.count().await?;
            return Err(Problem::EmailTaken);
        }
        Err(error) => return Err(error.into()),
    };
    audit.record(Event::Signup, account.id);
    mailer.send(letters::verify(&email, mailer.link_base(), &link));
    asked.forgive().await;
    attempt.forgive().await;
    let view = UserView::new(&account, Role::User).with_movie_count(0);
    Ok(Reply::created(&view)?.location("/api/users/me".to_owned()))
}
