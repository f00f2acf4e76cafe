//! Mail: what is sent ([`letters`]), and how it goes out.
//!
//! Never on a request's path: whether there is a letter, and how long the mail server takes, must not
//! show in the answer. A letter that cannot go out is tried again for a while, then given up with a line
//! in the log.

use std::{sync::Arc, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
};
use prometheus::{IntCounterVec, core::Collector};
use rocket::fairing::AdHoc;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

mod letters;

pub use letters::Letter;

use crate::{
    config::{MailSettings, SettingsError, Smtp},
    metrics::{self, counters},
};

/// Letters that may be on their way; the next one is given up.
const LETTERS: usize = 256;
/// Letters that may wait to be tried again: fewer, and beside the others, so that one address to which
/// nothing can be sent does not stop all mail.
const DELAYED: usize = 64;
/// Letters that are sent at the same time: one slow answer must not hold all.
const AT_ONCE: usize = 4;
/// How long a mail server may take for one step, and for a whole letter.
const STEP: Duration = Duration::from_secs(15);
const WHOLE: Duration = Duration::from_mins(1);
/// The pauses before it is tried again.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(10), Duration::from_mins(1), Duration::from_mins(5)];
/// How long a stopping server waits for letters on their way.
const FAREWELL: Duration = Duration::from_secs(5);

enum Delivery {
    Smtp {
        transport: Box<AsyncSmtpTransport<Tokio1Executor>>,
        from: Mailbox,
    },
    /// For a start without any settings: a person reads the log.
    Log,
    None,
}

/// Sends letters in the background. Clones share what is on its way.
#[derive(Clone)]
pub struct Mailer {
    delivery: Arc<Delivery>,
    link_base: Arc<str>,
    letters: Arc<Semaphore>,
    delayed: Arc<Semaphore>,
    lines: Arc<Semaphore>,
    ended: IntCounterVec,
}

/// RFC 3834, section 5: no robot shall answer.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Why a letter is not out.
#[derive(Debug, thiserror::Error)]
enum MailError {
    #[error("the letter cannot be written: {0}")]
    Letter(#[from] lettre::error::Error),
    #[error("the address is none: {0}")]
    Address(#[from] lettre::address::AddressError),
    #[error("{0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error("no answer in {} s", WHOLE.as_secs())]
    Slow,
}

impl Mailer {
    /// `to_log`: without settings the letters are written to the log, for whoever runs this alone.
    /// `address`: where the service is reached when the settings do not say.
    ///
    /// # Errors
    /// The setting that cannot be used.
    pub fn new(settings: &MailSettings, to_log: bool, address: &str) -> Result<Self, SettingsError> {
        let mut base: Arc<str> = address.into();
        let delivery = match settings.smtp()? {
            Some(Smtp { transport, from, is_open, link_base }) => {
                base = link_base.as_str().into();
                if is_open {
                    tracing::warn!(
                        "mail.smtp_url sends its password unencrypted: smtps://, or ?tls=required, does not"
                    );
                }
                Delivery::Smtp { transport: Box::new(transport.timeout(Some(STEP)).build()), from }
            }
            None if to_log => Delivery::Log,
            None => Delivery::None,
        };
        Ok(Self {
            delivery: Arc::new(delivery),
            link_base: base,
            letters: Arc::new(Semaphore::new(LETTERS)),
            delayed: Arc::new(Semaphore::new(DELAYED)),
            lines: Arc::new(Semaphore::new(AT_ONCE)),
            ended: counters(
                "movie_bag_mail_letters_total",
                "Letters: sent; given up; unsent, where no mail server is set.",
                "result",
                &["sent", "given_up", "unsent"],
            ),
        })
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        let taken = |places: &Arc<Semaphore>, all: usize| {
            let places = Arc::clone(places);
            #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
            move || all.saturating_sub(places.available_permits()) as f64
        };
        let sending = "Letters that are being sent for the first time.";
        let delayed = "Letters that did not go out and wait to be tried again.";
        vec![
            Box::new(self.ended.clone()),
            Box::new(metrics::read_gauge("movie_bag_mail_sending", sending, taken(&self.letters, LETTERS))),
            Box::new(metrics::read_gauge("movie_bag_mail_delayed", delayed, taken(&self.delayed, DELAYED))),
        ]
    }

    fn ended(&self, result: &str) {
        self.ended.with_label_values(&[result]).inc();
    }

    /// What becomes of letters, for the operator.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match &*self.delivery {
            Delivery::Smtp { .. } => "sent by the server of mail.smtp_url",
            Delivery::Log => "not sent; written to this log (mail.smtp_url is unset)",
            Delivery::None => "not sent (mail.smtp_url is unset)",
        }
    }

    /// The address under which people see this service.
    #[must_use]
    pub fn link_base(&self) -> &str {
        &self.link_base
    }

    /// Sends in the background.
    pub fn send(&self, letter: Letter) {
        let Ok(place) = Arc::clone(&self.letters).try_acquire_owned() else {
            tracing::error!(subject = letter.subject, "too many letters are on their way: one is given up");
            self.ended("given_up");
            return;
        };
        let mailer = self.clone();
        tokio::spawn(async move {
            mailer.deliver(&letter, place).await;
        });
    }

    /// `place` is held while the letter is sent for the first time.
    async fn deliver(&self, letter: &Letter, place: OwnedSemaphorePermit) {
        let subject = letter.subject;
        let (transport, from) = match &*self.delivery {
            Delivery::Smtp { transport, from } => (transport, from),
            Delivery::Log => {
                self.ended("unsent");
                tracing::info!(to = %letter.to, subject, text = letter.text, "mail");
                return;
            }
            Delivery::None => {
                self.ended("unsent");
                tracing::warn!(subject, "no mail was sent: mail.smtp_url is unset");
                return;
            }
        };
        let mut pauses = PAUSES.into_iter();
        let (mut place, mut delay) = (Some(place), None);
        loop {
            let Err(error) = self.send_now(transport, from.clone(), letter).await else {
                return self.ended("sent");
            };
            // Not its text, in which a mail server may repeat the whole address.
            let (reason, status) = error.summary();
            drop(place.take());
            if delay.is_none() {
                delay = self.delayed.try_acquire().ok();
            }
            let Some(pause) = pauses.next().filter(|_| delay.is_some() && !error.is_final()) else {
                tracing::error!(subject, reason, status, "a letter is given up");
                return self.ended("given_up");
            };
            tracing::warn!(subject, reason, status, "a letter did not go out; it is tried again");
            sleep(pause).await;
        }
    }

    async fn send_now(
        &self,
        transport: &AsyncSmtpTransport<Tokio1Executor>,
        from: Mailbox,
        letter: &Letter,
    ) -> Result<(), MailError> {
        // The semaphore is never closed.
        let _line = self.lines.acquire().await;
        let message_id = format!("<{}@{}>", ulid::Ulid::new(), from.email.domain());
        let message = Message::builder()
            .from(from)
            .to(Mailbox::new(None, letter.to.as_str().parse()?))
            .subject(letter.subject)
            // Not the machine's own name, which is nobody's business.
            .message_id(Some(message_id))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))?;
        timeout(WHOLE, transport.send(message))
            .await
            .map_err(|_| MailError::Slow)?
            .map_err(MailError::from)?;
        Ok(())
    }

    /// Waits, but not for long, until everything is out.
    pub async fn finish(&self) {
        let everything = u32::try_from(LETTERS).unwrap_or(u32::MAX);
        if timeout(FAREWELL, self.letters.acquire_many(everything)).await.is_err() {
            tracing::error!("letters that did not go out are given up");
        }
    }
}

impl MailError {
    /// Whether trying again is of no use.
    fn is_final(&self) -> bool {
        match self {
            Self::Letter(_) | Self::Address(_) => true,
            Self::Smtp(error) => error.is_permanent(),
            Self::Slow => false,
        }
    }

    /// What went wrong, and the mail server's code if it said one.
    fn summary(&self) -> (&'static str, String) {
        match self {
            Self::Letter(_) => ("the letter cannot be written", String::new()),
            Self::Address(_) => ("the address is none", String::new()),
            Self::Slow => ("the mail server is too slow", String::new()),
            Self::Smtp(error) => {
                let status = error.status().map(|code| code.to_string()).unwrap_or_default();
                let reason = match error {
                    _ if !status.is_empty() => "the mail server refused",
                    error if error.is_timeout() => "the mail server is too slow",
                    error if error.is_tls() => "TLS failed",
                    error if error.is_client() => "the mail server cannot do what is needed",
                    _ => "the mail server cannot be reached",
                };
                (reason, status)
            }
        }
    }
}

/// Manages the mailer; `stop.rs` lets it finish.
#[must_use]
pub fn stage(mailer: Mailer) -> AdHoc {
    AdHoc::on_ignite("mail", |rocket| async move {
        metrics::register(&rocket, mailer.collectors());
        rocket.manage(mailer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::EmailAddress;

    #[tokio::test]
    async fn letters_that_do_not_go_out_are_bounded() {
        // It takes connections and never says a word.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = MailSettings {
            smtp_url: Some(format!("smtp://{}", silent.local_addr().unwrap()).into()),
            from: Some("noreply@example.com".to_owned()),
            link_base: Some("https://example.com".to_owned()),
        };
        let mailer = Mailer::new(&settings, false, "").unwrap();
        let letter = || Letter::password_changed(EmailAddress::claimed("ann@example.com"));
        for _ in 0..LETTERS {
            mailer.send(letter());
        }
        assert_eq!(mailer.letters.available_permits(), 0);
        let under_way = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        mailer.send(letter());
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), under_way);
    }
}
