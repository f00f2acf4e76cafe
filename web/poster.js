// @ts-check
// Many movies have no poster, so each of them gets one drawn: the drawing comes from a genre of its own, the
// colours and the arrangement from its name. The same movie looks the same everywhere and always.

import { h, svg } from "./dom.js";
import { DRAWINGS, FLOATING, TURNING } from "./drawings.js";

/** Ground, figure, ink: printers' colours; the ink is readable on the ground (4.5:1 at least). */
const PALETTES = [
  ["#1f2a44", "#e2703a", "#f6ecd9"],
  ["#efe5cf", "#b8432f", "#2a211d"],
  ["#1f403a", "#dba63f", "#f4ecd8"],
  ["#45273d", "#d88f86", "#f7e9df"],
  ["#34506a", "#ecc873", "#f7efdc"],
  ["#e0a33c", "#7a2d1d", "#2b180f"],
  ["#14555a", "#f08a66", "#f6eee0"],
  ["#24262b", "#9aa0a8", "#f2efe8"],
  ["#86352a", "#ecc795", "#fbefdc"],
  ["#484d2a", "#c9c08a", "#f6f1dc"],
  ["#e8bfae", "#8a3040", "#41121d"],
  ["#ccd6d9", "#2d4f7c", "#152339"],
  ["#171717", "#cf3b2f", "#f5f1ea"],
  ["#b0bfa0", "#2c5a44", "#14291f"],
  ["#2b2350", "#8f7fe0", "#efeaf9"],
  ["#f3ecdf", "#2f6b73", "#1b2b30"],
];

/** A stream of numbers from 0 to 1 that a text decides (FNV-1a into mulberry32). @param {string} text */
function stream(text) {
  let state = 0x811c9dc5;
  for (const character of text) state = Math.imul(state ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The largest size at which the title stays clear of the drawing: its longest word in a line, its lines in
 * the third of the poster that is theirs. In hundredths of the width. @param {string} name */
function size(name) {
  const words = name.split(/\s+/);
  for (let size = 16; size > 6; size -= 0.5) {
    const room = 84 / (size * 0.54);
    let [lines, used] = [1, -1];
    for (const { length } of words) {
      if (used + 1 + length > room) [lines, used] = [lines + 1, -1];
      used += 1 + length;
    }
    if (lines * size * 1.06 <= 33 && words.every(({ length }) => length <= room)) return size;
  }
  return 6;
}

/** @param {{ name: string, year?: number, genres?: string[], directors?: string[] }} movie */
function drawn(movie) {
  const random = stream(movie.name);
  const pick = (/** @type {any[]} */ choices) => choices[Math.floor(random() * choices.length)];
  const [ground, figure, ink] = pick(PALETTES);
  const face = pick(["serif", "sans", "caps"]);
  const genre = pick(movie.genres?.filter((genre) => Object.hasOwn(DRAWINGS, genre)) ?? []) ?? "other";
  const low = FLOATING.includes(genre) && random() < 0.4;
  const turn = TURNING.includes(genre) ? `rotate(${random() * 180} 50 50)` : "";
  const poster = h(
    `div.poster.drawn.${face}${low ? ".low" : ""}`,
    { "aria-hidden": "true" },
    svg(
      "svg",
      { viewBox: "0 0 100 150", fill: "currentColor" },
      svg("g", { transform: `translate(0 ${low ? 2 : 50}) ${turn}` }, ...DRAWINGS[genre](random)),
    ),
    h(
      "div.title",
      {},
      h("strong", {}, movie.name),
      h("span", {}, [movie.directors?.[0], movie.year].filter(Boolean).join(" · ")),
    ),
  );
  for (const [name, value] of Object.entries({ ground, figure, ink, size: `${size(movie.name)}cqi` })) {
    poster.style.setProperty(`--${name}`, value);
  }
  return poster;
}

/** The poster of a movie. The title always stands beside it as text, so it is no more than decoration. @param {any} movie */
export function poster(movie) {
  if (!movie.poster_url) return drawn(movie);
  const image = h("img.poster", {
    src: movie.poster_url,
    alt: "",
    loading: "lazy",
    decoding: "async",
    referrerpolicy: "no-referrer",
  });
  image.addEventListener("error", () => image.replaceWith(drawn(movie)), { once: true });
  return image;
}
