// @ts-check
// The history of one movie, for its owner and its editors: each version, what it changed, and a button that restores it.

import { go } from "./address.js";
import { Problem, get, request, session } from "./api.js";
import { announce, h, moment } from "./dom.js";
import { showMore } from "./more.js";

/** @typedef {{ version: number, type: "created" | "updated", changed_by?: string, changed_at: string }} Version */
/** @typedef {Partial<import("./api.js").Movie>} Former */
/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** Each version of a page is read, to compare it with the one before. */
const PAGE = "10";
/** The labels are those of the movie form. @type {[keyof Former & string, string][]} */
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

/** What a field lost and gained. @param {any} before @param {any} after */
function difference(before, after) {
  const value = (/** @type {string} */ tag, /** @type {any} */ text) => text !== undefined && h(tag, {}, text);
  if (!Array.isArray(after)) return [value("del", before), value("ins", after)];
  const lost = before.filter((/** @type {string} */ name) => !after.includes(name));
  const got = after.filter((/** @type {string} */ name) => !before.includes(name));
  if (!lost.length && !got.length) return ["in another order"];
  const each = (/** @type {string} */ tag, /** @type {string[]} */ names) => names.map((name) => value(tag, name));
  return [...each("del", lost), ...each("ins", got)];
}

/** @param {Former | null} before @param {Former} after */
function changes(before, after) {
  if (!before) return h("p", {}, "The version before this one is no longer kept.");
  const changed = FIELDS.filter(([name]) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  if (!changed.length) return h("p", {}, "No field was changed.");
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
  const more = showMore(list, () => load(next));
  const alert = h("div", { role: "alert" });
  const heading = h("h1.clamp", { tabindex: -1 });

  /** @param {number} version */
  const read = (version) => {
    const reading = known.get(version) ?? get(`${source}/${version}`);
    known.set(version, reading);
    return reading;
  };

  /** @param {Version} version @param {boolean} isCurrent @param {boolean} isFirst */
  async function entry({ version, type, changed_by, changed_at }, isCurrent, isFirst) {
    const after = await read(version);
    // The version before the oldest one is no longer kept.
    const before = version > 1 && !isFirst ? await read(version - 1) : null;
    const by = changed_by === session.user?.id ? "by you" : changed_by ? "by somebody else" : "";
    const what = type === "updated" ? "Changed" : version === 1 ? "Added" : "Restored after it was deleted";
    return h(
      "li",
      {},
      h("h2", {}, `Version ${version}`, isCurrent && [" ", h("small", {}, "current")]),
      h("p", {}, `${what} ${by}, `, h("time", { datetime: changed_at }, moment(changed_at))),
      type === "updated" && changes(before, after),
      !isCurrent && h("button", { onclick: () => inWords(restore(version)) }, `Restore version ${version}`),
    );
  }

  /** @param {string | null} after */
  async function load(after) {
    const own = ++loads;
    /** @type {{ items: Version[], next: string | null }} */
    const page = await get(source, { limit: PAGE, ...(after && { after }) });
    const all = after ? [...versions, ...page.items] : page.items;
    const last = page.next ? null : page.items.at(-1);
    const entries = await Promise.all(page.items.map((item) => entry(item, item === all[0], item === last)));
    // A change came meanwhile, and the list is being read again.
    if (own !== loads) return;
    versions = all;
    if (after) list.append(...entries);
    else list.replaceChildren(...entries);
    next = page.next;
    more.show(next);
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
        if (problem.loggedOut) return;
        alert.replaceChildren(h("p.alert", {}, problem.words));
        alert.scrollIntoView({ block: "nearest" });
        // Then the page shows what a restore would replace now.
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
      more.node,
    ),
    onChange(change) {
      if (change.type === "reset" || (change.id === id && change.type !== "deleted")) load(null).catch(() => {});
    },
  };
}
