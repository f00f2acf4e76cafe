// Fails when src/openapi.ts is not what comes of docs/openapi.json. Another document can be named.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const folder = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const document = path.resolve(process.argv[2] ?? path.join(folder, "../../docs/openapi.json"));
const work = mkdtempSync(path.join(tmpdir(), "movie-bag-types-"));
try {
  const fresh = path.join(work, "openapi.ts");
  const program = path.join(folder, "node_modules/.bin/openapi-typescript");
  const { status, stdout, stderr } = spawnSync(program, [document, "--output", fresh], { encoding: "utf8" });
  if (status !== 0) throw new Error(`no types come of ${document}: ${stdout}${stderr}`);
  const [expected, actual] = [fresh, path.join(folder, "src/openapi.ts")].map((file) => readFileSync(file, "utf8").split("\n"));
  const line = expected.findIndex((text, index) => text !== actual[index]);
  if (line >= 0 || expected.length !== actual.length) {
    const at = line < 0 ? expected.length : line;
    console.error(`src/openapi.ts is stale from line ${at + 1} on: npm run types`);
    console.error(`  has:       ${actual[at] ?? "(its end)"}\n  should be: ${expected[at] ?? "(its end)"}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(work, { recursive: true });
}
