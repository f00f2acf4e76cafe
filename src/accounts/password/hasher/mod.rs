//! Hashing and verifying passwords.
//!
//! bcrypt is slow on purpose, so it runs on its own threads behind a bounded queue ([`pool`]): a storm of logins fills
//! the queue, and everything else continues. [`places`] decides who may wait, [`meter`] measures how long the work
//! takes, and [`evenly`] makes sure that the time of an answer tells nothing.

mod counters;
mod evenly;
mod meter;
mod places;
mod pool;
#[cfg(test)]
mod tests;

pub use places::Requester;
pub use pool::Hasher;
