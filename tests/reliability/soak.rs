//! Mixed traffic for many minutes, with a fault every half minute: memory and descriptors stay constant, and at the
//! end the data match what was acknowledged.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bson::doc;
use rustix::process::Signal;

use crate::{
    cluster::Cluster,
    load::{Leaver, Load, Rate},
    process::eventually,
    replica_set::ELECTION_TIMEOUT,
};

const MINUTES: u64 = 20;
/// The time between two faults.
const EVERY: Duration = Duration::from_secs(30);
/// The number of movies of each account that is deleted meanwhile.
const LEAVING: usize = 500;
/// A few hundred requests a second.
const RATE: Rate = Rate { writers: 3, readers: 2, pause: Duration::from_millis(25) };
/// How much the server's memory may grow from the second quarter to the last: a table that grows would double it.
const GROWTH: f64 = 1.25;
/// The number of descriptors varies with the clients' connections.
const MORE_DESCRIPTORS: f64 = 32.0;

fn minutes() -> u64 {
    std::env::var("MOVIE_BAG_TEST_SOAK_MINUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(MINUTES)
}

/// The resources of a process, sampled once a second.
#[derive(Default)]
struct Samples {
    kilobytes: Vec<f64>,
    descriptors: Vec<f64>,
}

impl Samples {
    fn take(&mut self, process: u32) {
        let Ok(status) = std::fs::read_to_string(format!("/proc/{process}/status")) else { return };
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let Some(resident) = resident.and_then(|text| text.split_whitespace().next()?.parse().ok()) else {
            return;
        };
        let Ok(descriptors) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return };
        self.kilobytes.push(resident);
        self.descriptors.push(f64::from(u32::try_from(descriptors.count()).unwrap()));
    }
}

/// The medians of the four quarters, and the maximum.
fn quarters(samples: &[f64]) -> ([f64; 4], f64) {
    let length = samples.len() / 4;
    let median = |quarter: usize| {
        let mut part = samples[quarter * length..(quarter + 1) * length].to_vec();
        part.sort_by(f64::total_cmp);
        part[part.len() / 2]
    };
    ([0, 1, 2, 3].map(median), samples.iter().copied().fold(0.0, f64::max))
}

#[test]
#[ignore = "20 minutes, or MOVIE_BAG_TEST_SOAK_MINUTES"]
fn many_minutes_of_traffic_and_faults_leak_nothing_and_lose_nothing() {
    let mut cluster = Cluster::start(3);
    let load = Load::start(&cluster, RATE, true);
    let samples = Arc::new(Mutex::new(Samples::default()));
    let is_over = Arc::new(AtomicBool::new(false));
    // The first server runs throughout.
    let (process, taken, over) = (cluster.server(0).id(), Arc::clone(&samples), Arc::clone(&is_over));
    let watch = thread::spawn(move || {
        while !over.load(Ordering::SeqCst) {
            taken.lock().unwrap().take(process);
            thread::sleep(Duration::from_secs(1));
        }
    });
    let begun = Instant::now();
    let end = begun + Duration::from_secs(60 * minutes());
    let (mut faults, mut leavers) = (0, Vec::new());
    while Instant::now() + EVERY < end {
        let next = begun + EVERY * (u32::try_from(faults).unwrap() + 1);
        let name = format!("leaver{faults}");
        let leaver = Leaver::arrive(&cluster, &name, LEAVING);
        let leaving = leaver.leave(&cluster, &load.client, faults);
        strike(&mut cluster, faults);
        cluster.set.wait_until_whole();
        // Check after each fault, before the next one.
        let struck = Instant::now();
        crate::process::eventually_within(Duration::from_mins(2), "everything has recovered", || {
            load.probes.is_quiet(struck)
        });
        leavers.push((leaver, name, leaving));
        faults += 1;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    is_over.store(true, Ordering::SeqCst);
    watch.join().unwrap();
    for (leaver, name, leaving) in leavers {
        cluster.runtime.block_on(leaving).unwrap();
        leaver.assert_gone(&cluster, &name);
    }
    let took = begun.elapsed();
    let outcome = load.finish(&cluster);
    // The only remaining account owns all remaining movies.
    let owners = cluster
        .runtime
        .block_on(async {
            cluster.database.collection::<bson::Document>("movies").distinct("added_by", doc! {}).await
        })
        .unwrap();
    assert_eq!(owners.len(), 1, "movies without an owner");
    let requests: usize = outcome.tally.answers.values().sum();
    println!("{requests} requests in {:.1} min, {faults} faults", took.as_secs_f64() / 60.0);
    println!("{outcome:#?}");
    let samples = samples.lock().unwrap();
    let (memory, most_memory) = quarters(&samples.kilobytes);
    let (descriptors, most_descriptors) = quarters(&samples.descriptors);
    println!("resident KiB, medians of the quarters: {memory:?}, at most {most_memory}");
    println!("descriptors, medians of the quarters: {descriptors:?}, at most {most_descriptors}");
    assert!(memory[3] <= memory[1] * GROWTH, "memory grows: {memory:?}");
    assert!(descriptors[3] <= descriptors[1] + MORE_DESCRIPTORS, "descriptors leak: {descriptors:?}");
}

/// Makes another fault each time. The fault is over when this returns, but the recovery may not be.
fn strike(cluster: &mut Cluster, number: usize) {
    let primary = cluster.set.primary();
    let elected = |cluster: &Cluster| {
        eventually("another primary", || cluster.set.find_primary().is_some_and(|now| now != primary));
    };
    match number % 6 {
        0 => {
            cluster.set.kill(primary);
            elected(cluster);
            cluster.set.start_member(primary);
        }
        1 => cluster.set.step_down(),
        2 => cluster.restart_server(1),
        3 => {
            cluster.set.cut(primary);
            elected(cluster);
            cluster.set.heal(primary);
        }
        4 => {
            cluster.set.signal(primary, Signal::STOP);
            elected(cluster);
            thread::sleep(ELECTION_TIMEOUT);
            cluster.set.signal(primary, Signal::CONT);
        }
        _ => {
            let secondary = cluster.set.secondaries()[0];
            cluster.set.kill(secondary);
            thread::sleep(ELECTION_TIMEOUT);
            cluster.set.start_member(secondary);
        }
    }
}
