//! The threads that run searches. Searches are bound by the CPU, so they must not block the threads that serve
//! requests.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use tokio::sync::{Semaphore, oneshot};

use super::error::SearchError;

/// How many searches may wait for each thread. One that waits behind this many would come too late.
const WAITING: usize = 256;

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads. They end when this value is dropped.
pub struct QueryThreads {
    jobs: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
}

impl QueryThreads {
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..threads {
            let waiting = Arc::clone(&waiting);
            let next = move || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
            std::thread::Builder::new().name(format!("search-{number}")).spawn(move || {
                while let Ok(job) = next() {
                    // A bug in one search must not end the thread.
                    if catch_unwind(AssertUnwindSafe(job)).is_err() {
                        tracing::error!("a search panicked");
                    }
                }
            })?;
        }
        Ok(Self { jobs, room: Arc::new(Semaphore::new(threads * WAITING)) })
    }

    pub async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| SearchError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move || {
            // The client has disconnected, and nobody waits for the answer.
            let is_over = answer.is_closed();
            if !is_over {
                let _ = answer.send(job());
            }
            drop(room);
        });
        let failed = || SearchError::Failed("a search panicked".into());
        self.jobs.send(job).map_err(|_| failed())?;
        answered.await.map_err(|_| failed())?
    }
}
