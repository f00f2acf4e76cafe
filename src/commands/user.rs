//! `movie-bag user add|reset|delete EMAIL`, `movie-bag user list`: the operator's commands for accounts. They also work
//! where sign-up is closed and where no mail is sent.

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
    /// Add an account with a confirmed email, and print a link where its user chooses a password
    Add {
        /// Email of the new account
        #[arg(value_parser = new_address)]
        email: EmailAddress,
    },
    /// Print a link where the user of an account chooses a new password
    Reset {
        /// Email of the account
        email: String,
    },
    /// Delete an account and all its movies
    Delete {
        /// Email of the account
        email: String,
        /// Do not ask for confirmation
        #[arg(long)]
        yes: bool,
    },
    /// List the accounts, newest first
    List,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error("{0} already has an account")]
    Taken(String),
    #[error("{0} has no account")]
    NoSuchUser(String),
    #[error("{0} is the last admin: make another user admin first")]
    LastAdmin(String),
    #[error("nothing was deleted")]
    NotConfirmed,
    #[error("the system has no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    #[error("cannot ask for confirmation: {0}")]
    Asking(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Changes or lists accounts. Returns the text to print.
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
            let id = users.insert_confirmed(&email).await.map_err(|error| match error {
                StoreError::Duplicate(indexes::EMAIL_UNIQUE) => UserError::Taken(email.to_string()),
                error => error.into(),
            })?;
            audit::record_command(Event::Signup, id);
            print_link(&users, id, email.as_str(), link_base).await
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

fn new_address(text: &str) -> Result<EmailAddress, String> {
    EmailRule.parse(text.into()).map_err(|wrongs| {
        let messages: Vec<_> = wrongs.into_iter().map(|wrong| wrong.message).collect();
        messages.join(", ")
    })
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
        Removal::Complete => Ok(format!("{} was deleted\n", account.email)),
        Removal::GoesOn => {
            Ok(format!("{} was deleted; a server will delete the rest of its movies\n", account.email))
        }
    }
}

/// Asks on standard error, because standard output is only for the result.
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
        // The list has one account more than the page if another page follows.
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
