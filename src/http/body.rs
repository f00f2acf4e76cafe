//! The data guard of every body. It checks for 408, 413, 415, 400 and 422, in this order.

use std::{ops::Deref, time::Duration};

use rocket::{
    Request,
    data::{Data, FromData, Outcome, ToByteUnit},
    http::ContentType,
};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncReadExt, time::timeout};

use super::{
    fields::{Fields, FromFields},
    idempotency::IdempotencyKey,
    problem::{Code, Problem},
};

/// The largest body of nearly every route, in KiB: see [`FromFields::LIMIT_KIB`].
pub const LIMIT_KIB: u64 = 256;
/// The largest body of any route, in KiB.
const LARGEST_KIB: u64 = 1_024;
/// How long a client may take to send its body. Rocket has no limit of its own.
const PATIENCE: Duration = Duration::from_secs(10);

/// The problems that a body can cause.
pub const REFUSALS: &[Code] = &[
    Code::BadRequest,
    Code::InvalidJson,
    Code::RequestTimeout,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
    Code::ValidationFailed,
];

/// A JSON body that passed the rules of `T`.
pub struct JsonBody<T>(pub T);

impl<T> Deref for JsonBody<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Like [`JsonBody`], with a digest of the bytes that the client sent, for a request that may be a repetition. Only a
/// request with an `Idempotency-Key` has a digest.
pub struct KeyedBody<T> {
    pub value: T,
    pub digest: Option<[u8; 32]>,
}

/// Like [`JsonBody`], for PATCH: it also accepts `application/merge-patch+json` (RFC 7396).
pub struct MergePatchBody<T>(pub T);

#[rocket::async_trait]
impl<'r, T: FromFields> FromData<'r> for JsonBody<T> {
    type Error = Problem;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data, is_json).await {
            Ok((value, _)) => Outcome::Success(Self(value)),
            Err(problem) => Outcome::Error(problem.refuse(request)),
        }
    }
}

#[rocket::async_trait]
impl<'r, T: FromFields> FromData<'r> for KeyedBody<T> {
    type Error = Problem;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        match read(request, data, is_json).await {
            Ok((value, bytes)) => {
                let is_keyed = request.headers().contains(IdempotencyKey::HEADER);
                let digest = is_keyed.then(|| Sha256::digest(&bytes).into());
                Outcome::Success(Self { value, digest })
            }
            Err(problem) => Outcome::Error(problem.refuse(request)),
        }
    }
}

#[rocket::async_trait]
impl<'r, T: FromFields> FromData<'r> for MergePatchBody<T> {
    type Error = Problem;

    async fn from_data(request: &'r Request<'_>, data: Data<'r>) -> Outcome<'r, Self> {
        let is_patch = |found: &ContentType| {
            is_json(found) || (found.top() == "application" && found.sub() == "merge-patch+json")
        };
        match read(request, data, is_patch).await {
            Ok((value, _)) => Outcome::Success(Self(value)),
            Err(problem) => Outcome::Error(problem.refuse(request)),
        }
    }
}

struct Waived(&'static [&'static str]);

/// A guard calls this to let the body of this request omit these fields. Only the first call counts.
pub fn waive(request: &Request<'_>, fields: &'static [&'static str]) {
    request.local_cache(|| Waived(fields));
}

fn is_json(found: &ContentType) -> bool {
    found.top() == "application" && found.sub() == "json"
}

/// Reads the body of a refused request, up to the limit, and keeps nothing of it.
pub async fn discard(data: Data<'_>) {
    let stream = data.open(LARGEST_KIB.kibibytes());
    // The result does not matter: the refusal is answered next.
    let _ = timeout(PATIENCE, stream.stream_to(tokio::io::sink())).await;
}

async fn read<T: FromFields>(
    request: &Request<'_>,
    data: Data<'_>,
    accepts: impl Fn(&ContentType) -> bool,
) -> Result<(T, Vec<u8>), Problem> {
    let limit = T::LIMIT_KIB.kibibytes();
    let announced = request.headers().get_one("Content-Length").and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit.as_u64()) {
        return Err(Problem::PayloadTooLarge(T::LIMIT_KIB));
    }
    let mut bytes = Vec::new();
    // One byte over the limit tells a body that is too large from one that is just at the limit.
    let mut stream = data.open(limit + 1.bytes());
    match timeout(PATIENCE, stream.read_to_end(&mut bytes)).await {
        Err(_) => return Err(Problem::RequestTimeout),
        Ok(Err(_)) => return Err(Problem::BadRequest),
        Ok(Ok(_)) if bytes.len() as u64 > limit.as_u64() => {
            return Err(Problem::PayloadTooLarge(T::LIMIT_KIB));
        }
        Ok(Ok(_)) => {}
    }
    let charset_is_utf8 = |found: &ContentType| {
        found.params().all(|(name, value)| name != "charset" || value.eq_ignore_ascii_case("utf-8"))
    };
    if !request.content_type().is_some_and(|found| accepts(found) && charset_is_utf8(found)) {
        return Err(Problem::UnsupportedMediaType);
    }
    let value = serde_json::from_slice(&bytes)
        .map_err(|error| Problem::InvalidJson(format!("The body is not valid JSON: {error}.")))?;
    let Waived(waived) = request.local_cache(|| Waived(&[]));
    let value = Fields::read_waiving(value, waived).map_err(Problem::ValidationFailed)?;
    Ok((value, bytes))
}
