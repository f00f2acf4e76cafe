//! Decides who the caller is: accounts, passwords, tokens, roles, and the guards that ask for them; and deletes
//! accounts.
//!
//! May import `config`, `telemetry`, `mongo`, `http` and `mail`; knows no movie.
//!
//! | question | file |
//! | --- | --- |
//! | what an account is, and what a client reads of it | [`model`] |
//! | who is calling | [`guard`] |
//! | what is in a token, how long it lives | [`token`] |
//! | which tokens were logged out | [`revocation`] |
//! | password rules and cost | [`password`] |
//! | how often something may be attempted | [`throttle`] |
//! | a forgotten password | [`reset_token`], [`routes::reset`] |
//! | what is mailed | [`letters`] |
//! | what is in the audit log | [`audit`] |
//! | how accounts are stored, who is admin | [`store`] |
//! | what happens when an account is deleted | [`deletion`] |
//! | `/api/auth`, `/api/users/me`, `/api/admin` | [`routes`] |
//! | how the service takes all this in | [`mod@stage`] |

pub mod audit;
pub mod deletion;
pub mod guard;
pub mod letters;
pub mod model;
pub mod password;
pub mod reset_token;
pub mod revocation;
pub mod routes;
pub mod stage;
pub mod store;
pub mod throttle;
pub mod token;

pub use deletion::Cascade;
pub use guard::{Admin, CurrentUser};
pub use model::{Account, EmailAddress, EmailRule, Role, UserView};
pub use store::Users;
pub mod hs256;
pub mod network;
