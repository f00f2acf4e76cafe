// What was typed is not lost without a question, and not overwritten unseen.

import assert from "node:assert/strict";
import { addMovie, api, base, field, heading, scan, signUp, story } from "./support.js";

const QUESTION = "Leave without saving?";

story("a form with something typed in it asks before it is left", {}, async (newcomer) => {
  const page = await newcomer();
  await signUp(page);
  await page.getByRole("link", { name: "My movies" }).click();
  await heading(page, "My movies");
  await page.getByRole("link", { name: "Add a movie" }).click();
  await heading(page, "Add a movie");
  const question = page.getByRole("dialog", { name: QUESTION });
  const answer = async (button) => {
    await question.getByRole("button", { name: button }).click();
    await question.waitFor({ state: "detached" });
  };
  const stays = async () => {
    await question.waitFor();
    await answer("Stay");
    await heading(page, "Add a movie");
    assert.equal(page.url(), `${base}/#/add`);
    assert.equal(await field(page, "Name").inputValue(), "Half Written");
  };
  // Nothing is typed yet, so there is nothing to lose.
  await page.getByRole("link", { name: "Account" }).click();
  await heading(page, "Account");
  await page.goBack();
  await heading(page, "Add a movie");

  await field(page, "Name").fill("Half Written");
  await page.getByRole("link", { name: "Account" }).click();
  await question.waitFor();
  await scan(page, "the question before a form is left");
  await stays();
  await page.goBack();
  await stays();
  const search = page.getByRole("combobox", { name: "Search movies" });
  await search.fill("heat");
  await search.press("Enter");
  await stays();
  await page.getByRole("button", { name: "Log out" }).click();
  await stays();
  await page.getByRole("link", { name: "My movies" }).click();
  await question.waitFor();
  await page.keyboard.press("Escape");
  await question.waitFor({ state: "detached" });
  assert.equal(page.url(), `${base}/#/add`);

  // Reloading: the browser asks.
  const asked = new Promise((resolve) =>
    page.once("dialog", async (dialog) => {
      await dialog.dismiss();
      resolve(dialog.type());
    }),
  );
  await page.evaluate(() => void setTimeout(() => location.reload()));
  assert.equal(await asked, "beforeunload");
  assert.equal(await field(page, "Name").inputValue(), "Half Written");

  // The back button, and then yes: one step back, as always.
  await page.goBack();
  await question.waitFor();
  await answer("Leave");
  await heading(page, "My movies");
  await page.goForward();
  await heading(page, "Add a movie");
  assert.equal(await field(page, "Name").inputValue(), "");
  await field(page, "Genres").fill("Drama");
  await page.getByRole("link", { name: "Account" }).click();
  await question.waitFor();
  await answer("Leave");
  await heading(page, "Account");
});

story("a form that is saved, or cancelled unchanged, is left without a question", {}, async (newcomer) => {
  const page = await newcomer();
  await signUp(page);
  const name = `Kept ${process.pid}`;
  await addMovie(page, name, { year: 1990 });
  const edit = async () => {
    await page.getByRole("link", { name: "Edit" }).click();
    await heading(page, `Edit “${name}”`);
  };
  await edit();
  await field(page, "Year").fill("1991");
  await page.getByRole("button", { name: "Save" }).click();
  await heading(page, name);
  await edit();
  await page.getByRole("button", { name: "Cancel" }).click();
  await heading(page, name);
  await edit();
  await field(page, "Year").fill("1992");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("dialog", { name: QUESTION }).getByRole("button", { name: "Leave" }).click();
  await heading(page, name);
  await page.getByText("1991").first().waitFor();
});

story("two windows edit one movie, and both see what the other wrote", { expected: [412] }, async (newcomer) => {
  const page = await newcomer();
  const name = `The Same Page ${process.pid}`;
  await signUp(page);
  const id = await addMovie(page, name, { year: 1990, cast: ["Ola Berg"] });
  const elsewhere = (body) => api(page, "PATCH", `/movies/${id}`, body);
  const now = async () => (await api(page, "GET", `/movies/${id}`)).body;
  const year = page.locator("[data-field=year]");
  const save = () => page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "Edit" }).click();
  await heading(page, `Edit “${name}”`);

  await elsewhere({ year: 1995, runtime: 90, casts: ["Ola Berg", "Mia Falk"] });
  await field(page, "Year").fill("1991");
  await field(page, "Plot").fill("Two pens, one page.");
  await save();
  await page.getByText("This movie was changed since you opened it.").waitFor();
  // The form still has what was typed, beside the current value. A field that was left alone has its new value.
  assert.equal(await field(page, "Year").inputValue(), "1991");
  await year.getByText("Now: 1995").waitFor();
  const described = await field(page, "Year").getAttribute("aria-describedby");
  assert.match(await page.locator(`#${described.split(" ")[0]}`).textContent(), /1995/);
  assert.equal(await field(page, "Plot").inputValue(), "Two pens, one page.");
  assert.equal(await field(page, "Runtime").inputValue(), "90");
  await page.getByRole("button", { name: "Remove Mia Falk" }).waitFor();
  await scan(page, "a form with a conflict");
  assert.deepEqual([(await now()).year, (await now()).plot], [1995, undefined]);

  await page.getByRole("button", { name: "Use this for Year" }).click();
  assert.equal(await field(page, "Year").inputValue(), "1995");
  assert.equal(await year.getByText("Now:").count(), 0);

  await elsewhere({ year: 1996 });
  await field(page, "Year").fill("1992");
  await save();
  await year.getByText("Now: 1996").waitFor();
  await save();
  await heading(page, name);
  const movie = await now();
  assert.deepEqual([movie.year, movie.runtime, movie.plot], [1992, 90, "Two pens, one page."]);
  assert.deepEqual(movie.casts, ["Ola Berg", "Mia Falk"]);
});
