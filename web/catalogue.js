// @ts-check
// The catalogue, one's own movies, and those that one edits for others: filters, order, and page after page of posters.
//
// The query in the address is the API's own query (`#/?genre=Drama&year_min=1990&year_max=1999&sort=-year`),
// so every list that the API can make has an address here.

import { go } from "./address.js";
import { Problem, get, session } from "./api.js";
import { announce, counted, h } from "./dom.js";
import { decadeOf, filters } from "./filters.js";
import { poster } from "./poster.js";

/** What a card shows, and who may change it. */
const FIELDS = "name,year,genres,directors,poster_url,added_by";
const PAGE = "60";
/** What a list can be about, as one reads it. @type {[string, (value: string) => string][]} */
const HEADINGS = [
  ["q", (value) => `“${value}”`],
  ["director", (value) => `Directed by ${value}`],
  ["cast", (value) => `With ${value}`],
  ["genre", (value) => value],
  ["country", (value) => `From ${value}`],
  ["language", (value) => `In ${value}`],
];
/** A burst of news is told once. */
const NEWS_MS = 400;

/** @typedef {{ items: any[], next: string | null, total: number, relaxed?: boolean }} List */

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
  const more = h("button.more", { hidden: true, onclick: () => next() }, "Show more");
  const problem = h("div", { role: "alert" });
  const bar = filters((changed) => go(`#${path}${changed.size ? `?${changed}` : ""}`));

  const title = () => {
    const about = HEADINGS.filter(([name]) => query.has(name)).map(([name, words]) =>
      words(query.getAll(name).join(" & ")),
    );
    const decade = decadeOf(query);
    return [mine && "My movies", shared && "Shared with me", ...about, decade && `${decade}s`].filter(Boolean).join(" · ") || "All movies";
  };
  const page = (/** @type {Record<string, string>} */ paging) => {
    const asked = new URLSearchParams(query);
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
    more.hidden = !list.next;
    added = 0;
    clearTimeout(telling);
    news.replaceChildren();
    if (!list.items.length) grid.replaceChildren(h("li.empty", {}, ...nothing()));
  }

  const tell = () =>
    news.replaceChildren(
      h(
        "button",
        { onclick: () => inWords(load()) },
        `${added ? counted(added, "new movie") : "The list has changed"} · Show`,
      ),
    );

  const nothing = () =>
    query.size
      ? ["No movie is like that. ", h("a", { href: `#${path}` }, "Take all filters away")]
      : mine
        ? ["Nothing here yet. ", h("a", { href: "#/add" }, "Add your first movie")]
        : shared
          ? ["Nobody shares a movie with you. An invitation comes by mail."]
          : ["The catalogue is empty. ", h("a", { href: "#/add" }, "Add the first movie")];

  async function load() {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    grid.setAttribute("aria-busy", "true");
    // The counts beside the filters take longer, and may be missing.
    const about = new URLSearchParams([...query].filter(([name]) => name !== "sort"));
    if (mine && session.user) about.set("added_by", session.user.id);
    bar.show(query, null);
    // They are counted over the catalogue: what one edits is no part of it that anybody can ask for.
    if (!shared)
      get("/movies/facets", about, signal).then(
        (facets) => bar.show(query, facets),
        () => {},
      );
    list = await page({ count: "true" });
    grid.removeAttribute("aria-busy");
    draw();
  }

  /** @param {Promise<void>} work */
  const inWords = (work) =>
    work.then(
      () => problem.replaceChildren(),
      (failed) => {
        if (failed.name === "AbortError") return;
        if (!(failed instanceof Problem)) throw failed;
        grid.removeAttribute("aria-busy");
        problem.replaceChildren(h("p.alert", {}, failed.words));
      },
    );

  async function next() {
    const before = list.items.length;
    more.setAttribute("aria-busy", "true");
    await inWords(
      page({ after: list.next ?? "" }).then(({ items, next }) => {
        list.next = next;
        list.items.push(...items);
        grid.append(...items.map(card));
        more.hidden = !next;
        announce(`${counted(items.length, "more movie")}, ${list.items.length} of ${list.total}`);
        grid.children[before]?.querySelector("a")?.focus({ preventScroll: true });
      }),
    );
    more.removeAttribute("aria-busy");
  }

  if (saved) {
    list = saved;
    draw();
    bar.show(query, saved.facets);
  } else {
    await load();
  }

  return {
    title: title(),
    body: [h("header.list-head", {}, h("div", {}, heading, total, deleted), bar.node), news, problem, grid, more],
    save: () => ({ ...list, facets: bar.facets }),
    update(changed) {
      query = changed;
      inWords(load().then(() => announce(`${title()}: ${howMany()}`)));
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
