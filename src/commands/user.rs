//! `movie-bag user add|reset|delete EMAIL`, `movie-bag user list`: accounts, for whoever runs the server. Where nobody may
//! sign up, and where no mail is sent, this is the way.

use std::{
    collections::HashSet,
    io::{self, Write},
    sync::Arc,
};

use crate::{
    accounts::{
        Account, Belongings, Cascade, EmailAddress, EmailRule, Users,
        audit::{self, Event},
        deletion::Removal,
        grants::Grants,
        mail_token::MailToken,
        store::{
            admin_list::{Admins, LastAdmin},
            users::UserFilter,
        },
    },
    http::{fields::Rule, ids::UserId},
    mongo::{Connection, StoreError, indexes, keyset::Position},
    movies::Movies,
};

/// How many accounts one command reads.
const PAGE: u32 = 1_000;

/// What to do with accounts.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum UserCommand {
    /// Make an account with a confirmed address, and print a link on which to choose a password.
    Add { email: String },
    /// Print a link on which the user can choose a new password.
    Reset { email: String },
    /// Delete an account with all its movies.
    Delete {
        email: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// List the accounts, newest first.
    List,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("{0} is not an email address")]
    NotAnEmail(String),
    #[error("there is an account {0} already")]
    Taken(String),
    #[error("there is no user {0}")]
    NoSuchUser(String),
    #[error("{0} is the last admin: make another user admin first")]
    LastAdmin(String),
    #[error("nothing was deleted")]
    NotConfirmed,
    #[error("no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    #[error("cannot ask: {0}")]
    Asking(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Does it; what to print.
///
/// # Errors
/// See [`UserError`].
pub async fn run(
    command: UserCommand,
    connection: &Connection,
    link_base: &str,
) -> Result<String, UserError> {
    let users = Users::new(&connection.database);
    match command {
        UserCommand::Add { email } => {
            let address =
                EmailRule.parse(email.clone().into()).map_err(|_| UserError::NotAnEmail(email.clone()))?;
            let id = users.insert_confirmed(&address).await.map_err(|error| match error {
                StoreError::Duplicate(indexes::EMAIL_UNIQUE) => UserError::Taken(address.to_string()),
                error => error.into(),
            })?;
            audit::record_command(Event::Signup, id);
            print_link(&users, id, &email, link_base).await
        }
        UserCommand::Reset { email } => {
            let account = find(&users, &email).await?;
            let link = print_link(&users, account.id, &email, link_base).await?;
            audit::record_command(Event::ResetRequested, account.id);
            Ok(link)
        }
        UserCommand::Delete { email, yes } => delete(connection, &users, &email, yes).await,
        UserCommand::List => list(connection, &users).await,
    }
}

async fn find(users: &Users, email: &str) -> Result<Account, UserError> {
    let account = users.find_by_email(&EmailAddress::claimed(email)).await?;
    account.ok_or_else(|| UserError::NoSuchUser(email.to_owned()))
}

async fn print_link(users: &Users, id: UserId, email: &str, link_base: &str) -> Result<String, UserError> {
    let token = MailToken::random()?;
    if !users.add_printed_reset(id, &token.digest()).await? {
        return Err(UserError::NoSuchUser(email.to_owned()));
    }
    Ok(format!("{}/#/reset?token={}\n", link_base.trim_end_matches('/'), token.expose()))
}

async fn delete(connection: &Connection, users: &Users, email: &str, yes: bool) -> Result<String, UserError> {
    let account = find(users, email).await?;
    let movies = Movies::new(&connection.database);
    if !yes {
        let count = movies.count_of(account.id).await?;
        if !is_confirmed(&format!("Delete {} with {count} movies? [y/N] ", account.email))? {
            return Err(UserError::NotConfirmed);
        }
    }
    let admins = Admins::new(&connection.database);
    admins.ensure().await?;
    let grants = Grants::new(&connection.database);
    let cascade = Cascade::new(users.clone(), admins, grants, Arc::new(movies));
    let id = account.id;
    let removed =
        cascade.remove_account(id, move || audit::record_command(Event::AccountDeleted, id)).await?;
    match removed.map_err(|LastAdmin| UserError::LastAdmin(account.email.clone()))? {
        Removal::Complete => Ok(format!("{} is deleted\n", account.email)),
        Removal::GoesOn => {
            Ok(format!("{} is deleted; a server will delete the rest of the movies\n", account.email))
        }
    }
}

/// Asks on standard error, so that standard output has nothing but what was done.
fn is_confirmed(question: &str) -> io::Result<bool> {
    io::stderr().write_all(question.as_bytes())?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

async fn list(connection: &Connection, users: &Users) -> Result<String, UserError> {
    let members: HashSet<UserId> = Admins::new(&connection.database).members().await?.into_iter().collect();
    let (mut lines, mut after) = (Vec::new(), None);
    loop {
        let found = users.list(&UserFilter { email_prefix: None }, after.as_ref(), PAGE).await?;
        // One more than was asked for says that there is another page.
        let page = found.get(..PAGE as usize).unwrap_or(&found);
        for account in page {
            let role = if members.contains(&account.id) { "admin" } else { "user" };
            let address = if account.email_verified { "confirmed" } else { "not confirmed" };
            let created_at = account.created_at.to_chrono().format("%Y-%m-%d");
            lines.push(format!("{}\t{role}\t{address}\t{created_at}\n", account.email));
        }
        after = match page.last() {
            Some(last) if found.len() > page.len() => {
                Some(Position::newest_first(last.created_at, last.id.0))
            }
            _ => return Ok(lines.concat()),
        };
    }
}
