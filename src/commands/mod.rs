//! One file for each command of the command line.
//!
//! May import every folder. `main.rs` parses the arguments ([`arguments`]) and calls one of these.
//!
//! | command | file |
//! | --- | --- |
//! | `movie-bag serve`, the default | [`serve`] |
//! | `movie-bag import` | [`import`] |
//! | `movie-bag export` | [`export`] |
//! | `movie-bag admin` | [`admin`] |
//! | `movie-bag user` | [`user`] |
//! | `movie-bag openapi`, `completions`, `man` | [`mod@print`] |
//! | the hidden `supervise-mongod` | `mongod/supervisor.rs` |

pub mod admin;
pub mod arguments;
pub mod export;
pub mod import;
pub mod print;
mod progress;
pub mod serve;
pub mod user;
mod welcome;

use std::path::Path;

/// Whether a FILE of the command line means standard input or output.
fn is_standard(file: &Path) -> bool {
    file.as_os_str() == "-"
}
