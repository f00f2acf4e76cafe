//! Mail: delivers letters, and knows no account.
//!
//! May import `config`, `telemetry`, `mongo` and `http`.
//!
//! | question | file |
//! | --- | --- |
//! | what a letter looks like | `letter.rs`; its texts: `accounts/letters.rs` |
//! | how letters go out, how often one is tried again | `mailer.rs` |
//! | how one is handed to the mail server, and why that fails | `smtp.rs` |
//! | who may wait for another try | `delayed.rs` |
//!
//! Nothing is sent on a request's path: whether there is a letter, and how long the mail server takes, must
//! not show in the answer. A letter that cannot go out is tried again for a while, then given up with a
//! line in the log.

mod delayed;
mod letter;
mod mailer;
mod smtp;
mod stage;

pub use self::{letter::Letter, mailer::Mailer, stage::stage};
