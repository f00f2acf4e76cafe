//! Decides whether an attempt may be made.

use std::{net::IpAddr, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use mongodb::Database;
use prometheus::{IntCounterVec, core::Collector};
use secrecy::SecretString;
use sha2::Sha256;

use super::{
    action::{Action, BY_ADDRESS, TAKEN_BY_ACCOUNT, TAKEN_BY_ADDRESS},
    attempt::{Attempt, TooEarly},
    clock::Clock,
    counts::Counts,
    quota::{INVITATION, Quotas},
};
use crate::{
    accounts::{EmailAddress, Users, audit::Audit, network::Network},
    config::secret,
    http::{
        ids::UserId,
        problem::{Code, Problem},
    },
    mongo::StoreError,
    telemetry::metrics,
};

/// The name of an attempt to get an email. The other attempts have the name of their action.
const EMAIL: &str = "email";

/// Counts attempts and refuses some of them.
#[derive(Clone)]
pub struct Throttle {
    enabled: bool,
    clock: Clock,
    counts: Counts,
    users: Users,
    key: Hmac<Sha256>,
    refused: IntCounterVec,
}

/// An attempt that has to wait.
enum Refused {
    /// Account and address together have failed too often.
    Strictly(Duration),
    /// The address alone has failed too often, or the account alone has.
    Loosely(Duration),
}

impl Throttle {
    /// The problems that the throttle can answer with.
    pub const REFUSALS: &[Code] = &[Code::TooManyRequests];

    #[must_use]
    pub fn new(database: &Database, users: Users, secret: &SecretString, enabled: bool) -> Self {
        let clock = Clock::default();
        Self {
            enabled,
            counts: Counts::new(database, clock.clone()),
            clock,
            users,
            key: secret::derived(secret, "movie-bag throttle 2"),
            refused: metrics::counters(
                "movie_bag_throttle_refusals_total",
                "Attempts that were answered with 429.",
                "attempted",
                &[
                    "password",
                    "signup",
                    "forgot",
                    "reset",
                    "verification",
                    "verify",
                    "refresh",
                    "exchange",
                    "accept",
                    INVITATION,
                    EMAIL,
                ],
            ),
        }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![Box::new(self.refused.clone())]
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(super) fn quotas(&self) -> Quotas {
        self.counts.quotas()
    }

    /// The clock that it counts by, for tests, which do not wait.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// A digest under which an address is remembered.
    #[must_use]
    pub fn digest_of(&self, address: Option<IpAddr>) -> String {
        self.digest(&["address", Network::of(address).as_str()])
    }

    pub(super) fn digest(&self, parts: &[&str]) -> String {
        let lengthened = |mac: Hmac<Sha256>, part: &&str| {
            mac.chain_update(part.len().to_be_bytes()).chain_update(part.as_bytes())
        };
        let digest = parts.iter().fold(self.key.clone(), lengthened).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode(&digest[..16])
    }

    /// Counts an attempt, and says whether it may be made. A login may be [`Attempt::too_early`].
    ///
    /// # Errors
    /// 429 with the time to wait; 503 when the database is unavailable.
    pub async fn admit(
        &self,
        action: Action,
        account: &EmailAddress,
        audit: &Audit,
    ) -> Result<Attempt, Problem> {
        match self.reserve(action, account, audit.address).await? {
            Ok(attempt) => Ok(attempt),
            Err(Refused::Loosely(wait)) if action == Action::Login => {
                Ok(self.reserve_too_early(account, audit.address, wait).await?)
            }
            Err(Refused::Loosely(wait) | Refused::Strictly(wait)) => {
                Err(self.refuse(action, account, audit, wait))
            }
        }
    }

    /// Counts an attempt to get an email, by an account or by a client without one. The answer may reveal that the
    /// email is taken. A success takes back only its own count.
    ///
    /// # Errors
    /// 429 with the time to wait; 503 when the database is unavailable.
    pub async fn admit_email(
        &self,
        email: &EmailAddress,
        asker: Option<UserId>,
        audit: &Audit,
    ) -> Result<Attempt, Problem> {
        let mut attempt = Attempt::new(&self.counts);
        if !self.enabled {
            return Ok(attempt);
        }
        let network = Network::of(audit.address);
        let mut keys = vec![(self.digest(&[EMAIL, "address", network.as_str()]), TAKEN_BY_ADDRESS)];
        if let Some(asker) = asker {
            keys.push((self.digest(&[EMAIL, "account", &asker.to_string()]), TAKEN_BY_ACCOUNT));
        }
        for (key, pace) in keys {
            if let Err(wait) = self.counts.reserve(&key, pace).await? {
                return Err(self.refuse_as(EMAIL, email, audit, wait));
            }
            attempt.loose.push(key);
        }
        Ok(attempt)
    }

    /// Refuses an attempt: counts the refusal, and writes it to the audit log.
    pub fn refuse(&self, action: Action, account: &EmailAddress, audit: &Audit, wait: Duration) -> Problem {
        self.refuse_as(action.name(), account, audit, wait)
    }

    pub(super) fn refuse_as(
        &self,
        attempted: &str,
        account: &EmailAddress,
        audit: &Audit,
        wait: Duration,
    ) -> Problem {
        audit.throttled(attempted, account.masked());
        self.refused.with_label_values(&[attempted]).inc();
        Problem::TooManyRequests(wait)
    }

    async fn reserve(
        &self,
        action: Action,
        account: &EmailAddress,
        address: Option<IpAddr>,
    ) -> Result<Result<Attempt, Refused>, StoreError> {
        let mut attempt = Attempt::new(&self.counts);
        if !self.enabled {
            return Ok(Ok(attempt));
        }
        let (name, network) = (action.name(), Network::of(address));
        // The address comes first, so that an address that has to wait leaves no other count behind. The account comes
        // last, so that a caller who has to wait does not hinder others there.
        let by_address = self.digest(&[name, "address", network.as_str()]);
        match self.counts.reserve(&by_address, BY_ADDRESS).await? {
            Ok(()) if action.success_frees_address() => attempt.loose.push(by_address),
            Ok(()) => attempt.fixed.push(by_address),
            // A user with a token of the account knows that it exists, so a known address need not wait.
            Err(_) if action == Action::Change && self.knows(account, address).await? => {}
            Err(wait) => return Ok(Err(Refused::Loosely(wait))),
        }
        let strict = self.digest(&[name, "pair", account.as_str(), network.as_str()]);
        if let Err(wait) = self.counts.reserve(&strict, action.strict()).await? {
            return Ok(Err(Refused::Strictly(wait)));
        }
        attempt.strict.push(strict);
        if let Some(pace) = action.by_account() {
            let by_account = self.digest(&[name, "account", account.as_str()]);
            if let Err(wait) = self.counts.reserve(&by_account, pace).await? {
                return Ok(Err(Refused::Loosely(wait)));
            }
            attempt.loose.push(by_account);
        }
        Ok(Ok(attempt))
    }

    /// A login that has to wait because of the looser counts: see [`TooEarly`]. If the address is known, failures count
    /// under a key of their own, and no answer shows when that key is used up either.
    async fn reserve_too_early(
        &self,
        account: &EmailAddress,
        address: Option<IpAddr>,
        wait: Duration,
    ) -> Result<Attempt, StoreError> {
        let network = Network::of(address);
        let known = self.knows(account, address).await?;
        // If the address is not known, there is nothing to count. The same commands run anyway, to take the same time.
        let key = if known {
            self.digest(&["too early", "known", account.as_str(), network.as_str()])
        } else {
            self.digest(&["too early", "unknown", network.as_str()])
        };
        let mut attempt = Attempt::new(&self.counts);
        let open = self.counts.reserve(&key, Action::Login.strict()).await?.is_ok();
        if open {
            attempt.strict.push(key);
        }
        attempt.too_early = Some(TooEarly { wait, may_succeed: known && open });
        Ok(attempt)
    }

    async fn knows(&self, account: &EmailAddress, address: Option<IpAddr>) -> Result<bool, StoreError> {
        self.users.knows_address(account, &self.digest_of(address)).await
    }
}
