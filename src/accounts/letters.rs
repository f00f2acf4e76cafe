//! The letters, each as plain text and as HTML. Nothing in them comes from a request but the reset token
//! and the recipient's own address: nobody can use this server to send a text of theirs.

use super::{EmailAddress, password::reset_token::ResetToken};
use crate::http::html::escaped;

/// A letter to one recipient.
#[derive(Debug)]
pub struct Letter {
    pub to: EmailAddress,
    pub subject: &'static str,
    pub text: String,
    pub html: String,
}

impl Letter {
    fn new(to: EmailAddress, subject: &'static str, paragraphs: &[&str], link: Option<&str>) -> Self {
        let mut text = Vec::new();
        let mut html = Vec::new();
        for paragraph in paragraphs {
            text.push((*paragraph).to_owned());
            html.push(format!("<p>{}</p>", escaped(paragraph)));
        }
        if let Some(link) = link {
            // After the first paragraph, which says what it is for.
            text.insert(1, link.to_owned());
            let link = escaped(link);
            html.insert(1, format!(r#"<p><a href="{link}">{link}</a></p>"#));
        }
        text.push("Movie Bag".to_owned());
        html.push("<p>Movie Bag</p>".to_owned());
        let html = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head><body>{}</body></html>",
            escaped(subject),
            html.concat()
        );
        Self { to, subject, text: text.join("\n\n"), html }
    }

    /// Where its recipient's mailbox is.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.to.as_str().rsplit('@').next().unwrap_or_default()
    }

    /// The link with which a new password can be chosen.
    #[must_use]
    pub fn reset(to: EmailAddress, link_base: &str, token: &ResetToken) -> Self {
        let link = format!("{}/#/reset?token={}", link_base.trim_end_matches('/'), token.expose());
        let paragraphs = [
            "Somebody, probably you, has forgotten the password of your Movie Bag account. With this link you can \
             choose a new one:",
            "It works once, and for one hour. After that you are logged out everywhere.",
            "If it was not you, there is nothing to do: without this link nothing changes.",
        ];
        Self::new(to, "Choose a new password", &paragraphs, Some(&link))
    }

    #[must_use]
    pub fn password_changed(to: EmailAddress) -> Self {
        let paragraphs = [
            "The password of your Movie Bag account was changed, and every device was logged out.",
            "If it was not you, choose a new password now, with \"forgotten password\", and look after the \
             password of your mailbox.",
        ];
        Self::new(to, "Your password was changed", &paragraphs, None)
    }

    /// To the old address: the new one belongs to whoever made the change.
    #[must_use]
    pub fn email_changed(to: EmailAddress) -> Self {
        let paragraphs = [
            "Your Movie Bag account now has another email address. Mail about it no longer comes here.",
            "If it was not you, tell those who run this Movie Bag: somebody knows your password.",
        ];
        Self::new(to, "Your email address was changed", &paragraphs, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_html_is_escaped() {
        let base = "https://example.com/\"><script>";
        let letter =
            Letter::reset(EmailAddress::claimed("a@example.com"), base, &ResetToken::claimed("t".into()));
        assert!(letter.html.contains("https://example.com/&quot;&gt;&lt;script&gt;/#/reset?token=t"));
        assert!(!letter.html.contains("<script>"));
        assert!(letter.text.contains(&format!("{base}/#/reset?token=t")));
    }
}
