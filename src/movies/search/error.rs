//! What can go wrong with the index.

/// Why the index did not answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The cursor belongs to other words or another order.
    #[error("the cursor belongs to another search")]
    Cursor,
    /// The index does not have the changes yet that the answer must contain.
    #[error("the index is being built, or is behind the log")]
    Behind,
    /// The index can no longer be written or read. It must be opened again.
    #[error("{0}")]
    Failed(String),
    /// Too many searches are waiting.
    #[error("too many searches are waiting")]
    Overloaded,
}

impl From<tantivy::TantivyError> for SearchError {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for SearchError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
