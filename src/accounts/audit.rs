//! The audit log: who signed up, logged in, failed to log in, or changed a password, a role or an email, and what was
//! refused (ASVS 5.0, chapter 16). Its lines are structured and have the message `audit`. They have a log target of
//! their own, so they are written at any log level. They never contain a secret or a whole email.

use std::{fmt::Display, net::IpAddr};

use rocket::{
    Request,
    request::{FromRequest, Outcome},
};

use crate::{
    http::{ids::UserId, request_id::RequestId},
    telemetry::log::AUDIT,
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    Signup,
    Login,
    Logout,
    LogoutAll,
    SessionEnded,
    /// A refresh token was used a second time, so its session has ended.
    RefreshTokenReused,
    TokenCreated,
    TokenDeleted,
    IdentityLinked,
    IdentityUnlinked,
    EmailChanged,
    VerificationRequested,
    EmailVerified,
    PasswordChanged,
    ResetRequested,
    PasswordReset,
    RoleGranted,
    RoleRevoked,
    AccountDeleted,
    InvitationSent,
    InvitationAccepted,
    EditorRemoved,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::LogoutAll => "logout-all",
            Self::SessionEnded => "session-ended",
            Self::RefreshTokenReused => "refresh-token-reused",
            Self::TokenCreated => "token-created",
            Self::TokenDeleted => "token-deleted",
            Self::IdentityLinked => "identity-linked",
            Self::IdentityUnlinked => "identity-unlinked",
            Self::EmailChanged => "email-changed",
            Self::VerificationRequested => "verification-requested",
            Self::EmailVerified => "email-verified",
            Self::PasswordChanged => "password-changed",
            Self::ResetRequested => "reset-requested",
            Self::PasswordReset => "password-reset",
            Self::RoleGranted => "role-granted",
            Self::RoleRevoked => "role-revoked",
            Self::AccountDeleted => "account-deleted",
            Self::InvitationSent => "invitation-sent",
            Self::InvitationAccepted => "invitation-accepted",
            Self::EditorRemoved => "editor-removed",
        }
    }
}

/// Records what the operator did to the account of `user` on the command line.
pub fn record_command(event: Event, user: UserId) {
    tracing::info!(target: AUDIT, event = event.name(), %user, by = "command line", "audit");
}

/// Records that a sweep finished a deletion whose server died, or lost the database, before it had marked the account.
/// Two sweeps, or a sweep and a slow deletion, may both write this line: twice is better than never.
pub fn record_swept(user: UserId) {
    let event = Event::AccountDeleted.name();
    tracing::info!(target: AUDIT, event, %user, by = "sweep", "audit");
}

/// The request guard that writes audit lines. It knows the request's id and where the request came from.
#[derive(Debug, Clone)]
pub struct Audit {
    request_id: String,
    /// The address of the client. Behind a proxy it is the proxy's, unless Rocket's `ip_header` names a header to
    /// trust.
    pub address: Option<IpAddr>,
}

impl Audit {
    fn address(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }

    /// Records what happened to the account of `user`.
    pub fn record(&self, event: Event, user: UserId) {
        let (event, request_id, address) = (event.name(), &self.request_id, self.address());
        tracing::info!(target: AUDIT, event, request_id, address, %user, "audit");
    }

    /// Records what an admin, `by`, did to the account of `user`.
    pub fn record_by(&self, event: Event, user: UserId, by: UserId) {
        let (event, request_id, address) = (event.name(), &self.request_id, self.address());
        tracing::info!(target: AUDIT, event, request_id, address, %user, %by, "audit");
    }

    /// Records an attempt that has to wait. `account` is the masked email.
    pub fn throttled(&self, attempted: &str, account: impl Display) {
        let (request_id, address, account) = (&self.request_id, self.address(), account.to_string());
        tracing::warn!(target: AUDIT, event = "throttled", attempted, request_id, address, account, "audit");
    }

    /// Records a failed login, with its `user` if the account exists. `account` is the masked email.
    pub fn login_failed(&self, account: impl Display, user: Option<UserId>) {
        let (request_id, address, account) = (&self.request_id, self.address(), account.to_string());
        let user = user.map(|user| user.to_string()).unwrap_or_default();
        tracing::warn!(target: AUDIT, event = "login-failed", request_id, address, account, user, "audit");
    }

    /// Records a failed sign-in with a provider, with the code that the client gets.
    pub fn provider_login_failed(&self, provider: &str, code: &'static str) {
        let (request_id, address) = (&self.request_id, self.address());
        tracing::warn!(target: AUDIT, event = "login-failed", request_id, address, provider, code, "audit");
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Audit {
    type Error = std::convert::Infallible;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Self::Error> {
        let request_id = RequestId::of(request).as_str().to_owned();
        Outcome::Success(Self { request_id, address: request.client_ip() })
    }
}

struct RequestUser(Option<UserId>);

/// Stores with the request the user whose token came with it.
pub fn identified(request: &Request<'_>, user: UserId) {
    request.local_cache(|| RequestUser(Some(user)));
}

/// The id of the user who sent the request. The text is empty if no guard has identified the user.
pub fn user_of(request: &Request<'_>) -> String {
    request.local_cache(|| RequestUser(None)).0.map(|user| user.to_string()).unwrap_or_default()
}

/// Where the request came from: see [`Audit::address`].
pub fn address_of(request: &Request<'_>) -> String {
    request.client_ip().map(|address| address.to_string()).unwrap_or_default()
}

/// Records a request that was refused because of who sent it.
pub fn refused(request: &Request<'_>, code: &'static str) {
    tracing::warn!(
        target: AUDIT,
        event = "refused",
        code,
        request_id = RequestId::of(request).as_str(),
        address = address_of(request),
        user = user_of(request),
        method = %request.method(),
        path = request.uri().path().as_str(),
        "audit"
    );
}
