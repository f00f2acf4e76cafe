//! The threads that hash and verify, and their queue.

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

use prometheus::core::Collector;
use secrecy::ExposeSecret;
use tokio::sync::oneshot;

use super::{
    counters::{Counters, Running},
    evenly::verify_evenly,
    meter::{Meter, work},
    places::{LONGEST_WAIT, Places, Requester},
};
use crate::{
    accounts::password::{ClaimedPassword, NewPassword, PasswordHash},
    http::problem::{Code, Problem},
    telemetry::metrics,
};

/// The threads' nice value. They get the time that requests and the database leave, which is everything while there is
/// nothing else to do.
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
    /// The highest cost of a stored hash, as far as it is known, or the cost of new hashes if that is higher.
    pub(super) highest: Arc<AtomicU32>,
    pub(super) counters: Counters,
}

impl Hasher {
    /// The problems that hashing a password can cause.
    pub const REFUSALS: &[Code] = &[Code::Overloaded];

    /// Starts one thread per core.
    ///
    /// # Errors
    /// If the operating system refuses a thread.
    pub fn start(cost: u32) -> std::io::Result<Self> {
        Self::bounded_by(Meter::start(cost), LONGEST_WAIT, cost)
    }

    pub(super) fn bounded_by(meter: Meter, longest_wait: Duration, cost: u32) -> std::io::Result<Self> {
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
            counters: Counters::new(),
        })
    }

    /// The cost of new hashes.
    #[must_use]
    pub fn cost(&self) -> u32 {
        self.cost
    }

    /// Notes that a hash of this cost is stored. If the cost is the highest one, a wrong password takes its work from
    /// now on. Returns the highest cost.
    pub fn reckon_with(&self, hash: &PasswordHash) -> u32 {
        let cost = hash.cost().unwrap_or_default();
        self.highest.fetch_max(cost, Ordering::Relaxed).max(cost)
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let Counters { waiting, running, ended } = self.counters.clone();
        let highest = Arc::clone(&self.highest);
        let highest = metrics::read_gauge(
            "movie_bag_password_highest_cost",
            "The highest bcrypt cost in use. A wrong password takes the work of this cost.",
            move || f64::from(highest.load(Ordering::Relaxed)),
        );
        vec![Box::new(waiting), Box::new(running), Box::new(ended), Box::new(highest)]
    }

    /// Hashes a password at the cost of new hashes.
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

    /// Whether the password is that of `hash`. Without a hash, because there is no such account, the answer is no after
    /// the same time. The same holds for a text that cannot be a password.
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

    /// Hashes the same password at the cost of new hashes, if `hash` has a lower cost.
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

    pub(super) async fn run<T: Send + 'static>(
        &self,
        who: &Requester,
        work: u64,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let taken = self.places.take(who, work).await;
        let mut place = taken.inspect_err(|_| self.counters.ended("refused"))?;
        let (answer, result) = oneshot::channel();
        let (counters, longest_wait, queued) = (self.counters.clone(), self.longest_wait, Instant::now());
        let job: Job = Box::new(move || {
            place.begin();
            counters.waiting.dec();
            counters.running.inc();
            let _running = Running(counters.running.clone());
            // The request may have run out of time in the meantime.
            if answer.is_closed() {
                counters.ended("abandoned");
            } else if queued.elapsed() > longest_wait {
                counters.ended("refused");
                let _ = answer.send(Err(Problem::Overloaded));
            } else {
                let result = job();
                counters.ended("done");
                let _ = answer.send(Ok(result));
            }
        });
        // Before the job can begin, because the job counts itself off again.
        self.counters.waiting.inc();
        self.jobs.send(job).map_err(|_| {
            self.counters.waiting.dec();
            Problem::Internal("the bcrypt threads are gone".into())
        })?;
        result.await.map_err(|_| Problem::Internal("a bcrypt job panicked".into()))?
    }
}

fn take_turns(queue: &Mutex<Receiver<Job>>) {
    // Linux reads "the calling process" as the calling thread (setpriority(2), under "Notes"). If this fails, logins
    // slow down other requests more, but the server can still serve.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICE);
    loop {
        // The guard is dropped at the end of this statement, so other threads can take jobs while this one works.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic must not end the thread. The caller sees that its channel is closed.
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}
