//! `movie-bag admin grant|revoke EMAIL`: how the first admin is made.

use crate::{
    accounts::{
        EmailAddress, Users,
        audit::{self, Event},
        store::admin_list::{Admins, LastAdmin, NoSuchUser},
    },
    mongo::{Connection, StoreError},
};

/// What to do with the role.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum RoleCommand {
    /// Make a user admin.
    Grant { email: String },
    /// Take the role from an admin; the last one keeps it.
    Revoke { email: String },
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("there is no user {0}")]
    NoSuchUser(String),
    #[error("{0} is the last admin: make another user admin first")]
    LastAdmin(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Does it, and says so.
///
/// # Errors
/// See [`AdminError`].
pub async fn run(command: RoleCommand, connection: &Connection) -> Result<String, AdminError> {
    let (users, admins) = (Users::new(&connection.database), Admins::new(&connection.database));
    admins.ensure().await?;
    let (RoleCommand::Grant { email } | RoleCommand::Revoke { email }) = &command;
    let unknown = || AdminError::NoSuchUser(email.clone());
    let account = users.find_by_email(&EmailAddress::claimed(email)).await?.ok_or_else(unknown)?;
    match command {
        RoleCommand::Grant { .. } => {
            admins.grant(&users, account.id).await?.map_err(|NoSuchUser| unknown())?;
            audit::record_command(Event::RoleGranted, account.id);
            Ok(format!("{} is admin now", account.email))
        }
        RoleCommand::Revoke { .. } => {
            admins
                .revoke(account.id)
                .await?
                .map_err(|LastAdmin| AdminError::LastAdmin(account.email.clone()))?;
            audit::record_command(Event::RoleRevoked, account.id);
            Ok(format!("{} is no admin now", account.email))
        }
    }
}
