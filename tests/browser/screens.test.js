// Every screen there is: for a scanner (axe-core), light and dark, and in the width of a phone.

import { addMovie, assertNoSidewaysScroll, base, field, heading, scan, shot, signUp, story } from "./support.js";

/** Goes to every screen there is, and calls `look` at each. */
async function tour(page, look) {
  const visit = async (hash, title) => {
    await page.goto(`${base}/${hash}`);
    await heading(page, title);
    await look(title.replace(/\W+/g, "-").toLowerCase());
  };
  await look("catalogue");
  await page.locator("summary", { hasText: "Genre" }).click();
  await page.getByRole("checkbox", { name: "Drama" }).waitFor();
  await look("genres");
  await page.keyboard.press("Escape");
  await page.getByRole("combobox", { name: "Search movies" }).fill("the god");
  await page.getByRole("option").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await look("typeahead");
  await page.keyboard.press("Escape");
  await visit("#/?genre=Romance&language=French&year_min=1990&year_max=1999", "Romance · In French · 1990s");
  await visit("#/?q=nothingislikethis", "“nothingislikethis”");
  await visit("#/login?why=expired-token", "Log in");
  await visit("#/forgot", "Forgot your password?");
  await visit("#/reset?token=x", "New password");
  await visit("#/nowhere", "Nothing here");
  await visit("#/movie/000000000000000000000000", "Not found");
  await page.goto(`${base}/#/signup`);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByText("2 fields need another look.").waitFor();
  await look("sign-up");
  await signUp(page);
  await visit("#/account", "Account");
  await visit("#/mine", "My movies");
  await visit("#/add", "Add a movie");
  await page.getByRole("button", { name: "Add the movie" }).click();
  await page.getByText("2 fields need another look.").waitFor();
  await look("add-complaints");
  const name = `Tokyo Light ${process.pid} ${Date.now()}`;
  const id = await addMovie(page, name, {
    year: 2023,
    director: "Yasujirō Ozu",
    cast: ["Setsuko Hara", "Chishu Ryu"],
    plot: "A quiet man, his cassettes, and the light in the trees.",
  });
  await page.getByRole("heading", { name: "More by Yasujirō Ozu" }).waitFor();
  await look("movie");
  await page.getByRole("button", { name: "Delete" }).click();
  await look("delete");
  await page.getByRole("button", { name: "Keep it" }).click();
  await page.getByRole("link", { name: "Edit" }).click();
  await heading(page, `Edit “${name}”`);
  await look("edit");
  await field(page, "Year").fill("2024");
  await field(page, "Plot").fill("A quiet man, and the light in the trees.");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "Edit" }).waitFor();
  await page.goto(`${base}/#/movie/${id}/history`);
  await heading(page, `History of “${name}”`);
  await look("history");
  await page.getByRole("link", { name: "Back to the movie" }).click();
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await page.getByRole("button", { name: "Undo" }).waitFor();
  await look("deleted");
  await visit("#/trash", "Deleted movies");
}

// In the dark only the colours differ.
for (const [colorScheme, rule] of [["light"], ["dark", "color-contrast"]]) {
  const name = `every screen is free of accessibility violations (${colorScheme})`;
  story(name, { colorScheme, expected: [404, 422] }, async (newcomer) => {
    const page = await newcomer();
    await tour(page, async (name) => {
      await scan(page, name, rule);
      await shot(page, `${colorScheme}-${name}`);
    });
  });
}

story(
  "no screen is wider than a phone",
  { viewport: { width: 360, height: 780 }, expected: [404, 422] },
  async (newcomer) => {
    const page = await newcomer();
    await tour(page, async (name) => {
      await assertNoSidewaysScroll(page, name);
      await shot(page, `phone-${name}`);
    });
  },
);
