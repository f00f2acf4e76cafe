//! Whether any movie has changed. As long as none has, earlier answers remain valid.

use std::time::Duration;

use super::{log::Changes, progress::Progress};

/// How long a change by another server may stay unknown here. The contract allows a second for answers of the search
/// index. The stream takes some milliseconds.
const FRESH: Duration = Duration::from_secs(1);

/// The state of the catalogue, as far as this server knows it. If two readings are equal, this server knows of no
/// change in between, neither its own nor another server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation {
    /// How many writes this server has acknowledged. They count at once, before the stream reports them.
    acknowledged: u64,
    passed_on: u64,
}

impl Changes {
    /// The present generation. `None` if a change by another server could stay unknown for longer than [`FRESH`],
    /// because there is no change stream, or it is silent or behind.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        let acknowledged = self.0.acknowledged.count();
        match &*self.0.progress.borrow() {
            Progress::Live(position) if position.heard.is_some_and(|heard| heard.elapsed() < FRESH) => {
                Some(Generation { acknowledged, passed_on: position.generation })
            }
            Progress::Live(_) | Progress::Waiting | Progress::Unsupported => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use mongodb::{Client, options::ClientOptions};
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::movies::changes::{
        Acknowledged, Token,
        progress::{Run, Seen},
    };

    fn client() -> Client {
        Client::with_options(ClientOptions::default()).unwrap()
    }

    /// A log that is never read.
    fn log(acknowledged: &Acknowledged) -> Changes {
        Changes::new(&client().database("movie_bag"), acknowledged.clone(), Duration::ZERO)
    }

    fn token(increment: u32) -> Token {
        Token::stored(&format!("8200000001{increment:08X}2B"))
    }

    /// A run that has just seen every change.
    fn run(at: Token) -> Run {
        let mut run = Run::new(at, true);
        run.complete(Instant::now());
        run
    }

    fn live(changes: &Changes, run: &Run, generation: u64) {
        let seen = Seen { generation, ..Seen::default() };
        changes.0.progress.send_replace(Progress::Live(run.position(&seen)));
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_generation_if_a_change_could_be_unknown_for_more_than_a_second() {
        let changes = log(&Acknowledged::default());
        assert_eq!(changes.generation(), None);
        // This run may have missed something since the last one.
        live(&changes, &Run::new(token(1), true), 1);
        assert_eq!(changes.generation(), None);
        live(&changes, &run(token(1)), 1);
        let first = changes.generation();
        assert!(first.is_some());
        advance(Duration::from_millis(900)).await;
        assert_eq!(changes.generation(), first);
        advance(Duration::from_millis(200)).await;
        assert_eq!(changes.generation(), None);
        // The stream reports again, and there was no change.
        live(&changes, &run(token(2)), 1);
        assert_eq!(changes.generation(), first);
        // What this run has just read was all that there was two seconds ago: it is behind.
        let mut behind = Run::new(token(3), true);
        behind.complete(Instant::now() - Duration::from_secs(2));
        live(&changes, &behind, 1);
        assert_eq!(changes.generation(), None);
        for progress in [Progress::Waiting, Progress::Unsupported] {
            changes.0.progress.send_replace(progress);
            assert_eq!(changes.generation(), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_here_or_elsewhere_gives_another_generation() {
        let acknowledged = Acknowledged::default();
        let changes = log(&acknowledged);
        let run = run(token(1));
        live(&changes, &run, 1);
        let first = changes.generation();
        live(&changes, &run, 2);
        let second = changes.generation();
        assert_ne!(first, second);
        // A write counts before the stream reports it, whatever time the database gives it.
        acknowledged.note(&client().start_session().await.unwrap());
        assert!(![first, second, None].contains(&changes.generation()));
    }
}
