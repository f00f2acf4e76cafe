//! `movie-bag admin grant|revoke EMAIL`, `movie-bag admin list`: how the first admin is made.

use crate::{
    accounts::{
        Account, EmailAddress, Users,
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
    /// List the admins.
    List,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("there is no user {0}")]
    NoSuchUser(String),
    #[error("{0} is no admin")]
    NoAdmin(String),
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
    match command {
        RoleCommand::Grant { email } => {
            let account = find(&users, &email).await?;
            let granted = admins.grant(&users, account.id).await?;
            granted.map_err(|NoSuchUser| AdminError::NoSuchUser(email))?;
            audit::record_command(Event::RoleGranted, account.id);
            Ok(format!("{} is admin now\n", account.email))
        }
        RoleCommand::Revoke { email } => {
            let account = find(&users, &email).await?;
            if !admins.contains(account.id).await? {
                return Err(AdminError::NoAdmin(account.email));
            }
            let revoked = admins.revoke(account.id).await?;
            revoked.map_err(|LastAdmin| AdminError::LastAdmin(account.email.clone()))?;
            audit::record_command(Event::RoleRevoked, account.id);
            Ok(format!("{} is no admin now\n", account.email))
        }
        RoleCommand::List => {
            let mut emails = Vec::new();
            for id in admins.members().await? {
                // One who is being deleted is no longer there.
                emails.extend(users.find(id).await?.map(|account| account.email.clone() + "\n"));
            }
            emails.sort_unstable();
            Ok(emails.concat())
        }
    }
}

async fn find(users: &Users, email: &str) -> Result<Account, AdminError> {
    let account = users.find_by_email(&EmailAddress::claimed(email)).await?;
    account.ok_or_else(|| AdminError::NoSuchUser(email.to_owned()))
}
