// @ts-check
// The history of one movie: each version, what it changed, and the way back to it. For its owner and its editors.

import { go } from "./address.js";
import { Problem, get, request, session } from "./api.js";
import { announce, h } from "./dom.js";

/** @typedef {{ version: number, type: "created" | "updated", changed_by?: string, changed_at: string }} Version */
/** @typedef {Partial<import("./api.js").Movie>} Former */
/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** Each version on a page is read, to compare it with the one before it. */
const PAGE = "10";
/** As the form for a movie calls them. @type {[keyof Former & string, string][]} */
const FIELDS = [
  ["name", "Name"],
  ["year", "Year"],
  ["runtime", "Runtime"],
  ["genres", "Genres"],
  ["directors", "Directors"],
  ["casts", "Cast"],
  ["countries", "Countries"],
  ["languages", "Languages"],
  ["plot", "Plot"],
  ["poster_url", "Poster"],
];

/** @param {string} time */
export const moment = (time) => new Date(time).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });

/** What a field lost and got, in words. @param {any} before @param {any} after */
function difference(before, after) {
  const value = (/** @type {string} */ tag, /** @type {any} */ text) => text !== undefined && h(tag, {}, text);
  if (!Array.isArray(after)) return [value("del", before), value("ins", after)];
  const lost = before.filter((/** @type {string} */ name) => !after.includes(name));
  const got = after.filter((/** @type {string} */ name) => !before.includes(name));
  if (!lost.length && !got.length) return ["another order"];
  const each = (/** @type {string} */ tag, /** @type {string[]} */ names) => names.map((name) => value(tag, name));
  return [...each("del", lost), ...each("ins", got)];
}

/** @param {Former | null} before @param {Former} after */
function changes(before, after) {
  if (!before) return h("p", {}, "What was there before is no longer kept.");
  const changed = FIELDS.filter(([name]) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  if (!changed.length) return h("p", {}, "Nothing was changed.");
  const rows = changed.map(([name, label]) =>
    h("div", {}, h("dt", {}, label), h("dd", {}, difference(before[name], after[name]))),
  );
  return h("dl.changes", {}, rows);
}

/** @param {Address} address @returns {Promise<View>} */
export async function movieHistory({ id }) {
  const source = `/movies/${encodeURIComponent(id)}/versions`;
  /** @type {Map<number, Promise<Former>>} */
  const known = new Map();
  /** @type {Version[]} */
  let versions = [];
  /** @type {string | null} */
  let next = null;
  let loads = 0;
  const list = h("ol.history");
  const more = h("button.more", { hidden: true, onclick: () => inWords(load(next)) }, "Show more");
  const alert = h("div", { role: "alert" });
  const heading = h("h1", { tabindex: -1 });

  /** @param {number} version */
  const read = (version) => {
    const reading = known.get(version) ?? get(`${source}/${version}`);
    known.set(version, reading);
    return reading;
  };

  /** @param {Version} version @param {boolean} isCurrent @param {boolean} isFirst */
  async function entry({ version, type, changed_by, changed_at }, isCurrent, isFirst) {
    const after = await read(version);
    // The one before the oldest that is kept is not there.
    const before = version > 1 && !isFirst ? await read(version - 1) : null;
    const by = changed_by === session.user?.id ? "by you" : changed_by ? "by somebody else" : "";
    const what = type === "updated" ? "Changed" : version === 1 ? "Added" : "Restored after it was deleted";
    return h(
      "li",
      {},
      h("h2", {}, `Version ${version}`, isCurrent && h("small", {}, "now")),
      h("p", {}, `${what} ${by}, `, h("time", { datetime: changed_at }, moment(changed_at))),
      type === "updated" && changes(before, after),
      !isCurrent && h("button", { onclick: () => inWords(restore(version)) }, `Restore version ${version}`),
    );
  }

  /** @param {string | null} after */
  async function load(after) {
    const own = ++loads;
    more.setAttribute("aria-busy", "true");
    /** @type {{ items: Version[], next: string | null }} */
    const page = await get(source, { limit: PAGE, ...(after && { after }) });
    const all = after ? [...versions, ...page.items] : page.items;
    const last = page.next ? null : page.items.at(-1);
    const entries = await Promise.all(page.items.map((item) => entry(item, item === all[0], item === last)));
    // A change has come meanwhile, and the list is being read again.
    if (own !== loads) return;
    versions = all;
    if (after) list.append(...entries);
    else list.replaceChildren(...entries);
    next = page.next;
    more.hidden = !next;
    more.removeAttribute("aria-busy");
  }

  /** @param {number} version */
  async function restore(version) {
    await request("POST", `${source}/${version}/restore`, { etag: `"${versions[0].version}"` });
    announce(`Version ${version} is restored`);
    go(`#/movie/${id}`);
  }

  /** @param {Promise<void>} work */
  const inWords = (work) =>
    work.then(
      () => alert.replaceChildren(),
      async (problem) => {
        if (!(problem instanceof Problem)) throw problem;
        more.removeAttribute("aria-busy");
        if (problem.loggedOut) return;
        alert.replaceChildren(h("p.alert", {}, problem.words));
        // What is shown is what would be replaced now.
        if (problem.code === "precondition-failed") await load(null).catch(() => {});
      },
    );

  await load(null);
  const { name } = await read(versions[0].version);
  heading.textContent = `History of “${name}”`;
  return {
    title: `History of ${name}`,
    body: h(
      "div.page",
      {},
      heading,
      h("p.lead", {}, h("a", { href: `#/movie/${id}` }, "Back to the movie")),
      alert,
      list,
      more,
    ),
    onChange(change) {
      if (change.type === "reset" || (change.id === id && change.type !== "deleted")) load(null).catch(() => {});
    },
  };
}
