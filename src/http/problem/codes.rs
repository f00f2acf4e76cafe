//! The one table of problem codes: the status, what a client's program reads, and what a person reads
//! at `/problems/<code>`.

use rocket::http::Status;

/// What is the same for all problems of one code.
#[derive(Debug)]
pub struct Kind {
    pub status: Status,
    pub code: &'static str,
    pub title: &'static str,
    /// What the answer says, unless there is more to say that time.
    pub detail: &'static str,
    /// For the page: what it means, and when it comes.
    pub meaning: &'static str,
    /// For the page: what to do.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($($code:ident = $status:ident $name:literal, $title:literal,
        detail: $detail:literal, meaning: $meaning:literal, remedy: $remedy:literal;)*) => {
        /// The code of a problem. [`super::Problem`] adds what is known of one occurrence.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$code),*];

            #[must_use]
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$code => Kind {
                        status: Status::$status,
                        code: $name,
                        title: $title,
                        detail: $detail,
                        meaning: $meaning,
                        remedy: $remedy,
                    },)*
                }
            }
        }
    };
}

codes! {
    BadRequest = BadRequest "bad-request", "Bad request",
        detail: "The server does not understand the request.",
        meaning: "The request is not HTTP as this server speaks it: a method that it has never heard of, a body that broke off, or a header that cannot be used. The detail names the header.",
        remedy: "Look at the method, the address and the headers, and send the whole body. A client library gets this right by itself.";
    InvalidJson = BadRequest "invalid-json", "Invalid JSON",
        detail: "The body is not JSON.",
        meaning: "The body could not be read as JSON. The detail says at which line and column, and why.",
        remedy: "Let a JSON library write the body, in UTF-8. Missing quotes, a comma too many and an empty body are the usual reasons.";
    InvalidQuery = BadRequest "invalid-query", "Invalid query",
        detail: "A query parameter is not usable.",
        meaning: "A parameter behind the question mark is unknown to this route, given twice, or has a value that cannot be used. The detail names it.",
        remedy: "Compare it with the parameters in the API documentation. A cursor (after) is good only with the filters and the sort that it was made for.";
    MissingToken = Unauthorized "missing-token", "Missing token",
        detail: "Send a bearer token in the Authorization header.",
        meaning: "This route needs to know who is calling, and no token came with the request.",
        remedy: "Log in with POST /api/auth/login, and send the token with each request: Authorization: Bearer followed by the token.";
    InvalidToken = Unauthorized "invalid-token", "Invalid token",
        detail: "The token is not one of ours.",
        meaning: "What came in the Authorization header is not a bearer token that this service has issued: it has another form, or another signature.",
        remedy: "Send the token exactly as login answered it, after the word Bearer. If the service has got a new key, log in again.";
    ExpiredToken = Unauthorized "expired-token", "Expired token",
        detail: "The token has expired. Log in again.",
        meaning: "A token lives for a limited time (login says for how many seconds), and that time is over.",
        remedy: "Log in again for a new one.";
    RevokedToken = Unauthorized "revoked-token", "Revoked token",
        detail: "The token is no longer valid. Log in again.",
        meaning: "The token was good once. Since then its session has ended, the password has been changed, or the account has been deleted.",
        remedy: "Log in again. If that fails too, the account is gone or has another password.";
    InvalidRefreshToken = Unauthorized "invalid-refresh-token", "Invalid refresh token",
        detail: "The refresh token is not good (any more). Log in again.",
        meaning: "The refresh token is unknown, was used before, is older than 30 days, or its session has ended. A refresh token is good once. One that comes a second time may have been stolen, so its session ends.",
        remedy: "Log in again. Always keep the newest refresh token; if an answer is lost, repeat the request within 10 seconds.";
    BadCredentials = Unauthorized "bad-credentials", "Bad credentials",
        detail: "Email or password invalid",
        meaning: "The email and the password do not belong together. Whether there is an account with this email is not told on purpose.",
        remedy: "Try again, or ask for a reset link with POST /api/auth/forgot.";
    AdminsOnly = Forbidden "admins-only", "Admins only",
        detail: "Only an admin may do this.",
        meaning: "You are logged in, but the route is for users with the role admin.",
        remedy: "Ask an admin. The first one is made on the command line: movie-bag admin grant EMAIL.";
    InsufficientScope = Forbidden "insufficient-scope", "Insufficient scope",
        detail: "This personal access token does not have the scope that the route needs.",
        meaning: "A personal access token does only what its scopes name. The header WWW-Authenticate names the scope that this route needs; where it names none, the route takes no personal access token at all.",
        remedy: "Make a token with that scope, POST /api/users/me/tokens, or log in and send the token of the session.";
    NotOwner = Forbidden "not-owner", "Not the owner",
        detail: "Only this movie's owner or an editor may change it.",
        meaning: "The movie belongs to another user. Only its owner and the editors whom the owner has invited may change it or see its history, and only its owner may delete it. An admin has no exception.",
        remedy: "Log in as the owner or as an editor. GET /api/users/me/movies lists your movies.";
    SignupClosed = Forbidden "signup-closed", "Sign-up closed",
        detail: "Accounts are made by the operator of this service.",
        meaning: "This service lets nobody sign up.",
        remedy: "Ask its operator for an account. The operator makes one on the command line: movie-bag user add EMAIL.";
    EmailNotVerified = Forbidden "email-not-verified", "Email not verified",
        detail: "Confirm your email address first, with the link that was mailed to it.",
        meaning: "This service lets only users with a confirmed email address add and change movies.",
        remedy: "Open the link in the mail. POST /api/users/me/verification mails another one.";
    WrongPassword = Forbidden "wrong-password", "Wrong password",
        detail: "The current password is another one.",
        meaning: "This change asks for the current password, and current_password is not it. An account without a password proves who asks by a sign-in within the last 10 minutes instead.",
        remedy: "Try again. If you have forgotten the password, ask for a reset link with POST /api/auth/forgot. If the account has none, sign in again and leave current_password out.";
    NotFound = NotFound "not-found", "Not found",
        detail: "There is nothing at this address.",
        meaning: "No route has this path.",
        remedy: "Compare the path with those in the API documentation. Upper and lower case are different.";
    MovieNotFound = NotFound "movie-not-found", "Movie not found",
        detail: "There is no movie with this id.",
        meaning: "The movie has been deleted or has never been there, or the id is not one: ids have 24 digits, 0 to 9 and a to f.",
        remedy: "Take the id from a list of movies. If it was there before, its owner has deleted it.";
    UserNotFound = NotFound "user-not-found", "User not found",
        detail: "There is no user with this id.",
        meaning: "The account has been deleted or has never been there, or the id is not one: ids have 24 digits, 0 to 9 and a to f.",
        remedy: "Take the id from the list of users, GET /api/admin/users.";
    VersionNotFound = NotFound "version-not-found", "Version not found",
        detail: "This movie has no such version, or it is no longer kept.",
        meaning: "The movie has not reached this version, or its history no longer goes back so far, or the number is malformed. The newest 200 versions are kept, for as long as the operator has set.",
        remedy: "Take the number from the list of versions, GET /api/movies/{id}/versions.";
    SessionNotFound = NotFound "session-not-found", "Session not found",
        detail: "You have no session with this id.",
        meaning: "The session has ended, belongs to another user or never existed, or the id is malformed: ids have 24 digits, 0 to 9 and a to f.",
        remedy: "Take the id from the list of your sessions, GET /api/users/me/sessions.";
    TokenNotFound = NotFound "token-not-found", "Token not found",
        detail: "You have no personal access token with this id.",
        meaning: "The token was deleted, has expired, belongs to another user or never existed, or the id is malformed: ids have 24 digits, 0 to 9 and a to f.",
        remedy: "Take the id from the list of your tokens, GET /api/users/me/tokens.";
    ProviderNotFound = NotFound "provider-not-found", "Provider not found",
        detail: "There is no such provider.",
        meaning: "This service has no sign-in with such a provider, or your account is not linked to it.",
        remedy: "Take the id from the list of providers, GET /api/auth/providers, or from that of your account, GET /api/users/me/identities.";
    MethodNotAllowed = MethodNotAllowed "method-not-allowed", "Method not allowed",
        detail: "This address does not take this method; the Allow header names those that it takes.",
        meaning: "The path is right, the method is not.",
        remedy: "Use one of the methods in the Allow header of the answer.";
    RequestTimeout = RequestTimeout "request-timeout", "Request timeout",
        detail: "The body came too slowly.",
        meaning: "The server waits ten seconds for a body, and this one was not whole by then.",
        remedy: "Send it again, whole. If Content-Length names more bytes than are sent, the server waits in vain.";
    EmailTaken = Conflict "email-taken", "Email taken",
        detail: "There is an account with this email.",
        meaning: "An email belongs to one account, whatever its case.",
        remedy: "Log in, or ask for a reset link with POST /api/auth/forgot. Or take another email.";
    DuplicateMovie = Conflict "duplicate-movie", "Duplicate movie",
        detail: "There is a movie of this name in this year.",
        meaning: "No two movies share a name in the same year, nor do two without a year.",
        remedy: "The member existing is the path of the movie that has the name. For another film of that name give its year. After a 503 it may be the one that you were adding: with an Idempotency-Key you can repeat the request and get its answer.";
    LastAdmin = Conflict "last-admin", "Last admin",
        detail: "This is the last admin: make another user admin first.",
        meaning: "There is always an admin once there was one, and after this there would be none.",
        remedy: "Make another user admin first: PATCH /api/admin/users/{id}, or movie-bag admin grant EMAIL.";
    TooManyTokens = Conflict "too-many-tokens", "Too many tokens",
        detail: "You have 50 personal access tokens, which is the most.",
        meaning: "A user may have 50 personal access tokens that have not expired.",
        remedy: "Delete one that you no longer use, DELETE /api/users/me/tokens/{id}.";
    TooManyEditors = Conflict "too-many-editors", "Too many editors",
        detail: "This movie has 20 editors, which is the most.",
        meaning: "A movie may have 20 editors. After a transfer the former owner is one of them. The invitation stays good.",
        remedy: "Ask the owner to remove an editor, DELETE /api/movies/{id}/editors/{user_id}, and accept the invitation again.";
    RequestInProgress = Conflict "request-in-progress", "Request in progress",
        detail: "Another request with this Idempotency-Key is under way. Try again in a moment.",
        meaning: "The server has received this Idempotency-Key before and has not finished that request, or the server that was working on it has stopped.",
        remedy: "Repeat the same request after as many seconds as the Retry-After header says. The movie is added once, whatever happened.";
    NoOtherSignIn = Conflict "no-other-sign-in", "No other sign-in",
        detail: "Choose a password or link another provider first.",
        meaning: "The account has no password and no other provider, so without this one you could not sign in any more.",
        remedy: "Choose a password with PATCH /api/users/me, or link another provider with POST /api/users/me/identities.";
    ChangesGone = Gone "changes-gone", "Changes gone",
        detail: "The cursor is older than the changes that are kept. Read the catalogue again.",
        meaning: "The server keeps changes for a limited time, and some changes after this cursor are no longer kept, or could not be recorded. A client that goes on from here would miss them.",
        remedy: "Take a new cursor from GET /api/movies/changes without since. Then read the list of movies from the beginning, and go on from the new cursor.";
    PreconditionFailed = PreconditionFailed "precondition-failed", "Precondition failed",
        detail: "The movie has changed since the version that If-Match names.",
        meaning: "You asked to change the movie only if it is still the version that you have read. It is not, and nothing was changed.",
        remedy: "Read the movie again, look at what has changed, and send your change with the new ETag.";
    PayloadTooLarge = PayloadTooLarge "payload-too-large", "Payload too large",
        detail: "The body is over 256 KiB.",
        meaning: "A body may have 256 KiB at most; that of POST /api/movies/batch 1 MiB.",
        remedy: "Send less. For many movies there is POST /api/movies/batch, and movie-bag import on the command line.";
    UnsupportedMediaType = UnsupportedMediaType "unsupported-media-type", "Unsupported media type",
        detail: "The body must be application/json.",
        meaning: "The Content-Type header is missing or names something that this route does not read. Bodies are JSON in UTF-8.",
        remedy: "Send Content-Type: application/json. PATCH takes application/merge-patch+json too.";
    ValidationFailed = UnprocessableEntity "validation-failed", "Validation failed",
        detail: "Some fields are not usable; errors names each.",
        meaning: "The body is JSON, but some of its fields break a rule: one is missing, too long, of another type, or unknown.",
        remedy: "The list errors names every broken field, with a code for programs and a message for people. Mend them all, and send it again.";
    InvalidResetToken = UnprocessableEntity "invalid-reset-token", "Invalid reset token",
        detail: "The reset link has been used, is too old, or is not one of ours. Ask for a new one.",
        meaning: "A reset link works once and for one hour. A change of the email or the password spoils it as well.",
        remedy: "Ask for a new one with POST /api/auth/forgot, and use the latest mail.";
    InvalidVerifyToken = UnprocessableEntity "invalid-verify-token", "Invalid verify token",
        detail: "The link has been used, is too old, or is not one of ours. Ask for a new one.",
        meaning: "A link that confirms an address works once and for three days, and only while the account has that address. A newer link replaces it.",
        remedy: "Ask for a new one with POST /api/users/me/verification, and use the latest mail.";
    InvalidInvitation = UnprocessableEntity "invalid-invitation", "Invalid invitation",
        detail: "The invitation has been used, is too old, is not one of ours, or is your own.",
        meaning: "An invitation works once and for seven days, and only while the user who sent it owns the movie. The owner cannot accept an invitation to the owner's own movie.",
        remedy: "Ask the owner for a new one. The owner sends it with POST /api/movies/{id}/invitations.";
    IdempotencyKeyReused = UnprocessableEntity "idempotency-key-reused", "Idempotency key reused",
        detail: "This Idempotency-Key came with another request before.",
        meaning: "A key stands for one request: the same path and the same body, byte for byte. This key came with another path or body in the last 24 hours.",
        remedy: "Make a new key, for example a UUID, for each request that is not a repetition.";
    InvalidExchangeCode = UnprocessableEntity "invalid-exchange-code", "Invalid exchange code",
        detail: "The code has been used, is too old, or belongs to another sign-in. Begin the sign-in again.",
        meaning: "The code of a sign-in with a provider is good for one attempt, for 60 seconds, and only with the verifier of the client that began the sign-in.",
        remedy: "Begin the sign-in again, GET /api/auth/oidc/{id}/start, with a new verifier.";
    TooManyRequests = TooManyRequests "too-many-requests", "Too many requests",
        detail: "Too many attempts. Wait before you try again.",
        meaning: "Passwords, sign-ups and resets may be attempted only so often, so that nobody can guess. There were too many attempts for this account or from your address. Requests may be limited for each address, and adding and changing movies for each account. An account may send 20 invitations a day, an address gets 3 a day, and a movie has 20 open ones at most. An account may use 10,000 idempotency keys in 24 hours.",
        remedy: "Wait as many seconds as the Retry-After header says.";
    Internal = InternalServerError "internal-error", "Internal error",
        detail: "Something went wrong here. It has been logged under the request id.",
        meaning: "The server has made a mistake. It is not your request's fault.",
        remedy: "Try again later. If it stays, tell whoever runs the service the request_id of the answer: the log has more under it.";
    NoEvents = NotImplemented "no-events", "No events",
        detail: "The database of this server has no change streams.",
        meaning: "Changes, live events, versions and the trash need the database's change streams. The database of this server is a standalone mongod, which has none.",
        remedy: "Read the list again from time to time. The operator can turn the database into a replica set; one member is enough.";
    SearchBuilding = ServiceUnavailable "search-building", "Search building",
        detail: "The search index is being built. Try again in a moment.",
        meaning: "Searches, facets, counts, suggestions and combined filters are answered from an index that each server keeps. This server is building it, because it is new or could not be read. That takes seconds, or minutes for a catalogue of millions.",
        remedy: "Try again after as many seconds as Retry-After says. Plain lists and single movies are answered meanwhile.";
    DatabaseUnavailable = ServiceUnavailable "database-unavailable", "Database unavailable",
        detail: "The database does not answer. Try again in a moment.",
        meaning: "The server runs, and its database does not answer at the moment. What you wanted to write may have been written all the same.",
        remedy: "Try again after as many seconds as Retry-After says. Before you repeat a write, look whether it was done; with If-Match a repeated change is safe.";
    DeadlineExceeded = ServiceUnavailable "deadline-exceeded", "Deadline exceeded",
        detail: "The request took too long. Try again in a moment.",
        meaning: "The server gives up a request after 30 seconds. What you wanted to write may have been written all the same.",
        remedy: "Try again after as many seconds as Retry-After says, if you can with a narrower question.";
    Overloaded = ServiceUnavailable "overloaded", "Overloaded",
        detail: "Too many requests at once. Try again in a moment.",
        meaning: "Too many requests wait already: for the database, or for a password to be checked, which is costly on purpose; or too many clients listen to the events.",
        remedy: "Try again after as many seconds as Retry-After says.";
}
