// Signing in with another provider: a real one, `provider.js`.

import assert from "node:assert/strict";
import { PASSWORD, api, base, heading, newEmail, scan, serverLog, signUp, story } from "./support.js";

const SIGN_IN = "Sign in with The Provider";

/** At the provider, whose page has one field. @param {import("playwright-core").Page} page @param {string} email */
async function atProvider(page, email) {
  await page.getByLabel("Who are you?").fill(email);
  await page.getByRole("button", { name: "Sign in" }).click();
}

async function toProvider(page) {
  await page.getByRole("link", { name: "Log in" }).click();
  await heading(page, "Log in");
  await page.getByRole("button", { name: SIGN_IN }).click();
  await page.getByLabel("Who are you?").waitFor();
}

const account = async (page) => {
  await page.getByRole("link", { name: "Account", exact: true }).click();
  await heading(page, "Account");
};

const me = async (page) => (await api(page, "GET", "/users/me")).body;

story("somebody signs in with a provider, and again", { atProvider: true }, async (newcomer) => {
  const [page, other] = [await newcomer(), await newcomer()];
  const email = newEmail();
  // The sign-in leads back to the page that asked for it.
  await page.goto(`${base}/#/add`);
  await heading(page, "Log in");
  await scan(page, "the login with a provider");
  await page.getByRole("button", { name: SIGN_IN }).click();
  await atProvider(page, email);
  await heading(page, "Add a movie");
  // No code stays in the address bar or in the history.
  assert.equal(page.url(), `${base}/#/add`);
  await page.getByRole("link", { name: "Account", exact: true }).waitFor();
  const user = await me(page);
  assert.deepEqual([user.email, user.email_verified, user.has_password], [email, true, false]);
  // The provider still knows the person, so it asks nothing.
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByRole("link", { name: "Log in" }).click();
  await page.getByRole("button", { name: SIGN_IN }).click();
  await page.getByRole("link", { name: "My movies" }).waitFor();
  assert.equal((await me(page)).id, user.id);
  await toProvider(other);
  await atProvider(other, email);
  await other.getByRole("link", { name: "My movies" }).waitFor();
  assert.equal((await me(other)).id, user.id);
  // Neither the codes nor the link of a sign-in are in the log.
  assert.doesNotMatch(await serverLog(), /[?#&](code|challenge|link_ticket)=/);
});

story("an account without a password gets one", { atProvider: true, expected: [409] }, async (newcomer) => {
  const page = await newcomer();
  const email = newEmail();
  await toProvider(page);
  await atProvider(page, email);
  await account(page);
  await page.getByText("Your account has no password").waitFor();
  assert.equal(await page.getByLabel("Current password").count(), 0);
  await scan(page, "the account of a provider");
  const linked = page.getByRole("list", { name: "Linked providers" }).getByRole("listitem");
  await linked.getByRole("button", { name: "Unlink The Provider" }).click();
  await page.getByText("Choose a password or link another provider first.").waitFor();
  await page.getByRole("form", { name: "Change the password" }).getByLabel("New password").fill(PASSWORD);
  await page.getByRole("button", { name: "Choose a password" }).click();
  await page.getByText("Your password is changed.").waitFor();
  await page.reload();
  await heading(page, "Account");
  await linked.getByRole("button", { name: "Unlink The Provider" }).click();
  await linked.waitFor({ state: "detached" });
  assert.deepEqual((await api(page, "GET", "/users/me/identities")).body, { items: [] });
});

story("a provider is linked to an account, and then signs in to it", { atProvider: true, expected: [403] }, async (newcomer) => {
  const [page, other] = [await newcomer(), await newcomer()];
  await signUp(page);
  const user = await me(page);
  await account(page);
  const form = page.getByRole("form", { name: "Link The Provider" });
  await form.getByLabel("Current password").fill("not this one");
  await form.getByRole("button", { name: "Link The Provider" }).click();
  await form.getByText("1 field needs another look.").waitFor();
  await form.getByLabel("Current password").fill(PASSWORD);
  await form.getByRole("button", { name: "Link The Provider" }).click();
  // The address at the provider does not matter.
  const there = newEmail();
  await atProvider(page, there);
  await heading(page, "Account");
  await page.getByText("Linked on").waitFor();
  assert.equal((await me(page)).id, user.id);
  await toProvider(other);
  await atProvider(other, there);
  await other.getByRole("link", { name: "My movies" }).waitFor();
  assert.equal((await me(other)).id, user.id);
});

story("a sign-in that fails says why", { atProvider: true, expected: [422] }, async (newcomer) => {
  const [page, other] = [await newcomer(), await newcomer()];
  await toProvider(page);
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("The sign-in was refused").waitFor();
  assert.equal(page.url(), `${base}/#/signed-in`);
  await scan(page, "a sign-in that failed");
  await toProvider(page);
  await atProvider(page, `unconfirmed-${newEmail()}`);
  await page.getByText("The provider has not confirmed your email address.").waitFor();
  const email = await signUp(other);
  const stranger = await newcomer();
  await toProvider(stranger);
  await atProvider(stranger, email);
  await stranger.getByText("There is already an account with your email.").waitFor();
  assert.equal(await stranger.getByRole("link", { name: "My movies" }).count(), 0);
  // A link with somebody else's code does nothing.
  await other.goto("about:blank");
  await other.goto(`${base}/#code=${"a".repeat(43)}`);
  await other.getByText("you began it in another tab").waitFor();
  assert.equal((await me(other)).email, email);
  assert.equal(other.url(), `${base}/#/signed-in`);
});
