//! Accounts: the caller's own, and what an admin sees of all of them.
//!
//! | question | file |
//! | --- | --- |
//! | what an account is, and what a client reads of it | [`model`] |
//! | how it is stored | [`repository`] |
//! | what proves who somebody is | [`credentials`] |
//! | who is admin, and why there always is one | [`admins`] |
//! | what happens when an account goes | [`cascade`] |
//! | `/api/users/me` | [`mod@routes`]; changing it: [`account`] |
//! | `/api/admin` | [`admin`] |
//! | what the OpenAPI document says of them | [`openapi`] |
//! | how the service takes all this in | [`mod@stage`] |

mod account;
mod admin;
pub mod admins;
pub mod cascade;
pub mod credentials;
pub mod model;
pub mod openapi;
pub mod repository;
mod routes;
mod stage;

pub use cascade::Cascade;
pub use model::{Account, EmailAddress, EmailRule, Role, UserView};
pub use repository::Users;
pub use stage::{Documented, stage};
