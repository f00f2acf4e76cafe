//! `/api/users/me/trash`: the movies that the caller has deleted, and how to restore one.

use rocket::{State, get, post};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use super::{described, movie::taken, rate::Writer};
use crate::{
    accounts::{AccountRead, CurrentUser, ScopedUser, Users},
    http::{
        conditional::EntityTag,
        ids::{MovieId, PathId},
        openapi::answers::{Answers, ETAG, LINK, answers},
        page::{self, Cursors, Page, Paging},
        problem::{Code, Problem},
        query::{NoQuery, invalid},
        reply::{Reply, no_json},
        timestamp::Timestamp,
    },
    mongo::keyset::Position,
    movies::{
        Movies,
        changes::{Changes, Deletion, Token},
        store::{insertion::OwnerGone, restoration::Unrestored},
        view::MovieView,
    },
};

answers! {
    Listed => Answers::with_database()
        .json::<TrashPage>(200, "A page of the movies that the caller can restore.", &[LINK])
        .problems(CurrentUser::REFUSALS)
        .problems(&[Code::NoEvents]);
    Restored => Answers::with_database()
        .json::<MovieView<'_>>(200, "The restored movie.", &[ETAG])
        .problems(CurrentUser::REFUSALS)
        .problems(Writer::REFUSALS)
        .problems(&[Code::MovieNotFound, Code::DuplicateMovie, Code::NoEvents]);
}

/// Lists the caller's deleted movies, newest deletion first, page by page.
///
/// Needs a token. A personal access token needs the scope `account:read`. Deleted movies are kept for 30 days, or less
/// if the operator keeps changes for a shorter time. If the database has no change streams, the answer is 501
/// `no-events`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "list_trash",
    params(Paging),
    responses(Listed),
    security(("token" = []), ("personal_token" = ["account:read"]))
)]
#[get("/me/trash")]
pub(in crate::movies) async fn list(
    user: ScopedUser<AccountRead>,
    paging: Paging,
    changes: &State<Changes>,
    cursors: &State<Cursors>,
) -> Result<Reply, Problem> {
    let binding = format!("trash {}", user.id());
    let before = paging.after(cursors, &binding)?.map(|position| place(&position)).transpose()?;
    changes.catch_up().await?;
    let (oldest, wanted) = (changes.oldest_deletion(), paging.limit as usize + 1);
    let deletions = changes.store().trash(user.id(), &oldest, before.as_ref(), wanted).await?;
    Page::new(&deletions, &paging, cursors, &binding, position).reply(|deletion, json| {
        json.view(&MovieView::from(&deletion.movie))?;
        let deleted_at = serde_json::to_string(&Timestamp(deletion.at)).map_err(|error| no_json(&error))?;
        json.member("deleted_at", &deleted_at);
        Ok(())
    })
}

fn position(deletion: &Deletion) -> Position {
    Position::new(deletion.token.to_string().into(), deletion.movie.id)
}

/// The place in the log that a cursor holds. The cursor's signature has shown already that it is ours.
fn place(position: &Position) -> Result<Token, Problem> {
    position
        .key
        .as_str()
        .and_then(Token::parse)
        .ok_or_else(|| invalid("after", "is not a cursor of this list"))
}

/// Restores a deleted movie under its id.
///
/// Needs the token of the user who owned the movie when it was deleted. A personal access token needs the scope
/// `movies:write`. The movie has its owner and its editors again, and a new version. If the movie is not in the
/// caller's trash, the answer is 404 `movie-not-found`. If another movie has taken its name in its year, the answer is
/// 409 `duplicate-movie`. If the database has no change streams, the answer is 501 `no-events`.
#[utoipa::path(
    context_path = "/api/users",
    tag = "users",
    operation_id = "restore_movie",
    params(PathId<MovieId>),
    responses(Restored),
    security(("token" = []), ("personal_token" = ["movies:write"]))
)]
#[post("/me/trash/<id>/restore")]
pub(in crate::movies) async fn restore(
    writer: Writer,
    _query: NoQuery,
    id: PathId<MovieId>,
    movies: &State<Movies>,
    users: &State<Users>,
    changes: &State<Changes>,
) -> Result<Reply, Problem> {
    changes.catch_up().await?;
    let id = id.or_not_found()?;
    let restored = movies.restore(users, writer.id(), id, &changes.oldest_deletion()).await?;
    let restored = restored.map_err(|refusal| match refusal {
        Unrestored::NotThere => Problem::MovieNotFound,
        Unrestored::NameTaken(name) => taken(name),
    })?;
    let movie = movies.confirm_restored(users, restored).await?.map_err(|OwnerGone| Problem::RevokedToken)?;
    Ok(Reply::ok(&MovieView::from(&movie))?.etag(EntityTag(movie.version)))
}

/// A movie in the trash.
pub struct DeletedMovie;

impl PartialSchema for DeletedMovie {
    fn schema() -> RefOr<Schema> {
        let mut object = described::whole();
        object.properties.insert("deleted_at".to_owned(), Timestamp::schema());
        object.required.push("deleted_at".to_owned());
        object.description = Some("A movie as it was when it was deleted.".to_owned());
        object.into()
    }
}

impl ToSchema for DeletedMovie {}

/// A page of [`DeletedMovie`].
pub struct TrashPage;

impl PartialSchema for TrashPage {
    fn schema() -> RefOr<Schema> {
        page::schema(Ref::from_schema_name(DeletedMovie::name())).into()
    }
}

impl ToSchema for TrashPage {}
