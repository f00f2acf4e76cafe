//! Answers 304 to a client that already has the answer, without making the answer again.
//!
//! The tag of an answer is a digest of its bytes, so it does not say when the answer was made. This remembers the tag
//! of each address, and the state of the catalogue at that time. As long as the state is the same, the tag is still
//! right, and the server asks neither the database nor the search index. After any change, every tag is forgotten.

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

/// The tags of the answers that were made since the last change of the catalogue.
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
        // No code that holds this lock panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer for this address. The address must contain everything that the answer depends on besides the
    /// catalogue. `make` is polled only if the client may not have the answer yet.
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
        // Read this before the answer is made: a change in the meantime gives another standing.
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
