//! The catalogue.
//!
//! May import everything but `server` and `commands`.
//!
//! | question | file |
//! | --- | --- |
//! | what a movie is: fields and their rules | [`model`] |
//! | who may change it | [`ownership`] |
//! | what a client reads of it | [`view`] |
//! | what a list can be asked for | [`filter`], [`selection`] |
//! | in which orders, and where a page begins | [`sort`] |
//! | how movies are stored, read and counted | [`store`] |
//! | what a name is compared by | [`folding`] |
//! | the stream of events | [`events`] |
//! | `/api/movies` | [`routes`] |
//! | how the service takes all this in | [`mod@stage`] |

pub mod events;
pub mod filter;
pub mod folding;
pub mod model;
pub mod ownership;
pub mod routes;
pub mod selection;
pub mod sort;
mod stage;
pub mod store;
pub mod view;

pub use stage::Limits;
pub use stage::{Documented, stage};
pub use store::Movies;
