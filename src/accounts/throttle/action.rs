//! What is attempted, and how often it may be.

use std::time::Duration;

use super::counts::Pace;

/// What is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A password is claimed at login.
    Login,
    /// A password is claimed to change the account, with a token of it.
    Change,
    Signup,
    Forgot,
    Reset,
    /// A link is asked for that confirms an address.
    Verification,
    /// The token of such a link is claimed.
    Verify,
    /// A refresh token is claimed.
    Refresh,
    /// The token of an invitation is claimed.
    Accept,
    /// The code of a sign-in with a provider is claimed.
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

/// For one address, whatever the account: behind one there may be many people.
pub(super) const BY_ADDRESS: Pace = pace(300, 12, 60);
/// Emails that were taken, for one account that asks.
pub(super) const TAKEN_BY_ACCOUNT: Pace = pace(6, 600, 900);
/// The same for one address. Few people meet another's email, so these are far fewer than [`BY_ADDRESS`].
pub(super) const TAKEN_BY_ADDRESS: Pace = pace(30, 120, 900);

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            // One and the same password.
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
            // Each of these is a mail to somebody.
            Self::Forgot | Self::Verification => pace(3, 600, 900),
            // For all who share the address: a token names no account, and cannot be guessed anyway.
            Self::Reset | Self::Verify | Self::Accept => pace(30, 60, 60),
            // Of one session from one address; what is none of ours is counted for all who share the address.
            Self::Refresh | Self::Exchange => Pace { at_once: 64, ..pace(30, 60, 60) },
        }
    }

    /// For one account, whatever the address. A reset token names no account; and who has a token of the
    /// account must be able to change the password while strangers guess at it.
    pub(super) fn by_account(self) -> Option<Pace> {
        match self {
            Self::Login | Self::Signup => Some(pace(100, 36, 60)),
            Self::Forgot | Self::Verification => Some(pace(20, 180, 60)),
            Self::Change | Self::Reset | Self::Verify | Self::Refresh | Self::Accept | Self::Exchange => None,
        }
    }

    /// Whether a success is forgotten by the address's count: many sign-ups from one are no successes.
    pub(super) fn success_frees_address(self) -> bool {
        !matches!(self, Self::Signup)
    }
}
