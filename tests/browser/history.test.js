// Restoring what was changed or deleted.

import assert from "node:assert/strict";
import { addMovie, api, field, heading, signUp, story } from "./support.js";

const remove = async (page) => {
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByText("You can restore it for 30 days.").waitFor();
  await page.getByRole("button", { name: "Delete it" }).click();
  await heading(page, "My movies");
};

story("a movie's history says what was changed, and a version comes back", { expected: [412] }, async (newcomer) => {
  const page = await newcomer();
  const name = `The Long Way ${process.pid}`;
  await signUp(page);
  const id = await addMovie(page, name, { year: 1998, cast: ["Ola Berg", "Mia Falk"] });
  await page.getByRole("link", { name: "Edit" }).click();
  await heading(page, `Edit “${name}”`);
  await field(page, "Year").fill("1999");
  await field(page, "Plot").fill("Home, after all.");
  await page.getByRole("button", { name: "Remove Mia Falk" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("link", { name: "History" }).click();
  await heading(page, `History of “${name}”`);
  const versions = page.locator(".history > li");
  assert.equal(await versions.count(), 2);
  const newest = versions.first();
  await newest.getByText("Changed by you").waitFor();
  assert.deepEqual(await newest.locator("dt").allTextContents(), ["Year", "Cast", "Plot"]);
  assert.deepEqual(await newest.locator("del").allTextContents(), ["1998", "Mia Falk"]);
  assert.deepEqual(await newest.locator("ins").allTextContents(), ["1999", "Home, after all."]);
  await versions.last().getByText("Added by you").waitFor();

  // Somebody else changes the movie first.
  const faster = async (route) => {
    await api(page, "PATCH", `/movies/${id}`, { runtime: 90 });
    await route.continue();
  };
  await page.route("**/versions/1/restore", faster, { times: 1 });
  await page.getByRole("button", { name: "Restore version 1" }).click();
  await page.getByText("This movie was changed since you opened it.").waitFor();
  await page.getByRole("heading", { name: "Version 3" }).waitFor();
  await page.getByRole("button", { name: "Restore version 1" }).click();
  await heading(page, name);
  await page.locator(".line", { hasText: "1998" }).waitFor();
  await page.getByRole("link", { name: "Mia Falk" }).waitFor();
  const { body } = await api(page, "GET", `/movies/${id}`);
  assert.deepEqual([body.version, body.runtime, body.plot], [4, undefined, undefined]);
});

story("a deletion is undone at once, or later", { expected: [409] }, async (newcomer) => {
  const page = await newcomer();
  const name = `Here Again ${process.pid}`;
  await signUp(page);
  const id = await addMovie(page, name);
  await remove(page);
  await page.getByText(`“${name}” is deleted.`).first().waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await heading(page, name);
  assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 0);

  await remove(page);
  await page.getByRole("link", { name: "Deleted movies" }).click();
  await heading(page, "Deleted movies");
  const { body } = await api(page, "POST", "/movies", { name, casts: [], genres: ["Drama"] });
  await page.getByRole("button", { name: `Restore ${name}` }).click();
  await page.getByText("A movie with this name already exists in this year.").waitFor();
  await api(page, "PATCH", `/movies/${body.id}`, { year: 2001 });
  await page.getByRole("button", { name: `Restore ${name}` }).click();
  await heading(page, name);
  assert.equal(page.url().split("/").at(-1), id);
  await page.goto(page.url().replace(/#.*/, "#/trash"));
  await page.getByText("You have no deleted movies to restore.").waitFor();
});

story("a server without a log says that a deletion cannot be undone", { expected: [501] }, async (newcomer) => {
  const page = await newcomer();
  const name = `For Good ${process.pid}`;
  await signUp(page);
  await addMovie(page, name);
  await page.route("**/api/users/me/trash*", (route) =>
    route.fulfill({ status: 501, contentType: "application/problem+json", body: '{"status":501,"code":"no-events"}' }),
  );
  await page.getByRole("button", { name: "Delete" }).click();
  await page.getByText("This cannot be undone.").waitFor();
  await page.getByRole("button", { name: "Delete it" }).click();
  await heading(page, "My movies");
  assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 0);
});
