//! Hashing and verifying passwords.
//!
//! bcrypt is slow on purpose, so it runs on threads of its own behind a bounded queue ([`pool`]): a storm of logins
//! fills the queue, and everything else continues. [`places`] says who may wait, [`meter`] how long the work takes,
//! and [`evenly`] why the time of an answer tells nothing.

mod counters;
mod evenly;
mod meter;
mod places;
mod pool;
#[cfg(test)]
mod tests;

pub use places::Requester;
pub use pool::Hasher;
