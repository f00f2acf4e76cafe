// How much of the package an app carries, minified and gzipped. Fails beyond the limit that README.md names.

import { build } from "esbuild";
import { gzipSync } from "node:zlib";

const LIMIT = 8 * 1024;

const parts = {
  everything: 'export * from "./dist/index.js"',
  "reading and problems": 'export { createClient, createMovies, isProblem } from "./dist/index.js"',
  "requests and problems": 'export { createClient, isProblem } from "./dist/index.js"',
};

const sizes = {};
for (const [name, contents] of Object.entries(parts)) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: "." },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  sizes[name] = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  console.log(`${String(sizes[name]).padStart(6)} bytes  ${name}`);
}

if (sizes.everything > LIMIT) {
  console.error(`The package has ${sizes.everything} bytes; the limit is ${LIMIT}.`);
  process.exitCode = 1;
}
// What is not imported is left out: a module that does something when it is loaded would be in all three.
if (sizes["requests and problems"] > sizes.everything / 2) {
  console.error("The package is not tree-shakeable any more.");
  process.exitCode = 1;
}
