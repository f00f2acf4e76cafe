// @ts-check
// Signing up, logging in, forgotten passwords, and the page of the user's own account.

import { go, wayBack } from "./address.js";
import { Problem, logIn as startSession, request, session } from "./api.js";
import { counted, day, h, narrow, replaceWithNotice } from "./dom.js";
import { confirmation, currentPassword, sessions, tokens } from "./devices.js";
import { field, form } from "./forms.js";
import { identities, signInButtons } from "./providers.js";

/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** Why the login page is shown, by the code in its address. @type {Record<string, string>} */
const REASONS = {
  "login-needed": "Log in to open this page.",
  "expired-token": "Your login has expired. Please log in again.",
  "revoked-token": "You were logged out, here or from another browser, or your password was changed.",
  "invalid-token": "Please log in again.",
  "missing-token": "Log in to open this page.",
  "logged-out-everywhere": "You are logged out everywhere.",
  "password-reset": "Your password is changed. Log in with the new one.",
  "account-deleted": "Your account and all your movies are deleted. Thank you for using Movie Bag.",
};

const email = (/** @type {any} */ more = {}) =>
  field("email", "Email", { type: "email", autocomplete: "username", ...more });
const newPassword = (/** @type {string} */ label = "Password") =>
  field("password", label, {
    type: "password",
    autocomplete: "new-password",
    hint: "At least 8 characters, and not a common password.",
  });

/** @param {Address} address */
export function logIn({ query }) {
  const { node } = form({
    fields: [email(), field("password", "Password", { type: "password", autocomplete: "current-password" })],
    submit: "Log in",
    async send({ email, password }) {
      await startSession(email, password);
      go(wayBack(query), { replace: true });
    },
  });
  const code = query.get("why") ?? "";
  const why = Object.hasOwn(REASONS, code) && REASONS[code];
  return narrow(
    "Log in",
    why && h("p.notice", {}, why),
    node,
    h("p.aside", {}, h("a", { href: "#/forgot" }, "Forgot your password?")),
    h(
      "p.aside",
      {},
      "New here? ",
      h("a", { href: `#/signup?${new URLSearchParams({ back: wayBack(query) })}` }, "Sign up"),
    ),
    signInButtons(query),
  );
}

/** @param {Address} address */
export function signUp({ query }) {
  const { node } = form({
    fields: [email(), newPassword()],
    submit: "Sign up",
    async send({ email, password }) {
      await request("POST", "/auth/signup", { body: { email, password } });
      await startSession(email, password);
      go(wayBack(query), { replace: true });
    },
  });
  return narrow(
    "Sign up",
    h("p.lead", {}, "With an account you can add movies and change those that you added."),
    node,
    h(
      "p.aside",
      {},
      "Already have an account? ",
      h("a", { href: `#/login?${new URLSearchParams({ back: wayBack(query) })}` }, "Log in"),
    ),
    signInButtons(query),
  );
}

export function forgot() {
  const { node } = form({
    fields: [email()],
    submit: "Send me a link",
    async send({ email }) {
      await request("POST", "/auth/forgot", { body: { email } });
      replaceWithNotice(node, `If ${email} has an account, we sent a link to it. The link works once, within an hour.`);
    },
  });
  return narrow("Forgot your password?", h("p.lead", {}, "We mail you a link to choose a new one."), node);
}

/** @param {Address} address */
export function reset({ query }) {
  const token = query.get("token") ?? "";
  // The link is worth as much as a password, so it must not stay in the address bar or in the history.
  history.replaceState(history.state, "", "#/reset");
  // The page was loaded again.
  if (!token) {
    const another = h("a", { href: "#/forgot" }, "get a new one");
    return narrow("New password", h("p.lead", {}, "Open the link in the mail that you got, or ", another, "."));
  }
  const { node } = form({
    fields: [newPassword("New password")],
    submit: "Change the password",
    async send({ password }) {
      await request("POST", "/auth/reset", { body: { reset_token: token, password } });
      session.current = null;
      go("#/login?why=password-reset", { replace: true });
    },
    onProblem(problem, notice) {
      if (problem.code !== "invalid-reset-token") return false;
      notice(h("p", {}, "This link was used before or is too old. ", h("a", { href: "#/forgot" }, "Get a new one")));
      return true;
    },
  });
  return narrow("New password", node);
}

/** @returns {Promise<View>} */
export async function account() {
  /** @type {import("./api.js").User} */
  const user = (await request("GET", "/users/me")).body;
  const [logins, scripts, providers] = await Promise.all([sessions(), tokens(user), identities(user)]);
  // The role may have changed since the login.
  if (session.current) session.current = { ...session.current, user };
  const done = (/** @type {Element} */ place, /** @type {string} */ text) => {
    place.querySelector(".notice")?.remove();
    const notice = h("p.notice", { tabindex: -1 }, text);
    place.prepend(notice);
    notice.focus();
  };

  const address = form({
    label: "Change the email",
    fields: [field("email", "New email", { type: "email", autocomplete: "email" }), ...currentPassword(user)],
    submit: "Change the email",
    async send(body) {
      const { body: changed } = await request("PATCH", "/users/me", { body });
      if (session.current) session.current = { ...session.current, user: changed };
      document.querySelector(".who")?.replaceChildren(changed.email);
      done(address.node, `Your email is now ${changed.email}.`);
      address.node.reset();
    },
  });
  const password = form({
    label: "Change the password",
    fields: [...currentPassword(user), newPassword("New password")],
    submit: user.has_password ? "Change the password" : "Choose a password",
    // A password manager stores the password with this name.
    more: [h("input", { type: "text", autocomplete: "username", value: user.email, hidden: true })],
    async send(body) {
      const { body: changed } = await request("PATCH", "/users/me", { body });
      // A new password ends every session, including this one.
      await startSession(changed.email, body.password);
      done(password.node, "Your password is changed. All other browsers are logged out.");
      password.node.reset();
    },
  });
  const farewell = form({
    label: "Delete your account",
    fields: [field("typed", "Type your email to confirm", { type: "email", autocomplete: "off" })],
    submit: "Delete my account",
    look: ".danger",
    async send({ typed }) {
      if (typed.trim().toLowerCase() !== user.email) {
        throw new Problem({ errors: [{ field: "typed", code: "differs", message: `is not ${user.email}` }] });
      }
      await request("DELETE", "/users/me");
      session.current = null;
      go("#/login?why=account-deleted", { replace: true });
    },
  });
  const everywhere = form({
    label: "Log out everywhere",
    fields: [],
    submit: "Log out everywhere",
    look: "",
    async send() {
      await request("POST", "/auth/logout-all");
      session.current = null;
      go("#/login?why=logged-out-everywhere", { replace: true });
    },
  });
  return narrow(
    "Account",
    h(
      "p.lead",
      {},
      h("strong.who", {}, user.email),
      ` · joined ${day(user.created_at)} · `,
      h("a", { href: "#/mine" }, counted(user.movie_count ?? 0, "movie")),
    ),
    h("section", {}, h("h2", {}, "Email"), confirmation(user), address.node),
    h(
      "section",
      {},
      h("h2", {}, "Password"),
      !user.has_password && h("p", {}, "Your account has no password. You sign in with a provider."),
      password.node,
    ),
    providers,
    user.role === "admin" &&
      h(
        "section",
        {},
        h("h2", {}, "Administration"),
        h("p", {}, "You are an admin. ", h("a", { href: "#/users" }, "Manage users")),
      ),
    h(
      "section",
      {},
      h("h2", {}, "Where you are logged in"),
      logins,
      h("p", {}, "Log out in every browser, including this one:"),
      everywhere.node,
    ),
    h(
      "section",
      {},
      h("h2", {}, "Tokens for scripts"),
      h("p", {}, "Give a script a token instead of your password. It can do only what you permit."),
      scripts,
    ),
    h(
      "section",
      {},
      h("h2", {}, "Delete your account"),
      h("p", {}, "This deletes your account and every movie that you own. It cannot be undone."),
      farewell.node,
    ),
  );
}
