//! One file for each command of the command line.
//!
//! May import every folder. `main.rs` parses the arguments and calls one of these.
//!
//! | command | file |
//! | --- | --- |
//! | `movie-bag serve`, the default | [`serve`] |
//! | `movie-bag import` | [`import`] |
//! | `movie-bag export` | [`export`] |
//! | `movie-bag admin` | [`admin`] |
//! | `movie-bag user` | [`user`] |
//! | `movie-bag openapi` | `server/openapi/` |
//! | the hidden `supervise-mongod` | `mongod/supervisor.rs` |

pub mod admin;
pub mod export;
pub mod import;
pub mod serve;
pub mod user;
