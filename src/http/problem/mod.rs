//! Every error that a client can get: its status, code, title, detail and headers.
//!
//! | question | file |
//! | --- | --- |
//! | every error | `variants.rs` |
//! | which codes there are, and their texts | [`codes`] |
//! | what a client gets | `answer.rs` |
//! | how a guard refuses a request | `left.rs` |
//! | `/problems/<code>` | `server/problem_pages.rs` |
//!
//! The form is RFC 9457. The log has a text of its own for an error. It is not written here: an answer leaves its
//! problem with the request, and `server/envelope.rs` writes the log lines.

mod answer;
pub mod codes;
mod left;
mod variants;

pub use self::{
    answer::{ProblemBody, ProblemView},
    codes::{Code, Kind},
    variants::Problem,
};
