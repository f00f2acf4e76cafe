# Short names for the commands that work on Movie Bag needs. `just` lists them; https://just.systems says how to get it.

[private]
default:
    @{{ just_executable() }} --list --unsorted

# Run the server, with an embedded MongoDB. Other commands follow: just run export
run *arguments:
    cargo run --locked -- {{ arguments }}

# Make an account, print a link to choose its password, and import the demo films for it
demo email="demo@example.com":
    cargo run --locked -- user add {{ email }}
    cargo run --locked -- import demo/films.ndjson.gz --as {{ email }}

# Run the tests that every change must pass, or those that match: just test --test api editors
test *arguments:
    cargo test --locked {{ arguments }}

# Format all Rust code
format:
    cargo fmt

# Check format, lints and documentation, as .ci/run does first
lint:
    cargo fmt --check
    cargo clippy --all-targets --features otlp --locked -- -D warnings
    cargo clippy --locked -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --lib --no-deps --document-private-items --locked

# Run everything that must hold before a push: half an hour and more
ci:
    .ci/run

# Make the documentation of the code, with private items, and open it
doc:
    cargo doc --lib --no-deps --document-private-items --locked --open

# Renew docs/openapi.json and the TypeScript package's types, after a change of the API
openapi:
    cargo test --locked --no-run
    target/debug/movie-bag openapi > docs/openapi.json
    cd clients/typescript && npm ci --silent && npm run --silent types

# Kill, pause and cut off the members of a replica set under two servers: some minutes
faults:
    cargo test --locked --test cli -- --ignored
    cargo test --locked --test reliability -- --ignored --test-threads=2 --nocapture --skip many_minutes

# Run two servers under faults for so many minutes
soak minutes="20":
    MOVIE_BAG_TEST_SOAK_MINUTES={{ minutes }} cargo test --locked --test reliability -- --ignored --nocapture many_minutes

# Run one of the checks against the binary: postman, openapi, browser, clients, proxy
check name:
    cargo test --locked --no-run
    .ci/{{ name }} target/debug/movie-bag

# Compare Movie Bag with plain axum: some minutes. Options follow: just bench --peers axum,express
bench *arguments="--connections 64 --rounds 3 --only read,page,create,update --peers axum":
    bench/run.py {{ arguments }}

# Measure how long each kind of request takes, on a server that runs
latency url="http://127.0.0.1:8000":
    cargo run --locked --release --example bench -- latency {{ url }}

# Build the image and run compose.yaml with podman: as root on Debian
containers:
    .ci/containers
