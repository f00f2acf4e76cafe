//! The mails about a movie: invitations. The recipient may not know this service, and the sender chooses both the
//! address and the name of the movie. So a letter quotes only a part of the name, and removes everything that a mail
//! program would turn into a link.

use crate::{
    accounts::{EmailAddress, mail_token::MailToken},
    mail::Letter,
};

use super::store::invitations::Offer;

/// How many characters of a name are quoted.
const QUOTED: usize = 80;

/// A letter with a link that accepts an invitation.
#[must_use]
pub fn invitation(to: &EmailAddress, link_base: &str, token: &MailToken, offer: Offer, name: &str) -> Letter {
    let link = format!("{}/#/invitation?token={}", link_base.trim_end_matches('/'), token.expose());
    let name = quoted(name);
    let (subject, invites) = match offer {
        Offer::Editor => (
            "An invitation to edit a movie",
            format!(
                "The owner of the movie {name} on Movie Bag invites you to edit it. To accept, open this link:"
            ),
        ),
        Offer::Owner => (
            "An invitation to own a movie",
            format!(
                "The owner of the movie {name} on Movie Bag wants to transfer it to you. To accept and \
                 become its owner, open this link:"
            ),
        ),
    };
    let paragraphs = [
        invites.as_str(),
        "The link works once, within seven days, for the account that you are logged in to.",
        "If you did not expect this invitation, ignore this email. Nothing changes unless you accept.",
    ];
    Letter::new(to.as_str().to_owned(), subject, &paragraphs, Some(&link))
}

/// The beginning of a name, in quotes, without anything that looks like a link.
fn quoted(name: &str) -> String {
    let shown: Vec<char> = name.chars().filter(|c| !is_direction(*c)).collect();
    let end = if shown.len() > QUOTED { "…" } else { "" };
    let inside = |at: usize| shown.get(at).is_some_and(|c| !c.is_whitespace());
    let harmless = shown.iter().take(QUOTED).enumerate().map(|(at, c)| {
        // Mail programs turn `example.com`, `https://…` and `a@b` into links, but not `Mr. Nobody` or `2001: A`.
        if joins(*c) && at > 0 && inside(at - 1) && inside(at + 1) { '·' } else { *c }
    });
    format!("“{}{end}”", harmless.collect::<String>())
}

/// Whether this character can join the parts of a link, in any width.
fn joins(c: char) -> bool {
    matches!(c, '.' | ':' | '@' | '。' | '．' | '｡' | '：' | '＠' | '․' | '﹒' | '﹕' | '﹫')
}

/// Whether the character changes the direction of the text, so that the letter could read differently.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_quoted_without_links_and_with_at_most_80_characters() {
        for (name, expected) in [
            ("Heat", "“Heat”"),
            ("2001: A Space Odyssey", "“2001: A Space Odyssey”"),
            ("Mr. Nobody", "“Mr. Nobody”"),
            ("https://evil.example/x", "“https·//evil·example/x”"),
            ("Call www.evil.example now", "“Call www·evil·example now”"),
            ("mailto:a@evil.example", "“mailto·a·evil·example”"),
            ("evil。example", "“evil·example”"),
            ("\u{202e}gnp.live", "“gnp·live”"),
        ] {
            assert_eq!(quoted(name), expected);
        }
        let long = quoted(&"é".repeat(300));
        assert_eq!(long, format!("“{}…”", "é".repeat(80)));
        // Cutting does not hide a link: characters after the cut still count.
        assert!(!quoted(&format!("{}.example", "x".repeat(79))).contains('.'));
    }

    #[test]
    fn a_name_is_never_markup() {
        let token = MailToken::claimed("t".to_owned());
        let to = EmailAddress::claimed("ann@example.com");
        let letter =
            invitation(&to, "https://movies.example.com/", &token, Offer::Owner, "<a href=x>Heat</a>");
        assert!(letter.html.contains("“&lt;a href=x&gt;Heat&lt;/a&gt;”"), "{}", letter.html);
        assert!(letter.text.contains("https://movies.example.com/#/invitation?token=t\n"));
    }
}
