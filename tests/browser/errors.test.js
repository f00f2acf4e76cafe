// Problems are shown in words, where they belong, and nothing that was typed is lost.

import assert from "node:assert/strict";
import { PASSWORD, addMovie, base, field, heading, logIn, newEmail, serverLog, signUp, story } from "./support.js";

/** A field shows a complaint, and says so to a screen reader. */
async function assertComplaint(page, label, words) {
  const input = field(page, label);
  await page.locator(".complaint", { hasText: words }).waitFor();
  assert.equal(await input.getAttribute("aria-invalid"), "true");
  const described = (await input.getAttribute("aria-describedby")).split(" ");
  const texts = await page.evaluate((ids) => ids.map((id) => document.getElementById(id).textContent), described);
  assert.ok(
    texts.some((text) => text.includes(words)),
    `${label} is described by ${texts}`,
  );
}

story("every broken field is named at the field", { expected: [422, 409] }, async (newcomer) => {
  const page = await newcomer();
  await page.getByRole("link", { name: "Sign up" }).click();
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByText("2 fields need another look.").waitFor();
  await assertComplaint(page, "Email", "Email must not be blank.");
  await assertComplaint(page, "Password", "Password must have at least 8 characters.");
  assert.equal(await page.evaluate(() => document.activeElement.name), "email");
  const email = await signUp(page, newEmail());

  await page.getByRole("link", { name: "Add a movie" }).click();
  await heading(page, "Add a movie");
  await field(page, "Year").fill("in spring");
  await field(page, "Poster").fill("javascript:alert(1)");
  await field(page, "Cast").fill("Ola Berg");
  await page.keyboard.press("Enter");
  await field(page, "Cast").fill("x".repeat(201));
  await page.getByRole("button", { name: "Add the movie" }).click();
  await page.getByText("5 fields need another look.").waitFor();
  await assertComplaint(page, "Name", "Name must not be blank.");
  await assertComplaint(page, "Year", "Year must be");
  await assertComplaint(page, "Genres", "Genres must");
  await assertComplaint(page, "Cast", "Cast, entry 2 (“xxx");
  await assertComplaint(page, "Poster", "Poster must be an http or https URL.");

  await page.getByRole("link", { name: "My movies" }).click();
  await page.getByRole("button", { name: "Leave" }).click();
  await heading(page, "My movies");
  const name = `Twice ${process.pid}`;
  await addMovie(page, name, { year: 2001 });
  await page.getByRole("link", { name: "Add a movie" }).click();
  await field(page, "Name").fill(name);
  await field(page, "Year").fill("2001");
  await field(page, "Genres").fill("Drama");
  await page.getByRole("button", { name: "Add the movie" }).click();
  await assertComplaint(page, "Name", "A movie with this name already exists in this year.");

  const other = await newcomer();
  await other.getByRole("link", { name: "Sign up" }).click();
  await other.getByLabel("Email").fill(email);
  await other.getByLabel("Password").fill(PASSWORD);
  await other.getByRole("button", { name: "Sign up" }).click();
  await assertComplaint(other, "Email", "An account with this email already exists.");
});

story("a wrong current password is shown at its field", { expected: [403] }, async (newcomer) => {
  const page = await newcomer();
  await signUp(page);
  await page.getByRole("link", { name: "Account" }).click();
  const form = page.getByRole("form", { name: "Change the email" });
  await form.getByLabel("New email").fill(newEmail());
  await form.getByLabel("Current password").fill("not this one");
  await form.getByRole("button").click();
  await form.locator("[data-field=current_password] .complaint").filter({ hasText: "." }).waitFor();
  const email = newEmail();
  await form.getByLabel("New email").fill(email);
  await form.getByLabel("Current password").fill(PASSWORD);
  await form.getByRole("button").click();
  await page.getByText(`Your email is now ${email}.`).waitFor();
});

story("a person who has to wait sees how long", { expected: [429, 503] }, async (newcomer) => {
  const page = await newcomer();
  const answer = (status, code, wait) => (route) =>
    route.fulfill({
      status,
      headers: { "Retry-After": wait, "Content-Type": "application/problem+json" },
      body: JSON.stringify({ status, code, detail: "…" }),
    });
  await page.route("**/api/auth/login", answer(429, "too-many-requests", "118"));
  await page.getByRole("link", { name: "Log in" }).click();
  await logIn(page, "somebody@example.com");
  await page.getByText("Too many attempts. Try again in 2 minutes.").waitFor();

  await page.route("**/api/movies?**", answer(503, "database-unavailable", "5"));
  await page.getByRole("link", { name: "Movie Bag" }).click();
  await page.getByText("The catalogue is not available right now. Try again in 5 seconds.").waitFor();
  await page.unroute("**/api/movies?**");
  await page.getByRole("button", { name: "Try again" }).click();
  await heading(page, "All movies");
});

story(
  "a login that has ended is asked for again, and what was typed is still there",
  { expected: [401] },
  async (newcomer) => {
    const page = await newcomer();
    const email = await signUp(page);
    await page.getByRole("link", { name: "Add a movie" }).click();
    await field(page, "Name").fill("Half Written");
    await field(page, "Genres").fill("Drama");
    await page.evaluate(() => {
      const session = JSON.parse(localStorage.getItem("movie-bag.session"));
      localStorage.setItem("movie-bag.session", JSON.stringify({ ...session, token: "not.a.token" }));
    });
    await page.getByRole("button", { name: "Add the movie" }).click();
    await page.getByText("Please log in again.").waitFor();
    await logIn(page, email);
    await heading(page, "Add a movie");
    assert.equal(await field(page, "Name").inputValue(), "Half Written");
    await page.getByRole("button", { name: "Remove Drama" }).waitFor();
  },
);

story("logging out everywhere ends the other browser's login too", { expected: [401] }, async (newcomer) => {
  const [here, there] = [await newcomer(), await newcomer()];
  const email = await signUp(here);
  await there.getByRole("link", { name: "Log in" }).click();
  await logIn(there, email);
  await there.getByRole("link", { name: "Account" }).waitFor();
  await here.getByRole("link", { name: "Account" }).click();
  await here.getByRole("button", { name: "Log out everywhere" }).click();
  await here.getByText("You are logged out everywhere.").waitFor();
  await there.getByRole("link", { name: "Account" }).click();
  await there.getByText("You were logged out").waitFor();
  await logIn(there, email);
  await heading(there, "Account");
});

story("a forgotten password is changed by a link that works once", { expected: [422] }, async (newcomer) => {
  const page = await newcomer();
  const email = await signUp(page);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("link", { name: "Log in" }).click();
  await page.getByRole("link", { name: "Forgot your password?" }).click();
  await page.getByLabel("Email").fill(email);
  await page.getByRole("button", { name: "Send me a link" }).click();
  await page.getByText("we sent a link to it").waitFor();
  // Without a mail server, the embedded database's server writes its mail to the log.
  let link;
  for (let attempt = 0; !link && attempt < 100; attempt++) {
    link = (await serverLog()).match(/#\/reset\?token=[\w-]+/g)?.at(-1);
    if (!link) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const choose = async (password) => {
    await page.goto("about:blank");
    await page.goto(`${base}/${link}`);
    await heading(page, "New password");
    assert.equal(new URL(page.url()).hash, "#/reset");
    await page.getByLabel("New password").fill(password);
    await page.getByRole("button", { name: "Change the password" }).click();
  };
  await choose("pear-tart-at-two");
  await page.getByText("Your password is changed.").waitFor();
  await logIn(page, email, "pear-tart-at-two");
  await page.getByRole("link", { name: "Account" }).waitFor();
  await choose("fig-jam-at-three");
  await page.getByText("This link was used before or is too old.").waitFor();
  await page.reload();
  await page.getByText("Open the link in the mail that you got").waitFor();
});

// Other routes below `/api/movies` are not requested as if they were movies.
story("an address that cannot be a movie is a page of the client", {}, async (newcomer) => {
  const page = await newcomer();
  for (const path of ["facets", "suggest", "events", "batch", "facets/edit", "0"]) {
    await page.goto(`${base}/#/`);
    await heading(page, "All movies");
    await page.goto(`${base}/#/movie/${path}`);
    await heading(page, "Nothing here");
  }
});
