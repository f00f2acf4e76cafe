//! What is left with a request: a guard's problem for the catcher, and what was answered for the log.

use std::sync::OnceLock;

use rocket::{Request, http::Status, request};

use super::variants::Problem;

/// Where a guard leaves its problem for the catcher: Rocket does not hand over a guard's error. The first
/// one is kept.
#[derive(Default)]
struct GuardProblem(OnceLock<Problem>);

/// What was answered, for the log. It need not be what a guard has left: the time may be up while a refused
/// body is read.
struct Answered(Option<Problem>);

/// Leaves what a request is answered with.
pub fn leave_answered(request: &Request<'_>, problem: &Problem) {
    request.local_cache(|| Answered(Some(problem.clone())));
}

impl Problem {
    /// A data guard's refusal.
    #[must_use]
    pub fn refuse(self, request: &Request<'_>) -> (Status, Self) {
        request.local_cache(GuardProblem::default).0.get_or_init(|| self.clone());
        (self.kind().status, self)
    }

    /// A request guard's refusal. To Rocket it is no error, so that it does not drop the body: see
    /// [`crate::http::refusal`].
    pub fn forward<T>(self, request: &Request<'_>) -> request::Outcome<T, Self> {
        request::Outcome::Forward(self.refuse(request).0)
    }

    /// What a guard has left, if one has.
    #[must_use]
    pub fn refused(request: &Request<'_>) -> Option<Self> {
        request.local_cache(GuardProblem::default).0.get().cloned()
    }

    /// The problem that a request was answered with, if it was one.
    #[must_use]
    pub fn answered<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        request.local_cache(|| Answered(None)).0.as_ref()
    }
}
