//! What an account is, in two shapes: [`Account`], which is read from the database, and [`UserView`], which a client
//! reads. No shape that can be serialised has the hash.

use bson::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::Schema;

use crate::http::{
    fields::{Rule, Wrong},
    ids::UserId,
    timestamp::Timestamp,
};

/// What a user may do besides managing their own account and movies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    User,
    Admin,
}

/// The rule of [`Role`].
pub struct RoleRule;

impl Rule for RoleRule {
    type Value = Role;

    fn parse(&self, value: Value) -> Result<Role, Vec<Wrong>> {
        match value.as_str().map(str::trim) {
            Some("user") => Ok(Role::User),
            Some("admin") => Ok(Role::Admin),
            Some(_) => Err(vec![Wrong::new("invalid-role", "must be user or admin")]),
            None => Err(vec![Wrong::new("wrong-type", "must be a string")]),
        }
    }

    fn schema(&self) -> Schema {
        <Role as utoipa::PartialSchema>::schema().into()
    }
}

/// An account that is not deleted.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    #[serde(rename = "_id")]
    pub id: UserId,
    pub email: String,
    pub created_at: DateTime,
    /// Raised to revoke every token.
    #[serde(rename = "gen")]
    pub generation: i64,
    /// Accounts from releases that did not confirm addresses have no such field.
    #[serde(default)]
    pub email_verified: bool,
    /// False for an account that was made on the command line or with a provider, until its owner chooses a password.
    pub has_password: bool,
}

/// A user as a client reads them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = User)]
pub struct UserView {
    id: UserId,
    /// In lower case.
    #[schema(format = "email", max_length = 254, example = "ann@example.com")]
    email: String,
    /// Whether the address is confirmed.
    email_verified: bool,
    /// Whether the user can log in with a password.
    has_password: bool,
    role: Role,
    created_at: Timestamp,
    /// How many movies the user owns. Not in a list of users.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0)]
    movie_count: Option<u64>,
}

impl UserView {
    #[must_use]
    pub fn new(account: &Account, role: Role) -> Self {
        Self {
            id: account.id,
            email: account.email.clone(),
            email_verified: account.email_verified,
            has_password: account.has_password,
            role,
            created_at: Timestamp(account.created_at),
            movie_count: None,
        }
    }

    #[must_use]
    pub fn with_movie_count(self, movie_count: u64) -> Self {
        Self { movie_count: Some(movie_count), ..self }
    }
}
