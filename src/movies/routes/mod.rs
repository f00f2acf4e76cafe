//! The routes of the catalogue, each with what it answers beside it.
//!
//! | question | file |
//! | --- | --- |
//! | a page of movies | [`lists`] |
//! | one movie: read, add, change, delete | [`movie`] |
//! | what has changed since a client was last here | [`mod@changes`] |
//! | what a movie was, and how it becomes that again | [`versions`] |
//! | what the caller has deleted, and how it comes back | [`trash`] |
//! | names while somebody types | [`suggest`] |
//! | counts by genre, decade and language | [`facets`] |
//! | what a list can be asked | [`queries`], and [`parameters`] for the OpenAPI document |
//! | the schemas of the OpenAPI document | [`described`] |
//! | how often an account may write | [`rate`] |

pub mod changes;
pub mod described;
pub mod facets;
pub mod lists;
pub mod movie;
pub mod parameters;
pub mod queries;
pub mod rate;
pub mod suggest;
pub mod trash;
pub mod versions;
