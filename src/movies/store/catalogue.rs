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
    /// One more than `limit`, if there are as many.
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

    /// How many movies match: an exact count, which takes longer the more there are.
    ///
    /// # Errors
    /// When the database fails, or the count takes too long; [`StoreError::Overloaded`] when too many count.
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
    /// When the database fails, at once or later in the stream.
    pub async fn all(
        &self,
    ) -> Result<impl Stream<Item = Result<MovieDocument, StoreError>> + use<>, StoreError> {
        let find = self.collection().find(doc! {}).sort(doc! { "_id": 1 });
        Ok(within(COMMAND, find).await?.map_err(StoreError::from))
    }
}
