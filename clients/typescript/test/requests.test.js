// Requests, their problems and their repetitions: against a server that answers from a list.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Problem, createClient, createMovies, isProblem } from "movie-bag";
import { answering, collect, newMovie, problem } from "./support.js";

const lost = () => new TypeError("fetch failed");
const movie = { id: "6561f0c2a3b4d5e6f7081920", version: 3, ...newMovie() };

function connect(...answers) {
  const { fetch, asked } = answering(...answers);
  const client = createClient({ baseUrl: "https://movies.example.com/", fetch, token: "mbp_token" });
  return { client, movies: createMovies(client), asked };
}

test("a create is sent again with the same key until the server answers", async () => {
  const late = { "Retry-After": "0" };
  const { movies, asked } = connect(
    lost(),
    problem(503, "database-unavailable", late),
    problem(409, "request-in-progress", late),
    { status: 201, body: movie },
  );
  assert.deepEqual(await movies.add(newMovie()), movie);
  assert.equal(asked.length, 4);
  const keys = new Set(asked.map(({ headers }) => headers["idempotency-key"]));
  assert.equal(keys.size, 1);
  assert.match([...keys][0], /^[0-9a-f]{32}$/);
  assert.equal(new Set(asked.map(({ body }) => body)).size, 1);
});

test("two creates have two keys, and a key that is handed in is sent", async () => {
  const { movies, asked } = connect({ status: 201, body: movie });
  await movies.add(newMovie());
  await movies.add(newMovie());
  await movies.add(newMovie(), { idempotencyKey: "draft-7" });
  const keys = asked.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[2], "draft-7");
});

test("a change is not repeated when it may have been done", async () => {
  for (const answer of [lost(), problem(503, "database-unavailable", { "Retry-After": "0" })]) {
    const { movies, asked } = connect(answer);
    await assert.rejects(movies.patch(movie, { year: 1996 }), (error) => isProblem(error));
    await assert.rejects(movies.remove(movie), (error) => isProblem(error));
    assert.equal(asked.length, 2);
  }
});

test("whatever was turned away with 429 is repeated after Retry-After", async () => {
  const { movies, asked } = connect(problem(429, "too-many-requests", { "Retry-After": "1" }), { body: movie });
  const before = Date.now();
  await movies.patch(movie, { year: 1996 });
  assert.equal(asked.length, 2);
  assert.ok(Date.now() - before >= 990);
});

test("a long wait is left to the caller", async () => {
  const { movies, asked } = connect(problem(429, "too-many-requests", { "Retry-After": "3600" }));
  const error = await movies.patch(movie, { year: 1996 }).catch((error) => error);
  assert.ok(isProblem(error, "too-many-requests"));
  assert.equal(error.retryAfter, 3600);
  assert.equal(asked.length, 1);
});

test("Retry-After may be a date", async () => {
  const date = new Date(Date.now() + 3_600_000).toUTCString();
  const { movies } = connect(problem(429, "too-many-requests", { "Retry-After": date }));
  const error = await movies.get(movie.id).catch((error) => error);
  assert.ok(error.retryAfter > 3590 && error.retryAfter <= 3600, String(error.retryAfter));
});

test("reading gives up after three repetitions", async () => {
  const { movies, asked } = connect(problem(503, "database-unavailable", { "Retry-After": "0" }));
  await assert.rejects(movies.get(movie.id), (error) => isProblem(error, "database-unavailable"));
  assert.equal(asked.length, 4);
});

test("a change sends the version that was read, an id sends none", async () => {
  const { movies, asked } = connect({ body: movie });
  await movies.patch(movie, {});
  await movies.replace(movie, movie);
  await movies.remove(movie);
  await movies.patch(movie.id, {});
  assert.deepEqual(
    asked.map(({ headers }) => headers["if-match"]),
    ['"3"', '"3"', '"3"', undefined],
  );
});

test("edit looks again at most five times", async () => {
  const { fetch, asked } = answering({});
  const client = createClient({
    baseUrl: "https://movies.example.com",
    fetch: async (url, init) => {
      await fetch(url, init);
      const body = init.method === "GET" ? movie : problem(412, "precondition-failed").body;
      return new Response(JSON.stringify(body), {
        status: init.method === "GET" ? 200 : 412,
        headers: { "Content-Type": "application/problem+json" },
      });
    },
  });
  await assert.rejects(createMovies(client).edit(movie, () => ({})), (error) => isProblem(error, "precondition-failed"));
  assert.equal(asked.filter(({ method }) => method === "PATCH").length, 6);
});

test("an answer from elsewhere is a problem of its own", async () => {
  const html = () => new Response("<h1>Welcome to the hotel</h1>", { headers: { "Content-Type": "text/html" } });
  const bad = () => new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "Content-Type": "text/html" } });
  for (const [answer, status] of [[html, 200], [bad, 502]]) {
    const client = createClient({ baseUrl: "https://movies.example.com", fetch: async () => answer(), retries: 0 });
    const error = await createMovies(client).get(movie.id).catch((error) => error);
    assert.ok(isProblem(error, "unexpected-answer"), String(error));
    assert.equal(error.status, status);
  }
});

test("no answer is the problem unreachable, with the cause", async () => {
  const client = createClient({ baseUrl: "http://127.0.0.1:9", retries: 0 });
  const error = await createMovies(client).get(movie.id).catch((error) => error);
  assert.ok(isProblem(error, "unreachable"));
  assert.ok(error instanceof Problem && error instanceof Error);
  assert.ok(error.cause instanceof TypeError);
});

test("a signal ends a request, a wait and a walk, with its reason", async () => {
  const reason = new Error("enough");
  const stop = new AbortController();
  const hanging = createClient({
    baseUrl: "https://movies.example.com",
    fetch: (_, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  });
  const request = createMovies(hanging).get(movie.id, { signal: stop.signal });
  const { movies, asked } = connect(problem(429, "too-many-requests", { "Retry-After": "9" }));
  const wait = movies.get(movie.id, { signal: stop.signal });
  setTimeout(() => stop.abort(reason), 50);
  await assert.rejects(request, reason);
  await assert.rejects(wait, reason);
  assert.equal(asked.length, 1);
  await assert.rejects(collect(movies.list({}, { signal: stop.signal })), reason);
  await assert.rejects(collect(movies.events({ signal: stop.signal })), reason);
});

test("parameters are escaped, lists are repeated, and what is unset is left out", async () => {
  const { client, asked } = connect({ body: { items: [], next: null } });
  await client.request("GET", "/api/movies/{id}", { path: { id: "a/b?$&" }, query: {} });
  await client.request("GET", "/api/movies", { query: { q: "a&b", genre: ["Drama", "War"], year: undefined } });
  assert.deepEqual(
    asked.map(({ url }) => url),
    [
      "https://movies.example.com/api/movies/a%2Fb%3F%24%26",
      "https://movies.example.com/api/movies?q=a%26b&genre=Drama&genre=War",
    ],
  );
});

test("public routes are read without a token", async () => {
  const { movies, asked } = connect({ body: { items: [], next: null } });
  await movies.page();
  await movies.get(movie.id);
  await movies.suggest("he");
  await movies.facets();
  assert.deepEqual(asked.filter(({ headers }) => headers.authorization), []);
  await movies.remove(movie);
  assert.equal(asked.at(-1).headers.authorization, "Bearer mbp_token");
});
