//! Measures how long bcrypt takes on this machine, by timing the real work.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// The cost of a hash that is made at the start, so that the first callers have a measurement. It takes about 15 ms.
const FIRST_COST: u32 = 8;

/// The time of a unit of work, as an average over the last hashes. Whatever else the machine does counts too.
pub(super) struct Meter {
    nanoseconds: AtomicU64,
}

/// The work of a hash, in units: each cost takes twice the work of the one before.
pub(super) fn work(cost: u32) -> u64 {
    1 << cost.min(31)
}

impl Meter {
    /// Measures one hash, at `cost` at most.
    pub fn start(cost: u32) -> Self {
        let meter = Self { nanoseconds: AtomicU64::new(0) };
        let cost = cost.min(FIRST_COST);
        // Neither the result nor an error matters.
        let _ = meter.time(cost, || bcrypt::hash("", cost));
        meter
    }

    /// Runs something that takes the time of one hash of this cost, and measures it.
    pub fn time<T>(&self, cost: u32, hash: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = hash();
        let elapsed = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (now, before) = (elapsed / work(cost), self.nanoseconds.load(Ordering::Relaxed));
        // Two threads at once may lose one measurement. The next one replaces it.
        let average = if before == 0 { now } else { before - before / 8 + now / 8 };
        self.nanoseconds.store(average.max(1), Ordering::Relaxed);
        done
    }

    /// How many units of work one thread does in this time.
    pub fn work_in(&self, time: Duration) -> u64 {
        u64::try_from(time.as_nanos()).unwrap_or(u64::MAX) / self.nanoseconds.load(Ordering::Relaxed).max(1)
    }

    /// A meter with a fixed measurement, for tests that need to know the bounds.
    #[cfg(test)]
    pub fn fixed(cost: u32, hash: Duration) -> Self {
        let meter = Self { nanoseconds: AtomicU64::new(0) };
        meter.set(cost, hash);
        meter
    }

    #[cfg(test)]
    pub fn set(&self, cost: u32, hash: Duration) {
        let nanoseconds = u64::try_from(hash.as_nanos()).unwrap() / work(cost);
        self.nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }
}
