//! The mail settings: all three are set or none is, and each is parsed.

use lettre::{
    AsyncSmtpTransport, Tokio1Executor, message::Mailbox, transport::smtp::AsyncSmtpTransportBuilder,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{SettingsError, settings::unless_blank};

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    #[serde(default, deserialize_with = "unless_blank")]
    pub smtp_url: Option<SecretString>,
    #[serde(default, deserialize_with = "unless_blank")]
    pub from: Option<String>,
    /// The address at which people reach this service.
    #[serde(default, deserialize_with = "unless_blank")]
    pub link_base: Option<String>,
}

/// How letters are sent, and from whom.
pub struct Smtp {
    pub transport: AsyncSmtpTransportBuilder,
    pub from: Mailbox,
    /// Whether a password crosses the network unencrypted.
    pub is_open: bool,
    /// As letters show it, however the operator wrote it.
    pub link_base: url::Url,
}

impl MailSettings {
    /// `None` if mail is not configured.
    ///
    /// # Errors
    /// Names the key of the setting that cannot be used.
    pub fn smtp(&self) -> Result<Option<Smtp>, SettingsError> {
        let given = [self.smtp_url.is_some(), self.from.is_some(), self.link_base.is_some()];
        let keys = ["mail.smtp_url", "mail.from", "mail.link_base"];
        let (Some(url), Some(from), Some(base)) = (&self.smtp_url, &self.from, &self.link_base) else {
            return match given.iter().position(|given| !given) {
                Some(missing) if given.contains(&true) => Err(SettingsError(format!(
                    "{}: is missing; mail needs all three of {}",
                    keys[missing],
                    keys.join(", ")
                ))),
                _ => Ok(None),
            };
        };
        // An error's own text might show the URL, and with it a password.
        let forms = "smtps://user:password@host, smtp://user:password@host?tls=required";
        let wrong = || SettingsError(format!("mail.smtp_url: must have one of the forms {forms}"));
        let parsed = url::Url::parse(url.expose_secret()).map_err(|_| wrong())?;
        // A misspelt `tls` would be ignored, and the mail would be sent unencrypted.
        let parameters: Vec<_> = parsed.query_pairs().map(|(name, _)| name).collect();
        if parameters.len() > 1 || parameters.iter().any(|name| name != "tls") {
            return Err(wrong());
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose_secret());
        let transport = transport.map_err(|_| wrong())?;
        let is_open = is_open(&parsed);
        let from = from.parse().map_err(|_| {
            let form = "Movie Bag <noreply@example.com>";
            SettingsError(format!("mail.from: must be an address such as {form}"))
        })?;
        let is_base = |url: &url::Url| {
            matches!(url.scheme(), "http" | "https")
                && (url.query(), url.fragment(), url.password()) == (None, None, None)
                && url.username().is_empty()
        };
        let link_base = url::Url::parse(base).ok().filter(is_base).ok_or_else(|| {
            let form = "https://movies.example.com";
            SettingsError(format!("mail.link_base: must be an address such as {form}"))
        })?;
        Ok(Some(Smtp { transport, from, is_open, link_base }))
    }
}

fn is_open(url: &url::Url) -> bool {
    let is_tls = url.scheme() == "smtps"
        || url.query_pairs().any(|(name, value)| name == "tls" && value == "required");
    // For this scheme the crate does not parse the host, so an IP address is plain text here.
    let is_here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    url.password().is_some() && !is_tls && !is_here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_open_without_tls_except_to_this_machine() {
        let is_open = |url: &str| is_open(&url::Url::parse(url).unwrap());
        assert!(is_open("smtp://ann:secret@mail.example.com"));
        assert!(is_open("smtp://ann:secret@mail.example.com?tls=opportunistic"));
        for url in [
            "smtps://ann:secret@mail.example.com",
            "smtp://ann:secret@mail.example.com?tls=required",
            "smtp://ann:secret@localhost:2525",
            "smtp://ann:secret@127.0.0.1:2525",
            "smtp://ann:secret@[::1]:2525",
            "smtp://mail.example.com",
        ] {
            assert!(!is_open(url), "{url}");
        }
    }
}
