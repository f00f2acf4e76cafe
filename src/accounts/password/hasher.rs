//! The pool that hashes and verifies.
//!
//! bcrypt is slow on purpose, so it runs on threads of its own behind a bounded queue: a storm of
//! logins fills the queue, and everything else goes on. [`places`] says who may wait.

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use prometheus::{IntCounterVec, IntGauge, core::Collector};
use secrecy::ExposeSecret;
use tokio::sync::oneshot;

use super::{
    ClaimedPassword, NewPassword, PasswordHash,
    hasher::{
        meter::{Meter, work},
        places::{LONGEST_WAIT, Places},
    },
};
use crate::{
    http::problem::{Code, Problem},
    telemetry::metrics::{self, counters},
};

mod meter;
mod places;

pub use super::hasher::places::Requester;

/// The threads' nice value: they take what the requests and the database leave, which is everything
/// while nobody else asks.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The pool. Clones share it; it ends with the last of them.
#[derive(Clone)]
pub struct Hasher {
    jobs: Sender<Job>,
    places: Arc<Places>,
    longest_wait: Duration,
    cost: u32,
    /// The highest cost of a hash that is stored, as far as is known, or today's.
    highest: Arc<AtomicU32>,
    metrics: HasherMetrics,
}

#[derive(Clone)]
struct HasherMetrics {
    waiting: IntGauge,
    running: IntGauge,
    ended: IntCounterVec,
}

impl HasherMetrics {
    fn new() -> Self {
        Self {
            waiting: metrics::gauge(
                "movie_bag_password_jobs_waiting",
                "Passwords in the queue to be hashed.",
            ),
            running: metrics::gauge("movie_bag_password_jobs_running", "Passwords that are being hashed."),
            ended: counters(
                "movie_bag_password_jobs_total",
                "Passwords to hash: done; refused, the queue or the caller's share of it being full; abandoned, the request's time being up.",
                "result",
                &["done", "refused", "abandoned"],
            ),
        }
    }

    fn ended(&self, result: &str) {
        self.ended.with_label_values(&[result]).inc();
    }
}

/// A job that runs: also one that panics comes to an end.
struct Running(IntGauge);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A hash of some cost that no password has: verifying against it takes as long as against another.
fn decoy(cost: u32) -> String {
    format!("$2b${cost:02}${}", ".".repeat(53))
}

/// The costs of the decoys that take as long together as the highest cost takes longer than `cost`.
fn costs_to_make_up(cost: u32, highest: u32) -> std::ops::Range<u32> {
    cost..highest
}

/// Verifies, and takes as long for a wrong password whatever the hash cost, so that the time does not tell
/// an account whose hash was made at another cost from one that does not exist: each cost takes twice as
/// long as the one before, so those from `c` to `highest - 1` make up the difference.
fn verify_evenly(
    meter: &Meter,
    password: &str,
    hash: Option<&PasswordHash>,
    highest: u32,
) -> bcrypt::BcryptResult<bool> {
    let verify = |hash: &str, cost| meter.time(cost, || bcrypt::verify(password, hash));
    let Some(hash) = hash else { return verify(&decoy(highest), highest).map(|_| false) };
    let cost = hash.cost().unwrap_or(highest);
    let same = verify(hash.as_stored(), cost)?;
    if !same {
        for cost in costs_to_make_up(cost, highest) {
            verify(&decoy(cost), cost)?;
        }
    }
    Ok(same)
}

impl Hasher {
    /// What a client may be told while a password is hashed.
    pub const REFUSALS: &[Code] = &[Code::Overloaded];

    /// Starts one thread per core.
    ///
    /// # Errors
    /// The operating system's, if it refuses a thread.
    pub fn start(cost: u32) -> std::io::Result<Self> {
        Self::bounded_by(Meter::start(cost), LONGEST_WAIT, cost)
    }

    fn bounded_by(meter: Meter, longest_wait: Duration, cost: u32) -> std::io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        for number in 0..threads {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(format!("bcrypt-{number}")).spawn(move || take_turns(&queue))?;
        }
        Ok(Self {
            jobs,
            places: Arc::new(Places::new(threads, meter)),
            longest_wait,
            cost,
            highest: Arc::new(AtomicU32::new(cost)),
            metrics: HasherMetrics::new(),
        })
    }

    /// The cost of the hashes that are made today.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// There is a hash of this cost: from now on a wrong password takes the work of it, if it is the
    /// highest. Returns the highest.
    pub fn reckon_with(&self, hash: &PasswordHash) -> u32 {
        let cost = hash.cost().unwrap_or_default();
        self.highest.fetch_max(cost, Ordering::Relaxed).max(cost)
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let HasherMetrics { waiting, running, ended } = self.metrics.clone();
        let highest = Arc::clone(&self.highest);
        let highest = metrics::read_gauge(
            "movie_bag_password_highest_cost",
            "The highest bcrypt cost in use, whose work a wrong password takes.",
            move || f64::from(highest.load(Ordering::Relaxed)),
        );
        vec![Box::new(waiting), Box::new(running), Box::new(ended), Box::new(highest)]
    }

    /// Hashes at today's cost.
    ///
    /// # Errors
    /// 503 if too many wait.
    pub async fn hash(&self, password: NewPassword, who: &Requester) -> Result<PasswordHash, Problem> {
        let (cost, places) = (self.cost, Arc::clone(&self.places));
        let hash = move || places.meter.time(cost, || bcrypt::hash(password.0.expose_secret(), cost));
        self.run(who, work(cost), hash)
            .await?
            .map(PasswordHash)
            .map_err(|error| Problem::Internal(format!("bcrypt: {error}").into()))
    }

    /// Whether the password is that of `hash`. Without a hash (no such account) the answer is no,
    /// after the same time; so it is for what cannot be a password.
    ///
    /// # Errors
    /// 503 if too many wait.
    pub async fn verify(
        &self,
        password: &ClaimedPassword,
        hash: Option<&PasswordHash>,
        who: &Requester,
    ) -> Result<bool, Problem> {
        let possible = password.is_possible();
        let password = password.0.clone();
        let highest =
            hash.map_or_else(|| self.highest.load(Ordering::Relaxed), |hash| self.reckon_with(hash));
        let hash = hash.filter(|_| possible).cloned();
        let places = Arc::clone(&self.places);
        self.run(who, work(highest), move || {
            let password = if possible { password.expose_secret() } else { "-" };
            verify_evenly(&places.meter, password, hash.as_ref(), highest)
        })
        .await?
        .map_err(|error| Problem::Internal(format!("bcrypt: {error}").into()))
    }

    /// The same password hashed at today's cost, if `hash` was made at a lower one.
    ///
    /// # Errors
    /// 503 if too many wait.
    pub async fn renew(
        &self,
        password: ClaimedPassword,
        hash: &PasswordHash,
        who: &Requester,
    ) -> Result<Option<PasswordHash>, Problem> {
        if hash.cost().is_some_and(|cost| cost < self.cost) {
            self.hash(NewPassword(password.0), who).await.map(Some)
        } else {
            Ok(None)
        }
    }

    async fn run<T: Send + 'static>(
        &self,
        who: &Requester,
        work: u64,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let taken = self.places.take(who, work).await;
        let mut place = taken.inspect_err(|_| self.metrics.ended("refused"))?;
        let (answer, result) = oneshot::channel();
        let (metrics, longest_wait, queued) = (self.metrics.clone(), self.longest_wait, Instant::now());
        let job: Job = Box::new(move || {
            place.begin();
            metrics.waiting.dec();
            metrics.running.inc();
            let _running = Running(metrics.running.clone());
            // The request may have run out of time in the meantime.
            if answer.is_closed() {
                metrics.ended("abandoned");
            } else if queued.elapsed() > longest_wait {
                metrics.ended("refused");
                let _ = answer.send(Err(Problem::Overloaded));
            } else {
                let result = job();
                metrics.ended("done");
                let _ = answer.send(Ok(result));
            }
        });
        // Before the job can begin, which takes it off again.
        self.metrics.waiting.inc();
        self.jobs.send(job).map_err(|_| {
            self.metrics.waiting.dec();
            Problem::Internal("the bcrypt threads are gone".into())
        })?;
        result.await.map_err(|_| Problem::Internal("a bcrypt job panicked".into()))?
    }
}

fn take_turns(queue: &Mutex<Receiver<Job>>) {
    // Linux reads "the calling process" as the calling thread (setpriority(2), under "Notes"). Without
    // it logins cost others more: no reason not to serve.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
    loop {
        // The guard is dropped at the end of this statement: others take jobs while this one works.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic must not cost a thread; the caller sees its channel closed.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests;
