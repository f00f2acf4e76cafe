#   docker build -t movie-bag .
#
# The image contains no mongod: name a MongoDB by MOVIE_BAG_MONGODB__URI, and set MOVIE_BAG_JWT__SECRET (see compose.yaml).
# `.ci/containers` builds it and runs it; docs/operate/containers.md says with what.

# Cargo.toml says which Rust is the oldest that works; Cargo.lock fixes everything else.
FROM rust:1-bookworm AS dependencies
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# Builds the crates we depend on, for an empty program: this layer stays until one of these two files changes.
# Cargo compares times of files, so nothing of the empty program may remain.
RUN mkdir src && touch src/lib.rs && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked \
    && cargo clean --release --locked --package movie-bag && rm -r src

FROM dependencies AS build
# .dockerignore says what this is.
COPY . .
# Without .git the build cannot find out which commit it is of:
#
#   docker build --build-arg BUILD_COMMIT=$(git rev-parse HEAD) -t movie-bag .
ARG BUILD_COMMIT=
RUN BUILD_COMMIT=$BUILD_COMMIT cargo build --release --locked

FROM debian:bookworm-slim
# Whom to trust when mail goes out over TLS.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/movie-bag --create-home movie-bag
COPY --from=build /src/target/release/movie-bag /usr/local/bin/movie-bag
USER movie-bag
# A Rocket.toml or .env that is mounted here is read; the defaults are in the binary.
WORKDIR /var/lib/movie-bag
ENV ROCKET_ADDRESS=0.0.0.0
EXPOSE 8000
# bash opens the connection itself: no curl in the image. 200 means that the database answers too.
HEALTHCHECK --interval=10s --timeout=5s --start-period=40s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${ROCKET_PORT:-8000} && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
# TERM, to which the server listens also as the first process of the container, is what Docker sends.
ENTRYPOINT ["movie-bag"]
CMD ["serve"]
