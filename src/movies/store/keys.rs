//! Idempotency keys: the request that each key stands for, and its outcome.
//!
//! The server first stores the key's document with the ids of the new movies, and then inserts the movies under these
//! ids. After any crash, a retry finds the added movies by their ids and adds only the missing ones. So a key never
//! adds a movie twice, and no transaction is needed.
//!
//! The answer itself is not stored. A retry sends the same bytes, and the server computes the answer again from these
//! bytes, with the ids and the time of the first request. Only the outcome of each movie is stored.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bson::{DateTime, doc, oid::ObjectId};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    http::{
        idempotency::IdempotencyKey,
        ids::{MovieId, UserId},
    },
    mongo::{BATCH, COMMAND, StoreError, indexes, inserting, within},
};

/// How long a key is remembered.
const LIFETIME: Duration = Duration::from_hours(24);
/// How many keys an account may have at a time.
const MOST: u64 = 10_000;
/// How long a request counts as in progress: several times as long as its commands may take. Two requests at the same
/// time would do no harm, because both use the same ids.
const LEASE: Duration = Duration::from_secs(10);
/// How often a key is read again if it changes between two reads.
const TRIES: u32 = 8;

/// The collection `idempotency_keys`.
#[derive(Clone)]
pub struct Keys {
    documents: Collection<KeyDocument>,
}

/// The outcome for one movie of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "outcome")]
pub enum Outcome {
    /// The movie has not been added yet. Never stored.
    Waiting,
    Added,
    /// This movie already has the name.
    Duplicate {
        by: ObjectId,
    },
    /// Its fields break a rule. A retry breaks the same rules.
    Invalid,
    /// The account has added too many movies in a minute.
    Limited {
        milliseconds: i64,
    },
    /// The database did not answer.
    Unavailable,
    /// The database rejected it.
    Failed,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KeyDocument {
    /// A digest of the account and the key.
    #[serde(rename = "_id")]
    id: String,
    user: ObjectId,
    /// A digest of the path and the body.
    request: String,
    movies: Vec<ObjectId>,
    /// The creation time that the movies have.
    at: DateTime,
    /// Identifies the request that works on it.
    lease: ObjectId,
    leased_until: DateTime,
    expires_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
}

/// The part of an answer that is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    pub outcomes: Vec<Outcome>,
    /// The problems in the answer to a batch contain it.
    pub request_id: String,
}

/// A request with a key.
#[derive(Debug)]
pub struct KeyedRequest {
    user: UserId,
    id: String,
    digest: String,
}

/// The ids of the movies of a request, and the key that the request holds for a while.
#[derive(Debug)]
pub struct Reservation {
    id: String,
    lease: ObjectId,
    /// The ids of its movies, in order.
    pub movies: Vec<MovieId>,
    pub at: DateTime,
    /// Whether an earlier request with this key has begun, so that some movies may exist.
    pub is_taken_over: bool,
}

/// What a key stands for.
#[derive(Debug)]
pub enum Claim {
    /// The key is new, or its request was never finished. The caller must carry it out.
    Begin(Reservation),
    /// The request was answered before.
    Answered(Reservation, Answer),
    /// The key belongs to a request with another path or body.
    OtherRequest,
    /// The request is in progress, for at most this time.
    UnderWay(Duration),
    /// The account has the maximum number of keys. The oldest one expires after this time.
    TooMany(Duration),
}

impl Reservation {
    /// New ids for the movies of a request without a key.
    #[must_use]
    pub fn unkeyed(movies: usize) -> Self {
        Self {
            id: String::new(),
            lease: ObjectId::new(),
            movies: (0..movies).map(|_| MovieId::new()).collect(),
            at: DateTime::now(),
            is_taken_over: false,
        }
    }
}

impl Outcome {
    #[must_use]
    pub fn limited(wait: Duration) -> Self {
        Self::Limited { milliseconds: wait.as_millis().try_into().unwrap_or(i64::MAX) }
    }
}

impl KeyedRequest {
    /// `body` is the digest of the body's bytes.
    #[must_use]
    pub fn new(user: UserId, key: &IdempotencyKey, path: &str, body: &[u8; 32]) -> Self {
        let id = Sha256::new().chain_update(user.0.bytes()).chain_update(key.as_str()).finalize();
        // The second part has a fixed length, so the two parts cannot be confused.
        let digest = Sha256::new().chain_update(path).chain_update(body).finalize();
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        Self { user, id: text(&id), digest: text(&digest) }
    }
}

impl KeyDocument {
    fn new(request: &KeyedRequest, movies: usize, now: DateTime) -> Self {
        Self {
            id: request.id.clone(),
            user: request.user.0,
            request: request.digest.clone(),
            movies: (0..movies).map(|_| ObjectId::new()).collect(),
            at: now,
            lease: ObjectId::new(),
            leased_until: now.saturating_add_duration(LEASE),
            expires_at: now.saturating_add_duration(LIFETIME),
            answer: None,
        }
    }

    fn reserved(self, is_taken_over: bool) -> Reservation {
        let movies = self.movies.into_iter().map(MovieId).collect();
        Reservation { id: self.id, lease: self.lease, movies, at: self.at, is_taken_over }
    }
}

/// The time from `now` to `time`; zero if that is over.
fn until(time: DateTime, now: DateTime) -> Duration {
    let milliseconds = time.timestamp_millis().saturating_sub(now.timestamp_millis());
    Duration::from_millis(milliseconds.try_into().unwrap_or_default())
}

impl Keys {
    #[must_use]
    pub fn new(database: &Database) -> Self {
        Self { documents: database.collection(indexes::IDEMPOTENCY_KEYS) }
    }

    /// Claims the key of this request, so that no other request begins it in the meantime. `movies` is how many
    /// movies the request has.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(&self, request: &KeyedRequest, movies: usize) -> Result<Claim, StoreError> {
        for _ in 0..TRIES {
            let now = DateTime::now();
            let document = KeyDocument::new(request, movies, now);
            match inserting(COMMAND, indexes::ID, self.documents.insert_one(&document)).await {
                Ok(_) => return self.bounded(document, now).await,
                Err(StoreError::Duplicate(indexes::ID)) => {}
                Err(error) => return Err(error),
            }
            let find = self.documents.find_one(doc! { "_id": &request.id });
            let Some(found) = within(COMMAND, find).await? else { continue };
            if let Some(claim) = self.known(request, found).await? {
                return Ok(claim);
            }
        }
        Err(StoreError::Unavailable("the key changed at every attempt".to_owned()))
    }

    /// The state of a key that exists; `None` if it has changed since.
    async fn known(
        &self,
        request: &KeyedRequest,
        mut found: KeyDocument,
    ) -> Result<Option<Claim>, StoreError> {
        let now = DateTime::now();
        let still = doc! { "_id": &found.id, "lease": found.lease };
        if found.expires_at <= now {
            // The key has expired. The database would delete it within a minute.
            within(COMMAND, self.documents.delete_one(still)).await?;
            return Ok(None);
        }
        if found.request != request.digest {
            return Ok(Some(Claim::OtherRequest));
        }
        if let Some(answer) = found.answer.take() {
            return Ok(Some(Claim::Answered(found.reserved(false), answer)));
        }
        if found.leased_until > now {
            return Ok(Some(Claim::UnderWay(until(found.leased_until, now))));
        }
        // The server that held it died, or did not learn the outcome of its movies.
        let lease = ObjectId::new();
        let taken = doc! { "lease": lease, "leased_until": now.saturating_add_duration(LEASE) };
        let take = self.documents.update_one(still, doc! { "$set": taken });
        let is_taken = within(COMMAND, take).await?.modified_count == 1;
        Ok(is_taken.then(|| Claim::Begin(KeyDocument { lease, ..found }.reserved(true))))
    }

    /// Stores a new key, unless the account has too many. It stores the key first and counts afterwards: of several
    /// new keys at once, the last one sees all others, so the account never exceeds the limit.
    async fn bounded(&self, document: KeyDocument, now: DateTime) -> Result<Claim, StoreError> {
        let others = doc! {
            "user": document.user, "expires_at": { "$gt": now }, "_id": { "$ne": &document.id },
        };
        let count = self.documents.count_documents(others.clone()).limit(MOST);
        if within(COMMAND, count).await? < MOST {
            return Ok(Claim::Begin(document.reserved(false)));
        }
        let own = doc! { "_id": &document.id, "lease": document.lease };
        within(COMMAND, self.documents.delete_one(own)).await?;
        let oldest = self.documents.find_one(others).sort(doc! { "expires_at": 1 });
        let oldest = within(COMMAND, oldest).await?;
        Ok(Claim::TooMany(oldest.map_or(Duration::ZERO, |oldest| until(oldest.expires_at, now))))
    }

    /// Stores the answer to the request.
    ///
    /// # Errors
    /// When the database fails: then a retry finds the movies.
    pub async fn finish(&self, reservation: &Reservation, answer: &Answer) -> Result<(), StoreError> {
        let answer = bson::serialize_to_bson(answer)
            .map_err(|error| StoreError::Other(Box::new(mongodb::error::Error::custom(error))))?;
        let own = doc! { "_id": &reservation.id, "lease": reservation.lease };
        let finish = self.documents.update_one(own, doc! { "$set": { "answer": answer } });
        within(COMMAND, finish).await.map(drop)
    }

    /// Frees the key, because nothing was written.
    ///
    /// # Errors
    /// When the database fails: then the key still belongs to this request.
    pub async fn release(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let own = doc! { "_id": &reservation.id, "lease": reservation.lease };
        within(COMMAND, self.documents.delete_one(own)).await.map(drop)
    }

    /// Ends the lease, because the outcome is unknown. A retry may find it out at once.
    ///
    /// # Errors
    /// When the database fails: then a retry has to wait for the end of the lease.
    pub async fn give_up(&self, reservation: &Reservation) -> Result<(), StoreError> {
        let own = doc! { "_id": &reservation.id, "lease": reservation.lease };
        let ended = doc! { "$set": { "leased_until": DateTime::now() } };
        within(COMMAND, self.documents.update_one(own, ended)).await.map(drop)
    }

    /// Deletes the keys of these users. It is safe to repeat.
    pub(super) async fn remove_all_of(&self, users: &[UserId]) -> Result<(), StoreError> {
        within(BATCH, self.documents.delete_many(doc! { "user": { "$in": users } })).await.map(drop)
    }
}
