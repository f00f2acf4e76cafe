//! When a change becomes visible.

use std::time::Instant;

use super::*;
use crate::movies::search::SearchError;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_somebody_waits_for_is_in_the_next_search() {
    let (_folder, index) = index_of(&[movie(1, "First")]).await;
    for round in 2..60_u32 {
        let number = u64::from(round);
        let name = format!("round{round}");
        let upserts = vec![movie(round, &name), movie(1, &format!("changed{round}"))];
        let deletes = vec![id(round - 1)].into_iter().filter(|gone| *gone != id(1)).collect();
        apply(&index, Batch { upserts, deletes, number, position: Some(name.clone()), ..Batch::default() })
            .await;
        let exact = |name: String| Meant { name: Some(name), ..Meant::default() };
        assert_eq!(index.count(exact(name)).await.unwrap(), 1);
        assert_eq!(index.count(exact(format!("changed{round}"))).await.unwrap(), 1);
        assert_eq!(index.count(exact(format!("changed{}", round - 1))).await.unwrap(), 0);
        assert_eq!(index.movies(), 2);
    }
}

#[tokio::test]
async fn a_caller_that_waits_for_a_change_sees_it_when_it_comes() {
    let (_folder, index) = index_of(&[]).await;
    let waiting = tokio::spawn({
        let index = index.clone();
        async move { index.visible_within(5, LONG).await }
    });
    index.apply(Batch { upserts: vec![movie(1, "One")], number: 4, ..Batch::default() }).await.unwrap();
    index.apply(Batch { upserts: vec![movie(2, "Two")], number: 5, ..Batch::default() }).await.unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(index.movies(), 2);
    // Waiting for a change that never comes ends with an error.
    assert!(matches!(index.visible(6).await, Err(SearchError::Behind)));
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_is_visible_soon() {
    let (_folder, index) = index_of(&[]).await;
    index.apply(Batch { upserts: vec![movie(1, "One")], number: 2, ..Batch::default() }).await.unwrap();
    let begun = Instant::now();
    while index.state().visible < 2 {
        assert!(begun.elapsed() < LONG, "{:?}", index.state());
        tokio::task::yield_now().await;
    }
    assert_eq!(index.movies(), 1);
}

#[tokio::test]
async fn an_index_that_is_being_built_answers_nothing_and_reports_its_progress() {
    let folder = tempfile::tempdir().unwrap();
    let (index, _) = MovieIndex::open(folder.path(), 1).unwrap();
    index.apply(Batch { upserts: vec![movie(1, "One")], is_new: true, ..Batch::default() }).await.unwrap();
    assert!(matches!(index.count(Meant::default()).await, Err(SearchError::Behind)));
    // A change that comes while the other movies are still being read.
    index.apply(Batch { upserts: vec![movie(1, "Uno")], ..Batch::default() }).await.unwrap();
    index.complete("now".into(), 7).await.unwrap();
    let state = index.state();
    assert_eq!((state.is_complete, state.written, state.visible), (true, 2, 7));
    assert_eq!(found(&index, "uno").await, [1]);
    assert_eq!(index.movies(), 1);
}
