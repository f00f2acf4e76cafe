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
use rocket::fairing::AdHoc;
use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};

mod letters;

pub use letters::Letter;

use crate::config::{MailSettings, SettingsError, Smtp};

/// Letters that may be on their way; the next one is given up.
const LETTERS: usize = 256;
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
    lines: Arc<Semaphore>,
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
        let delivery = match settings.smtp()? {
            Some(Smtp { transport, from, is_open }) => {
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
            link_base: settings.link_base.as_deref().unwrap_or(address).into(),
            letters: Arc::new(Semaphore::new(LETTERS)),
            lines: Arc::new(Semaphore::new(AT_ONCE)),
        })
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
            return;
        };
        let mailer = self.clone();
        tokio::spawn(async move {
            mailer.deliver(&letter).await;
            drop(place);
        });
    }

    async fn deliver(&self, letter: &Letter) {
        let subject = letter.subject;
        let (transport, from) = match &*self.delivery {
            Delivery::Smtp { transport, from } => (transport, from),
            Delivery::Log => {
                tracing::info!(to = %letter.to, subject, text = letter.text, "mail");
                return;
            }
            Delivery::None => {
                tracing::warn!(subject, "no mail was sent: mail.smtp_url is unset");
                return;
            }
        };
        let mut pauses = PAUSES.into_iter();
        loop {
            let error = match self.send_now(transport, from.clone(), letter).await {
                Ok(()) => return,
                Err(error) => error,
            };
            let pause = if is_final(&error) { None } else { pauses.next() };
            match pause {
                Some(pause) => {
                    tracing::warn!(subject, %error, "a letter did not go out; it is tried again");
                    sleep(pause).await;
                }
                None => return tracing::error!(subject, %error, "a letter is given up"),
            }
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
    async fn finish(&self) {
        let everything = u32::try_from(LETTERS).unwrap_or(u32::MAX);
        if timeout(FAREWELL, self.letters.acquire_many(everything)).await.is_err() {
            tracing::error!("letters that did not go out are given up");
        }
    }
}

/// Whether trying again is of no use.
fn is_final(error: &MailError) -> bool {
    match error {
        MailError::Letter(_) | MailError::Address(_) => true,
        MailError::Smtp(error) => error.is_permanent(),
        MailError::Slow => false,
    }
}

/// Manages the mailer, and lets it finish.
#[must_use]
pub fn stage(mailer: Mailer) -> AdHoc {
    AdHoc::on_ignite("mail", |rocket| async move {
        let last = mailer.clone();
        rocket
            .manage(mailer)
            .attach(AdHoc::on_shutdown("mail", |_| Box::pin(async move { last.finish().await })))
    })
}
