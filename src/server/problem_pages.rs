//! `/problems/<code>`: explains a code to people. The texts are in the table of codes.

use std::fmt::Write;

use rocket::{fairing::AdHoc, get, routes};

use crate::http::{
    html::{HtmlPage, escaped},
    problem::Code,
    query::NoQuery,
};

/// The style sheet sets every colour, because a browser's own colour for links in dark mode suits only its own black.
const STYLE: &str = "
:root { color-scheme: light dark; background: light-dark(#faf7f1, #131210); color: light-dark(#1f1b16, #ece6da); }
a { color: light-dark(#a8371f, #f0937a); }
body { font: 1.05rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 0 auto; padding: 1.5rem 1rem; overflow-wrap: anywhere; }
h1 { line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 1.75rem 0 .25rem; }
p { margin: .25rem 0; }
code { font: .95em ui-monospace, monospace; }
dt { margin-top: .75rem; }
dd { margin: 0; }
nav { margin-top: 2rem; }
";

/// The page of one code. An unknown code is 404, like any other unknown address: the catcher answers.
#[get("/<code>")]
fn page(code: &str, _query: NoQuery) -> Option<HtmlPage> {
    let kind = Code::ALL.iter().map(|known| known.kind()).find(|kind| kind.code == code)?;
    let [title, meaning, remedy] = [kind.title, kind.meaning, kind.remedy].map(escaped);
    let body = format!(
        "<main>\n<h1>{title}</h1>\n<p><code>{code}</code>, status {status}</p>\n\
         <h2>What it means</h2>\n<p>{meaning}</p>\n<h2>What to do</h2>\n<p>{remedy}</p>\n</main>\n\
         <nav><a href=\"/problems\">All problems</a></nav>\n",
        status = kind.status.code,
    );
    Some(HtmlPage::of_text(&format!("{} – Movie Bag", kind.title), STYLE, &body))
}

/// The list of all codes.
#[get("/")]
fn list(_query: NoQuery) -> HtmlPage {
    let mut body = String::from("<main>\n<h1>Problems</h1>\n<p>The errors of this API.</p>\n<dl>\n");
    for kind in Code::ALL.iter().map(|code| code.kind()) {
        // Writing to a string never fails.
        let _ = writeln!(
            body,
            "<dt><a href=\"/problems/{code}\"><code>{code}</code></a>, status {status}</dt>\n<dd>{detail}</dd>",
            code = kind.code,
            status = kind.status.code,
            detail = escaped(kind.detail),
        );
    }
    body.push_str("</dl>\n</main>\n<nav><a href=\"/api/docs\">API documentation</a></nav>\n");
    HtmlPage::of_text("Problems – Movie Bag", STYLE, &body)
}

/// Mounts the pages.
#[must_use]
pub fn stage() -> AdHoc {
    AdHoc::on_ignite("problem pages", |rocket| async {
        rocket.mount("/problems", crate::http::deadline::limited(routes![list, page]))
    })
}
