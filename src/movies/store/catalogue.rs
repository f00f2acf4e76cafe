//! Reading the catalogue: a page, a count, or all of it. [`super::pages`] says how a page is read.

use std::sync::Arc;

use bson::doc;
use futures::{Stream, TryStreamExt};

use super::{
    movies::Movies,
    pages::{PageKey, Placed},
};
use crate::{
    accounts::Belongings,
    mongo::{COMMAND, StoreError, keyset::Position, within},
    movies::{filter::MovieFilter, model::MovieDocument, sort::Sort},
};

impl Movies {
    /// The movies of a page, and one more if there is one: up to `limit` + 1.
    ///
    /// # Errors
    /// When the database fails, or the search takes too long.
    pub async fn list(
        &self,
        filter: &Arc<MovieFilter>,
        sort: Sort,
        after: Option<Position>,
        limit: u32,
    ) -> Result<Arc<Vec<Placed>>, StoreError> {
        let page = PageKey { filter: Arc::clone(filter), sort, after, wanted: limit as usize + 1 };
        self.pages.ask(page).await.map(Option::unwrap_or_default)
    }

    /// The exact number of matching movies. The more there are, the longer it takes.
    ///
    /// # Errors
    /// When the database fails, or the count takes too long; [`StoreError::Overloaded`] when too many counts are
    /// running.
    pub async fn count_matching(&self, filter: &MovieFilter) -> Result<u64, StoreError> {
        let _counting = self.counting.begin()?;
        if filter.is_everything() {
            return self.count().await;
        }
        within(COMMAND, self.collection().count_documents(filter.condition()).max_time(COMMAND)).await
    }

    /// Every movie, in the order in which they were added, as a stream.
    ///
    /// # Errors
    /// When the database fails, either at once or later in the stream.
    pub async fn all(
        &self,
    ) -> Result<impl Stream<Item = Result<MovieDocument, StoreError>> + use<>, StoreError> {
        let find = self.collection().find(doc! {}).sort(doc! { "_id": 1 });
        Ok(within(COMMAND, find).await?.map_err(StoreError::from))
    }
}
