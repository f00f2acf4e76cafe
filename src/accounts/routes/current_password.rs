//! Checks the current password, where a token alone is not enough. For an account without a password, the user must
//! have signed in within the last 10 minutes.

use crate::{
    accounts::{
        CurrentUser, EmailAddress, Users,
        audit::Audit,
        password::{ClaimedPassword, Hasher, Requester},
        store::credentials::Credentials,
        throttle::{Action, Throttle},
    },
    http::problem::Problem,
};

/// The OpenAPI document's description of the field `current_password`.
pub(super) const WORDS: &str = "The current password of the account. Leave it out if the account has none.";

/// What the check needs.
pub(super) struct Proof<'a> {
    pub user: &'a CurrentUser,
    pub users: &'a Users,
    pub hasher: &'a Hasher,
    pub audit: &'a Audit,
}

impl Proof<'_> {
    pub fn email(&self) -> EmailAddress {
        EmailAddress::claimed(&self.user.account.email)
    }

    pub fn requester(&self) -> Requester {
        Requester::new(self.audit.address, &self.email())
    }

    /// Returns the stored credentials, if the password is right and the request's token is still valid. A wrong
    /// password counts as an attempt. A request without a password does not count, because there is nothing to guess.
    ///
    /// # Errors
    /// 403 for a wrong password, 429 after too many.
    pub async fn admit(
        &self,
        throttle: &Throttle,
        password: Option<&ClaimedPassword>,
    ) -> Result<Credentials, Problem> {
        if password.is_none() {
            return self.verify(None).await;
        }
        let attempt = throttle.admit(Action::Change, &self.email(), self.audit).await?;
        match self.verify(password).await {
            Err(Problem::WrongPassword) => {
                attempt.count().await?;
                Err(Problem::WrongPassword)
            }
            verified => {
                let verified = verified?;
                attempt.forgive().await;
                Ok(verified)
            }
        }
    }

    /// Like [`Self::admit`], but counts nothing. It is for a password that was right a moment ago.
    ///
    /// # Errors
    /// 403 for a wrong password.
    pub async fn verify(&self, password: Option<&ClaimedPassword>) -> Result<Credentials, Problem> {
        let credentials = self.users.credentials_of(self.user.id()).await?.ok_or(Problem::RevokedToken)?;
        if credentials.generation != self.user.account.generation {
            return Err(Problem::RevokedToken);
        }
        let is_proven = match (password, &credentials.password_hash) {
            (Some(password), Some(hash)) => {
                self.hasher.verify(password, Some(hash), &self.requester()).await?
            }
            (None, None) if self.user.has_just_signed_in() => true,
            (None, None) => return Err(Problem::SignInAgain),
            _ => false,
        };
        if is_proven { Ok(credentials) } else { Err(Problem::WrongPassword) }
    }
}
