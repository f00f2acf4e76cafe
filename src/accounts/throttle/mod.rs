//! Throttles what clients could guess or abuse: logins, password changes, sign-ups, reset mails and reset tokens (OWASP
//! API2 and API4:2023; ASVS 5.0, 6.3.1).
//!
//! An attempt is counted under up to three keys: account and address together (strict), the address alone and the
//! account alone (both far looser). The strict key stops somebody who guesses, but not the owner, who comes from
//! another address. The key of the account alone stops guesses from many addresses. These must not lock the owner out
//! either. So a login may succeed whatever the looser keys say, if somebody has logged in to the account from its
//! address before. A login that fails gets the same answer as everybody else's, after the same work. So nobody learns
//! from it whether the account exists.
//!
//! Each count runs off with time. After the free attempts, each failure makes the next attempt wait, twice as long each
//! time up to a limit. An attempt that comes too early is refused and does not count. Attempts are counted before they
//! are made, and only some may be in progress at a time: otherwise a hundred attempts at once would count as one. A
//! success is forgiven. An email that turns out to be taken is also counted under keys that no success and no known
//! address forgives.
//!
//! The counts are in MongoDB and use its clock, so they hold for all instances. Their keys are digests: no email and no
//! address is stored. [`admission`] decides, [`action`] has the paces, and [`counts`] counts. [`quota`] limits what may
//! be done only so often a day.

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
