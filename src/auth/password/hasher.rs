//! The pool that hashes and verifies.
//!
//! bcrypt is slow on purpose, so it runs on threads of its own behind a bounded queue: a storm of
//! logins fills the queue, and everything else goes on.

use std::{
    num::NonZero,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use prometheus::{IntCounterVec, IntGauge, core::Collector};
use secrecy::ExposeSecret;
use tokio::sync::oneshot;

use super::{ClaimedPassword, NewPassword, PasswordHash};
use crate::{
    metrics::{self, counters},
    problem::{Code, Problem},
};

/// Jobs that may wait; the next one is refused.
const QUEUE: usize = 128;
/// The threads' nice value: they take what the requests and the database leave, which is everything
/// while nobody else asks.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

type Job = Box<dyn FnOnce() + Send>;

/// The pool. Clones share it; it ends with the last of them.
#[derive(Clone)]
pub struct Hasher {
    jobs: SyncSender<Job>,
    cost: u32,
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
                "Passwords to hash: done; refused, the queue being full; abandoned, the request's time being up.",
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

/// The costs of the decoys that take as long together as today's cost takes longer than `cost`.
fn costs_to_make_up(cost: u32, today: u32) -> std::ops::Range<u32> {
    cost..today
}

/// Verifies, and takes as long for a wrong password whatever the hash cost, so that the time does not
/// tell an account that has not logged in since the cost was raised from one that does not exist: each
/// cost takes twice as long as the one before, so those from `c` to `today - 1` make up the difference.
fn verify_evenly(password: &str, hash: Option<&PasswordHash>, today: u32) -> bcrypt::BcryptResult<bool> {
    let Some(hash) = hash else { return bcrypt::verify(password, &decoy(today)).map(|_| false) };
    let same = bcrypt::verify(password, hash.as_stored())?;
    if !same {
        for cost in costs_to_make_up(hash.cost().unwrap_or(today), today) {
            bcrypt::verify(password, &decoy(cost))?;
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
        let (jobs, queue) = sync_channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            let queue = Arc::clone(&queue);
            thread::Builder::new().name(format!("bcrypt-{number}")).spawn(move || work(&queue))?;
        }
        Ok(Self { jobs, cost, metrics: HasherMetrics::new() })
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let HasherMetrics { waiting, running, ended } = self.metrics.clone();
        vec![Box::new(waiting), Box::new(running), Box::new(ended)]
    }

    /// Hashes at today's cost.
    ///
    /// # Errors
    /// 503 if the queue is full.
    pub async fn hash(&self, password: NewPassword) -> Result<PasswordHash, Problem> {
        let cost = self.cost;
        self.run(move || bcrypt::hash(password.0.expose_secret(), cost))
            .await?
            .map(PasswordHash)
            .map_err(|error| Problem::Internal(format!("bcrypt: {error}").into()))
    }

    /// Whether the password is that of `hash`. Without a hash (no such account) the answer is no,
    /// after the same time; so it is for what cannot be a password.
    ///
    /// # Errors
    /// 503 if the queue is full.
    pub async fn verify(
        &self,
        password: &ClaimedPassword,
        hash: Option<&PasswordHash>,
    ) -> Result<bool, Problem> {
        let possible = password.is_possible();
        let password = password.0.clone();
        let hash = hash.filter(|_| possible).cloned();
        let today = self.cost;
        self.run(move || {
            let password = if possible { password.expose_secret() } else { "-" };
            verify_evenly(password, hash.as_ref(), today)
        })
        .await?
        .map_err(|error| Problem::Internal(format!("bcrypt: {error}").into()))
    }

    /// The same password hashed at today's cost, if `hash` was made at a lower one.
    ///
    /// # Errors
    /// 503 if the queue is full.
    pub async fn renew(
        &self,
        password: ClaimedPassword,
        hash: &PasswordHash,
    ) -> Result<Option<PasswordHash>, Problem> {
        if hash.cost().is_some_and(|cost| cost < self.cost) {
            self.hash(NewPassword(password.0)).await.map(Some)
        } else {
            Ok(None)
        }
    }

    async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let (answer, result) = oneshot::channel();
        let metrics = self.metrics.clone();
        let job: Job = Box::new(move || {
            metrics.waiting.dec();
            metrics.running.inc();
            let _running = Running(metrics.running.clone());
            // The request may have run out of time in the meantime.
            if answer.is_closed() {
                metrics.ended("abandoned");
            } else {
                let result = job();
                metrics.ended("done");
                let _ = answer.send(result);
            }
        });
        // Before the job can begin, which takes it off again.
        self.metrics.waiting.inc();
        self.jobs.try_send(job).map_err(|error| {
            self.metrics.waiting.dec();
            match error {
                TrySendError::Full(_) => {
                    self.metrics.ended("refused");
                    Problem::Overloaded
                }
                TrySendError::Disconnected(_) => Problem::Internal("the bcrypt threads are gone".into()),
            }
        })?;
        result.await.map_err(|_| Problem::Internal("a bcrypt job panicked".into()))
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
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
