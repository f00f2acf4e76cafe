//! Accounts: the caller's own, and what an admin sees of all of them.
//!
//! | question | file |
//! | --- | --- |
//! | what an account is, and what a client reads of it | [`model`] |
//! | how it is stored | [`repository`] |
//! | what proves who somebody is | [`credentials`] |
//! | who is admin, and why there always is one | [`admins`] |
//! | what happens when an account goes | [`cascade`] |
//! | `/api/users/me` | [`mod@routes`]; changing it: [`account`] |
//! | `/api/admin` | [`admin`] |
//! | what the OpenAPI document says of them | [`openapi`] |

use rocket::{fairing::AdHoc, routes};

mod account;
mod admin;
pub mod admins;
pub mod cascade;
pub mod credentials;
pub mod model;
pub mod openapi;
pub mod repository;
mod routes;

pub use cascade::Cascade;
pub use model::{Account, EmailAddress, EmailRule, Role, UserView};
pub use repository::Users;

/// Mounts the routes and keeps the cascade going.
#[must_use]
pub fn stage(users: Users, admins: admins::Admins, cascade: Cascade) -> AdHoc {
    AdHoc::on_ignite("users", |rocket| async move {
        crate::metrics::register(&rocket, cascade.collectors());
        crate::metrics::register(&rocket, users.collectors());
        rocket
            .manage(users)
            .manage(admins)
            .manage(cascade.clone())
            .mount(
                "/api/users",
                crate::deadline::limited(routes![routes::me, account::change_me, routes::delete_me]),
            )
            .mount(
                "/api/admin",
                crate::deadline::limited(routes![
                    admin::counts,
                    admin::list,
                    admin::get,
                    admin::change_role,
                    admin::delete
                ]),
            )
            .attach(AdHoc::on_liftoff("cascade", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { cascade.keep_sweeping(shutdown).await });
                })
            }))
    })
}
