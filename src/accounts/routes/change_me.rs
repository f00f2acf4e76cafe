//! `PATCH /api/users/me`: a new email, a new password, or both. The caller gives the current password. If the
//! account has no password, the caller must have signed in within the last 10 minutes.

use std::sync::Arc;

use rocket::{State, patch};
use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    current_password::{self, Proof},
    me,
};
use crate::{
    accounts::{
        Belongings, CurrentUser, EmailAddress, EmailRule, UserView, Users,
        audit::{Audit, Event},
        grants::Grants,
        guard::CURRENT_PASSWORD,
        letters,
        mail_token::MailToken,
        model::Account,
        password::{ClaimedPassword, Hasher, NewPassword, NewPasswordRule},
        sessions::begin::no_random_numbers,
        store::{
            admin_list::Admins,
            credentials::{AccountChange, Credentials},
        },
        throttle::Throttle,
    },
    http::{
        body::{self, MergePatchBody},
        fields::{
            AnyString, Fields, FromFields, Wrong,
            schema::{body_of, describe},
        },
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
    mail::Mailer,
    mongo::{StoreError, indexes},
};

/// How often a change is tried. It is tried again if a login has renewed the hash in between, which happens at most
/// once.
const TRIES: usize = 3;

/// The current password, and what is to change.
pub struct AccountPatch {
    current_password: Option<ClaimedPassword>,
    email: Option<EmailAddress>,
    password: Option<NewPassword>,
}

impl FromFields for AccountPatch {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let current = fields.required_unless_waived(CURRENT_PASSWORD, &AnyString);
        let email = fields.change("email", &EmailRule, true);
        let password = fields.change("password", &NewPasswordRule, true);
        let (email, password) = (email?.given(), password?.given());
        if email.is_none() && password.is_none() {
            fields.refuse("", Wrong::new("required", "needs an email or a password to change"));
        }
        let current_password = current?.map(|text| ClaimedPassword::new(&text));
        Some(Self { current_password, email, password })
    }
}

impl PartialSchema for AccountPatch {
    fn schema() -> RefOr<Schema> {
        let mut object = body_of::<Self>();
        // A change must have at least one field.
        object.min_properties = Some(1);
        object.description =
            Some("The current password, and a new email, a new password, or both.".to_owned());
        let object = describe(object, CURRENT_PASSWORD, current_password::WORDS, json!("plum-cake-at-noon"));
        describe(object, "password", NewPasswordRule::WORDS, json!("pear-tart-at-two")).into()
    }
}

impl ToSchema for AccountPatch {}

answers! {
    Changed => Answers::with_database()
        .json::<UserView>(200, "The account as it is now.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .problems(Hasher::REFUSALS)
        .problems(&[Code::WrongPassword, Code::EmailTaken]);
}

/// Changes the caller's email, password or both.
///
/// Needs the token of a session, and the current password. An account without a password leaves `current_password` out;
/// its session must have begun within the last 10 minutes. Otherwise the answer is 403 `wrong-password`.
///
/// A new password ends every session and every personal access token, including the session of this request. A new
/// email has to be confirmed with a link that is mailed to it. If another account has this email, the answer is 409
/// `email-taken`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "change_me",
    request_body(content((AccountPatch = "application/json"), (AccountPatch = "application/merge-patch+json"))),
    responses(Changed),
)]
#[patch("/me", data = "<body>")]
pub(in crate::accounts) async fn change_me(
    user: CurrentUser,
    audit: Audit,
    _query: NoQuery,
    users: &State<Users>,
    admins: &State<Admins>,
    belongings: &State<Arc<dyn Belongings>>,
    grants: &State<Grants>,
    hasher: &State<Hasher>,
    throttle: &State<Throttle>,
    mailer: &State<Mailer>,
    body: MergePatchBody<AccountPatch>,
) -> Result<Reply, Problem> {
    let AccountPatch { current_password, email, password } = body.0;
    let proof = Proof { user: &user, users, hasher, audit: &audit };
    let mut verified = proof.admit(throttle, current_password.as_ref()).await?;
    let asked = match &email {
        Some(email) => Some(throttle.admit_email(email, Some(user.id()), &audit).await?),
        None => None,
    };
    let password_hash = match password {
        Some(password) => Some(hasher.hash(password, &proof.requester()).await?),
        None => None,
    };
    let link = MailToken::random().map_err(no_random_numbers)?;
    let change = AccountChange { email: email.map(|email| (email, link.digest())), password_hash };
    let mut tries = 1;
    let account = loop {
        match users.change(&verified, &change).await {
            Ok(Some(account)) => break account,
            // Either a login has renewed the hash, or the password has changed. Verifying again shows which.
            Ok(None) if tries < TRIES => {
                tries += 1;
                verified = proof.verify(current_password.as_ref()).await?;
            }
            Ok(None) => return Err(Problem::RevokedToken),
            Err(StoreError::Duplicate(indexes::EMAIL_UNIQUE)) => {
                // The answer reveals that an account has this email, so it counts, whatever else succeeds.
                if let Some(asked) = asked {
                    asked.count().await?;
                }
                return Err(Problem::EmailTaken);
            }
            Err(error) => return Err(error.into()),
        }
    };
    if let Some(asked) = asked {
        asked.forgive().await;
    }
    if change.password_hash.is_some() {
        grants.tidy_up(account.id, account.generation).await;
    }
    announce(&audit, mailer, &verified, &account, change.password_hash.is_some(), &link);
    Reply::ok(&me::whole(&account, admins, belongings).await?)
}

/// Writes to the audit log, notifies the old address, and mails the link that confirms a new address.
fn announce(
    audit: &Audit,
    mailer: &Mailer,
    before: &Credentials,
    after: &Account,
    new_password: bool,
    link: &MailToken,
) {
    let old_email = EmailAddress::claimed(&before.email);
    if new_password {
        audit.record(Event::PasswordChanged, after.id);
        mailer.send(letters::password_changed(&old_email));
    }
    if before.email != after.email {
        audit.record(Event::EmailChanged, after.id);
        mailer.send(letters::email_changed(&old_email));
        let new_email = EmailAddress::claimed(&after.email);
        mailer.send(letters::verify(&new_email, mailer.link_base(), link));
    }
}
