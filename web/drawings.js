// @ts-check
// The drawings of posters: one for each genre of the demo films, and one for all others.
//
// Each consists of a few shapes in a box of 100 by 100. Random numbers arrange them, so that no two are alike.

import { svg } from "./dom.js";

/** @typedef {() => number} Random */
/** @param {number} cx @param {number} cy @param {number} r @param {object} [more] */
const circle = (cx, cy, r, more = {}) => svg("circle", { cx, cy, r, ...more });
/** @param {string} d @param {object} [more] */
const path = (d, more = {}) => svg("path", { d, ...more });
/** @template Made @param {number} count @param {(index: number) => Made} make */
const times = (count, make) => Array.from({ length: count }, (_, index) => make(index));
/** @param {number} width */
const line = (width) => ({ fill: "none", stroke: "currentColor", "stroke-width": width });

/** @type {Record<string, (random: Random) => Element[]>} */
export const DRAWINGS = {
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
      circle(at(i % side), at(Math.floor(i / side)), ((0.25 + random()) * most) / side, {
        opacity: 0.5 + random() * 0.5,
      }),
    );
  },
  // Two that overlap.
  Romance: (random) => {
    const [one, other] = [17 + random() * 14, 17 + random() * 14];
    return [circle(46 - one * 0.6, 50, one, { opacity: 0.8 }), circle(54 + other * 0.6, 50, other, { opacity: 0.6 })];
  },
  // Light from one point.
  Action: (random) => {
    const x = 20 + random() * 60;
    return times(9, (i) => path(`M${x} 8L${i * 26 - 62} 104h11Z`, { opacity: i % 2 ? 0.55 : 0.95 }));
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
      svg("rect", {
        x: 13 + i * 5.5,
        y: 13 + i * 5.5,
        width: 74 - i * 11,
        height: 74 - i * 11,
        transform: `rotate(${i * turn} 50 50)`,
        ...line(2),
      }),
    );
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
    svg("ellipse", {
      cx: 50,
      cy: 50,
      rx: 44,
      ry: 7 + random() * 6,
      transform: `rotate(${random() * 80 - 40} 50 50)`,
      ...line(2.4),
    }),
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
  Mystery: (random) => [
    circle(50, 52, 30 + random() * 14, { opacity: 0.28 }),
    circle(50, 42, 13),
    path("M50 44l12 36H38Z"),
  ],
  // What is left of columns.
  War: (random) =>
    times(7, (i) =>
      path(`M${5 + i * 13.4} 104V${16 + random() * 50}l9 ${random() * 12 - 6}V104Z`, { opacity: 0.6 + (i % 2) * 0.4 }),
    ),
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
    return times(3, (i) =>
      path(`M${8 + i * 30} 104V${50 + i * drop}a12 12 0 0 1 24 0V104Z`, { opacity: 1 - i * 0.22 }),
    );
  },
  // Quarters of circles.
  other: (random) =>
    times(9, (i) => {
      const place = `translate(${5 + (i % 3) * 30} ${5 + Math.floor(i / 3) * 30})`;
      const turn = `rotate(${Math.floor(random() * 4) * 90} 15 15)`;
      return path("M0 0h30a30 30 0 0 1-30 30Z", { transform: `${place} ${turn}`, opacity: 0.5 + random() * 0.5 });
    }),
};
DRAWINGS.Music = DRAWINGS.Musical;
DRAWINGS.Family = DRAWINGS.Animation = DRAWINGS.other;

/** Drawings that touch no edge, so that the title can be below them; and those that can be turned. */
export const FLOATING = [
  "Comedy",
  "Romance",
  "Crime",
  "Thriller",
  "Documentary",
  "Sci-Fi",
  "Fantasy",
  "Musical",
  "Mystery",
  "other",
];
export const TURNING = ["Romance", "Thriller", "Documentary"];
