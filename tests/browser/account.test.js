// Sessions, tokens for scripts, and the link that confirms an address.

import assert from "node:assert/strict";
import { PASSWORD, base, heading, logIn, scan, serverLog, signUp, story } from "./support.js";

const accountOf = async (page) => {
  await page.getByRole("link", { name: "Account", exact: true }).click();
  await heading(page, "Account");
};

story("a session is ended from another browser", { expected: [401] }, async (newcomer) => {
  const [here, there] = [await newcomer(), await newcomer({ userAgent: "The other browser" })];
  const email = await signUp(here);
  await there.getByRole("link", { name: "Log in" }).click();
  await logIn(there, email);
  await there.getByRole("link", { name: "Account", exact: true }).waitFor();
  await accountOf(here);
  const mine = here.getByRole("listitem").filter({ hasText: "This is the browser you are using." });
  await mine.getByText("Chrome on Linux", { exact: true }).waitFor();
  const other = here.getByRole("listitem").filter({ hasText: "The other browser" });
  await other.getByRole("button", { name: /^End this session: The other browser/ }).click();
  await other.waitFor({ state: "detached" });
  // From there a keyboard user can continue.
  assert.ok(await here.evaluate(() => document.querySelector("main").contains(document.activeElement)));
  await there.getByRole("link", { name: "Account", exact: true }).click();
  await there.getByText("You were logged out").waitFor();
  await here.reload();
  await heading(here, "Account");
});

story("a token for a script is shown once, works, and is deleted", { expected: [401, 403] }, async (newcomer) => {
  const page = await newcomer();
  await signUp(page);
  await accountOf(page);
  const form = page.getByRole("form", { name: "Create a token" });
  await form.getByLabel("Name").fill("backup");
  await form.getByLabel("Permissions").selectOption("Read your account and your movies");
  await form.getByLabel("Current password").fill("not this one");
  await form.getByRole("button", { name: "Create a token" }).click();
  await form.getByText("1 field needs another look.").waitFor();
  await form.getByLabel("Current password").fill(PASSWORD);
  await form.getByRole("button", { name: "Create a token" }).click();
  const token = await page.getByText(/^mbp_/).textContent();
  await scan(page, "the account with a token");
  const status = async () => {
    const headers = { Authorization: `Bearer ${token}` };
    return page.evaluate(async (headers) => (await fetch("/api/users/me", { headers })).status, headers);
  };
  assert.equal(await status(), 200);
  await page.reload();
  await heading(page, "Account");
  assert.equal(await page.getByText(/^mbp_/).count(), 0);
  const row = page.getByRole("listitem").filter({ hasText: "backup" });
  await row.getByRole("button", { name: "Delete this token: backup" }).click();
  await row.waitFor({ state: "detached" });
  assert.equal(await status(), 401);
});

story("an address is confirmed by a link that works once", { expected: [422] }, async (newcomer) => {
  const page = await newcomer();
  const email = await signUp(page);
  await accountOf(page);
  await page.getByText("Your email address is not confirmed yet.").waitFor();
  await page.getByRole("form", { name: "Confirm your email address" }).getByRole("button").click();
  await page.getByText(`We sent a link to ${email}.`).waitFor();
  // The link of the sign-up, and the one that replaces it.
  let links = [];
  for (let attempt = 0; links.length < 2 && attempt < 100; attempt++) {
    const letters = (await serverLog()).split("\n").filter((line) => line.includes(`to="${email}"`));
    links = letters.join("\n").match(/#\/verify\?token=[\w-]+/g) ?? [];
    if (links.length < 2) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const open = async () => {
    await page.goto("about:blank");
    await page.goto(`${base}/${links.at(-1)}`);
    await heading(page, "Confirm your email address");
    assert.equal(new URL(page.url()).hash, "#/verify");
    await page.getByRole("button", { name: "Confirm my email address" }).click();
  };
  await open();
  await page.getByText("Your email address is confirmed. Thank you.").waitFor();
  await accountOf(page);
  await page.getByText("Your email address is confirmed.").waitFor();
  await open();
  await page.getByText("This link was used before or is too old.").waitFor();
  await page.reload();
  await page.getByText("Open the link in the mail that you got").waitFor();
});
