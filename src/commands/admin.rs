//! `movie-bag admin grant|revoke EMAIL`, `movie-bag admin list`. The first admin is made here: no route can do it.

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
    /// Make a user an admin
    Grant {
        /// Email of the account
        email: String,
    },
    /// Take the role away from an admin. The last admin keeps it
    Revoke {
        /// Email of the account
        email: String,
    },
    /// List the emails of the admins
    List,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("{0} has no account")]
    NoSuchUser(String),
    #[error("{0} is not an admin")]
    NoAdmin(String),
    #[error("{0} is the last admin: make another user admin first")]
    LastAdmin(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Grants, revokes or lists the role. Returns the text to print.
///
/// # Errors
/// See [`AdminError`].
pub async fn run(command: RoleCommand, connection: &Connection) -> Result<String, AdminError> {
    let (users, admins) = (Users::new(&connection.database), Admins::new(&connection.database));
    admins.ensure().await?;
    match command {
        RoleCommand::Grant { email } => {
            let account = find(&users, &email).await?;
            if admins.contains(account.id).await? {
                return Ok(format!("{} is already an admin\n", account.email));
            }
            let granted = admins.grant(&users, account.id).await?;
            granted.map_err(|NoSuchUser| AdminError::NoSuchUser(email))?;
            audit::record_command(Event::RoleGranted, account.id);
            Ok(format!("{} is now an admin\n", account.email))
        }
        RoleCommand::Revoke { email } => {
            let account = find(&users, &email).await?;
            if !admins.contains(account.id).await? {
                return Err(AdminError::NoAdmin(account.email));
            }
            let revoked = admins.revoke(account.id).await?;
            revoked.map_err(|LastAdmin| AdminError::LastAdmin(account.email.clone()))?;
            audit::record_command(Event::RoleRevoked, account.id);
            Ok(format!("{} is no longer an admin\n", account.email))
        }
        RoleCommand::List => {
            let mut emails = Vec::new();
            for id in admins.members().await? {
                // An account that is being deleted is not found.
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
