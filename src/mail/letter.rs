//! The form of a letter: paragraphs, as plain text and as HTML. Its sender writes the text.

use crate::http::html::escaped;

/// A letter to one recipient.
#[derive(Debug)]
pub struct Letter {
    /// An email address.
    pub to: String,
    pub subject: &'static str,
    pub text: String,
    pub html: String,
}

impl Letter {
    /// `link` comes after the first paragraph, which says what it is for.
    #[must_use]
    pub fn new(to: String, subject: &'static str, paragraphs: &[&str], link: Option<&str>) -> Self {
        let mut text = Vec::new();
        let mut html = Vec::new();
        for paragraph in paragraphs {
            text.push((*paragraph).to_owned());
            html.push(format!("<p>{}</p>", escaped(paragraph)));
        }
        if let Some(link) = link {
            let at = text.len().min(1);
            text.insert(at, link.to_owned());
            let link = escaped(link);
            html.insert(at, format!(r#"<p><a href="{link}">{link}</a></p>"#));
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

    /// The domain of the recipient's mailbox.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.to.rsplit('@').next().unwrap_or_default()
    }
}
