//! The words in which a route says what it answers ([`answers`]) and what it can be asked ([`parameters`]).

pub mod answers;
pub mod parameters;
