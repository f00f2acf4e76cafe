//! Pages: a limit, and a cursor that says where the next page begins.
//!
//! A cursor holds the sort key and the id of the last item seen (keyset paging). So a page costs the same however
//! deep it is, and items that are added or deleted meanwhile do not shift the others. The cursor is opaque. Its
//! signature also covers the filters and the sort that it was made for, so it is invalid with any others.

use std::fmt::Display;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bson::oid::ObjectId;
use hmac::{Hmac, Mac};
use rocket::{
    Request,
    request::{FromRequest, Outcome},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Sha256;
use utoipa::{
    IntoParams,
    openapi::{
        ArrayBuilder, ObjectBuilder, RefOr, Schema, Type,
        path::{Parameter, ParameterIn},
        schema::SchemaType,
    },
};

use super::{
    openapi::parameters,
    problem::Problem,
    query::{Query, invalid, number},
    reply::{Json, Reply},
};
use crate::{config::secret, mongo::keyset::Position};

const DEFAULT_LIMIT: u32 = 20;
const MAX_LIMIT: u32 = 100;
/// The contract's limit on a cursor, in characters.
const MAX_CURSOR: usize = 2_048;
/// The contract's limit on a page, in bytes. A client that does not read its answer can make the server keep this
/// much.
const MAX_PAGE: usize = 1 << 20;
/// Room for what follows the items: the cursor, the total, and their names.
const ENDING: usize = MAX_CURSOR + 64;
/// The contract's limit on `Link`, in bytes. A proxy keeps the whole head of an answer in one buffer.
const MAX_LINK: usize = 2_048;
/// Bytes of the signature: 128 bits cannot be guessed, and they keep the cursor short.
const SIGNATURE: usize = 16;

/// Seals and opens cursors. The key is derived from the JWT secret, so all instances share it.
#[derive(Clone)]
pub struct Cursors {
    mac: Hmac<Sha256>,
}

impl Cursors {
    #[must_use]
    pub fn new(secret: &SecretString) -> Self {
        Self { mac: secret::derived(secret, "movie-bag cursor 2") }
    }

    fn signed(&self, binding: &str, body: &[u8]) -> Hmac<Sha256> {
        // The length separates the binding from the body.
        self.mac.clone().chain_update(binding.len().to_be_bytes()).chain_update(binding).chain_update(body)
    }

    fn seal(&self, binding: &str, position: &Position) -> String {
        let Position { key, id, is_last_of_key } = position;
        let body = json!(Sealed(key.clone(), id.to_hex(), *is_last_of_key)).to_string().into_bytes();
        let signature = self.signed(binding, &body).finalize().into_bytes();
        BASE64_URL_SAFE_NO_PAD.encode([&signature[..SIGNATURE], &body].concat())
    }

    fn open(&self, binding: &str, cursor: &str) -> Option<Position> {
        if cursor.len() > MAX_CURSOR {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (signature, body) = bytes.split_at_checked(SIGNATURE)?;
        self.signed(binding, body).verify_truncated_left(signature).ok()?;
        let Sealed(key, id, is_last_of_key) = serde_json::from_slice(body).ok()?;
        Some(Position { key, id: ObjectId::parse_str(id).ok()?, is_last_of_key })
    }
}

/// A position in a cursor. An earlier release did not write the last member.
#[derive(Serialize, Deserialize)]
struct Sealed(Value, String, #[serde(default, skip_serializing_if = "std::ops::Not::not")] bool);

/// `limit` and `after` of a request. The cursor is bound to a text that the caller makes from the resource, its
/// filters and its sort. The same list must always give the same text.
#[derive(Debug)]
pub struct Paging {
    pub limit: u32,
    after: Option<String>,
    /// The address of this list without `after`, for `Link`.
    link: String,
}

impl Paging {
    /// `parameters` are the list's own, as the server has understood them. `Link` repeats them in this form, so a
    /// request cannot make it longer than necessary.
    ///
    /// # Errors
    /// 400 for a limit that is not a number from 1 to 100.
    pub fn read(query: &mut Query<'_>, mut parameters: Vec<(&str, String)>) -> Result<Self, Problem> {
        let rule = "must be a number from 1 to 100";
        let in_range = |limit: &u32| (1..=MAX_LIMIT).contains(limit);
        let limit = query.parsed("limit", rule, |text| number(text).filter(in_range))?;
        let after = query.one("after")?.map(str::to_owned);
        parameters.extend(limit.map(|limit| ("limit", limit.to_string())));
        Ok(Self { limit: limit.unwrap_or(DEFAULT_LIMIT), after, link: query.address_with(&parameters) })
    }

    /// For a list below an id in the path: puts this id into `Link`.
    #[must_use]
    pub fn below(self, id: impl Display) -> Self {
        Self { link: self.link.replacen("<id>", &id.to_string(), 1), ..self }
    }

    /// Both parameters for the OpenAPI document.
    #[must_use]
    pub fn parameters() -> [Parameter; 2] {
        let limit = parameters::integer(1, MAX_LIMIT).default(Some(DEFAULT_LIMIT.into()));
        let after = ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_CURSOR));
        [
            parameters::optional("limit", "The maximum number of items on the page.", limit),
            parameters::optional(
                "after",
                "The `next` of the previous page, with the same filters and the same sort.",
                after,
            ),
        ]
    }

    /// Where the page begins; `None` for the first page.
    ///
    /// # Errors
    /// 400 for a cursor that we did not make, or that belongs to another list.
    pub fn after(&self, cursors: &Cursors, binding: &str) -> Result<Option<Position>, Problem> {
        let open = |cursor| {
            cursors.open(binding, cursor).ok_or_else(|| {
                invalid("after", "is not a cursor of this list: it must be the 'next' of the previous page, with the same filters and sort")
            })
        };
        self.after.as_deref().map(open).transpose()
    }
}

/// For a list that has no other parameters.
#[rocket::async_trait]
impl<'r> FromRequest<'r> for Paging {
    type Error = Problem;

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, Problem> {
        Query::guard(request, |query| Self::read(query, Vec::new()))
    }
}

impl IntoParams for Paging {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        Self::parameters().into()
    }
}

/// Some items of a list, and where the next page begins.
pub struct Page<'a, T, P> {
    /// One item more than the limit, if the list has that many.
    found: &'a [T],
    paging: &'a Paging,
    cursors: &'a Cursors,
    binding: &'a str,
    position: P,
    /// Whether more items follow, even if `found` does not hold the next one.
    more: bool,
    relaxed: bool,
    total: Option<u64>,
}

/// A page in the OpenAPI document.
#[must_use]
pub fn schema(item: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    let next = ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::String, Type::Null]))
        .max_length(Some(MAX_CURSOR))
        .description(Some("The `after` of the next page, or `null` on the last page."));
    let items = ArrayBuilder::new().items(item.into()).max_items(Some(MAX_LIMIT as usize));
    ObjectBuilder::new().property("items", items).required("items").property("next", next).required("next")
}

impl<'a, T, P: Fn(&T) -> Position> Page<'a, T, P> {
    /// `found` holds one item more than the limit if there is a next page.
    pub fn new(
        found: &'a [T],
        paging: &'a Paging,
        cursors: &'a Cursors,
        binding: &'a str,
        position: P,
    ) -> Self {
        Self { found, paging, cursors, binding, position, more: false, relaxed: false, total: None }
    }

    /// Says whether there is a next page although `found` holds no item of it.
    #[must_use]
    pub fn with_more(self, more: bool) -> Self {
        Self { more, ..self }
    }

    /// Says whether the items match only a part of the search.
    #[must_use]
    pub fn with_relaxed(self, relaxed: bool) -> Self {
        Self { relaxed, ..self }
    }

    /// Adds the number of all items of the list, on any page.
    #[must_use]
    pub fn with_total(self, total: Option<u64>) -> Self {
        Self { total, ..self }
    }

    /// 200 with the page, and a `Link` (RFC 8288) if there is a next page.
    ///
    /// # Errors
    /// 500 if an item has no JSON form.
    pub fn reply(
        &self,
        mut write: impl FnMut(&'a T, &mut Json) -> Result<(), Problem>,
    ) -> Result<Reply, Problem> {
        let mut json = Json::default();
        json.text("{\"items\":[");
        let mut written = 0;
        for item in self.found.iter().take(self.paging.limit as usize) {
            let before = json.size();
            json.text(if written == 0 { "" } else { "," });
            write(item, &mut json)?;
            // The first item is on the page whatever its size. Otherwise a walk would never get past it.
            if written > 0 && json.size() + ENDING > MAX_PAGE {
                json.cut(before);
                break;
            }
            written += 1;
        }
        let last = self.found[..written].last().filter(|_| self.more || self.found.len() > written);
        let next = last.map(|last| self.cursors.seal(self.binding, &(self.position)(last)));
        // Always present: `null` on the last page.
        json.text("],\"next\":");
        json.view(&next)?;
        if let Some(total) = self.total {
            json.text(",\"total\":");
            json.view(&total)?;
        }
        if self.relaxed {
            json.text(",\"relaxed\":true");
        }
        json.text("}");
        let reply = Reply::ok_with(json);
        // The cursor's alphabet needs no escaping.
        let link = next.map(|next| format!("<{}after={next}>; rel=\"next\"", self.paging.link));
        Ok(match link.filter(|link| link.len() <= MAX_LINK) {
            Some(link) => reply.header("Link", link),
            None => reply,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursors() -> Cursors {
        Cursors::new(&SecretString::from("0123456789abcdef0123456789abcdef"))
    }

    #[test]
    fn a_cursor_opens_for_its_own_list_only() {
        let position = Position::new(json!(1_234), ObjectId::new());
        let cursor = cursors().seal("movies sort=-created_at", &position);
        assert_eq!(cursors().open("movies sort=-created_at", &cursor), Some(position.clone()));
        let last = Position { is_last_of_key: true, ..position };
        assert_eq!(cursors().open("x", &cursors().seal("x", &last)), Some(last));
        assert_eq!(cursors().open("movies sort=created_at", &cursor), None);
        let other = Cursors::new(&SecretString::from("another secret of thirty-two byte"));
        assert_eq!(other.open("movies sort=-created_at", &cursor), None);
    }

    #[test]
    fn a_cursor_of_an_earlier_release_opens() {
        let id = ObjectId::new();
        let body = format!("[1234,\"{}\"]", id.to_hex()).into_bytes();
        let signature = cursors().signed("x", &body).finalize().into_bytes();
        let cursor = BASE64_URL_SAFE_NO_PAD.encode([&signature[..SIGNATURE], &body].concat());
        assert_eq!(cursors().open("x", &cursor), Some(Position::new(json!(1_234), id)));
        assert_eq!(cursors().seal("x", &Position::new(json!(1_234), id)), cursor);
    }

    #[test]
    fn a_cursor_that_was_altered_does_not_open() {
        let cursor = cursors().seal("x", &Position::new(Value::Null, ObjectId::new()));
        for at in 0..cursor.len() {
            let mut touched = cursor.clone().into_bytes();
            touched[at] = if touched[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(cursors().open("x", &String::from_utf8(touched).unwrap()), None, "at {at}");
        }
        for wrong in ["", "A", "é", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &cursor[1..], &format!("{cursor}=")]
        {
            assert_eq!(cursors().open("x", wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cursor_stays_short_for_the_longest_name() {
        for longest in ["電".repeat(300), "🎬".repeat(300), "\\\"".repeat(150)] {
            let position =
                Position { is_last_of_key: true, ..Position::new(json!(longest), ObjectId::new()) };
            let cursor = cursors().seal("x", &position);
            assert!(cursor.len() <= MAX_CURSOR, "{}", cursor.len());
        }
    }
}
