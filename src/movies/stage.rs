//! Attaches the catalogue to the service: its routes, its state, and its background tasks.

use rocket::{fairing::AdHoc, routes};
use utoipa::OpenApi;

use super::{
    Movies,
    changes::{Beginning, Changes},
    events::{self, route::MovieEvent},
    finder::Finder,
    model::{MovieBatch, MovieInput, MoviePatch},
    routes::{
        batch::{self, BatchOutcome, BatchResult},
        changes::{self, Change, ChangePage},
        described::{MoviePage, MovieSelection, MovieSelectionPage, Suggestions},
        editors::{self, EditorList},
        facets::{self, Facets},
        invitations::{self, Acceptance, NewInvitation},
        known::KnownTags,
        lists, movie, rate,
        suggest::{self, Suggestion},
        trash::{self, DeletedMovie, TrashPage},
        versions::{self, FormerMovie, MovieVersion, VersionPage},
    },
    view::MovieView,
};
use crate::{http::deadline::limited, telemetry::metrics};

/// The documented routes of this feature. Add a new route here and to the list in [`stage`]; the route itself
/// documents its answers.
#[derive(OpenApi)]
#[openapi(
    paths(
        lists::list,
        movie::create,
        batch::create,
        suggest::suggest,
        facets::facets,
        changes::changes,
        events::route::follow,
        movie::get,
        movie::replace,
        movie::patch,
        movie::delete,
        invitations::invite,
        invitations::accept,
        editors::list,
        editors::remove,
        versions::list,
        versions::get,
        versions::restore,
        lists::my_movies,
        trash::list,
        trash::restore,
    ),
    components(schemas(
        MovieView,
        MovieSelection,
        MoviePage,
        MovieSelectionPage,
        MovieInput,
        MovieBatch,
        BatchResult,
        BatchOutcome,
        NewInvitation,
        Acceptance,
        EditorList,
        MoviePatch,
        Suggestion,
        Suggestions,
        Facets,
        ChangePage,
        Change,
        MovieEvent,
        VersionPage,
        MovieVersion,
        FormerMovie,
        TrashPage,
        DeletedMovie
    ))
)]
pub struct Documented;

/// Limits on what clients may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many clients may listen to the events at the same time.
    pub listeners: u32,
    /// How many movies an account may add and change in a minute; 0 means no limit.
    pub writes_per_minute: u32,
}

/// Mounts the routes.
#[must_use]
pub fn stage(movies: Movies, log: Changes, finder: Finder, limits: Limits) -> AdHoc {
    AdHoc::on_ignite("movies", move |rocket| async move {
        let catalogue = routes![
            lists::list,
            movie::create,
            batch::create,
            suggest::suggest,
            facets::facets,
            changes::changes,
            movie::get,
            movie::replace,
            movie::patch,
            movie::delete,
            invitations::invite,
            editors::list,
            editors::remove,
            versions::list,
            versions::get,
            versions::restore
        ];
        let own = routes![lists::my_movies, trash::list, trash::restore];
        let accepting = routes![invitations::accept];
        let events = events::Events::new(movies.clone(), log.clone(), limits.listeners);
        // Listen before the log is followed, so that nothing is missed.
        let incoming = log.listen();
        let (cached, followed, log_of_cache) = (movies.clone(), log.clone(), log.clone());
        let indexed = finder.clone();
        metrics::register(&rocket, events.collectors());
        metrics::register(&rocket, movies.collectors());
        metrics::register(&rocket, log.collectors());
        metrics::register(&rocket, finder.collectors());
        rocket
            .manage(events.clone())
            .manage(log)
            .manage(finder)
            .manage(movies)
            .manage(KnownTags::default())
            .manage(rate::WriteRate::new(limits.writes_per_minute))
            .mount("/api/movies", limited(catalogue))
            // Mounted without the time limit, because a stream of events has no end.
            .mount("/api/movies", crate::http::refusal::guarded(routes![events::route::follow]))
            .mount("/api/users", limited(own))
            .mount("/api/invitations", limited(accepting))
            .attach(AdHoc::on_liftoff("events", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { events.follow(incoming, shutdown).await });
                })
            }))
            .attach(AdHoc::on_liftoff("cache", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { cached.keep_cache_true(&log_of_cache, shutdown).await });
                })
            }))
            .attach(AdHoc::on_liftoff("search index", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { indexed.follow(shutdown).await });
                })
            }))
            .attach(AdHoc::on_liftoff("change log", |rocket| {
                let shutdown = rocket.shutdown();
                Box::pin(async move {
                    tokio::spawn(async move { followed.follow(Beginning::TakesOver, shutdown).await });
                })
            }))
    })
}
