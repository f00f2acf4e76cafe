"""Two real servers on one database, with nginx and deploy/nginx.conf in front of them: .ci/proxy runs its checks on these."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

repository = pathlib.Path(__file__).resolve().parent.parent
NAME = "movies.example.com"
# How many seconds to wait for something that should happen at once, since a machine may be busy.
PATIENCE = 30


def free_port():
    """A port that nobody listens on. Systems give outgoing connections ports from 32768 on, and could take such a one
    before its server starts."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def until(what, condition, limit=PATIENCE):
    """Waits until `condition` returns something true, and returns that."""
    end = time.monotonic() + limit
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s in vain for {what}")
        time.sleep(0.05)


def whole_lines(path):
    """The lines of a log, without one that is still being written."""
    return path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]


def stopped(process, name):
    """Tells the process to stop, and kills it if it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise AssertionError(f"{name} did not stop within 60 s of TERM") from None
    assert code == 0, f"{name} ended with exit code {code}"


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def problem(self):
        """Checks that this is a problem document with all our members, and returns its code."""
        kind = self.headers.get("content-type")
        assert kind == "application/problem+json", f"{self.status} is {kind}, not a problem document"
        found = self.json()
        assert found["status"] == self.status and found["type"] == f"/problems/{found['code']}", found
        assert {"title", "detail", "instance"} < found.keys(), found
        assert found["request_id"] == self.headers["x-request-id"], f"the request id is not that of {self.headers}"
        return found["code"]


class Connection(http.client.HTTPSConnection):
    """A connection to nginx from an address of our choice: all of 127.0.0.0/8 is this machine."""

    def __init__(self, stack, source):
        super().__init__(NAME, stack.tls_port, timeout=PATIENCE, context=stack.trust)
        self.source = source

    def connect(self):
        raw = socket.create_connection(("127.0.0.1", self.port), self.timeout, (self.source, 0))
        self.sock = self._context.wrap_socket(raw, server_hostname=NAME)

    def ask(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.request(method, path, body, headers)
        return Answer(self.getresponse())


class Stream:
    """A stream of events that a thread reads. `text` is what has arrived so far."""

    def __init__(self, stack, source="127.0.0.1", headers=None):
        self.connection = Connection(stack, source)
        self.connection.timeout = 120
        self.connection.request("GET", "/api/movies/events", headers=headers or {})
        self.response = self.connection.getresponse()
        self.opened, self.text, self.ended = time.monotonic(), "", None
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            while piece := self.response.read1(65536):
                self.text += piece.decode()
        self.ended = time.monotonic()

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.sock.shutdown(socket.SHUT_RDWR)


class Server:
    def __init__(self, stack, name, environment):
        self.stack, self.name, self.port, self.process = stack, name, free_port(), None
        self.address = f"127.0.0.1:{self.port}"
        self.log_path = stack.work / f"{name}.log"
        self.environment = {**stack.environment, **environment, "ROCKET_PORT": str(self.port)}

    def start(self):
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [self.stack.binary], cwd=self.stack.work, env=self.environment, stdout=log, stderr=log
            )
        # The first start on a machine may have to fetch the database.
        until(f"a {self.name} server that is ready", self.is_ready, limit=180)

    def is_ready(self):
        assert self.process.poll() is None, f"the {self.name} server did not start"
        try:
            return self.ask("GET", "/health/ready").status == 200
        except OSError:
            return False

    def ask(self, method, path, body=None, headers=None):
        """Asks the server directly, without nginx."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        kind = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None, {**kind, **(headers or {})})
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    def log(self):
        return [json.loads(line) for line in whole_lines(self.log_path) if line.startswith("{")]

    def stop(self):
        process, self.process = self.process, None
        if process:
            stopped(process, f"the {self.name} server")


class Stack:
    def __init__(self, binary, changes):
        self.binary, self.work = binary, pathlib.Path(tempfile.mkdtemp())
        self.nginx, self.changes = None, changes
        self.password = secrets.token_urlsafe(24)
        self.http_port, self.tls_port = free_port(), free_port()
        ours = ("MOVIE_BAG_", "ROCKET_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment |= {
            "ROCKET_ADDRESS": "127.0.0.1",
            "ROCKET_IP_HEADER": "X-Real-IP",
            "MOVIE_BAG_LOG__FORMAT": "json",
            "MOVIE_BAG_PASSWORD__BCRYPT_COST": "10",
            "MOVIE_BAG_JWT__SECRET": secrets.token_urlsafe(48),
        }
        self.first = Server(self, "first", {"MOVIE_BAG_DATA_DIR": str(self.work / "data")})
        self.second = Server(self, "second", {})
        self.servers = [self.first, self.second]

    def start(self):
        self.first.start()
        self.second.environment["MOVIE_BAG_MONGODB__URI"] = (self.work / "data/mongod.serving").read_text()
        self.second.start()
        self.start_nginx()

    def start_nginx(self):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
        command += ["-keyout", self.work / "key.pem", "-out", self.work / "certificate.pem"]
        subprocess.run(command, check=True, capture_output=True)
        self.trust = ssl.create_default_context(cafile=self.work / "certificate.pem")
        self.configure()
        run = ["nginx", "-p", self.work, "-e", self.work / "error.log", "-c", self.work / "nginx.conf"]
        tried = subprocess.run([*run, "-t"], capture_output=True, text=True)
        assert tried.returncode == 0, f"nginx does not take deploy/nginx.conf: {tried.stderr}"
        self.nginx = subprocess.Popen(run, stderr=subprocess.DEVNULL)
        until("an nginx that listens", self.listens)

    def listens(self):
        assert self.nginx.poll() is None, f"nginx did not start: {(self.work / 'error.log').read_text()}"
        with contextlib.suppress(ConnectionError):
            return self.ask("GET", "/health/live").status == 200

    def configure(self):
        """Writes the repository's configuration, and changes only what a test must change."""
        text = (repository / "deploy/nginx.conf").read_text(encoding="utf-8")
        replacements = {
            "127.0.0.1:8001": self.first.address,
            "127.0.0.1:8002": self.second.address,
            "listen 80;": f"listen 127.0.0.1:{self.http_port};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.tls_port} ssl http2;",
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            f"/etc/letsencrypt/live/{NAME}/fullchain.pem": f"{self.work}/certificate.pem",
            f"/etc/letsencrypt/live/{NAME}/privkey.pem": f"{self.work}/key.pem",
            "/var/log/nginx/movie-bag.log": f"{self.work}/access.log",
            # Shorter, since the test would take minutes otherwise. 25 s are still more than the 15 s after which the
            # server sends something.
            "proxy_read_timeout 60s;": "proxy_read_timeout 25s;",
            "proxy_read_timeout 35s;": "proxy_read_timeout 8s;",
            "client_header_timeout 10s;": "client_header_timeout 2s;",
            "client_body_timeout 10s;": "client_body_timeout 2s;",
            **self.changes,
        }
        for old, new in replacements.items():
            assert old in text, f"deploy/nginx.conf has no {old!r}: update the test"
            text = text.replace(old, new)
        (self.work / "movie-bag.conf").write_text(text, encoding="utf-8")
        folders = "".join(
            f"    {kind}_temp_path {self.work}/temp-{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        user = "user root;\n" if os.geteuid() == 0 else ""
        (self.work / "nginx.conf").write_text(
            f"{user}daemon off;\npid {self.work}/nginx.pid;\nevents {{ worker_connections 1024; }}\n"
            f"http {{\n    include /etc/nginx/mime.types;\n{folders}    include {self.work}/movie-bag.conf;\n}}\n",
            encoding="utf-8",
        )

    def ask(self, method, path, body=None, headers=None, source="127.0.0.1"):
        """Asks through nginx, on a connection of its own."""
        connection = Connection(self, source)
        try:
            return connection.ask(method, path, body, headers)
        except OSError as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def access_log(self, request_id):
        """The line of a request in nginx's log. nginx writes it when the request has ended."""
        lines = whole_lines(self.work / "access.log")
        found = [line for line in map(json.loads, lines) if line["request_id"] == request_id]
        return found[0] if found else None

    def server_line(self, request_id):
        """The line of a request in the log of the server that has it."""
        for server in self.servers:
            for line in server.log():
                if line.get("message") == "request" and line.get("request_id") == request_id:
                    return line
        return None

    def user(self, name):
        """The header of a new user's token."""
        who = {"email": f"{name}@example.com", "password": self.password}
        assert self.ask("POST", "/api/auth/signup", who).status == 201
        token = self.ask("POST", "/api/auth/login", who).json()["token"]
        return {"Authorization": f"Bearer {token}"}

    def tail(self):
        for name in ("first.log", "second.log", "error.log"):
            path = self.work / name
            if path.exists():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
                shown = [line for line in lines if not re.search(r'"message":"(request|audit)"', line)][-10:]
                yield from (f"{name}: {line}" for line in shown)

    def close(self):
        """Ends everything that was started, nginx first. Raises an error if something did not end without one."""
        wrong = []
        for end in (self.stop_nginx, self.second.stop, self.first.stop):
            try:
                end()
            except AssertionError as error:
                wrong.append(str(error))
        shutil.rmtree(self.work, ignore_errors=True)
        assert not wrong, "; ".join(wrong)

    def stop_nginx(self):
        process, self.nginx = self.nginx, None
        if process:
            stopped(process, "nginx")
