//! The catalogue.
//!
//! | question | file |
//! | --- | --- |
//! | what a movie is: fields and their rules | [`model`] |
//! | who may change it | [`ownership`] |
//! | how it is stored | [`repository`] |
//! | what a list can be asked for | [`filter`] |
//! | `/api/movies` | [`mod@routes`] |

use rocket::{fairing::AdHoc, routes};

pub mod filter;
pub mod model;
pub mod ownership;
pub mod repository;
mod routes;

pub use repository::{Movies, Unconfirmed};

/// Mounts the routes.
#[must_use]
pub fn stage(movies: Movies) -> AdHoc {
    AdHoc::on_ignite("movies", |rocket| async move {
        let catalogue = routes![
            routes::list,
            routes::create,
            routes::get,
            routes::replace,
            routes::patch,
            routes::delete
        ];
        rocket
            .manage(movies)
            .mount("/api/movies", crate::deadline::limited(catalogue))
            .mount("/api/users", crate::deadline::limited(routes![routes::my_movies]))
    })
}
