use serde_json::Value;

use super::*;
use crate::{auth::password::NewPasswordRule, fields::Rule};

#[tokio::test]
async fn a_password_verifies_in_either_unicode_form() {
    let hasher = Hasher::start(4).unwrap();
    let composed = NewPasswordRule.parse(Value::from("caf\u{e9}-olé-12")).unwrap();
    let hash = hasher.hash(composed).await.unwrap();
    let decomposed = ClaimedPassword::new("cafe\u{301}-olé-12");
    assert!(hasher.verify(&decomposed, Some(&hash)).await.unwrap());
    assert!(!hasher.verify(&decomposed, None).await.unwrap());
}

#[tokio::test]
async fn all_72_bytes_count_and_the_73rd_is_not_ignored() {
    let hasher = Hasher::start(4).unwrap();
    let longest = "0123456789abcdef".repeat(4) + "01234567";
    let hash = hasher.hash(NewPasswordRule.parse(Value::from(longest.as_str())).unwrap()).await.unwrap();
    let same = async |text: &str| hasher.verify(&ClaimedPassword::new(text), Some(&hash)).await.unwrap();
    assert!(same(&longest).await);
    assert!(!same(&format!("{longest}8")).await);
    assert!(!same(&format!("{}8", &longest[..71])).await);
    assert!(!same("").await);
}

#[test]
fn a_wrong_password_takes_the_work_of_today_whatever_the_hash_cost() {
    // bcrypt's work is 2 to the power of its cost.
    let work = |cost: u32| 1_u64 << cost;
    for cost in 4..=12 {
        let decoys: u64 = costs_to_make_up(cost, 12).map(work).sum();
        assert_eq!(work(cost) + decoys, work(12), "cost {cost}");
    }
    assert_eq!(costs_to_make_up(13, 12).count(), 0);
    let hash = PasswordHash(bcrypt::hash("yak-gnu-emu", 4).unwrap());
    assert!(!verify_evenly("wrong", Some(&hash), 6).unwrap());
    assert!(!verify_evenly("yak-gnu-emu", None, 6).unwrap());
    assert!(verify_evenly("yak-gnu-emu", Some(&hash), 6).unwrap());
}

#[tokio::test]
async fn what_waits_runs_ends_and_is_refused_is_counted() {
    let hasher = Hasher::start(4).unwrap();
    let ended = |result: &str| hasher.metrics.ended.with_label_values(&[result]).get();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let jobs = |times: usize| {
        let held = || {
            let (own, gate) = (hasher.clone(), Arc::clone(&gate));
            // Until the gate is gone.
            let job = move || gate.lock().is_ok_and(|gate| gate.recv().is_err());
            tokio::spawn(async move { own.run(job).await })
        };
        (0..times).map(|_| held()).collect::<Vec<_>>()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let running = jobs(threads);
    while hasher.metrics.running.get() < i64::try_from(threads).unwrap() {
        tokio::task::yield_now().await;
    }
    let waiting = jobs(QUEUE);
    while hasher.metrics.waiting.get() < i64::try_from(QUEUE).unwrap() {
        tokio::task::yield_now().await;
    }
    let refused = hasher.run(|| ()).await;
    assert!(matches!(refused, Err(Problem::Overloaded)));
    assert_eq!((hasher.metrics.waiting.get(), ended("refused"), ended("done")), (128, 1, 0));
    // Whoever asked goes, before it is their turn.
    waiting.last().unwrap().abort();
    while !waiting.last().unwrap().is_finished() {
        tokio::task::yield_now().await;
    }
    drop(open);
    for job in running.into_iter().chain(waiting) {
        let _ = job.await;
    }
    let panicked = hasher.run(|| panic!("on purpose")).await;
    assert!(matches!(panicked, Err(Problem::Internal(_))));
    // The last one is counted off after it has answered.
    while hasher.metrics.running.get() > 0 {
        tokio::task::yield_now().await;
    }
    let done = u64::try_from(threads + QUEUE - 1).unwrap();
    assert_eq!((hasher.metrics.waiting.get(), ended("done"), ended("abandoned")), (0, done, 1));
}

#[tokio::test]
async fn a_hash_of_a_lower_cost_is_renewed_and_no_other() {
    let (cheap, dear) = (Hasher::start(4).unwrap(), Hasher::start(5).unwrap());
    let text = "yak-gnu-emu";
    let hash = cheap.hash(NewPasswordRule.parse(Value::from(text)).unwrap()).await.unwrap();
    let renewed = dear.renew(ClaimedPassword::new(text), &hash).await.unwrap().unwrap();
    assert_eq!(renewed.cost(), Some(5));
    assert!(dear.verify(&ClaimedPassword::new(text), Some(&renewed)).await.unwrap());
    assert!(cheap.renew(ClaimedPassword::new(text), &renewed).await.unwrap().is_none());
}
