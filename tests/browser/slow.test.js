// Slow and broken networks: what is shown meanwhile, and what a failure leaves behind.

import assert from "node:assert/strict";
import { addMovie, base, heading, OLD_FILMS, signUp, story } from "./support.js";

const OFFLINE = "Cannot reach the server. Check your connection.";

/** Everything that `pattern` asks for waits until `release` is called. */
async function hold(page, pattern) {
  let release = () => {};
  const released = new Promise((resolve) => (release = resolve));
  await page.route(pattern, async (route) => {
    await released;
    await route.continue();
  });
  return release;
}

/** How much has moved although the person did nothing (cumulative layout shift). */
const shifts = (page) => page.evaluate(() => window.shifts);
const watchShifts = () => {
  window.shifts = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
};

for (const [name, width] of [
  ["a phone", 360],
  ["a wide window", 1280],
]) {
  story(`on a slow network, ${name} shows an outline, and then nothing jumps`, {}, async (newcomer) => {
    const page = await newcomer({ viewport: { width, height: 780 } });
    await page.addInitScript(watchShifts);
    // The oldest movie: another test may be changing the newest one.
    const { items } = await page.evaluate(() =>
      fetch("/api/movies?limit=1&sort=created_at").then((answer) => answer.json()),
    );
    for (const [hash, title] of [
      ["#/", "All movies"],
      ["#/?genre=Western", "Western"],
      [`#/movie/${items[0].id}`, items[0].name],
      ["#/login", "Log in"],
    ]) {
      const release = await hold(page, "**/api/movies**");
      await page.goto("about:blank");
      await page.goto(`${base}/${hash}`);
      // The login page needs nothing from the API.
      if (hash !== "#/login") {
        await page.locator(".skeleton .bone").first().waitFor();
        assert.equal(await page.locator("#main").getAttribute("aria-busy"), "true");
        assert.equal(await page.locator("footer").isVisible(), false);
        await page.getByRole("link", { name: "Log in" }).waitFor();
      }
      release();
      await heading(page, title);
      assert.equal(await page.locator(".skeleton").count(), 0);
      await page.locator("footer").waitFor();
      await page.unroute("**/api/movies**");
      // Two frames later the browser has reported every shift.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const shift = await shifts(page);
      assert.ok(shift < 0.05, `${hash} moved by ${shift}`);
    }
  });
}

story("a slow page is announced, and a failed one can be tried again", { expected: [0], start: OLD_FILMS }, async (newcomer) => {
  const page = await newcomer();
  const release = await hold(page, "**/api/movies/*");
  const card = page.locator(".card a").first();
  const name = await card.locator(".name").textContent();
  await card.click();
  await page.locator(".skeleton .movie").waitFor();
  await page.locator("#polite", { hasText: "Loading" }).waitFor({ state: "attached" });
  release();
  await heading(page, name);
  await page.unroute("**/api/movies/*");

  await page.route("**/api/**", (route) => route.abort());
  await page.getByRole("link", { name: "Movie Bag" }).click();
  await page.getByText(OFFLINE).waitFor();
  await page.unroute("**/api/**");
  await page.getByRole("button", { name: "Try again" }).click();
  await heading(page, "All movies");
});

story("a page that was left while it loaded does not come back", { start: OLD_FILMS }, async (newcomer) => {
  const page = await newcomer();
  const release = await hold(page, "**/api/movies/*");
  // Time passes only when this test says so.
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + 60_000);
  await page.locator(".card a").first().click();
  await page.waitForFunction(() => document.querySelector("main").hasAttribute("aria-busy"));
  await page.getByRole("link", { name: "Log in" }).click();
  await heading(page, "Log in");
  await page.clock.runFor(10_000);
  assert.equal(await page.locator(".skeleton").count(), 0);
  release();
  await page.clock.runFor(10_000);
  await heading(page, "Log in");
});

story("a filter whose list loads after its page was left is forgotten", {}, async (newcomer) => {
  const page = await newcomer();
  await page.locator("summary", { hasText: "Genre" }).click();
  await page.getByRole("checkbox", { name: "Western" }).waitFor();
  const release = await hold(page, "**/api/movies?**");
  await page.getByRole("checkbox", { name: "Western" }).click();
  await page.getByRole("link", { name: "Log in" }).click();
  await heading(page, "Log in");
  release();
  // Later than the answer to the filter.
  await page.evaluate(() => fetch("/api/movies?limit=1").then((answer) => answer.json()));
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.match(page.url(), /#\/login/);
  await heading(page, "Log in");
});

story("a failed \"Show more\" is reported at the button", { expected: [0] }, async (newcomer) => {
  const page = await newcomer();
  const count = () => page.locator(".card").count();
  // Before that, the cards of the skeleton would be counted.
  await page.getByRole("button", { name: "Show more" }).waitFor();
  const before = await count();
  await page.route("**/api/**", (route) => route.abort());
  await page.getByRole("button", { name: "Show more" }).click();
  const complaint = page.getByRole("alert").filter({ hasText: OFFLINE });
  await complaint.waitFor();
  const again = page.getByRole("button", { name: "Try again" });
  const [words, button] = [await complaint.boundingBox(), await again.boundingBox()];
  assert.ok(Math.abs(button.y - words.y) < 200, `the words are at ${words.y}, the button at ${button.y}`);
  assert.ok(words.y > 0 && words.y < 860, `the words are at ${words.y}`);
  assert.equal(await count(), before);

  await page.unroute("**/api/**");
  await again.click();
  await page.waitForFunction((before) => document.querySelectorAll(".card").length > before, before);
  await complaint.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Show more" }).waitFor();
  const focused = page.locator(".card").nth(before).getByRole("link");
  assert.ok(await focused.evaluate((link) => link === document.activeElement));
});

story("a filter that fails does not stay set", { expected: [0] }, async (newcomer) => {
  const page = await newcomer();
  const [url, first] = [page.url(), await page.locator(".card .name").first().textContent()];
  const genre = page.getByRole("checkbox", { name: "Western" });
  const chip = page.getByRole("button", { name: "Remove Western" });
  await page.locator("summary", { hasText: "Genre" }).click();
  await genre.waitFor();
  await page.route("**/api/**", (route) => route.abort());
  await genre.click();
  await page.getByText(OFFLINE).waitFor();
  assert.equal(await genre.isChecked(), false);
  assert.equal(await chip.count(), 0);
  assert.equal(page.url(), url);
  await heading(page, "All movies");
  assert.equal(await page.locator(".card .name").first().textContent(), first);

  await page.getByRole("combobox", { name: "Order" }).selectOption("Name, A to Z");
  await page.waitForFunction(() => document.querySelector(".order select").value === "-created_at");

  await page.unroute("**/api/**");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.waitForFunction(() => location.hash.endsWith("sort=name"));
  assert.equal(await page.getByText(OFFLINE).count(), 0);
  await page.locator("summary", { hasText: "Genre" }).click();
  await genre.check();
  await heading(page, "Western");
  await chip.waitFor();
  assert.match(page.url(), /sort=name&genre=Western$/);

  // The back button leads to the address of the earlier list, even if that list fails.
  await page.route("**/api/**", (route) => route.abort());
  await page.goBack();
  await heading(page, "All movies");
  await page.getByText(OFFLINE).waitFor();
  assert.equal(await page.locator(".card").count(), 0);
  await page.unroute("**/api/**");
  await page.getByRole("button", { name: "Try again" }).click();
  await page.locator(".card").first().waitFor();
});

story("two filters chosen quickly are both set", {}, async (newcomer) => {
  const page = await newcomer();
  await page.locator("summary", { hasText: "Genre" }).click();
  await page.getByRole("checkbox", { name: "Western" }).waitFor();
  const release = await hold(page, "**/api/movies?**");
  await page.getByRole("checkbox", { name: "Western" }).click();
  await page.getByRole("checkbox", { name: "Drama" }).click();
  release();
  await heading(page, "Western & Drama");
});

story("a failed page of deleted movies is reported at the button", { expected: [0] }, async (newcomer) => {
  const page = await newcomer();
  await signUp(page);
  const id = await addMovie(page, `Thrown Away ${process.pid}`);
  await page.evaluate(async (id) => {
    const { token } = JSON.parse(localStorage.getItem("movie-bag.session"));
    await fetch(`/api/movies/${id}`, { method: "DELETE", headers: { Authorization: `Bearer ${token}` } });
  }, id);
  // The answer pretends that there are more.
  await page.route("**/api/users/me/trash?**", async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), next: "next" } });
  });
  await page.goto(`${base}/#/trash`);
  await heading(page, "Deleted movies");
  await page.route("**/api/**", (route) => route.abort());
  await page.getByRole("button", { name: "Show more" }).click();
  await page.getByText(OFFLINE).waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await page.getByRole("button", { name: /^Restore/ }).click();
  const row = page.getByRole("list", { name: "Deleted movies" }).getByRole("listitem");
  await row.getByText(OFFLINE).waitFor();
});
