//! How the service takes in accounts: their routes, their state, and the sweep after deleted ones.

use std::sync::Arc;

use rocket::{fairing::AdHoc, routes};
use utoipa::OpenApi;

use crate::{
    accounts::{
        Belongings, Cascade, Role, UserView, Users,
        routes::{
            admin::{self, Counts, RoleChange},
            change_me,
            change_me::AccountPatch,
            described::users::UserPage,
            me,
        },
        store::admin_list::Admins,
    },
    http::deadline::limited,
    telemetry::metrics,
};

/// The routes of this feature.
#[derive(OpenApi)]
#[openapi(
    paths(
        me::me,
        change_me::change_me,
        me::delete_me,
        admin::counts,
        admin::list,
        admin::get,
        admin::change_role,
        admin::delete,
    ),
    components(schemas(UserView, UserPage, Role, AccountPatch, RoleChange, Counts))
)]
pub struct Documented;

/// Mounts the routes and keeps the cascade going.
#[must_use]
pub fn stage(users: Users, admins: Admins, belongings: Arc<dyn Belongings>, cascade: Cascade) -> AdHoc {
    AdHoc::on_ignite("users", |rocket| async move {
        metrics::register(&rocket, cascade.collectors());
        metrics::register(&rocket, users.collectors());
        rocket
            .manage(users)
            .manage(admins)
            .manage(belongings)
            .manage(cascade.clone())
            .mount("/api/users", limited(routes![me::me, change_me::change_me, me::delete_me]))
            .mount(
                "/api/admin",
                limited(routes![admin::counts, admin::list, admin::get, admin::change_role, admin::delete]),
            )
            .attach(AdHoc::on_liftoff("cascade", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { cascade.keep_sweeping(shutdown).await });
                })
            }))
    })
}
