//! The current password, where a token alone is not enough.

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

/// What is asked to verify it.
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

    /// What is stored now, if the password is right and the token of the request still good. A wrong password is
    /// counted.
    ///
    /// # Errors
    /// 403 for a wrong password, 429 after too many.
    pub async fn admit(
        &self,
        throttle: &Throttle,
        password: &ClaimedPassword,
    ) -> Result<Credentials, Problem> {
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

    /// The same for a password that was right before: it is not counted.
    ///
    /// # Errors
    /// 403 for a wrong password.
    pub async fn verify(&self, password: &ClaimedPassword) -> Result<Credentials, Problem> {
        let credentials = self.users.credentials_of(self.user.id()).await?.ok_or(Problem::RevokedToken)?;
        if credentials.generation != self.user.account.generation {
            return Err(Problem::RevokedToken);
        }
        if self.hasher.verify(password, Some(&credentials.password_hash), &self.requester()).await? {
            Ok(credentials)
        } else {
            Err(Problem::WrongPassword)
        }
    }
}
