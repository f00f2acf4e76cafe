// Several windows: what a stranger may not do, and how a change arrives in the other windows.

import assert from "node:assert/strict";
import { addMovie, api, field, heading, OLD_FILMS, signUp, story } from "./support.js";

story("a stranger gets no buttons, and 403 behind them", { expected: [403] }, async (newcomer) => {
  const [owner, stranger] = [await newcomer(), await newcomer()];
  const name = `Mine Alone ${process.pid}`;
  await signUp(owner);
  await signUp(stranger);
  const id = await addMovie(owner, name);
  await stranger.goto(owner.url());
  await heading(stranger, name);
  assert.equal(await stranger.getByRole("link", { name: "Edit" }).count(), 0);
  assert.equal(await stranger.getByRole("button", { name: "Delete" }).count(), 0);

  await stranger.goto(`${owner.url()}/edit`);
  await stranger.getByText("Only this movie's owner or an editor may change it.").waitFor();
  for (const [method, body] of [
    ["PATCH", { name: "Theirs" }],
    ["PUT", { name: "Theirs", casts: [], genres: ["Drama"] }],
    ["DELETE"],
  ]) {
    const answer = await api(stranger, method, `/movies/${id}`, body);
    assert.deepEqual([answer.status, answer.body.code], [403, "not-owner"]);
  }
  await owner.reload();
  await heading(owner, name);
});

story("a change in one window appears in the other", {}, async (newcomer) => {
  const [owner, reader] = [await newcomer(), await newcomer()];
  const [first, second] = ["Before", "After"].map((word) => `${word} the Rain ${process.pid}`);
  await signUp(owner);
  await addMovie(owner, first);
  await reader.getByRole("button", { name: /new movie/ }).click();
  await reader.getByRole("link", { name: first }).waitFor();

  await owner.getByRole("link", { name: "Edit" }).click();
  await field(owner, "Name").fill(second);
  await owner.getByRole("button", { name: "Save" }).click();
  await heading(owner, second);
  await reader.getByRole("link", { name: second }).click();
  await heading(reader, second);

  await owner.getByRole("button", { name: "Delete" }).click();
  await owner.getByRole("button", { name: "Delete it" }).click();
  await reader.getByText("This movie was deleted just now.").waitFor();
});

story("without events the client still works", { expected: [501], start: OLD_FILMS }, async (newcomer) => {
  const page = await newcomer();
  await page.route("**/api/movies/events", (route) => route.fulfill({ status: 501, body: "{}" }));
  await page.reload();
  const name = await page.locator(".card .name").first().textContent();
  await page.locator(".card a").first().click();
  await heading(page, name);
});
