// The package in Chromium: several tabs with one session and one store, and the app of examples/web-app.

import assert from "node:assert/strict";
import { test } from "node:test";
import { elsewhere, person } from "./pages.js";
import { PASSWORD, base, newEmail, newMovie, newcomer, until, withoutKeys } from "./support.js";

const KEY = "movie-bag.session";

/** Tabs of one browser, each with a client whose tokens are in `localStorage`. */
async function tabs(context, count, api = base) {
  const pages = await Promise.all(Array.from({ length: count }, () => context.newPage()));
  for (const page of pages) {
    await page.goto(`${elsewhere}/empty/`);
    await page.evaluate(async (baseUrl) => {
      const bag = await import("movie-bag");
      const client = bag.createClient({ baseUrl });
      const session = bag.createSession(client, { storage: localStorage });
      Object.assign(window, { bag, client, session, movies: bag.createMovies(client), heard: [] });
      session.onChange((isLoggedIn) => window.heard.push(isLoggedIn));
    }, api);
  }
  return pages;
}

async function signUp(page) {
  const credentials = { email: newEmail(), password: PASSWORD };
  await page.evaluate((credentials) => session.signUp(credentials), credentials);
  return credentials.email;
}

const expire = (page) =>
  page.evaluate((key) => {
    const held = JSON.parse(localStorage.getItem(key));
    localStorage.setItem(key, JSON.stringify({ ...held, expires_at: 0 }));
  }, KEY);

const askAll = (pages) =>
  Promise.all(
    pages.map((page) =>
      page.evaluate(async () => {
        const users = await Promise.all([1, 2, 3].map(() => client.request("GET", "/api/users/me")));
        return users.map(({ email }) => email);
      }),
    ),
  );

function countRefreshes(context) {
  const counted = { refreshes: 0 };
  context.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/api/auth/refresh")) counted.refreshes += 1;
  });
  return counted;
}

test("tabs renew an expired token once", async (t) => {
  const { context, complaints } = await person(t);
  const pages = await tabs(context, 3);
  const email = await signUp(pages[0]);
  const counted = countRefreshes(context);
  await expire(pages[0]);
  assert.deepEqual(await askAll(pages), Array(3).fill(Array(3).fill(email)));
  assert.equal(counted.refreshes, 1);
  assert.deepEqual(complaints, []);
});

test("without Web Locks tabs stay logged in all the same", async (t) => {
  const { context, complaints } = await person(t);
  await context.addInitScript(() => Object.defineProperty(navigator, "locks", { value: undefined }));
  const pages = await tabs(context, 3);
  const email = await signUp(pages[0]);
  for (let round = 0; round < 3; round++) {
    await expire(pages[0]);
    assert.deepEqual(await askAll(pages), Array(3).fill(Array(3).fill(email)));
  }
  assert.deepEqual(complaints, []);
});

test("a login and a logout reach the other tabs", async (t) => {
  const { context, complaints } = await person(t);
  const [one, other] = await tabs(context, 2);
  await signUp(one);
  const heard = () => other.evaluate(() => window.heard);
  await until(async () => (await heard()).at(-1) === true, "the login was not heard");
  await one.evaluate(() => session.logOut());
  await until(async () => (await heard()).at(-1) === false, "the logout was not heard");
  assert.equal(await other.evaluate(() => session.isLoggedIn()), false);
  assert.deepEqual(complaints, []);
});

test("tabs that sync into one store end with what the server has", async (t) => {
  const { movies, user } = await newcomer();
  await movies.add(newMovie());
  const { context, complaints } = await person(t);
  const pages = await tabs(context, 2);
  for (const page of pages) {
    await page.evaluate(() => {
      window.store = bag.indexedDbStore();
      (async () => {
        for await (const _ of movies.changes(store, { live: true }));
      })();
    });
  }
  let last = await movies.add(newMovie());
  for (let runtime = 1; runtime <= 10; runtime++) last = await movies.patch(last, { runtime });
  const gone = await movies.add(newMovie());
  await movies.remove(gone);
  const versions = (page, id) => page.evaluate(async (id) => (await store.get(id))?.version, id);
  await until(async () => (await versions(pages[0], last.id)) === last.version, "the last version did not arrive");
  await until(async () => (await versions(pages[0], gone.id)) === undefined, "the movie was not removed");
  await pages[0].close();
  // What one tab has, the other has too, and so does a later visit.
  const [later] = await tabs(context, 1);
  const kept = await later.evaluate(async (id) => {
    const store = bag.indexedDbStore();
    for await (const _ of movies.changes(store));
    return (await store.all()).filter(({ added_by }) => added_by === id).map(({ name, version }) => [name, version]);
  }, user.id);
  const there = [];
  for await (const { name, version } of movies.list({ added_by: user.id })) there.push([name, version]);
  assert.deepEqual(kept.sort(), there.sort());
  assert.deepEqual(complaints, []);
});

/** One person's way through examples/web-app. */
async function tour(t, onServer, address) {
  const { context, complaints } = await person(t, { onServer });
  const page = await context.newPage();
  await page.goto(address);
  const email = newEmail();
  const unique = `${process.pid} ${email}`;
  const row = (page, name) => page.locator("li", { hasText: name });

  // Signs up.
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill("short");
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("alert").filter({ hasText: "password" }).waitFor();
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();

  // Adds, and the list shows it.
  const add = async (name) => {
    await page.getByLabel("Name").fill(name);
    await page.getByLabel("Year").fill("1995");
    await page.getByRole("button", { name: "Add" }).click();
  };
  await page.getByLabel("Find").fill(unique);
  await add(`Heat ${unique}`);
  await row(page, `Heat ${unique} (1995), Drama`).waitFor();
  await add(`Heat ${unique}`);
  await page.getByRole("alert").filter({ hasText: "already exists" }).waitFor();

  // Shows live what somebody else adds.
  const { movies: theirs } = await newcomer();
  const live = await theirs.add(newMovie({ name: `Live ${unique}` }));
  await row(page, live.name).waitFor();
  await theirs.remove(live);
  await row(page, live.name).waitFor({ state: "detached" });

  // Resolves a 412: another tab has changed the plot while this one was typing.
  const other = await context.newPage();
  await other.goto(address);
  await other.getByLabel("Find").fill(unique);
  await page.bringToFront();
  await row(page, "Heat").getByLabel("Plot").fill("Mine.");
  await row(other, "Heat").getByLabel("Plot").fill("Theirs.");
  await row(other, "Heat").getByRole("button", { name: "Save" }).click();
  await row(other, "— Theirs.").waitFor();
  await row(page, "Heat").getByRole("button", { name: "Save" }).click();
  await page.getByRole("dialog").getByText("Somebody else has changed the plot to: Theirs.").waitFor();
  await page.getByRole("button", { name: "Save mine" }).click();
  await row(page, "— Mine.").waitFor();
  await row(other, "— Mine.").waitFor();
  await other.close();

  // Is there offline, still logged in, and catches up afterwards.
  const api = (url) => url.pathname.startsWith("/api/");
  await context.route(api, (route) => route.abort("internetdisconnected"));
  await page.reload();
  await page.getByLabel("Find").fill(unique);
  await row(page, "— Mine.").waitFor();
  await page.getByRole("button", { name: "Log out" }).waitFor();
  const late = await theirs.add(newMovie({ name: `Late ${unique}` }));
  assert.equal(await row(page, late.name).count(), 0);
  await context.unroute(api);
  await row(page, late.name).waitFor();
  await page.getByRole("status").filter({ hasText: "up to date" }).waitFor();

  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("button", { name: "Log in" }).waitFor();
  assert.deepEqual(complaints, []);
}

test("the web app, on the API's own server", (t) => tour(t, base, `${base}/web-app/`));

test("the web app, on another server", { skip: withoutKeys }, (t) =>
  tour(t, undefined, `${elsewhere}/web-app/?api=${base}`));
