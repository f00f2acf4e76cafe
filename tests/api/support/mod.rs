//! What the tests are built on: a server, callers, replies, a mongod, a proxy that cuts connections.

mod app;
mod caller;
pub mod contract;
pub mod mongod;
#[path = "../../support/movie.rs"]
mod movie;
#[path = "../../support/proxy.rs"]
mod proxy;
mod reply;

pub use app::{PASSWORD, SECRET, TestApp, object_id};
pub use caller::Caller;
pub use movie::movie;
pub use proxy::Proxy;
pub use reply::Reply;

use std::time::Duration;

/// Asks until the condition holds, for a long time. Then it fails with the last state.
pub async fn eventually<T, F>(what: &str, ask: impl Fn() -> F)
where
    T: std::fmt::Debug,
    F: Future<Output = Result<(), T>>,
{
    let mut last = None;
    for _ in 0..600 {
        match ask().await {
            Ok(()) => return,
            Err(state) => last = Some(state),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not within a minute: {what}; the last state: {last:?}");
}
