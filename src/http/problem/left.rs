//! Problems that are kept with a request: a guard's problem for the catcher, and the answered one for the log.

use std::sync::OnceLock;

use rocket::{Request, http::Status, request};

use super::variants::Problem;

/// A guard leaves its problem here for the catcher, because Rocket does not pass on a guard's error. Only the first
/// one is kept.
#[derive(Default)]
struct GuardProblem(OnceLock<Problem>);

/// The problem that was answered, for the log. It can differ from the guard's: the time may run out while a refused
/// body is read.
struct Answered(Option<Problem>);

/// Keeps the problem that a request is answered with.
pub fn leave_answered(request: &Request<'_>, problem: &Problem) {
    request.local_cache(|| Answered(Some(problem.clone())));
}

impl Problem {
    /// Refuses the request in a data guard.
    #[must_use]
    pub fn refuse(self, request: &Request<'_>) -> (Status, Self) {
        request.local_cache(GuardProblem::default).0.get_or_init(|| self.clone());
        (self.kind().status, self)
    }

    /// Refuses the request in a request guard. For Rocket this is not an error, so it does not drop the body: see
    /// [`crate::http::refusal`].
    pub fn forward<T>(self, request: &Request<'_>) -> request::Outcome<T, Self> {
        request::Outcome::Forward(self.refuse(request).0)
    }

    /// The problem that a guard has left, if there is one.
    #[must_use]
    pub fn refused(request: &Request<'_>) -> Option<Self> {
        request.local_cache(GuardProblem::default).0.get().cloned()
    }

    /// The problem that a request was answered with, if there is one.
    #[must_use]
    pub fn answered<'r>(request: &'r Request<'_>) -> Option<&'r Self> {
        request.local_cache(|| Answered(None)).0.as_ref()
    }
}
