//! The only table of problem codes: the status, the texts for a client's program, and the texts for people at
//! `/problems/<code>`.

use rocket::http::Status;

/// What all problems of one code have in common.
#[derive(Debug)]
pub struct Kind {
    pub status: Status,
    pub code: &'static str,
    pub title: &'static str,
    /// What happened, unless the occurrence has a detail of its own.
    pub detail: &'static str,
    /// For the page: what the code means, and when it occurs.
    pub meaning: &'static str,
    /// For the page: what to do.
    pub remedy: &'static str,
}

macro_rules! codes {
    ($($code:ident = $status:ident $name:literal, $title:literal,
        detail: $detail:literal, meaning: $meaning:literal, remedy: $remedy:literal;)*) => {
        /// The code of a problem. [`super::Problem`] adds the details of one occurrence.
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
        detail: "The server could not understand the request.",
        meaning: "The request is not HTTP that this server accepts: it has an unknown method, its body broke off, or one of its headers is invalid. The detail names the header.",
        remedy: "Check the method, the address and the headers, and send the whole body. An HTTP client library gets these right for you.";
    InvalidJson = BadRequest "invalid-json", "Invalid JSON",
        detail: "The body is not valid JSON.",
        meaning: "The server could not parse the body as JSON. The detail gives the line, the column and the reason.",
        remedy: "Let a JSON library write the body, in UTF-8. The usual causes are missing quotes, an extra comma or an empty body.";
    InvalidQuery = BadRequest "invalid-query", "Invalid query",
        detail: "A query parameter is invalid.",
        meaning: "The query has a parameter that this route does not know, that is given twice, or whose value is invalid. The detail names it.",
        remedy: "Compare the query with the parameters in the API documentation. A cursor (after) works only with the filters and the sort that it was made for.";
    MissingToken = Unauthorized "missing-token", "Missing token",
        detail: "Send a bearer token in the Authorization header.",
        meaning: "This route needs to know who is calling, and the request has no token.",
        remedy: "Log in with POST /api/auth/login. Then send the token with each request, in the Authorization header: Bearer, a space, and the token.";
    InvalidToken = Unauthorized "invalid-token", "Invalid token",
        detail: "The token is not valid.",
        meaning: "The Authorization header does not hold a bearer token that this service issued: the format or the signature is wrong.",
        remedy: "Send the token exactly as login returned it, after the word Bearer. If the service has a new key, log in again.";
    ExpiredToken = Unauthorized "expired-token", "Expired token",
        detail: "The token has expired. Log in again.",
        meaning: "A token works for a limited time, and this one has expired. Login returns the time in seconds, as expires_in.",
        remedy: "Log in again to get a new token.";
    RevokedToken = Unauthorized "revoked-token", "Revoked token",
        detail: "The token is no longer valid. Log in again.",
        meaning: "The token was valid before. Since then its session has ended, the password has changed, or the account has been deleted.",
        remedy: "Log in again. If that fails too, the account has been deleted or has another password.";
    InvalidRefreshToken = Unauthorized "invalid-refresh-token", "Invalid refresh token",
        detail: "The refresh token is not valid. Log in again.",
        meaning: "The refresh token is unknown, has been used, is older than 30 days, or belongs to a session that has ended. A refresh token works once. If it is used a second time, it may have been stolen, so the server ends the session.",
        remedy: "Log in again. Always keep the newest refresh token. If you lose a response, repeat the request within 10 seconds.";
    BadCredentials = Unauthorized "bad-credentials", "Bad credentials",
        detail: "Email or password invalid",
        meaning: "The email and the password do not match. The server does not reveal whether an account with this email exists.",
        remedy: "Check both and try again, or ask for a reset link with POST /api/auth/forgot.";
    AdminsOnly = Forbidden "admins-only", "Admins only",
        detail: "Only an admin may do this.",
        meaning: "You are logged in, but this route is only for users with the role admin.",
        remedy: "Ask an admin. The operator appoints the first one on the command line: movie-bag admin grant EMAIL.";
    InsufficientScope = Forbidden "insufficient-scope", "Insufficient scope",
        detail: "This personal access token does not have the scope that this route requires.",
        meaning: "A personal access token can do only what its scopes allow. The WWW-Authenticate header names the scope that this route requires. If it names none, the route accepts no personal access token at all.",
        remedy: "Create a token with that scope (POST /api/users/me/tokens), or log in and send the token of the session.";
    NotOwner = Forbidden "not-owner", "Not the owner",
        detail: "Only this movie's owner or an editor may change it.",
        meaning: "The movie belongs to another user. Only its owner and the editors whom the owner invited may change it or see its history, and only its owner may delete it. Admins are no exception.",
        remedy: "Log in as the owner or as an editor. GET /api/users/me/movies lists your movies.";
    SignupClosed = Forbidden "signup-closed", "Sign-up closed",
        detail: "Only the operator of this service can create accounts.",
        meaning: "Nobody can sign up for this service.",
        remedy: "Ask the operator for an account. The operator creates it on the command line: movie-bag user add EMAIL.";
    EmailNotVerified = Forbidden "email-not-verified", "Email not verified",
        detail: "Confirm your email address first: open the link that was mailed to it.",
        meaning: "On this service, only users with a confirmed email address can add and change movies.",
        remedy: "Open the link in the mail. POST /api/users/me/verification sends another one.";
    WrongPassword = Forbidden "wrong-password", "Wrong password",
        detail: "The current password is incorrect.",
        meaning: "This change requires the current password, and current_password does not match it. If the account has no password, the session must instead have begun within the last 10 minutes.",
        remedy: "Try again. If you have forgotten the password, ask for a reset link with POST /api/auth/forgot. If the account has no password, sign in again and leave out current_password.";
    NotFound = NotFound "not-found", "Not found",
        detail: "There is nothing at this address.",
        meaning: "No route has this path.",
        remedy: "Compare the path with those in the API documentation. Paths are case-sensitive.";
    MovieNotFound = NotFound "movie-not-found", "Movie not found",
        detail: "There is no movie with this id.",
        meaning: "The movie has been deleted or never existed, or the id is malformed: an id has 24 digits, 0 to 9 and a to f.",
        remedy: "Take the id from a list of movies. If the movie was there before, its owner has deleted it.";
    UserNotFound = NotFound "user-not-found", "User not found",
        detail: "There is no user with this id.",
        meaning: "The account has been deleted or never existed, or the id is malformed: an id has 24 digits, 0 to 9 and a to f.",
        remedy: "Take the id from the list of users, GET /api/admin/users.";
    VersionNotFound = NotFound "version-not-found", "Version not found",
        detail: "This movie has no such version, or the server no longer keeps it.",
        meaning: "The movie has not reached this version, the server no longer keeps it, or the number is malformed. The server keeps the newest 200 versions, for as long as the operator has set.",
        remedy: "Take the number from the list of versions, GET /api/movies/{id}/versions.";
    SessionNotFound = NotFound "session-not-found", "Session not found",
        detail: "You have no session with this id.",
        meaning: "The session has ended, belongs to another user or never existed, or the id is malformed: an id has 24 digits, 0 to 9 and a to f.",
        remedy: "Take the id from the list of your sessions, GET /api/users/me/sessions.";
    TokenNotFound = NotFound "token-not-found", "Token not found",
        detail: "You have no personal access token with this id.",
        meaning: "The token was deleted, has expired, belongs to another user or never existed, or the id is malformed: an id has 24 digits, 0 to 9 and a to f.",
        remedy: "Take the id from the list of your tokens, GET /api/users/me/tokens.";
    ProviderNotFound = NotFound "provider-not-found", "Provider not found",
        detail: "There is no such provider.",
        meaning: "This service does not offer sign-in with this provider, or your account is not linked to it.",
        remedy: "Take the id from the list of providers (GET /api/auth/providers) or from the list of those that your account is linked to (GET /api/users/me/identities).";
    MethodNotAllowed = MethodNotAllowed "method-not-allowed", "Method not allowed",
        detail: "This address does not support this method. The Allow header lists the methods that it supports.",
        meaning: "The path is right, but the method is not.",
        remedy: "Use one of the methods in the response's Allow header.";
    RequestTimeout = RequestTimeout "request-timeout", "Request timeout",
        detail: "The body arrived too slowly.",
        meaning: "The server waits ten seconds for a body, and this one was not complete by then.",
        remedy: "Send the whole body again. If Content-Length is larger than the body, the server waits for bytes that never come.";
    EmailTaken = Conflict "email-taken", "Email taken",
        detail: "An account with this email already exists.",
        meaning: "Only one account can have an email. Upper and lower case make no difference.",
        remedy: "Log in, ask for a reset link with POST /api/auth/forgot, or use another email.";
    DuplicateMovie = Conflict "duplicate-movie", "Duplicate movie",
        detail: "A movie with this name already exists in this year.",
        meaning: "Two movies in the same year cannot have the same name, and neither can two movies without a year.",
        remedy: "The member existing holds the path of the movie that has the name. To add a different film of that name, give its year. After a 503 it may be the movie that you were adding: if you sent an Idempotency-Key, repeat the request to get its response.";
    LastAdmin = Conflict "last-admin", "Last admin",
        detail: "This is the last admin. Make another user an admin first.",
        meaning: "Once there is an admin, there must always be one. This request would remove the last one.",
        remedy: "Make another user an admin first: PATCH /api/admin/users/{id}, or movie-bag admin grant EMAIL.";
    TooManyTokens = Conflict "too-many-tokens", "Too many tokens",
        detail: "You have 50 personal access tokens, which is the limit.",
        meaning: "A user can have 50 personal access tokens. Expired ones do not count.",
        remedy: "Delete a token that you no longer use: DELETE /api/users/me/tokens/{id}.";
    TooManyEditors = Conflict "too-many-editors", "Too many editors",
        detail: "This movie has 20 editors, which is the limit.",
        meaning: "A movie can have 20 editors. After a transfer the former owner is one of them. The invitation remains valid.",
        remedy: "Ask the owner to remove an editor (DELETE /api/movies/{id}/editors/{user_id}), then accept the invitation again.";
    RequestInProgress = Conflict "request-in-progress", "Request in progress",
        detail: "Another request with this Idempotency-Key is in progress. Try again in a moment.",
        meaning: "The server has received this Idempotency-Key before. It has not finished that request, or the server that was working on it has stopped.",
        remedy: "Repeat the same request after the number of seconds in the Retry-After header. Either way, the movie is added only once.";
    NoOtherSignIn = Conflict "no-other-sign-in", "No other sign-in",
        detail: "Choose a password or link another provider first.",
        meaning: "The account has no password and no other provider. Without this provider you could no longer sign in.",
        remedy: "Choose a password with PATCH /api/users/me, or link another provider with POST /api/users/me/identities.";
    ChangesGone = Gone "changes-gone", "Changes gone",
        detail: "The cursor is older than the changes that the server keeps. Read the catalogue again.",
        meaning: "The server keeps changes for a limited time. Some changes after this cursor are no longer kept, or could not be recorded. A client that continued from here would miss them.",
        remedy: "Get a new cursor from GET /api/movies/changes without since. Then read the list of movies from the beginning, and continue from the new cursor.";
    PreconditionFailed = PreconditionFailed "precondition-failed", "Precondition failed",
        detail: "The movie has changed since the version that If-Match names.",
        meaning: "You asked to change the movie only if it is still the version that you read. It is not, so nothing was changed.",
        remedy: "Read the movie again, check what has changed, and send your change with the new ETag.";
    PayloadTooLarge = PayloadTooLarge "payload-too-large", "Payload too large",
        detail: "The body is larger than 256 KiB.",
        meaning: "A body can have up to 256 KiB. For POST /api/movies/batch, the limit is 1 MiB.",
        remedy: "Send less at once. To add many movies, use POST /api/movies/batch, or movie-bag import on the command line.";
    UnsupportedMediaType = UnsupportedMediaType "unsupported-media-type", "Unsupported media type",
        detail: "The Content-Type of the body must be application/json.",
        meaning: "The Content-Type header is missing or names a type that this route does not read. Bodies are JSON in UTF-8.",
        remedy: "Send Content-Type: application/json. PATCH also accepts application/merge-patch+json.";
    ValidationFailed = UnprocessableEntity "validation-failed", "Validation failed",
        detail: "Some fields are invalid. The list errors names each of them.",
        meaning: "The body is JSON, but some of its fields break a rule. For example, a field is missing, unknown, too long or of the wrong type.",
        remedy: "The list errors names every invalid field, with a code for programs and a message for people. Correct them all, and send the body again.";
    InvalidResetToken = UnprocessableEntity "invalid-reset-token", "Invalid reset token",
        detail: "The reset link is unknown, used or expired. Ask for a new one.",
        meaning: "A reset link works once, within one hour. It stops working when the email or the password changes.",
        remedy: "Ask for a new link with POST /api/auth/forgot, and use the latest mail.";
    InvalidVerifyToken = UnprocessableEntity "invalid-verify-token", "Invalid verify token",
        detail: "The link is unknown, used or expired. Ask for a new one.",
        meaning: "A link that confirms an address works once, within three days, and only while the account has that address. A newer link replaces it.",
        remedy: "Ask for a new link with POST /api/users/me/verification, and use the latest mail.";
    InvalidInvitation = UnprocessableEntity "invalid-invitation", "Invalid invitation",
        detail: "The invitation is unknown, used or expired, or you sent it yourself.",
        meaning: "An invitation works once, within seven days, and only while the user who sent it owns the movie. Owners cannot accept an invitation to their own movie.",
        remedy: "Ask the owner for a new invitation. The owner sends it with POST /api/movies/{id}/invitations.";
    IdempotencyKeyReused = UnprocessableEntity "idempotency-key-reused", "Idempotency key reused",
        detail: "This Idempotency-Key was used for a different request before.",
        meaning: "A key stands for one request: the same path and the same body, byte for byte. In the last 24 hours this key came with another path or body.",
        remedy: "Make a new key, for example a UUID, for each request that is not a repetition.";
    InvalidExchangeCode = UnprocessableEntity "invalid-exchange-code", "Invalid exchange code",
        detail: "The code is unknown, used or expired, or belongs to another sign-in. Start the sign-in again.",
        meaning: "The code from a sign-in with a provider works for one attempt, within 60 seconds, and only with the verifier of the client that started the sign-in.",
        remedy: "Start the sign-in again (GET /api/auth/oidc/{id}/start) with a new verifier.";
    TooManyRequests = TooManyRequests "too-many-requests", "Too many requests",
        detail: "Too many attempts. Wait before you try again.",
        meaning: "The server limits logins, sign-ups, password resets and similar attempts, so that nobody gets far by guessing. There were too many attempts for this account or from your address. The operator can also limit the requests of each address, and the movies that each account adds and changes. An account can send 20 invitations a day, an address can receive 3 a day, and a movie can have 20 open ones. An account can use 10,000 idempotency keys in 24 hours.",
        remedy: "Wait for the number of seconds in the Retry-After header.";
    Internal = InternalServerError "internal-error", "Internal error",
        detail: "Something went wrong on the server. The log has an entry under the request id.",
        meaning: "The server made a mistake. Your request is not the cause.",
        remedy: "Try again later. If the error persists, give the request_id of the response to the operator of the service: the log has the details under it.";
    NoEvents = NotImplemented "no-events", "No events",
        detail: "The database of this server has no change streams.",
        meaning: "Changes, live events, versions and the trash need the database's change streams. This server uses a standalone mongod, which has none.",
        remedy: "Read the list again from time to time. The operator can turn the database into a replica set; one member is enough.";
    SearchBuilding = ServiceUnavailable "search-building", "Search building",
        detail: "The server is building its search index. Try again in a moment.",
        meaning: "Each server answers searches, facets, counts, suggestions and combined filters from an index of its own. This server is building its index, because the index is new or could not be read. Or it is adding what changed while the server was stopped. That takes seconds, or minutes for a catalogue of millions.",
        remedy: "Try again after the number of seconds in the Retry-After header. Plain lists and single movies work in the meantime.";
    DatabaseUnavailable = ServiceUnavailable "database-unavailable", "Database unavailable",
        detail: "The database is not responding. Try again in a moment.",
        meaning: "The server is running, but its database is not responding. If the request was a write, it may still have been done.",
        remedy: "Try again after the number of seconds in the Retry-After header. Before you repeat a write, check whether it was done. With If-Match, you can repeat a change safely.";
    DeadlineExceeded = ServiceUnavailable "deadline-exceeded", "Deadline exceeded",
        detail: "The request took too long. Try again in a moment.",
        meaning: "The server gives up a request after 30 seconds. If the request was a write, it may still have been done.",
        remedy: "Try again after the number of seconds in the Retry-After header, with a narrower query if you can.";
    Overloaded = ServiceUnavailable "overloaded", "Overloaded",
        detail: "The server has too many requests at once. Try again in a moment.",
        meaning: "Too many requests are waiting for the database or for a password check (which is expensive on purpose), or too many clients are listening to the events.",
        remedy: "Try again after the number of seconds in the Retry-After header.";
}
