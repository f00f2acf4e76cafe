//! `/api/admin/users/<id>`: one user, their role, and their deletion.

use std::sync::Arc;

use rocket::{State, delete, get, patch};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    accounts::{
        Admin, Belongings, Cascade, Role, UserView, Users,
        audit::{Audit, Event},
        model::{Account, RoleRule},
        routes::me,
        store::admin_list::{Admins, LastAdmin, NoSuchUser},
    },
    http::{
        body::{self, MergePatchBody},
        fields::{Fields, FromFields, schema::body_of},
        ids::{PathId, UserId},
        openapi::answers::{Answers, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
};

/// What an admin may change about a user.
pub struct RoleChange {
    role: Role,
}

impl FromFields for RoleChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { role: fields.required("role", &RoleRule)? })
    }
}

impl PartialSchema for RoleChange {
    fn schema() -> RefOr<Schema> {
        body_of::<Self>().into()
    }
}

impl ToSchema for RoleChange {}

answers! {
    Found => Answers::with_database()
        .json::<UserView>(200, "The user.", &[])
        .problems(Admin::REFUSALS)
        .problems(&[Code::UserNotFound]);
    RoleChanged => Answers::with_database()
        .json::<UserView>(200, "The user as they are now.", &[])
        .problems(Admin::REFUSALS)
        .problems(body::REFUSALS)
        .problems(&[Code::UserNotFound, Code::LastAdmin]);
    DeletedByAdmin =>
        me::deleted(Answers::with_database().problems(Admin::REFUSALS).problems(&[Code::UserNotFound]));
}

/// Returns one user.
///
/// Needs the token of an admin; other users get 403 `admins-only`. If there is no user with this id, the answer is 404
/// `user-not-found`.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "get_user", params(PathId<UserId>),
    responses(Found)
)]
#[get("/users/<id>")]
pub(in crate::accounts) async fn get(
    _admin: Admin,
    _query: NoQuery,
    id: PathId<UserId>,
    users: &State<Users>,
    admins: &State<Admins>,
    belongings: &State<Arc<dyn Belongings>>,
) -> Result<Reply, Problem> {
    let account = find(users, id).await?;
    Reply::ok(&me::whole(&account, admins, belongings).await?)
}

/// Gives a user the role `admin`, or takes it away.
///
/// Needs the token of an admin; other users get 403 `admins-only`. The change takes effect with the next request of
/// that user. If the last admin would lose the role, the answer is 409 `last-admin`.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "change_role", params(PathId<UserId>),
    request_body(content((RoleChange = "application/json"), (RoleChange = "application/merge-patch+json"))),
    responses(RoleChanged),
)]
#[patch("/users/<id>", data = "<body>")]
pub(in crate::accounts) async fn change_role(
    admin: Admin,
    audit: Audit,
    _query: NoQuery,
    id: PathId<UserId>,
    users: &State<Users>,
    admins: &State<Admins>,
    belongings: &State<Arc<dyn Belongings>>,
    body: MergePatchBody<RoleChange>,
) -> Result<Reply, Problem> {
    let account = find(users, id).await?;
    match body.0.role {
        Role::Admin => {
            admins.grant(users, account.id).await?.map_err(|NoSuchUser| Problem::UserNotFound)?;
        }
        Role::User => admins.revoke(account.id).await?.map_err(|LastAdmin| Problem::LastAdmin)?,
    }
    let event = if body.0.role == Role::Admin { Event::RoleGranted } else { Event::RoleRevoked };
    audit.record_by(event, account.id, admin.0);
    Reply::ok(&me::whole(&account, admins, belongings).await?)
}

/// Deletes a user and all their movies.
///
/// Needs the token of an admin; other users get 403 `admins-only`. Nobody can restore the account or its movies. If
/// this takes over 20 seconds, the answer is 202, and the server deletes the rest of the movies afterwards. If the user
/// is the last admin, the answer is 409 `last-admin`.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "delete_user", params(PathId<UserId>),
    responses(DeletedByAdmin)
)]
#[delete("/users/<id>")]
pub(in crate::accounts) async fn delete(
    admin: Admin,
    audit: Audit,
    _query: NoQuery,
    id: PathId<UserId>,
    users: &State<Users>,
    cascade: &State<Cascade>,
) -> Result<Reply, Problem> {
    let id = find(users, id).await?.id;
    me::remove(cascade, id, move || audit.record_by(Event::AccountDeleted, id, admin.0)).await
}

async fn find(users: &Users, id: PathId<UserId>) -> Result<Arc<Account>, Problem> {
    users.find(id.or_not_found()?).await?.ok_or(Problem::UserNotFound)
}
