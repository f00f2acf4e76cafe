//! Verifies passwords so that the time reveals nothing: a wrong password takes the work of the highest cost in use.

use super::meter::Meter;
use crate::accounts::password::PasswordHash;

/// A hash of this cost that no password has. Verifying against it takes as long as against a real one.
fn decoy(cost: u32) -> String {
    format!("$2b${cost:02}${}", ".".repeat(53))
}

/// The costs of the decoys that together take the time by which the highest cost is slower than `cost`.
pub(super) fn costs_to_make_up(cost: u32, highest: u32) -> std::ops::Range<u32> {
    cost..highest
}

/// Verifies a password. A wrong one takes the same time whatever the cost of the hash. Otherwise the time would
/// distinguish an account whose hash has another cost from one that does not exist. Each cost takes twice as long as
/// the one before, so those from `c` to `highest - 1` make up the difference.
pub(super) fn verify_evenly(
    meter: &Meter,
    password: &str,
    hash: Option<&PasswordHash>,
    highest: u32,
) -> bcrypt::BcryptResult<bool> {
    let verify = |hash: &str, cost| meter.time(cost, || bcrypt::verify(password, hash));
    let Some(hash) = hash else { return verify(&decoy(highest), highest).map(|_| false) };
    let cost = hash.cost().unwrap_or(highest);
    let same = verify(hash.as_stored(), cost)?;
    if !same {
        for cost in costs_to_make_up(cost, highest) {
            verify(&decoy(cost), cost)?;
        }
    }
    Ok(same)
}
