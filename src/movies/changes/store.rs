//! The collection `changes`: how entries are added, read and deleted. [`super::state`] has what is known of all of them.

use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database,
    error::{ErrorKind, InsertManyError},
    options::ReadConcern,
};
use serde::Deserialize;

use super::{entry::Entry, state::LogState, token::Token};
use crate::{
    http::ids::MovieId,
    mongo::{BATCH, COMMAND, StoreError, indexes, within},
};

const DUPLICATE_KEY: i32 = 11_000;
/// How many old entries one step deletes: some milliseconds' work.
const PRUNED_AT_ONCE: i64 = 1_000;

/// The log as it is stored. Clones share nothing but the connections.
#[derive(Clone)]
pub struct ChangeStore {
    entries: Collection<Entry>,
    pub(super) state: LogState,
}

/// The log does not have every change after the cursor.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone;

/// An entry's place alone.
#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    token: Token,
}

impl ChangeStore {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self { entries: database.collection(indexes::CHANGES), state: LogState::new(database) }
    }

    /// The entries without their type: to read some of their fields, or to change them.
    pub(super) fn documents(&self) -> Collection<Document> {
        self.entries.clone_with_type()
    }

    /// Where a writer goes on: after everything that a majority has. `None`: there is no log yet.
    pub(super) async fn lasting_end(&self) -> Result<Option<Token>, StoreError> {
        let Some(marks) = self.state.lasting_marks().await? else { return Ok(None) };
        let newest = self.newest(ReadConcern::majority()).await?;
        Ok(Some(newest.map_or(marks.checkpoint.clone(), |newest| newest.max(marks.checkpoint))))
    }

    /// The place after everything that can be read here. `None`: there is no log yet.
    pub(super) async fn end(&self) -> Result<Option<Token>, StoreError> {
        let Some(marks) = self.state.marks().await? else { return Ok(None) };
        let newest = self.newest(ReadConcern::local()).await?;
        Ok(Some(newest.map_or(marks.checkpoint.clone(), |newest| newest.max(marks.checkpoint))))
    }

    /// The last entry; where there is none, the place after which all are kept. It stays known: [`Self::has`].
    pub(in crate::movies) async fn newest_or_floor(&self) -> Result<Option<Token>, StoreError> {
        let Some(marks) = self.state.marks().await? else { return Ok(None) };
        Ok(Some(self.newest(ReadConcern::majority()).await?.unwrap_or(marks.floor)))
    }

    async fn newest(&self, concern: ReadConcern) -> Result<Option<Token>, StoreError> {
        let entries = self.entries.clone_with_type::<Id>();
        let find = entries.find_one(doc! {}).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 });
        Ok(within(COMMAND, find.read_concern(concern)).await?.map(|newest| newest.token))
    }

    /// Those of these movies of which the log has an entry.
    pub(in crate::movies) async fn which_are_known(
        &self,
        movies: &[MovieId],
    ) -> Result<Vec<MovieId>, StoreError> {
        let documents = self.documents();
        let known = documents.distinct("movie", doc! { "movie": { "$in": movies } });
        let known = within(COMMAND, known).await?;
        Ok(known.iter().filter_map(bson::Bson::as_object_id).map(MovieId).collect())
    }

    /// Adds entries in their order. An entry that is there already counts as written: another server may have thought
    /// that it was the writer.
    pub(super) async fn append(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut left = entries;
        while !left.is_empty() {
            let insert = async { Ok(self.entries.insert_many(left).ordered(true).await) };
            let Err(error) = within(BATCH, insert).await? else { return Ok(()) };
            match &*error.kind {
                ErrorKind::InsertMany(InsertManyError {
                    write_errors: Some(refused),
                    write_concern_error: None,
                    ..
                }) if let [refused] = refused.as_slice()
                    && refused.code == DUPLICATE_KEY =>
                {
                    left = &left[(refused.index + 1).min(left.len())..];
                }
                _ => return Err(error.into()),
            }
        }
        // The last entry was there. That a majority has it is known once a majority has a later write.
        match entries.last() {
            Some(last) => self.state.advance(&last.token).await,
            None => Ok(()),
        }
    }

    /// Deletes some entries from before a place. First it says so, then it deletes: a reader looks the other way
    /// round. Says whether there may be more of them.
    pub(super) async fn prune(&self, before: &Token) -> Result<bool, StoreError> {
        let entries = self.entries.clone_with_type::<Id>();
        let old = entries
            .find(doc! { "_id": { "$lt": before.as_str() } })
            .sort(doc! { "_id": 1 })
            .projection(doc! { "_id": 1 })
            .limit(PRUNED_AT_ONCE);
        let old: Vec<Id> = within(BATCH, async { old.await?.try_collect().await }).await?;
        let Some(Id { token: last }) = old.last() else { return Ok(false) };
        self.state.raise_floor(last).await?;
        within(BATCH, self.entries.delete_many(doc! { "_id": { "$lte": last.as_str() } })).await?;
        Ok(true)
    }

    /// The entries after a place, oldest first.
    ///
    /// # Errors
    /// When the database fails; inside, when the log does not have all of them.
    pub(in crate::movies) async fn after(
        &self,
        since: &Token,
        limit: usize,
    ) -> Result<Result<Vec<Entry>, Gone>, StoreError> {
        let find = self
            .entries
            .find(doc! { "_id": { "$gt": since.as_str() } })
            .sort(doc! { "_id": 1 })
            // What was there before is for those who may see it.
            .projection(doc! { "former": 0, "document": 0 })
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let entries: Vec<Entry> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        // After the entries: for an entry that was deleted in between, the floor had been raised before.
        let marks = self.state.marks().await?;
        Ok(if marks.is_some_and(|marks| *since >= marks.floor) { Ok(entries) } else { Err(Gone) })
    }

    /// Whether this entry is in the log, or was.
    pub(in crate::movies) async fn has(&self, token: &Token) -> Result<bool, StoreError> {
        let documents = self.documents();
        let entry = documents.find_one(doc! { "_id": token.as_str() }).projection(doc! { "_id": 1 });
        if within(COMMAND, entry).await?.is_some() {
            return Ok(true);
        }
        Ok(self.state.marks().await?.is_some_and(|marks| marks.floor >= *token))
    }
}
