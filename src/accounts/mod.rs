//! Decides who the caller is: accounts, passwords, tokens, roles, and the guards that ask for them. It also deletes
//! accounts.
//!
//! May import `config`, `telemetry`, `mongo`, `http` and `mail`. Knows nothing about movies.
//!
//! | question | file |
//! | --- | --- |
//! | what an account is, and what a client reads of it | [`model`] |
//! | what an email address is | [`email`] |
//! | who is calling | [`guard`] |
//! | what is in a token, how long it lives | [`token`]; how it is signed: [`hs256`] |
//! | which sessions there are | [`sessions`]; which tokens from before sessions were logged out: [`revocation`] |
//! | tokens for scripts, and what each may do | [`personal_tokens`] |
//! | what lets a user in without a password, and how all of it ends | [`grants`] |
//! | how a last use is noted without a write for each request | [`last_use`] |
//! | signing in with another provider | [`oidc`]; who somebody is there: [`identity`] |
//! | password rules and cost | [`password`] |
//! | how often something may be attempted | [`throttle`]; what counts as one address: [`network`] |
//! | a forgotten password | [`routes::reset`]; whose address is confirmed: [`routes::verify`]; the links: [`mail_token`] |
//! | what is mailed | [`letters`] |
//! | what is in the audit log | [`audit`] |
//! | how accounts are stored, who is admin | [`store`] |
//! | what happens when an account is deleted | [`deletion`]; what is deleted with it: [`belongings`] |
//! | `/api/auth`, `/api/users/me`, `/api/admin` | [`routes`] |
//! | how all this is attached to the service | [`mod@stage`] |

pub mod audit;
pub mod belongings;
pub mod deletion;
pub mod email;
pub mod grants;
pub mod guard;
pub mod hs256;
pub mod identity;
pub mod last_use;
pub mod letters;
pub mod mail_token;
pub mod model;
pub mod network;
pub mod oidc;
pub mod password;
pub mod personal_tokens;
pub mod revocation;
pub mod routes;
pub mod sessions;
mod stage;
pub mod store;
pub mod throttle;
pub mod token;

pub use belongings::Belongings;
pub use deletion::Cascade;
pub use email::{EmailAddress, EmailRule};
pub use guard::{Admin, ConfirmedSession, ConfirmedUser, CurrentUser, ScopedUser};
pub use model::{Account, Role, UserView};
pub use personal_tokens::scope::{AccountRead, MoviesWrite};
pub use stage::{Documented, Parts, stage};
pub use store::Users;
