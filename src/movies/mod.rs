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

use rocket::{fairing::AdHoc, routes};

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
pub mod view;

pub use insertion::Unconfirmed;
pub use repository::Movies;

/// What clients may use of this feature.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many may listen to the events at once.
    pub listeners: u32,
    /// How many movies an account may add and change in a minute; 0: as many as it likes.
    pub writes_per_minute: u32,
}

/// Mounts the routes.
#[must_use]
pub fn stage(movies: Movies, limits: Limits) -> AdHoc {
    AdHoc::on_ignite("movies", move |rocket| async move {
        let catalogue = routes![
            routes::list,
            routes::create,
            routes::suggest,
            routes::facets,
            routes::get,
            routes::replace,
            routes::patch,
            routes::delete
        ];
        let events = events::Events::new(movies.clone(), limits.listeners);
        let cached = movies.clone();
        crate::metrics::register(&rocket, events.collectors());
        crate::metrics::register(&rocket, movies.collectors());
        rocket
            .manage(events.clone())
            .manage(facets::FacetCounter::new(movies.clone()))
            .manage(movies)
            .manage(rate::WriteRate::new(limits.writes_per_minute))
            .mount("/api/movies", crate::deadline::limited(catalogue))
            // Without the limit of time: a stream of events has no end.
            .mount("/api/movies", crate::refusal::guarded(routes![events::follow]))
            .mount("/api/users", crate::deadline::limited(routes![routes::my_movies]))
            .attach(AdHoc::on_liftoff("events", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { events.follow(shutdown).await });
                })
            }))
            .attach(AdHoc::on_liftoff("cache", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { cached.keep_cache_true(shutdown).await });
                })
            }))
    })
}
