//! A limit on answers that nobody reads.
//!
//! The server keeps an answer until its client has read it. Rocket 0.5 sets no limit for that, and it exposes neither
//! its connections nor its listening socket. The kernel has a limit, `TCP_USER_TIMEOUT` (RFC 5482): it closes a
//! connection when data that was sent, or that waits to be sent, makes no progress for that long. A connection
//! inherits the limit from the listening socket. So the server sets it there, once, before the first connection. It
//! finds the socket among its own open files and gets it with `pidfd_getfd(2)`, which needs no `unsafe`.
//!
//! This needs Linux 5.6 or later. If a sandbox forbids the call, as Docker's default one does, the log says so. A
//! proxy that buffers answers, such as nginx, has its own limit and makes this one unnecessary.

use std::{io, time::Duration};

use rocket::fairing::AdHoc;

/// How long a client may leave its answer unread. This is also the longest network failure that a connection survives
/// in the middle of an answer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Sets the limit at liftoff.
#[must_use]
pub fn stage(patience: Duration) -> AdHoc {
    AdHoc::on_liftoff("unread answers", move |rocket| {
        Box::pin(async move {
            let result = limit(rocket.config().port, patience);
            if let Err(error) = result {
                tracing::warn!(%error, "the server cannot cut off clients that do not read their answers; put a proxy in front of it");
            }
        })
    })
}

#[cfg(target_os = "linux")]
fn limit(port: u16, patience: Duration) -> io::Result<()> {
    use rustix::{
        net::{getsockname, sockopt},
        process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
    };

    let process = pidfd_open(getpid(), PidfdFlags::empty())?;
    let milliseconds = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
    let mut refused = None;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let Some(number) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        let file = match pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) {
            Ok(file) => file,
            // Either this is the folder's own file, which is closed by now, or a sandbox refuses them all.
            Err(error) => {
                refused = Some(error);
                continue;
            }
        };
        let address =
            getsockname(&file).ok().and_then(|address| std::net::SocketAddr::try_from(address).ok());
        if address.is_some_and(|address| address.port() == port) && sockopt::socket_acceptconn(&file)? {
            return Ok(sockopt::set_tcp_user_timeout(&file, milliseconds)?);
        }
    }
    Err(refused.map_or_else(|| io::Error::other("the listening socket was not found"), io::Error::from))
}

#[cfg(not(target_os = "linux"))]
fn limit(_: u16, _: Duration) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;

    use rocket::{State, get, routes};
    use tokio::{
        io::AsyncWriteExt,
        net::TcpStream,
        sync::{Notify, oneshot},
        time::timeout,
    };

    use super::*;

    /// More than the buffers of both ends hold.
    const LARGE: usize = 64 << 20;

    struct TellsWhenDropped(Arc<Notify>);

    impl Drop for TellsWhenDropped {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }

    #[get("/")]
    fn large(gone: &State<Arc<Notify>>) -> rocket::response::stream::ByteStream![Vec<u8>] {
        let tells = TellsWhenDropped(Arc::clone(gone));
        rocket::response::stream::ByteStream! {
            let _tells = tells;
            for _ in 0..LARGE >> 16 {
                yield vec![b'x'; 1 << 16];
            }
        }
    }

    #[tokio::test]
    async fn an_answer_that_nobody_reads_is_given_up() {
        let (gone, (tell, listens)) = (Arc::new(Notify::new()), oneshot::channel());
        let tell = std::sync::Mutex::new(Some(tell));
        let rocket = rocket::custom(crate::config::defaults().merge(("port", 0)))
            .manage(Arc::clone(&gone))
            .mount("/", routes![large])
            .attach(stage(Duration::from_millis(500)))
            .attach(AdHoc::on_liftoff("port", move |rocket| {
                tell.lock().unwrap().take().unwrap().send(rocket.config().port).unwrap();
                Box::pin(async {})
            }));
        tokio::spawn(rocket.launch());
        let mut client = TcpStream::connect(("127.0.0.1", listens.await.unwrap())).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        timeout(Duration::from_mins(1), gone.notified()).await.expect("the answer is still kept");
    }
}
