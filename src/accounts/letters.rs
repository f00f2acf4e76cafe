//! The letters about an account. Only the token of a link and the recipient's address come from a request, so nobody
//! can use this server to send a text of their own.

use super::{EmailAddress, mail_token::MailToken};
use crate::mail::Letter;

/// The link to choose a new password.
#[must_use]
pub fn reset(to: &EmailAddress, link_base: &str, token: &MailToken) -> Letter {
    let link = format!("{}/#/reset?token={}", link_base.trim_end_matches('/'), token.expose());
    let paragraphs = [
        "Somebody, probably you, asked to reset the password of your Movie Bag account. Open this link to \
         choose a new password:",
        "The link works once, within one hour. When you choose a new password, you are logged out everywhere.",
        "If this was not you, ignore this email. Nothing changes unless somebody uses the link.",
    ];
    Letter::new(to.as_str().to_owned(), "Choose a new password", &paragraphs, Some(&link))
}

/// The link that confirms an address.
#[must_use]
pub fn verify(to: &EmailAddress, link_base: &str, token: &MailToken) -> Letter {
    let link = format!("{}/#/verify?token={}", link_base.trim_end_matches('/'), token.expose());
    let paragraphs = [
        "A Movie Bag account uses this email address. Open this link to confirm that the address is yours:",
        "The link works once, within three days.",
        "If the account is not yours, ignore this email. The address is not confirmed unless somebody uses the link.",
    ];
    Letter::new(to.as_str().to_owned(), "Confirm your address", &paragraphs, Some(&link))
}

#[must_use]
pub fn password_changed(to: &EmailAddress) -> Letter {
    let paragraphs = [
        "The password of your Movie Bag account was changed, and all your devices were logged out.",
        "If this was not you, use \"Forgot your password?\" now to choose a new password, and make sure that nobody \
         else knows the password of your mailbox.",
    ];
    Letter::new(to.as_str().to_owned(), "Your password was changed", &paragraphs, None)
}

/// Sent to the old address, since the person who made the change may have chosen the new one.
#[must_use]
pub fn email_changed(to: &EmailAddress) -> Letter {
    let paragraphs = [
        "The email address of your Movie Bag account was changed. Mail about the account no longer comes here.",
        "If this was not you, tell the operator of this Movie Bag: somebody knows your password.",
    ];
    Letter::new(to.as_str().to_owned(), "Your email address was changed", &paragraphs, None)
}

/// `provider` is the name that the operator has given it.
#[must_use]
pub fn provider_linked(to: &EmailAddress, provider: &str) -> Letter {
    let linked = format!("{provider} is now linked to your Movie Bag account. You can sign in with it.");
    let paragraphs =
        [linked.as_str(), "If this was not you, unlink it now under \"Account\", and choose a new password."];
    Letter::new(to.as_str().to_owned(), "A provider was linked to your account", &paragraphs, None)
}

/// `provider` is the name that the operator has given it.
#[must_use]
pub fn provider_unlinked(to: &EmailAddress, provider: &str) -> Letter {
    let unlinked = format!(
        "{provider} is no longer linked to your Movie Bag account. You can no longer sign in with it."
    );
    let paragraphs = [
        unlinked.as_str(),
        "If this was not you, use \"Forgot your password?\" now to choose a new password, and check the sessions under \
         \"Account\".",
    ];
    Letter::new(to.as_str().to_owned(), "A provider was unlinked from your account", &paragraphs, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_html_is_escaped() {
        let base = "https://example.com/\"><script>";
        let letter = reset(&EmailAddress::claimed("a@example.com"), base, &MailToken::claimed("t".into()));
        assert!(letter.html.contains("https://example.com/&quot;&gt;&lt;script&gt;/#/reset?token=t"));
        assert!(!letter.html.contains("<script>"));
        assert!(letter.text.contains(&format!("{base}/#/reset?token=t")));
    }
}
