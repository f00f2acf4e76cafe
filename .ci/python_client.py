"""Generates the Python client as docs/guide/clients.md says, and runs the program that is there.

The arguments: the repository, the server's address, and a folder to work in.
"""

import re
import subprocess
import sys
from pathlib import Path

repository, url, work = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
page = (repository / "docs/guide/clients.md").read_text()
[program] = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
[command] = re.findall(r"^openapi-python-client (generate .*)$", page, re.M)

work.mkdir(parents=True)
arguments = command.replace("docs/openapi.json", str(repository / "docs/openapi.json")).split()
generated = subprocess.run(
    [sys.executable, "-m", "openapi_python_client", *arguments], cwd=work, capture_output=True, text=True
)
if generated.returncode != 0:
    sys.exit(f"no client can be generated:\n{generated.stdout}{generated.stderr}")
sys.path.insert(0, str(work))

from movie_bag import AuthenticatedClient, Client  # noqa: E402
from movie_bag.api.auth import log_in, sign_up  # noqa: E402
from movie_bag.api.movies import add_movie  # noqa: E402
from movie_bag.models import Login, MovieInput, Signup  # noqa: E402

anyone = Client(url)
credentials = {"email": "python@example.com", "password": "plum-cake-at-noon"}
user = sign_up.sync(client=anyone, body=Signup(**credentials))
token = log_in.sync(client=anyone, body=Login(**credentials)).token
caller = AuthenticatedClient(url, token=token)
body = MovieInput(name="Hestia in Python", casts=[], genres=["Drama"])
added = add_movie.sync(client=caller, body=body)
assert added.added_by == user.id, added
again = add_movie.sync_detailed(client=caller, body=body)
assert again.status_code == 409, again
assert again.parsed.code == "duplicate-movie", again.parsed

program = program.replace("http://127.0.0.1:8000", url).replace('prefix="he"', 'prefix="hestia"')
lines = subprocess.run([sys.executable, "-c", program], cwd=work, capture_output=True, text=True)
assert lines.returncode == 0, lines.stderr
assert lines.stdout == "['Hestia in Python']\n", lines.stdout
print("generated, signed up, added, and the five lines found it")
