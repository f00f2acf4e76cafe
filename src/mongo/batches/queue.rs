//! The waiting callers and the commands in flight. The queue is locked only for moments, and never waits for
//! anything.

use std::collections::{HashMap, VecDeque, hash_map::Entry};

use prometheus::IntGauge;
use tokio::{sync::oneshot, time::Instant};

use super::{Answer, Command, SLOW};

pub(super) struct Queue<C: Command> {
    /// Each key once. The key that has waited longest comes first.
    keys: VecDeque<C::Key>,
    callers: HashMap<C::Key, Vec<oneshot::Sender<Answer<C>>>>,
    waiting: usize,
    waiting_gauge: IntGauge,
    /// When callers that have left were last removed.
    purged: Option<Instant>,
    /// The runs in flight, and when each has sent its last command.
    runs: Vec<(u64, Instant)>,
    next_run: u64,
}

/// The keys and callers of one command.
pub(super) struct Batch<C: Command> {
    pub run: u64,
    pub keys: Vec<C::Key>,
    /// In the order of the keys.
    pub callers: Vec<Vec<oneshot::Sender<Answer<C>>>>,
}

impl<C: Command> Queue<C> {
    pub fn new(waiting_gauge: IntGauge) -> Self {
        Self {
            keys: VecDeque::new(),
            callers: HashMap::new(),
            waiting: 0,
            waiting_gauge,
            purged: None,
            runs: Vec::new(),
            next_run: 0,
        }
    }

    fn count(&self) {
        self.waiting_gauge.set(i64::try_from(self.waiting).unwrap_or(i64::MAX));
    }

    /// `None` if too many callers wait.
    pub fn enter(&mut self, key: C::Key) -> Option<oneshot::Receiver<Answer<C>>> {
        if self.waiting >= C::CALLERS {
            self.purge();
        }
        if self.waiting >= C::CALLERS {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        self.waiting += 1;
        self.count();
        match self.callers.entry(key.clone()) {
            Entry::Occupied(mut callers) => callers.get_mut().push(sender),
            Entry::Vacant(callers) => {
                callers.insert(vec![sender]);
                self.keys.push_back(key);
            }
        }
        Some(receiver)
    }

    /// Removes callers that have left. Otherwise they are removed when it is their turn. This looks at every caller,
    /// so it does not run every time the queue is full.
    fn purge(&mut self) {
        if self.purged.is_some_and(|purged| purged.elapsed() < SLOW) {
            return;
        }
        self.purged = Some(Instant::now());
        self.callers.retain(|_, callers| {
            let before = callers.len();
            callers.retain(|caller| !caller.is_closed());
            self.waiting -= before - callers.len();
            !callers.is_empty()
        });
        self.keys.retain(|key| self.callers.contains_key(key));
        self.count();
    }

    /// Whether exactly one caller waits.
    pub fn has_one(&self) -> bool {
        self.waiting == 1
    }

    /// The batch for one more run, if the limits allow one and somebody waits.
    pub fn new_run(&mut self) -> Option<Batch<C>> {
        if self.runs.len() >= C::MOST_RUNS {
            return None;
        }
        let run = self.next_run;
        self.next_run += 1;
        self.next_batch(run)
    }

    /// The next batch of this run. `None` ends the run under the same lock: nobody waits, or other runs have replaced
    /// it because it was slow.
    pub fn next_batch(&mut self, run: u64) -> Option<Batch<C>> {
        self.end(run);
        let in_time = self.runs.iter().filter(|(_, sent)| sent.elapsed() < SLOW).count();
        if in_time >= C::RUNS {
            return None;
        }
        let mut batch = Batch { run, keys: Vec::new(), callers: Vec::new() };
        let mut bytes = 0_usize;
        while batch.keys.len() < C::KEYS
            && let Some(key) = self.keys.front()
            && (batch.keys.is_empty() || bytes.saturating_add(C::bytes(key)) <= C::BYTES)
            && let Some(key) = self.keys.pop_front()
        {
            let mut callers = self.callers.remove(&key).unwrap_or_default();
            self.waiting -= callers.len();
            callers.retain(|caller| !caller.is_closed());
            if !callers.is_empty() {
                bytes = bytes.saturating_add(C::bytes(&key));
                batch.keys.push(key);
                batch.callers.push(callers);
            }
        }
        self.count();
        if batch.keys.is_empty() {
            return None;
        }
        self.runs.push((run, Instant::now()));
        Some(batch)
    }

    /// Ends a run. Returns whether it was in flight.
    pub fn end(&mut self, run: u64) -> bool {
        let before = self.runs.len();
        self.runs.retain(|(id, _)| *id != run);
        self.runs.len() < before
    }
}
