//! A dataloader: callers who ask for the same kind of thing at the same time share a command.
//!
//! A `find` or an insert costs the database and the driver a good hundred microseconds each, whatever
//! it carries. So while a command is in flight, newcomers wait, and the next one carries all of them:
//! the busier the server, the fuller its commands, with no delay that anybody has chosen. A caller who
//! comes alone is served at once.
//!
//! This is no cache. A caller joins only a command that is *sent after it came*, so it learns nothing
//! older than a command of its own would have told; and nothing is kept.
//!
//! What it promises: at most [`Command::CALLERS`] wait (the next is refused), at most [`Command::KEYS`]
//! keys of at most [`Command::BYTES`] share a command, in the order in which they came. A caller that gives
//! up (its request has taken too long) leaves the others alone. A command that fails, fails for those whom
//! it carried: each gets the error. A command that
//! takes longer than [`SLOW`] holds up nobody else, as long as there are fewer than
//! [`Command::MOST_RUNS`].

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
    /// How many bytes of them, unless a single one has more.
    const BYTES: usize = usize::MAX;
    /// How many commands are in flight at once, slow ones apart.
    const RUNS: usize;
    /// How many with them.
    const MOST_RUNS: usize;
    /// How many callers may wait.
    const CALLERS: usize = 4_096;
    /// How long a caller waits in all, and a command is waited for.
    const LIMIT: Duration;

    /// How many of [`Command::BYTES`] a key takes up. It is asked while everybody waits.
    fn bytes(_key: &Self::Key) -> usize {
        0
    }

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

    /// The value of this key, by a command that is sent from now on.
    ///
    /// # Errors
    /// The command's; [`StoreError::Overloaded`] when too many wait, [`StoreError::Unavailable`] after
    /// [`Command::LIMIT`].
    pub async fn ask(&self, key: C::Key) -> Answer<C> {
        match Shared::enter(&self.0, key)? {
            Place::First(run, batch) => run.serve_one(batch).await,
            Place::Waiting(answer) => {
                let given_up = |_| Err(StoreError::Unavailable("the command was given up".to_owned()));
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
        // Nothing in here panics half-way.
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
            // Nobody is before this caller: it needs no task to ask for it.
            Some(batch) if has_one => Ok(Place::First(Run { id: batch.run, shared: Arc::clone(own) }, batch)),
            batch => {
                drop(queue);
                own.spawn(batch);
                Ok(Place::Waiting(answer))
            }
        }
    }

    /// One more run, if somebody waits and there may be one.
    fn start_run(own: &Arc<Self>) {
        let batch = own.queue().new_run();
        own.spawn(batch);
    }

    /// A task of its own: a caller that gives up must not take along what others wait for.
    fn spawn(self: &Arc<Self>, batch: Option<Batch<C>>) {
        let Some(batch) = batch else { return };
        let run = Run { id: batch.run, shared: Arc::clone(self) };
        tokio::spawn(run.serve_all(batch));
    }
}

/// How a caller gets its answer.
enum Place<C: Command> {
    /// By a command that carries nobody else.
    First(Run<C>, Batch<C>),
    Waiting(oneshot::Receiver<Answer<C>>),
}

/// A run that no longer counts once it has ended, however it ends.
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
            // Whoever waits need not wait for this one.
            Shared::start_run(&self.shared);
            command.await
        };
        result.unwrap_or_else(|_| Err(late::<C>()))
    }

    /// For the caller itself; whoever has come meanwhile is served by a task.
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
                    // It may have gone in the meantime.
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
        // The caller of a first command has gone, or a command has panicked: others may wait.
        if was_in_flight && let Ok(runtime) = Handle::try_current() {
            let shared = Arc::clone(&self.shared);
            // In a task, for a runtime that ends drops it unseen, and the callers with it.
            runtime.spawn(async move { Shared::start_run(&shared) });
        }
    }
}

#[cfg(test)]
mod tests;
