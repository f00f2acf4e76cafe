//! Tests of the queue itself, with a command that ends when the test says so. `tests/api/batches.rs` tests with a
//! real server that shared commands give correct answers.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};

use super::*;

/// Answers each even key with its double, and does not answer odd keys. Fails if a key is 13.
struct Double {
    sent: mpsc::UnboundedSender<Vec<u32>>,
    go: Arc<Semaphore>,
    most_at_once: Arc<AtomicUsize>,
    at_once: AtomicUsize,
}

/// Counts a command even if it is dropped before it ends.
struct InFlight<'a>(&'a AtomicUsize);

impl<'a> InFlight<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Command for Double {
    type Key = u32;
    type Value = u32;

    const NAME: &'static str = "double";
    const KEYS: usize = 3;
    const BYTES: usize = 1_000;
    const RUNS: usize = 1;
    const MOST_RUNS: usize = 2;
    const CALLERS: usize = 8;
    const LIMIT: Duration = Duration::from_secs(1);

    /// The number itself is the size of the key.
    fn bytes(key: &u32) -> usize {
        *key as usize
    }

    async fn run(&self, keys: Vec<u32>) -> Result<HashMap<u32, u32>, StoreError> {
        let in_flight = InFlight::begin(&self.at_once);
        self.most_at_once.fetch_max(self.at_once.load(Ordering::SeqCst), Ordering::SeqCst);
        self.sent.send(keys.clone()).unwrap();
        self.go.acquire().await.unwrap().forget();
        drop(in_flight);
        assert!(!keys.contains(&99), "a command that panics");
        if keys.contains(&13) {
            return Err(StoreError::Duplicate("by_number"));
        }
        Ok(keys.into_iter().filter(|key| key % 2 == 0).map(|key| (key, key * 2)).collect())
    }
}

struct Test {
    batches: Batches<Double>,
    sent: mpsc::UnboundedReceiver<Vec<u32>>,
    go: Arc<Semaphore>,
    most_at_once: Arc<AtomicUsize>,
}

type Asked = tokio::task::JoinHandle<Result<Option<u32>, StoreError>>;

impl Test {
    fn new() -> Self {
        let (sender, sent) = mpsc::unbounded_channel();
        let (go, most_at_once) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let command = Double {
            sent: sender,
            go: Arc::clone(&go),
            most_at_once: Arc::clone(&most_at_once),
            at_once: AtomicUsize::new(0),
        };
        Self { batches: Batches::new(command), sent, go, most_at_once }
    }

    /// Asks in a task, and waits until the call is in the queue or in flight.
    async fn ask(&self, key: u32) -> Asked {
        let batches = self.batches.clone();
        let asked = tokio::spawn(async move { batches.ask(key).await });
        tokio::task::yield_now().await;
        asked
    }

    async fn sent(&mut self) -> Vec<u32> {
        self.sent.recv().await.unwrap()
    }

    fn let_go(&self, commands: usize) {
        self.go.add_permits(commands);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_comes_later_waits_for_the_next_command() {
    let mut test = Test::new();
    let first = test.ask(2).await;
    assert_eq!(test.sent().await, [2]);
    let same = test.ask(2).await;
    let (other, twin) = (test.ask(4).await, test.ask(4).await);
    test.let_go(1);
    assert_eq!(first.await.unwrap().unwrap(), Some(4));
    // The same key again, because its caller came after the first command was sent. Equal keys are sent once.
    assert_eq!(test.sent().await, [2, 4]);
    assert!(!same.is_finished());
    test.let_go(1);
    assert_eq!(same.await.unwrap().unwrap(), Some(4));
    assert_eq!((other.await.unwrap().unwrap(), twin.await.unwrap().unwrap()), (Some(8), Some(8)));
    assert_eq!(test.most_at_once.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_carries_a_limited_number_of_keys_longest_waiting_first() {
    let mut test = Test::new();
    let mut asked = vec![test.ask(0).await];
    test.sent().await;
    for key in [6, 2, 1, 4, 2] {
        asked.push(test.ask(key).await);
    }
    test.let_go(3);
    assert_eq!(test.sent().await, [6, 2, 1]);
    assert_eq!(test.sent().await, [4]);
    let mut answers = Vec::new();
    for asked in asked {
        answers.push(asked.await.unwrap().unwrap());
    }
    assert_eq!(answers, [Some(0), Some(12), Some(4), None, Some(8), Some(4)]);
}

#[tokio::test(start_paused = true)]
async fn a_command_carries_limited_bytes_or_one_key_of_any_size() {
    let mut test = Test::new();
    let mut asked = vec![test.ask(0).await];
    test.sent().await;
    for key in [600, 602, 398, 5_000, 2] {
        asked.push(test.ask(key).await);
    }
    test.let_go(5);
    for sent in [&[600][..], &[602, 398], &[5_000], &[2]] {
        assert_eq!(test.sent().await, sent);
    }
    for asked in asked {
        assert!(asked.await.unwrap().unwrap().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_reaches_only_the_callers_that_the_command_carried() {
    let mut test = Test::new();
    let fails = test.ask(13).await;
    test.sent().await;
    let succeeds = test.ask(8).await;
    test.let_go(2);
    assert!(matches!(fails.await.unwrap(), Err(StoreError::Duplicate("by_number"))));
    assert_eq!(succeeds.await.unwrap().unwrap(), Some(16));
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_error_and_the_next_caller_is_served() {
    let mut test = Test::new();
    let first = test.ask(0).await;
    test.sent().await;
    let panics = test.ask(99).await;
    test.let_go(1);
    assert_eq!(test.sent().await, [99]);
    let waits = test.ask(2).await;
    let began = Instant::now();
    test.let_go(2);
    assert_eq!(first.await.unwrap().unwrap(), Some(0));
    assert!(matches!(panics.await.unwrap(), Err(StoreError::Unavailable(_))));
    assert_eq!(waits.await.unwrap().unwrap(), Some(4));
    assert!(began.elapsed() < SLOW, "at once");
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_does_not_affect_the_others() {
    let mut test = Test::new();
    let (first, leaves, stays) = (test.ask(2).await, test.ask(4).await, test.ask(6).await);
    assert_eq!(test.sent().await, [2]);
    let began = Instant::now();
    first.abort();
    leaves.abort();
    test.let_go(2);
    assert_eq!(test.sent().await, [6], "4 is not asked for, because nobody waits for it");
    assert!(began.elapsed() < SLOW, "at once");
    assert_eq!(stays.await.unwrap().unwrap(), Some(12));
}

#[tokio::test(start_paused = true)]
async fn a_slow_command_does_not_delay_other_callers() {
    let mut test = Test::new();
    let slow = test.ask(2).await;
    test.sent().await;
    let waits = test.ask(4).await;
    // The test's clock advances by itself when nothing else can run.
    assert_eq!(test.sent().await, [4]);
    let third = test.ask(6).await;
    assert!(matches!(third.await.unwrap(), Err(StoreError::Unavailable(_))), "at most two run at once");
    assert_eq!(test.most_at_once.load(Ordering::SeqCst), 2);
    assert!(matches!(slow.await.unwrap(), Err(StoreError::Unavailable(_))));
    assert!(matches!(waits.await.unwrap(), Err(StoreError::Unavailable(_))));
    // When they have ended, everything works as before.
    test.let_go(3);
    assert_eq!(test.batches.ask(8).await.unwrap(), Some(16));
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded() {
    let mut test = Test::new();
    let first = test.ask(0).await;
    test.sent().await;
    let mut waiting = Vec::new();
    for key in 0..8 {
        waiting.push(test.ask(key * 2).await);
    }
    assert!(matches!(test.batches.ask(100).await, Err(StoreError::Overloaded)));
    test.let_go(10);
    assert_eq!(first.await.unwrap().unwrap(), Some(0));
    for (waiting, key) in waiting.into_iter().zip(0..) {
        assert_eq!(waiting.await.unwrap().unwrap(), Some(key * 4));
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_have_left_free_their_places() {
    let mut test = Test::new();
    let first = test.ask(0).await;
    test.sent().await;
    let mut waiting = Vec::new();
    for key in 0..8 {
        waiting.push(test.ask(key).await);
    }
    for gone in waiting.drain(..7) {
        gone.abort();
    }
    let newcomer = test.ask(2).await;
    test.let_go(2);
    assert_eq!(first.await.unwrap().unwrap(), Some(0));
    assert_eq!(test.sent().await, [7, 2]);
    assert_eq!(newcomer.await.unwrap().unwrap(), Some(4));
    assert_eq!(test.batches.0.metrics.waiting.get(), 0);
}
