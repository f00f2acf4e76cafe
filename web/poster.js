// @ts-check
// Many movies have no poster, so one is drawn. One of the movie's genres decides the drawing, its name the colours and
// the arrangement. The same movie always looks the same, everywhere.

import { h, svg } from "./dom.js";
import { DRAWINGS, FLOATING, TURNING } from "./drawings.js";

/** Ground, figure, ink. The contrast of the ink on the ground is at least 4.5:1. */
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

/** The width of a title in hundredths of the poster's width, a little less than the style sheet leaves it. */
const ROOM = 83;

/** A stream of numbers from 0 to 1 that depends on a text alone (FNV-1a into mulberry32). @param {string} text */
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

const style = getComputedStyle(document.documentElement);
const [serif, sans] = ["--serif", "--sans"].map((name) => style.getPropertyValue(name));
/** The faces of a title: the font as CSS writes it, the space between letters in widths of an em, whether in capitals,
 * and how much smaller than the size (see `.drawn` in views.css). @type {Record<string, [string, number, boolean, number]>} */
const FACES = {
  serif: [`400 100px ${serif}`, -0.015, false, 1],
  sans: [`750 100px ${sans}`, -0.035, false, 0.92],
  caps: [`500 100px ${sans}`, 0.06, true, 0.72],
};
/** Widths in em. @type {Map<string, number>} */
const widths = new Map();
const pen = document.createElement("canvas").getContext("2d");

/** @param {string} word @param {string} face */
function width(word, face) {
  const [font, space, isCaps, scale] = FACES[face];
  const key = `${face} ${word}`;
  if (!pen || widths.has(key)) return widths.get(key) ?? word.length * 0.6;
  pen.font = font;
  const text = isCaps ? word.toUpperCase() : word;
  const found = (pen.measureText(text).width / 100 + text.length * space) * scale;
  widths.set(key, found);
  return found;
}

/** The largest size at which the title leaves the drawing free: each word on one line, all lines in the third of the
 * poster that is theirs. In hundredths of the poster's width. @param {string} name @param {string} face */
function size(name, face) {
  // Chinese and Japanese lines break between any two characters, and lines of other scripts after a hyphen too.
  const words = name.split(/\s+|(?<=[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}-])/u).map((word) => width(word, face));
  const gap = width(" ", face);
  const longest = Math.max(...words);
  for (let size = 16; size > 6; size -= 0.5) {
    const room = ROOM / size;
    let [lines, used] = [1, -gap];
    for (const word of words) {
      if (used + gap + word > room) [lines, used] = [lines + 1, -gap];
      used += gap + word;
    }
    if (lines * size * 1.06 <= 33 && longest <= room) return size;
  }
  // A name of many words is cut after five lines. A longer word than this is cut at the edge.
  return Math.max(4, Math.min(6, ROOM / longest));
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
  for (const [name, value] of Object.entries({ ground, figure, ink, size: `${size(movie.name, face)}cqi` })) {
    poster.style.setProperty(`--${name}`, value);
  }
  return poster;
}

/** The poster of a movie. The page always shows the name as text too, so the poster is decoration. @param {any} movie */
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
