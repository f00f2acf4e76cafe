//! Limits what may be done only so often a day: invitations, since each is a mail to somebody who has not asked for it.
//!
//! The other counts make an attempt wait, and let the next one through. Here a key has only so many turns in any 24
//! hours. Its document remembers each turn with its time.

use std::time::Duration;

use bson::{Bson, DateTime, Document, bson, doc, oid::ObjectId};
use mongodb::{Collection, options::ReturnDocument};
use serde::Deserialize;

use super::{admission::Throttle, clock::Clock};
use crate::{
    accounts::{EmailAddress, audit::Audit},
    http::{ids::UserId, problem::Problem},
    mongo::{COMMAND, StoreError, indexes, within},
};

const DAY: Duration = Duration::from_hours(24);
/// How many invitations an account may send in a day.
const BY_ACCOUNT: i32 = 20;
/// How many invitations an address may get in a day, from all senders together.
const BY_ADDRESS: i32 = 3;
/// The name of the refusals in the metrics and in the audit log.
pub(super) const INVITATION: &str = "invitation";
/// How often an upsert is tried. If two upsert the same new key at once, the second fails and is done again.
const TRIES: usize = 4;

/// Daily turns, in the collection `throttle`.
#[derive(Clone)]
pub(super) struct Quotas {
    documents: Collection<Document>,
    clock: Clock,
}

/// A turn that was counted, to be taken back if nothing is sent.
#[must_use]
pub struct Counted {
    quotas: Quotas,
    keys: Vec<String>,
    turn: ObjectId,
}

#[derive(Deserialize)]
struct Turns {
    turns: Vec<Turn>,
    at: DateTime,
}

#[derive(Deserialize)]
struct Turn {
    turn: ObjectId,
    at: DateTime,
}

impl Quotas {
    pub(super) fn new(documents: Collection<Document>, clock: Clock) -> Self {
        Self { documents, clock }
    }

    /// Counts a turn.
    ///
    /// # Errors
    /// When the database fails; inside, the time to wait if there were enough turns in a day.
    async fn take(&self, key: &str, most: i32, turn: ObjectId) -> Result<Result<(), Duration>, StoreError> {
        let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        let now = self.clock.now();
        let since = doc! { "$subtract": [now.clone(), day] };
        let young = doc! { "$filter": {
            "input": { "$ifNull": ["$turns", []] }, "as": "turn", "cond": { "$gt": ["$$turn.at", since] },
        } };
        let another = doc! { "$concatArrays": ["$turns", [{ "turn": turn, "at": now.clone() }]] };
        let has_room = doc! { "$lt": [{ "$size": "$turns" }, most] };
        let update = vec![
            doc! { "$set": { "at": now.clone(), "turns": young } },
            doc! { "$set": { "turns": { "$cond": [has_room, another, "$turns"] } } },
            doc! { "$set": { "expires_at": { "$add": [now, day] } } },
        ];
        let turns = self.documents.clone_with_type::<Turns>();
        let mut tries = 0;
        let found = loop {
            let take = turns
                .find_one_and_update(doc! { "_id": key }, update.clone())
                .upsert(true)
                .return_document(ReturnDocument::After);
            match within(COMMAND, take).await {
                Err(StoreError::Duplicate(indexes::ID)) if tries < TRIES => tries += 1,
                result => break result?,
            }
        };
        let Some(Turns { turns, at }) = found else { return Ok(Ok(())) };
        let oldest = turns.iter().map(|turn| turn.at).min();
        Ok(match oldest {
            Some(oldest) if turns.iter().all(|taken| taken.turn != turn) => {
                let age = at.timestamp_millis().saturating_sub(oldest.timestamp_millis());
                Err(DAY.saturating_sub(Duration::from_millis(age.try_into().unwrap_or_default())))
            }
            _ => Ok(()),
        })
    }
}

impl Counted {
    /// Takes the turn back, because nothing was sent. If that fails, the turn stays counted.
    pub async fn take_back(self) {
        if self.keys.is_empty() {
            return;
        }
        let pull: Bson = bson!({ "turns": { "turn": self.turn } });
        let theirs = doc! { "_id": { "$in": self.keys } };
        let pulled = self.quotas.documents.update_many(theirs, doc! { "$pull": pull });
        if let Err(error) = within(COMMAND, pulled).await {
            tracing::warn!(%error, "an invitation that was not sent stays counted");
        }
    }
}

impl Throttle {
    /// Counts an invitation of this account to this address.
    ///
    /// # Errors
    /// 429 with the time to wait; 503 when the database is unavailable.
    pub async fn admit_invitation(
        &self,
        sender: UserId,
        to: &EmailAddress,
        audit: &Audit,
    ) -> Result<Counted, Problem> {
        let quotas = self.quotas();
        let mut counted = Counted { quotas, keys: Vec::new(), turn: ObjectId::new() };
        if !self.is_enabled() {
            return Ok(counted);
        }
        let keys = [
            (self.digest(&[INVITATION, "account", &sender.to_string()]), BY_ACCOUNT),
            (self.digest(&[INVITATION, "recipient", to.as_str()]), BY_ADDRESS),
        ];
        for (key, most) in keys {
            if let Err(wait) = counted.quotas.take(&key, most, counted.turn).await? {
                counted.take_back().await;
                return Err(self.refuse_as(INVITATION, to, audit, wait));
            }
            counted.keys.push(key);
        }
        Ok(counted)
    }
}
