// @ts-check
// What one has deleted: a list of it, and the way back.

import { go } from "./address.js";
import { Problem, get, request } from "./api.js";
import { announce, byId, counted, h } from "./dom.js";
import { moment } from "./history.js";

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

/** Offers to take a deletion back, on this page. @param {import("./api.js").Movie} movie */
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
  const alert = h("div", { role: "alert" });
  const more = h("button.more", { hidden: true, onclick: () => load() }, "Show more");
  /** @type {string | null} */
  let next = null;

  /** @param {Deleted} movie */
  const row = (movie) =>
    h(
      "li",
      { "data-id": movie.id },
      h("p", {}, h("strong", {}, movie.name), movie.year && ` (${movie.year})`),
      h("p", {}, "Deleted ", h("time", { datetime: movie.deleted_at }, moment(movie.deleted_at))),
      h("button", { "aria-label": `Restore ${movie.name}`, onclick: () => bringBack(movie) }, "Restore"),
    );
  const say = (/** @type {any} */ problem) => {
    if (!(problem instanceof Problem)) throw problem;
    if (!problem.loggedOut) alert.replaceChildren(h("p.alert", {}, problem.words));
  };

  /** @param {Deleted} movie */
  async function bringBack(movie) {
    try {
      await restore(movie.id);
      announce(`“${movie.name}” is back`);
      go(`#/movie/${movie.id}`);
    } catch (problem) {
      say(problem);
    }
  }

  async function page() {
    const found = await get("/users/me/trash", { limit: "50", ...(next && { after: next }) });
    list.append(...found.items.map(row));
    next = found.next;
    more.hidden = !next;
    return found.items.length;
  }

  const load = () => page().then((count) => announce(counted(count, "more movie")), say);

  const count = await page();
  return {
    title: "Deleted movies",
    body: h(
      "div.page",
      {},
      h("h1", { tabindex: -1 }, "Deleted movies"),
      h("p.lead", {}, count ? "You can restore a movie for 30 days." : "Nothing that you have deleted can be restored."),
      alert,
      list,
      more,
    ),
    onChange({ type, id }) {
      if (type === "created") list.querySelector(`[data-id="${id}"]`)?.remove();
    },
  };
}
