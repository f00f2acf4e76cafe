//! How many movies an account may add and change in a minute, if the operator has set a limit.
//!
//! A heavy write costs the database as much as dozens of light ones, and everybody waits for it. Each server counts in
//! its own memory: a count in the database would double every write.
//!
//! The count is a token bucket (GCRA): an account may make a minute's worth of writes at once, and then one more each
//! time a share of the minute has passed.

use std::{
    collections::HashMap,
    num::NonZero,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rocket::{
    Request, State,
    request::{FromRequest, Outcome},
};
use tokio::time::Instant;

use crate::{
    accounts::{ConfirmedUser, MoviesWrite},
    http::{
        ids::UserId,
        problem::{Code, Problem},
    },
};

const MINUTE: Duration = Duration::from_mins(1);
/// How many accounts are remembered before idle ones are forgotten.
const ACCOUNTS: usize = 1_024;

/// Counts what accounts write.
pub(in crate::movies) struct WriteRate {
    /// The account may make one more write each time this has passed. `None` means no limit.
    interval: Option<Duration>,
    accounts: Mutex<Accounts>,
}

struct Accounts {
    /// The time until which each account has used up its writes. It may be up to a minute ahead.
    used_until: HashMap<UserId, Instant>,
    /// How many accounts there may be before idle ones are forgotten.
    room: usize,
}

impl WriteRate {
    pub fn new(per_minute: u32) -> Self {
        Self {
            interval: NonZero::new(per_minute).map(|writes| MINUTE / writes.get()),
            accounts: Mutex::new(Accounts { used_until: HashMap::new(), room: ACCOUNTS }),
        }
    }

    /// Counts a write.
    ///
    /// # Errors
    /// How long to wait. A refused write does not count.
    pub fn admit(&self, account: UserId) -> Result<(), Duration> {
        let Some(interval) = self.interval else { return Ok(()) };
        let now = Instant::now();
        // No code that holds this lock panics half-way through a change.
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let used_until = accounts.used_until.get(&account).map_or(now, |until| now.max(*until));
        let wait = (used_until + interval).duration_since(now).saturating_sub(MINUTE);
        if !wait.is_zero() {
            return Err(wait);
        }
        accounts.used_until.insert(account, used_until + interval);
        accounts.forget_the_idle(now);
        Ok(())
    }

    /// Takes a counted write back, because nothing was written.
    pub fn give_back(&self, account: UserId) {
        let Some(interval) = self.interval else { return };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = accounts.used_until.get_mut(&account) {
            *until -= interval;
        }
    }
}

impl Accounts {
    /// Forgets accounts whose time has passed, because they have all their writes again. So there are never more than
    /// [`ACCOUNTS`], or twice as many as have written within a minute if that is more.
    fn forget_the_idle(&mut self, now: Instant) {
        if self.used_until.len() > self.room {
            self.used_until.retain(|_, until| *until > now);
            self.room = ACCOUNTS.max(2 * self.used_until.len());
            self.used_until.shrink_to(self.room);
        }
    }
}

/// A user who may add or change a movie now. The write is counted before the body is read, so an attempt
/// that fails counts too.
pub struct Writer(ConfirmedUser<MoviesWrite>);

impl Writer {
    /// The problems that this guard can answer with, besides those of [`CurrentUser`](crate::accounts::CurrentUser).
    pub const REFUSALS: &[Code] = &[Code::EmailNotVerified, Code::TooManyRequests];

    #[must_use]
    pub fn id(&self) -> UserId {
        self.0.id()
    }
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Writer {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        let user = rocket::outcome::try_outcome!(request.guard::<ConfirmedUser<MoviesWrite>>().await);
        let admitted = match request.guard::<&State<WriteRate>>().await {
            Outcome::Success(rate) => rate.admit(user.id()).map_err(Problem::TooManyRequests),
            _ => Err(Problem::Internal("BUG: the rate of writes is not managed".into())),
        };
        match admitted {
            Ok(()) => Outcome::Success(Self(user)),
            Err(problem) => problem.forward(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> UserId {
        UserId(bson::oid::ObjectId::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_minutes_worth_of_writes_is_allowed_at_once_and_then_one_at_a_time() {
        let rate = WriteRate::new(6);
        let (ann, bob) = (account(), account());
        for _ in 0..6 {
            rate.admit(ann).unwrap();
        }
        assert_eq!(rate.admit(ann), Err(Duration::from_secs(10)));
        rate.admit(bob).unwrap();
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(rate.admit(ann), Err(Duration::from_secs(6)), "a refusal does not count");
        tokio::time::advance(Duration::from_secs(6)).await;
        rate.admit(ann).unwrap();
        assert_eq!(rate.admit(ann), Err(Duration::from_secs(10)));
        tokio::time::advance(MINUTE).await;
        for _ in 0..6 {
            rate.admit(ann).unwrap();
        }
        rate.give_back(ann);
        rate.admit(ann).unwrap();
        assert_eq!(rate.admit(ann), Err(Duration::from_secs(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn accounts_that_do_not_write_are_forgotten() {
        let rate = WriteRate::new(1);
        for _ in 0..3 {
            for _ in 0..ACCOUNTS {
                rate.admit(account()).unwrap();
            }
            tokio::time::advance(MINUTE).await;
        }
        let known = rate.accounts.lock().unwrap().used_until.len();
        assert!(known <= 2 * ACCOUNTS, "{known}");
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let (rate, ann) = (WriteRate::new(0), account());
        for _ in 0..1_000 {
            rate.admit(ann).unwrap();
        }
        assert!(rate.accounts.lock().unwrap().used_until.is_empty());
    }
}
