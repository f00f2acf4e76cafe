//! Inserts several movies of one caller in one command, each with its own outcome, and finds what an earlier attempt
//! has added.

use std::{collections::HashSet, time::Duration};

use super::{
    insertion::{Inserted, NameTaken, Unconfirmed, insert_each},
    movies::Movies,
    names,
};
use crate::{
    http::ids::{MovieId, UserId},
    mongo::{COMMAND, StoreError},
    movies::{
        changes::{Changes, ReadError},
        model::MovieDocument,
    },
};

/// How long inserting a batch may take: longer than one movie, shorter than a request.
const INSERT_ALL: Duration = COMMAND.saturating_mul(4);

/// The outcome for one movie of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    Yes,
    No(NameTaken),
    /// Other movies took its name and gave it up again, several times.
    NameGivenUp,
    /// The database rejected it, for this reason.
    Refused(String),
}

impl Movies {
    /// Inserts every movie that can be inserted. This takes one command, unless a name is given up in the meantime.
    /// The first of two equal names wins.
    ///
    /// # Errors
    /// When the outcome of some movie is unknown. Some movies may have been inserted.
    pub async fn insert_all(
        &self,
        owner: UserId,
        movies: &[&MovieDocument],
    ) -> Result<Unconfirmed<Vec<Added>>, StoreError> {
        let ids = movies.iter().map(|movie| MovieId(movie.id)).collect();
        let mut added = vec![Added::NameGivenUp; movies.len()];
        for _ in 0..names::TRIES {
            let missing: Vec<usize> =
                (0..movies.len()).filter(|place| added[*place] == Added::NameGivenUp).collect();
            if missing.is_empty() {
                break;
            }
            let documents: Vec<&MovieDocument> = missing.iter().map(|place| movies[*place]).collect();
            let outcomes = insert_each(self.collection(), &self.acknowledged, &documents, INSERT_ALL).await?;
            let refused =
                documents.iter().zip(&outcomes).filter(|(_, of)| matches!(of, Ok(Inserted::Duplicate)));
            let refused: Vec<&MovieDocument> = refused.map(|(movie, _)| *movie).collect();
            let own = self.which_exist(refused.iter().map(|movie| movie.id).collect()).await?;
            let names: Vec<_> = refused.iter().map(|movie| (&*movie.name, movie.year)).collect();
            let holders = self.holders_of(&names).await?;
            for (place, outcome) in missing.into_iter().zip(outcomes) {
                let movie = movies[place];
                added[place] = match outcome {
                    Ok(Inserted::Yes) => Added::Yes,
                    Ok(Inserted::Duplicate) if own.contains(&movie.id) => Added::Yes,
                    Ok(Inserted::Duplicate) => holders
                        .get(&(movie.name.clone(), movie.year))
                        .map_or(Added::NameGivenUp, |by| Added::No(NameTaken { by: *by })),
                    Err(error) => Added::Refused(error.to_string()),
                };
            }
        }
        Ok(Unconfirmed { owner, ids, inserted: added })
    }

    /// Which of these movies were added at any time, even if they were deleted since, as far as the log knows.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn which_were_added(
        &self,
        ids: &[MovieId],
        changes: &Changes,
    ) -> Result<HashSet<MovieId>, ReadError> {
        let there = self.which_exist(ids.iter().map(|id| id.0).collect()).await?;
        let mut added: HashSet<MovieId> = there.into_iter().map(MovieId).collect();
        let missing: Vec<MovieId> = ids.iter().copied().filter(|id| !added.contains(id)).collect();
        let Some(one) = missing.first() else { return Ok(added) };
        // The session knows the time of this read. The log must have reached that time.
        let (_, session) = self.find_with_session(*one).await?;
        match changes.catch_up_with(&session).await {
            Ok(()) => added.extend(changes.store().which_are_known(&missing).await?),
            // A standalone MongoDB has no log.
            Err(ReadError::Unsupported) => {}
            Err(error) => return Err(error),
        }
        Ok(added)
    }
}
