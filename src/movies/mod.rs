//! The catalogue.
//!
//! | question | file |
//! | --- | --- |
//! | what a movie is: fields and their rules | [`model`] |
//! | who may change it | [`ownership`] |
//! | how it is stored | [`repository`], [`insertion`] |
//! | what a client reads of it | [`view`] |
//! | what a list can be asked for | [`filter`], [`selection`] |
//! | in which orders, and where a page goes on | [`sort`] |
//! | what is kept in memory, if anything | [`mod@cache`] |
//! | pages, search, typeahead, export | [`catalogue`], [`folding`] |
//! | by which index a page is read | [`mod@plan`] |
//! | counts per genre, decade, language | [`facets`] |
//! | how many may count at once | [`counting`] |
//! | how many movies an account may add and change in a minute | [`mod@rate`] |
//! | `/api/movies` | [`mod@routes`] |
//! | what the OpenAPI document says of these | [`openapi`], [`parameters`] |
//! | how the service takes all this in | [`mod@stage`] |

mod cache;
pub mod catalogue;
mod counting;
pub mod events;
pub mod facets;
pub mod filter;
pub mod folding;
pub mod insertion;
pub mod model;
pub mod openapi;
pub mod ownership;
pub mod parameters;
mod plan;
mod rate;
pub mod repository;
mod routes;
pub mod selection;
pub mod sort;
mod stage;
pub mod view;

pub use insertion::Unconfirmed;
pub use repository::Movies;
pub use stage::{Documented, Limits, stage};
