// @ts-check
// The filters of a list (genre, decade, language, each with the number of movies that it would leave) and its order.

import { counted, h } from "./dom.js";

/** @typedef {Record<"genres" | "decades" | "languages", { value: any, count: number }[]>} Facets */

/** Between a menu and the edge of the window. */
const MARGIN_PX = 12;

const ORDERS = {
  relevance: "Best match",
  "-created_at": "Recently added",
  name: "Name, A to Z",
  "-year": "Year, newest first",
  year: "Year, oldest first",
};
/** Parameters that are shown as chips, and the words in front of their values. @type {Record<string, string>} */
const CHIPS = {
  q: "Search",
  genre: "",
  director: "Directed by",
  cast: "With",
  country: "From",
  language: "In",
  year: "Year",
  added_by: "Added by one user",
};

// A click elsewhere closes a menu.
document.addEventListener("click", ({ target }) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (target instanceof Node && target.isConnected && !menu.contains(target)) menu.removeAttribute("open");
  }
});

/** The decade that a query asks for, if its years are exactly a decade. @param {URLSearchParams} query */
export function decadeOf(query) {
  const [first, last] = [Number(query.get("year_min")), Number(query.get("year_max"))];
  return last - first === 9 && first % 10 === 0 ? first : null;
}

/** @param {(query: URLSearchParams) => void} onChange */
export function filters(onChange) {
  let query = new URLSearchParams();
  /** @type {Facets | null} */
  let facets = null;

  const change = (/** @type {(query: URLSearchParams) => void} */ edit) => {
    const changed = new URLSearchParams(query);
    edit(changed);
    // Only a search can be ordered by relevance.
    if (!changed.has("q") && changed.get("sort") === "relevance") changed.delete("sort");
    onChange(changed);
  };
  const toggle = (/** @type {string} */ name, /** @type {string} */ value) =>
    change((changed) => (changed.has(name, value) ? changed.delete(name, value) : changed.append(name, value)));

  const genres = menu("Genre");
  const decades = menu("Decade");
  const languages = menu("Language");
  const order = h("select", {
    "aria-label": "Order",
    onchange: () => change((changed) => changed.set("sort", order.value)),
  });
  const chips = h("ul.chips", { "aria-label": "Filters in use" });

  /** A menu of checkboxes that stays open while the person chooses. @param {string} label */
  function menu(label) {
    const summary = h("summary", {}, label);
    const choices = h("fieldset", {}, h("legend.quiet", {}, label));
    const node = h("details.menu", { name: "filter" }, summary, choices);
    node.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key !== "Escape" || !node.open) return;
      node.open = false;
      summary.focus();
    });
    // It opens at its button, and moves as far as it must to stay in the window.
    node.addEventListener("toggle", () => {
      choices.style.setProperty("--shift", "0px");
      const { left, right } = choices.getBoundingClientRect();
      const { clientWidth } = document.documentElement;
      const shift = Math.max(Math.min(0, clientWidth - MARGIN_PX - right), MARGIN_PX - left);
      if (node.open) choices.style.setProperty("--shift", `${shift}px`);
    });
    return {
      node,
      focus: () => summary.focus(),
      /** @param {{ text: string, count: number, chosen: boolean, choose: () => void }[]} found */
      show(found) {
        const used = found.filter(({ chosen }) => chosen).length;
        summary.textContent = used ? `${label} · ${used}` : label;
        // The choices are drawn again, and the one that had the focus keeps it.
        const active = document.activeElement;
        const focused = choices.contains(active) ? active?.parentElement?.dataset.choice : undefined;
        choices.replaceChildren(
          choices.firstChild,
          ...found.map(({ text, count, chosen, choose }) =>
            h(
              "label",
              { "data-choice": text },
              h("input", { type: "checkbox", checked: chosen, onchange: choose }),
              h("span", {}, text),
              h("small", {}, count.toLocaleString("en")),
            ),
          ),
        );
        if (focused) choices.querySelector(`[data-choice="${CSS.escape(focused)}"] input`)?.focus();
      },
    };
  }

  /** A chosen value stays in the list, even if no movie has it. @param {string} name @param {{ value: string, count: number }[]} found */
  const choices = (name, found) =>
    [
      ...query
        .getAll(name)
        .filter((value) => !found.some((entry) => entry.value === value))
        .map((value) => ({ value, count: 0 })),
      ...found,
    ].map(({ value, count }) => ({
      text: value,
      count,
      chosen: query.has(name, value),
      choose: () => toggle(name, value),
    }));

  function draw() {
    genres.show(choices("genre", facets?.genres ?? []));
    languages.show(choices("language", facets?.languages ?? []));
    const chosen = decadeOf(query);
    const found = [...(facets?.decades ?? [])].sort((one, other) => other.value - one.value);
    if (chosen !== null && !found.some(({ value }) => value === chosen)) found.push({ value: chosen, count: 0 });
    decades.show(
      found.map(({ value, count }) => ({
        text: `${value}s`,
        count,
        chosen: value === chosen,
        choose: () =>
          change((changed) => {
            for (const [name, year] of Object.entries({ year_min: value, year_max: value + 9 }))
              value === chosen ? changed.delete(name) : changed.set(name, year);
          }),
      })),
    );
    const orders = Object.entries(ORDERS).filter(([name]) => name !== "relevance" || query.has("q"));
    order.replaceChildren(...orders.map(([name, text]) => h("option", { value: name }, text)));
    order.value = query.get("sort") ?? (query.has("q") ? "relevance" : "-created_at");

    /** @type {[string, () => void][]} */
    const used = Object.entries(CHIPS).flatMap(([name, words]) =>
      query
        .getAll(name)
        // A user's id means nothing to a person.
        .map((value) => [name === "added_by" ? words : `${words} ${value}`.trim(), () => toggle(name, value)]),
    );
    if (chosen !== null)
      used.push([`${chosen}s`, () => change((changed) => (changed.delete("year_min"), changed.delete("year_max")))]);
    else
      for (const [name, words] of [
        ["year_min", "From"],
        ["year_max", "To"],
      ])
        if (query.has(name))
          used.push([`${words} ${query.get(name)}`, () => change((changed) => changed.delete(name))]);
    // A chip that is removed loses the focus, so the first menu gets it.
    chips.replaceChildren(
      ...used.map(([text, remove]) =>
        h(
          "li",
          {},
          h("button.chip", { "aria-label": `Remove ${text}`, onclick: () => (genres.focus(), remove()) }, text),
        ),
      ),
      ...(used.length > 1
        ? [
            h(
              "li",
              {},
              h("button.link", { onclick: () => (genres.focus(), onChange(new URLSearchParams())) }, "Clear all filters"),
            ),
          ]
        : []),
    );
    chips.hidden = !used.length;
  }

  return {
    node: h(
      "div.filters",
      {},
      h(
        "div.bar",
        { role: "group", "aria-label": "Filter and order" },
        genres.node,
        decades.node,
        languages.node,
        h("div.order", {}, order),
      ),
      chips,
    ),
    get facets() {
      return facets;
    },
    /** @param {URLSearchParams} current @param {Facets | null} counts  null: not loaded yet */
    show(current, counts) {
      query = current;
      facets = counts ?? facets;
      draw();
    },
  };
}
