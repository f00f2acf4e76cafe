//! A replica set under faults, while two servers use it: acknowledged writes survive, nothing is done twice, and
//! clients see only success and 503. [`crate::trial`] makes the faults and checks this.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{
    cluster::{Cluster, SERVERS},
    load::{Leaver, Load, USUAL},
    replica_set::ELECTION_TIMEOUT,
    trial::{self, Fault, Meanwhile},
};

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn a_killed_primary_loses_nothing() {
    trial::make(&Fault {
        name: "primary killed (SIGKILL), started again later",
        breaks_connections: false,
        cached: false,
        strike: &|cluster| {
            let primary = cluster.set.primary();
            cluster.set.kill(primary);
            primary
        },
        meanwhile: Meanwhile::Service,
        mend: &|cluster, primary| cluster.set.start_member(primary),
    });
}

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn a_paused_primary_that_comes_back_loses_nothing() {
    trial::make(&Fault {
        name: "primary paused (SIGSTOP) for longer than the election, then resumed",
        breaks_connections: false,
        cached: false,
        strike: &|cluster| {
            let primary = cluster.set.primary();
            cluster.set.signal(primary, Signal::STOP);
            primary
        },
        meanwhile: Meanwhile::Service,
        mend: &|cluster, primary| {
            assert_ne!(cluster.set.primary(), primary, "expected another primary to be elected");
            cluster.set.signal(primary, Signal::CONT);
        },
    });
}

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn a_primary_that_steps_down_loses_nothing() {
    trial::make(&Fault {
        name: "primary steps down (`replSetStepDown`)",
        breaks_connections: false,
        cached: false,
        strike: &|cluster| cluster.set.step_down(),
        meanwhile: Meanwhile::Service,
        mend: &|_, ()| {},
    });
}

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn a_primary_that_is_cut_off_loses_nothing() {
    trial::make(&Fault {
        name: "primary cut off from clients and members, then healed",
        breaks_connections: false,
        cached: false,
        strike: &|cluster| {
            let primary = cluster.set.primary();
            cluster.set.cut(primary);
            primary
        },
        meanwhile: Meanwhile::Service,
        mend: &|cluster, primary| {
            assert_ne!(cluster.set.primary(), primary, "expected another primary to be elected");
            cluster.set.heal(primary);
        },
    });
}

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn caches_are_correct_while_a_primary_steps_down() {
    trial::make(&Fault {
        name: "primary steps down, with `cache.movies`",
        breaks_connections: false,
        cached: true,
        strike: &|cluster| cluster.set.step_down(),
        meanwhile: Meanwhile::Service,
        mend: &|_, ()| {},
    });
}

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn caches_are_correct_while_a_primary_is_cut_off() {
    trial::make(&Fault {
        name: "primary cut off, then healed, with `cache.movies`",
        breaks_connections: false,
        cached: true,
        strike: &|cluster| {
            let primary = cluster.set.primary();
            cluster.set.cut(primary);
            primary
        },
        meanwhile: Meanwhile::Service,
        mend: &|cluster, primary| cluster.set.heal(primary),
    });
}

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn a_killed_secondary_hardly_affects_clients() {
    trial::make(&Fault {
        name: "a secondary killed (SIGKILL), started again later",
        breaks_connections: false,
        cached: false,
        strike: &|cluster| {
            let secondary = cluster.set.secondaries()[0];
            cluster.set.kill(secondary);
            secondary
        },
        meanwhile: Meanwhile::Service,
        mend: &|cluster, secondary| cluster.set.start_member(secondary),
    });
}

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn without_a_majority_every_write_is_refused_until_there_is_one() {
    trial::make(&Fault {
        name: "two of three killed; then one comes back",
        breaks_connections: false,
        cached: false,
        strike: &|cluster| {
            let secondaries = cluster.set.secondaries();
            for secondary in &secondaries {
                cluster.set.kill(*secondary);
            }
            secondaries
        },
        meanwhile: Meanwhile::Refusals,
        mend: &|cluster, secondaries| {
            let back = Instant::now();
            cluster.set.start_member(secondaries[0]);
            cluster.set.primary();
            // Restore the third member only after the two have sufficed.
            std::thread::sleep((ELECTION_TIMEOUT * 2).saturating_sub(back.elapsed()));
            cluster.set.start_member(secondaries[1]);
        },
    });
}

#[test]
#[ignore = "half a minute: .ci/run has a step for it"]
fn killed_servers_have_lost_nothing_after_a_restart() {
    trial::make(&Fault {
        name: "both servers killed (SIGKILL), started again at once",
        breaks_connections: true,
        cached: false,
        strike: &|cluster| {
            for server in 0..SERVERS {
                cluster.kill_server(server);
            }
            for server in 0..SERVERS {
                cluster.start_server(server);
            }
        },
        meanwhile: Meanwhile::Service,
        mend: &|_, ()| {},
    });
}

#[test]
#[ignore = "more than a minute: .ci/run has a step for it"]
fn a_deletion_whose_server_is_killed_is_finished_by_the_other() {
    let mut cluster = Cluster::start(3);
    let load = Load::start(&cluster, USUAL, true);
    let mut times = Vec::new();
    for run in 0..trial::repeats() {
        let name = format!("leaver{run}");
        let leaver = Leaver::arrive(&cluster, &name, 6_000);
        let leaving = leaver.leave(&cluster, &load.client, 0);
        cluster.kill_server(0);
        let (killed, left) = (Instant::now(), leaver.left(&cluster));
        assert!(left > 0, "expected the kill to interrupt the deletion");
        // Nobody restarts the first server. The other one looks for unfinished deletions every minute.
        crate::process::eventually_within(
            Duration::from_mins(3),
            "the other server has finished the deletion",
            || leaver.left(&cluster) == 0,
        );
        times.push((left, killed.elapsed()));
        cluster.start_server(0);
        leaver.assert_gone(&cluster, &name);
        assert!([202, 204, 401].contains(&cluster.runtime.block_on(leaving).unwrap()));
    }
    let outcome = load.finish(&cluster);
    println!(
        "| a server killed in the middle of a deletion | movies left, and gone after: {times:.1?} | lost: 0 |"
    );
    println!("    {outcome:?}");
}
