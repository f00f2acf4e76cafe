// @ts-check
// One movie: its facts; for its owner the ways to change, share and delete it; for its editors the way to change it.

import { go } from "./address.js";
import { get, request, session } from "./api.js";
import { card } from "./catalogue.js";
import { ask } from "./dialog.js";
import { announce, h } from "./dom.js";
import { poster } from "./poster.js";
import { isEditor } from "./sharing.js";
import { canUndo, offerUndo } from "./trash.js";

/** @typedef {import("./api.js").Movie} Movie */
/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** A link to all movies that have this value. @param {string} name @param {string} value */
const likewise = (name, value) => h("a", { href: `#/?${new URLSearchParams({ [name]: value })}` }, value);

/** A name of more characters is set smaller. */
const LONG = 60;

/** @param {number} minutes */
const hours = (minutes) => (minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`);

/** @param {string} term @param {Node[]} values */
const fact = (term, values) => values.length > 0 && h("div", {}, h("dt", {}, term), h("dd", {}, values));

/** @param {Address} address @returns {Promise<View>} */
export async function moviePage({ id }) {
  let { body: movie, etag } = await request("GET", `/movies/${encodeURIComponent(id)}`);
  let edits = false;
  const isOwner = () => movie.added_by === session.user?.id;
  const place = h("article.movie");
  const shelf = h("section.shelf", { hidden: true });

  const draw = () => {
    const art = poster(movie);
    // The light around the poster takes the colour of its drawing.
    place.style.setProperty("--glow", art.style.getPropertyValue("--figure") || "transparent");
    place.replaceChildren(...content(art));
  };
  const content = (/** @type {Node} */ art) => [
    h("div.art", {}, art),
    h(
      "div.about",
      {},
      h(movie.name.length > LONG ? "h1.long" : "h1", { tabindex: -1 }, movie.name),
      h(
        "p.line",
        {},
        [movie.year, movie.runtime && hours(movie.runtime), movie.countries.join(", ")].filter(Boolean).join("  ·  "),
      ),
      movie.directors.length > 0 &&
        h(
          "p.by",
          {},
          "Directed by ",
          movie.directors.flatMap((/** @type {string} */ name, /** @type {number} */ at) => [
            at ? ", " : "",
            likewise("director", name),
          ]),
        ),
      movie.plot && h("p.plot", {}, movie.plot),
      (isOwner() || edits) &&
        h(
          "div.actions",
          {},
          h("a.button", { href: `#/movie/${movie.id}/edit` }, "Edit"),
          h("a.button", { href: `#/movie/${movie.id}/history` }, "History"),
          h("a.button", { href: `#/movie/${movie.id}/sharing` }, "Sharing"),
          isOwner() && h("button.danger", { onclick: confirmed }, "Delete"),
        ),
      h(
        "dl.facts",
        {},
        fact(
          "Genres",
          movie.genres.map((/** @type {string} */ value) => likewise("genre", value)),
        ),
        fact(
          "Languages",
          movie.languages.map((/** @type {string} */ value) => likewise("language", value)),
        ),
        fact(
          "Countries",
          movie.countries.map((/** @type {string} */ value) => likewise("country", value)),
        ),
      ),
      movie.casts.length > 0 &&
        h(
          "section.cast",
          {},
          h("h2", {}, "Cast"),
          h(
            "ul",
            {},
            movie.casts.map((/** @type {string} */ name) => h("li", {}, likewise("cast", name))),
          ),
        ),
    ),
  ];

  async function reread() {
    ({ body: movie, etag } = await request("GET", `/movies/${movie.id}`));
    draw();
  }

  async function confirmed() {
    const consequence = h("p", {}, "It will be gone for everyone.");
    const undoable = canUndo();
    undoable.then((can) => consequence.append(can ? " You can restore it for 30 days." : " This cannot be undone."));
    const isDeleted = await ask({
      title: `Delete “${movie.name}”?`,
      body: [consequence],
      agree: "Delete it",
      decline: "Keep it",
      act: () => request("DELETE", `/movies/${movie.id}`, { etag: etag ?? undefined }),
      onProblem(problem) {
        if (problem.code !== "precondition-failed") return problem.words;
        // The page behind the question shows what would be deleted now.
        reread().catch(() => {});
        return `${problem.words} Delete it anyway?`;
      },
    });
    if (!isDeleted) return;
    announce(`“${movie.name}” is deleted`);
    // The offer belongs to the page that comes next.
    if (await undoable) addEventListener("hashchange", () => offerUndo(movie), { once: true });
    go("#/mine", { replace: true });
  }

  async function also() {
    const [director] = movie.directors;
    if (!director) return;
    const { items } = await get("/movies", {
      director,
      limit: "8",
      fields: "name,year,genres,directors,poster_url",
      sort: "-year",
    });
    const others = items.filter((/** @type {Movie} */ { id }) => id !== movie.id);
    shelf.hidden = !others.length;
    shelf.replaceChildren(h("h2", {}, "More by ", likewise("director", director)), h("ul.grid", {}, others.map(card)));
  }

  draw();
  // The movie is shown at once. The buttons of an editor come a moment later.
  isEditor(movie).then(
    (found) => {
      edits = found;
      if (found) draw();
    },
    () => {},
  );
  // The page also works without it.
  also().catch(() => {});
  return {
    title: movie.year ? `${movie.name} (${movie.year})` : movie.name,
    body: [place, shelf],
    onChange(change) {
      // Events were missed, and one may have been about this movie.
      if (change.type === "reset") return void reread().catch(() => {});
      if (change.id !== movie.id || (change.version && change.version <= movie.version)) return;
      if (change.movie) {
        movie = change.movie;
        etag = `"${movie.version}"`;
        draw();
        announce("This movie was changed just now");
      } else if (change.type === "updated") {
        // The event of a large movie comes without the movie.
        reread().catch(() => {});
      } else if (change.type === "deleted") {
        place.querySelector(".actions")?.remove();
        place.querySelector(".about")?.prepend(h("p.alert", { role: "alert" }, "This movie was deleted just now."));
      }
    },
  };
}
