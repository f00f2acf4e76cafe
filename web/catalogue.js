// @ts-check
// The catalogue, the user's own movies, and those of others that the user edits: filters, order, and posters page by page.
//
// The query in the address is a query of the API (`#/?genre=Drama&year_min=1990&year_max=1999&sort=-year`),
// so every list that the API can make has an address here.

import { go } from "./address.js";
import { Problem, get, session } from "./api.js";
import { announce, counted, h } from "./dom.js";
import { decadeOf, filters } from "./filters.js";
import { showMore } from "./more.js";
import { poster } from "./poster.js";
import { cards } from "./skeleton.js";

/** What a card shows, and who may change it. */
const FIELDS = "name,year,genres,directors,poster_url,added_by";
const PAGE = "60";
/** The words for what a list is about. @type {[string, (value: string) => string][]} */
const HEADINGS = [
  ["q", (value) => `“${value}”`],
  ["director", (value) => `Directed by ${value}`],
  ["cast", (value) => `With ${value}`],
  ["genre", (value) => value],
  ["country", (value) => `From ${value}`],
  ["language", (value) => `In ${value}`],
  ["added_by", () => "Added by one user"],
];
/** Changes that come within this time are announced together. */
const NEWS_MS = 400;

/** @typedef {{ items: any[], next: string | null, total: number, relaxed?: boolean }} List */
/** @typedef {{ query: URLSearchParams, list: List, counts: Promise<any> }} Ready  a loaded list, and the counts beside the filters */

/** A movie as one of many. @param {any} movie */
export const card = (movie) =>
  h(
    "li.card",
    { "data-id": movie.id },
    h(
      "a",
      { href: `#/movie/${movie.id}` },
      poster(movie),
      h("span.name", {}, movie.name),
      h("span.year", {}, movie.year ?? "Year unknown"),
    ),
  );

/** @param {import("./app.js").Address} address @returns {Promise<import("./app.js").View>} */
export async function catalogue({ path, query: first, saved }) {
  const mine = path === "/mine";
  const shared = path === "/shared";
  const source = mine || shared ? "/users/me/movies" : "/movies";
  let query = first;
  /** @type {List} */
  let list = { items: [], next: null, total: 0 };
  let asking = new AbortController();
  let added = 0;
  let telling = 0;

  const heading = h("h1", { tabindex: -1 });
  const total = h("p.total");
  const deleted =
    mine &&
    h(
      "p.total",
      {},
      h("a", { href: "#/shared" }, "Shared with me"),
      " · ",
      h("a", { href: "#/trash" }, "Deleted movies"),
    );
  const news = h("div.news", { role: "status" });
  const grid = h("ul.grid", { "aria-label": "Movies" });
  const more = showMore(grid, next);
  const problem = h("div", { role: "alert" });
  const bar = filters(choose);
  /** @type {Ready | null} */
  let ready = null;

  const title = () => {
    const about = HEADINGS.filter(([name]) => query.has(name)).map(([name, words]) =>
      words(query.getAll(name).join(" & ")),
    );
    const decade = decadeOf(query);
    return [mine && "My movies", shared && "Shared with me", ...about, decade && `${decade}s`].filter(Boolean).join(" · ") || "All movies";
  };
  const page = (/** @type {URLSearchParams} */ wanted, /** @type {Record<string, string>} */ paging) => {
    const asked = new URLSearchParams(wanted);
    const own = shared ? { role: "editor" } : {};
    for (const [name, value] of Object.entries({ fields: FIELDS, limit: PAGE, ...own, ...paging })) asked.set(name, value);
    return get(source, asked, asking.signal);
  };

  const howMany = () =>
    (list.relaxed ? "No movie has every word. Close matches: " : "") + counted(list.total, "movie");

  function draw() {
    heading.textContent = title();
    total.textContent = howMany();
    grid.replaceChildren(...list.items.map(card));
    more.show(list.next);
    problem.replaceChildren();
    added = 0;
    clearTimeout(telling);
    news.replaceChildren();
    if (!list.items.length) grid.replaceChildren(h("li.empty", {}, ...nothing()));
  }

  const tell = () =>
    news.replaceChildren(
      h(
        "button",
        { onclick: reload },
        `${added ? counted(added, "new movie") : "The list has changed"} · Show`,
      ),
    );

  const nothing = () =>
    query.size
      ? ["No movie matches. ", h("a", { href: `#${path}` }, "Clear all filters")]
      : mine
        ? ["You have not added a movie yet. ", h("a", { href: "#/add" }, "Add your first movie")]
        : shared
          ? ["Nobody shares a movie with you yet. Invitations come by mail."]
          : ["The catalogue is empty. ", h("a", { href: "#/add" }, "Add the first movie")];

  /** Loads the first page of a list. `take` shows it. @param {URLSearchParams} wanted @returns {Promise<Ready>} */
  async function read(wanted) {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    grid.setAttribute("aria-busy", "true");
    const about = new URLSearchParams([...wanted].filter(([name]) => name !== "sort"));
    if (mine && session.user) about.set("added_by", session.user.id);
    // The counts take longer, and the list does not wait for them. The API counts the whole catalogue or the movies of
    // one owner, but not the movies that a user edits.
    const counts = shared ? Promise.resolve(null) : get("/movies/facets", about, signal).catch(() => null);
    try {
      return { query: wanted, list: await page(wanted, { count: "true" }), counts };
    } finally {
      if (asking.signal === signal) grid.removeAttribute("aria-busy");
    }
  }

  /** Shows a list that has loaded. @param {Ready} found @param {boolean} [first]  read from its heading, not announced */
  function take(found, first) {
    ({ query, list } = found);
    bar.show(query, null);
    draw();
    if (!first) announce(`${title()}: ${howMany()}`);
    found.counts.then((facets) => list === found.list && facets && bar.show(query, facets));
  }

  /** Sets a filter once its list has loaded. If the list fails to load, the filter is not set. @param {URLSearchParams} wanted */
  function choose(wanted) {
    bar.show(wanted, null);
    const arrived = read(wanted).then((found) => {
      ready = found;
      go(`#${path}${wanted.size ? `?${wanted}` : ""}`);
    });
    inWords(arrived, () => choose(wanted));
  }

  const reload = () => inWords(read(query).then((found) => take(found)), reload);

  /** @param {Promise<void>} work @param {() => void} again */
  const inWords = (work, again) =>
    work.catch((failed) => {
      // Something else was chosen meanwhile.
      if (failed.name === "AbortError") return;
      if (!(failed instanceof Problem)) throw failed;
      bar.show(query, null);
      for (const placeholder of grid.querySelectorAll(":scope > [aria-hidden]")) placeholder.remove();
      problem.replaceChildren(
        h("div.alert", {}, h("p", {}, failed.words), h("div.actions", {}, h("button", { onclick: again }, "Try again"))),
      );
    });

  async function next() {
    const asked = list;
    const found = await page(query, { after: list.next ?? "" });
    if (list !== asked) return;
    list.next = found.next;
    list.items.push(...found.items);
    grid.append(...found.items.map(card));
    more.show(list.next);
    announce(`${counted(found.items.length, "more movie")}, ${list.items.length} of ${list.total}`);
  }

  if (saved) {
    list = saved;
    draw();
    bar.show(query, saved.facets);
  } else {
    take(await read(query), true);
  }

  return {
    title: title(),
    body: [h("header.list-head", {}, h("div", {}, heading, total, deleted), bar.node), problem, news, grid, more.node],
    save: () => ({ ...list, facets: bar.facets }),
    leave: () => asking.abort(),
    update(changed) {
      const found = ready;
      ready = null;
      query = changed;
      if (String(found?.query) === String(changed)) take(/** @type {Ready} */ (found));
      else {
        // The back button, or a link: the old list does not belong to this address.
        heading.textContent = title();
        total.textContent = "";
        grid.replaceChildren(...cards());
        more.show(null);
        bar.show(query, null);
        reload();
      }
      return title();
    },
    onChange({ type, id, movie }) {
      const at = list.items.findIndex((item) => item.id === id);
      if (type === "deleted" && at >= 0) {
        list.items.splice(at, 1);
        list.total -= 1;
        grid.children[at].remove();
        total.textContent = howMany();
      } else if (movie && at >= 0) {
        list.items[at] = movie;
        grid.children[at].replaceWith(card(movie));
      } else if (
        type === "reset" ||
        (type === "created" && !query.size && !shared && (!mine || movie?.added_by === session.user?.id))
      ) {
        added += type === "created" ? 1 : 0;
        clearTimeout(telling);
        telling = setTimeout(tell, NEWS_MS);
      }
    },
  };
}
