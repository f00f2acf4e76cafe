//! Which member of the replica set is primary, and by which election.

use bson::{Bson, Document, doc};
use mongodb::Collection;

use crate::mongo::{COMMAND, StoreError, within};

#[derive(PartialEq)]
pub(super) struct Primary {
    election: Option<Bson>,
    is_writable: bool,
}

impl Primary {
    pub(super) async fn of(movies: &Collection<Document>) -> Result<Self, StoreError> {
        let admin = movies.client().database("admin");
        let hello = within(COMMAND, admin.run_command(doc! { "hello": 1 })).await?;
        let is_writable = hello.get_bool("isWritablePrimary").unwrap_or(false);
        Ok(Self { election: hello.get("electionId").cloned(), is_writable })
    }
}
