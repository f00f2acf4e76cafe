// The copy of the catalogue, against the real server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, createMovies, memoryStore } from "movie-bag";
import { base, collect, newMovie, newcomer, proxy, until } from "./support.js";

/** The movies of one user, as a store has them and as the server has them. Other tests change the catalogue meanwhile. */
const ofUser = ({ id }, movies) =>
  [...movies].filter(({ added_by }) => added_by === id).sort((a, b) => (a.id < b.id ? -1 : 1));
const onServer = async (movies, user) => ofUser(user, await collect(movies.list({ added_by: user.id })));

test("a first copy, and then only what has changed", async () => {
  const { movies, user } = await newcomer();
  const [kept, changed, gone] = [
    await movies.add(newMovie()),
    await movies.add(newMovie()),
    await movies.add(newMovie()),
  ];
  const store = memoryStore();
  const steps = await collect(movies.changes(store));
  assert.equal(steps[0].clear, true);
  assert.deepEqual(ofUser(user, store.movies.values()), ofUser(user, [kept, changed, gone]));

  await movies.patch(changed, { runtime: 90 });
  await movies.patch(changed.id, { runtime: 91 });
  await movies.remove(gone);
  await movies.remove(await movies.add(newMovie()));
  const more = await movies.add(newMovie());
  const next = await collect(movies.changes(store));
  assert.ok(next.every(({ clear }) => !clear));
  assert.deepEqual(ofUser(user, store.movies.values()), await onServer(movies, user));
  const put = next.flatMap(({ put }) => put).map(({ id }) => id);
  assert.ok(put.includes(more.id) && !put.includes(kept.id));
});

test("nothing that changes during the first copy is lost", async () => {
  const { movies, user } = await newcomer();
  const first = await movies.add(newMovie());
  const store = memoryStore();
  let touched = false;
  for await (const _ of movies.changes(store)) {
    if (touched) continue;
    touched = true;
    await movies.patch(first, { runtime: 90 });
    await movies.add(newMovie());
  }
  assert.deepEqual(ofUser(user, store.movies.values()), await onServer(movies, user));
});

test("an interrupted copy resumes where it was", async () => {
  const { movies, user } = await newcomer();
  // More than a page of the list, so that there is something left.
  await Promise.all(Array.from({ length: 101 }, () => movies.add(newMovie())));
  const store = memoryStore();
  for await (const step of movies.changes(store)) {
    assert.equal(step.clear, true);
    break;
  }
  assert.equal(store.movies.size, 100);
  const rest = await collect(movies.changes(store));
  assert.ok(rest.length >= 1 && rest.every(({ clear }) => !clear));
  assert.deepEqual(ofUser(user, store.movies.values()), await onServer(movies, user));
});

test("a copy that is too old begins anew, and keeps nothing that is gone", async () => {
  const { movies, user } = await newcomer();
  await movies.add(newMovie());
  const old = JSON.stringify({ cursor: "8200000001000000012B0229296E04", after: null });
  const ghost = { id: "0".repeat(24), name: "Ghost" };
  for (const state of [old, JSON.stringify({ cursor: "of another server", after: null })]) {
    const store = memoryStore();
    await store.apply({ from: undefined, to: state, clear: false, put: [ghost], remove: [] });
    const [first] = await collect(movies.changes(store));
    assert.equal(first.clear, true);
    assert.ok(!store.movies.has(ghost.id));
    assert.deepEqual(ofUser(user, store.movies.values()), await onServer(movies, user));
  }
});

test("live changes arrive in the store, also after the connection was cut", async (t) => {
  const { movies, user } = await newcomer();
  const { url, cutAll } = await proxy(t);
  const through = createMovies(createClient({ baseUrl: url }));
  const store = memoryStore();
  const stop = new AbortController();
  const end = new Error("the end");
  const syncing = collect(through.changes(store, { live: true, signal: stop.signal }));
  syncing.catch(() => {});

  const added = await movies.add(newMovie());
  await until(() => store.movies.has(added.id), "the movie did not arrive");
  cutAll();
  // Too long for an event.
  const long = await movies.patch(added, { casts: Array.from({ length: 200 }, (_, i) => `${i} ${"long ".repeat(30)}`) });
  await until(() => store.movies.get(added.id).version === 2, "the change did not arrive");
  assert.deepEqual(store.movies.get(added.id), long);
  await movies.remove(long);
  await until(() => !store.movies.has(added.id), "the movie was not removed");
  assert.deepEqual(ofUser(user, store.movies.values()), []);
  stop.abort(end);
  await assert.rejects(syncing, end);
});

test("a server that cannot be reached is waited for with live, and a problem without", async () => {
  let isOffline = true;
  const flaky = (url, init) => (isOffline ? Promise.reject(new TypeError("fetch failed")) : fetch(url, init));
  const movies = createMovies(createClient({ baseUrl: base, fetch: flaky, retries: 0 }));
  const store = memoryStore();
  await assert.rejects(collect(movies.changes(store)), { code: "unreachable" });
  const stop = new AbortController();
  const syncing = collect(movies.changes(store, { live: true, signal: stop.signal }));
  syncing.catch(() => {});
  const { movies: theirs } = await newcomer();
  const added = await theirs.add(newMovie());
  assert.equal(store.movies.size, 0);
  isOffline = false;
  await until(() => store.movies.has(added.id), "the movie did not arrive");
  stop.abort();
  await assert.rejects(syncing, { name: "AbortError" });
});

test("two who write to one store do not undo each other's steps", async () => {
  const { movies, user } = await newcomer();
  const store = memoryStore();
  // One of the two is slow, so that the other is ahead of it.
  let turn = 0;
  const slow = {
    state: store.state,
    apply: async (step) => {
      if (turn++ % 2) await new Promise((resolve) => setTimeout(resolve, 20));
      return store.apply(step);
    },
  };
  const stop = new AbortController();
  const both = [slow, store].map((one) => collect(movies.changes(one, { live: true, signal: stop.signal })));
  both.forEach((one) => one.catch(() => {}));
  const genres = Array.from({ length: 20 }, (_, i) => `Genre ${i}`);
  const first = await movies.add(newMovie());
  for (const genre of genres) await movies.edit(first.id, (movie) => ({ genres: [...movie.genres, genre] }));
  await until(() => store.movies.get(first.id)?.version === 21, "the last version did not arrive");
  stop.abort();
  await Promise.allSettled(both);
  assert.deepEqual(ofUser(user, store.movies.values()), await onServer(movies, user));
  await collect(movies.changes(store));
  assert.equal(store.movies.get(first.id).version, 21);
});
