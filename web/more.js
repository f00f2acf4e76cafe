// @ts-check
// "Show more" below a list, and next to it what went wrong.

import { Problem } from "./api.js";
import { h } from "./dom.js";

/** @param {HTMLElement} list  what grows @param {() => Promise<void>} load  appends the next page */
export function showMore(list, load) {
  const alert = h("p.alert", { role: "alert" });
  const button = h("button", { hidden: true, onclick: press }, "Show more");

  async function press() {
    if (button.getAttribute("aria-busy")) return;
    const before = list.children.length;
    button.setAttribute("aria-busy", "true");
    try {
      await load();
      alert.replaceChildren();
      button.textContent = "Show more";
      // The button may be gone now, so the first new entry gets the focus.
      /** @type {HTMLElement | null | undefined} */
      const first = list.children[before]?.querySelector("a, button");
      first?.focus({ preventScroll: true });
    } catch (problem) {
      // Another list has taken the place of this one.
      if (problem instanceof DOMException && problem.name === "AbortError") return;
      if (!(problem instanceof Problem)) throw problem;
      if (problem.loggedOut) return;
      alert.replaceChildren(problem.words);
      button.textContent = "Try again";
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  return {
    node: h("div.more", {}, alert, button),
    /** @param {string | null} next  the cursor of the next page */
    show(next) {
      button.hidden = !next;
      button.textContent = "Show more";
      alert.replaceChildren();
    },
  };
}
