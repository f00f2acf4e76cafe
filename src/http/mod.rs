//! What every route uses: problems, the fields of a body, queries, pages, answers.
//!
//! May import `config`, `telemetry` and `mongo`; knows no account and no movie.

pub mod body;
pub mod conditional;
pub mod deadline;
pub mod fields;
pub mod html;
pub mod ids;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod query;
pub mod refusal;
pub mod reply;
pub mod request_id;
pub mod timestamp;
pub mod unread;
