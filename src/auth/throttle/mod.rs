//! The throttle of what can be guessed or abused: logins, password changes, sign-ups, reset mails and
//! reset tokens (OWASP API2 and API4:2023; ASVS 5.0, 6.3.1).
//!
//! An attempt is counted under up to three keys: account and address together (strict), the address
//! alone and the account alone (far looser). The strict one stops whoever guesses without stopping the
//! owner, who comes from elsewhere. The one of the account alone stops guesses from many addresses; so
//! that those cannot lock the owner out either, the looser two do not hold up an address from which
//! somebody has logged in to the account before. An account that does not exist is treated the same.
//!
//! Each count runs off with time. After the free attempts each failure makes the next one wait, twice as
//! long each time up to a limit; what comes in the meantime is refused and does not count. So that a
//! hundred at once are not one, attempts are counted before they are made, and only some may be under
//! way at a time. A success is forgiven.
//!
//! The counts are in MongoDB and by its clock: they hold for all instances. Their keys are digests: no
//! email and no address is stored.

use std::{mem::take, net::IpAddr, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use mongodb::Database;
use prometheus::{IntCounterVec, core::Collector};
use secrecy::SecretString;
use sha2::Sha256;
use tokio::runtime::Handle;

mod counts;

use counts::{Counts, Pace};

use crate::{
    audit::Audit,
    metrics,
    mongo::StoreError,
    problem::{Code, Problem},
    secret,
    users::{EmailAddress, Users},
};

/// What is attempted.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// A password is claimed at login.
    Login,
    /// A password is claimed to change the account, with a token of it.
    Change,
    Signup,
    Forgot,
    Reset,
}

const fn pace(free: u32, forgotten_after: u64, longest_wait: u64) -> Pace {
    Pace {
        free,
        at_once: free,
        forgotten_after: Duration::from_secs(forgotten_after),
        longest_wait: Duration::from_secs(longest_wait),
    }
}

/// For one address, whatever the account: behind one there may be many people.
const BY_ADDRESS: Pace = pace(300, 12, 60);

impl Action {
    fn name(self) -> &'static str {
        match self {
            // One and the same password.
            Self::Login | Self::Change => "password",
            Self::Signup => "signup",
            Self::Forgot => "forgot",
            Self::Reset => "reset",
        }
    }

    /// For one account from one address.
    fn strict(self) -> Pace {
        match self {
            // An app may well start with a few logins at once.
            Self::Login | Self::Change | Self::Signup => Pace { at_once: 32, ..pace(6, 600, 900) },
            // Each of these is a mail to somebody.
            Self::Forgot => pace(3, 600, 900),
            // For all who share the address: a token names no account, and cannot be guessed anyway.
            Self::Reset => pace(30, 60, 60),
        }
    }

    /// For one account, whatever the address. A reset token names no account; and who has a token of the
    /// account must be able to change the password while strangers guess at it.
    fn by_account(self) -> Option<Pace> {
        match self {
            Self::Login | Self::Signup => Some(pace(100, 36, 60)),
            Self::Forgot => Some(pace(20, 180, 60)),
            Self::Change | Self::Reset => None,
        }
    }

    /// Whether a success is forgotten by the address's count: many sign-ups from one are no successes.
    fn success_frees_address(self) -> bool {
        !matches!(self, Self::Signup)
    }
}

/// Whether a key was counted, or passed over for an address that is known.
enum Counted {
    Yes,
    No,
}

/// Counts and refuses.
#[derive(Clone)]
pub struct Throttle {
    enabled: bool,
    counts: Counts,
    users: Users,
    key: Hmac<Sha256>,
    refused: IntCounterVec,
}

/// An attempt that may be made, and has been counted. Unless it is settled by one of its methods, it is
/// taken for one that was not made: the database was away, or the queue for hashing full.
#[must_use]
pub struct Attempt {
    counts: Counts,
    /// Forgotten as a whole when the attempt succeeds.
    strict: Vec<String>,
    /// Taken back by one when the attempt succeeds.
    loose: Vec<String>,
    /// Counts in any case.
    fixed: Vec<String>,
}

impl Throttle {
    /// What a client may be told before an attempt.
    pub const REFUSALS: &[Code] = &[Code::TooManyRequests];

    #[must_use]
    pub fn new(database: &Database, users: Users, secret: &SecretString, enabled: bool) -> Self {
        Self {
            enabled,
            counts: Counts::new(database),
            users,
            key: secret::derived(secret, "movie-bag throttle 2"),
            refused: metrics::counters(
                "movie_bag_throttle_refusals_total",
                "Attempts that were answered 429.",
                "attempted",
                &["password", "signup", "forgot", "reset"],
            ),
        }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.refused.clone())]
    }

    /// A digest under which an address is remembered.
    #[must_use]
    pub fn digest_of(&self, address: Option<IpAddr>) -> String {
        self.digest(&["address", &network(address)])
    }

    fn digest(&self, parts: &[&str]) -> String {
        let lengthened = |mac: Hmac<Sha256>, part: &&str| {
            mac.chain_update(part.len().to_be_bytes()).chain_update(part.as_bytes())
        };
        let digest = parts.iter().fold(self.key.clone(), lengthened).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode(&digest[..16])
    }

    /// Counts an attempt, and says whether it may be made.
    ///
    /// # Errors
    /// 429 with the time to wait; 503 when the database is away.
    pub async fn admit(
        &self,
        action: Action,
        account: &EmailAddress,
        audit: &Audit,
    ) -> Result<Attempt, Problem> {
        let admitted = self.reserve(action, account, audit.address).await?;
        admitted.map_err(|wait| {
            audit.throttled(action.name(), account);
            self.refused.with_label_values(&[action.name()]).inc();
            Problem::TooManyRequests(wait)
        })
    }

    async fn reserve(
        &self,
        action: Action,
        account: &EmailAddress,
        address: Option<IpAddr>,
    ) -> Result<Result<Attempt, Duration>, StoreError> {
        let mut attempt =
            Attempt { counts: self.counts.clone(), strict: Vec::new(), loose: Vec::new(), fixed: Vec::new() };
        if !self.enabled {
            return Ok(Ok(attempt));
        }
        let (name, network) = (action.name(), network(address));
        // The address first, so that one that has to wait leaves nothing behind; the account last, so that
        // whoever has to wait is nobody's hindrance there.
        let by_address = self.digest(&[name, "address", &network]);
        match self.reserve_loosely(&by_address, BY_ADDRESS, account, address).await? {
            Err(wait) => return Ok(Err(wait)),
            Ok(Counted::No) => {}
            Ok(Counted::Yes) if action.success_frees_address() => attempt.loose.push(by_address),
            Ok(Counted::Yes) => attempt.fixed.push(by_address),
        }
        let strict = self.digest(&[name, "pair", account.as_str(), &network]);
        if let Err(wait) = self.counts.reserve(&strict, action.strict()).await? {
            return Ok(Err(wait));
        }
        attempt.strict.push(strict);
        if let Some(pace) = action.by_account() {
            let by_account = self.digest(&[name, "account", account.as_str()]);
            match self.reserve_loosely(&by_account, pace, account, address).await? {
                Err(wait) => return Ok(Err(wait)),
                Ok(Counted::No) => {}
                Ok(Counted::Yes) => attempt.loose.push(by_account),
            }
        }
        Ok(Ok(attempt))
    }

    /// A known address need not wait, and is not counted then.
    async fn reserve_loosely(
        &self,
        key: &str,
        pace: Pace,
        account: &EmailAddress,
        address: Option<IpAddr>,
    ) -> Result<Result<Counted, Duration>, StoreError> {
        match self.counts.reserve(key, pace).await? {
            Err(_) if self.users.knows_address(account, &self.digest_of(address)).await? => {
                Ok(Ok(Counted::No))
            }
            reserved => Ok(reserved.map(|()| Counted::Yes)),
        }
    }
}

impl Attempt {
    fn take_all(&mut self) -> Vec<String> {
        [take(&mut self.strict), take(&mut self.loose), take(&mut self.fixed)].concat()
    }

    /// The attempt has failed: it stays counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(mut self) -> Result<(), StoreError> {
        let all = self.take_all();
        self.counts.settle(all).await
    }

    /// The attempt has succeeded: what was counted against it and those before it is forgotten. If that
    /// cannot be done, the success stands all the same.
    pub async fn forgive(mut self) {
        let (strict, loose, fixed) = (take(&mut self.strict), take(&mut self.loose), take(&mut self.fixed));
        let counts = &self.counts;
        let forgiving = async {
            counts.forget(strict).await?;
            counts.take_back(loose).await?;
            counts.settle(fixed).await
        };
        if let Err(error) = forgiving.await {
            tracing::warn!(%error, "a successful attempt stays counted");
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let all = self.take_all();
        if let (false, Ok(runtime)) = (all.is_empty(), Handle::try_current()) {
            let counts = self.counts.clone();
            runtime.spawn(async move {
                if let Err(error) = counts.take_back(all).await {
                    tracing::warn!(%error, "an attempt that was not made stays counted");
                }
            });
        }
    }
}

/// Whom an address stands for: an IPv6 host has at least the last 64 bits to choose from.
fn network(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        None => String::new(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_is_its_network_and_a_mapped_ipv4_address_is_itself() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
