//! The routes of the catalogue. Each declares its answers beside its handler.
//!
//! | question | file |
//! | --- | --- |
//! | a page of movies | [`lists`] |
//! | one movie: read, add, change, delete | [`movie`] |
//! | several new movies at once | [`batch`]; a request that is repeated: `once.rs` |
//! | who edits a movie | [`editors`]; how somebody becomes an editor or the owner: [`invitations`] |
//! | what has changed since a client was last here | [`mod@changes`] |
//! | what a movie was like before, and how to restore that | [`versions`] |
//! | what the caller has deleted, and how to restore it | [`trash`] |
//! | suggested names while a person types | [`suggest`] |
//! | counts by genre, decade and language | [`facets`] |
//! | 304 for a list that has not changed | [`known`] |
//! | which parameters a list takes | [`queries`], and [`parameters`] for the OpenAPI document |
//! | the schemas of the OpenAPI document | [`described`] |
//! | how often an account may write | [`rate`] |

pub mod batch;
pub mod changes;
pub mod described;
pub mod editors;
pub mod facets;
pub mod invitations;
pub mod known;
pub mod lists;
pub mod movie;
mod once;
pub mod parameters;
pub mod queries;
pub mod rate;
pub mod suggest;
pub mod trash;
pub mod versions;
