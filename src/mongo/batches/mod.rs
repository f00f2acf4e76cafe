//! A dataloader: callers that ask for the same kind of value at the same time share a command.
//!
//! A `find` or an insert costs the database and the driver more than a hundred microseconds each, however much it
//! carries. So while a command is in flight, new callers wait, and the next command carries all of them. The busier
//! the server is, the fuller its commands are, without a fixed delay. A lone caller is served at once.
//!
//! This is not a cache. A caller joins only a command that is *sent after the caller arrived*, so its answer is never
//! older than one from a command of its own. Nothing is kept.
//!
//! The guarantees: at most [`Command::CALLERS`] callers wait, and the next one is refused. At most [`Command::KEYS`]
//! keys, of at most [`Command::BYTES`] together, share a command, in the order of arrival. A caller that gives up
//! (its request took too long) does not affect the others. If a command fails, every caller that it carried gets the
//! error. A command that takes longer than [`SLOW`] delays no other caller, as long as fewer than
//! [`Command::MOST_RUNS`] are in flight.

use std::{
    collections::HashMap,
    hash::Hash,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use prometheus::core::Collector;
use tokio::{runtime::Handle, sync::oneshot, time::timeout};

mod counters;
mod queue;

use super::{
    StoreError,
    batches::{
        counters::BatchMetrics,
        queue::{Batch, Queue},
    },
};

/// After this time, a command no longer counts towards [`Command::RUNS`]. This is longer than a healthy command takes
/// in a busy hour, and shorter than a person notices.
const SLOW: Duration = Duration::from_millis(20);

/// A command that several callers can share.
pub trait Command: Send + Sync + 'static {
    /// What a caller asks for. Callers with equal keys get the same answer.
    type Key: Clone + Eq + Hash + Send + 'static;
    /// What a caller gets.
    type Value: Clone + Send + 'static;

    /// The name of the command in the metrics.
    const NAME: &'static str;
    /// How many keys one command carries.
    const KEYS: usize;
    /// How many bytes the keys of one command have together at most. A single key may have more.
    const BYTES: usize = usize::MAX;
    /// How many commands are in flight at once, not counting slow ones.
    const RUNS: usize;
    /// How many commands are in flight at once, including slow ones.
    const MOST_RUNS: usize;
    /// How many callers may wait.
    const CALLERS: usize = 4_096;
    /// How long a caller waits in total, and how long a command may take.
    const LIMIT: Duration;

    /// How many of [`Command::BYTES`] a key uses. This must be fast: it is called while every caller waits.
    fn bytes(_key: &Self::Key) -> usize {
        0
    }

    /// Asks the database. A key that is missing in the result has no answer.
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

impl<C: Command> Clone for Batches<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Command> Batches<C> {
    pub fn new(command: C) -> Self {
        let metrics = BatchMetrics::new(C::NAME);
        let queue = Queue::new(metrics.waiting.clone());
        Self(Arc::new(Shared { command, metrics, queue: Mutex::new(queue) }))
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        self.0.metrics.collectors()
    }

    /// The value of this key, from a command that is sent after this call.
    ///
    /// # Errors
    /// The command's error; [`StoreError::Overloaded`] when too many callers wait, [`StoreError::Unavailable`] after
    /// [`Command::LIMIT`].
    pub async fn ask(&self, key: C::Key) -> Answer<C> {
        match Shared::enter(&self.0, key)? {
            Place::First(run, batch) => run.serve_one(batch).await,
            Place::Waiting(answer) => {
                let given_up = |_| Err(StoreError::Unavailable("the command was cancelled".to_owned()));
                timeout(C::LIMIT, answer).await.map_err(|_| late::<C>())?.unwrap_or_else(given_up)
            }
        }
    }
}

fn late<C: Command>() -> StoreError {
    StoreError::Unavailable(format!("no answer in {} ms", C::LIMIT.as_millis()))
}

impl<C: Command> Shared<C> {
    fn queue(&self) -> MutexGuard<'_, Queue<C>> {
        // No code that holds this lock panics half-way through a change.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(own: &Arc<Self>, key: C::Key) -> Result<Place<C>, StoreError> {
        let mut queue = own.queue();
        let Some(answer) = queue.enter(key) else {
            own.metrics.refused.inc();
            return Err(StoreError::Overloaded);
        };
        let has_one = queue.has_one();
        match queue.new_run() {
            // No other caller waits, so this caller can run the command itself, without a task.
            Some(batch) if has_one => Ok(Place::First(Run { id: batch.run, shared: Arc::clone(own) }, batch)),
            batch => {
                drop(queue);
                own.spawn(batch);
                Ok(Place::Waiting(answer))
            }
        }
    }

    /// Starts one more run, if somebody waits and the limits allow it.
    fn start_run(own: &Arc<Self>) {
        let batch = own.queue().new_run();
        own.spawn(batch);
    }

    /// Runs in its own task: if a caller gives up, that must not cancel a command that others wait for.
    fn spawn(self: &Arc<Self>, batch: Option<Batch<C>>) {
        let Some(batch) = batch else { return };
        let run = Run { id: batch.run, shared: Arc::clone(self) };
        tokio::spawn(run.serve_all(batch));
    }
}

/// How a caller gets its answer.
enum Place<C: Command> {
    /// From a command that carries only this caller.
    First(Run<C>, Batch<C>),
    Waiting(oneshot::Receiver<Answer<C>>),
}

/// A run. It stops counting when it ends, however it ends.
struct Run<C: Command> {
    id: u64,
    shared: Arc<Shared<C>>,
}

impl<C: Command> Run<C> {
    async fn ask(&self, keys: Vec<C::Key>, callers: usize) -> Result<HashMap<C::Key, C::Value>, StoreError> {
        self.shared.metrics.carried(keys.len(), callers);
        let mut command = pin!(timeout(C::LIMIT, self.shared.command.run(keys)));
        let result = if let Ok(result) = timeout(SLOW, &mut command).await {
            result
        } else {
            // The other callers need not wait for this slow command.
            Shared::start_run(&self.shared);
            command.await
        };
        result.unwrap_or_else(|_| Err(late::<C>()))
    }

    /// Serves only the caller itself. A task serves the callers that have arrived in the meantime.
    async fn serve_one(self, batch: Batch<C>) -> Answer<C> {
        let result = self.ask(batch.keys, 1).await;
        let next = self.shared.queue().next_batch(self.id);
        if let Some(next) = next {
            tokio::spawn(self.serve_all(next));
        }
        result.map(|values| values.into_values().next())
    }

    async fn serve_all(self, mut batch: Batch<C>) {
        loop {
            let callers = batch.callers.iter().map(Vec::len).sum();
            let mut result = self.ask(batch.keys.clone(), callers).await;
            for (key, callers) in batch.keys.iter().zip(batch.callers) {
                let answer = match &mut result {
                    Ok(values) => Ok(values.remove(key)),
                    Err(error) => Err(error.clone()),
                };
                for caller in callers {
                    // The caller may have left in the meantime.
                    let _ = caller.send(answer.clone());
                }
            }
            let next = self.shared.queue().next_batch(self.id);
            match next {
                Some(next) => batch = next,
                None => return,
            }
        }
    }
}

impl<C: Command> Drop for Run<C> {
    fn drop(&mut self) {
        let was_in_flight = self.shared.queue().end(self.id);
        // The caller that ran a command itself has left, or a command has panicked. Others may still wait.
        if was_in_flight && let Ok(runtime) = Handle::try_current() {
            let shared = Arc::clone(&self.shared);
            // Spawn a task: a runtime that is shutting down silently drops it, and the callers with it.
            runtime.spawn(async move { Shared::start_run(&shared) });
        }
    }
}

#[cfg(test)]
mod tests;
