//! Invitations to edit a movie, or to own it.
//!
//! Open invitations are part of the movie's document, each as the digest of its link. So deleting a movie deletes its
//! invitations, a transfer drops them all, and a single write both uses an invitation and grants what it promises. No
//! other write can happen in between, and nobody can use an invitation twice.

use std::time::Duration;

use bson::{DateTime, Document, doc};
use mongodb::options::{Hint, ReturnDocument};
use serde::Deserialize;

use super::{insertion::OwnerGone, movies::Movies};
use crate::{
    accounts::{Users, mail_token::MailDigest},
    http::ids::{MovieId, UserId},
    mongo::{COMMAND, StoreError, indexes, within},
    movies::{
        model::MovieDocument,
        ownership::{self, Refusal, Rights, Role},
    },
};

/// How long an invitation is valid.
pub const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// How many open invitations a movie may have.
const MOST_OPEN: i32 = 20;
/// How many editors a movie may have.
const MOST_EDITORS: i32 = 20;
/// How often an accept is tried if other writes come first.
const TRIES: u32 = 8;

/// What an invitation promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Offer {
    Editor,
    Owner,
}

impl Offer {
    pub const ALL: [Self; 2] = [Self::Editor, Self::Owner];

    /// The name that clients and the database use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }
}

/// Why no invitation was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotInvited {
    NotThere,
    NotOwner,
    /// The movie has the maximum number of open invitations. The oldest one expires after this time.
    Enough(Duration),
}

/// Why an invitation was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAccepted {
    /// The invitation is unknown, used, expired or void, or it is for the caller's own movie.
    Invalid,
    /// The movie has the maximum number of editors. The invitation stays valid.
    TooManyEditors,
}

/// An accepted invitation. The server may not answer before it knows that both users still exist
/// ([`Movies::confirm_accepted`]).
#[derive(Debug)]
#[must_use = "a transfer counts only once the new owner is confirmed"]
pub struct Accepted {
    caller: UserId,
    /// For a transfer, the former owner, who is an editor now.
    former_owner: Option<UserId>,
    movie: MovieDocument,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
struct Oldest {
    issued_at: Option<DateTime>,
    now: DateTime,
}

/// A movie and the invitation that a link leads to.
#[derive(Deserialize)]
struct Invited {
    #[serde(rename = "_id")]
    id: MovieId,
    #[serde(flatten)]
    rights: Rights,
    /// The invitation, unless it has expired.
    invitation: Option<Invitation>,
}

#[derive(Deserialize)]
struct Invitation {
    role: Offer,
}

/// The unexpired invitations of a movie, by the database's clock.
fn open() -> Document {
    let lifetime = i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX);
    let all = doc! { "$ifNull": ["$invitations", []] };
    let young = doc! { "$gt": ["$$invitation.issued_at", { "$subtract": ["$$NOW", lifetime] }] };
    doc! { "$filter": { "input": all, "as": "invitation", "cond": young } }
}

/// The open invitation for this link, if there is one.
fn of_link(link: &MailDigest) -> Document {
    let this = doc! { "$eq": ["$$invitation.digest", link.as_stored()] };
    doc! { "$first": { "$filter": { "input": open(), "as": "invitation", "cond": this } } }
}

fn editors() -> Document {
    doc! { "$ifNull": ["$editors", []] }
}

/// The editors after the caller accepts.
fn editors_after(offer: Offer, caller: UserId) -> Document {
    match offer {
        Offer::Editor => doc! { "$cond": [
            { "$in": [caller, editors()] },
            editors(),
            { "$concatArrays": [editors(), [caller]] },
        ] },
        Offer::Owner => {
            let other = doc! { "$not": { "$in": ["$$editor", [bson::Bson::from(caller), bson::Bson::from("$added_by")]] } };
            let others = doc! { "$filter": { "input": editors(), "as": "editor", "cond": other } };
            doc! { "$concatArrays": [others, ["$added_by"]] }
        }
    }
}

/// The update that accepts an invitation. A new editor makes no new version of the movie; a new owner does.
fn accepting(offer: Offer, caller: UserId, link: &MailDigest) -> Document {
    match offer {
        Offer::Editor => {
            let other = doc! { "$ne": ["$$invitation.digest", link.as_stored()] };
            doc! {
                "editors": editors_after(offer, caller),
                "invitations": { "$filter": { "input": open(), "as": "invitation", "cond": other } },
            }
        }
        Offer::Owner => doc! {
            "added_by": caller,
            "editors": editors_after(offer, caller),
            // The sender of these invitations no longer owns the movie.
            "invitations": "$$REMOVE",
            "updated_by": caller,
            "updated_at": DateTime::now(),
            "version": { "$add": ["$version", 1_i64] },
        },
    }
}

/// Whether the movie has room for one more editor.
fn has_room(offer: Offer, caller: UserId, rights: &Rights) -> bool {
    let others = rights.editors().iter().filter(|editor| **editor != caller).count();
    others < usize::try_from(MOST_EDITORS).unwrap_or(usize::MAX)
        || offer == Offer::Editor && rights.editors().contains(&caller)
}

impl Movies {
    /// Stores an invitation. Returns the name of the movie.
    ///
    /// # Errors
    /// When the database fails. The inner error says why there is no invitation.
    pub async fn invite(
        &self,
        id: MovieId,
        owner: UserId,
        offer: Offer,
        link: &MailDigest,
    ) -> Result<Result<String, NotInvited>, StoreError> {
        let has_room = doc! { "$lt": [{ "$size": open() }, MOST_OPEN] };
        let filter = doc! { "_id": id, "added_by": owner, "$expr": has_room };
        let invitation = doc! { "digest": link.as_stored(), "role": offer.name(), "issued_at": "$$NOW" };
        let update = vec![doc! { "$set": { "invitations": { "$concatArrays": [open(), [invitation]] } } }];
        let movies = self.collection().clone_with_type::<Name>();
        let inviting = movies.find_one_and_update(filter, update).projection(doc! { "name": 1 });
        let inviting = inviting.hint(Hint::Name(indexes::ID.to_owned()));
        if let Some(movie) = within(COMMAND, inviting).await? {
            return Ok(Ok(movie.name));
        }
        // The second read.
        let rights = self.rights(id).await?;
        Ok(Err(match ownership::refusal(rights.as_ref(), owner, Role::Owner) {
            Refusal::NotThere => NotInvited::NotThere,
            Refusal::Not(_) => NotInvited::NotOwner,
            _ => NotInvited::Enough(self.until_one_ends(id).await?),
        }))
    }

    /// How long the oldest open invitation of a movie is still valid.
    async fn until_one_ends(&self, id: MovieId) -> Result<Duration, StoreError> {
        let oldest = doc! { "$min": { "$map": {
            "input": open(), "as": "invitation", "in": "$$invitation.issued_at",
        } } };
        let movies = self.collection().clone_with_type::<Oldest>();
        let find = movies.find_one(doc! { "_id": id });
        let find = find.projection(doc! { "_id": 0, "issued_at": oldest, "now": "$$NOW" });
        let left = within(COMMAND, find).await?.and_then(|Oldest { issued_at, now }| {
            let age = now.timestamp_millis() - issued_at?.timestamp_millis();
            LIFETIME.checked_sub(Duration::from_millis(age.try_into().ok()?))
        });
        Ok(left.unwrap_or_default())
    }

    /// Accepts an invitation. The caller becomes an editor; or the caller becomes the owner, and the former owner an
    /// editor.
    ///
    /// # Errors
    /// When the database fails. The inner error says why the invitation was not accepted.
    pub async fn accept(
        &self,
        caller: UserId,
        link: &MailDigest,
    ) -> Result<Result<Accepted, NotAccepted>, StoreError> {
        let invited = self.collection().clone_with_type::<Invited>();
        let with_link = || doc! { "invitations.digest": link.as_stored() };
        let mut session = self.session().await?;
        for _ in 0..TRIES {
            let look = invited.find_one(with_link());
            let look = look.projection(doc! { "added_by": 1, "editors": 1, "invitation": of_link(link) });
            let Some(Invited { id, rights, invitation: Some(invitation) }) = within(COMMAND, look).await?
            else {
                return Ok(Err(NotAccepted::Invalid));
            };
            let (offer, owner) = (invitation.role, rights.owner());
            if owner == caller {
                return Ok(Err(NotAccepted::Invalid));
            }
            if !has_room(offer, caller, &rights) {
                return Ok(Err(NotAccepted::TooManyEditors));
            }
            // If the movie has changed since it was read, this writes nothing.
            let is_open = doc! { "$eq": [{ "$type": of_link(link) }, "object"] };
            let fits = doc! { "$lte": [{ "$size": editors_after(offer, caller) }, MOST_EDITORS] };
            let mut filter = doc! { "_id": id, "added_by": owner };
            filter.extend(with_link());
            filter.insert("$expr", doc! { "$and": [is_open, fits] });
            let update = vec![doc! { "$set": accepting(offer, caller, link) }];
            let _invalidation = self.invalidate_after(&[id]);
            let write = self.collection().find_one_and_update(filter, update);
            let write = write.hint(Hint::Name(indexes::ID.to_owned()));
            let write = write.return_document(ReturnDocument::After).session(&mut session);
            if let Some(movie) = within(COMMAND, write).await? {
                self.acknowledged.note(&session);
                let former_owner = (offer == Offer::Owner).then_some(owner);
                return Ok(Ok(Accepted { caller, former_owner, movie }));
            }
        }
        Err(StoreError::Unavailable("other writes changed the movie at every attempt".to_owned()))
    }

    /// Checks, on the primary and after the write, whether the caller and the former owner still exist, as after an
    /// insert. `docs/develop/architecture.md` says why that suffices.
    ///
    /// # Errors
    /// When the database fails: then the sweep removes what is left of a deleted account. The inner error means that
    /// the caller is deleted. Then the caller's movie is deleted too, or the caller no longer edits it.
    pub async fn confirm_accepted(
        &self,
        users: &Users,
        accepted: Accepted,
    ) -> Result<Result<MovieDocument, OwnerGone>, StoreError> {
        let Accepted { caller, former_owner, movie } = accepted;
        let involved: Vec<UserId> = former_owner.into_iter().chain([caller]).collect();
        let alive = users.find_several(&involved).await?;
        let gone: Vec<UserId> = involved.into_iter().filter(|user| !alive.contains_key(user)).collect();
        let ids = [MovieId(movie.id)];
        if gone.contains(&caller) && former_owner.is_some() {
            self.remove_owned(&ids, &[caller]).await?;
        }
        if !gone.is_empty() {
            self.leave(&ids, &gone).await?;
        }
        Ok(if gone.contains(&caller) { Err(OwnerGone) } else { Ok(movie) })
    }
}
