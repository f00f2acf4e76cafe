//! Callers who ask for the same kind of thing at the same time share a command.
//!
//! A `find` or an insert costs the database and the driver a good hundred microseconds each, whatever
//! it carries. So while a command is under way, newcomers wait, and the next one carries all of them:
//! the busier the server, the fuller its commands, with no delay that anybody has chosen. Who comes
//! alone is served at once.
//!
//! This is no cache. A caller joins only a command that is *sent after it came*, so it learns nothing
//! older than a command of its own would have told; and nothing is kept.
//!
//! What it promises: at most [`Command::CALLERS`] wait (the next is refused), at most [`Command::KEYS`]
//! keys share a command, in the order in which they came. A caller that goes away leaves the others
//! alone. A command that fails, fails for those whom it carried: each gets the error. A command that
//! takes longer than [`SLOW`] holds up nobody else, as long as there are fewer than
//! [`Command::MOST_RUNS`].

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::{IntGauge, core::Collector};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{StoreError, batch_metrics::BatchMetrics};

/// From here on a command no longer counts as one of [`Command::RUNS`]. Longer than a good command takes
/// in a busy hour, shorter than a person notices.
const SLOW: Duration = Duration::from_millis(20);

/// A command that several callers can share.
pub trait Command: Send + Sync + 'static {
    /// What a caller asks for. Callers with equal keys get one answer.
    type Key: Clone + Eq + Hash + Send + 'static;
    /// What it gets.
    type Value: Clone + Send + 'static;

    /// What the metrics call it.
    const NAME: &'static str;
    /// How many keys one command carries.
    const KEYS: usize;
    /// How many commands are under way at once, slow ones apart.
    const RUNS: usize;
    /// How many with them.
    const MOST_RUNS: usize;
    /// How many callers may wait.
    const CALLERS: usize = 4_096;
    /// How long a caller waits in all.
    const LIMIT: Duration;

    /// Asks the database. A key without a value has no answer.
    fn run(
        &self,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Value>, StoreError>> + Send;
}

type Answer<C> = Result<Option<<C as Command>::Value>, StoreError>;

/// The waiting callers of one [`Command`]. Clones share it.
pub struct Batches<C: Command>(Arc<Shared<C>>);

struct Shared<C: Command> {
    command: C,
    metrics: BatchMetrics,
    queue: Mutex<Queue<C>>,
}

struct Queue<C: Command> {
    /// Each key once, the longest waiting first.
    keys: VecDeque<C::Key>,
    callers: HashMap<C::Key, Vec<oneshot::Sender<Answer<C>>>>,
    waiting: usize,
    waiting_gauge: IntGauge,
    /// The runs under way, and when each has sent its last command.
    runs: Vec<(u64, Instant)>,
    next_run: u64,
}

impl<C: Command> Clone for Batches<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Command> Batches<C> {
    pub fn new(command: C) -> Self {
        let metrics = BatchMetrics::new(C::NAME);
        let queue = Queue {
            keys: VecDeque::new(),
            callers: HashMap::new(),
            waiting: 0,
            waiting_gauge: metrics.waiting.clone(),
            runs: Vec::new(),
            next_run: 0,
        };
        Self(Arc::new(Shared { command, metrics, queue: Mutex::new(queue) }))
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        self.0.metrics.collectors()
    }

    /// The value of this key, by a command that is sent from now on.
    ///
    /// # Errors
    /// The command's; [`StoreError::Overloaded`] when too many wait, [`StoreError::Unavailable`] after
    /// [`Command::LIMIT`].
    pub async fn ask(&self, key: C::Key) -> Answer<C> {
        let came = Instant::now();
        let mut answer = self.0.enter(key)?;
        while came.elapsed() < C::LIMIT {
            Shared::start_run(&self.0);
            // Then look again: those before us may have become slow.
            if let Ok(answer) = timeout(SLOW, &mut answer).await {
                let given_up = |_| Err(StoreError::Unavailable("the command was given up".to_owned()));
                return answer.unwrap_or_else(given_up);
            }
        }
        Err(StoreError::Unavailable(format!("no answer in {} ms", C::LIMIT.as_millis())))
    }
}

impl<C: Command> Shared<C> {
    fn queue(&self) -> MutexGuard<'_, Queue<C>> {
        // Nothing in here panics half-way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, key: C::Key) -> Result<oneshot::Receiver<Answer<C>>, StoreError> {
        let mut queue = self.queue();
        if queue.waiting >= C::CALLERS {
            self.metrics.refused.inc();
            return Err(StoreError::Overloaded);
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiting += 1;
        queue.count();
        match queue.callers.entry(key.clone()) {
            Entry::Occupied(mut callers) => callers.get_mut().push(sender),
            Entry::Vacant(callers) => {
                callers.insert(vec![sender]);
                queue.keys.push_back(key);
            }
        }
        Ok(receiver)
    }

    /// One more run, if somebody waits and there may be one. It is a task of its own: a caller that goes
    /// away must not take along what others wait for.
    fn start_run(own: &Arc<Self>) {
        let Some(mut batch) = own.queue().new_run() else { return };
        let run = Run { id: batch.run, shared: Arc::clone(own) };
        tokio::spawn(async move {
            loop {
                run.shared.serve(batch).await;
                match run.shared.queue().next_batch(run.id) {
                    Some(next) => batch = next,
                    None => return,
                }
            }
        });
    }

    async fn serve(&self, batch: Batch<C>) {
        self.metrics.carried(batch.keys.len());
        let mut result = self.command.run(batch.keys.clone()).await;
        for (key, callers) in batch.keys.iter().zip(batch.callers) {
            let answer = match &mut result {
                Ok(values) => Ok(values.remove(key)),
                Err(error) => Err(error.clone()),
            };
            for caller in callers {
                // It may have gone in the meantime.
                let _ = caller.send(answer.clone());
            }
        }
    }
}

impl<C: Command> Queue<C> {
    fn count(&self) {
        self.waiting_gauge.set(i64::try_from(self.waiting).unwrap_or(i64::MAX));
    }

    fn new_run(&mut self) -> Option<Batch<C>> {
        if self.runs.len() >= C::MOST_RUNS || self.in_time() >= C::RUNS {
            return None;
        }
        let run = self.next_run;
        self.next_run += 1;
        self.next_batch(run)
    }

    /// How many of the runs have sent their command a short time ago.
    fn in_time(&self) -> usize {
        self.runs.iter().filter(|(_, sent)| sent.elapsed() < SLOW).count()
    }

    /// What this run carries next. It ends, in the same moment, when nobody waits, or when others have
    /// taken its place because it was slow.
    fn next_batch(&mut self, run: u64) -> Option<Batch<C>> {
        self.runs.retain(|(id, _)| *id != run);
        if self.in_time() >= C::RUNS {
            return None;
        }
        let mut batch = Batch { run, keys: Vec::new(), callers: Vec::new() };
        while batch.keys.len() < C::KEYS
            && let Some(key) = self.keys.pop_front()
        {
            let mut callers = self.callers.remove(&key).unwrap_or_default();
            self.waiting -= callers.len();
            callers.retain(|caller| !caller.is_closed());
            if !callers.is_empty() {
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
}

struct Batch<C: Command> {
    run: u64,
    keys: Vec<C::Key>,
    callers: Vec<Vec<oneshot::Sender<Answer<C>>>>,
}

/// A run that no longer counts once it has ended, however it ends.
struct Run<C: Command> {
    id: u64,
    shared: Arc<Shared<C>>,
}

impl<C: Command> Drop for Run<C> {
    fn drop(&mut self) {
        self.shared.queue().runs.retain(|(id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests;
