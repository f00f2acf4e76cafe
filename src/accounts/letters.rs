//! What is mailed about an account. Nothing in a letter comes from a request but the token of a link and the
//! recipient's own address: nobody can use this server to send a text of theirs.

use super::{EmailAddress, mail_token::MailToken};
use crate::mail::Letter;

/// The link with which a new password can be chosen.
#[must_use]
pub fn reset(to: &EmailAddress, link_base: &str, token: &MailToken) -> Letter {
    let link = format!("{}/#/reset?token={}", link_base.trim_end_matches('/'), token.expose());
    let paragraphs = [
        "Somebody, probably you, has forgotten the password of your Movie Bag account. With this link you can \
         choose a new one:",
        "It works once, and for one hour. After that you are logged out everywhere.",
        "If it was not you, there is nothing to do: without this link nothing changes.",
    ];
    Letter::new(to.as_str().to_owned(), "Choose a new password", &paragraphs, Some(&link))
}

/// The link that confirms an address.
#[must_use]
pub fn verify(to: &EmailAddress, link_base: &str, token: &MailToken) -> Letter {
    let link = format!("{}/#/verify?token={}", link_base.trim_end_matches('/'), token.expose());
    let paragraphs = [
        "A Movie Bag account has this email address. With this link you confirm that the address is yours:",
        "It works once, and for three days.",
        "If the account is not yours, ignore this letter: without this link the address is not confirmed.",
    ];
    Letter::new(to.as_str().to_owned(), "Confirm your address", &paragraphs, Some(&link))
}

#[must_use]
pub fn password_changed(to: &EmailAddress) -> Letter {
    let paragraphs = [
        "The password of your Movie Bag account was changed, and every device was logged out.",
        "If it was not you, choose a new password now, with \"forgotten password\", and look after the \
         password of your mailbox.",
    ];
    Letter::new(to.as_str().to_owned(), "Your password was changed", &paragraphs, None)
}

/// Sent to the old address, since the person who made the change may have chosen the new one.
#[must_use]
pub fn email_changed(to: &EmailAddress) -> Letter {
    let paragraphs = [
        "Your Movie Bag account now has another email address. Mail about it no longer comes here.",
        "If it was not you, tell those who run this Movie Bag: somebody knows your password.",
    ];
    Letter::new(to.as_str().to_owned(), "Your email address was changed", &paragraphs, None)
}

/// `provider` is the name that the operator has given it.
#[must_use]
pub fn provider_linked(to: &EmailAddress, provider: &str) -> Letter {
    let linked = format!("{provider} is now linked to your Movie Bag account: you can sign in with it.");
    let paragraphs =
        [linked.as_str(), "If it was not you, unlink it now, under \"Account\", and choose a new password."];
    Letter::new(to.as_str().to_owned(), "A provider was linked to your account", &paragraphs, None)
}

/// `provider` is the name that the operator has given it.
#[must_use]
pub fn provider_unlinked(to: &EmailAddress, provider: &str) -> Letter {
    let unlinked = format!(
        "{provider} is no longer linked to your Movie Bag account: you cannot sign in with it any more."
    );
    let paragraphs = [
        unlinked.as_str(),
        "If it was not you, choose a new password now, with \"forgotten password\", and look at the sessions under \
         \"Account\".",
    ];
    Letter::new(to.as_str().to_owned(), "A provider was unlinked from your account", &paragraphs, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_html_is_escaped() {
        let base = "https://example.com/\"><script>";
        let letter = reset(&EmailAddress::claimed("a@example.com"), base, &MailToken::claimed("t".into()));
        assert!(letter.html.contains("https://example.com/&quot;&gt;&lt;script&gt;/#/reset?token=t"));
        assert!(!letter.html.contains("<script>"));
        assert!(letter.text.contains(&format!("{base}/#/reset?token=t")));
    }
}
