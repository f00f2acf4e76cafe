#!/usr/bin/env python3
"""Measures Movie Bag against peers on one database: interleaved rounds, medians, ratios. See README.md."""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from loads import LOADS, Loads, finish
from servers import PASSWORD, Server, call, mongod_of, token_of

BENCH = pathlib.Path(__file__).resolve().parent
ROOT = BENCH.parent
SECRET = "the secret of the benchmark, 32 bytes and more"
OWNER, WRITER = "owner@example.com", "writer@example.com"
OURS, PEER = "movie-bag", "axum"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(LOADS), help="loads, separated by commas")
    parser.add_argument("--peers", default="axum,express", help="any of axum, express")
    parser.add_argument("--connections", default="1,8,64,256")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="length of each run")
    parser.add_argument("--data", type=pathlib.Path, help="a data folder to keep and reuse")
    parser.add_argument("--port", type=int, default=18_000)
    parser.add_argument("--cache", type=int, default=0, help="also measure Movie Bag with this value of cache.movies")
    parser.add_argument("--output", type=pathlib.Path, help="where to write every run, as JSON")
    return parser.parse_args()


def build(peers):
    release = ["cargo", "build", "--release", "--locked"]
    subprocess.run(release, cwd=ROOT, check=True)
    if "axum" in peers:
        subprocess.run([*release, "--manifest-path", BENCH / "axum" / "Cargo.toml"], cwd=ROOT, check=True)
    if "express" in peers:
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=BENCH / "express", check=True)


def target(manifest):
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--manifest-path", manifest]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return pathlib.Path(json.loads(found)["target_directory"]) / "release"


def environment(data, port, more=None):
    return {
        "ROCKET_PORT": str(port), "ROCKET_PROFILE": "release", "MOVIE_BAG_DATA_DIR": str(data),
        "MOVIE_BAG_JWT__SECRET": SECRET, "MOVIE_BAG_THROTTLE__ENABLED": "false", **(more or {}),
    }


def fill(ours, data, base):
    """Imports the demo films, unless there are movies already."""
    token_of(base, OWNER)
    if json.loads(call(base, "GET", "/api/movies?limit=1"))["items"]:
        return
    films = ROOT / "demo" / "films.ndjson.gz"
    subprocess.run([ours, "import", films, "--as", OWNER], env={**os.environ, **environment(data, 0)}, check=True)


def start(options, folder, log, servers):
    """Starts all servers, on the mongod of the first one. Adds each one to `servers` at once: a later one may fail."""
    ours = target(ROOT / "Cargo.toml") / "movie-bag"
    data = (options.data or folder / "data").absolute()
    servers.append(Server(OURS, [ours], options.port, log, environment(data, options.port)))
    fill(ours, data, servers[0].base)
    uri = (data / "mongod.serving").read_text()
    peers = options.peers.split(",")
    if options.cache:
        port = options.port + 1
        more = {"MOVIE_BAG_MONGODB__URI": uri, "MOVIE_BAG_CACHE__MOVIES": str(options.cache)}
        servers.append(Server(f"{OURS}, cache", [ours], port, log, environment(data, port, more)))
    if "axum" in peers:
        program = target(BENCH / "axum" / "Cargo.toml") / "plain-axum"
        port = options.port + 2
        servers.append(Server("axum", [program, f"127.0.0.1:{port}", uri, "movie_bag", SECRET], port, log))
    if "express" in peers:
        port = options.port + 3
        program = ["node", BENCH / "express" / "server.js", port, uri, "movie_bag", SECRET]
        servers.append(Server("express", program, port, log))
    return mongod_of(data)


def same_bytes(servers, loads):
    """Stops if the peers' answers differ, because then they do different work."""
    first = loads.movies.read_text().split("\t", 1)[0]
    paths = [[path] * len(servers) for path in (
        f"/api/movies/{first}", "/api/movies?limit=20", "/api/movies?limit=20&genre=Drama",
        "/api/movies?limit=20&year=1999")]
    # The last page of each walk: a server that had missed a movie would give another one.
    paths.append([loads.walks[server.name].read_text().splitlines()[-1] for server in servers])
    for each in paths:
        answers = [json.loads(call(server.base, "GET", path)) for server, path in zip(servers, each)]
        for server, answer in zip(servers, answers):
            # Ignore cursors: each server has its own format.
            answer.pop("next", None)
            if answer != answers[0]:
                sys.exit(f"{server.name} gives a different answer to {each[0]}")


def total(base):
    return json.loads(call(base, "GET", "/api/movies?limit=1&count=true"))["total"]


def measure(options, servers, mongod, loads):
    runs, before = [], total(servers[0].base)
    for load in options.only.split(","):
        for connections in map(int, options.connections.split(",")):
            if load == "login" and connections > 8:
                # Each hash takes a core some tenths of a second, so a short run of more connections would say
                # nothing.
                continue
            for turn in range(options.rounds):
                # Rotate the order, and reverse it in every other round, so that no server always follows the same
                # one.
                order = servers[turn % len(servers):] + servers[:turn % len(servers)]
                for server in order if turn % 2 == 0 else reversed(order):
                    if load == "login" and server.name == "express":
                        continue
                    run = loads.run(server, mongod, load, connections, options.seconds)
                    runs.append({"load": load, "connections": connections, "server": server.name, **run})
                    print(f"{load} {connections} {server.name}: {run['rate']:.0f}/s p50 {run['p50']:.2f} "
                          f"p99 {run['p99']:.2f} ms, failed {run['failed']}", file=sys.stderr)
            if load in ("create", "mixed"):
                # Deleting the account deletes the movies that it added.
                call(servers[0].base, "DELETE", "/api/users/me", token=loads.writer_token)
                while total(servers[0].base) > before:
                    time.sleep(1)
                loads.writer_token = token_of(servers[0].base, WRITER)
    return runs


def storm(options, servers, loads):
    """Measures readers alone, and then beside clients that log in without a pause."""
    runs = []
    for turn in range(options.rounds):
        for server in servers if turn % 2 == 0 else reversed(servers):
            if server.name == "express":
                continue
            calm = finish(*loads.start(server, "read", 64, options.seconds))
            logins = loads.start(server, "login", 16, options.seconds)
            readers = loads.start(server, "read", 64, options.seconds)
            readers, logins = finish(*readers), finish(*logins)
            # This login is answered only after the rest of the storm is hashed.
            call(server.base, "POST", "/api/auth/login", {"email": OWNER, "password": PASSWORD})
            runs.append({"server": server.name, "calm": calm, "readers": readers, "logins": logins})
    return runs


def table(runs, servers):
    names = [server.name for server in servers]
    print("| load | connections | server | requests/s | ratio to axum | goal | p50 ms | p99 ms | failed | CPU server "
          "| CPU mongod | MB |\n| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    keys = dict.fromkeys((run["load"], run["connections"]) for run in runs)
    for load, connections in keys:
        medians = {}
        for name in names:
            these = [run for run in runs if (run["load"], run["connections"], run["server"]) == (load, connections, name)]
            if these:
                fields = ("rate", "p50", "p99", "cpu", "mongod_cpu", "resident", "failed")
                medians[name] = {field: statistics.median(run[field] for run in these) for field in fields}
        for name, found in medians.items():
            ratio = ratios(runs, load, connections, name)
            goal = LOADS[load][1] if connections == 64 else 0.95 if connections == 1 and LOADS[load][1] else None
            print(f"| {LOADS[load][0]} | {connections} | {name} | {found['rate']:.0f} | {ratio} "
                  f"| {goal if goal and name == OURS else ''} | {found['p50']:.2f} | {found['p99']:.2f} | {found['failed']:.0f} "
                  f"| {found['cpu']:.2f} | {found['mongod_cpu']:.2f} | {found['resident']:.0f} |")


def ratios(runs, load, connections, name):
    """The median, the lowest and the highest of the rounds' ratios to the peer."""
    rates = {
        server: [run["rate"] for run in runs if (run["load"], run["connections"], run["server"]) == (load, connections, server)]
        for server in (name, PEER)
    }
    each = [own / peer for own, peer in zip(rates[name], rates[PEER]) if peer]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})" if each else "–"


def storm_table(runs):
    print("\n| server | readers/s calm | in the storm | kept | p99 ms calm | in the storm | logins/s |\n"
          "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name in dict.fromkeys(run["server"] for run in runs):
        these = [run for run in runs if run["server"] == name]
        median = lambda part, field: statistics.median(run[part][field] for run in these)
        kept = median("readers", "rate") / median("calm", "rate")
        print(f"| {name} | {median('calm', 'rate'):.0f} | {median('readers', 'rate'):.0f} | {kept:.0%} "
              f"| {median('calm', 'p99'):.1f} | {median('readers', 'p99'):.1f} | {median('logins', 'rate'):.1f} |")


def main():
    options = arguments()
    build(options.peers.split(","))
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as log:
        servers = []
        try:
            mongod = start(options, pathlib.Path(folder), log, servers)
            base = servers[0].base
            loads = Loads(servers, pathlib.Path(folder), OWNER, token_of(base, OWNER), token_of(base, WRITER))
            same_bytes(servers, loads)
            print(f"{total(base)} movies; {os.cpu_count()} cores for wrk, servers and mongod together; medians of "
                  f"{options.rounds} rounds of {options.seconds} s; start to ready {servers[0].seconds_to_ready:.2f} s\n")
            runs = measure(options, servers, mongod, loads)
            table(runs, servers)
            storms = storm(options, servers, loads) if "login" in options.only.split(",") else []
            if storms:
                storm_table(storms)
            if options.output:
                options.output.write_text(json.dumps({"runs": runs, "storms": storms}, indent=1))
        finally:
            for server in reversed(servers):
                server.stop()


if __name__ == "__main__":
    main()
