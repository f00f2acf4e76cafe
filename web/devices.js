// @ts-check
// Where somebody is logged in, the tokens of their scripts, and the link that confirms their address.

import { get, request, session } from "./api.js";
import { h } from "./dom.js";
import { choice, field, form } from "./forms.js";

/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */
/** @typedef {{ id: string, name: string, last_used_at: string, expires_at: string, current: boolean }} Session */
/** @typedef {{ id: string, name: string, scopes: string[], last_used_at: string | null, expires_at: string, token?: string }} Token */

/** What a token may do. @type {[string, string][]} */
const SCOPES = [
  ["movies:write", "Add, change and delete movies"],
  ["account:read", "Read the account and its movies"],
  ["movies:write account:read", "Both"],
];

const moment = (/** @type {string} */ text) =>
  new Date(text).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });

/** What proves who asks: an account without a password has signed in just now instead.
 * @param {import("./api.js").User} user */
export const currentPassword = (user) =>
  user.has_password
    ? [field("current_password", "Current password", { type: "password", autocomplete: "current-password" })]
    : [];

/** An entry of a list, with a button that takes it out.
 * @param {{ label: string, words: string, press: string, path: string }} entry */
export function removable({ label, words, press, path }) {
  const { node, notice } = form({
    label,
    fields: [],
    submit: press,
    look: "",
    async send() {
      await request("DELETE", path);
      row.remove();
    },
    onProblem(problem) {
      // Another browser was quicker.
      if (problem.status === 404) row.remove();
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
        ? h("li", {}, h("strong", {}, name), h("p", {}, "This browser."))
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
      words: `${scopes.join(", ")}; ${last_used_at ? `last used ${moment(last_used_at)}` : "never used"}; expires ${moment(expires_at)}.`,
      press: "Delete this token",
      path: `/users/me/tokens/${id}`,
    });
  const list = h("ul.plain", { "aria-label": "Tokens" }, items.map(row));
  const secret = h("div", { role: "status" });
  const { node } = form({
    label: "Make a token",
    fields: [
      field("name", "What is it for?", { hint: "The name of the script, for example." }),
      choice("scopes", "What may it do?", SCOPES),
      ...currentPassword(user),
    ],
    submit: "Make a token",
    async send({ name, scopes, current_password }) {
      const body = { name, scopes: scopes.split(" "), current_password };
      /** @type {{ body: Token }} */
      const { body: made } = await request("POST", "/users/me/tokens", { body });
      secret.replaceChildren(
        h("p.notice", {}, "Copy the token now; nobody can show it again: ", h("code", {}, made.token)),
      );
      list.prepend(row(made));
      node.reset();
    },
  });
  return h("div", {}, list, secret, node);
}

/** Whether the address is confirmed, and a button that asks for a link. @param {import("./api.js").User} user */
export function confirmation(user) {
  if (user.email_verified) return h("p", {}, "Your address is confirmed.");
  const { node } = form({
    label: "Confirm the address",
    fields: [],
    submit: "Send me a link",
    look: "",
    async send() {
      await request("POST", "/users/me/verification");
      node.replaceWith(h("p.notice", { role: "status" }, `A link is on its way to ${user.email}.`));
    },
  });
  return h("div", {}, h("p", {}, "Your address is not confirmed. A link in a mail confirms it."), node);
}

/** The page of such a link. @param {Address} address @returns {View} */
export function verify({ query }) {
  const token = query.get("token") ?? "";
  // It works once: it does not stay in the address bar or in the history.
  history.replaceState(history.state, "", "#/verify");
  // Some mailboxes open every link: that alone must not use it up.
  const { node } = form({
    fields: [],
    submit: "Confirm my address",
    async send() {
      await request("POST", "/auth/verify", { body: { verify_token: token } });
      if (session.current) {
        session.current = { ...session.current, user: { ...session.current.user, email_verified: true } };
      }
      node.replaceWith(h("p.notice", { role: "status" }, "Your address is confirmed. Thank you."));
    },
    onProblem(problem, notice) {
      if (problem.code !== "invalid-verify-token") return false;
      const words = "This link is used already, or too old. Under ";
      notice(h("p", {}, words, h("a", { href: "#/account" }, "Account"), " you get a new one."));
      return true;
    },
  });
  const title = "Confirm your address";
  return { title, body: h("div.page.narrow", {}, h("h1", { tabindex: -1 }, title), node) };
}
