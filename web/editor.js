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

/** What was typed when the login ended. The form shows it again after the next login. @type {Map<string, any>} */
const drafts = new Map();

/** @param {Partial<Movie>} movie @param {string[][]} suggestions  genres and languages */
const movieFields = (movie, [genres, languages]) => [
  field("name", "Name", { value: movie.name, required: true, maxlength: 300 }),
  field("year", "Year", { value: movie.year, inputmode: "numeric" }),
  field("runtime", "Runtime in minutes", { value: movie.runtime, inputmode: "numeric" }),
  list("genres", "Genres", { value: movie.genres, suggestions: genres, hint: "At least one. Press Enter after each." }),
  list("directors", "Directors", { value: movie.directors, hint: "Press Enter after each name." }),
  list("casts", "Cast", { value: movie.casts, hint: "Press Enter after each name, or paste several lines." }),
  list("countries", "Countries", { value: movie.countries }),
  list("languages", "Languages", { value: movie.languages, suggestions: languages }),
  field("plot", "Plot", { type: "multiline", value: movie.plot }),
  field("poster_url", "Poster", {
    type: "url",
    value: movie.poster_url,
    hint: "The web address of an image. Leave it empty, and a poster is drawn.",
  }),
];

/** The values of a form in the form of the API: null for an empty field, a number where digits were typed.
 * Other text in a number's place is sent as it is, so that the server says what is wrong with it. @param {Record<string, any>} values */
const asMovie = (values) =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (Array.isArray(value) || name === "name") return [name, value];
      if (value.trim() === "") return [name, null];
      return [name, (name === "year" || name === "runtime") && /^\s*\d+\s*$/.test(value) ? Number(value) : value];
    }),
  );

/** @param {any} one @param {any} other */
const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

/** The genres and languages to suggest. The form also works without them. @returns {Promise<string[][]>} */
const suggestions = () =>
  get("/movies/facets").then(
    ({ genres, languages }) => [genres, languages].map((found) => found.map((/** @type {any} */ { value }) => value)),
    () => [[], []],
  );

/** The form, with the draft of this address if there is one.
 * @param {string} path @param {Partial<Movie>} movie @param {string[][]} known
 * @param {Omit<Parameters<typeof form>[0], "fields">} options */
function movieForm(path, movie, known, { send, done, ...options }) {
  const draft = drafts.get(path);
  drafts.delete(path);
  const fields = movieFields(draft ?? movie, known);
  let hasDraft = draft !== undefined;
  let isKept = false;
  const { node, isChanged } = form({
    fields,
    ...options,
    send: (values) =>
      send(values).catch((problem) => {
        isKept = problem instanceof Problem && problem.loggedOut;
        if (isKept) drafts.set(path, values);
        throw problem;
      }),
    done(result) {
      hasDraft = false;
      done?.(result);
    },
  });
  return { fields, node, isUnsaved: () => !isKept && (hasDraft || isChanged()) };
}

/** @param {Address} address @returns {Promise<View>} */
export async function addMovie({ path }) {
  const { node, isUnsaved } = movieForm(path, {}, await suggestions(), {
    submit: "Add the movie",
    send: async (values) => (await request("POST", "/movies", { body: asMovie(values) })).body,
    done: ({ id }) => go(`#/movie/${id}`, { replace: true }),
  });
  return {
    title: "Add a movie",
    isUnsaved,
    body: h(
      "div.page",
      {},
      h("h1", { tabindex: -1 }, "Add a movie"),
      h("p.lead", {}, "Anyone can see it. Only you and the editors you invite can change it."),
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

  /** Back to the movie, without a second copy of it in the history. */
  const leave = () => (from === `/movie/${id}` ? history.back() : go(`#/movie/${id}`, { replace: true }));

  /** Sends what has changed and nothing else (JSON Merge Patch). @param {Record<string, any>} values */
  async function save(values) {
    const changed = Object.entries(asMovie(values)).filter(([name, value]) => !same(value, movie[name]));
    if (changed.length)
      await request("PATCH", `/movies/${movie.id}`, { body: Object.fromEntries(changed), etag: etag ?? undefined });
  }

  const { fields, node, isUnsaved } = movieForm(path, movie, known, {
    submit: "Save",
    more: [h("button", { type: "button", onclick: leave }, "Cancel")],
    send: save,
    done: leave,
    async onProblem(problem, notice) {
      if (problem.code !== "precondition-failed") return false;
      try {
        const now = await read();
        const conflicts = meet(fields, movie, now.body);
        ({ body: movie, etag } = now);
        notice(
          h("p", {}, "This movie was changed since you opened it. Nothing you typed is lost, and nothing is saved yet."),
          h("p", {}, conflicts ? "Where you changed the same field, both values are shown. " : "", "Save again to save yours."),
        );
      } catch (other) {
        if (!(other instanceof Problem)) throw other;
        notice(h("p", {}, other.words));
      }
      return true;
    },
  });
  return {
    title: `Edit ${movie.name}`,
    isUnsaved,
    body: h("div.page", {}, h("h1.clamp", { tabindex: -1 }, `Edit “${movie.name}”`), node),
  };
}

/** Somebody else has changed the movie. A field that the person left alone gets its new value; one that both have changed
 * keeps what was typed, with the new value beside it. Returns how many fields both have changed.
 * @param {import("./forms.js").Field[]} fields @param {any} before @param {any} now */
function meet(fields, before, now) {
  let conflicts = 0;
  for (const field of fields) {
    const mine = asMovie({ [field.name]: field.value() })[field.name];
    const theirs = now[field.name];
    field.remark();
    if (same(theirs, mine) || same(theirs, before[field.name])) continue;
    if (same(mine, before[field.name])) {
      field.set(theirs);
      field.remark(h("p", {}, "Changed by somebody else just now."));
      continue;
    }
    conflicts += 1;
    const take = () => {
      field.set(theirs);
      field.remark();
      field.input.focus();
    };
    const words = Array.isArray(theirs) ? theirs.join(", ") : theirs;
    field.remark(
      h("p", {}, "Now: ", words ? h("q", {}, words) : "empty"),
      h("button", { type: "button", "aria-label": `Use this for ${field.label}`, onclick: take }, "Use this"),
    );
  }
  return conflicts;
}
