// Snippets of the documents, compiled on the installed package.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { env } from "./support.js";

export const here = path.dirname(fileURLToPath(import.meta.url));
export const package_ = path.join(env("REPOSITORY"), "clients/typescript");

/** The blocks of code behind these words. */
export const blocks = (text, language) =>
  [...text.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].filter(([, words]) => words === language).map(([, , code]) => code);

const OPTIONS = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  target: "es2022",
  skipLibCheck: true,
};
export const NODE = { ...OPTIONS, module: "nodenext", lib: ["es2022"], types: ["node"] };
export const BROWSER = { ...OPTIONS, module: "es2022", moduleResolution: "bundler", lib: ["es2022", "dom"], types: [] };

/** A folder with these files, compiled beside their sources. */
export async function compile(name, compilerOptions, files) {
  const folder = path.join(here, name);
  await mkdir(folder, { recursive: true });
  const typeRoots = [path.join(package_, "node_modules/@types")];
  const config = { compilerOptions: { ...compilerOptions, typeRoots }, include: ["*.ts"] };
  await writeFile(path.join(folder, "tsconfig.json"), JSON.stringify(config));
  await writeFile(path.join(folder, "package.json"), '{ "type": "module" }');
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(folder, file), text);
  const compiler = path.join(package_, "node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [compiler, "--project", folder], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
  return folder;
}
