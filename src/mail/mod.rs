//! Mail: delivers letters, and knows nothing about accounts.
//!
//! May import `config`, `telemetry`, `mongo` and `http`.
//!
//! | question | file |
//! | --- | --- |
//! | what a letter looks like | `letter.rs`; its texts: `accounts/letters.rs` |
//! | how letters are sent, and how often one is tried again | `mailer.rs` |
//! | how one is handed to the mail server, and why that fails | `smtp.rs` |
//! | which letters may wait for another try | `delayed.rs` |
//!
//! Letters are sent in the background, never while a request waits: its answer must not show whether there is a
//! letter, nor how long the mail server takes. The mailer tries a letter again for a while, then it gives up and
//! writes a line to the log.

mod delayed;
mod letter;
mod mailer;
mod smtp;
mod stage;

pub use self::{letter::Letter, mailer::Mailer, stage::stage};
