// Layout: titles on posters, long names, menus. And pages of the server: unknown addresses, problems.

import assert from "node:assert/strict";
import { addMovie, api, assertNoSidewaysScroll, base, heading, scan, shot, signUp, story } from "./support.js";

/** For each drawn poster: the lines of its title, and whether it is wider than its place. */
const titles = (page) =>
  page.locator(".drawn strong").evaluateAll((all) =>
    all.map((title) => {
      const text = title.firstChild;
      const lines = [];
      let bottom = null;
      for (let at = 0; at < text.length; at++) {
        const range = document.createRange();
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        const box = range.getBoundingClientRect();
        if (!box.width) continue;
        if (bottom === null || box.top > bottom - box.height / 2) lines.push("");
        bottom = box.bottom;
        lines[lines.length - 1] += text.data[at];
      }
      return { name: text.data, lines, overflows: title.scrollWidth > title.clientWidth };
    }),
  );

const LONGEST = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";

story("a drawn poster never breaks a word", {}, async (newcomer) => {
  const page = await newcomer();
  await signUp(page);
  const names = [
    "Extraterrestrialization",
    "The Incomprehensibilities",
    "Antidisestablishmentarianism Forever",
    "Koyaanisqatsi Powaqqatsi",
    "WWWWWWWWWWWWWWWWWW",
    "七人の侍と隠し砦の三悪人",
    "Spider-Man: Across the Spider-Verse",
  ].map((name) => `${name} ${process.pid}`);
  for (const name of names) {
    const { status } = await api(page, "POST", "/movies", { name, casts: [], genres: ["Drama"] });
    assert.equal(status, 201);
  }
  await page.goto(`${base}/#/mine`);
  await heading(page, "My movies");
  const mine = await titles(page);
  assert.equal(mine.length, names.length);
  await page.goto(`${base}/#/`);
  await heading(page, "All movies");
  for (const { name, lines, overflows } of [...mine, ...(await titles(page))]) {
    // A word that is too long for every readable size is cut at the edge.
    assert.ok(!overflows || name.includes(LONGEST), `${name} is wider than its poster`);
    // Chinese and Japanese words may break, and words at a hyphen.
    if (/\p{sc=Han}/u.test(name)) continue;
    const whole = name.split(/\s+|(?<=-)/u);
    for (const word of lines.flatMap((line) => line.trim().split(/\s+|(?<=-)/u)))
      assert.ok(whole.includes(word), `${name} is set as ${JSON.stringify(lines)}`);
  }
});

story("a long name is cut in lists, and whole on its page", { viewport: { width: 360, height: 780 } }, async (newcomer) => {
  const page = await newcomer();
  await signUp(page);
  const name = `${LONGEST} ${"and the very long name of a movie ".repeat(6)}${process.pid}`;
  const { body } = await api(page, "POST", "/movies", { name, casts: [], genres: ["Drama"], directors: [LONGEST] });
  await page.goto(`${base}/#/mine`);
  await heading(page, "My movies");
  const shown = page.locator(".card .name");
  const [height, line] = await shown.evaluate((node) => [node.clientHeight, parseFloat(getComputedStyle(node).lineHeight)]);
  assert.ok(height < 3.5 * line, `the name is ${height} px high`);
  assert.equal(await page.locator(".card a").getAttribute("href"), `#/movie/${body.id}`);
  await assertNoSidewaysScroll(page, "my movies");
  for (const [part, words] of Object.entries({ "": "", "/edit": "Edit “", "/history": "History of “", "/sharing": "Sharing “" })) {
    await page.goto(`${base}/#/movie/${body.id}${part}`);
    const title = page.getByRole("heading", { level: 1, name: new RegExp(`^${words}${LONGEST}`) });
    await title.waitFor();
    await assertNoSidewaysScroll(page, part);
    const [whole, visible] = await title.evaluate((node) => [node.scrollHeight, node.clientHeight]);
    if (part) assert.ok(visible < 200, `${part}: the heading is ${visible} px high`);
    else assert.ok(whole <= visible + 1, `the heading is cut: ${whole} and ${visible}`);
    await shot(page, `phone-long-name${part.replace("/", "-")}`);
  }
  const search = page.getByRole("combobox", { name: "Search movies" });
  await search.fill("Donaudampf");
  const option = page.getByRole("option", { name: LONGEST }).first();
  await option.waitFor();
  assert.ok((await option.boundingBox()).height < 80);
  await page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Back to the movie" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  assert.ok((await page.getByRole("dialog").boundingBox()).height < 500);
  await page.getByRole("button", { name: "Delete it" }).click();
  await page.getByRole("button", { name: "Undo" }).waitFor();
  await assertNoSidewaysScroll(page, "the offer to undo");
});

for (const width of [360, 1280]) {
  story(`a menu opens at its button, in a window of ${width}`, { viewport: { width, height: 780 } }, async (newcomer) => {
    const page = await newcomer();
    await page.waitForFunction(() => document.querySelectorAll(".menu input").length > 30);
    for (const name of ["Genre", "Decade", "Language"]) {
      const button = page.locator("summary", { hasText: name });
      await button.click();
      const menu = page.locator("details[open] fieldset");
      await page.waitForFunction(() => document.querySelectorAll("details[open] fieldset").length === 1);
      const inside = () => {
        const { left, right } = document.querySelector("details[open] fieldset").getBoundingClientRect();
        return left >= 0 && right <= document.documentElement.clientWidth;
      };
      await page.waitForFunction(inside);
      const [at, of] = [await menu.boundingBox(), await button.boundingBox()];
      assert.ok(at.x <= of.x + 1 && at.x + at.width >= of.x + of.width - 1, `${name}: the menu is beside its button`);
      assert.ok(at.y - of.y - of.height >= 0 && at.y - of.y - of.height < 24, `${name}: the menu is away from its button`);
      await page.keyboard.press("Escape");
    }
  });
}

story("an unknown address is a page that links back", { expected: [404] }, async (newcomer) => {
  const page = await newcomer();
  for (const path of ["#/nope", "nope", "no/such/page?of=ours"]) {
    await page.goto("about:blank");
    const answer = await page.goto(`${base}/${path}`);
    if (!path.startsWith("#")) assert.equal(answer.status(), 404);
    await heading(page, "Nothing here");
    assert.match(page.url(), new RegExp(`^${base}/#/`));
    await scan(page, path);
    await page.getByRole("link", { name: "Go to the catalogue" }).click();
    await heading(page, "All movies");
  }
});

for (const colorScheme of ["light", "dark"]) {
  story(`the pages of problems are free of accessibility violations (${colorScheme})`, { colorScheme }, async (newcomer) => {
    const page = await newcomer();
    for (const path of ["problems", "problems/not-owner"]) {
      await page.goto(`${base}/${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await scan(page, path);
      await shot(page, `${colorScheme}-${path.replace("/", "-")}`);
    }
  });
}
