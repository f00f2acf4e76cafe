//! What every route uses: problems, body fields, queries, pages, conditional requests.
//!
//! May import `config`, `telemetry` and `mongo`; knows no account and no movie.
//!
//! | question | file |
//! | --- | --- |
//! | which errors a client can get, and with which status | [`problem`] |
//! | how a body is read: 408, 413, 415, 400 | [`body`] |
//! | how its fields are checked: 422 | [`fields`] |
//! | how a query is read | [`query`]; `limit` and `after`: [`page`] |
//! | how an id in a path is read | [`ids`] |
//! | how an answer is written | [`reply`]; a list: [`page`]; a page for people: [`html`]; a time: [`timestamp`] |
//! | `ETag`, `If-Match`, `If-None-Match` | [`conditional`] |
//! | `Accept-Encoding`, `br`, `gzip` | [`encoding`] |
//! | `Idempotency-Key` | [`idempotency`] |
//! | how long a request may take | [`deadline`]; how long its answer may wait to be read: [`unread`] |
//! | what happens to the body of a refused request | [`refusal`] |
//! | `X-Request-Id` | [`request_id`] |
//! | how a route describes itself in the OpenAPI document | [`openapi`] |

pub mod body;
pub mod conditional;
pub mod deadline;
pub mod encoding;
pub mod fields;
pub mod html;
pub mod idempotency;
pub mod ids;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod query;
pub mod refusal;
pub mod reply;
pub mod request_id;
pub mod timestamp;
pub mod unread;
