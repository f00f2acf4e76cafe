//! What the OpenAPI document says of signing up, tokens and forgotten passwords.

use serde_json::json;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Object, RefOr, Schema},
};

use crate::{
    accounts::{
        CurrentUser, UserView,
        password::Hasher,
        routes::{
            auth::{Login, Signup, TokenView},
            reset::{Forgot, Reset},
        },
        throttle::Throttle,
    },
    http::{
        body,
        fields::schema::{body_of, describe},
        openapi::answers::{Answers, LOCATION, answers},
        problem::Code,
    },
};

/// Of a route that takes a body from anyone, and may be called only so often.
fn throttled() -> Answers {
    Answers::with_database().problems(body::REFUSALS).problems(Throttle::REFUSALS)
}

answers! {
    SignedUp => throttled()
        .json::<UserView>(201, "The new user.", &[LOCATION])
        .problems(Hasher::REFUSALS)
        .problems(&[Code::EmailTaken]);
    LoggedIn => throttled()
        .json::<TokenView>(200, "A token.", &[])
        .problems(Hasher::REFUSALS)
        .problems(&[Code::BadCredentials]);
    LoggedOut => Answers::with_database().empty(204, "The token is revoked.", &[]).problems(CurrentUser::REFUSALS);
    LoggedOutEverywhere => Answers::with_database()
        .empty(204, "Every token of the user is revoked.", &[])
        .problems(CurrentUser::REFUSALS);
    Asked => throttled().empty(202, "If there is such an account, a mail is on its way.", &[]);
    PasswordSet => throttled()
        .empty(204, "The new password is set, and every token of the user is revoked.", &[])
        .problems(Hasher::REFUSALS)
        .problems(&[Code::InvalidResetToken]);
}

fn explained(object: Object, password: &str) -> Object {
    let object = describe(object, "email", "Whatever the case.", json!("ann@example.com"));
    describe(object, "password", password, json!("plum-cake-at-noon"))
}

const NEW_PASSWORD: &str = "72 bytes at most, and none of the most common ones.";

impl PartialSchema for Signup {
    fn schema() -> RefOr<Schema> {
        explained(body_of::<Self>(), NEW_PASSWORD).into()
    }
}

impl ToSchema for Signup {}

impl PartialSchema for Login {
    fn schema() -> RefOr<Schema> {
        explained(body_of::<Self>(), "The account's.").into()
    }
}

impl ToSchema for Login {}

impl PartialSchema for Forgot {
    fn schema() -> RefOr<Schema> {
        explained(body_of::<Self>(), "").into()
    }
}

impl ToSchema for Forgot {}

impl PartialSchema for Reset {
    fn schema() -> RefOr<Schema> {
        let object = explained(body_of::<Self>(), NEW_PASSWORD);
        let example = json!("bR3z0tJmJ0n1kzqHf2m8wq2o5oQm9m3n5v1wqk7yq3E");
        describe(object, "reset_token", "From the link that was mailed.", example).into()
    }
}

impl ToSchema for Reset {}
