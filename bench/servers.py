"""The servers under test, and what the system reports about their processes."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PASSWORD = "gnu yak emu"


class Server:
    """A process that serves the routes of the benchmark."""

    def __init__(self, name, command, port, log, environment=None):
        self.name, self.base = name, f"http://127.0.0.1:{port}"
        began = time.monotonic()
        self.process = subprocess.Popen(
            [str(part) for part in command], env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        while True:
            try:
                call(self.base, "GET", "/api/movies?limit=1")
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > began + 120:
                    sys.exit(f"{name} does not answer; see its log")
                time.sleep(0.02)
        self.seconds_to_ready = time.monotonic() - began

    def pids(self):
        """The process and its children, without those of the database."""
        parents = {pid: int(stat(pid)[1]) for pid in processes() if stat(pid)}
        found = [self.process.pid]
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        return [pid for pid in found if program(pid) not in ("mongod", "mongod-keeper")]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


def processes():
    return [int(process.name) for process in pathlib.Path("/proc").glob("[0-9]*")]


def stat(pid):
    """The fields of /proc/PID/stat from the state on; empty if the process has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    except OSError:
        return []


def program(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def mongod_of(folder):
    """The process id of the mongod whose files are in this folder."""
    for pid in processes():
        if program(pid) == "mongod" and str(folder) in pathlib.Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    sys.exit(f"no mongod on {folder}")


def cpu_seconds(pids):
    return sum(int(ticks) for pid in pids for ticks in stat(pid)[11:13]) / TICKS_PER_SECOND


def resident_mb(pids):
    status = [pathlib.Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in status) / 1024


def call(base, method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"} if body is not None else {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=600) as answer:
        return answer.read()


def token_of(base, email):
    """The token of this account, which is signed up first if it does not exist."""
    credentials = {"email": email, "password": PASSWORD}
    try:
        call(base, "POST", "/api/auth/signup", credentials)
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise
    return json.loads(call(base, "POST", "/api/auth/login", credentials))["token"]
