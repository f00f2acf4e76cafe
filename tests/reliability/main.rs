//! Several servers on one database, and a replica set of three real mongods, while everything fails.
//!
//! `docs/evidence/reliability.md` says what was found, and how to repeat it. Most tests here take a while and are
//! ignored by `cargo test`; `.ci/run` has a step for them.

#[path = "../support/change_log.rs"]
mod change_log;
mod cluster;
mod faults;
mod load;
#[path = "../support/process.rs"]
#[expect(dead_code, reason = "the tests of the command line use the rest")]
mod process;
#[path = "../support/proxy.rs"]
#[expect(dead_code, reason = "the tests of the API use the rest")]
mod proxy;
mod repeats;
mod replica_set;
#[path = "../support/smtp.rs"]
#[expect(dead_code, reason = "the tests of the mail use the rest")]
mod smtp;
mod soak;
mod trial;
mod two_servers;
