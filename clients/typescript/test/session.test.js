// Tokens: kept, renewed once for all who need them, and forgotten.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, createSession, isProblem } from "movie-bag";
import { PASSWORD, base, newEmail, newcomer, storage, until } from "./support.js";

/** A fetch that counts the requests to one path. */
function counting(path) {
  const counted = { count: 0 };
  counted.fetch = (url, init) => {
    if (String(url).endsWith(path)) counted.count += 1;
    return fetch(url, init);
  };
  return counted;
}

const me = (client) => client.request("GET", "/api/users/me");
const EXPIRED = { expires_at: 0 };

test("an expired token is renewed once, however many requests need it", async () => {
  const kept = storage();
  const refresh = counting("/api/auth/refresh");
  const { client, email } = await newcomer({ fetch: refresh.fetch }, { storage: kept });
  kept.change(EXPIRED);
  const answers = await Promise.all(Array.from({ length: 10 }, () => me(client)));
  assert.deepEqual(new Set(answers.map((user) => user.email)), new Set([email]));
  assert.equal(refresh.count, 1);
});

test("two clients of one storage share the refresh, as tabs do", async () => {
  const kept = storage();
  const refresh = counting("/api/auth/refresh");
  const { client } = await newcomer({ fetch: refresh.fetch }, { storage: kept });
  const other = createClient({ baseUrl: base, fetch: refresh.fetch });
  createSession(other, { storage: kept });
  kept.change(EXPIRED);
  await Promise.all([me(client), me(other), me(client), me(other)]);
  assert.equal(refresh.count, 1);
});

test("a token that the server refuses is renewed, and the request is sent again", async () => {
  const kept = storage();
  const { client, movies } = await newcomer({}, { storage: kept });
  kept.change({ token: "not.a.token" });
  assert.ok((await me(client)).id);
  kept.change({ token: "not.a.token" });
  const added = await movies.add({ name: `Renewed ${process.pid}`, casts: [], genres: ["Drama"] });
  assert.equal(added.version, 1);
});

test("a caller that no longer waits does not end the refresh of the others", async () => {
  const kept = storage();
  const stop = new AbortController();
  let go;
  const gate = new Promise((resolve) => (go = resolve));
  const slow = async (url, init) => {
    if (!String(url).endsWith("/api/auth/refresh")) return fetch(url, init);
    stop.abort(new Error("enough"));
    await gate;
    return fetch(url, init);
  };
  const { client } = await newcomer({ fetch: slow }, { storage: kept });
  kept.change(EXPIRED);
  const impatient = client.request("GET", "/api/users/me", { signal: stop.signal });
  const patient = me(client);
  await assert.rejects(impatient, /enough/);
  go();
  assert.ok((await patient).id);
});

test("a refresh whose answer was lost logs nobody out", async () => {
  const kept = storage();
  let lost = 0;
  const losing = async (url, init) => {
    const answer = await fetch(url, init);
    if (!String(url).endsWith("/api/auth/refresh") || lost > 0) return answer;
    lost += 1;
    await answer.arrayBuffer();
    throw new TypeError("fetch failed");
  };
  const { client } = await newcomer({ fetch: losing }, { storage: kept });
  kept.change(EXPIRED);
  assert.ok((await me(client)).id);
  assert.equal(lost, 1);
});

test("a session that was ended elsewhere is forgotten, and listeners hear of it", async () => {
  const kept = storage();
  const { client, session, email } = await newcomer({}, { storage: kept });
  const elsewhere = createClient({ baseUrl: base });
  const other = createSession(elsewhere, { key: "elsewhere" });
  await other.logIn({ email, password: PASSWORD });
  const heard = [];
  const end = session.onChange((isLoggedIn) => heard.push(isLoggedIn));
  await elsewhere.request("POST", "/api/auth/logout-all");

  assert.equal(await session.isLoggedIn(), true);
  await assert.rejects(me(client), (error) => isProblem(error, "invalid-refresh-token") && error.status === 401);
  assert.equal(await session.isLoggedIn(), false);
  assert.equal(kept.items.size, 0);
  await until(() => heard.includes(false), "no listener was called");
  await assert.rejects(me(client), (error) => isProblem(error, "missing-token"));
  end();
});

test("a server that cannot be reached ends no session", async () => {
  const kept = storage();
  let isOffline = false;
  let tries = 0;
  const flaky = async (url, init) => {
    if (!isOffline) return fetch(url, init);
    tries += 1;
    throw new TypeError("fetch failed");
  };
  const { client, session } = await newcomer({ fetch: flaky, retries: 0 }, { storage: kept });
  kept.change(EXPIRED);
  isOffline = true;
  const asked = await Promise.allSettled([me(client), me(client), me(client)]);
  for (const { reason } of asked) assert.ok(isProblem(reason, "unreachable"));
  assert.equal(tries, 1);
  assert.equal(await session.isLoggedIn(), true);
  isOffline = false;
  assert.ok((await me(client)).id);
});

test("logging out ends the session on the server, and here in any case", async () => {
  const kept = storage();
  const { client, session, email } = await newcomer({}, { storage: kept });
  const { token } = JSON.parse([...kept.items.values()][0]);
  await session.logOut();
  assert.equal(kept.items.size, 0);
  const script = createClient({ baseUrl: base, token });
  await assert.rejects(me(script), (error) => isProblem(error, "revoked-token"));
  await session.logOut();

  await session.logIn({ email, password: PASSWORD, name: "a test" });
  const { items } = await client.request("GET", "/api/users/me/sessions");
  assert.deepEqual(items.map(({ name, current }) => ({ name, current })), [{ name: "a test", current: true }]);
});

test("a storage may be asynchronous", async () => {
  const kept = storage();
  const later = (call) => async (...args) => {
    await new Promise(setImmediate);
    return call(...args);
  };
  const slow = Object.fromEntries(["getItem", "setItem", "removeItem"].map((name) => [name, later(kept[name])]));
  const { client, session } = await newcomer({}, { storage: slow });
  kept.change(EXPIRED);
  assert.ok((await me(client)).id);
  await session.logOut();
  assert.equal(await session.isLoggedIn(), false);
});

test("a personal access token needs no session", async () => {
  const { client, email } = await newcomer();
  const { token } = await client.request("POST", "/api/users/me/tokens", {
    body: { current_password: PASSWORD, name: "a test", scopes: ["account:read"] },
  });
  const script = createClient({ baseUrl: base, token });
  assert.equal((await me(script)).email, email);
  await assert.rejects(
    script.request("GET", "/api/users/me/sessions"),
    (error) => isProblem(error, "insufficient-scope"),
  );
});

test("wrong credentials are a problem and no session", async () => {
  const session = createSession(createClient({ baseUrl: base }));
  const credentials = { email: newEmail(), password: PASSWORD };
  await assert.rejects(session.logIn(credentials), (error) => isProblem(error, "bad-credentials"));
  assert.equal(await session.isLoggedIn(), false);
});
