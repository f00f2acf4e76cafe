//! Passwords: what is accepted as one, and the pool that hashes and verifies.
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
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::oneshot;
use unicode_normalization::UnicodeNormalization;
use utoipa::openapi::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

use crate::{
    fields::{Rule, Wrong, has_control, rules::NO_CONTROL},
    metrics::{self, counters},
    problem::{Code, Problem},
};

/// NIST SP 800-63B, section 5.1.1.2.
const MIN_CHARACTERS: usize = 8;
/// bcrypt reads no more: a longer password is refused, never cut.
const MAX_BYTES: usize = 72;
/// Jobs that may wait; the next one is refused.
const QUEUE: usize = 128;
/// The threads' nice value: they take what the requests and the database leave, which is everything
/// while nobody else asks.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// A password that may be set. In Unicode NFC, so that two keyboards give the same bytes.
#[derive(Debug)]
pub struct NewPassword(SecretString);

/// The rule of [`NewPassword`].
pub struct NewPasswordRule;

impl Rule for NewPasswordRule {
    type Value = NewPassword;

    fn parse(&self, value: Value) -> Result<NewPassword, Vec<Wrong>> {
        let Value::String(text) = value else {
            return Err(vec![Wrong::new("wrong-type", "must be a string")]);
        };
        let text: String = text.nfc().collect();
        let wrong = if text.chars().count() < MIN_CHARACTERS {
            Wrong::new("too-short", format!("must have {MIN_CHARACTERS} characters at least"))
        } else if text.len() > MAX_BYTES {
            Wrong::new("too-long", format!("must have {MAX_BYTES} bytes at most"))
        } else if has_control(&text, false) {
            Wrong::new("control-character", "must not hold a control character")
        } else if passwords::analyzer::is_common_password(&text) {
            Wrong::new("too-common", "is one of the most common passwords: choose one that others do not")
        } else {
            return Ok(NewPassword(text.into()));
        };
        Err(vec![wrong])
    }

    fn schema(&self) -> Schema {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
            .min_length(Some(MIN_CHARACTERS))
            // Characters, where the rule is bytes: a schema has no word for those.
            .max_length(Some(MAX_BYTES))
            .pattern(Some(format!("^{NO_CONTROL}*$")))
            .build()
            .into()
    }
}

/// A password that somebody claims is theirs: any string.
#[derive(Debug)]
pub struct ClaimedPassword(SecretString);

impl ClaimedPassword {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.nfc().collect::<String>().into())
    }
}

/// A bcrypt hash. It does not print.
#[derive(Clone, serde::Deserialize)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// For the database and its filters.
    #[must_use]
    pub fn as_stored(&self) -> &str {
        &self.0
    }

    /// The cost that the hash was made with.
    fn cost(&self) -> Option<u32> {
        self.0.split('$').nth(2)?.parse().ok()
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

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
                "Passwords to hash: done; refused, the queue being full; abandoned, whoever asked having gone.",
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
        let password = password.0.clone();
        let bytes = password.expose_secret().len();
        let possible = (1..=MAX_BYTES).contains(&bytes) && !has_control(password.expose_secret(), false);
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
            // Whoever asked may have gone in the meantime.
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
mod tests {
    use super::*;

    fn refusal(password: &str) -> Option<&'static str> {
        NewPasswordRule.parse(Value::from(password)).err().map(|wrongs| wrongs[0].code)
    }

    #[test]
    fn a_new_password_has_8_characters_and_72_bytes() {
        assert_eq!(refusal("gnu-y4k"), Some("too-short"));
        assert_eq!(refusal("gnu-y4k!"), None);
        assert_eq!(refusal("éééééééé"), None);
        assert_eq!(refusal(&"äb".repeat(24)), None);
        assert_eq!(refusal(&format!("{}c", "äb".repeat(24))), Some("too-long"));
        assert_eq!(refusal("gnu\u{0}yak-horns"), Some("control-character"));
        for common in ["password", "12345678", "qwertyuiop", "iloveyou"] {
            assert_eq!(refusal(common), Some("too-common"), "{common}");
        }
    }

    #[tokio::test]
    async fn a_password_verifies_in_either_unicode_form() {
        let hasher = Hasher::start(4).unwrap();
        let composed = NewPasswordRule.parse(Value::from("caf\u{e9}-olé-12")).unwrap();
        let hash = hasher.hash(composed).await.unwrap();
        let decomposed = ClaimedPassword::new("cafe\u{301}-olé-12");
        assert!(hasher.verify(&decomposed, Some(&hash)).await.unwrap());
        assert!(!hasher.verify(&decomposed, None).await.unwrap());
    }

    #[tokio::test]
    async fn all_72_bytes_count_and_the_73rd_is_not_ignored() {
        let hasher = Hasher::start(4).unwrap();
        let longest = "0123456789abcdef".repeat(4) + "01234567";
        let hash = hasher.hash(NewPasswordRule.parse(Value::from(longest.as_str())).unwrap()).await.unwrap();
        let same = async |text: &str| hasher.verify(&ClaimedPassword::new(text), Some(&hash)).await.unwrap();
        assert!(same(&longest).await);
        assert!(!same(&format!("{longest}8")).await);
        assert!(!same(&format!("{}8", &longest[..71])).await);
        assert!(!same("").await);
    }

    #[test]
    fn a_wrong_password_takes_the_work_of_today_whatever_the_hash_cost() {
        // bcrypt's work is 2 to the power of its cost.
        let work = |cost: u32| 1_u64 << cost;
        for cost in 4..=12 {
            let decoys: u64 = costs_to_make_up(cost, 12).map(work).sum();
            assert_eq!(work(cost) + decoys, work(12), "cost {cost}");
        }
        assert_eq!(costs_to_make_up(13, 12).count(), 0);
        let hash = PasswordHash(bcrypt::hash("yak-gnu-emu", 4).unwrap());
        assert!(!verify_evenly("wrong", Some(&hash), 6).unwrap());
        assert!(!verify_evenly("yak-gnu-emu", None, 6).unwrap());
        assert!(verify_evenly("yak-gnu-emu", Some(&hash), 6).unwrap());
    }

    #[tokio::test]
    async fn what_waits_runs_ends_and_is_refused_is_counted() {
        let hasher = Hasher::start(4).unwrap();
        let ended = |result: &str| hasher.metrics.ended.with_label_values(&[result]).get();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let jobs = |times: usize| {
            let held = || {
                let (own, gate) = (hasher.clone(), Arc::clone(&gate));
                // Until the gate is gone.
                let job = move || gate.lock().is_ok_and(|gate| gate.recv().is_err());
                tokio::spawn(async move { own.run(job).await })
            };
            (0..times).map(|_| held()).collect::<Vec<_>>()
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let running = jobs(threads);
        while hasher.metrics.running.get() < i64::try_from(threads).unwrap() {
            tokio::task::yield_now().await;
        }
        let waiting = jobs(QUEUE);
        while hasher.metrics.waiting.get() < i64::try_from(QUEUE).unwrap() {
            tokio::task::yield_now().await;
        }
        let refused = hasher.run(|| ()).await;
        assert!(matches!(refused, Err(Problem::Overloaded)));
        assert_eq!((hasher.metrics.waiting.get(), ended("refused"), ended("done")), (128, 1, 0));
        // Whoever asked goes, before it is their turn.
        waiting.last().unwrap().abort();
        while !waiting.last().unwrap().is_finished() {
            tokio::task::yield_now().await;
        }
        drop(open);
        for job in running.into_iter().chain(waiting) {
            let _ = job.await;
        }
        let panicked = hasher.run(|| panic!("on purpose")).await;
        assert!(matches!(panicked, Err(Problem::Internal(_))));
        // The last one is counted off after it has answered.
        while hasher.metrics.running.get() > 0 {
            tokio::task::yield_now().await;
        }
        let done = u64::try_from(threads + QUEUE - 1).unwrap();
        assert_eq!((hasher.metrics.waiting.get(), ended("done"), ended("abandoned")), (0, done, 1));
    }

    #[tokio::test]
    async fn a_hash_of_a_lower_cost_is_renewed_and_no_other() {
        let (cheap, dear) = (Hasher::start(4).unwrap(), Hasher::start(5).unwrap());
        let text = "yak-gnu-emu";
        let hash = cheap.hash(NewPasswordRule.parse(Value::from(text)).unwrap()).await.unwrap();
        let renewed = dear.renew(ClaimedPassword::new(text), &hash).await.unwrap().unwrap();
        assert_eq!(renewed.cost(), Some(5));
        assert!(dear.verify(&ClaimedPassword::new(text), Some(&renewed)).await.unwrap());
        assert!(cheap.renew(ClaimedPassword::new(text), &renewed).await.unwrap().is_none());
    }
}
