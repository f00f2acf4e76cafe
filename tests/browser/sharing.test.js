// A movie that several people edit: inviting, accepting, leaving, handing over.

import assert from "node:assert/strict";
import { addMovie, api, assertNoSidewaysScroll, base, field, heading, logIn, newEmail, scan, serverLog, signUp, story } from "./support.js";

/** Opens the invitation that was mailed to somebody last. */
async function openInvitation(page, email) {
  let links = null;
  for (let attempt = 0; !links && attempt < 100; attempt++) {
    const letters = (await serverLog()).split("\n").filter((line) => line.includes(`to="${email}"`));
    links = letters.join("\n").match(/#\/invitation\?token=[\w-]+/g);
    if (!links) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await page.goto("about:blank");
  await page.goto(`${base}/${links.at(-1)}`);
  await heading(page, "Invitation to a movie");
  assert.equal(new URL(page.url()).hash, "#/invitation");
}

async function invite(page, email, what) {
  await page.getByRole("link", { name: "Sharing" }).click();
  const form = page.getByRole("form", { name: "Invite someone" });
  await form.getByLabel("Email").fill(email);
  await form.getByLabel("Role").selectOption(what);
  await form.getByRole("button").click();
  await page.getByText(`We sent an invitation to ${email}.`).waitFor();
}

const toMovie = async (page, name) => {
  await page.getByRole("link", { name: "Back to the movie" }).click();
  await heading(page, name);
};

story("an editor is invited, edits, and leaves", { expected: [422] }, async (newcomer) => {
  const [owner, editor] = [await newcomer(), await newcomer()];
  const name = `Between Friends ${process.pid}`;
  await signUp(owner);
  const id = await addMovie(owner, name, { year: 1999 });
  await owner.getByRole("link", { name: "Sharing" }).click();
  await heading(owner, `Sharing “${name}”`);
  await owner.getByText("Only you can change this movie.").waitFor();
  await scan(owner, "sharing, without editors");
  await toMovie(owner, name);
  // The address need not be the account's, and there need not be an account yet.
  const address = newEmail();
  await invite(owner, address, "editor");

  await openInvitation(editor, address);
  await scan(editor, "an invitation, before the login");
  await editor.getByRole("link", { name: "Sign up to accept" }).click();
  await heading(editor, "Sign up");
  assert.ok(!editor.url().includes("token"), editor.url());
  const email = newEmail();
  await editor.getByLabel("Email").fill(email);
  await editor.getByLabel("Password").fill("plum-cake-at-noon");
  await editor.getByRole("button", { name: "Sign up" }).click();
  await heading(editor, "Invitation to a movie");
  await editor.getByText(`You are logged in as ${email}.`).waitFor();
  await scan(editor, "an invitation");
  await editor.getByRole("button", { name: "Accept the invitation" }).click();
  await heading(editor, name);
  await editor.getByRole("link", { name: "Edit" }).click();
  await field(editor, "Plot").fill("Two write one story.");
  await editor.getByRole("button", { name: "Save" }).click();
  await editor.getByText("Two write one story.").waitFor();
  assert.equal(await editor.getByRole("button", { name: "Delete" }).count(), 0);
  await owner.getByRole("link", { name: "Back to the movie" }).click();
  await owner.getByText("Two write one story.").waitFor();

  await openInvitation(editor, address);
  await editor.getByRole("button", { name: "Accept the invitation" }).click();
  await editor.getByText("This invitation was used before").waitFor();

  await editor.getByRole("link", { name: "My movies" }).click();
  await editor.getByRole("link", { name: "Shared with me" }).click();
  await heading(editor, "Shared with me");
  await scan(editor, "shared with me");
  await assertNoSidewaysScroll(editor, "shared with me");
  await editor.getByRole("link", { name }).click();
  await editor.getByRole("link", { name: "Sharing" }).click();
  await editor.getByText("You edit this movie for its owner.").waitFor();
  await scan(editor, "sharing, for an editor");
  await editor.getByRole("button", { name: "Stop editing this movie" }).click();
  await heading(editor, "Shared with me");
  await editor.getByText("Nobody shares a movie with you yet.").waitFor();
  const { status } = await api(editor, "GET", `/movies/${id}`);
  assert.equal(status, 200);
});

story("an owner removes an editor, and hands the movie over", {}, async (newcomer) => {
  const [owner, other] = [await newcomer(), await newcomer()];
  const name = `Passed On ${process.pid}`;
  const first = await signUp(owner);
  const email = await signUp(other);
  await addMovie(owner, name);
  await invite(owner, email, "editor");
  await openInvitation(other, email);
  await other.getByRole("button", { name: "Accept the invitation" }).click();
  await heading(other, name);
  await other.getByRole("link", { name: "Edit" }).waitFor();
  await owner.reload();
  const editor = owner.getByRole("listitem").filter({ hasText: email });
  await scan(owner, "sharing, with an editor");
  await editor.getByRole("button", { name: "Remove" }).click();
  await owner.getByText("Only you can change this movie.").waitFor();
  await other.reload();
  await heading(other, name);
  assert.equal(await other.getByRole("link", { name: "Edit" }).count(), 0);

  await toMovie(owner, name);
  await invite(owner, email, "owner");
  await openInvitation(other, email);
  await other.getByRole("button", { name: "Accept the invitation" }).click();
  await heading(other, name);
  await other.getByRole("button", { name: "Delete" }).waitFor();
  await other.getByRole("link", { name: "Sharing" }).click();
  await other.getByRole("listitem").filter({ hasText: first }).waitFor();
  // The former owner edits.
  await toMovie(owner, name);
  await owner.getByRole("link", { name: "Edit" }).waitFor();
  assert.equal(await owner.getByRole("button", { name: "Delete" }).count(), 0);
  await owner.getByRole("link", { name: "Log out" }).or(owner.getByRole("button", { name: "Log out" })).click();
  await owner.getByRole("link", { name: "Log in" }).click();
  await logIn(owner, first);
  await owner.getByRole("link", { name: "My movies" }).click();
  await owner.getByRole("link", { name: "Shared with me" }).click();
  await owner.getByRole("link", { name }).waitFor();
});
