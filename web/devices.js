// @ts-check
// Sessions, tokens for scripts, and the link that confirms an email address.

import { get, request, session } from "./api.js";
import { announce, h, moment, narrow, removeRow, replaceWithNotice } from "./dom.js";
import { choice, field, form } from "./forms.js";

/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */
/** @typedef {{ id: string, name: string, last_used_at: string, expires_at: string, current: boolean }} Session */
/** @typedef {{ id: string, name: string, scopes: string[], last_used_at: string | null, expires_at: string, token?: string }} Token */

/** The scopes that a token can have. @type {[string, string][]} */
const SCOPES = [
  ["movies:write", "Add, change and delete movies"],
  ["account:read", "Read your account and your movies"],
  ["movies:write account:read", "Change movies and read your account"],
];

/** @param {string[]} scopes */
function permission(scopes) {
  const value = [...scopes].sort().reverse().join(" ");
  return SCOPES.find(([known]) => known === value)?.[1] ?? value;
}

/** The field that proves who is asking. An account without a password has no such field: a recent sign-in is the proof.
 * @param {import("./api.js").User} user */
export const currentPassword = (user) =>
  user.has_password
    ? [field("current_password", "Current password", { type: "password", autocomplete: "current-password" })]
    : [];

/** An entry of a list, with a button that removes it.
 * @param {{ label: string, words: string, press: string, path: string }} entry */
export function removable({ label, words, press, path }) {
  const { node, notice } = form({
    label,
    fields: [],
    submit: press,
    name: `${press}: ${label}`,
    look: "",
    async send() {
      await request("DELETE", path);
      removeRow(row);
      announce(`${label} is removed`);
    },
    onProblem(problem) {
      // Another browser has removed it already.
      if (problem.status === 404) removeRow(row);
      else notice(h("p", {}, problem.words));
      return true;
    },
  });
  const row = h("li", {}, h("strong", {}, label), h("p", {}, words), node);
  return row;
}

/** The sessions of the account. */
export async function sessions() {
  /** @type {{ items: Session[] }} */
  const { items } = await get("/users/me/sessions");
  return h(
    "ul.plain",
    { "aria-label": "Sessions" },
    items.map(({ id, name, last_used_at, current }) =>
      current
        ? h("li", {}, h("strong", {}, name), h("p", {}, "This is the browser you are using."))
        : removable({
            label: name,
            words: `Last used ${moment(last_used_at)}.`,
            press: "End this session",
            path: `/users/me/sessions/${id}`,
          }),
    ),
  );
}

/** The personal access tokens of the account, and a form for a new one. @param {import("./api.js").User} user */
export async function tokens(user) {
  /** @type {{ items: Token[] }} */
  const { items } = await get("/users/me/tokens");
  const row = (/** @type {Token} */ { id, name, scopes, last_used_at, expires_at }) =>
    removable({
      label: name,
      words: `${permission(scopes)}. ${last_used_at ? `Last used ${moment(last_used_at)}` : "Never used"}. Expires ${moment(expires_at)}.`,
      press: "Delete this token",
      path: `/users/me/tokens/${id}`,
    });
  const list = h("ul.plain", { "aria-label": "Tokens" }, items.map(row));
  const secret = h("div", { role: "status" });
  const { node } = form({
    label: "Create a token",
    fields: [
      field("name", "Name", { hint: "What the token is for: the name of a script, for example." }),
      choice("scopes", "Permissions", SCOPES),
      ...currentPassword(user),
    ],
    submit: "Create a token",
    async send({ name, scopes, current_password }) {
      const body = { name, scopes: scopes.split(" "), current_password };
      /** @type {{ body: Token }} */
      const { body: made } = await request("POST", "/users/me/tokens", { body });
      secret.replaceChildren(
        h("p.notice", {}, "Copy your token now. It is not shown again. ", h("code", {}, made.token)),
      );
      list.prepend(row(made));
      node.reset();
    },
  });
  return h("div", {}, list, secret, node);
}

/** Whether the address is confirmed, and a button that has a link mailed. @param {import("./api.js").User} user */
export function confirmation(user) {
  if (user.email_verified) return h("p", {}, "Your email address is confirmed.");
  const { node } = form({
    label: "Confirm your email address",
    fields: [],
    submit: "Send me a link",
    look: "",
    async send() {
      await request("POST", "/users/me/verification");
      replaceWithNotice(node, `We sent a link to ${user.email}.`);
    },
  });
  return h("div", {}, h("p", {}, "Your email address is not confirmed yet. Open the link that we mail you to confirm it."), node);
}

/** The page of such a link. @param {Address} address @returns {View} */
export function verify({ query }) {
  const token = query.get("token") ?? "";
  // It works once, so it must not stay in the address bar or in the history.
  history.replaceState(history.state, "", "#/verify");
  const title = "Confirm your email address";
  // The page was loaded again.
  if (!token) {
    const another = h("a", { href: "#/account" }, "account page");
    return narrow(title, h("p.lead", {}, "Open the link in the mail that you got, or get a new one on your ", another, "."));
  }
  // Some mail servers open every link. That must not use it up, so the person confirms with a button.
  const { node } = form({
    fields: [],
    submit: "Confirm my email address",
    async send() {
      await request("POST", "/auth/verify", { body: { verify_token: token } });
      if (session.current) {
        session.current = { ...session.current, user: { ...session.current.user, email_verified: true } };
      }
      replaceWithNotice(node, "Your email address is confirmed. Thank you.");
    },
    onProblem(problem, notice) {
      if (problem.code !== "invalid-verify-token") return false;
      const words = "This link was used before or is too old. Get a new one on your ";
      notice(h("p", {}, words, h("a", { href: "#/account" }, "account page"), "."));
      return true;
    },
  });
  return narrow(title, node);
}
