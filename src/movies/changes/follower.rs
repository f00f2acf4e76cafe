//! This process's part in the log. It follows the one change stream, writes the log while it holds the lease, and
//! passes every change on to the listeners in this process.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    beginning,
    entry::Entry,
    feed::{Ended, Feed, Read},
    log::Changes,
    primary::Primary,
    progress::{Progress, Run, Seen},
    token::Token,
};
use crate::mongo::{StoreError, index_builds, indexes};

/// Much shorter than the lease, because a renewal may fail.
const RENEWAL: Duration = Duration::from_secs(1);
/// How often the writer records how far the log is complete, even if no movie changes: other writes roll the oplog
/// over, and an idle log must not lose its place.
const CHECKPOINT: Duration = Duration::from_secs(10);
const PRUNING: Duration = Duration::from_mins(10);
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// When the writer last did each of its chores.
struct Chores {
    renewed: Instant,
    noted: Instant,
    /// `None` if there may be more to prune.
    pruned: Option<Instant>,
    /// An entry that is in the log, from before the next renewal. If it is missing then, the log has lost entries.
    witness: Option<Token>,
}

/// Whether a process waits for the lease when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// A server takes the lease over. The previous server may have died, and clients must not wait until its lease
    /// expires.
    TakesOver,
    /// A command that runs beside a server waits.
    Waits,
}

/// This process has become the writer, or has stopped being the writer.
struct RoleChanged;

impl Changes {
    /// Follows the changes until `shutdown` resolves.
    pub async fn follow(&self, beginning: Beginning, mut shutdown: impl Future<Output = ()> + Unpin) {
        let mut takes_over = beginning == Beginning::TakesOver;
        loop {
            let ended = tokio::select! {
                ended = self.follow_once(takes_over) => ended,
                () = &mut shutdown => return self.leave().await,
            };
            takes_over = false;
            match ended {
                Ok(RoleChanged) => continue,
                Err(Ended::Unsupported) => {
                    self.0.progress.send_replace(Progress::Unsupported);
                    return;
                }
                Err(Ended::Forgotten) if self.leaves_its_place() => {
                    tracing::warn!(
                        "this server fell too far behind; it continues at the end of the change log"
                    );
                }
                Err(Ended::Forgotten | Ended::Lost) => self.begin_anew().await,
                Err(Ended::Failed(error)) => {
                    tracing::warn!(%error, "the change stream broke off and will be reopened");
                }
            }
            self.0.breaks.inc();
            self.0.progress.send_replace(Progress::Waiting);
            tokio::select! {
                () = sleep(RETRY_DELAY) => {}
                () = &mut shutdown => return self.leave().await,
            }
        }
    }

    /// Gives up the lease, so that another server need not wait until it expires. If the database cannot be reached,
    /// that server waits.
    async fn leave(&self) {
        let _ = self.0.store.state.let_go(self.0.holder).await;
    }

    /// Gives up this process's own place in the stream, so that it continues at the end of the log: another server may
    /// have written what this one missed. Listeners are disconnected and find it there. Returns `false` if this process
    /// has no place of its own, that is, it has begun at the end of the log.
    fn leaves_its_place(&self) -> bool {
        let had_one = self.seen().at.is_some();
        self.seen().begin_anew();
        if had_one {
            let _ = self.0.live.send(None);
        }
        had_one
    }

    /// Handles a gap: the log reports it to its readers, and every listener in this process is disconnected.
    async fn begin_anew(&self) {
        tracing::warn!("the change stream cannot be resumed; the change log has a gap");
        self.seen().begin_anew();
        // Readers wait meanwhile: a cursor of a log that is half begun would be gone a moment later.
        self.0.progress.send_replace(Progress::Waiting);
        let _ = self.0.live.send(None);
        let database = self.0.movies.client().database(&self.0.movies.namespace().db);
        let anew = async {
            // A collection that was dropped and created again keeps no images, and a log that was dropped has no
            // beginning.
            let has_begun = beginning::prepare(&database).await?;
            if !has_begun && self.0.store.state.hold(self.0.holder).await? {
                let feed = Feed::open(&self.0.movies, None).await?;
                self.0.store.state.begin_anew(&feed.start).await?;
            }
            Ok::<(), Ended>(())
        };
        if let Err(Ended::Failed(error)) = anew.await {
            tracing::warn!(%error, "the gap could not be recorded yet; the server will try again");
        }
        // A log that was dropped has lost its indexes too.
        if let Err(error) = index_builds::ensure_of(&database, indexes::CHANGES).await {
            tracing::warn!(%error, "the indexes of the change log could not be checked; the next start checks them");
        }
    }

    /// Follows the stream in one role, as the log's writer or as a reader, until it breaks off or the role changes.
    async fn follow_once(&self, takes_over: bool) -> Result<RoleChanged, Ended> {
        let store = &self.0.store;
        let writes = if takes_over {
            store.state.take_over(self.0.holder).await?
        } else {
            store.state.hold(self.0.holder).await?
        };
        self.0.writes.set(writes.into());
        let Some(mut marks) = store.state.marks().await? else {
            // A standalone MongoDB has no log, and no change stream either.
            Feed::open(&self.0.movies, None).await?;
            return Err(Ended::Lost);
        };
        let from = self.beginning(writes).await?;
        let primary = Primary::of(&self.0.movies).await?;
        let mut feed = Feed::open(&self.0.movies, from.as_ref()).await?;
        let mut run = Run::new(feed.start.clone(), writes);
        let mut chores =
            Chores { renewed: Instant::now(), noted: Instant::now(), pruned: None, witness: None };
        // Since the stream was last read, something may have been missed.
        self.move_to(&mut self.seen(), &run, true);
        loop {
            if chores.renewed.elapsed() > RENEWAL {
                chores.renewed = Instant::now();
                let holds = store.state.hold(self.0.holder).await?;
                // After the lease: another primary may have given it to another server. A former primary may also keep
                // reporting that there was no change.
                if Primary::of(&self.0.movies).await? != primary {
                    return Err(StoreError::Unavailable("there is another primary".to_owned()).into());
                }
                if holds != writes {
                    return Ok(RoleChanged);
                }
                // A restored backup may have removed the document or replaced it with an older one.
                let now = store.state.marks().await?.ok_or(Ended::Lost)?;
                if now.is_older_than(&marks) {
                    return Err(Ended::Lost);
                }
                marks = now;
                if let Some(witness) = chores.witness.take()
                    && !store.has(&witness).await?
                {
                    // Somebody has dropped the collection, or emptied it.
                    return Err(Ended::Lost);
                }
            }
            let is_drained = match feed.next().await? {
                Read::Change(entry) => {
                    run.push(*entry);
                    false
                }
                Read::Nothing(at) => {
                    run.advance(at);
                    false
                }
                Read::Drained(asked) => {
                    if let Some(asked) = asked {
                        run.complete(asked);
                    }
                    true
                }
            };
            if is_drained || run.is_full() {
                self.finish(&mut run, &mut chores).await?;
                chores.witness = chores.witness.or_else(|| self.last_written(&run));
            }
        }
    }

    /// A writer continues where the log ends, or where this process's own listeners are if that is earlier. A process
    /// that has seen nothing also begins at the end of the log: later changes are not in the log yet.
    async fn beginning(&self, writes: bool) -> Result<Option<Token>, StoreError> {
        let seen = self.seen().at.clone();
        match seen {
            Some(seen) if !writes => Ok(Some(seen)),
            Some(seen) => Ok(self.0.store.lasting_end().await?.map(|end| end.min(seen))),
            None => self.0.store.lasting_end().await,
        }
    }

    /// The last change of which this process knows that it must be in the log.
    fn last_written(&self, run: &Run) -> Option<Token> {
        let last = self.seen().last.clone();
        last.filter(|last| run.writes && *last <= run.at)
    }

    /// Writes the pending entries, and passes them on.
    async fn finish(&self, run: &mut Run, chores: &mut Chores) -> Result<(), StoreError> {
        let mut group = run.take_group();
        if run.writes {
            if !group.is_empty() {
                self.forget_what_cannot_come_back(&mut group).await?;
                self.0.store.append(&group).await?;
                self.0.written.inc_by(group.len() as u64);
                self.0.store.bound(&group).await?;
            }
            self.do_chores(run, chores).await?;
        }
        self.pass_on(run, &group);
        Ok(())
    }

    /// Passes changes on, and moves to the place after them. Both happen under one lock: see [`Self::written`].
    fn pass_on(&self, run: &Run, group: &[Entry]) {
        let mut seen = self.seen();
        for entry in group {
            // A writer may see changes again that this process has already passed on.
            if seen.at.as_ref().is_none_or(|known| entry.token > *known) {
                // Sending fails if nobody listens.
                let _ = self.0.live.send(Some(Arc::new(entry.without_former_state())));
            }
        }
        self.move_to(&mut seen, run, !group.is_empty());
    }

    async fn do_chores(&self, run: &Run, chores: &mut Chores) -> Result<(), StoreError> {
        if chores.noted.elapsed() > CHECKPOINT {
            self.0.store.state.advance(&run.at).await?;
            chores.noted = Instant::now();
        }
        if chores.pruned.is_none_or(|pruned| pruned.elapsed() > PRUNING) {
            // By the database's clock, as recorded in the tokens.
            let before = Token::before_second(run.at.second().saturating_sub(self.0.keep.as_secs()));
            let is_more = self.0.store.prune(&before).await?;
            chores.pruned = (!is_more).then(Instant::now);
        }
        Ok(())
    }

    /// `is_news`: whether there may be changes that this process has not passed on before.
    fn move_to(&self, seen: &mut Seen, run: &Run, is_news: bool) {
        seen.generation += u64::from(is_news);
        seen.at = seen.at.take().max(Some(run.at.clone()));
        seen.last = seen.last.take().max(run.last.clone());
        self.0.progress.send_replace(Progress::Live(run.position(seen)));
    }
}
