// @ts-check
// Sharing a movie: its editors, invitations, and the page of an invitation.

import { go } from "./address.js";
import { get, request, session } from "./api.js";
import { announce, h, narrow, removeRow } from "./dom.js";
import { choice, field, form } from "./forms.js";

/** @typedef {{ id: string, email?: string }} Editor */
/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** What an invitation offers. @type {[string, string][]} */
const ROLES = [
  ["editor", "Editor: can change the movie"],
  ["owner", "Owner: takes the movie over from you"],
];
/** The key under which the token of an invitation is kept during a login. */
const WAITING = "movie-bag.invitation";

/** Whether the user edits a movie that belongs to somebody else. Only the user's own list says so.
 * @param {import("./api.js").Movie} movie */
export async function isEditor(movie) {
  if (!session.user || movie.added_by === session.user.id) return false;
  const query = { role: "editor", genre: movie.genres[0], fields: "id", limit: "100" };
  /** @type {Record<string, string>} */
  let page = movie.year ? { ...query, year: String(movie.year) } : query;
  for (;;) {
    const { items, next } = await get("/users/me/movies", page);
    if (items.some((/** @type {{ id: string }} */ { id }) => id === movie.id)) return true;
    if (!next) return false;
    page = { ...page, after: next };
  }
}

/** @param {Address} address @returns {Promise<View>} */
export async function sharing({ id }) {
  const path = `/movies/${encodeURIComponent(id)}`;
  const [movie, { items }] = await Promise.all([get(path), get(`${path}/editors`)]);
  const isOwner = movie.added_by === session.user?.id;
  return {
    title: `Sharing ${movie.name}`,
    body: h(
      "div.page.narrow",
      {},
      h("h1.clamp", { tabindex: -1 }, `Sharing “${movie.name}”`),
      h("p.lead", {}, h("a", { href: `#/movie/${id}` }, "Back to the movie")),
      isOwner ? owners(path, items) : editors(path, items),
    ),
  };
}

/** For the owner. @param {string} path @param {Editor[]} items */
function owners(path, items) {
  const none = h("p", { hidden: items.length > 0 }, "Only you can change this movie.");
  const list = h("ul.plain", { "aria-label": "Editors" });
  list.hidden = !items.length;
  const row = (/** @type {Editor} */ { id, email = "" }) => {
    const { node, notice } = form({
      label: email,
      fields: [],
      submit: "Remove",
      name: `Remove: ${email}`,
      look: "",
      async send() {
        await request("DELETE", `${path}/editors/${id}`);
        gone();
        announce(`${email} can no longer change this movie`);
      },
      onProblem(problem) {
        // The editor has left already.
        if (problem.code === "user-not-found") gone();
        else notice(h("p", {}, problem.words));
        return true;
      },
    });
    const gone = () => {
      removeRow(entry);
      none.hidden = list.children.length > 0;
      list.hidden = !list.children.length;
    };
    const entry = h("li", {}, h("strong", {}, email), node);
    return entry;
  };
  list.append(...items.map(row));
  const sent = h("div", { role: "status" });
  const { node } = form({
    label: "Invite someone",
    fields: [
      field("email", "Email", { type: "email", autocomplete: "off" }),
      choice("role", "Role", ROLES),
    ],
    submit: "Send the invitation",
    async send({ email, role }) {
      await request("POST", `${path}/invitations`, { body: { email, role } });
      sent.replaceChildren(
        h("p.notice", {}, `We sent an invitation to ${email}. It works once, within seven days.`),
      );
      node.reset();
    },
  });
  return h(
    "div",
    {},
    h("section", {}, h("h2", {}, "Editors"), none, list),
    h(
      "section",
      {},
      h("h2", {}, "Invite someone"),
      h("p", {}, "Editors can change the movie and see its history. Only the owner can delete it and invite others."),
      sent,
      node,
    ),
  );
}

/** For an editor. @param {string} path @param {Editor[]} items */
function editors(path, items) {
  const others = items.length - 1;
  const { node } = form({
    label: "Leave",
    fields: [],
    submit: "Stop editing this movie",
    look: ".danger",
    async send() {
      await request("DELETE", `${path}/editors/${session.user?.id}`);
      announce("You can no longer change this movie");
      go("#/shared", { replace: true });
    },
  });
  const company = others ? ` So ${others === 1 ? "does one other user" : `do ${others} other users`}.` : "";
  return h("div", {}, h("p", {}, `You edit this movie for its owner.${company}`), node);
}

/** The page that the link in an invitation opens. @param {Address} address @returns {View} */
export function invitation({ query }) {
  const sent = query.get("token");
  // Anybody with the token can accept, so it must not stay in the address bar or in the history. It survives a login.
  if (sent) sessionStorage.setItem(WAITING, sent);
  history.replaceState(history.state, "", "#/invitation");
  const token = sessionStorage.getItem(WAITING) ?? "";
  const title = "Invitation to a movie";
  if (!token) return narrow(title, h("p.lead", {}, "To accept an invitation, open the link in the mail that you got."));
  if (!session.user) {
    const back = new URLSearchParams({ back: "#/invitation" });
    return narrow(
      title,
      h("p.lead", {}, "Log in with the account that you want to use for this movie."),
      h(
        "div.actions",
        {},
        h("a.button.primary", { href: `#/login?${back}` }, "Log in to accept"),
        h("a.button", { href: `#/signup?${back}` }, "Sign up to accept"),
      ),
    );
  }
  // Some mail servers open every link. That must not use it up, so the person accepts with a button.
  const { node } = form({
    fields: [],
    submit: "Accept the invitation",
    async send() {
      const { body } = await request("POST", "/invitations/accept", { body: { invitation_token: token } });
      sessionStorage.removeItem(WAITING);
      announce(body.added_by === session.user?.id ? "You own this movie now" : "You can edit this movie now");
      go(`#/movie/${body.id}`, { replace: true });
    },
    onProblem(problem, notice) {
      if (problem.code !== "invalid-invitation") return false;
      notice(h("p", {}, "This invitation was used before, is too old, or was sent by you. Ask for a new one."));
      return true;
    },
  });
  return narrow(title, h("p.lead", {}, `You are logged in as ${session.user.email}.`), node);
}
