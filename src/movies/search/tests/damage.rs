//! Files that are torn, changed, missing, or of another version.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use super::*;

/// Opens an index again, once the thread that used it has ended.
fn reopen(folder: &Path) -> (MovieIndex, Option<String>) {
    let begun = Instant::now();
    loop {
        match MovieIndex::open(folder, 1) {
            Ok(opened) => return opened,
            Err(error) => assert!(begun.elapsed() < LONG, "{error}"),
        }
        std::thread::yield_now();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        // A file that is being written at this moment may disappear.
        let _ = fs::copy(&file, target);
    }
}

async fn closed() -> TempDir {
    let movies: Vec<_> = (1..=50).map(|number| movie(number, &format!("Movie {number}"))).collect();
    let (folder, index) = index_of(&movies).await;
    let (deletes, position) = (vec![id(50)], Some("later".to_owned()));
    apply(&index, Batch { deletes, position, number: 2, ..Batch::default() }).await;
    drop(index);
    folder
}

/// Asserts that the index is either unchanged or empty, and works in both cases.
async fn assert_works(folder: &Path, what: &str) -> Option<String> {
    let (index, position) = reopen(folder);
    if position.is_none() {
        index
            .apply(Batch { upserts: vec![movie(1, "Movie 1")], is_new: true, ..Batch::default() })
            .await
            .unwrap();
        index.complete("anew".into(), 1).await.unwrap();
    }
    assert_eq!(index.movies(), if position.is_some() { 49 } else { 1 }, "{what}");
    assert_eq!(found(&index, "\"movie 1\"").await, [1], "{what}");
    position
}

#[tokio::test]
async fn an_index_that_was_closed_resumes_at_its_position() {
    let folder = closed().await;
    assert_eq!(assert_works(folder.path(), "closed").await.as_deref(), Some("later"));
}

type Damage = fn(&Path);

#[tokio::test]
async fn an_index_with_a_damaged_file_is_rebuilt() {
    let whole = closed().await;
    // Its thread has ended.
    drop(reopen(whole.path()));
    let names: Vec<PathBuf> =
        files(whole.path()).iter().map(|file| file.strip_prefix(whole.path()).unwrap().into()).collect();
    assert!(names.len() > 5, "{names:?}");
    let damages: [(&str, Damage); 4] = [
        ("removed", |file| fs::remove_file(file).unwrap()),
        ("torn", |file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("empty", |file| fs::write(file, []).unwrap()),
        ("flipped", |file| {
            let mut bytes = fs::read(file).unwrap();
            let middle = bytes.len() / 2;
            if let Some(byte) = bytes.get_mut(middle) {
                *byte ^= 4;
            }
            fs::write(file, bytes).unwrap();
        }),
    ];
    let mut made_anew = 0;
    for name in &names {
        for (kind, damage) in damages {
            let folder = tempfile::tempdir().unwrap();
            copy(whole.path(), folder.path());
            damage(&folder.path().join(name));
            let position = assert_works(folder.path(), &format!("{} {kind}", name.display())).await;
            made_anew += usize::from(position.is_none());
        }
    }
    assert!(made_anew >= 20, "{made_anew}");
}

#[tokio::test]
async fn whatever_a_kill_leaves_can_be_opened() {
    let (folder, index) = index_of(&[]).await;
    for number in 2..40_u32 {
        let batch = Batch {
            upserts: (0..5).map(|step| movie(number * 5 + step, "Movie 1")).collect(),
            position: Some(number.to_string()),
            number: number.into(),
            ..Batch::default()
        };
        index.apply(batch).await.unwrap();
        if number.is_multiple_of(2) {
            index.visible_within(number.into(), LONG).await.unwrap();
        }
        let left = tempfile::tempdir().unwrap();
        copy(folder.path(), left.path());
        let (copied, position) = reopen(left.path());
        // The index has everything up to its position.
        if let Some(position) = position.filter(|position| position != "all") {
            assert_eq!(copied.movies(), 5 * (position.parse::<u64>().unwrap() - 1));
        }
    }
}

#[tokio::test]
async fn an_index_of_another_version_stays_until_the_new_one_is_complete() {
    let folder = closed().await;
    drop(reopen(folder.path()));
    let ours = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let other = folder.path().join("v0-7");
    fs::rename(&ours, &other).unwrap();
    let (index, position) = MovieIndex::open(folder.path(), 1).unwrap();
    assert_eq!(position, None);
    assert!(other.is_dir());
    index.complete("anew".into(), 1).await.unwrap();
    let begun = Instant::now();
    while other.exists() {
        assert!(begun.elapsed() < LONG);
        tokio::task::yield_now().await;
    }
    drop(index);
    // An incomplete index is not used.
    let folder = tempfile::tempdir().unwrap();
    drop(MovieIndex::open(folder.path(), 1).unwrap());
    assert_eq!(reopen(folder.path()).1, None);
}

#[tokio::test]
async fn a_folder_that_disappears_is_an_error_and_the_index_can_be_rebuilt() {
    let (folder, index) = index_of(&[movie(1, "One")]).await;
    fs::remove_dir_all(folder.path()).unwrap();
    index.apply(Batch { upserts: vec![movie(2, "Two")], number: 2, ..Batch::default() }).await.unwrap();
    assert!(matches!(
        index.visible_within(2, LONG).await,
        Err(crate::movies::search::SearchError::Failed(_))
    ));
    assert!(index.state().failed.is_some());
    assert!(index.count(Meant::default()).await.is_err());
    assert!(index.apply(Batch::default()).await.is_err() || index.visible(3).await.is_err());
    drop(index);
    let (_, position) = MovieIndex::open(folder.path(), 1).unwrap();
    assert_eq!(position, None);
}

#[test]
fn a_folder_that_cannot_be_created_is_an_error() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(MovieIndex::open(&file.path().join("search"), 1).is_err());
}

#[tokio::test]
async fn two_indexes_cannot_share_one_folder() {
    let (folder, _index) = index_of(&[]).await;
    assert!(MovieIndex::open(folder.path(), 1).is_err());
}
