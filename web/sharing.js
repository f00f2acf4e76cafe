// @ts-check
// Sharing a movie: who edits it, whom its owner invites, and the link of an invitation.

import { go } from "./address.js";
import { get, request, session } from "./api.js";
import { announce, h } from "./dom.js";
import { choice, field, form } from "./forms.js";

/** @typedef {{ id: string, email?: string }} Editor */
/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** What one invites to. @type {[string, string][]} */
const ROLES = [
  ["editor", "Edit the movie with me"],
  ["owner", "Own the movie in my place"],
];
/** Where the token of an invitation waits for a login. */
const WAITING = "movie-bag.invitation";

/** Whether the caller edits a movie that belongs to somebody else. Only the caller's own list says so.
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
      h("h1", { tabindex: -1 }, `Sharing “${movie.name}”`),
      h("p.lead", {}, h("a", { href: `#/movie/${id}` }, "Back to the movie")),
      isOwner ? owners(path, items) : editors(path, items),
    ),
  };
}

/** What the owner sees. @param {string} path @param {Editor[]} items */
function owners(path, items) {
  const none = h("p", { hidden: items.length > 0 }, "Nobody but you edits this movie.");
  const list = h("ul.plain", { "aria-label": "Editors" });
  list.hidden = !items.length;
  const row = (/** @type {Editor} */ { id, email = "" }) => {
    const { node, notice } = form({
      label: email,
      fields: [],
      submit: "Remove",
      look: "",
      async send() {
        await request("DELETE", `${path}/editors/${id}`);
        gone();
        announce(`${email} edits this movie no more`);
      },
      onProblem(problem) {
        // The editor was quicker.
        if (problem.code === "user-not-found") gone();
        else notice(h("p", {}, problem.words));
        return true;
      },
    });
    const gone = () => {
      entry.remove();
      none.hidden = list.children.length > 0;
      list.hidden = !list.children.length;
    };
    const entry = h("li", {}, h("strong", {}, email), node);
    return entry;
  };
  list.append(...items.map(row));
  const sent = h("div", { role: "status" });
  const { node } = form({
    label: "Invite somebody",
    fields: [
      field("email", "Email", { type: "email", autocomplete: "off" }),
      choice("role", "To do what?", ROLES),
    ],
    submit: "Send the invitation",
    async send({ email, role }) {
      await request("POST", `${path}/invitations`, { body: { email, role } });
      sent.replaceChildren(
        h("p.notice", {}, `An invitation is mailed to ${email}. It works once, within seven days.`),
      );
      node.reset();
    },
  });
  return h(
    "div",
    {},
    h("h2", {}, "Editors"),
    none,
    list,
    h("h2", {}, "Invite somebody"),
    h("p", {}, "Editors change the movie and see its history. Who owns it also deletes it, and invites."),
    sent,
    node,
  );
}

/** What an editor sees. @param {string} path @param {Editor[]} items */
function editors(path, items) {
  const others = items.length - 1;
  const { node } = form({
    label: "Leave",
    fields: [],
    submit: "Stop editing this movie",
    look: ".danger",
    async send() {
      await request("DELETE", `${path}/editors/${session.user?.id}`);
      announce("You edit this movie no more");
      go("#/shared", { replace: true });
    },
  });
  const company = others ? `, like ${others === 1 ? "one other user" : `${others} other users`}` : "";
  return h("div", {}, h("p", {}, `Its owner lets you edit this movie${company}.`), node);
}

/** The page of an invitation's link. @param {Address} address @returns {View} */
export function invitation({ query }) {
  const sent = query.get("token");
  // It is a right: it does not stay in the address bar or in the history, and survives a login.
  if (sent) sessionStorage.setItem(WAITING, sent);
  history.replaceState(history.state, "", "#/invitation");
  const token = sessionStorage.getItem(WAITING) ?? "";
  const title = "An invitation";
  const page = (/** @type {any[]} */ ...content) => ({
    title,
    body: h("div.page.narrow", {}, h("h1", { tabindex: -1 }, title), ...content),
  });
  if (!session.user) {
    const back = new URLSearchParams({ back: "#/invitation" });
    return page(
      h("p.lead", {}, "Log in first: an invitation is for the account that you are logged in with."),
      h(
        "div.actions",
        {},
        h("a.button.primary", { href: `#/login?${back}` }, "Log in to accept"),
        h("a.button", { href: `#/signup?${back}` }, "Sign up to accept"),
      ),
    );
  }
  // Some mailboxes open every link: that alone must not use it up.
  const { node } = form({
    fields: [],
    submit: "Accept the invitation",
    async send() {
      const { body } = await request("POST", "/invitations/accept", { body: { invitation_token: token } });
      sessionStorage.removeItem(WAITING);
      announce(body.added_by === session.user?.id ? "The movie is yours" : "You can edit this movie now");
      go(`#/movie/${body.id}`, { replace: true });
    },
    onProblem(problem, notice) {
      if (problem.code !== "invalid-invitation") return false;
      notice(h("p", {}, "This invitation is used already, or too old, or it is your own. Ask for another one."));
      return true;
    },
  });
  return page(h("p.lead", {}, `You accept as ${session.user.email}.`), node);
}
