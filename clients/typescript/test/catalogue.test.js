// The catalogue, against the real server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, createMovies, isProblem } from "movie-bag";
import { base, collect, newMovie, newcomer, proxy, until, withoutKeys } from "./support.js";

test("a movie is added, read, replaced, changed and removed", async () => {
  const { movies, user } = await newcomer();
  const added = await movies.add(newMovie({ year: 1995 }));
  assert.equal(added.added_by, user.id);
  assert.deepEqual(await movies.get(added.id), added);
  // What was read can be sent back.
  const replaced = await movies.replace(added, { ...added, runtime: 170 });
  assert.equal(replaced.version, 2);
  const patched = await movies.patch(replaced, { year: null });
  assert.equal(patched.year, undefined);
  await movies.remove(patched);
  await assert.rejects(movies.get(added.id), (error) => isProblem(error, "movie-not-found") && error.status === 404);
});

test("a problem has its code, its fields and its request id", async () => {
  const { movies } = await newcomer();
  const error = await movies.add({ name: " ", genres: [], casts: [] }).catch((error) => error);
  assert.ok(isProblem(error, "validation-failed"));
  assert.ok(!isProblem(error, "duplicate-movie"));
  assert.deepEqual(error.errors.map(({ field }) => field).sort(), ["genres", "name"]);
  assert.match(error.requestId, /\S/);
  const stranger = createMovies(createClient({ baseUrl: base }));
  await assert.rejects(stranger.add(newMovie()), (error) => isProblem(error, "missing-token"));
});

test("a list is walked to its end, page by page", async () => {
  const { movies, user } = await newcomer();
  const added = [];
  for (let i = 0; i < 5; i++) added.push(await movies.add(newMovie()));
  const query = { added_by: user.id, sort: "created_at", limit: 2 };
  const walked = await collect(movies.list(query));
  assert.deepEqual(walked, added);

  const page = await movies.page({ ...query, fields: ["version"], count: true });
  assert.deepEqual(page.items, added.slice(0, 2).map(({ id, version }) => ({ id, version })));
  assert.equal(page.total, 5);
  const next = await movies.page({ ...query, after: page.next });
  assert.deepEqual(next.items, added.slice(2, 4));
});

test("walk goes through any list with the caller's token", async () => {
  const { client, movies } = await newcomer();
  const added = [await movies.add(newMovie()), await movies.add(newMovie())];
  const mine = client.walk("/api/users/me/movies", { query: { limit: 1, sort: "created_at" } });
  assert.deepEqual(await collect(mine), added);
});

test("suggestions and facets", async () => {
  const { movies, user } = await newcomer();
  const added = await movies.add(newMovie({ name: `Zymurgy ${process.pid}`, year: 1995, genres: ["Western"] }));
  const found = await movies.suggest("zymurg", { limit: 5 });
  assert.ok(found.some(({ id }) => id === added.id));
  const { genres, decades } = await movies.facets({ added_by: user.id });
  assert.deepEqual([genres, decades], [[{ value: "Western", count: 1 }], [{ value: 1990, count: 1 }]]);
});

test("the second of two who changed the same version is refused, and edit joins them", async () => {
  const { movies } = await newcomer();
  const first = await movies.add(newMovie());
  await movies.patch(first, { runtime: 100 });
  await assert.rejects(movies.patch(first, { runtime: 90 }), (error) => isProblem(error, "precondition-failed"));
  await assert.rejects(movies.remove(first), (error) => isProblem(error, "precondition-failed"));
  assert.equal((await movies.get(first.id)).runtime, 100);

  const genres = ["A", "B", "C", "D"];
  const add = (genre) => movies.edit(first, (movie) => ({ genres: [...movie.genres, genre] }));
  await Promise.all(genres.map(add));
  const joined = await movies.get(first.id);
  assert.deepEqual([...joined.genres].sort(), ["A", "B", "C", "D", "Drama"]);
  assert.equal(joined.runtime, 100);
  assert.deepEqual(await movies.edit(first.id, () => undefined), joined);
});

test("a movie whose answer was lost is added once", { skip: withoutKeys }, async (t) => {
  const { client, user } = await newcomer();
  let lost = 0;
  const { url } = await proxy(t, ({ method }) => (method === "POST" && ++lost <= 2 ? "cut" : undefined));
  const movies = createMovies(Object.assign(createClient({ baseUrl: url }), { auth: client.auth }));
  const added = await movies.add(newMovie());
  assert.equal(lost, 3);
  assert.deepEqual(await collect(movies.list({ added_by: user.id })), [added]);
});

test("a key that is kept answers as the first time, also after a change", { skip: withoutKeys }, async () => {
  const { movies } = await newcomer();
  const movie = newMovie();
  const added = await movies.add(movie, { idempotencyKey: "kept" });
  await movies.patch(added, { runtime: 90 });
  assert.deepEqual(await movies.add(movie, { idempotencyKey: "kept" }), added);
  const other = movies.add(newMovie(), { idempotencyKey: "kept" });
  await assert.rejects(other, (error) => isProblem(error, "idempotency-key-reused"));
});

test("a stream of events resumes where it was cut and misses nothing", async (t) => {
  const { movies, user } = await newcomer();
  const { url, passed, cutAll } = await proxy(t);
  const through = createMovies(createClient({ baseUrl: url }));
  let opened = 0;
  const heard = [];
  const stop = new AbortController();
  const listening = (async () => {
    for await (const event of through.events({ signal: stop.signal, onOpen: () => opened++ })) {
      if (event.movie?.added_by === user.id) heard.push(event);
    }
  })();
  listening.catch(() => {});

  await until(() => opened === 1, "the stream was not opened");
  const first = await movies.add(newMovie());
  await until(() => heard.length === 1, "the first one was not heard");
  cutAll();
  const second = await movies.add(newMovie());
  await until(() => heard.length === 2, "the second one was not heard");
  assert.ok(opened >= 2);
  assert.deepEqual(
    heard.map(({ type, id, version, movie }) => ({ type, id, version, movie })),
    [first, second].map((movie) => ({ type: "created", id: movie.id, version: 1, movie })),
  );
  assert.equal(passed.filter(({ url }) => url === "/api/movies/events").length, opened);

  // A cursor is good for a later stream, and a break ends it.
  for await (const event of movies.events({ since: heard[0].cursor })) {
    if (event.id === second.id) break;
  }
  const end = new Error("the end");
  stop.abort(end);
  await assert.rejects(listening, end);
});

test("a client that was away for too long gets a reset", async () => {
  const { movies } = await newcomer();
  for await (const event of movies.events({ since: "8200000001000000012B0229296E04" })) {
    assert.equal(event.type, "reset");
    assert.match(event.cursor, /^82/);
    break;
  }
  await assert.rejects(collect(movies.events({ since: "nonsense" })), (error) => isProblem(error, "bad-request"));
});
