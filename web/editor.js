// @ts-check
// The form that adds a movie or changes it.

import { go } from "./address.js";
import { Problem, get, request, session } from "./api.js";
import { h } from "./dom.js";
import { field, form, list } from "./forms.js";
import { isEditor } from "./sharing.js";

/** @typedef {import("./api.js").Movie} Movie */
/** @typedef {import("./app.js").Address} Address */
/** @typedef {import("./app.js").View} View */

/** What was typed when the login ended: it is there again after the next one. @type {Map<string, any>} */
const drafts = new Map();

/** @param {Partial<Movie>} movie @param {string[]} genres @param {string[]} languages */
const movieFields = (movie, genres, languages) => [
  field("name", "Name", { value: movie.name, required: true, maxlength: 300 }),
  field("year", "Year", { value: movie.year, inputmode: "numeric" }),
  field("runtime", "Runtime in minutes", { value: movie.runtime, inputmode: "numeric" }),
  list("genres", "Genres", { value: movie.genres, suggestions: genres, hint: "At least one. Enter ends each." }),
  list("directors", "Directors", { value: movie.directors }),
  list("casts", "Cast", { value: movie.casts, hint: "Enter ends a name; several lines can be pasted." }),
  list("countries", "Countries", { value: movie.countries }),
  list("languages", "Languages", { value: movie.languages, suggestions: languages }),
  field("plot", "Plot", { type: "multiline", value: movie.plot }),
  field("poster_url", "Poster", {
    type: "url",
    value: movie.poster_url,
    hint: "The address of a picture. Without one, a poster is drawn.",
  }),
];

/** What a form holds as the API takes it: null for what is empty, and numbers where digits were typed.
 * What is no number goes out as it is, so that the server says what is wrong with it. @param {Record<string, any>} values */
const asMovie = (values) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (Array.isArray(value) || name === "name") return [name, value];
      if (value.trim() === "") return [name, null];
      return [name, (name === "year" || name === "runtime") && /^\s*\d+\s*$/.test(value) ? Number(value) : value];
    }),
  );

/** @param {string} key @param {Record<string, any>} values @param {() => Promise<any>} send */
async function keepingDraft(key, values, send) {
  try {
    return await send();
  } catch (problem) {
    if (problem instanceof Problem && problem.loggedOut) drafts.set(key, values);
    throw problem;
  }
}

/** @param {string} key */
function takeDraft(key) {
  const draft = drafts.get(key);
  drafts.delete(key);
  return draft;
}

/** What to suggest; the form works without. */
const suggestions = () =>
  get("/movies/facets").then(
    ({ genres, languages }) => [genres, languages].map((found) => found.map((/** @type {any} */ { value }) => value)),
    () => [[], []],
  );

/** @param {Address} address @returns {Promise<View>} */
export async function addMovie({ path }) {
  const { node } = form({
    fields: movieFields(takeDraft(path) ?? {}, .../** @type {[string[], string[]]} */ (await suggestions())),
    submit: "Add the movie",
    send: (values) =>
      keepingDraft(path, values, async () => {
        const { body } = await request("POST", "/movies", { body: asMovie(values) });
        go(`#/movie/${body.id}`, { replace: true });
      }),
  });
  return {
    title: "Add a movie",
    body: h(
      "div.page",
      {},
      h("h1", { tabindex: -1 }, "Add a movie"),
      h("p.lead", {}, "Anyone will see it. Only you, and the editors whom you invite, can change it."),
      node,
    ),
  };
}

/** @param {Address} address @returns {Promise<View>} */
export async function editMovie({ id, path, from }) {
  const read = () => request("GET", `/movies/${encodeURIComponent(id)}`);
  const [answer, known] = await Promise.all([read(), suggestions()]);
  let { body: movie, etag } = answer;
  if (movie.added_by !== session.user?.id && !(await isEditor(movie)))
    throw new Problem({
      status: 403,
      code: "not-owner",
      detail: "Only this movie's owner or an editor may change it.",
    });
  const page = h("div.page");

  /** @param {Record<string, any>} shown */
  const draw = (shown) => {
    const { node } = form({
      fields: movieFields(shown, .../** @type {[string[], string[]]} */ (known)),
      submit: "Save",
      more: [h("button", { type: "button", onclick: leave }, "Cancel")],
      send: (values) => keepingDraft(path, values, () => save(values)),
      onProblem(problem, notice) {
        if (problem.code !== "precondition-failed") return false;
        notice(
          h("p", {}, "This movie was changed somewhere else since you opened it. Nothing of yours is saved yet."),
          h(
            "div.actions",
            {},
            h("button", { type: "button", onclick: reload }, "Show what it is now"),
            h(
              "button",
              { type: "button", onclick: () => ((etag = null), node.requestSubmit()) },
              "Save mine all the same",
            ),
          ),
        );
        return true;
      },
    });
    page.replaceChildren(h("h1", { tabindex: -1 }, `Edit “${movie.name}”`), node);
  };

  /** Sends what has changed and nothing else (JSON Merge Patch). @param {Record<string, any>} values */
  async function save(values) {
    const changed = Object.entries(asMovie(values)).filter(
      ([name, value]) => JSON.stringify(value) !== JSON.stringify(movie[name] ?? null),
    );
    if (changed.length)
      await request("PATCH", `/movies/${movie.id}`, { body: Object.fromEntries(changed), etag: etag ?? undefined });
    leave();
  }

  /** Back to the movie, without leaving a second copy of it in the history. */
  const leave = () => (from === `/movie/${id}` ? history.back() : go(`#/movie/${id}`, { replace: true }));

  async function reload() {
    ({ body: movie, etag } = await read());
    draw(movie);
    page.querySelector("h1")?.focus();
  }

  draw(takeDraft(path) ?? movie);
  return { title: `Edit ${movie.name}`, body: page };
}
