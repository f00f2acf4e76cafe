//! Inviting somebody by mail to edit or own a movie, and accepting with the link in the mail.

use rocket::{State, post};
use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::{
    accounts::{
        ConfirmedSession, CurrentUser, EmailAddress, EmailRule, Users,
        audit::{Audit, Event},
        mail_token::MailToken,
        sessions::begin::no_random_numbers,
        throttle::{Action, Throttle},
    },
    http::{
        body::{self, JsonBody},
        conditional::EntityTag,
        fields::{
            Fields, FromFields, Opaque, Rule, Wrong,
            schema::{body_of, describe},
        },
        ids::{MovieId, PathId},
        openapi::answers::{Answers, ETAG, answers},
        problem::{Code, Problem},
        query::NoQuery,
        reply::Reply,
    },
    mail::Mailer,
    movies::{
        Movies, letters,
        ownership::Role,
        store::{
            insertion::OwnerGone,
            invitations::{NotAccepted, NotInvited, Offer},
        },
        view::MovieView,
    },
};

answers! {
    Invited => Answers::with_database()
        .empty(202, "The invitation is mailed.", &[])
        .problems(CurrentUser::REFUSALS)
        .problems(ConfirmedSession::REFUSALS)
        .problems(body::REFUSALS)
        .problems(&[Code::MovieNotFound, Code::NotOwner])
        .problems(Throttle::REFUSALS);
    Accepted => Answers::with_database()
        .json::<MovieView<'_>>(200, "The movie, which the caller now edits or owns.", &[ETAG])
        .problems(CurrentUser::REFUSALS)
        .problems(ConfirmedSession::REFUSALS)
        .problems(body::REFUSALS)
        .problems(Throttle::REFUSALS)
        .problems(&[Code::InvalidInvitation, Code::TooManyEditors]);
}

/// Whom to invite, and to what.
pub struct NewInvitation {
    email: EmailAddress,
    offer: Offer,
}

/// The rule of [`Offer`].
struct OfferRule;

impl Rule for OfferRule {
    type Value = Offer;

    fn parse(&self, value: Value) -> Result<Offer, Vec<Wrong>> {
        let Some(text) = value.as_str() else {
            return Err(vec![Wrong::new("wrong-type", "must be a string")]);
        };
        let known = Offer::ALL.into_iter().find(|offer| offer.name() == text.trim());
        known.ok_or_else(|| vec![Wrong::new("invalid-role", "must be editor or owner")])
    }

    fn schema(&self) -> Schema {
        let names = Offer::ALL.map(Offer::name);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).build().into()
    }
}

impl FromFields for NewInvitation {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        let email = fields.required("email", &EmailRule);
        let offer = fields.required("role", &OfferRule);
        Some(Self { email: email?, offer: offer? })
    }
}

impl PartialSchema for NewInvitation {
    fn schema() -> RefOr<Schema> {
        let words = "`editor`: to change the movie. `owner`: to own it; the former owner is then an editor.";
        let object = describe(body_of::<Self>(), "role", words, json!("editor"));
        describe(object, "email", "The address to which the link is mailed.", json!("bob@example.com")).into()
    }
}

impl ToSchema for NewInvitation {}

/// The token of an invitation.
pub struct Acceptance {
    token: MailToken,
}

impl FromFields for Acceptance {
    fn from_fields(fields: &mut Fields) -> Option<Self> {
        Some(Self { token: MailToken::claimed(fields.required("invitation_token", &Opaque)?) })
    }
}

impl PartialSchema for Acceptance {
    fn schema() -> RefOr<Schema> {
        let example = json!("bR3z0tJmJ0n1kzqHf2m8wq2o5oQm9m3n5v1wqk7yq3E");
        describe(body_of::<Self>(), "invitation_token", "From the link that was mailed.", example).into()
    }
}

impl ToSchema for Acceptance {}

/// Invites somebody to edit a movie or to own it, by mail.
///
/// Needs the token of a session of the movie's owner; other users, editors included, get 403 `not-owner`. The mail has
/// a link that works once, within 7 days. The answer is the same whether the address has an account or not. After too
/// many invitations by the caller, to the address or to the movie, the answer is 429 `too-many-requests`.
#[utoipa::path(
    context_path = "/api/movies",
    tag = "movies",
    operation_id = "invite",
    params(PathId<MovieId>),
    request_body = NewInvitation,
    responses(Invited)
)]
#[post("/<id>/invitations", data = "<body>")]
pub(in crate::movies) async fn invite(
    user: ConfirmedSession,
    audit: Audit,
    _query: NoQuery,
    id: PathId<MovieId>,
    movies: &State<Movies>,
    throttle: &State<Throttle>,
    mailer: &State<Mailer>,
    body: JsonBody<NewInvitation>,
) -> Result<Reply, Problem> {
    let NewInvitation { email, offer } = body.0;
    let id = id.or_not_found()?;
    // Checked first, so that an invitation to somebody else's movie does not count. The write checks again.
    let rights = movies.rights(id).await?.ok_or(Problem::MovieNotFound)?;
    if !rights.allow(user.id(), Role::Owner) {
        return Err(not_owner());
    }
    let counted = throttle.admit_invitation(user.id(), &email, &audit).await?;
    let link = MailToken::random().map_err(no_random_numbers)?;
    let name = match movies.invite(id, user.id(), offer, &link.digest()).await? {
        Ok(name) => name,
        Err(refusal) => {
            counted.take_back().await;
            return Err(match refusal {
                NotInvited::NotThere => Problem::MovieNotFound,
                NotInvited::NotOwner => not_owner(),
                NotInvited::Enough(wait) => Problem::TooManyRequests(wait),
            });
        }
    };
    audit.record(Event::InvitationSent, user.id());
    mailer.send(letters::invitation(&email, mailer.link_base(), &link, offer, &name));
    Ok(Reply::accepted())
}

fn not_owner() -> Problem {
    Problem::OwnerOnly("Only this movie's owner may invite others to it.")
}

/// Accepts an invitation: the caller becomes an editor of the movie, or its owner.
///
/// Needs the token of a session. The link may be used by any user, not only by the one to whose address it was mailed.
/// If the caller becomes the owner, the former owner becomes an editor. An invitation that is unknown, used, too old or
/// the caller's own gets 422 `invalid-invitation`. A movie that has 20 editors already takes no more: 409
/// `too-many-editors`.
#[utoipa::path(
    context_path = "/api/invitations",
    tag = "movies",
    operation_id = "accept_invitation",
    request_body = Acceptance,
    responses(Accepted)
)]
#[post("/accept", data = "<body>")]
pub(in crate::movies) async fn accept(
    user: ConfirmedSession,
    audit: Audit,
    _query: NoQuery,
    movies: &State<Movies>,
    users: &State<Users>,
    throttle: &State<Throttle>,
    body: JsonBody<Acceptance>,
) -> Result<Reply, Problem> {
    // The token names no account, so the throttle counts by the address alone.
    let attempt = throttle.admit(Action::Accept, &EmailAddress::claimed(""), &audit).await?;
    let accepted = match movies.accept(user.id(), &body.token.digest()).await? {
        Ok(accepted) => accepted,
        // The invitation stays valid.
        Err(NotAccepted::TooManyEditors) => return Err(Problem::TooManyEditors),
        Err(NotAccepted::Invalid) => {
            attempt.count().await?;
            return Err(Problem::InvalidInvitation);
        }
    };
    attempt.forgive().await;
    let movie = movies.confirm_accepted(users, accepted).await?.map_err(|OwnerGone| Problem::RevokedToken)?;
    audit.record(Event::InvitationAccepted, user.id());
    Ok(Reply::ok(&MovieView::from(&movie))?.etag(EntityTag(movie.version)))
}
