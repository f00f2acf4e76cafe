//! Work that is done once for all listeners: each change is rendered, with the movie as it is now.

use std::{collections::BTreeSet, sync::Arc};

use rocket::Shutdown;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use super::{change::Change, hub::Events};
use crate::{
    http::ids::MovieId,
    mongo::StoreError,
    movies::changes::{Entry, Kind, Progress},
};

/// How many changes are rendered in one step.
const GROUP: usize = 100;

/// The changes that the log passes on. `None` means that some were lost.
pub type Incoming = Receiver<Option<Arc<Entry>>>;

/// What was received.
enum Taken {
    Entries(Vec<Arc<Entry>>),
    /// This process was too slow, or the log has a gap.
    Lost,
}

impl Events {
    /// Renders incoming changes until the shutdown.
    pub(in crate::movies) async fn follow(&self, mut incoming: Incoming, mut shutdown: Shutdown) {
        let mut progress = self.0.changes.progress();
        loop {
            // Read this before the incoming changes: they include every change up to this place.
            let at = match &*progress.borrow_and_update() {
                Progress::Live(position) => Some(position.at.clone()),
                Progress::Waiting | Progress::Unsupported => None,
            };
            while let Some(taken) = take(&mut incoming) {
                self.tell(taken).await;
            }
            if let Some(at) = at {
                self.move_to(at);
            }
            // The log passes a change on before it reports its progress.
            tokio::select! {
                changed = progress.changed() => if changed.is_err() { return },
                () = &mut shutdown => return,
            }
        }
    }

    async fn tell(&self, taken: Taken) {
        let changes = match taken {
            Taken::Entries(entries) if self.is_unheard(&entries) => return,
            Taken::Entries(entries) => self.render(&entries).await,
            Taken::Lost => return self.cut_all_off(),
        };
        match changes {
            Ok(changes) => {
                self.0.told.inc_by(changes.len() as u64);
                for change in changes {
                    // The last listener may have left in the meantime.
                    let _ = self.0.live.send(Some(Arc::new(change)));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "events could not be rendered; every listener is disconnected and has to reconnect");
                self.cut_all_off();
            }
        }
    }

    /// Whether nobody listens. If so, a client that joins now starts after these changes.
    fn is_unheard(&self, entries: &[Arc<Entry>]) -> bool {
        let _joining = self.joining();
        let is_unheard = self.0.live.receiver_count() == 0;
        if let Some(last) = entries.last().filter(|_| is_unheard) {
            self.move_to(last.token.clone());
        }
        is_unheard
    }

    /// Disconnects every listener. Clients reconnect with the last id that they have seen, and miss nothing.
    fn cut_all_off(&self) {
        let _ = self.0.live.send(None);
    }

    /// Renders changes. It reads the movies after their changes were read, so no movie is older than its change.
    pub(super) async fn render(&self, entries: &[Arc<Entry>]) -> Result<Vec<Change>, StoreError> {
        let there = entries.iter().filter(|entry| entry.kind != Kind::Deleted);
        let ids: BTreeSet<MovieId> = there.map(|entry| MovieId(entry.movie)).collect();
        let movies = self.0.movies.find_several(ids).await?;
        let movie = |entry: &Entry| movies.get(&MovieId(entry.movie)).map(|movie| &***movie);
        Ok(entries.iter().map(|entry| Change::of(entry, movie(entry))).collect())
    }
}

fn take(incoming: &mut Incoming) -> Option<Taken> {
    let mut entries = Vec::new();
    while entries.len() < GROUP {
        match incoming.try_recv() {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) | Err(TryRecvError::Lagged(_)) => return Some(Taken::Lost),
            Err(TryRecvError::Empty | TryRecvError::Closed) => break,
        }
    }
    (!entries.is_empty()).then_some(Taken::Entries(entries))
}
