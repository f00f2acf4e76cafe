//! The throttle of what can be guessed or abused: logins, password changes, sign-ups, reset mails and
//! reset tokens (OWASP API2 and API4:2023; ASVS 5.0, 6.3.1).
//!
//! An attempt is counted under up to three keys: account and address together (strict), the address
//! alone and the account alone (far looser). The strict one stops whoever guesses without stopping the
//! owner, who comes from elsewhere. The one of the account alone stops guesses from many addresses; so
//! that those cannot lock the owner out either, a login from an address from which somebody has logged in
//! to the account before may succeed whatever the looser two say. A login that fails gets the same answer
//! as everybody else's, after the same work, so that nobody learns from it whether there is an account.
//!
//! Each count runs off with time. After the free attempts each failure makes the next one wait, twice as
//! long each time up to a limit; what comes in the meantime is refused and does not count. So that a
//! hundred at once are not one, attempts are counted before they are made, and only some may be under
//! way at a time. A success is forgiven. An email that turns out to be taken is counted besides, under
//! keys that no success and no known address forgives.
//!
//! The counts are in MongoDB and by its clock: they hold for all instances. Their keys are digests: no
//! email and no address is stored. [`admission`] decides, [`action`] has the paces, and
//! [`counts`] counts. [`quota`] is for what may be done so often a day and no more.

mod action;
mod admission;
mod attempt;
mod clock;
mod counts;
mod quota;

pub use action::Action;
pub use admission::Throttle;
pub use attempt::{Attempt, TooEarly};
pub use clock::Clock;
pub use quota::Counted;
