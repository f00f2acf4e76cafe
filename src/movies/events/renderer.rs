//! What happens once for all who listen: each change is rendered, with the movie as it is now.

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

/// Changes as the log passes them on; `None`: something was lost.
pub type Incoming = Receiver<Option<Arc<Entry>>>;

/// What has come in.
enum Taken {
    Entries(Vec<Arc<Entry>>),
    /// This process was too slow, or the log has a gap.
    Lost,
}

impl Events {
    /// Renders what comes in until the shutdown.
    pub(in crate::movies) async fn follow(&self, mut incoming: Incoming, mut shutdown: Shutdown) {
        let mut progress = self.0.changes.progress();
        loop {
            // Read before what has come in: all up to here is among it.
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
            // The log passes a change on before it says how far it has come.
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
                    // The last one may have left meanwhile.
                    let _ = self.0.live.send(Some(Arc::new(change)));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the events cannot be sent: listeners will have to come back");
                self.cut_all_off();
            }
        }
    }

    /// Whether nobody listens. If so, a client that begins to listen begins after these changes.
    fn is_unheard(&self, entries: &[Arc<Entry>]) -> bool {
        let _joining = self.joining();
        let is_unheard = self.0.live.receiver_count() == 0;
        if let Some(last) = entries.last().filter(|_| is_unheard) {
            self.move_to(last.token.clone());
        }
        is_unheard
    }

    /// Clients come back with the last id that they have seen, and miss nothing.
    fn cut_all_off(&self) {
        let _ = self.0.live.send(None);
    }

    /// Reads the movies after their changes were read: so none is older than its change.
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
