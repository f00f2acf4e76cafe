"""The loads: the requests that wrk sends, and how its results are read."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

from servers import PASSWORD, call, cpu_seconds, resident_mb

SCRIPTS = pathlib.Path(__file__).resolve().parent / "wrk"
# For each load, a description, and the goal as a ratio to plain axum, if there is one.
LOADS = {
    "read": ("GET by id", 3.5),
    "page": ("page of 20", 2.0),
    "genre": ("page by genre, of ten", 2.5),
    "year": ("page by year, of a hundred", None),
    "walk": ("page by cursor, of five hundred", 2.0),
    "create": ("POST", 2.5),
    "update": ("PUT with another actor", 1.5),
    "mixed": ("80 % read, 15 % page, 3 % PUT, 2 % POST", None),
    "login": ("login", None),
}
PAGES = 500
SET_BY_THE_SERVER = ("id", "added_by", "created_at", "updated_at", "version")


class Loads:
    """The data that the scripts need: some movies, and the tokens of two accounts."""

    def __init__(self, servers, folder, owner, owner_token, writer_token):
        base = servers[0].base
        self.movies = folder / "movies.tsv"
        movies = sample(base, owner_token)
        if len(movies) < 1_000:
            sys.exit(f"{owner} has too few movies in this folder: see README.md")
        self.movies.write_text("".join(f"{movie}\t{as_json(body)}\n" for movie, body in movies), encoding="utf-8")
        # Each movie with one of several actors, so that one PUT after another changes it.
        self.changes = folder / "changes.tsv"
        self.changes.write_text("".join(
            f"{movie}\t{as_json({**body, 'casts': [f'Understudy {number}', *body['casts'][1:]]})}\n"
            for movie, body in movies for number in range(5)), encoding="utf-8")
        self.owner, self.owner_token, self.writer_token = owner, owner_token, writer_token
        self.runs = 0
        # Each server has its own cursors.
        self.walks = {server.name: folder / f"walk-{number}" for number, server in enumerate(servers)}
        for server in servers:
            self.walks[server.name].write_text("\n".join(walk(server.base)))

    def start(self, server, load, connections, seconds):
        self.runs += 1
        arguments = {
            "read": [self.movies],
            "page": [],
            "genre": [],
            "year": [],
            "walk": [self.walks[server.name]],
            "create": [self.movies, self.writer_token, f"run {self.runs}"],
            "update": [self.changes, self.owner_token],
            "mixed": [self.movies, self.owner_token, self.writer_token, f"run {self.runs}"],
            "login": [self.owner, PASSWORD],
        }[load]
        script = tempfile.NamedTemporaryFile("w", suffix=".lua")
        script.write((SCRIPTS / f"{load}.lua").read_text() + (SCRIPTS / "report.lua").read_text())
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", script.name,
                   server.base, "--", *map(str, arguments)]
        return script, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, server, mongod, load, connections, seconds):
        """One run, with the CPU seconds per second of the server and the database, and the server's memory after it."""
        # Wait here, so that this run does not count leftovers of the previous load, for example cancelled commands.
        call(server.base, "GET", "/api/movies?limit=1")
        pids = server.pids()
        before = cpu_seconds(pids), cpu_seconds([mongod])
        result = finish(*self.start(server, load, connections, seconds))
        length = result["microseconds"] / 1e6
        result["cpu"] = (cpu_seconds(pids) - before[0]) / length
        result["mongod_cpu"] = (cpu_seconds([mongod]) - before[1]) / length
        result["resident"] = resident_mb(pids)
        return result


def finish(script, process):
    output = process.communicate()[0]
    script.close()
    found = re.search(r"RESULT (\{.*\})", output)
    if not found:
        sys.exit(f"wrk failed: {output}")
    result = json.loads(found[1])
    result["rate"] = (result["requests"] - result["failed"]) / (result["microseconds"] / 1e6)
    return result


def sample(base, token):
    """Movies of this account from all over the catalogue, each with its id and its body."""
    movies = []
    for year in range(1925, 2025):
        page = json.loads(call(base, "GET", f"/api/users/me/movies?limit=20&year={year}", token=token))
        for movie in page["items"]:
            body = {key: value for key, value in movie.items() if key not in SET_BY_THE_SERVER}
            movies.append((movie["id"], body))
    return movies


def as_json(body):
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def walk(base):
    """The addresses of the first pages of the catalogue, but for the first page itself."""
    paths, after = [], json.loads(call(base, "GET", "/api/movies?limit=20"))["next"]
    while after and len(paths) < PAGES:
        paths.append(f"/api/movies?limit=20&after={urllib.parse.quote(after)}")
        after = json.loads(call(base, "GET", paths[-1]))["next"]
    return paths
