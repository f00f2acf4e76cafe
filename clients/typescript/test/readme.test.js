// README.md is true: its snippets compile, and what is not for browsers alone runs. So do the types of the package refuse
// what the API refuses.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { BROWSER, NODE, blocks, compile, here, package_ } from "./compiling.js";
import { base } from "./support.js";

test("the tour of README.md runs against the server", async () => {
  const readme = await readFile(path.join(package_, "README.md"), "utf8");
  const tour = blocks(readme, "ts").join("\n");
  const program = tour
    .replace("https://movies.example.com", base)
    .replace("ann@example.com", `ann-${process.pid}@example.com`)
    .replace(/"(Heat|Ronin)"/g, `"$1 ${process.pid}"`);
  const folder = await compile("tour", NODE, { "tour.ts": program });
  const { status, stdout, stderr } = spawnSync(process.execPath, ["tour.js"], {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(status, 0, stdout + stderr);
  for (const words of [
    /^Welcome, ann-\d+@example\.com$/m,
    /^It is there already\.$/m,
    /^Somebody made it 170 minutes\.$/m,
    /^\[ 'Crime', 'Drama', 'Thriller' \]$/m,
    /^created Ronin \d+$/m,
    /^ann-\d+@example\.com has 2 movies$/m,
  ]) {
    assert.match(stdout, words);
  }
});

test("the snippets for browsers compile", async () => {
  const readme = await readFile(path.join(package_, "README.md"), "utf8");
  const snippets = blocks(readme, "ts browser");
  assert.ok(snippets.length >= 2);
  await compile("snippets", BROWSER, Object.fromEntries(snippets.map((code, at) => [`snippet-${at}.ts`, code])));
});

test("what the API refuses does not compile, in Node.js and in browsers", async () => {
  const program = await readFile(path.join(here, "refused.ts"), "utf8");
  // Here nothing in the package's own types may be wrong either.
  const skipLibCheck = false;
  await compile("refused-node", { ...NODE, skipLibCheck }, { "refused.ts": program });
  await compile("refused-browser", { ...BROWSER, skipLibCheck }, { "refused.ts": program });
});

test("the package is what the folder says", async () => {
  const { files, version } = JSON.parse(await readFile(path.join(package_, "package.json"), "utf8"));
  const installed = JSON.parse(await readFile(path.join(here, "node_modules/movie-bag/package.json"), "utf8"));
  assert.equal(installed.version, version);
  assert.equal(installed.dependencies, undefined);
  assert.deepEqual(files, ["dist"]);
  const text = await readFile(path.join(package_, "README.md"), "utf8");
  assert.ok(text.includes(`movie-bag-${version}.tgz`), "README.md names another version");
});
