// @ts-check
// All users, for admins: search, roles, deletion.

import { go } from "./address.js";
import { get, request, session } from "./api.js";
import { ask } from "./dialog.js";
import { announce, counted, day, h } from "./dom.js";
import { showMore } from "./more.js";

/** @typedef {import("./api.js").User} User */
/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** A search begins when the person pauses. */
const PAUSE_MS = 250;

/** @param {Address} address @returns {Promise<View>} */
export async function usersPage({ query }) {
  let prefix = query.get("email") ?? "";
  /** @type {string | null} */
  let next = null;
  let timer = 0;
  let asking = new AbortController();
  const list = h("ul.people", { "aria-label": "Users" });
  const none = h("p.empty", { hidden: true }, "No user has an email that starts like this.");
  const total = h("p.lead");
  const alert = h("p.alert", { role: "alert" });
  const more = showMore(list, () => read(false));
  const input = h("input", {
    id: "email-prefix",
    type: "search",
    value: prefix,
    autocomplete: "off",
    spellcheck: "false",
    oninput() {
      clearTimeout(timer);
      timer = setTimeout(search, PAUSE_MS);
    },
  });

  /** @param {boolean} anew  from the first user on */
  async function read(anew) {
    if (anew) {
      asking.abort();
      asking = new AbortController();
    }
    const asked = { limit: "50", ...(prefix && { email: prefix }), ...(!anew && next && { after: next }) };
    const page = await get("/admin/users", asked, asking.signal);
    const rows = page.items.map(row);
    if (anew) list.replaceChildren(...rows);
    else list.append(...rows);
    next = page.next;
    more.show(next);
    none.hidden = list.children.length > 0;
    announce(counted(page.items.length, anew ? "user" : "more user"));
  }

  async function count() {
    const { users, movies } = await get("/admin");
    total.textContent = `${counted(users, "user")}, ${counted(movies, "movie")}`;
  }

  /** The address follows the search, so that a reload shows the same users. */
  async function search() {
    clearTimeout(timer);
    prefix = input.value.trim();
    const search = prefix ? `?${new URLSearchParams({ email: prefix })}` : "";
    history.replaceState(history.state, "", `#/users${search}`);
    await read(true).then(
      () => alert.replaceChildren(),
      (problem) => {
        if (problem.name === "AbortError" || problem.loggedOut) return;
        alert.replaceChildren(problem.words ?? String(problem));
      },
    );
  }

  /** @param {User} user @returns {HTMLElement} */
  function row(user) {
    const isMe = user.id === session.user?.id;
    const isAdmin = user.role === "admin";
    const facts = [
      `Joined ${day(user.created_at)}`,
      !user.email_verified && "email not confirmed",
      !user.has_password && "no password",
    ];
    const node = h(
      "li",
      {},
      h("p", {}, h("strong", {}, user.email), isAdmin && [" ", h("small", {}, "Admin")], isMe && [" ", h("small", {}, "You")]),
      h("p", {}, facts.filter(Boolean).join(" · ")),
      h(
        "div.actions",
        {},
        h("a.button", { href: `#/?added_by=${user.id}`, "aria-label": `Movies of ${user.email}` }, "Movies"),
        h(
          "button",
          { "aria-label": `${isAdmin ? "Remove admin role" : "Make admin"}: ${user.email}`, onclick: changeRole },
          isAdmin ? "Remove admin role" : "Make admin",
        ),
        !isMe && h("button.danger", { "aria-label": `Delete ${user.email}`, onclick: remove }, "Delete"),
      ),
    );

    async function changeRole() {
      const role = isAdmin ? "user" : "admin";
      const isDone = await ask({
        title: isAdmin ? `Remove the admin role of ${user.email}?` : `Make ${user.email} an admin?`,
        body: [
          h(
            "p",
            {},
            isMe
              ? "You will no longer see this page. Only another admin can give you the role again."
              : "Admins see all users, change roles and delete accounts.",
          ),
        ],
        agree: isAdmin ? "Remove the role" : "Make admin",
        decline: "Cancel",
        act: async () => (user = (await request("PATCH", `/admin/users/${user.id}`, { body: { role } })).body),
      });
      if (!isDone) return;
      announce(isAdmin ? `${user.email} is no longer an admin` : `${user.email} is an admin now`);
      if (!isMe) return focusOn(row(user));
      if (session.current) session.current = { ...session.current, user };
      go("#/account", { replace: true });
    }

    /** @param {HTMLElement} changed */
    function focusOn(changed) {
      node.replaceWith(changed);
      changed.querySelector("button")?.focus();
    }

    async function remove() {
      const words = h("p", {}, "The account and every movie that it owns will be deleted. This cannot be undone.");
      get(`/admin/users/${user.id}`).then(
        ({ movie_count }) => words.append(` It owns ${counted(movie_count, "movie")}.`),
        () => {},
      );
      const isDone = await ask({
        title: `Delete ${user.email}?`,
        body: [words],
        agree: "Delete the account",
        decline: "Keep it",
        act: () => request("DELETE", `/admin/users/${user.id}`),
      });
      if (!isDone) return;
      node.remove();
      none.hidden = list.children.length > 0;
      announce(`${user.email} is deleted`);
      input.focus();
      count().catch(() => {});
    }

    return node;
  }

  await Promise.all([read(true), count()]);
  return {
    title: "Users",
    leave() {
      clearTimeout(timer);
      asking.abort();
    },
    body: h(
      "div.page",
      {},
      h("h1", { tabindex: -1 }, "Users"),
      total,
      h(
        "form",
        {
          "aria-label": "Search users",
          onsubmit(/** @type {Event} */ event) {
            event.preventDefault();
            search();
          },
        },
        h("div.field", {}, h("label", { for: "email-prefix" }, "Email starts with"), input),
      ),
      alert,
      none,
      list,
      more.node,
    ),
  };
}
