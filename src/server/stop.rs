//! How the server stops, so that nobody who was heard is cut off.
//!
//! SIGTERM or SIGINT comes:
//!
//! 1. For a moment it serves as before, and says `Connection: close` with each answer: whoever asks one
//!    thing after the other takes leave by himself, and does not ask on a connection that is just going.
//! 2. It no longer listens; connections without a request are closed; streams of events end.
//! 3. What is under way is finished, to a limit: Rocket's `shutdown.grace`. Then its connections are cut,
//!    and what its requests have begun has Rocket's `shutdown.mercy` to come to an end.
//!
//! A second signal ends the process at once. Rocket's own stop would wait for the whole `grace` whenever
//! anything was under way when it began. Here Rocket is let go of instead: from then on only its
//! connections hold it, and it is dropped with the last of them.

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

/// Some answers long for a client that asks on and on.
const LEAVE_TAKING: Duration = Duration::from_millis(250);
/// What Rocket takes to cut the connections that are over the limit.
const CUTTING: Duration = Duration::from_secs(1);

/// What tells a process to end.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on they do not end the process by themselves.
    ///
    /// # Errors
    /// The operating system's.
    pub fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
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

/// Serves until a signal comes, then to the end of what is under way.
///
/// # Errors
/// Rocket's, where it ends by itself.
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
    tracing::info!("stopping: what is under way is finished");
    tokio::spawn(async move {
        signals.next().await;
        tracing::error!("told to stop once more: ending at once, whatever is under way");
        std::process::exit(1);
    });
    leaving.store(true, Ordering::Relaxed);
    tokio::select! {
        result = &mut launched => return result.map(drop).map_err(Box::new),
        () = sleep(LEAVE_TAKING) => {}
    }
    shutdown.notify();
    // With this goes the listening socket.
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
