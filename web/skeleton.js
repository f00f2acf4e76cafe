// @ts-check
// The outline of a page, shown while a slow network loads it. Each has the measures of the page that
// replaces it, so that nothing jumps.

import { h } from "./dom.js";

/** More than a screen shows. */
const CARDS = 24;

const bone = (/** @type {string} */ look) => h(`span.bone.${look}`);
const lines = (/** @type {number} */ count) => Array.from({ length: count }, () => bone("line"));
export const cards = (count = CARDS) =>
  Array.from({ length: count }, () => h("li.card", { "aria-hidden": "true" }, bone("poster"), bone("line")));

/** @type {Record<string, () => any[]>} */
const SHAPES = {
  list: () => [
    h("div.list-head", {}, h("div", {}, bone("heading"), bone("line")), bone("bar")),
    h("ul.grid", {}, cards()),
  ],
  movie: () => [
    h(
      "div.movie",
      {},
      h("div.art", {}, bone("poster")),
      h("div", {}, bone("heading"), lines(6)),
    ),
  ],
  page: () => [h("div.page.narrow", {}, bone("heading"), lines(6))],
};

/** @param {"list" | "movie" | "page"} shape */
export const skeleton = (shape) => h("div.skeleton", { "aria-hidden": "true" }, SHAPES[shape]());
