// The script in examples/script, on the installed package.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { PASSWORD, base, collect, env, newMovie, newcomer } from "./support.js";

test("the script adds the movies of a file, and leaves alone what is there already", async () => {
  const { client, movies, user } = await newcomer();
  const { token } = await client.request("POST", "/api/users/me/tokens", {
    body: { current_password: PASSWORD, name: "a script", scopes: ["movies:write"] },
  });
  await copyFile(path.join(env("REPOSITORY"), "examples/script/add-films.js"), "add-films.js");
  const films = [newMovie({ year: 1995 }), newMovie()];
  await writeFile("films.ndjson", [...films, newMovie({ year: "1995" })].map((film) => JSON.stringify(film)).join("\n"));
  const run = () =>
    spawnSync(process.execPath, ["add-films.js", "films.ndjson"], {
      encoding: "utf8",
      timeout: 60_000,
      env: { ...process.env, MOVIE_BAG_URL: base, MOVIE_BAG_TOKEN: token },
    });

  const first = run();
  assert.equal(first.status, 0, first.stderr);
  assert.equal(first.stdout, "2 added, 0 there already, 1 refused\n");
  assert.match(first.stderr, /^line 3: year must/);
  assert.equal(run().stdout, "0 added, 2 there already, 1 refused\n");
  const added = await collect(movies.list({ added_by: user.id, fields: ["name"] }));
  assert.deepEqual(added.map(({ name }) => name).sort(), films.map(({ name }) => name).sort());
});
