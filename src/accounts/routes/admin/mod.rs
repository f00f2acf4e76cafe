//! `/api/admin`: for users with the role `admin` only. An admin is no owner: no movie is changed here.

pub mod counts;
pub mod user;
pub mod users;
