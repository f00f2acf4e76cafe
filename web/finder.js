// @ts-check
// The search field at the top. It suggests names while the person types (a combobox after WAI-ARIA's practices), and
// Enter searches everywhere.

import { go } from "./address.js";
import { get } from "./api.js";
import { announce, counted, h } from "./dom.js";

/** Without this pause each letter of a word would be a request. */
const PAUSE_MS = 120;

/** @param {HTMLElement} place */
export function finder(place) {
  const input = h("input", {
    id: "q",
    type: "search",
    role: "combobox",
    placeholder: "Search titles, people, plots",
    "aria-label": "Search movies",
    autocomplete: "off",
    spellcheck: "false",
    maxlength: 200,
    enterkeyhint: "search",
    "aria-autocomplete": "list",
    "aria-expanded": "false",
    "aria-controls": "names",
  });
  const options = h("ul.names", { id: "names", role: "listbox", "aria-label": "Movies", hidden: true });
  /** @type {HTMLElement[]} */
  let choices = [];
  let chosen = -1;
  let asking = new AbortController();
  let timer = 0;

  const close = () => {
    clearTimeout(timer);
    asking.abort();
    options.hidden = true;
    input.setAttribute("aria-expanded", "false");
    choose(-1);
  };
  const choose = (/** @type {number} */ at) => {
    chosen = at;
    choices.forEach((choice, index) => choice.setAttribute("aria-selected", String(index === at)));
    if (choices[at]) input.setAttribute("aria-activedescendant", choices[at].id);
    else input.removeAttribute("aria-activedescendant");
    choices[at]?.scrollIntoView({ block: "nearest" });
  };
  const visit = (/** @type {string} */ hash) => {
    close();
    go(hash);
  };
  const everything = () => `#/?${new URLSearchParams({ q: input.value.trim() })}`;
  const option = (/** @type {string} */ hash, /** @type {any[]} */ ...content) =>
    h(
      "li",
      {
        role: "option",
        "aria-selected": "false",
        "data-hash": hash,
        // Before the field loses the focus, which closes the list.
        onmousedown: (/** @type {Event} */ event) => event.preventDefault(),
        onclick: () => visit(hash),
      },
      ...content,
    );

  async function ask() {
    const prefix = input.value.trim();
    asking.abort();
    asking = new AbortController();
    if (!prefix) return close();
    const { signal } = asking;
    /** @type {{ id: string, name: string, year?: number }[]} */
    // A failure is not shown: Enter still searches.
    const found = await get("/movies/suggest", { prefix, limit: "8" }, signal).catch(() => null);
    if (!found || signal.aborted || document.activeElement !== input) return;
    choices = [
      ...found.map(({ id, name, year }) => option(`#/movie/${id}`, h("span", {}, name), h("small", {}, year))),
      option(everything(), h("span", {}, `Search titles, people and plots for “${prefix}”`)),
    ];
    choices.forEach((choice, at) => (choice.id = `name-${at}`));
    options.replaceChildren(...choices);
    options.hidden = false;
    input.setAttribute("aria-expanded", "true");
    choose(-1);
    announce(`${counted(found.length, "suggestion")}`);
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !options.hidden) {
      event.preventDefault();
      close();
    } else if (step) {
      event.preventDefault();
      if (options.hidden) ask();
      // From the field into the list, and from its end back to the field.
      else choose(((chosen + 1 + step + choices.length + 1) % (choices.length + 1)) - 1);
    }
  });
  place.append(
    h(
      "form",
      {
        role: "search",
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          if (chosen >= 0) visit(choices[chosen].dataset.hash ?? "#/");
          else if (input.value.trim()) visit(everything());
        },
      },
      input,
      options,
    ),
  );
  addEventListener("hashchange", () => {
    const [path, search] = location.hash.split("?", 2);
    input.value = (path === "#/" && new URLSearchParams(search).get("q")) || "";
  });
}
