//! Makes a fault during traffic and a deletion, again and again, and reports the results.

use std::time::{Duration, Instant};

use crate::{
    cluster::{CACHED, Cluster, SERVERS},
    load::{Leaver, Load, Outcome, Probes, Tally, USUAL},
    process::{Server, eventually_within},
};

/// How long the recovery may take on a busy machine.
const RECOVERY: Duration = Duration::from_mins(2);
/// The number of movies of the account that is deleted meanwhile.
const LEAVING: usize = 3_000;

/// How often a test makes its fault.
pub fn repeats() -> usize {
    std::env::var("MOVIE_BAG_TEST_REPEATS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A fault, and how to repair it.
pub struct Fault<'a, T> {
    pub name: &'a str,
    /// Whether servers are killed.
    pub breaks_connections: bool,
    /// Whether the servers use `cache.movies`.
    pub cached: bool,
    pub strike: &'a dyn Fn(&mut Cluster) -> T,
    /// What clients must see while the fault lasts.
    pub meanwhile: Meanwhile,
    pub mend: &'a dyn Fn(&mut Cluster, T),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Meanwhile {
    /// The service continues, after at most one interruption.
    Service,
    /// No write succeeds until the fault is repaired.
    Refusals,
}

/// The recovery times. No interruption counts as 0.
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
                // While the fault lasts, events must arrive too, and not only answers.
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
        // The repair may cause an interruption too.
        wait_for_quiet(&load.probes, since);
        leavers.push((leaver, name, leaving));
    }
    if fault.cached {
        assert_hit(&cluster);
    }
    // Later answers have nothing to do with the fault.
    let tally = load.client.tally();
    for (leaver, name, leaving) in leavers {
        let asked = cluster.runtime.block_on(leaving).unwrap();
        let left = leaver.left(&cluster);
        println!("    the deletion was answered {asked}; {left} of {LEAVING} movies were left to the sweep");
        if left > 0 {
            // A server checks when it starts. Otherwise the check would come within a minute.
            load.client.expect_breaks();
            cluster.restart_server(1);
        }
        leaver.assert_gone(&cluster, &name);
    }
    let outcome = load.finish(&cluster);
    report(fault.name, &recoveries, &tally, &outcome);
}

fn wait_for_quiet(probes: &Probes, since: Instant) {
    eventually_within(RECOVERY, "everything has recovered", || probes.is_quiet(since));
}

fn recovery(probes: &Probes, since: Instant) -> Recovery {
    use crate::load::Kind::{Read, Write};
    let of = |kind| [0, 1].map(|server| probes.interrupted(server, kind, since).unwrap_or_default());
    Recovery { writes: of(Write), reads: of(Read) }
}

/// Asserts that each server answered movies from memory, and does so again.
fn assert_hit(cluster: &Cluster) {
    for server in (0..SERVERS).map(|server| cluster.server(server)) {
        assert!(metric(server, "movie_bag_cache_lookups_total{result=\"hit\"}") > 0);
        eventually_within(RECOVERY, "the cache is in use again", || {
            metric(server, "movie_bag_cache_live") == 1
        });
    }
}

/// The value of a metric of a server now.
pub fn metric(server: &Server, name: &str) -> u64 {
    let text = server.http.get(format!("{}/metrics", server.base)).send().unwrap().text().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("a metric");
    line.trim().parse().unwrap()
}

/// Asserts that, from some time after the fault, each write is refused quickly with 503.
fn assert_refused(probes: &Probes) {
    use crate::load::Kind;
    // An isolated primary notices that after an election timeout.
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
    println!("    503s: {:?}", tally.refusals);
    println!(
        "    {} movies, {} changes; {} walks; {} visits of {SERVERS} listeners, {} resets",
        outcome.movies, outcome.changes, outcome.walks, outcome.visits_of_listeners, outcome.resets,
    );
}
