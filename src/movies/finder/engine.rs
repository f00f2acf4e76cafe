//! Which engine answers searches: the index, or MongoDB's own text index.

use std::fmt;

use bson::doc;
use mongodb::Database;

use crate::{
    config::SearchEngine,
    mongo::{COMMAND, StoreError, index_builds, within},
};

/// The engine that `search.engine` selects on this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Index,
    Text,
}

/// Why the wanted engine cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(
        "search.engine: index needs change streams, and a standalone MongoDB has none (use auto or text)"
    )]
    NoChangeStreams,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "the search index",
            Self::Text => "MongoDB's text index (whole words, no typos)",
        })
    }
}

impl Engine {
    /// Chooses the engine, and builds the MongoDB index that it needs.
    ///
    /// # Errors
    /// When the database fails, or lacks what the engine needs.
    pub async fn choose(database: &Database, wanted: SearchEngine) -> Result<Self, EngineError> {
        let can_index = wanted != SearchEngine::Text && has_change_streams(database).await?;
        let engine = match wanted {
            SearchEngine::Auto | SearchEngine::Index if can_index => Self::Index,
            SearchEngine::Auto | SearchEngine::Text => Self::Text,
            SearchEngine::Index => return Err(EngineError::NoChangeStreams),
        };
        if engine == Self::Text {
            index_builds::ensure_text(database).await?;
        }
        Ok(engine)
    }
}

/// Whether the database has change streams. Replica sets and sharded clusters do.
async fn has_change_streams(database: &Database) -> Result<bool, StoreError> {
    let hello = within(COMMAND, database.run_command(doc! { "hello": 1 })).await?;
    Ok(hello.contains_key("setName") || hello.get_str("msg").is_ok_and(|kind| kind == "isdbgrid"))
}
