//! How many requests an address may make in a second, if the operator has set a limit.
//!
//! Each server counts in its own memory: a count in the database would cost more than most of the requests that it
//! counts. The count is a token bucket (GCRA, by the crate `governor`). [`Network`] says what counts as one address.

use std::{
    num::NonZero,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::StateStore,
};
use lru::LruCache;
use rocket::{
    Data, Request, Response,
    fairing::{Fairing, Info, Kind},
    http::{Header, Method},
};

use crate::{accounts::network::Network, http::problem::Problem};

/// How many seconds' worth of requests may come at once.
const BURST_SECONDS: u32 = 4;
/// How many addresses are remembered, in about 10 MB. A new address replaces the least recently seen one. So nobody can
/// make the server refuse others, or fill its memory, with requests from many addresses.
const ADDRESSES: NonZero<usize> = NonZero::new(65_536).unwrap();

/// Counts requests by address.
pub struct ReadLimit<C: Clock = MonotonicClock> {
    /// `None` means no limit.
    counting: Option<Counting<C>>,
}

struct Counting<C: Clock> {
    limiter: RateLimiter<Network, Addresses, C, StateInformationMiddleware>,
    per_second: u32,
    burst: u32,
}

/// What the server tells the client about a counted request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counted {
    burst: u32,
    left: u32,
    /// The time until the whole burst is available again, in seconds.
    whole_in: u32,
    /// How long to wait, if the request is refused.
    wait: Option<Duration>,
}

struct Addresses(Mutex<LruCache<Network, Nanos>>);

impl StateStore for Addresses {
    type Key = Network;

    fn measure_and_replace<T, F, E>(&self, address: &Network, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        // No code that holds this lock panics half-way through a change.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, state) = decide(known.get(address).copied())?;
        known.put(address.clone(), state);
        Ok(answer)
    }
}

impl ReadLimit {
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        Self::by(per_second, ADDRESSES, MonotonicClock)
    }
}

impl<C: Clock> ReadLimit<C> {
    fn by(per_second: u32, addresses: NonZero<usize>, clock: C) -> Self {
        let counting = NonZero::new(per_second).map(|rate| {
            let burst = rate.saturating_mul(NonZero::new(BURST_SECONDS).unwrap_or(rate));
            let known = Addresses(Mutex::new(LruCache::new(addresses)));
            let limiter = RateLimiter::new(Quota::per_second(rate).allow_burst(burst), known, clock);
            Counting { limiter, per_second, burst: burst.get() }
        });
        Self { counting }
    }

    fn count(&self, address: &Network) -> Option<Counted> {
        let Counting { limiter, per_second, burst } = self.counting.as_ref()?;
        let (left, wait) = match limiter.check_key(address) {
            Ok(state) => (state.remaining_burst_capacity(), None),
            Err(until) => (0, Some(until.wait_time_from(limiter.clock().now()))),
        };
        Some(Counted { burst: *burst, left, whole_in: (burst - left).div_ceil(*per_second), wait })
    }
}

/// A preflight does not count: a browser sends it by itself, and a page cannot read its answer.
fn is_counted(request: &Request<'_>) -> bool {
    let is_preflight =
        request.method() == Method::Options && request.headers().contains("Access-Control-Request-Method");
    request.uri().path().segments().get(0) == Some("api") && !is_preflight
}

#[rocket::async_trait]
impl Fairing for ReadLimit {
    fn info(&self) -> Info {
        Info { name: "read limit", kind: Kind::Request | Kind::Response }
    }

    async fn on_request(&self, request: &mut Request<'_>, _: &mut Data<'_>) {
        if self.counting.is_none() || !is_counted(request) {
            return;
        }
        let counted = self.count(&Network::of(request.client_ip()));
        if let Some(wait) = counted.and_then(|counted| counted.wait) {
            // Every route looks for this problem before it runs its guards.
            let _ = Problem::TooManyRequests(wait).refuse(request);
        }
        request.local_cache(|| counted);
    }

    async fn on_response<'r>(&self, request: &'r Request<'_>, response: &mut Response<'r>) {
        let Some(Counted { burst, left, whole_in, .. }) = *request.local_cache(|| None::<Counted>) else {
            return;
        };
        let policy = format!("\"default\";q={burst};w={BURST_SECONDS}");
        response.set_header(Header::new("RateLimit-Policy", policy));
        response.set_header(Header::new("RateLimit", format!("\"default\";r={left};t={whole_in}")));
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn address(number: u32) -> Network {
        Network::of(Some(std::net::Ipv4Addr::from_bits(number).into()))
    }

    #[test]
    fn four_seconds_worth_at_once_and_then_one_at_a_time() {
        let clock = FakeRelativeClock::default();
        let limit = ReadLimit::by(2, ADDRESSES, clock.clone());
        let count = |number| limit.count(&address(number)).unwrap();
        for left in (0..8).rev() {
            let counted = count(1);
            assert_eq!((counted.left, counted.wait), (left, None));
            assert_eq!(counted.whole_in, (8 - left).div_ceil(2));
        }
        let wait = Some(Duration::from_millis(500));
        assert_eq!(count(1), Counted { burst: 8, left: 0, whole_in: 4, wait });
        assert_eq!(count(1).wait, wait, "a refusal does not count");
        assert_eq!(count(2).left, 7, "another address");
        clock.advance(Duration::from_millis(500));
        assert_eq!(count(1).wait, None);
        assert_eq!(count(1).wait, wait);
        clock.advance(Duration::from_secs(4));
        assert_eq!(count(1).left, 7);
    }

    #[test]
    fn so_many_addresses_are_remembered_and_no_more() {
        let limit = ReadLimit::by(1, NonZero::new(100).unwrap(), FakeRelativeClock::default());
        for number in 0..10_000 {
            assert_eq!(limit.count(&address(number)).unwrap().left, 3);
            // This address is seen all the time, so it stays.
            limit.count(&address(u32::MAX));
        }
        assert!(limit.count(&address(u32::MAX)).unwrap().wait.is_some());
        let known = limit.counting.unwrap().limiter.into_state_store();
        assert_eq!(known.0.into_inner().unwrap().len(), 100);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        assert!(ReadLimit::new(0).count(&address(1)).is_none());
    }
}
