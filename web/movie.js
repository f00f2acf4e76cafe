// @ts-check
// One movie: what is known of it, for its owner the way to change, share or delete it, and for its editors to change it.

import { go } from "./address.js";
import { Problem, get, request, session } from "./api.js";
import { card } from "./catalogue.js";
import { announce, byId, h } from "./dom.js";
import { poster } from "./poster.js";
import { isEditor } from "./sharing.js";
import { canUndo, offerUndo } from "./trash.js";

/** @typedef {import("./api.js").Movie} Movie */
/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** A link to all movies of which that is true too. @param {string} name @param {string} value */
const likewise = (name, value) => h("a", { href: `#/?${new URLSearchParams({ [name]: value })}` }, value);

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
    // The light around the poster has its colour.
    place.style.setProperty("--glow", art.style.getPropertyValue("--figure") || "transparent");
    place.replaceChildren(...content(art));
  };
  const content = (/** @type {Node} */ art) => [
    h("div.art", {}, art),
    h(
      "div.about",
      {},
      h("h1", { tabindex: -1 }, movie.name),
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
    const complaint = h("div", { role: "alert" });
    const consequence = h("p", {}, "It will be gone for everyone.");
    const undoable = canUndo();
    undoable.then((can) => consequence.append(can ? " You can restore it for 30 days." : " This cannot be undone."));
    const dialog = h(
      "dialog",
      { "aria-labelledby": "really" },
      h("h2", { id: "really" }, `Delete “${movie.name}”?`),
      consequence,
      complaint,
      h(
        "div.actions",
        {},
        h("button.danger", { onclick: remove }, "Delete it"),
        h("button", { autofocus: true, onclick: () => dialog.close() }, "Keep it"),
      ),
    );
    dialog.addEventListener("close", () => dialog.remove());
    byId("main").append(dialog);
    dialog.showModal();

    async function remove() {
      try {
        await request("DELETE", `/movies/${movie.id}`, { etag: etag ?? undefined });
        dialog.close();
        announce(`“${movie.name}” is deleted`);
        // The offer goes with the page that it is made on.
        if (await undoable) addEventListener("hashchange", () => offerUndo(movie), { once: true });
        go("#/mine", { replace: true });
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        if (problem.loggedOut) return dialog.close();
        const changed = problem.code === "precondition-failed";
        complaint.replaceChildren(h("p.alert", {}, problem.words, changed && " Delete it all the same?"));
        // Behind the question stands what would be deleted now.
        if (changed) await reread().catch(() => {});
      }
    }
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
    shelf.replaceChildren(h("h2", {}, "Also by ", likewise("director", director)), h("ul.grid", {}, others.map(card)));
  }

  draw();
  // The movie is shown at once; what an editor can do comes a moment later.
  isEditor(movie).then(
    (found) => {
      edits = found;
      if (found) draw();
    },
    () => {},
  );
  // The rest of the page stands without it.
  also().catch(() => {});
  return {
    title: movie.year ? `${movie.name} (${movie.year})` : movie.name,
    body: [place, shelf],
    onChange(change) {
      // Something was missed, and it may have been this movie.
      if (change.type === "reset") return void reread().catch(() => {});
      if (change.id !== movie.id || (change.version && change.version <= movie.version)) return;
      if (change.movie) {
        movie = change.movie;
        etag = `"${movie.version}"`;
        draw();
        announce("This movie was just changed");
      } else if (change.type === "updated") {
        // Its event leaves a large movie out.
        reread().catch(() => {});
      } else if (change.type === "deleted") {
        place.querySelector(".actions")?.remove();
        place.querySelector(".about")?.prepend(h("p.alert", { role: "alert" }, "This movie was just deleted."));
      }
    },
  };
}
