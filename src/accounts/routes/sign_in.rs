//! What a login and the exchange of a code have in common: how a client wants its session, and what the server does
//! once it knows who is signing in.

use serde_json::json;
use utoipa::openapi::Object;

use crate::{
    accounts::{
        Users,
        audit::{Audit, Event},
        sessions::{
            begin::{SignIn, SignIns},
            model::NAME_CHARACTERS,
            naming::DefaultName,
        },
        throttle::{Attempt, Throttle},
    },
    http::{
        fields::{Boolean, Fields, FromFields, Text, schema::describe},
        ids::UserId,
        problem::Problem,
        reply::Reply,
    },
};

/// How a client wants its session: the fields `name` and `refresh` of a body.
pub struct SessionWish {
    name: Option<String>,
    refresh: bool,
}

impl FromFields for SessionWish {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let name = fields.optional("name", &Text::line(NAME_CHARACTERS));
        let refresh = fields.optional("refresh", &Boolean);
        Some(Self { name: name?, refresh: refresh?.unwrap_or_default() })
    }
}

impl SessionWish {
    /// What the OpenAPI document says about the two fields.
    pub(super) fn described(body: Object) -> Object {
        let words = "The name of the session. If it is unset, the session is named after the `User-Agent`.";
        let body = describe(body, "name", words, json!("Firefox on the laptop"));
        let words = "Whether the session can be refreshed. If so, the token lives for 15 minutes.";
        describe(body, "refresh", words, json!(true))
    }

    /// The sign-in of a user. `generation` was read together with the proof of who the user is.
    pub(super) fn sign_in(self, user: UserId, generation: i64, default_name: DefaultName) -> SignIn {
        SignIn { user, generation, name: self.name.unwrap_or(default_name.0), refresh: self.refresh }
    }
}

/// What the end of a sign-in needs.
pub(super) struct SignInEnd<'a> {
    pub sign_ins: &'a SignIns,
    pub users: &'a Users,
    pub throttle: &'a Throttle,
    pub audit: &'a Audit,
}

impl SignInEnd<'_> {
    /// Begins the session and answers with its token. `afterwards` is what else a sign-in should store. If it fails,
    /// the sign-in has succeeded nevertheless, and the next one tries again.
    ///
    /// # Errors
    /// 503 when the database is unavailable.
    pub async fn finish(
        &self,
        sign_in: SignIn,
        attempt: Attempt,
        afterwards: impl Future<Output = Result<(), Problem>>,
    ) -> Result<Reply, Problem> {
        let Self { sign_ins, users, throttle, audit } = self;
        let user = sign_in.user;
        let (session, view) = sign_ins.begin(sign_in).await?;
        audit.record(Event::Login, user);
        attempt.forgive().await;
        let follow_up = async {
            sign_ins.sessions.end_excess(&session).await?;
            users.remember_address(user, &throttle.digest_of(audit.address)).await?;
            afterwards.await
        };
        if let Err(problem) = follow_up.await {
            tracing::warn!(
                code = problem.code().kind().code,
                "a sign-in succeeded, but its follow-up work failed; the next sign-in will do it"
            );
        }
        Reply::ok(&view)
    }
}
