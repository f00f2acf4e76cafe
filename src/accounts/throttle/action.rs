//! What clients attempt, and how often they may.

use std::time::Duration;

use super::counts::Pace;

/// What is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A client tries a password at login.
    Login,
    /// A client with a token of the account tries its password to change the account.
    Change,
    Signup,
    Forgot,
    Reset,
    /// A client asks for a link that confirms an address.
    Verification,
    /// A client tries the token of such a link.
    Verify,
    /// A client tries a refresh token.
    Refresh,
    /// A client tries the token of an invitation.
    Accept,
    /// A client tries the code of a sign-in with a provider.
    Exchange,
}

const fn pace(free: u32, forgotten_after: u64, longest_wait: u64) -> Pace {
    Pace {
        free,
        at_once: free,
        forgotten_after: Duration::from_secs(forgotten_after),
        longest_wait: Duration::from_secs(longest_wait),
    }
}

/// For one address, whatever the account. Many people may share an address.
pub(super) const BY_ADDRESS: Pace = pace(300, 12, 60);
/// For one account that asks for emails which are taken.
pub(super) const TAKEN_BY_ACCOUNT: Pace = pace(6, 600, 900);
/// The same for one address. People rarely ask for somebody else's email, so this allows far less than [`BY_ADDRESS`].
pub(super) const TAKEN_BY_ADDRESS: Pace = pace(30, 120, 900);

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            // Both try the same password.
            Self::Login | Self::Change => "password",
            Self::Signup => "signup",
            Self::Forgot => "forgot",
            Self::Reset => "reset",
            Self::Verification => "verification",
            Self::Verify => "verify",
            Self::Refresh => "refresh",
            Self::Accept => "accept",
            Self::Exchange => "exchange",
        }
    }

    /// For one account from one address.
    pub(super) fn strict(self) -> Pace {
        match self {
            // An app may well start with a few logins at once.
            Self::Login | Self::Change | Self::Signup => Pace { at_once: 32, ..pace(6, 600, 900) },
            // Each of these sends a mail to somebody.
            Self::Forgot | Self::Verification => pace(3, 600, 900),
            // This is for everyone who shares the address: a token names no account, and cannot be guessed anyway.
            Self::Reset | Self::Verify | Self::Accept => pace(30, 60, 60),
            // For one session from one address. A token that we have not made counts for everyone who shares the
            // address.
            Self::Refresh | Self::Exchange => Pace { at_once: 64, ..pace(30, 60, 60) },
        }
    }

    /// For one account, whatever the address. A reset token names no account. And a user with a token of the account
    /// must be able to change the password while strangers try to guess it.
    pub(super) fn by_account(self) -> Option<Pace> {
        match self {
            Self::Login | Self::Signup => Some(pace(100, 36, 60)),
            Self::Forgot | Self::Verification => Some(pace(20, 180, 60)),
            Self::Change | Self::Reset | Self::Verify | Self::Refresh | Self::Accept | Self::Exchange => None,
        }
    }

    /// Whether a success is taken off the address's count. Many sign-ups from one address are not a success.
    pub(super) fn success_frees_address(self) -> bool {
        !matches!(self, Self::Signup)
    }
}
