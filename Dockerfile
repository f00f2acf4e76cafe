#   docker build -t movie-bag .
#
# The image contains no mongod: set MOVIE_BAG_MONGODB__URI to a MongoDB, and set MOVIE_BAG_JWT__SECRET (see compose.yaml).
# `.ci/containers` builds and runs the image; docs/operate/containers.md says with what.

# Cargo.toml names the oldest Rust that works. Cargo.lock fixes everything else.
FROM rust:1-bookworm AS dependencies
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
# Builds our dependencies for an empty program. This layer stays valid until one of these two files changes.
# Cargo compares file times, so nothing of the empty program may remain.
RUN mkdir src && touch src/lib.rs && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked \
    && cargo clean --release --locked --package movie-bag && rm -r src

FROM dependencies AS build
# .dockerignore says what this copies.
COPY . .
# Without .git the build cannot find out which commit it is of:
#
#   docker build --build-arg BUILD_COMMIT=$(git rev-parse HEAD) -t movie-bag .
ARG BUILD_COMMIT=
RUN BUILD_COMMIT=$BUILD_COMMIT cargo build --release --locked

FROM debian:bookworm-slim
# The certificates to trust when the server sends mail over TLS.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/movie-bag --create-home movie-bag \
    && install --directory --mode 0700 --owner movie-bag --group movie-bag /var/lib/movie-bag/data
COPY --from=build /src/target/release/movie-bag /usr/local/bin/movie-bag
USER movie-bag
# The server reads a Rocket.toml or .env that is mounted here. The defaults are in the binary.
WORKDIR /var/lib/movie-bag
# `data_dir`, with the search index. The server can write to a volume even if the rest of the file system is read-only.
VOLUME /var/lib/movie-bag/data
ENV ROCKET_ADDRESS=0.0.0.0
EXPOSE 8000
# bash opens the connection itself, so the image needs no curl. 200 means that the database answers too.
HEALTHCHECK --interval=10s --timeout=5s --start-period=40s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${ROCKET_PORT:-8000} && printf 'GET /health/ready HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
# Docker stops a container with TERM. The server handles it even as the container's first process.
ENTRYPOINT ["movie-bag"]
CMD ["serve"]
