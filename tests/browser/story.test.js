// The whole way of one person, from the sign-up to the end of the account.

import assert from "node:assert/strict";
import { PASSWORD, addMovie, field, heading, logIn, signUp, story } from "./support.js";

story(
  "a person signs up, adds, edits, finds, changes the password and leaves",
  { expected: [401] },
  async (newcomer) => {
    const page = await newcomer();
    const name = `The Cartographer ${process.pid}`;
    const email = await signUp(page);
    await heading(page, "All movies");

    await addMovie(page, name, {
      year: 1998,
      genre: "Drama",
      director: "Ida Lund",
      cast: ["Ola Berg", "Mia Falk"],
      plot: "She draws a coast that nobody has seen.",
    });
    assert.equal(await page.title(), `${name} (1998) · Movie Bag`);

    await page.getByRole("link", { name: "Edit" }).click();
    await heading(page, `Edit “${name}”`);
    await field(page, "Runtime").fill("101");
    await field(page, "Genres").fill("Adventure");
    await page.getByRole("button", { name: "Remove Mia Falk" }).click();
    await page.getByRole("button", { name: "Save" }).click();
    await heading(page, name);
    await page.getByText("1 h 41 min").waitFor();
    await page.getByRole("link", { name: "Adventure" }).waitFor();
    assert.equal(await page.getByText("Mia Falk").count(), 0);

    await page.getByRole("link", { name: "Ida Lund" }).click();
    await heading(page, "Directed by Ida Lund");
    await page.getByText("1 movie", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Remove Directed by Ida Lund" }).click();
    await heading(page, "All movies");

    await page.locator("summary", { hasText: "Genre" }).click();
    await page.getByRole("checkbox", { name: "Adventure" }).check();
    await heading(page, /^Adventure/);
    await page.locator("summary", { hasText: "Decade" }).click();
    await page.getByRole("checkbox", { name: "1990s" }).check();
    // The list before this one has the movie as well, so only its heading shows that the new one has come.
    await heading(page, "Adventure · 1990s");
    await page.getByRole("link", { name }).waitFor();
    assert.match(page.url(), /genre=Adventure&year_min=1990&year_max=1999$/);

    const search = page.getByRole("combobox", { name: "Search movies" });
    await search.fill("coast nobody");
    await search.press("Enter");
    await heading(page, "“coast nobody”");
    await page.getByRole("link", { name }).waitFor();

    await search.fill(name.slice(0, 12));
    await page.getByRole("option", { name }).waitFor();
    await search.press("ArrowDown");
    await search.press("Enter");
    await heading(page, name);

    await page.getByRole("link", { name: "My movies" }).click();
    await heading(page, "My movies");
    await page.getByText("1 movie", { exact: true }).waitFor();

    await page.getByRole("link", { name: "Account" }).click();
    const password = page.getByRole("form", { name: "Change the password" });
    await password.getByLabel("Current password").fill(PASSWORD);
    await password.getByLabel("New password").fill("pear-tart-at-two");
    await password.getByRole("button").click();
    await page.getByText("Your password is changed.").waitFor();

    await page.getByRole("button", { name: "Log out", exact: true }).click();
    await page.getByRole("link", { name: "Log in" }).click();
    await logIn(page, email);
    await page.getByText("Email or password invalid").waitFor();
    await logIn(page, email, "pear-tart-at-two");
    await page.getByRole("link", { name: "Account" }).click();

    const farewell = page.getByRole("form", { name: "Delete your account" });
    await farewell.getByLabel("Type your email").fill("somebody@example.com");
    await farewell.getByRole("button").click();
    await farewell.getByText(`is not ${email}`).waitFor();
    await farewell.getByLabel("Type your email").fill(email);
    await farewell.getByRole("button").click();
    await page.getByText("Your account and all your movies are deleted.").waitFor();

    await logIn(page, email, "pear-tart-at-two");
    await page.getByText("Email or password invalid").waitFor();
    await page.goto(page.url().replace(/#.*/, `#/?director=Ida+Lund`));
    await page.getByText("No movie matches.").waitFor();
  },
);

story("a movie is deleted after a question", {}, async (newcomer) => {
  const page = await newcomer();
  const name = `Gone Tomorrow ${process.pid}`;
  await signUp(page);
  await addMovie(page, name);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Keep it" }).click();
  await heading(page, name);
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete it" }).click();
  await heading(page, "My movies");
  await page.getByText("You have not added a movie yet.").waitFor();
});
