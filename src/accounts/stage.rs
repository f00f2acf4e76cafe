//! Attaches accounts to the service: their routes, their state, and what runs besides the requests.

use std::sync::Arc;

use rocket::{fairing::AdHoc, routes};
use utoipa::OpenApi;

use super::{
    Belongings, Cascade, Role, UserView, Users,
    grants::Grants,
    oidc::Oidc,
    password::Hasher,
    personal_tokens::{PersonalTokenView, Scope},
    revocation::RevokedTokens,
    routes::{
        admin::{
            counts::{self, Counts},
            user::{self, RoleChange},
            users::{self as user_list, UserPage},
        },
        callback,
        change_me::{self, AccountPatch},
        exchange::{self, Exchange},
        identities::{self, IdentityList, IdentityView, LinkTicket, NewLink},
        log_in::{self, Login},
        log_out, me,
        refresh::{self, Refresh, RefreshedView},
        reset::{self, Forgot, Reset},
        sessions::{self as session_list, SessionList},
        sign_up::{self, Signup},
        start::{self, ProviderList, ProviderView},
        tokens::{self, NewToken, PersonalTokenList},
        verify::{self, Verify},
    },
    sessions::{
        SessionView,
        begin::{SignIns, TokenView},
    },
    store::admin_list::Admins,
    throttle::Throttle,
};
use crate::{config::AccountsSettings, http::deadline::limited, telemetry::metrics};

/// The routes of this feature; a new one is added here and in [`stage`].
#[derive(OpenApi)]
#[openapi(
    paths(
        sign_up::signup,
        log_in::login,
        refresh::refresh,
        log_out::logout,
        log_out::logout_all,
        reset::forgot,
        reset::reset,
        verify::verify,
        start::providers,
        start::start,
        callback::callback,
        exchange::exchange,
        me::me,
        change_me::change_me,
        me::delete_me,
        session_list::list,
        session_list::end,
        tokens::list,
        tokens::create,
        tokens::remove,
        verify::request,
        identities::list,
        identities::create,
        identities::remove,
        counts::counts,
        user_list::list,
        user::get,
        user::change_role,
        user::delete,
    ),
    components(schemas(
        Signup,
        Login,
        TokenView,
        Refresh,
        RefreshedView,
        Forgot,
        Reset,
        Verify,
        ProviderView<'_>,
        ProviderList<'_>,
        Exchange,
        IdentityView,
        IdentityList,
        NewLink,
        LinkTicket,
        UserView,
        UserPage,
        Role,
        AccountPatch,
        SessionView,
        SessionList,
        NewToken,
        PersonalTokenView,
        PersonalTokenList,
        Scope,
        RoleChange,
        Counts
    ))
)]
pub struct Documented;

/// What the routes and guards of this feature need.
pub struct Parts {
    pub users: Users,
    pub admins: Admins,
    pub grants: Grants,
    pub sign_ins: SignIns,
    pub revoked: RevokedTokens,
    pub hasher: Hasher,
    pub throttle: Throttle,
    /// What is deleted with its owner.
    pub belongings: Arc<dyn Belongings>,
    pub settings: AccountsSettings,
    pub oidc: Oidc,
}

/// Mounts the routes; the parts are this feature's state.
#[must_use]
pub fn stage(parts: Parts) -> AdHoc {
    AdHoc::on_ignite("accounts", move |rocket| async move {
        let Parts { users, admins, grants, sign_ins, revoked, hasher, throttle, belongings, settings, oidc } =
            parts;
        let SignIns { sessions, tokens: access_tokens, refresh_tokens } = sign_ins.clone();
        let cascade = Cascade::new(users.clone(), admins.clone(), grants.clone(), Arc::clone(&belongings));
        for collectors in [
            hasher.collectors(),
            throttle.collectors(),
            grants.collectors(),
            revoked.collectors(),
            cascade.collectors(),
            users.collectors(),
        ] {
            metrics::register(&rocket, collectors);
        }
        let auth = routes![
            sign_up::signup,
            log_in::login,
            refresh::refresh,
            log_out::logout,
            log_out::logout_all,
            reset::forgot,
            reset::reset,
            verify::verify,
            start::providers,
            start::start,
            callback::callback,
            exchange::exchange
        ];
        let own = routes![
            me::me,
            change_me::change_me,
            me::delete_me,
            session_list::list,
            session_list::end,
            tokens::list,
            tokens::create,
            tokens::remove,
            verify::request,
            identities::list,
            identities::create,
            identities::remove
        ];
        let admin = routes![counts::counts, user_list::list, user::get, user::change_role, user::delete];
        rocket
            .manage(users.clone())
            .manage(admins)
            .manage(access_tokens)
            .manage(grants)
            .manage(settings)
            .manage(oidc)
            .manage(sessions)
            .manage(refresh_tokens)
            .manage(sign_ins)
            .manage(revoked)
            .manage(hasher.clone())
            .manage(throttle)
            .manage(belongings)
            .manage(cascade.clone())
            .mount("/api/auth", limited(auth))
            .mount("/api/users", limited(own))
            .mount("/api/admin", limited(admin))
            // No request is answered before this has ended.
            .attach(AdHoc::on_liftoff("the costs of the stored hashes", |_| {
                Box::pin(async move { learn_highest_cost(&hasher, &users).await })
            }))
            .attach(AdHoc::on_liftoff("cascade", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { cascade.keep_sweeping(shutdown).await });
                })
            }))
    })
}

/// If the operator has lowered the cost, older hashes keep theirs, and a failed login must take as long as one with
/// such a hash. If the database cannot say which costs there are, the server learns each one when somebody tries to
/// log in to such an account.
async fn learn_highest_cost(hasher: &Hasher, users: &Users) {
    match users.costliest_hash(hasher.cost()).await {
        Ok(None) => {}
        Ok(Some(hash)) => {
            let cost = hasher.reckon_with(&hash);
            tracing::info!(
                cost,
                today = hasher.cost(),
                "some stored passwords have a higher cost; every wrong password takes as long as one of those"
            );
        }
        Err(error) => tracing::warn!(%error, "the costs of the stored password hashes could not be read"),
    }
}
