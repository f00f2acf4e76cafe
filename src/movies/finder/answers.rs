//! Which engine answers a question about many movies, and how.

use std::{path::Path, sync::Arc, time::Duration};

use prometheus::core::Collector;
use rocket::Shutdown;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Engine, indexer::Indexer};
use crate::{
    http::ids::MovieId,
    mongo::{StoreError, keyset::Position},
    movies::{
        Movies,
        changes::{Changes, Generation},
        filter::MovieFilter,
        folding,
        search::{Commit, Cursor, Facets, Meant, MovieIndex, PageQuestion, SearchError},
        sort::Sort,
        store::{pages::Placed, suggestions::Named},
    },
};

/// How long a question waits for an index that is being built or opened.
const WAIT: Duration = Duration::from_secs(3);
/// How many pages are read for one request, if all movies of a page were deleted in the meantime.
const MOST_PAGES: usize = 5;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The cursor belongs to another search, or to another engine.
    #[error("the cursor belongs to another search")]
    Cursor,
    #[error("the search index is being built")]
    Building,
    /// A bug.
    #[error("the search index has failed: {0}")]
    Failed(String),
}

/// A request for a page.
pub struct PageRequest<'a> {
    pub filter: &'a Arc<MovieFilter>,
    pub sort: Sort,
    pub after: Option<Position>,
    pub limit: u32,
    pub count: bool,
    /// The result of [`Finder::is_indexed`] for this list. It is computed once for a page. Otherwise an index that
    /// becomes ready in between would give a page whose cursor is bound to the other engine.
    pub is_indexed: bool,
}

/// A page, and perhaps the first movie of the next one.
#[derive(Default)]
pub struct Found {
    pub movies: Arc<Vec<Placed>>,
    /// Whether more movies follow, even if none of them is in `movies`.
    pub more: bool,
    /// No movie has every word: these lack one or two of the words.
    pub relaxed: bool,
    /// How many movies match, if the request asked for it.
    pub total: Option<u64>,
}

/// The state that answers depend on. If two readings are equal, every question had the same answer in between.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    generation: Generation,
    /// What the index shows, if there is an index.
    commit: Option<Commit>,
}

/// Finds movies. Clones share the index.
#[derive(Clone)]
pub struct Finder {
    movies: Movies,
    log: Changes,
    /// `None` if the database answers everything.
    indexer: Option<Indexer>,
}

impl Finder {
    #[must_use]
    pub fn new(movies: Movies, log: Changes, engine: Engine, data_dir: &Path) -> Self {
        let indexer = || Indexer::new(movies.clone(), log.clone(), data_dir);
        let indexer = (engine == Engine::Index).then(indexer);
        Self { movies, log, indexer }
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        self.indexer.as_ref().map(Indexer::collectors).unwrap_or_default()
    }

    /// Keeps the index up to date, if there is one, until the shutdown.
    pub async fn follow(&self, shutdown: Shutdown) {
        if let Some(indexer) = &self.indexer {
            indexer.follow(shutdown).await;
        }
    }

    /// Waits until every question can be answered.
    pub async fn ready(&self) {
        if let Some(indexer) = &self.indexer {
            // The sender lives as long as the indexer.
            let _ = indexer.index().wait_for(Option::is_some).await;
        }
    }

    /// Read this before you ask a question: then the answer has this state, or a later one. `None` if the state is not
    /// known.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        let generation = self.log.generation()?;
        let index = self.indexer.as_ref().and_then(|indexer| indexer.index().borrow().clone());
        Some(Standing { generation, commit: index.map(|index| index.commit()) })
    }

    /// Whether the cursors of this list come from the index.
    #[must_use]
    pub fn is_indexed(&self, filter: &MovieFilter, sort: Sort) -> bool {
        self.indexer.as_ref().is_some_and(|indexer| {
            let is_there = indexer.index().borrow().is_some();
            !filter.is_for_the_database(sort) && (is_there || !indexer.falls_back())
        })
    }

    /// The index, with everything that this server has acknowledged. `None` if the database answers.
    async fn index(&self) -> Result<Option<MovieIndex>, FindError> {
        let Some(indexer) = &self.indexer else { return Ok(None) };
        let mut watched = indexer.index();
        let there = watched.borrow().clone();
        let index = match there {
            Some(index) => index,
            None if indexer.falls_back() => return Ok(None),
            None => match timeout(WAIT, watched.wait_for(Option::is_some)).await {
                Ok(Ok(index)) => index.clone().ok_or(FindError::Building)?,
                _ => return Err(FindError::Building),
            },
        };
        match index.visible(self.log.acknowledged()).await {
            Ok(()) => Ok(Some(index)),
            Err(SearchError::Behind) => {
                Err(StoreError::Unavailable("the search index is behind the change log".to_owned()).into())
            }
            Err(error) => Err(refused(&index, error)),
        }
    }

    /// # Errors
    /// When the page cannot be read now; [`FindError::Cursor`] for a cursor of another search.
    pub async fn page(&self, request: PageRequest<'_>) -> Result<Found, FindError> {
        let PageRequest { filter, sort, after, limit, count, is_indexed } = request;
        if is_indexed {
            let index = self.index().await?.ok_or(FindError::Building)?;
            let after = after.map(|after| cursor(&after.key).ok_or(FindError::Cursor)).transpose()?;
            let limit = limit as usize;
            let meant = self.meant(filter).await?;
            let question = PageQuestion { meant, sort, limit, after, count };
            return self.indexed_page(&index, question).await;
        }
        // Count first, because the count may be refused.
        let total = if count { Some(self.count(filter).await?) } else { None };
        let movies = self.movies.list(filter, sort, after, limit).await?;
        Ok(Found { movies, total, ..Found::default() })
    }

    async fn indexed_page(&self, index: &MovieIndex, mut question: PageQuestion) -> Result<Found, FindError> {
        let mut total = None;
        for _ in 0..MOST_PAGES {
            let page = index.page(question.clone()).await.map_err(|error| refused(index, error))?;
            total = total.or(page.total);
            let mut there = self.movies.find_several(page.hits.iter().map(|hit| MovieId(hit.id))).await?;
            let placed = page.hits.iter().filter_map(|hit| {
                let position = Position::new(json!(hit.cursor.to_text()), hit.id);
                Some((there.remove(&MovieId(hit.id))?, position))
            });
            let movies: Vec<Placed> = placed.collect();
            if !movies.is_empty() || !page.more {
                let (movies, more, relaxed) = (Arc::new(movies), page.more, page.relaxed);
                return Ok(Found { movies, more, relaxed, total });
            }
            question.after = page.hits.last().map(|hit| hit.cursor.clone());
            question.count = false;
        }
        // All movies of several whole pages were deleted: the index is far behind.
        Err(StoreError::Unavailable("the search index is behind the database".to_owned()).into())
    }

    /// The index does not know the editors of a movie, so the database says which movies a user edits.
    async fn meant(&self, filter: &MovieFilter) -> Result<Meant, FindError> {
        let mut meant = filter.meant();
        if let Some(editor) = filter.editor {
            let mut edited = self.movies.edited_by(editor).await?;
            if let Some(ids) = &meant.ids {
                edited.retain(|id| ids.contains(id));
            }
            meant.ids = Some(edited);
        }
        Ok(meant)
    }

    async fn count(&self, filter: &MovieFilter) -> Result<u64, FindError> {
        match self.index().await? {
            Some(index) => {
                index.count(self.meant(filter).await?).await.map_err(|error| refused(&index, error))
            }
            None => Ok(self.movies.count_matching(filter).await?),
        }
    }

    /// # Errors
    /// When the question cannot be answered now.
    pub async fn facets(&self, filter: &MovieFilter) -> Result<Facets, FindError> {
        match self.index().await? {
            Some(index) => index.facets(filter.meant()).await.map_err(|error| refused(&index, error)),
            None => Ok(self.movies.facets(filter).await?),
        }
    }

    /// Movies with a word in the name that begins with the text, best match first.
    ///
    /// # Errors
    /// When the question cannot be answered now.
    pub async fn suggest(&self, prefix: &str, limit: usize) -> Result<Vec<Named>, FindError> {
        let Some(index) = self.index().await? else { return Ok(self.movies.suggest(prefix, limit).await?) };
        let ids = index.suggest(prefix.to_owned(), limit).await.map_err(|error| refused(&index, error))?;
        let ids: Vec<MovieId> = ids.into_iter().map(MovieId).collect();
        let mut named = self.movies.names_of(&ids).await?;
        named.sort_by_key(|named| ids.iter().position(|id| *id == named.id));
        // The index only knows the beginning of each phrase of a long name, so the rest of a long text is compared
        // here.
        let words = folding::words(prefix);
        if words.chars().count() > folding::PHRASE {
            let plain = folding::plain(prefix);
            let has_word =
                |name: &str| folding::phrases(name).iter().any(|phrase| phrase.starts_with(&words));
            named.retain(|named| folding::plain(&named.name).starts_with(&plain) || has_word(&named.name));
        }
        Ok(named)
    }
}

fn cursor(key: &Value) -> Option<Cursor> {
    Cursor::parse(key.as_str()?)
}

fn refused(index: &MovieIndex, error: SearchError) -> FindError {
    match error {
        SearchError::Cursor => FindError::Cursor,
        SearchError::Overloaded => StoreError::Overloaded.into(),
        SearchError::Behind => FindError::Building,
        // The indexer opens it again.
        SearchError::Failed(_) if index.state().failed.is_some() => FindError::Building,
        SearchError::Failed(reason) => FindError::Failed(reason),
    }
}
