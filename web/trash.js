// @ts-check
// The movies that the user has deleted, and how they are restored.

import { go } from "./address.js";
import { Problem, get, request } from "./api.js";
import { announce, byId, counted, h, moment } from "./dom.js";
import { showMore } from "./more.js";

/** @typedef {import("./api.js").Movie & { deleted_at: string }} Deleted */
/** @typedef {import("./app.js").View} View */

/** @param {string} id */
const restore = (id) => request("POST", `/users/me/trash/${encodeURIComponent(id)}/restore`);

/** Whether a deletion can be undone: a server without a change log keeps nothing. @returns {Promise<boolean>} */
export const canUndo = () =>
  get("/users/me/trash", { limit: "1" }).then(
    () => true,
    (problem) => problem.status !== 501,
  );

/** Offers to undo a deletion, as long as this page is shown. @param {import("./api.js").Movie} movie */
export function offerUndo({ id, name }) {
  const bar = byId("undo");
  const undo = h("button", { onclick: () => takeBack() }, "Undo");
  const close = () => {
    removeEventListener("hashchange", close);
    bar.replaceChildren();
  };
  bar.replaceChildren(
    h("p", {}, `“${name}” is deleted. `),
    undo,
    h("button.link", { "aria-label": "Close", onclick: close }, "×"),
  );
  addEventListener("hashchange", close);

  async function takeBack() {
    if (undo.getAttribute("aria-disabled")) return;
    undo.setAttribute("aria-disabled", "true");
    try {
      await restore(id);
      go(`#/movie/${id}`);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      undo.removeAttribute("aria-disabled");
      if (!problem.loggedOut) bar.firstChild?.replaceWith(h("p", { role: "alert" }, problem.words));
    }
  }
}

/** @returns {Promise<View>} */
export async function trashPage() {
  const list = h("ul.deleted", { "aria-label": "Deleted movies" });
  const more = showMore(list, () => page().then((count) => announce(counted(count, "more movie"))));
  /** @type {string | null} */
  let next = null;

  /** @param {Deleted} movie */
  const row = (movie) => {
    const alert = h("p.alert", { role: "alert" });
    return h(
      "li",
      { "data-id": movie.id },
      h("p.clamp", {}, h("strong", {}, movie.name), movie.year && ` (${movie.year})`),
      h("p", {}, "Deleted ", h("time", { datetime: movie.deleted_at }, moment(movie.deleted_at))),
      h("button", { "aria-label": `Restore ${movie.name}`, onclick: () => bringBack(movie, alert) }, "Restore"),
      alert,
    );
  };

  /** @param {Deleted} movie @param {HTMLElement} alert */
  async function bringBack(movie, alert) {
    try {
      await restore(movie.id);
      announce(`“${movie.name}” is restored`);
      go(`#/movie/${movie.id}`);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!problem.loggedOut) alert.replaceChildren(problem.words);
    }
  }

  async function page() {
    const found = await get("/users/me/trash", { limit: "50", ...(next && { after: next }) });
    list.append(...found.items.map(row));
    next = found.next;
    more.show(next);
    return found.items.length;
  }

  const count = await page();
  return {
    title: "Deleted movies",
    body: h(
      "div.page",
      {},
      h("h1", { tabindex: -1 }, "Deleted movies"),
      h("p.lead", {}, count ? "You can restore a movie for 30 days after you delete it." : "You have no deleted movies to restore."),
      list,
      more.node,
    ),
    onChange({ type, id }) {
      if (type === "created") list.querySelector(`[data-id="${id}"]`)?.remove();
    },
  };
}
