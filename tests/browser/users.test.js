// The page of all users, for admins.

import assert from "node:assert/strict";
import { CURATOR, addMovie, api, assertNoSidewaysScroll, base, heading, logIn, scan, signUp, story } from "./support.js";

async function asAdmin(page) {
  await page.getByRole("link", { name: "Log in" }).click();
  await logIn(page, CURATOR);
  await page.getByRole("link", { name: "My movies" }).waitFor();
}

const rowOf = (page, email) => page.getByRole("list", { name: "Users" }).getByRole("listitem").filter({ hasText: email });
const agree = (page, name) => page.getByRole("dialog").getByRole("button", { name }).click();

story("an admin finds a user, gives and takes the role, and deletes the account", { expected: [401, 403, 404, 409] }, async (newcomer) => {
  const [admin, person] = [await newcomer(), await newcomer()];
  const email = await signUp(person);
  const id = await addMovie(person, `Of No Admin ${process.pid}`);
  await asAdmin(admin);
  await admin.getByRole("link", { name: "Users", exact: true }).click();
  await heading(admin, "Users");
  await admin.getByText(/^\d+ users?, [\d,]+ movies$/).waitFor();
  await scan(admin, "the users");

  await admin.getByLabel("Email starts with").fill(email);
  const row = rowOf(admin, email);
  await admin.waitForFunction(() => document.querySelectorAll(".people > li").length === 1);
  assert.equal(admin.url(), `${base}/#/users?${new URLSearchParams({ email })}`);
  await admin.reload();
  await row.waitFor();
  assert.equal(await admin.getByLabel("Email starts with").inputValue(), email);
  await row.getByText("email not confirmed").waitFor();
  await row.getByRole("link", { name: `Movies of ${email}` }).click();
  await heading(admin, "Added by one user");
  await admin.getByText("1 movie", { exact: true }).waitFor();
  await admin.goBack();

  await row.getByRole("button", { name: "Make admin" }).click();
  await agree(admin, "Make admin");
  await row.getByText("Admin", { exact: true }).waitFor();
  await person.getByRole("link", { name: "Account" }).click();
  await person.getByRole("link", { name: "Manage users" }).click();
  await heading(person, "Users");
  await person.getByRole("link", { name: "Users", exact: true }).waitFor();

  await row.getByRole("button", { name: "Remove admin role" }).click();
  await agree(admin, "Remove the role");
  await row.getByRole("button", { name: "Make admin" }).waitFor();
  assert.equal(await row.getByText("Admin", { exact: true }).count(), 0);
  await person.reload();
  await heading(person, "Not allowed");
  await person.getByRole("link", { name: "Account" }).click();
  await heading(person, "Account");
  assert.equal(await person.getByRole("link", { name: /users/i }).count(), 0);

  await row.getByRole("button", { name: "Delete" }).click();
  await admin.getByText("It owns 1 movie.").waitFor();
  await scan(admin, "the question before an account is deleted");
  await agree(admin, "Keep it");
  await row.getByRole("button", { name: "Delete" }).click();
  await agree(admin, "Delete the account");
  await row.waitFor({ state: "detached" });
  await admin.getByText("No user has an email that starts like this.").waitFor();
  assert.equal((await api(admin, "GET", `/movies/${id}`)).status, 404);
  await person.reload();
  await person.getByText("You were logged out").waitFor();
});

story("the last admin stays one, and does not delete itself here", { expected: [409] }, async (newcomer) => {
  const page = await newcomer();
  await asAdmin(page);
  await page.goto(`${base}/#/users?email=${encodeURIComponent(CURATOR)}`);
  const row = rowOf(page, CURATOR);
  await row.getByText("You", { exact: true }).waitFor();
  assert.equal(await row.getByRole("button", { name: "Delete" }).count(), 0);
  await row.getByRole("button", { name: "Remove admin role" }).click();
  await page.getByText("You will no longer see this page.").waitFor();
  await agree(page, "Remove the role");
  await page.getByRole("dialog").getByRole("alert").filter({ hasText: "." }).waitFor();
  await agree(page, "Cancel");
  await row.getByText("Admin", { exact: true }).waitFor();
});

story("users are listed page by page, even on a phone", { viewport: { width: 360, height: 780 } }, async (newcomer) => {
  const [page, other] = [await newcomer(), await newcomer()];
  // There must be at least two users.
  await signUp(other);
  await asAdmin(page);
  await page.route("**/api/admin/users?**", (route) =>
    route.continue({ url: route.request().url().replace("limit=50", "limit=1") }),
  );
  await page.getByRole("link", { name: "Account" }).click();
  await page.getByRole("link", { name: "Manage users" }).click();
  await heading(page, "Users");
  assert.equal(await page.locator(".people > li").count(), 1);
  await page.getByRole("button", { name: "Show more" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".people > li").length === 2);
  assert.ok(await page.locator(".people > li").nth(1).evaluate((row) => row.contains(document.activeElement)));
  await assertNoSidewaysScroll(page, "the users");
});

story("a user who is not an admin does not see the users", { expected: [403] }, async (newcomer) => {
  const page = await newcomer();
  await page.goto(`${base}/#/users`);
  await heading(page, "Log in");
  await page.goto(`${base}/#/`);
  await heading(page, "All movies");
  await signUp(page);
  assert.equal(await page.getByRole("link", { name: "Users" }).count(), 0);
  await page.goto(`${base}/#/users`);
  await heading(page, "Not allowed");
  assert.equal(await page.getByRole("list", { name: "Users" }).count(), 0);
});
