// @ts-check
// Most movies have no poster, so each gets one drawn: the drawing comes from a genre of its own, the
// colours and the arrangement from its name. The same movie looks the same everywhere and always.

import { h, svg } from "./dom.js";

/** Ground, figure, ink: printers' colours; the ink is readable on the ground (4.5:1 at least). */
const PALETTES = [
  ["#1f2a44", "#e2703a", "#f6ecd9"], ["#efe5cf", "#b8432f", "#2a211d"], ["#1f403a", "#dba63f", "#f4ecd8"],
  ["#45273d", "#d88f86", "#f7e9df"], ["#34506a", "#ecc873", "#f7efdc"], ["#e0a33c", "#7a2d1d", "#2b180f"],
  ["#14555a", "#f08a66", "#f6eee0"], ["#24262b", "#9aa0a8", "#f2efe8"], ["#86352a", "#ecc795", "#fbefdc"],
  ["#484d2a", "#c9c08a", "#f6f1dc"], ["#e8bfae", "#8a3040", "#41121d"], ["#ccd6d9", "#2d4f7c", "#152339"],
  ["#171717", "#cf3b2f", "#f5f1ea"], ["#b0bfa0", "#2c5a44", "#14291f"], ["#2b2350", "#8f7fe0", "#efeaf9"],
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

/** @typedef {() => number} Random */
/** @param {number} cx @param {number} cy @param {number} r @param {object} [more] */
const circle = (cx, cy, r, more = {}) => svg("circle", { cx, cy, r, ...more });
/** @param {string} d @param {object} [more] */
const path = (d, more = {}) => svg("path", { d, ...more });
/** @template Made @param {number} count @param {(index: number) => Made} make */
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));
/** @param {number} width */
const line = (width) => ({ fill: "none", stroke: "currentColor", "stroke-width": width });

/** Drawings in a box of 100 by 100. @type {Record<string, (random: Random) => Element[]>} */
const MOTIFS = {
  // A low sun over still water.
  Drama: (random) => {
    const [x, sun, rows] = [25 + random() * 50, 12 + random() * 17, 3 + Math.floor(random() * 4)];
    const water = (/** @type {number} */ i) =>
      svg("rect", { x: 0, y: 62 + i * 8, width: 100, height: 6.5 - i, opacity: 0.9 - i * 0.14 });
    return [circle(x, 30 + random() * 24, sun), ...times(rows, water)];
  },
  // Confetti.
  Comedy: (random) => {
    const [side, most] = [3 + Math.floor(random() * 3), 30];
    const at = (/** @type {number} */ i) => ((i + 0.5) * 94) / side + 3;
    return times(side * side, (i) =>
      circle(at(i % side), at(Math.floor(i / side)), ((0.25 + random()) * most) / side, { opacity: 0.5 + random() * 0.5 }));
  },
  // Two that overlap.
  Romance: (random) => {
    const [one, other] = [17 + random() * 14, 17 + random() * 14];
    return [circle(46 - one * 0.6, 50, one, { opacity: 0.8 }), circle(54 + other * 0.6, 50, other, { opacity: 0.6 })];
  },
  // Light from one point.
  Action: (random) => {
    const x = 20 + random() * 60;
    return times(9, (i) => path(`M${x} 104L${i * 26 - 62} -4h11Z`, { opacity: i % 2 ? 0.55 : 0.95 }));
  },
  // Light through blinds.
  Crime: (random) => {
    const [tilt, rows] = [(random() - 0.5) * 36, 6 + Math.floor(random() * 4)];
    return times(rows, (i) => path(`M-5 ${(96 * i) / rows + 4 - tilt / 2}l110 ${tilt}v${2 + i * 0.8}l-110 ${-tilt}Z`));
  },
  // Vertigo.
  Thriller: (random) => {
    const turn = 4 + random() * 14;
    return times(7, (i) =>
      svg("rect", { x: 13 + i * 5.5, y: 13 + i * 5.5, width: 74 - i * 11, height: 74 - i * 11, transform: `rotate(${i * turn} 50 50)`, ...line(2) }));
  },
  // A moon, and teeth.
  Horror: (random) => [
    circle(24 + random() * 52, 26, 9 + random() * 7, { opacity: 0.85 }),
    path(`M0 100${times(9, (i) => `L${i * 12.5} ${i % 2 ? 42 + random() * 34 : 98}`).join("")}V100Z`),
  ],
  // A lens.
  Documentary: (random) => [
    ...times(1 + Math.floor(random() * 3), (i) => circle(50, 50, 42 - i * 8, line(1 + i))),
    circle(50, 50, 18),
    circle(50 + (random() - 0.5) * 16, 45, 4, { fill: "var(--ground)" }),
  ],
  // A ringed planet.
  "Sci-Fi": (random) => [
    circle(50, 50, 18 + random() * 7),
    svg("ellipse", { cx: 50, cy: 50, rx: 44, ry: 7 + random() * 6, transform: `rotate(${random() * 80 - 40} 50 50)`, ...line(2.4) }),
    circle(80 + random() * 10, 14, 2.4),
    circle(8 + random() * 12, 24, 1.5),
  ],
  // A moon of many nights.
  Fantasy: (random) => [
    circle(50, 50, 34),
    circle(56 + random() * 12, 42 + random() * 8, 29, { fill: "var(--ground)" }),
    ...times(4, () => circle(56 + random() * 26, 30 + random() * 36, 1 + random() * 1.8)),
  ],
  // Mountains.
  Adventure: (random) => {
    const x = 26 + random() * 34;
    return [
      path(`M${x - 55} 104L${x + 6} ${16 + random() * 18}l60 90Z`, { opacity: 0.55 }),
      path(`M${x - 6} 104l40 ${-40 - random() * 26} 46 76Z`),
      circle(x > 43 ? 16 : 84, 18, 7),
    ];
  },
  // A tune.
  Musical: (random) =>
    times(11, (i) => {
      const height = 12 + random() * 70;
      return svg("rect", { x: 6 + i * 8.2, y: 50 - height / 2, width: 4.6, height, rx: 2.3 });
    }),
  // A bust.
  Biography: (random) => {
    const x = 34 + random() * 32;
    return [circle(x, 40, 19), path(`M${x - 38} 104a38 36 0 0 1 76 0Z`, { opacity: 0.8 })];
  },
  // A keyhole.
  Mystery: (random) => [circle(50, 52, 30 + random() * 14, { opacity: 0.28 }), circle(50, 42, 13), path("M50 44l12 36H38Z")],
  // What is left of columns.
  War: (random) =>
    times(7, (i) => path(`M${5 + i * 13.4} 104V${16 + random() * 50}l9 ${random() * 12 - 6}V104Z`, { opacity: 0.6 + (i % 2) * 0.4 })),
  // Hills at evening.
  Western: (random) => [
    circle(25 + random() * 50, 32 + random() * 18, 14 + random() * 8, { opacity: 0.9 }),
    path("M0 60q26-18 50 0t50-4v48H0Z", { opacity: 0.55 }),
    path("M0 78q30-20 56-2t44-2v30H0Z"),
  ],
  // Lanes.
  Sport: (random) => times(6, (i) => circle(random() < 0.5 ? 0 : 4, 104, 24 + i * 15, line(6 - i * 0.5))),
  // Arches.
  History: (random) => {
    const drop = random() * 14;
    return times(3, (i) => path(`M${8 + i * 30} 104V${50 + i * drop}a12 12 0 0 1 24 0V104Z`, { opacity: 1 - i * 0.22 }));
  },
  // Quarters of circles.
  other: (random) =>
    times(9, (i) => {
      const place = `translate(${5 + (i % 3) * 30} ${5 + Math.floor(i / 3) * 30})`;
      const turn = `rotate(${Math.floor(random() * 4) * 90} 15 15)`;
      return path("M0 0h30a30 30 0 0 1-30 30Z", { transform: `${place} ${turn}`, opacity: 0.5 + random() * 0.5 });
    }),
};
MOTIFS.Music = MOTIFS.Musical;
MOTIFS.Family = MOTIFS.Animation = MOTIFS.other;

/** Drawings that hang in the air, so that the title may stand below; and those that may be turned too. */
const FLOATING = ["Comedy", "Romance", "Crime", "Thriller", "Documentary", "Sci-Fi", "Fantasy", "Musical", "Mystery", "other"];
const TURNING = ["Romance", "Thriller", "Documentary"];

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
  const genre = pick(movie.genres?.filter((genre) => genre in MOTIFS) ?? []) ?? "other";
  const low = FLOATING.includes(genre) && random() < 0.4;
  const turn = TURNING.includes(genre) ? `rotate(${random() * 180} 50 50)` : "";
  const poster = h(`div.poster.drawn.${face}${low ? ".low" : ""}`, { "aria-hidden": "true" },
    svg("svg", { viewBox: "0 0 100 150", fill: "currentColor" },
      svg("g", { transform: `translate(0 ${low ? 2 : 50}) ${turn}` }, ...MOTIFS[genre](random))),
    h("div.title", {},
      h("strong", {}, movie.name),
      h("span", {}, [movie.directors?.[0], movie.year].filter(Boolean).join(" · "))));
  for (const [name, value] of Object.entries({ ground, figure, ink, size: `${size(movie.name)}cqi` })) {
    poster.style.setProperty(`--${name}`, value);
  }
  return poster;
}

/** The poster of a movie. The title always stands beside it as text, so it is no more than decoration. @param {any} movie */
export function poster(movie) {
  if (!movie.poster_url) return drawn(movie);
  const image = h("img.poster", { src: movie.poster_url, alt: "", loading: "lazy", decoding: "async", referrerpolicy: "no-referrer" });
  image.addEventListener("error", () => image.replaceWith(drawn(movie)), { once: true });
  return image;
}
