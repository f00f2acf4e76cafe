//! Answers that a client has already: 304, without making them again.
//!
//! The tag of an answer is made of its bytes, so it says nothing of when the answer was made. This remembers the tag
//! that each address has, and in what standing of the catalogue. While that is still the standing, nothing has changed:
//! the tag still holds, and neither the database nor the search index is asked. Whatever has changed, all is forgotten.

use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use rocket::http::uri::Origin;
use sha2::{Digest, Sha256};

use crate::{
    http::{
        conditional::{IfNoneMatch, WeakTag},
        problem::Problem,
        reply::Reply,
    },
    movies::finder::{Finder, Standing},
};

/// How many addresses are remembered: some megabytes.
const MOST: usize = 10_000;

/// The digest of an address, since an address may be long.
type Address = [u8; 32];

/// The tags of the answers that were made since the catalogue changed last.
pub struct KnownTags(Mutex<Kept>);

struct Kept {
    standing: Option<Standing>,
    tags: LruCache<Address, WeakTag>,
}

impl Default for KnownTags {
    fn default() -> Self {
        Self(Mutex::new(Kept { standing: None, tags: LruCache::unbounded() }))
    }
}

impl KnownTags {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to what was asked at this address, which must hold everything that the answer depends on beside the
    /// catalogue. `make` is polled only where the client does not have it already.
    ///
    /// # Errors
    /// Those of `make`.
    pub async fn unless_known(
        &self,
        finder: &Finder,
        address: &Origin<'_>,
        condition: &IfNoneMatch,
        make: impl Future<Output = Result<Reply, Problem>>,
    ) -> Result<Reply, Problem> {
        // Before the answer is made: what changes meanwhile gives another standing.
        let standing = finder.standing();
        let address: Address = Sha256::digest(address.to_string()).into();
        let known = standing.as_ref().and_then(|standing| self.tag(standing, &address));
        if let Some(tag) = known.filter(|tag| condition.has_answer(tag)) {
            return Ok(Reply::not_modified().weak_etag(&tag));
        }
        let reply = make.await?;
        let tag = reply.weak_tag();
        let reply = reply.unless_known(&tag, condition);
        if standing.is_some() && standing == finder.standing() {
            self.keep(standing, address, tag);
        }
        Ok(reply)
    }

    fn tag(&self, standing: &Standing, address: &Address) -> Option<WeakTag> {
        let mut kept = self.kept();
        if kept.standing.as_ref() != Some(standing) {
            return None;
        }
        kept.tags.get(address).cloned()
    }

    fn keep(&self, standing: Option<Standing>, address: Address, tag: WeakTag) {
        let mut kept = self.kept();
        if kept.standing != standing {
            kept.standing = standing;
            kept.tags.clear();
        }
        kept.tags.put(address, tag);
        if kept.tags.len() > MOST {
            kept.tags.pop_lru();
        }
    }
}
