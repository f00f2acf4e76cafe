// The data provider for react-admin, as docs/guide/clients.md has it: compiled, and asked what react-admin asks.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { BROWSER, blocks, compile } from "./compiling.js";
import { env, newMovie, newcomer } from "./support.js";

const page = await readFile(path.join(env("REPOSITORY"), "docs/guide/clients.md"), "utf8");
const [code, ...others] = blocks(page, "ts data-provider");
assert.deepEqual(others, []);
const folder = await compile("toolkit", BROWSER, { "provider.ts": code });
const { movieDataProvider } = await import(pathToFileURL(path.join(folder, "provider.js")));

async function somebody() {
  const { client, movies, user } = await newcomer();
  return { provider: movieDataProvider(client), movies, user };
}

const listed = (page, added_by, perPage = 2) => ({
  pagination: { page, perPage },
  sort: { field: "year", order: "ASC" },
  filter: { added_by },
});

test("pages by their numbers, forwards, backwards and in one leap", async () => {
  const { provider, user } = await somebody();
  const all = [];
  for (let year = 1991; year <= 1995; year++) {
    all.push((await provider.create("movies", { data: newMovie({ year }) })).data);
  }
  const names = ({ data }) => data.map(({ name }) => name);
  const expected = (from, to) => all.slice(from, to).map(({ name }) => name);
  const leap = await provider.getList("movies", listed(3, user.id));
  assert.deepEqual(names(leap), expected(4, 5));
  assert.deepEqual([leap.total, leap.pageInfo], [5, { hasNextPage: false, hasPreviousPage: true }]);
  assert.deepEqual(names(await provider.getList("movies", listed(2, user.id))), expected(2, 4));
  const first = await provider.getList("movies", listed(1, user.id));
  assert.deepEqual(names(first), expected(0, 2));
  assert.deepEqual([first.total, first.pageInfo], [5, { hasNextPage: true, hasPreviousPage: false }]);
  assert.deepEqual((await provider.getList("movies", listed(9, user.id))).data, []);

  const { filter, ...list } = listed(1, user.id, 10);
  const reference = await provider.getManyReference("movies", { ...list, target: "added_by", id: filter.added_by });
  assert.equal(reference.total, 5);
  const { data } = await provider.getMany("movies", { ids: [all[0].id, "0".repeat(24), all[2].id] });
  assert.deepEqual(data, [all[0], all[2]]);
});

test("a form that is out of date overwrites nothing", async () => {
  const { provider, movies } = await somebody();
  const { data: previousData } = await provider.create("movies", { data: newMovie() });
  const { id } = previousData;
  await movies.patch(id, { runtime: 90 });
  const stale = { status: 412, code: "precondition-failed" };
  await assert.rejects(provider.update("movies", { id, data: { runtime: 80 }, previousData }), stale);
  await assert.rejects(provider.delete("movies", { id, previousData }), stale);
  const { data } = await provider.getOne("movies", { id });
  assert.equal(data.runtime, 90);
  const saved = await provider.update("movies", { id, data: { ...data, runtime: 80 }, previousData: data });
  assert.equal(saved.data.version, 3);
  await provider.updateMany("movies", { ids: [id], data: { year: 1995 } });
  assert.deepEqual(await provider.deleteMany("movies", { ids: [id] }), { data: [id] });
  await assert.rejects(provider.getOne("movies", { id }), { status: 404 });
});

test("broken fields come as react-admin's forms want them", async () => {
  const { provider } = await somebody();
  const error = await provider.create("movies", { data: newMovie({ genres: [], year: 3000 }) }).catch((error) => error);
  assert.equal(error.status, 422);
  assert.deepEqual(Object.keys(error.body.errors).sort(), ["genres", "year"]);
});
