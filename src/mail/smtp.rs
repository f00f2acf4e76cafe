//! One attempt to hand a letter to the mail server, and why it failed.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox, MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp::AsyncSmtpTransportBuilder,
};
use tokio::time::timeout;

use super::letter::Letter;

/// How long a mail server may take for one step, and for a whole letter.
const STEP: Duration = Duration::from_secs(15);
const WHOLE: Duration = Duration::from_mins(1);

/// RFC 3834, section 5: asks programs not to reply.
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

/// Why a letter was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("the letter cannot be composed: {0}")]
    Letter(#[from] lettre::error::Error),
    #[error("the address is not valid: {0}")]
    Address(#[from] lettre::address::AddressError),
    #[error("{0}")]
    Smtp(#[from] lettre::transport::smtp::Error),
    #[error("no answer in {} s", WHOLE.as_secs())]
    Slow,
}

/// The server of `mail.smtp_url`.
pub struct MailServer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl MailServer {
    #[must_use]
    pub fn new(transport: AsyncSmtpTransportBuilder, from: Mailbox) -> Self {
        Self { transport: transport.timeout(Some(STEP)).build(), from }
    }

    /// # Errors
    /// Why it was not sent. It may have been sent all the same, if the mail server's answer was lost.
    pub async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let message_id = format!("<{}@{}>", ulid::Ulid::new(), self.from.email.domain());
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, letter.to.parse()?))
            .subject(letter.subject)
            // Not the machine's own name, which recipients should not learn.
            .message_id(Some(message_id))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))?;
        timeout(WHOLE, self.transport.send(message)).await.map_err(|_| MailError::Slow)??;
        Ok(())
    }
}

impl MailError {
    /// Whether it is useless to try again.
    #[must_use]
    pub fn is_final(&self) -> bool {
        match self {
            Self::Letter(_) | Self::Address(_) => true,
            Self::Smtp(error) => error.is_permanent(),
            Self::Slow => false,
        }
    }

    /// What went wrong, and the mail server's code if it sent one.
    #[must_use]
    pub fn summary(&self) -> (&'static str, String) {
        match self {
            Self::Letter(_) => ("the letter cannot be composed", String::new()),
            Self::Address(_) => ("the address is not valid", String::new()),
            Self::Slow => ("the mail server is too slow", String::new()),
            Self::Smtp(error) => {
                let status = error.status().map(|code| code.to_string()).unwrap_or_default();
                let reason = match error {
                    _ if !status.is_empty() => "the mail server refused the letter",
                    error if error.is_timeout() => "the mail server is too slow",
                    error if error.is_tls() => "TLS failed",
                    error if error.is_client() => "the mail server lacks a feature that is needed",
                    _ => "the mail server cannot be reached",
                };
                (reason, status)
            }
        }
    }
}
