// @ts-check
// Signing in with another provider: the way there, the way back, and the providers that are linked to an account.

import { go, wayBack } from "./address.js";
import { Problem, browserName, enter, get, request } from "./api.js";
import { day, h } from "./dom.js";
import { currentPassword, removable } from "./devices.js";
import { form } from "./forms.js";

/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */
/** @typedef {{ id: string, name: string }} Provider */

/** What this tab keeps while the browser is at a provider. Only this tab can finish the sign-in that it began. */
const KEY = "movie-bag.sign-in";

/** Why a sign-in failed, by the code behind `#error=`. @type {Record<string, string>} */
const WORDS = {
  "access-denied": "The sign-in was refused, either by the provider or because this service accepts no new accounts.",
  "email-taken":
    "There is already an account with your email. Log in with your password, then link the provider on your account page.",
  "email-not-verified": "The provider has not confirmed your email address. Confirm it there, then try again.",
  "provider-failed": "The provider gave an unexpected answer. Try again later.",
  "link-failed": "The provider was not linked. It may be linked to another account already, or the sign-in took too long.",
  overloaded: "The server is busy. Please try again.",
  "invalid-exchange-code": "The sign-in took too long, or you began it in another tab. Please try again.",
};

const base64url = (/** @type {Uint8Array} */ bytes) =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** Sends the browser to a provider. @param {string} id @param {{ back: string, ticket?: string }} options */
async function begin(id, { back, ticket }) {
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  sessionStorage.setItem(KEY, JSON.stringify({ verifier, back }));
  const query = new URLSearchParams({
    challenge: base64url(new Uint8Array(digest)),
    return_to: `${location.origin}/`,
    ...(ticket && { link_ticket: ticket }),
  });
  location.assign(`/api/auth/oidc/${id}/start?${query}`);
}

/** A button for each provider. The page does not wait for them: they come last, so that nothing else moves.
 * @param {URLSearchParams} query */
export function signInButtons(query) {
  const place = h("div");
  const button = (/** @type {Provider} */ { id, name }) =>
    h("button", { type: "button", onclick: () => begin(id, { back: wayBack(query) }) }, `Sign in with ${name}`);
  const fill = (/** @type {{ items: Provider[] }} */ { items }) => {
    if (!items.length) return;
    place.append(h("div.actions", { role: "group", "aria-label": "Other providers" }, items.map(button)));
  };
  // Browsers compute the challenge only on https and on localhost. Providers return only there, too.
  if (crypto.subtle) {
    get("/auth/providers").then(fill, (problem) => {
      // A login with a password still works.
      if (!(problem instanceof Problem)) throw problem;
    });
  }
  return place;
}

/** What this tab has begun. It can be read once. @returns {{ verifier: string, back: string } | null} */
function begun() {
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  return kept ? JSON.parse(kept) : null;
}

/** The page to which a provider sends the browser back. @param {Address} address @returns {Promise<View>} */
export async function returned({ path }) {
  const [, kind, value] = path.match(/^(code|error)=([\w-]*)$/) ?? [];
  // The code must not stay in the address bar or in the history.
  history.replaceState(history.state, "", "#/signed-in");
  const began = begun();
  const back = began?.back ?? "#/";
  let why = value;
  if (kind !== "error") {
    try {
      if (kind !== "code" || !began) throw new Problem({ code: "invalid-exchange-code" });
      const body = { code: value, verifier: began.verifier, name: browserName() };
      await enter((await request("POST", "/auth/exchange", { body, token: "" })).body.token);
      go(back, { replace: true });
      return { title: "Signed in", body: h("div.page.narrow", {}, h("h1", { tabindex: -1 }, "Signed in")) };
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      why = problem.code;
    }
  }
  const words = Object.hasOwn(WORDS, why) ? WORDS[why] : "The sign-in failed. Please try again.";
  const [href, where] = back === "#/account" ? [back, "Go to your account"] : ["#/login", "Go to the login page"];
  return {
    title: "Not signed in",
    body: h(
      "div.page.narrow",
      {},
      h("h1", { tabindex: -1 }, "Not signed in"),
      h("p", { role: "alert" }, words),
      h("div.actions", {}, h("a.button", { href }, where)),
    ),
  };
}

/** The linked providers of the account, and those that can be linked. @param {import("./api.js").User} user */
export async function identities(user) {
  /** @type {[{ items: { provider: string, linked_at: string }[] }, { items: Provider[] }]} */
  const [{ items: linked }, { items: offered }] = await Promise.all([
    get("/users/me/identities"),
    get("/auth/providers"),
  ]);
  if (!linked.length && !offered.length) return null;
  const nameOf = (/** @type {string} */ id) => offered.find((provider) => provider.id === id)?.name ?? id;
  const rows = linked.map(({ provider, linked_at }) =>
    removable({
      label: nameOf(provider),
      words: `Linked on ${day(linked_at)}.`,
      press: `Unlink ${nameOf(provider)}`,
      path: `/users/me/identities/${provider}`,
    }),
  );
  const isLinked = (/** @type {Provider} */ { id }) => linked.some(({ provider }) => provider === id);
  const links = offered
    .filter((provider) => !isLinked(provider))
    .map(
      ({ id, name }) =>
        form({
          label: `Link ${name}`,
          fields: currentPassword(user),
          submit: `Link ${name}`,
          look: "",
          async send(body) {
            const { body: made } = await request("POST", "/users/me/identities", { body });
            await begin(id, { back: "#/account", ticket: made.link_ticket });
          },
        }).node,
    );
  return h(
    "section",
    {},
    h("h2", {}, "Other providers"),
    h("p", {}, "You can sign in with any provider that is linked to your account."),
    h("ul.plain", { "aria-label": "Linked providers" }, rows),
    links,
  );
}
