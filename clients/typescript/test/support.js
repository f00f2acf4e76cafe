// What the tests share. They run in a fresh folder, in which the packed package is installed: see .ci/clients.

import assert from "node:assert/strict";
import http from "node:http";
import { createClient, createMovies, createSession } from "movie-bag";

export const env = (name) => process.env[name] ?? assert.fail(`${name} is not set: run .ci/clients`);

export const base = env("BASE_URL");
export const PASSWORD = "plum-cake-at-noon";

let people = 0;
export const newEmail = () => `client-${process.pid}-${++people}@example.com`;

let names = 0;
/** A movie of a name that no other test has. */
export const newMovie = (more = {}) => ({
  name: `The Package ${process.pid}-${++names}`,
  casts: [],
  genres: ["Drama"],
  ...more,
});

/** Somebody who has just signed up. */
export async function newcomer(options = {}, sessionOptions = {}) {
  const client = createClient({ baseUrl: base, ...options });
  const session = createSession(client, sessionOptions);
  const email = newEmail();
  const user = await session.signUp({ email, password: PASSWORD });
  return { client, session, movies: createMovies(client), user, email };
}

export async function collect(items) {
  const all = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Waits until `look` answers something; says what it answered last if that takes a minute. */
export async function until(look, what) {
  const end = Date.now() + 60_000;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) assert.fail(`${what}: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * What the server's own document says that it does. Safe repeats came after the first version of this package: where the
 * server does not have them, the tests of the two together are skipped, and say so.
 */
const { paths } = await (await fetch(`${base}/api/openapi.json`)).json();
const keyed = paths["/api/movies"].post.parameters?.some(({ name }) => name === "Idempotency-Key");
export const withoutKeys = keyed ? false : "this server has no Idempotency-Key yet";

/** A storage as `localStorage`, with what is in it. */
export function storage() {
  const items = new Map();
  return {
    items,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
    /** Changes the tokens that are kept. */
    change(change) {
      const [[key, text]] = items;
      items.set(key, JSON.stringify({ ...JSON.parse(text), ...change }));
    },
  };
}

/** A fetch that answers from a list, and notes what it was asked. */
export function answering(...answers) {
  const asked = [];
  const fetch = async (url, init) => {
    asked.push({ url, ...init, headers: Object.fromEntries(init.headers) });
    const answer = answers[Math.min(asked.length, answers.length) - 1];
    if (answer instanceof Error) throw answer;
    const { status = 200, headers = {}, body } = answer;
    return new Response(body === undefined ? null : JSON.stringify(body), {
      status,
      headers: { "Content-Type": status < 400 ? "application/json" : "application/problem+json", ...headers },
    });
  };
  return { fetch, asked };
}

export const problem = (status, code, headers) => ({ status, headers, body: { status, code, detail: `It is ${code}.` } });

/**
 * A proxy before the server. `after` is called once the server has answered: if it says "cut", the client's connection
 * ends without an answer.
 */
export async function proxy(t, after = () => {}) {
  const sockets = new Set();
  const passed = [];
  const server = http.createServer((request, response) => {
    const onwards = http.request(base + request.url, { method: request.method, headers: request.headers }, (answer) => {
      passed.push(request);
      if (after(request, answer) === "cut") return answer.resume().on("end", () => request.socket.destroy());
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    response.on("close", () => onwards.destroy());
    onwards.on("error", () => response.destroy());
    request.pipe(onwards);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cutAll = () => sockets.forEach((socket) => socket.destroy());
  t.after(() => {
    server.close();
    cutAll();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, passed, cutAll };
}
