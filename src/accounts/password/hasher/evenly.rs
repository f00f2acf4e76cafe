//! Verifying so that the time tells nothing: a wrong password takes the work of the highest cost in use.

use super::meter::Meter;
use crate::accounts::password::PasswordHash;

/// A hash of some cost that no password has: verifying against it takes as long as against another.
fn decoy(cost: u32) -> String {
    format!("$2b${cost:02}${}", ".".repeat(53))
}

/// The costs of the decoys that take as long together as the highest cost takes longer than `cost`.
pub(super) fn costs_to_make_up(cost: u32, highest: u32) -> std::ops::Range<u32> {
    cost..highest
}

/// Verifies, and takes as long for a wrong password whatever the hash cost, so that the time does not tell
/// an account whose hash was made at another cost from one that does not exist: each cost takes twice as
/// long as the one before, so those from `c` to `highest - 1` make up the difference.
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
