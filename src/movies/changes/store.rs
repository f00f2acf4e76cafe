//! The collection `changes`: how entries are added, read and deleted. [`super::state`] holds what is known about the
//! log as a whole.

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
/// How many old entries one step deletes: a few milliseconds of work.
const PRUNED_AT_ONCE: i64 = 1_000;

/// The log as it is stored. Clones share only the connections.
#[derive(Clone)]
pub struct ChangeStore {
    entries: Collection<Entry>,
    pub(super) state: LogState,
}

/// The log no longer has every change after the cursor.
#[derive(Debug, PartialEq, Eq)]
pub struct Gone;

/// Only the place of an entry.
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

    /// The entries as untyped documents, for reading some of their fields or changing them.
    pub(super) fn documents(&self) -> Collection<Document> {
        self.entries.clone_with_type()
    }

    /// The place where a writer continues: after everything that a majority has. `None` if there is no log yet.
    pub(super) async fn lasting_end(&self) -> Result<Option<Token>, StoreError> {
        let Some(marks) = self.state.lasting_marks().await? else { return Ok(None) };
        let newest = self.newest(ReadConcern::majority()).await?;
        Ok(Some(newest.map_or(marks.checkpoint.clone(), |newest| newest.max(marks.checkpoint))))
    }

    /// The place after everything that can be read here. `None` if there is no log yet.
    pub(super) async fn end(&self) -> Result<Option<Token>, StoreError> {
        let Some(marks) = self.state.marks().await? else { return Ok(None) };
        let newest = self.newest(ReadConcern::local()).await?;
        Ok(Some(newest.map_or(marks.checkpoint.clone(), |newest| newest.max(marks.checkpoint))))
    }

    /// The last entry; if there is none, the place after which all entries are kept. [`Self::has`] still recognizes
    /// that place later.
    pub(in crate::movies) async fn newest_or_floor(&self) -> Result<Option<Token>, StoreError> {
        let Some(marks) = self.state.marks().await? else { return Ok(None) };
        Ok(Some(self.newest(ReadConcern::majority()).await?.unwrap_or(marks.floor)))
    }

    async fn newest(&self, concern: ReadConcern) -> Result<Option<Token>, StoreError> {
        let entries = self.entries.clone_with_type::<Id>();
        let find = entries.find_one(doc! {}).sort(doc! { "_id": -1 }).projection(doc! { "_id": 1 });
        Ok(within(COMMAND, find.read_concern(concern)).await?.map(|newest| newest.token))
    }

    /// Which of these movies have an entry in the log.
    pub(in crate::movies) async fn which_are_known(
        &self,
        movies: &[MovieId],
    ) -> Result<Vec<MovieId>, StoreError> {
        let documents = self.documents();
        let known = documents.distinct("movie", doc! { "movie": { "$in": movies } });
        let known = within(COMMAND, known).await?;
        Ok(known.iter().filter_map(bson::Bson::as_object_id).map(MovieId).collect())
    }

    /// Adds entries in order. An entry that exists already counts as written: another server may also have believed
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
        // The last entry existed already. Once a majority acknowledges a later write, a majority has this entry too.
        match entries.last() {
            Some(last) => self.state.advance(&last.token).await,
            None => Ok(()),
        }
    }

    /// Deletes some of the entries before a place. It raises the floor first and then deletes; a reader reads the
    /// entries first and then the floor. Returns whether there may be more to delete.
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
    /// When the database fails. The inner error means that the log no longer has all of them.
    pub(in crate::movies) async fn after(
        &self,
        since: &Token,
        limit: usize,
    ) -> Result<Result<Vec<Entry>, Gone>, StoreError> {
        let find = self
            .entries
            .find(doc! { "_id": { "$gt": since.as_str() } })
            .sort(doc! { "_id": 1 })
            // Not every reader may see the former state.
            .projection(doc! { "former": 0, "document": 0 })
            .limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let entries: Vec<Entry> = within(COMMAND, async { find.await?.try_collect().await }).await?;
        // Read this after the entries: if an entry was deleted in between, the floor was raised before that.
        let marks = self.state.marks().await?;
        Ok(if marks.is_some_and(|marks| *since >= marks.floor) { Ok(entries) } else { Err(Gone) })
    }

    /// Whether this entry is or was in the log.
    pub(in crate::movies) async fn has(&self, token: &Token) -> Result<bool, StoreError> {
        let documents = self.documents();
        let entry = documents.find_one(doc! { "_id": token.as_str() }).projection(doc! { "_id": 1 });
        if within(COMMAND, entry).await?.is_some() {
            return Ok(true);
        }
        Ok(self.state.marks().await?.is_some_and(|marks| marks.floor >= *token))
    }
}
