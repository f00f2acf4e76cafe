//! `Idempotency-Key` on the routes that add movies: a repeated request gets the same answer and adds nothing.

use std::collections::HashSet;

use super::{
    movie::{add, created},
    rate::WriteRate,
};
use crate::{
    accounts::Users,
    http::{
        ids::{MovieId, UserId},
        openapi::answers::REPLAYED,
        problem::{Code, Problem},
        reply::Reply,
    },
    movies::{
        Movies,
        changes::Changes,
        model::MovieInput,
        store::keys::{Answer, Claim, KeyedRequest, Outcome, Reservation},
    },
};

/// What is needed to add movies exactly once.
#[derive(Clone, Copy)]
pub(super) struct Once<'a> {
    pub movies: &'a Movies,
    pub users: &'a Users,
    pub changes: &'a Changes,
    /// Has counted the request as one write.
    pub rate: &'a WriteRate,
}

/// The refusals of a request because of its key.
pub(super) const REFUSALS: &[Code] =
    &[Code::BadRequest, Code::RequestInProgress, Code::IdempotencyKeyReused, Code::TooManyRequests];

/// A request that the caller must carry out, or that was answered before.
pub(super) enum Claimed {
    Begin(Reservation),
    Answered(Reservation, Answer),
}

impl Once<'_> {
    /// Claims a key for this number of movies of an owner.
    pub async fn claim(
        self,
        owner: UserId,
        request: &KeyedRequest,
        movies: usize,
    ) -> Result<Claimed, Problem> {
        match self.movies.keys().claim(request, movies).await? {
            Claim::Begin(reservation) => Ok(Claimed::Begin(reservation)),
            Claim::Answered(reservation, answer) => {
                self.rate.give_back(owner);
                Ok(Claimed::Answered(reservation, answer))
            }
            Claim::OtherRequest => Err(Problem::IdempotencyKeyReused),
            Claim::UnderWay(wait) => Err(Problem::RequestInProgress(wait)),
            Claim::TooMany(wait) => Err(Problem::TooManyRequests(wait)),
        }
    }

    /// The movies that earlier attempts at this request have added, including those that were deleted since.
    pub async fn added_before(self, reservation: &Reservation) -> Result<HashSet<MovieId>, Problem> {
        if !reservation.is_taken_over {
            return Ok(HashSet::new());
        }
        Ok(self.movies.which_were_added(&reservation.movies, self.changes).await?)
    }

    /// Settles the key once the request is done. If this fails, the request is done nevertheless: a repetition finds
    /// its movies.
    pub async fn settle(self, reservation: &Reservation, result: Result<&Answer, &Problem>) {
        let keys = self.movies.keys();
        let settled = match result {
            Ok(answer) => keys.finish(reservation, answer).await,
            // Something may have been written, or may still be written.
            Err(Problem::DatabaseUnavailable(_) | Problem::Overloaded) => keys.give_up(reservation).await,
            Err(_) => keys.release(reservation).await,
        };
        if let Err(error) = settled {
            tracing::warn!(%error, "an idempotency key is not settled; a repetition of its request will do it");
        }
    }

    /// Adds a movie, once for each key.
    pub async fn add(
        self,
        owner: UserId,
        movie: MovieInput,
        request: &KeyedRequest,
    ) -> Result<Reply, Problem> {
        let (reservation, is_answered) = match self.claim(owner, request, 1).await? {
            Claimed::Begin(reservation) => (reservation, false),
            Claimed::Answered(reservation, _) => (reservation, true),
        };
        let Some(id) = reservation.movies.first() else {
            return Err(Problem::Internal("BUG: a key without a movie".into()));
        };
        let movie = movie.into_document_of(*id, owner, reservation.at);
        if is_answered {
            return created(&movie).map(replayed);
        }
        let reply = match self.added_before(&reservation).await {
            Ok(added) if added.contains(id) => {
                self.rate.give_back(owner);
                created(&movie).map(replayed)
            }
            Ok(_) => add(self.movies, self.users, movie).await.and_then(|movie| created(&movie)),
            Err(problem) => Err(problem),
        };
        let answer = Answer { outcomes: vec![Outcome::Added], request_id: String::new() };
        self.settle(&reservation, reply.as_ref().map(|_| &answer)).await;
        reply
    }
}

/// Marks the answer as that of an earlier request.
pub(super) fn replayed(reply: Reply) -> Reply {
    reply.header(REPLAYED, "true".to_owned())
}
