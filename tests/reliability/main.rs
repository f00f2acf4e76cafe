//! Several servers on one database, and a replica set of three real mongods, while everything fails.
//!
//! `docs/evidence/reliability.md` has the results, and says how to repeat them. Most tests here take a while, and
//! `cargo test` ignores them; `.ci/run` has a step for them.

mod caches;
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
