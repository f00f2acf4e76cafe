//! What the OpenAPI document says of accounts: the shapes, the parameters, and what each route answers.

use serde_json::json;
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Schema, Type,
        path::{Parameter, ParameterIn},
    },
};

use crate::{
    accounts::{
        Admin, CurrentUser, UserView,
        password::Hasher,
        routes::{
            admin::{Counts, RoleChange, UserQuery},
            change_me::AccountPatch,
        },
        throttle::Throttle,
    },
    http::{
        body,
        fields::{
            rules::NO_CONTROL,
            schema::{body_of, describe},
        },
        openapi::{
            answers::{Answers, LINK, answers},
            parameters::optional,
        },
        page::{self, Paging},
        problem::Code,
    },
};

fn for_admins() -> Answers {
    Answers::with_database().problems(CurrentUser::REFUSALS).problems(Admin::REFUSALS)
}

/// What becomes of an account that is deleted.
fn deleted(answers: Answers) -> Answers {
    answers
        .empty(204, "The account is gone, and all its movies.", &[])
        .empty(202, "The account is gone. It had many movies: the last of them are still going.", &[])
        .problems(&[Code::LastAdmin])
}

answers! {
    Me => Answers::with_database().json::<UserView>(200, "The caller.", &[]).problems(CurrentUser::REFUSALS);
    Changed => Answers::with_database()
        .json::<UserView>(200, "The caller, as they are now.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .problems(Hasher::REFUSALS)
        .problems(&[Code::WrongPassword, Code::EmailTaken]);
    Deleted => deleted(Answers::with_database().problems(CurrentUser::REFUSALS));
    Counted => for_admins().json::<Counts>(200, "The numbers.", &[]);
    List => for_admins().json::<UserPage>(200, "A page of users.", &[LINK]);
    Found => for_admins().json::<UserView>(200, "The user.", &[]).problems(&[Code::UserNotFound]);
    RoleChanged => for_admins()
        .json::<UserView>(200, "The user, as they are now.", &[])
        .problems(body::REFUSALS)
        .problems(&[Code::UserNotFound, Code::LastAdmin]);
    DeletedByAdmin => deleted(for_admins().problems(&[Code::UserNotFound]));
}

impl PartialSchema for AccountPatch {
    fn schema() -> RefOr<Schema> {
        let mut object = body_of::<Self>();
        // The current password, and something to change.
        object.min_properties = Some(2);
        object.description =
            Some("The current password, and a new email, a new password, or both.".to_owned());
        let object = describe(object, "current_password", "To prove who asks.", json!("plum-cake-at-noon"));
        let words = "72 bytes at most, and none of the most common ones.";
        describe(object, "password", words, json!("pear-tart-at-two")).into()
    }
}

impl ToSchema for AccountPatch {}

impl PartialSchema for RoleChange {
    fn schema() -> RefOr<Schema> {
        body_of::<Self>().into()
    }
}

impl ToSchema for RoleChange {}

/// A page of users.
pub struct UserPage;

impl PartialSchema for UserPage {
    fn schema() -> RefOr<Schema> {
        page::schema(Ref::from_schema_name(UserView::name())).into()
    }
}

impl ToSchema for UserPage {}

impl IntoParams for UserQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let beginning =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(format!("^{NO_CONTROL}*$")));
        let mut all = vec![optional("email", "How the email begins, whatever the case.", beginning)];
        all.extend(Paging::parameters());
        all
    }
}
