//! `/api/admin/users`: the list of all users.

use std::collections::HashSet;

use rocket::{
    Request, State, get,
    request::{FromRequest, Outcome},
};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, Ref, RefOr, Schema, Type,
        path::{Parameter, ParameterIn},
    },
};

use crate::{
    accounts::{
        Admin, EmailAddress, Role, UserView, Users,
        model::Account,
        store::{admin_list::Admins, users::UserFilter},
    },
    http::{
        fields::{has_control, rules::NO_CONTROL},
        ids::UserId,
        openapi::{
            answers::{Answers, LINK, answers},
            parameters::optional,
        },
        page::{self, Cursors, Page, Paging},
        problem::Problem,
        query::{Query, invalid},
        reply::Reply,
    },
    mongo::keyset::Position,
};

/// `?email=&limit=&after=`
pub struct UserQuery {
    filter: UserFilter,
    paging: Paging,
}

impl UserQuery {
    fn read(query: &mut Query<'_>) -> Result<Self, Problem> {
        let email_prefix = query.one("email")?.map(|text| EmailAddress::claimed(text).to_string());
        if email_prefix.as_ref().is_some_and(|prefix| has_control(prefix, false)) {
            return Err(invalid("email", "must not contain control characters"));
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

impl IntoParams for UserQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let beginning =
            ObjectBuilder::new().schema_type(Type::String).pattern(Some(format!("^{NO_CONTROL}*$")));
        let mut all = vec![optional("email", "The beginning of the email; case does not count.", beginning)];
        all.extend(Paging::parameters());
        all
    }
}

/// A page of users.
pub struct UserPage;

impl PartialSchema for UserPage {
    fn schema() -> RefOr<Schema> {
        page::schema(Ref::from_schema_name(UserView::name())).into()
    }
}

impl ToSchema for UserPage {}

answers! {
    List => Answers::with_database().json::<UserPage>(200, "A page of users.", &[LINK]).problems(Admin::REFUSALS);
}

/// Lists the users, newest first, page by page.
///
/// Needs the token of an admin; other users get 403 `admins-only`. The users in the list have no `movie_count`.
#[utoipa::path(
    context_path = "/api/admin",
    tag = "admin",
    operation_id = "list_users",
    params(UserQuery),
    responses(List)
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
