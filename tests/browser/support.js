// What every test needs: a browser, people in it, and checks of what each page writes to the console and requests.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, test } from "node:test";
import { chromium } from "playwright-core";

const env = (name) => process.env[name] ?? assert.fail(`${name} is not set: run .ci/browser`);

export const base = env("BASE_URL");
/** The OpenID Connect provider. Only stories that sign in with it may request its pages. */
const providerUrl = env("PROVIDER_URL");
export const serverLog = () => readFile(env("SERVER_LOG"), "utf8");
export const PASSWORD = "plum-cake-at-noon";
/** Owns the demo films, and is the only admin; with the same password. */
export const CURATOR = "curator@example.com";

const shots = process.env.SCREENSHOTS ?? path.join(tmpdir(), "movie-bag-screenshots");
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

await mkdir(shots, { recursive: true });
// Chromium's sandbox needs rights that root in a container does not have, and all pages are ours.
const browser = await chromium.launch({ executablePath: env("CHROMIUM"), args: ["--no-sandbox"] });
after(() => browser.close());

/**
 * A test with pages in it. `expected` are the error statuses that the API may answer with. Any other complaint of a page
 * fails the test, and so does a request to any other server. With `atProvider` a page may also go to the provider. A page
 * begins at `start`.
 */
export function story(name, { expected = [], atProvider = false, start = "", ...look }, tell) {
  test(name, async () => {
    const complaints = [];
    const contexts = [];
    const newcomer = async (more = {}) => {
      const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...look, ...more });
      // The limit is long: the tests check what appears, and not how soon on a busy machine.
      context.setDefaultTimeout(30_000);
      contexts.push(context);
      const page = await context.newPage();
      page.on("pageerror", (error) => complaints.push(`uncaught: ${error.stack}`));
      page.on("console", (message) => {
        if (!["error", "warning"].includes(message.type())) return;
        const [, status] = message.text().match(/responded with a status of (\d+)/) ?? [];
        // No answer at all counts as 0.
        if (!expected.includes(Number(status ?? (message.text().includes("net::ERR") ? 0 : NaN))))
          complaints.push(`${message.text()} (${message.location().url})`);
      });
      page.on("request", (request) => {
        const { origin, protocol } = new URL(request.url());
        const allowed = origin === base || protocol === "data:" || (atProvider && origin === providerUrl);
        if (!allowed) complaints.push(`a request to ${request.url()}`);
      });
      await page.goto(`${base}/${start}`);
      await page.locator(".card, .empty").first().waitFor();
      return page;
    };
    try {
      await tell(newcomer);
    } catch (error) {
      const pages = contexts.flatMap((context) => context.pages());
      const file = (at) => path.join(shots, `failed-${name.replace(/\W+/g, "-")}-${at}.png`);
      await Promise.all(pages.map((page, at) => page.screenshot({ path: file(at) }).catch(() => {})));
      throw error;
    } finally {
      await Promise.all(contexts.map((context) => context.close()));
    }
    assert.deepEqual(complaints, []);
  });
}

/** The films that come first here are changed by no test. Other tests add, change and delete the newest ones. */
export const OLD_FILMS = "#/?sort=year";

/** Waits for the view with this heading. Exact: “Edit “Heat”” is not the page of Heat. */
export const heading = (page, text) => page.getByRole("heading", { level: 1, name: text, exact: true }).waitFor();

export const shot = (page, name, more) => page.screenshot({ path: path.join(shots, `${name}.png`), ...more });

let people = 0;
export const newEmail = () => `person-${process.pid}-${++people}@example.com`;

export async function signUp(page, email = newEmail()) {
  await page.getByRole("link", { name: "Sign up" }).click();
  await heading(page, "Sign up");
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("link", { name: "My movies" }).waitFor();
  return email;
}

export async function logIn(page, email, password = PASSWORD) {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** A field of the movie form. Those with suggestions are combo boxes. */
export const field = (page, label) =>
  page
    .locator(`[data-field]`)
    .filter({ has: page.locator("label", { hasText: label }) })
    .locator("input, textarea");

/** Adds a movie. Then its page is shown. */
export async function addMovie(page, name, { year, genre = "Drama", director, cast = [], plot } = {}) {
  await page.getByRole("link", { name: "Add a movie" }).click();
  await heading(page, "Add a movie");
  await field(page, "Name").fill(name);
  if (year) await field(page, "Year").fill(String(year));
  await field(page, "Genres").fill(genre);
  for (const actor of cast) {
    await field(page, "Cast").fill(actor);
    await page.keyboard.press("Enter");
  }
  if (director) await field(page, "Directors").fill(director);
  if (plot) await field(page, "Plot").fill(plot);
  await page.getByRole("button", { name: "Add the movie" }).click();
  await heading(page, name);
  return page.url().split("/").at(-1);
}

/** Calls the API from within the page, as its user. */
export const api = (page, method, path, body, headers = {}) =>
  page.evaluate(
    async ([method, path, body, headers]) => {
      const { token } = JSON.parse(localStorage.getItem("movie-bag.session") ?? "{}");
      const all = {
        "Content-Type": "application/json",
        ...(token && { Authorization: `Bearer ${token}` }),
        ...headers,
      };
      const answer = await fetch(`/api${path}`, { method, headers: all, body: body && JSON.stringify(body) });
      const text = await answer.text();
      return { status: answer.status, body: text ? JSON.parse(text) : null };
    },
    [method, path, body, headers],
  );

/** Scans the page for accessibility violations; `only` selects one rule. */
export async function scan(page, name, only) {
  // While a page loads or moves, its text is pale for a moment.
  await page.waitForFunction(() => !document.querySelector("[aria-busy]") && !document.getAnimations().length);
  await page.evaluate(axe);
  const runOnly = only ? { type: "rule", values: [only] } : { type: "tag", values: RULES };
  const { violations, passes } = await page.evaluate((runOnly) => axe.run(document, { runOnly }), runOnly);
  assert.ok(passes.length >= (only ? 1 : 15), `${name} was hardly scanned: ${passes.length} rules`);
  const said = ({ html, failureSummary }) => `${html}\n${failureSummary}`;
  const words = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(said).join("\n")}`);
  assert.equal(words.join("\n\n"), "", `${name} has accessibility violations`);
}

/** Nothing is wider than the window. */
export async function assertNoSidewaysScroll(page, name) {
  const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `${name} is ${content} px wide in a window of ${window}`);
}
