//! Sends letters in the background, and tries each one several times.

use std::{sync::Arc, time::Duration};

use prometheus::{IntCounterVec, core::Collector};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

use super::{delayed::Delayed, letter::Letter, smtp::MailServer};
use crate::{
    config::{MailSettings, SettingsError, Smtp},
    telemetry::metrics::{self, counters},
};

/// How many letters may be in flight. The next one is given up.
const LETTERS: usize = 256;
/// How many letters are sent at the same time, so that one slow answer does not hold up all of them.
const AT_ONCE: usize = 4;
/// The pauses before the next tries.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(10), Duration::from_mins(1), Duration::from_mins(5)];
/// How long a stopping server waits for letters in flight.
const FAREWELL: Duration = Duration::from_secs(5);

enum Delivery {
    Smtp(Box<MailServer>),
    /// For a server without settings: a person reads the log.
    Log,
    None,
}

/// Sends letters in the background. Clones share what is in flight.
#[derive(Clone)]
pub struct Mailer {
    delivery: Arc<Delivery>,
    link_base: Arc<str>,
    letters: Arc<Semaphore>,
    delayed: Delayed,
    /// How many letters have a task, whether they are being sent or wait.
    under_way: watch::Sender<usize>,
    lines: Arc<Semaphore>,
    ended: IntCounterVec,
}

impl Mailer {
    /// With `to_log`, a mailer without settings writes the letters to the log, for somebody who tries out the server.
    /// `address` is where people reach the service if the settings do not say.
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
                        "mail.smtp_url sends its password unencrypted; use smtps:// or ?tls=required"
                    );
                }
                Delivery::Smtp(Box::new(MailServer::new(transport, from)))
            }
            None if to_log => Delivery::Log,
            None => Delivery::None,
        };
        Ok(Self {
            delivery: Arc::new(delivery),
            link_base: base,
            letters: Arc::new(Semaphore::new(LETTERS)),
            delayed: Delayed::default(),
            under_way: watch::Sender::new(0),
            lines: Arc::new(Semaphore::new(AT_ONCE)),
            ended: counters(
                "movie_bag_mail_letters_total",
                "Letters that were sent, given up, or left unsent because no mail server is set.",
                "result",
                &["sent", "given_up", "unsent"],
            ),
        })
    }

    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
        let number = |letters: usize| letters as f64;
        let (places, waiting) = (Arc::clone(&self.letters), self.delayed.clone());
        let taken = move || number(LETTERS.saturating_sub(places.available_permits()));
        let sending = "Letters that are being sent for the first time.";
        let delayed = "Letters that could not be sent and wait for another try.";
        vec![
            Box::new(self.ended.clone()),
            Box::new(metrics::read_gauge("movie_bag_mail_sending", sending, taken)),
            Box::new(metrics::read_gauge("movie_bag_mail_delayed", delayed, move || number(waiting.len()))),
        ]
    }

    fn ended(&self, result: &str) {
        self.ended.with_label_values(&[result]).inc();
    }

    /// What happens to letters, for the operator.
    #[must_use]
    pub fn describe(&self) -> &'static str {
        match &*self.delivery {
            Delivery::Smtp(_) => "sent through the server of mail.smtp_url",
            Delivery::Log => "not sent; written to this log (mail.smtp_url is unset)",
            Delivery::None => "not sent (mail.smtp_url is unset)",
        }
    }

    /// The address at which people reach this service.
    #[must_use]
    pub fn link_base(&self) -> &str {
        &self.link_base
    }

    /// Sends in the background.
    pub fn send(&self, letter: Letter) {
        let Ok(place) = Arc::clone(&self.letters).try_acquire_owned() else {
            tracing::error!(subject = letter.subject, "too many letters are in flight; one is given up");
            self.ended("given_up");
            return;
        };
        let mailer = self.clone();
        self.under_way.send_modify(|letters| *letters += 1);
        tokio::spawn(async move {
            mailer.deliver(&letter, place).await;
            mailer.under_way.send_modify(|letters| *letters -= 1);
        });
    }

    /// `place` is held while the letter is sent for the first time.
    async fn deliver(&self, letter: &Letter, place: OwnedSemaphorePermit) {
        let subject = letter.subject;
        let server = match &*self.delivery {
            Delivery::Smtp(server) => server,
            Delivery::Log => {
                self.ended("unsent");
                tracing::info!(to = letter.to, subject, text = letter.text, "mail");
                return;
            }
            Delivery::None => {
                self.ended("unsent");
                tracing::warn!(subject, "no mail was sent: mail.smtp_url is unset");
                return;
            }
        };
        let mut pauses = PAUSES.into_iter();
        let (mut place, mut waiting) = (Some(place), None);
        let given_up = |reason: &str, status: &str| {
            tracing::error!(subject, reason, status, "a letter is given up");
            self.ended("given_up");
        };
        loop {
            // The semaphore is never closed.
            let line = self.lines.acquire().await;
            let sent = server.send(letter).await;
            drop(line);
            let Err(error) = sent else {
                return self.ended("sent");
            };
            // Not the error's own text, in which a mail server may repeat the whole address.
            let (reason, status) = error.summary();
            drop(place.take());
            let Some(pause) = pauses.next().filter(|_| !error.is_final()) else {
                return given_up(reason, &status);
            };
            tracing::warn!(subject, reason, status, "a letter did not go out; the server will try again");
            let waiting = waiting.get_or_insert_with(|| self.delayed.enter(letter.domain()));
            if let Err(reason) = waiting.pause(pause).await {
                return given_up(reason, &status);
            }
        }
    }

    /// Waits, but not for long, until all letters are sent. Gives up letters that wait for another try.
    pub async fn finish(&self) {
        self.delayed.close();
        let mut under_way = self.under_way.subscribe();
        if timeout(FAREWELL, under_way.wait_for(|letters| *letters == 0)).await.is_err() {
            let letters = *self.under_way.borrow();
            tracing::error!(letters, "the server stops before these letters are sent; they are given up");
            self.ended.with_label_values(&["given_up"]).inc_by(letters as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn mailer(server: &TcpListener) -> Mailer {
        let settings = MailSettings {
            smtp_url: Some(format!("smtp://{}", server.local_addr().unwrap()).into()),
            from: Some("noreply@example.com".to_owned()),
            link_base: Some("https://example.com".to_owned()),
        };
        Mailer::new(&settings, false, "").unwrap()
    }

    fn letter() -> Letter {
        Letter::new("ann@example.com".to_owned(), "Test", &["A letter."], None)
    }

    #[tokio::test]
    async fn unsent_letters_are_bounded() {
        // It accepts connections and never sends a byte.
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let mailer = mailer(&silent);
        for _ in 0..LETTERS {
            mailer.send(letter());
        }
        assert_eq!(mailer.letters.available_permits(), 0);
        let under_way = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        mailer.send(letter());
        assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), under_way);
    }

    #[tokio::test]
    async fn a_stop_gives_up_waiting_letters_and_counts_them() {
        // Nothing listens at this address any more.
        let mailer = mailer(&TcpListener::bind("127.0.0.1:0").unwrap());
        for _ in 0..3 {
            mailer.send(letter());
        }
        let began = tokio::time::Instant::now();
        while mailer.delayed.len() < 3 {
            assert!(began.elapsed() < Duration::from_mins(1), "{} wait", mailer.delayed.len());
            tokio::task::yield_now().await;
        }
        mailer.finish().await;
        assert_eq!(mailer.ended.with_label_values(&["given_up"]).get(), 3);
        assert_eq!(*mailer.under_way.borrow(), 0);
    }
}
