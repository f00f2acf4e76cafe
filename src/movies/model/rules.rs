//! What each field of a movie may hold.

use super::web_address::WebAddress;
use crate::http::fields::{Integer, List, Text};

pub(in crate::movies) const NAME: Text = Text::line(300);
pub(in crate::movies) const CASTS: List = List { may_be_empty: true, max: 500, item: Text::line(200) };
pub(in crate::movies) const GENRES: List = List { may_be_empty: false, max: 50, item: Text::line(100) };
pub(in crate::movies) const YEAR: Integer = Integer { min: 1870, max: 2100 };
/// Minutes.
pub(super) const RUNTIME: Integer = Integer { min: 1, max: 60_000 };
/// Directors, countries, languages.
pub(in crate::movies) const OTHERS: List = List { may_be_empty: true, max: 50, item: Text::line(200) };
pub(super) const PLOT: Text = Text { max: 10_000, multiline: true };
pub(super) const POSTER_URL: WebAddress = WebAddress { text: Text::line(2_048) };
/// A client may send these, so that it can send back what it has read. They have no effect.
pub(super) const SET_BY_THE_SERVER: [&str; 5] = ["id", "added_by", "created_at", "updated_at", "version"];
