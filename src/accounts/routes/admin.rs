//! `/api/admin`: for users with the role `admin` only. An admin is no owner: no movie is changed here.

use std::{collections::HashSet, sync::Arc};

use rocket::{
    Request, State, delete, get, patch,
    request::{FromRequest, Outcome},
};
use serde::Serialize;

use super::{described::users as answers, me};
use crate::{
    accounts::{
        Admin, Belongings, Cascade, Role, UserView, Users,
        audit::{Audit, Event},
        model::{Account, EmailAddress, RoleRule},
        store::{
            admin_list::{Admins, LastAdmin, NoSuchUser},
            users::UserFilter,
        },
    },
    http::{
        body::MergePatchBody,
        fields::{Fields, FromFields, has_control},
        ids::{PathId, UserId},
        page::{Cursors, Page, Paging},
        problem::Problem,
        query::{NoQuery, Query, invalid},
        reply::Reply,
    },
    mongo::keyset::Position,
};

/// What an admin may change of a user.
pub struct RoleChange {
    role: Role,
}

impl FromFields for RoleChange {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { role: fields.required("role", &RoleRule)? })
    }
}

/// `?email=&limit=&after=`
pub struct UserQuery {
    filter: UserFilter,
    paging: Paging,
}

impl UserQuery {
    fn read(query: &mut Query<'_>) -> Result<Self, Problem> {
        let email_prefix = query.one("email")?.map(|text| EmailAddress::claimed(text).to_string());
        if email_prefix.as_ref().is_some_and(|prefix| has_control(prefix, false)) {
            return Err(invalid("email", "must not hold a control character"));
        }
        let parameters = email_prefix.iter().map(|prefix| ("email", prefix.clone())).collect();
        Ok(Self { paging: Paging::read(query, parameters)?, filter: UserFilter { email_prefix } })
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for UserQuery {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, Self::read)
    }
}

/// How many there are of each.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Counts {
    users: u64,
    movies: u64,
}

/// How many users and movies there are.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "count_all",
    responses(answers::Counted)
)]
#[get("/")]
pub(in crate::accounts) async fn counts(
    _admin: Admin,
    _query: NoQuery,
    users: &State<Users>,
    belongings: &State<Arc<dyn Belongings>>,
) -> Result<Reply, Problem> {
    Reply::ok(&Counts { users: users.count().await?, movies: belongings.count().await? })
}

/// A page of users, newest first.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "list_users",
    params(UserQuery),
    responses(answers::List)
)]
#[get("/users")]
pub(in crate::accounts) async fn list(
    _admin: Admin,
    query: UserQuery,
    users: &State<Users>,
    admins: &State<Admins>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    let binding = format!("users {:?}", query.filter);
    let after = query.paging.after(cursors, &binding)?;
    let accounts = users.list(&query.filter, after.as_ref(), query.paging.limit).await?;
    let members: HashSet<UserId> = admins.members().await?.into_iter().collect();
    let page = Page::new(&accounts, &query.paging, cursors, &binding, |account| {
        Position::newest_first(account.created_at, account.id.0)
    });
    page.reply(|account, json| json.view(&UserView::new(account, role_of(account, &members))))
}

fn role_of(account: &Account, members: &HashSet<UserId>) -> Role {
    if members.contains(&account.id) { Role::Admin } else { Role::User }
}

/// One user.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "get_user", params(PathId<UserId>),
    responses(answers::Found)
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

/// Gives or takes the role `admin`.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "change_role", params(PathId<UserId>),
    request_body(content((RoleChange = "application/json"), (RoleChange = "application/merge-patch+json"))),
    responses(answers::RoleChanged),
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

/// Deletes a user with all their movies.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "delete_user", params(PathId<UserId>),
    responses(answers::DeletedByAdmin)
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
