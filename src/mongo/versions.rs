//! Versions of MongoDB with a known vulnerability that needs no login. The server warns the operator of one when it
//! starts.

use bson::{Bson, doc};
use mongodb::Database;

use super::{COMMAND, StoreError, within};

/// For each series, the first version without CVE-2025-14847, which discloses memory of the server to everybody who
/// can reach its port.
const FIXED: [[i32; 3]; 4] = [[6, 0, 27], [7, 0, 28], [8, 0, 17], [8, 2, 3]];

/// The version of this MongoDB, if it is vulnerable.
///
/// # Errors
/// When the database does not answer.
pub async fn vulnerable(database: &Database) -> Result<Option<String>, StoreError> {
    let info = within(COMMAND, database.run_command(doc! { "buildInfo": 1 })).await?;
    let part = |part: &Bson| part.as_i32().unwrap_or_default();
    let parts: Vec<i32> =
        info.get_array("versionArray").map_or_else(|_| Vec::new(), |parts| parts.iter().map(part).collect());
    let version = info.get_str("version").unwrap_or_default();
    Ok(is_vulnerable(&parts).then(|| version.to_owned()))
}

/// A series that is not in the table either ended before the fix, or came after it.
fn is_vulnerable(version: &[i32]) -> bool {
    let &[major, minor, patch, ..] = version else { return false };
    match FIXED.iter().find(|fixed| fixed[..2] == [major, minor]) {
        Some(fixed) => patch < fixed[2],
        None => FIXED.iter().any(|fixed| [major, minor] < [fixed[0], fixed[1]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_vulnerable_until_its_series_was_fixed() {
        for vulnerable in
            [[4, 4, 30], [6, 0, 5], [6, 0, 26], [7, 0, 27], [7, 3, 4], [8, 0, 16], [8, 1, 9], [8, 2, 2]]
        {
            assert!(is_vulnerable(&vulnerable), "{vulnerable:?}");
        }
        for mended in [[6, 0, 27], [7, 0, 28], [7, 0, 40], [8, 0, 17], [8, 2, 3], [8, 3, 0], [9, 0, 0]] {
            assert!(!is_vulnerable(&mended), "{mended:?}");
        }
        assert!(!is_vulnerable(&[]));
    }
}
