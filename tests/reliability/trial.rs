//! A fault while there is traffic, and a deletion under way: again and again, and what came of it.

use std::time::{Duration, Instant};

use crate::{
    cluster::{CACHED, Cluster, SERVERS},
    load::{Leaver, Load, Outcome, Probes, Tally, USUAL},
    process::eventually_within,
};

/// How long it may take until all is well again, on a machine that is busy.
const RECOVERY: Duration = Duration::from_mins(2);
/// What the account has that goes meanwhile.
const LEAVING: usize = 3_000;

/// How often a fault is made in a test.
pub fn repeats() -> usize {
    std::env::var("MOVIE_BAG_TEST_REPEATS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A fault, and how it is mended.
pub struct Fault<'a, T> {
    pub name: &'a str,
    /// Servers are killed.
    pub breaks_connections: bool,
    /// With `cache.movies`.
    pub cached: bool,
    pub strike: &'a dyn Fn(&mut Cluster) -> T,
    /// What must be seen while it lasts.
    pub meanwhile: Meanwhile,
    pub mend: &'a dyn Fn(&mut Cluster, T),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Meanwhile {
    /// Service goes on, after an interruption at most.
    Service,
    /// Nothing is written until it is mended.
    Refusals,
}

/// A start without interruption is 0.
#[derive(Debug, Clone, Copy)]
struct Recovery {
    writes: [Duration; SERVERS],
    reads: [Duration; SERVERS],
}

pub fn make<T>(fault: &Fault<'_, T>) {
    let settings = if fault.cached { vec![(CACHED.0, CACHED.1.to_owned())] } else { Vec::new() };
    let mut cluster = Cluster::with(3, settings);
    let load = Load::start(&cluster, USUAL, fault.breaks_connections);
    let mut recoveries = Vec::new();
    let mut leavers = Vec::new();
    for run in 0..repeats() {
        let name = format!("leaver{run}");
        let leaver = Leaver::arrive(&cluster, &name, LEAVING);
        wait_for_quiet(&load.probes, Instant::now());
        let leaving = leaver.leave(&cluster, &load.client, run);
        let struck = Instant::now();
        let blow = (fault.strike)(&mut cluster);
        let since = match fault.meanwhile {
            Meanwhile::Service => {
                cluster.set.primary();
                println!("    there is a primary after {:.1?}", struck.elapsed());
                wait_for_quiet(&load.probes, struck);
                // Not only answers: events too, while the fault lasts.
                let recovered = recovery(&load.probes, struck);
                let heard = load.assert_heard(&cluster, &format!("Meanwhile {run}"));
                println!("    while it lasts, an event is heard {heard:.1?} after its change");
                (fault.mend)(&mut cluster, blow);
                recoveries.push(recovered);
                Instant::now()
            }
            Meanwhile::Refusals => {
                assert_refused(&load.probes);
                let mended = Instant::now();
                (fault.mend)(&mut cluster, blow);
                wait_for_quiet(&load.probes, mended);
                recoveries.push(recovery(&load.probes, mended));
                mended
            }
        };
        cluster.set.wait_until_whole();
        // The mending may disturb, too.
        wait_for_quiet(&load.probes, since);
        leavers.push((leaver, name, leaving));
    }
    if fault.cached {
        assert_hit(&cluster);
    }
    // What comes now is none of the fault's.
    let tally = load.client.tally();
    for (leaver, name, leaving) in leavers {
        let asked = cluster.runtime.block_on(leaving).unwrap();
        let left = leaver.left(&cluster);
        println!("    the deletion was answered {asked}; {left} of {LEAVING} movies were left to the sweep");
        if left > 0 {
            // A server looks at its start; else it would be within a minute.
            load.client.expect_breaks();
            cluster.restart_server(1);
        }
        leaver.assert_gone(&cluster, &name);
    }
    let outcome = load.finish(&cluster);
    report(fault.name, &recoveries, &tally, &outcome);
}

fn wait_for_quiet(probes: &Probes, since: Instant) {
    eventually_within(RECOVERY, "all is well", || probes.is_quiet(since));
}

fn recovery(probes: &Probes, since: Instant) -> Recovery {
    use crate::load::Kind::{Read, Write};
    let of = |kind| [0, 1].map(|server| probes.interrupted(server, kind, since).unwrap_or_default());
    Recovery { writes: of(Write), reads: of(Read) }
}

/// Movies were answered from memory, by each server, and are again.
fn assert_hit(cluster: &Cluster) {
    for server in (0..SERVERS).map(|server| cluster.server(server)) {
        let metric = |name: &str| -> u64 {
            let text = server.http.get(format!("{}/metrics", server.base)).send().unwrap().text().unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a metric");
            line.trim().parse().unwrap()
        };
        assert!(metric("movie_bag_cache_lookups_total{result=\"hit\"}") > 0);
        eventually_within(RECOVERY, "the cache is in use again", || metric("movie_bag_cache_live") == 1);
    }
}

/// From some time after the blow on, each write is 503, and soon.
fn assert_refused(probes: &Probes) {
    use crate::load::Kind;
    // A primary that is alone knows it after the time of an election.
    std::thread::sleep(crate::replica_set::ELECTION_TIMEOUT * 3);
    let since = Instant::now();
    eventually_within(RECOVERY, "ten writes are refused", || {
        probes.answers(Kind::Write, since).0.len() >= 10
    });
    let (statuses, slowest) = probes.answers(Kind::Write, since);
    assert!(statuses.iter().all(|status| *status == 503), "{statuses:?}");
    println!("    {} writes were refused, after {slowest:.1?} at most", statuses.len());
}

/// A row of the table in `docs/evidence/reliability.md`.
fn report(name: &str, recoveries: &[Recovery], tally: &Tally, outcome: &Outcome) {
    let count = |status: &dyn Fn(u16) -> bool| -> usize {
        tally.answers.iter().filter(|((_, of), _)| status(*of)).map(|(_, count)| count).sum()
    };
    let of = |times: Vec<Duration>| {
        let mut seconds: Vec<f64> = times.iter().map(Duration::as_secs_f64).collect();
        seconds.sort_by(f64::total_cmp);
        let (median, worst) = (seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
        format!("{median:.1} s, {worst:.1} s")
    };
    println!(
        "| {name} | {} | {} answers, {} of them 503, {} without an answer, {} found done | {} | {} | {:.1} s | 0 |",
        recoveries.len(),
        count(&|status| status != 0),
        count(&|status| status == 503),
        count(&|status| status == 0),
        tally.done_before,
        of(recoveries.iter().flat_map(|recovery| recovery.writes).collect()),
        of(recoveries.iter().flat_map(|recovery| recovery.reads).collect()),
        tally.slowest.0.as_secs_f64(),
    );
    println!("    each: {recoveries:.1?}; {:?}; slowest: {}", tally.answers, tally.slowest.1);
    println!(
        "    {} movies, {} changes; {} walks; {} visits of {SERVERS} listeners, {} resets",
        outcome.movies, outcome.changes, outcome.walks, outcome.visits_of_listeners, outcome.resets,
    );
}
