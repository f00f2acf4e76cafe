// Chromium, and a web server for pages that use the installed package.

import { readFile } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { env } from "./support.js";

const here = path.dirname(fileURLToPath(import.meta.url));
const { chromium } = createRequire(path.join(env("REPOSITORY"), "clients/typescript/package.json"))("playwright-core");

// Chromium's own sandbox needs rights that root in a container does not have; the pages are our own.
const browser = await chromium.launch({ executablePath: env("CHROMIUM"), args: ["--no-sandbox"] });

const TYPES = { ".js": "text/javascript", ".html": "text/html; charset=utf-8" };
const MODULES = "/node_modules/movie-bag/dist/";

/** A page with nothing but the package in it. */
const EMPTY = `<!doctype html><link rel="icon" href="data:,"><script type="importmap">
  { "imports": { "movie-bag": "${MODULES}index.js" } }
</script>`;

async function file(url) {
  const { pathname } = new URL(url, "http://localhost");
  if (pathname.startsWith(MODULES)) return readFile(path.join(here, path.normalize(pathname)));
  if (pathname === "/web-app/") return readFile(path.join(env("REPOSITORY"), "examples/web-app/index.html"));
  if (pathname.startsWith(`/web-app${MODULES}`)) return file(pathname.slice("/web-app".length));
  return pathname === "/empty/" ? EMPTY : null;
}

const server = http.createServer(async (request, response) => {
  const body = await file(request.url).catch(() => null);
  if (body === null) return response.writeHead(404).end();
  const type = TYPES[path.extname(request.url.split("?")[0])] ?? TYPES[".html"];
  response.writeHead(200, { "Content-Type": type }).end(body);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
after(async () => {
  await browser.close();
  server.closeAllConnections();
  server.close();
});

/** Where the pages are when they are not on the API's own server. */
export const elsewhere = `http://localhost:${server.address().port}`;

/**
 * A browser of one person. With `onServer` the pages are on the API's own server, as behind one reverse proxy. `complaints`
 * is what went wrong in them unseen.
 */
export async function person(t, { onServer } = {}) {
  const context = await browser.newContext();
  // Long: what is tested is what comes, not how soon on a busy machine.
  context.setDefaultTimeout(30_000);
  const complaints = [];
  context.on("page", (page) => {
    page.on("pageerror", (error) => complaints.push(error.stack));
    page.on("console", (message) => {
      const isStatus = message.text().startsWith("Failed to load resource");
      if (message.type() === "error" && !isStatus) complaints.push(message.text());
    });
  });
  if (onServer) {
    await context.route(
      (url) => url.origin === onServer && /^\/(web-app|empty|node_modules)\//.test(url.pathname),
      async (route) => {
        const url = route.request().url();
        const contentType = TYPES[path.extname(new URL(url).pathname)] ?? TYPES[".html"];
        await route.fulfill({ body: (await file(url)).toString(), contentType });
      },
    );
  }
  t.after(() => context.close());
  return { context, complaints };
}
