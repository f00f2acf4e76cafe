use std::{
    net::IpAddr,
    num::NonZero,
    sync::{Arc, Mutex, atomic::Ordering},
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{
    Hasher, Requester,
    evenly::{costs_to_make_up, verify_evenly},
    meter::{Meter, work},
};
use crate::{
    accounts::{
        EmailAddress,
        password::{ClaimedPassword, NewPasswordRule, PasswordHash},
    },
    http::{fields::Rule, problem::Problem},
};

/// One of many callers, each in a network of its own.
fn who(number: u8) -> Requester {
    let email = EmailAddress::claimed(&format!("{number}@example.com"));
    Requester::new(Some(IpAddr::from([192, 0, 2, number])), &email)
}

#[tokio::test]
async fn a_password_verifies_in_either_unicode_form() {
    let hasher = Hasher::start(4).unwrap();
    let composed = NewPasswordRule.parse(Value::from("caf\u{e9}-olé-12")).unwrap();
    let hash = hasher.hash(composed, &who(1)).await.unwrap();
    let decomposed = ClaimedPassword::new("cafe\u{301}-olé-12");
    assert!(hasher.verify(&decomposed, Some(&hash), &who(1)).await.unwrap());
    assert!(!hasher.verify(&decomposed, None, &who(1)).await.unwrap());
}

#[tokio::test]
async fn all_72_bytes_count_and_the_73rd_is_not_ignored() {
    let hasher = Hasher::start(4).unwrap();
    let longest = "0123456789abcdef".repeat(4) + "01234567";
    let longest_password = NewPasswordRule.parse(Value::from(longest.as_str())).unwrap();
    let hash = hasher.hash(longest_password, &who(1)).await.unwrap();
    let same =
        async |text: &str| hasher.verify(&ClaimedPassword::new(text), Some(&hash), &who(1)).await.unwrap();
    assert!(same(&longest).await);
    assert!(!same(&format!("{longest}8")).await);
    assert!(!same(&format!("{}8", &longest[..71])).await);
    assert!(!same("").await);
}

#[test]
fn a_wrong_password_takes_the_work_of_the_highest_cost_whatever_the_hash_cost() {
    for cost in 4..=14 {
        let decoys: u64 = costs_to_make_up(cost, 14).map(work).sum();
        assert_eq!(work(cost) + decoys, work(14), "cost {cost}");
    }
    let meter = Meter::start(4);
    let hash = PasswordHash(bcrypt::hash("yak-gnu-emu", 4).unwrap());
    assert!(!verify_evenly(&meter, "wrong", Some(&hash), 6).unwrap());
    assert!(!verify_evenly(&meter, "yak-gnu-emu", None, 6).unwrap());
    assert!(verify_evenly(&meter, "yak-gnu-emu", Some(&hash), 6).unwrap());
}

#[tokio::test]
async fn after_the_cost_was_lowered_the_time_does_not_reveal_older_accounts() {
    // As long as a hash of the old cost is known, no failure takes less work than it.
    let hasher = Hasher::start(4).unwrap();
    let old = PasswordHash(bcrypt::hash("yak-gnu-emu", 7).unwrap());
    let wrong = ClaimedPassword::new("wrong");
    let highest = || hasher.highest.load(Ordering::Relaxed);
    assert_eq!(highest(), 4);
    assert!(!hasher.verify(&wrong, Some(&old), &who(1)).await.unwrap());
    assert_eq!(highest(), 7);
    let today = PasswordHash(bcrypt::hash("yak-gnu-emu", 4).unwrap());
    assert_eq!(hasher.reckon_with(&today), 7);
    // New hashes still have the new cost.
    let new = NewPasswordRule.parse(Value::from("yak-gnu-emu")).unwrap();
    assert_eq!(hasher.hash(new, &who(1)).await.unwrap().cost(), Some(4));
}

#[tokio::test]
async fn what_has_waited_too_long_is_refused_when_its_turn_comes() {
    let hasher = Hasher::bounded_by(Meter::start(4), Duration::ZERO, 4).unwrap();
    let late = hasher.verify(&ClaimedPassword::new("yak-gnu-emu"), None, &who(1)).await;
    assert!(matches!(late, Err(Problem::Overloaded)));
    assert_eq!(hasher.counters.ended.with_label_values(&["refused"]).get(), 1);
}

#[tokio::test]
async fn waiting_running_ended_and_refused_jobs_are_counted() {
    let hasher = Hasher::bounded_by(Meter::fixed(12, Duration::from_millis(250)), Duration::MAX, 4).unwrap();
    let ended = |result: &str| hasher.counters.ended.with_label_values(&[result]).get();
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = Arc::new(Mutex::new(gate));
    let jobs = |numbers: std::ops::Range<usize>| {
        let held = |number| {
            let (own, gate) = (hasher.clone(), Arc::clone(&gate));
            // Until the gate is gone.
            let job = move || gate.lock().is_ok_and(|gate| gate.recv().is_err());
            let who = who(u8::try_from(number).unwrap());
            tokio::spawn(async move { own.run(&who, work(12), job).await })
        };
        numbers.map(held).collect::<Vec<_>>()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    // Five seconds of work.
    let queue = 20 * threads;
    let mut running = Vec::new();
    for number in 0..threads {
        running.extend(jobs(number..number + 1));
        while hasher.counters.running.get() <= i64::try_from(number).unwrap() {
            tokio::task::yield_now().await;
        }
    }
    let waiting = jobs(threads..threads + queue);
    while hasher.counters.waiting.get() < i64::try_from(queue).unwrap() {
        tokio::task::yield_now().await;
    }
    let refused = hasher.run(&who(0), work(12), || ()).await;
    assert!(matches!(refused, Err(Problem::Overloaded)));
    let counted = (hasher.counters.waiting.get(), ended("refused"), ended("done"));
    assert_eq!(counted, (i64::try_from(queue).unwrap(), 1, 0));
    // A caller leaves before its turn.
    waiting.last().unwrap().abort();
    while !waiting.last().unwrap().is_finished() {
        tokio::task::yield_now().await;
    }
    drop(open);
    for job in running.into_iter().chain(waiting) {
        let _ = job.await;
    }
    let panicked = hasher.run(&who(0), work(12), || panic!("on purpose")).await;
    assert!(matches!(panicked, Err(Problem::Internal(_))));
    // The last job is counted off only after it has answered.
    while hasher.counters.running.get() > 0 {
        tokio::task::yield_now().await;
    }
    let done = u64::try_from(threads + queue - 1).unwrap();
    assert_eq!((hasher.counters.waiting.get(), ended("done"), ended("abandoned")), (0, done, 1));
}

#[tokio::test]
async fn a_hash_of_a_lower_cost_is_renewed_and_no_other() {
    let (cheap, costly) = (Hasher::start(4).unwrap(), Hasher::start(5).unwrap());
    let text = "yak-gnu-emu";
    let hash = cheap.hash(NewPasswordRule.parse(Value::from(text)).unwrap(), &who(1)).await.unwrap();
    let renewed = costly.renew(ClaimedPassword::new(text), &hash, &who(1)).await.unwrap().unwrap();
    assert_eq!(renewed.cost(), Some(5));
    assert!(costly.verify(&ClaimedPassword::new(text), Some(&renewed), &who(1)).await.unwrap());
    assert!(cheap.renew(ClaimedPassword::new(text), &renewed, &who(1)).await.unwrap().is_none());
}
