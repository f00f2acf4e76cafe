//! How the server stops without cutting off a request that it has received.
//!
//! After SIGTERM or SIGINT:
//!
//! 1. For a moment the server serves as before, but with `Connection: close` in each answer. So a client that sends one
//!    request after another closes its connection itself, and does not use one that the server is about to close.
//! 2. The server stops listening, closes connections without a request, and ends event streams.
//! 3. It finishes the requests in progress, for at most Rocket's `shutdown.grace`. Then it cuts their connections, and
//!    the work that these requests have begun has Rocket's `shutdown.mercy` to end.
//!
//! A second signal ends the process at once. Rocket's own stop waits for the whole `grace` if any request was in
//! progress when it began. So the server drops Rocket's future instead. From then on only the connections hold Rocket,
//! and it is dropped with the last of them.

use std::{
    convert::Infallible,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rocket::{
    Build, Request, Response, Rocket,
    fairing::{Fairing, Info, Kind},
    http::Header,
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::mail::Mailer;

/// Long enough for several answers to a client that keeps sending requests.
const LEAVE_TAKING: Duration = Duration::from_millis(250);
/// The time that Rocket takes to cut the connections that are over the limit.
const CUTTING: Duration = Duration::from_secs(1);

/// The signals that tell a process to end.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on the signals do not end the process by themselves.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Managed by Rocket, so it is dropped with Rocket.
struct HeldByRocket {
    _sender: oneshot::Sender<Infallible>,
}

struct LastAnswers(Arc<AtomicBool>);

#[rocket::async_trait]
impl Fairing for LastAnswers {
    fn info(&self) -> Info {
        Info { name: "last answers", kind: Kind::Response }
    }

    async fn on_response<'r>(&self, _request: &'r Request<'_>, response: &mut Response<'r>) {
        if self.0.load(Ordering::Relaxed) {
            response.set_header(Header::new("Connection", "close"));
        }
    }
}

/// Serves until a signal comes, and then until the requests in progress are finished.
///
/// # Errors
/// Rocket's error, if it ends by itself.
pub async fn serve(rocket: Rocket<Build>, mut signals: Signals) -> Result<(), Box<rocket::Error>> {
    let leaving = Arc::new(AtomicBool::new(false));
    let (sender, gone) = oneshot::channel();
    let rocket = rocket.attach(LastAnswers(Arc::clone(&leaving))).manage(HeldByRocket { _sender: sender });
    let rocket = rocket.ignite().await.map_err(Box::new)?;
    let config = &rocket.config().shutdown;
    let (grace, mercy) = (Duration::from_secs(config.grace.into()), Duration::from_secs(config.mercy.into()));
    let (shutdown, mailer) = (rocket.shutdown(), rocket.state::<Mailer>().cloned());
    let mut launched = Box::pin(rocket.launch());
    tokio::select! {
        result = &mut launched => return result.map(drop).map_err(Box::new),
        () = signals.next() => {}
    }
    tracing::info!("stopping; the server finishes the requests in progress");
    tokio::spawn(async move {
        signals.next().await;
        tracing::error!("second signal; the server ends at once, without finishing the requests in progress");
        std::process::exit(1);
    });
    leaving.store(true, Ordering::Relaxed);
    tokio::select! {
        result = &mut launched => return result.map(drop).map_err(Box::new),
        () = sleep(LEAVE_TAKING) => {}
    }
    shutdown.notify();
    // This closes the listening socket, too.
    drop(launched);
    let limit = grace + CUTTING + mercy;
    if timeout(limit, gone).await.is_err() {
        tracing::error!(seconds = limit.as_secs(), "requests that took too long were cut off");
    }
    if let Some(mailer) = mailer {
        mailer.finish().await;
    }
    Ok(())
}
