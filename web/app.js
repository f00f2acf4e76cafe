// @ts-check
// The client: it reads the address, shows the view of that address, and draws the frame around it.
//
// The address is the whole state: `#/` and a query of the API is the catalogue, `#/movie/<id>` is a
// movie. A view is a function that takes the address and returns a title and a body.

import { go, toLogin, wayBack } from "./address.js";
import { Problem, request, session, whenChanged, whenLoggedOut } from "./api.js";
import { catalogue } from "./catalogue.js";
import { announce, byId, h, present } from "./dom.js";
import { addMovie, editMovie } from "./editor.js";
import { finder } from "./finder.js";
import { movieHistory } from "./history.js";
import { guard, hasUnsaved, mayLeave } from "./leaving.js";
import { listen } from "./live.js";
import { moviePage } from "./movie.js";
import { invitation, sharing } from "./sharing.js";
import { returned } from "./providers.js";
import { skeleton } from "./skeleton.js";
import { account, forgot, logIn, reset, signUp } from "./account.js";
import { trashPage } from "./trash.js";
import { usersPage } from "./users.js";
import { verify } from "./devices.js";

/**
 * @typedef {{ path: string, query: URLSearchParams, id: string, from: string | null, saved: any }} Address
 *   `from`: the page whose link led here; `saved`: what the view saved when it was left, if this is a way back to it
 * @typedef {{ title: string, body: Node | Node[], update?: (query: URLSearchParams) => string, save?: () => any,
 *   leave?: () => void, isUnsaved?: () => boolean, onChange?: (change: import("./live.js").Change) => void }} View
 *   `update`: the path is the same and the query is new; `save`: called when the address changes; `leave`: when another view
 *   takes its place, so that it ends what it has begun
 */

/** Path, view, and whether it needs a login. @type {[RegExp, (address: Address) => View | Promise<View>, boolean?][]} */
const VIEWS = [
  [/^\/$/, catalogue],
  [/^\/mine$/, catalogue, true],
  [/^\/shared$/, catalogue, true],
  // Only what can be an id: `/api/movies/facets` and the like are not movies.
  [/^\/movie\/([0-9a-f]{24})$/, moviePage],
  [/^\/movie\/([0-9a-f]{24})\/edit$/, editMovie, true],
  [/^\/movie\/([0-9a-f]{24})\/history$/, movieHistory, true],
  [/^\/movie\/([0-9a-f]{24})\/sharing$/, sharing, true],
  [/^\/invitation$/, invitation],
  [/^\/add$/, addMovie, true],
  [/^\/trash$/, trashPage, true],
  [/^\/login$/, logIn],
  [/^\/signup$/, signUp],
  [/^\/forgot$/, forgot],
  [/^\/reset$/, reset],
  [/^\/verify$/, verify],
  [/^\/account$/, account, true],
  [/^\/users$/, usersPage, true],
  [/^(code|error)=/, returned],
];

/** A fast answer needs no skeleton. */
const PATIENCE_MS = 200;

/** What the views saved, by the number that each entry of the history gets. @type {Map<number, any>} */
const memory = new Map();
let lastEntry = Date.now();
/** `at`: how far from the first page, in steps of the back button.
 * @type {{ path: string, entry: number, at: number, view: View | null }} */
let shown = { path: "", entry: 0, at: -1, view: null };
/** The address is being set back to that of a form with unsaved changes. */
let isReturning = false;

/** The address has changed. It changes back where the person chooses to stay. */
async function navigated() {
  if (isReturning) return void (isReturning = false);
  const steps = (history.state?.at ?? shown.at + 1) - shown.at;
  if (!hasUnsaved() || steps === 0) return show();
  const [isNew, hash] = [!history.state, location.hash];
  isReturning = true;
  history.go(-steps);
  if (!(await mayLeave())) return;
  if (isNew) go(hash);
  else history.go(steps);
}

async function show() {
  const [path, search] = (location.hash.slice(1) || "/").split("?", 2);
  const query = new URLSearchParams(search);
  memory.set(shown.entry, { scroll: scrollY, view: shown.view?.save?.() });
  // Only an entry that was shown before has a number.
  const before = memory.get(history.state?.entry);
  if (!history.state?.entry) {
    history.replaceState({ entry: ++lastEntry, at: history.state?.at ?? shown.at + 1 }, "");
  }
  const { entry, at } = history.state;
  if (path === shown.path && shown.view?.update) {
    Object.assign(shown, { entry, at });
    document.title = `${shown.view.update(query)} · Movie Bag`;
    return frame();
  }
  const [pattern, make, personal] = VIEWS.find(([pattern]) => pattern.test(path)) ?? [/^/, nothingHere];
  if (personal && !session.user) return toLogin("login-needed");
  const first = shown.path === "";
  const from = before ? null : shown.path;
  shown.view?.leave?.();
  shown = { path, entry, at, view: null };
  guard();
  frame();
  const main = byId("main");
  main.setAttribute("aria-busy", "true");
  const waiting = setTimeout(() => {
    if (shown.entry !== entry) return;
    main.replaceChildren(skeleton(make === catalogue ? "list" : make === moviePage ? "movie" : "page"));
    scrollTo(0, 0);
    if (!first) announce("Loading");
  }, first ? 0 : PATIENCE_MS);
  /** @type {View} */
  let view;
  try {
    view = await make({ path, query, id: path.match(pattern)?.[1] ?? "", from, saved: before?.view });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    // The login page comes next.
    if (problem.loggedOut) return;
    view = broken(problem);
  } finally {
    clearTimeout(waiting);
  }
  // The person has gone on to another page meanwhile.
  if (shown.entry !== entry) return;
  shown.view = view;
  guard(view.isUnsaved);
  document.title = `${view.title} · Movie Bag`;
  main.replaceChildren(...[view.body].flat());
  main.removeAttribute("aria-busy");
  scrollTo(0, before?.scroll ?? 0);
  // A screen reader reads a new page from its heading on. It reads the first page from the top by itself.
  if (!first) main.querySelector("h1")?.focus({ preventScroll: true });
  // The view may have removed a token from the address.
  frame();
}

/** @returns {View} */
const nothingHere = () => ({
  title: "Nothing here",
  body: h(
    "div.page",
    {},
    h("h1", { tabindex: -1 }, "Nothing here"),
    h("p.lead", {}, "There is no page at this address."),
    h("div.actions", {}, h("a.button.primary", { href: "#/" }, "Go to the catalogue")),
  ),
});

/** @param {Problem} problem @returns {View} */
function broken(problem) {
  /** @type {Record<number, string>} */
  const final = { 403: "Not allowed", 404: "Not found" };
  const title = final[problem.status] ?? "Something went wrong";
  return {
    title,
    body: h(
      "div.page",
      {},
      h("h1", { tabindex: -1 }, title),
      h("p.lead", { role: "alert" }, problem.words),
      h(
        "div.actions",
        {},
        !final[problem.status] && h("button.primary", { onclick: show }, "Try again"),
        h("a.button", { href: "#/" }, "Go to the catalogue"),
      ),
    ),
  };
}

/** Forgets the lists that show this movie. Others stay, so that the back button finds them while somebody else edits.
 * @param {string} [id] */
function forget(id) {
  for (const [entry, { view }] of memory) {
    if (view?.items.some((/** @type {{ id: string }} */ item) => item.id === id)) memory.delete(entry);
  }
}

/** The links at the top. They depend on who is logged in. */
function frame() {
  const link = (/** @type {string} */ path, /** @type {string} */ text, tag = "a", search = "") =>
    h(tag, { href: `#${path}${search}`, "aria-current": shown.path === path ? "page" : null }, text);
  // Between the login and the sign-up page, the way back stays the same.
  const here = location.hash || "#/";
  const back = /^#\/(login|signup)/.test(here) ? wayBack(new URLSearchParams(here.split("?")[1])) : here;
  const search = `?${new URLSearchParams({ back })}`;
  byId("account").replaceChildren(
    ...present(session.user
      ? [
          link("/add", "Add a movie"),
          link("/mine", "My movies"),
          session.user.role === "admin" && link("/users", "Users", "a.wide"),
          link("/account", "Account"),
          h("button.link", { onclick: logOut }, "Log out"),
        ]
      : [link("/login", "Log in", "a", search), link("/signup", "Sign up", "a.button", search)]),
  );
}

async function logOut() {
  if (!(await mayLeave())) return;
  try {
    await request("POST", "/auth/logout");
  } catch (problem) {
    // The browser forgets the token, whatever the server says.
    if (!(problem instanceof Problem)) throw problem;
  }
  session.current = null;
  go("#/");
}

/** Light, dark, or as the system is set. */
function theme() {
  const chosen = localStorage.getItem("movie-bag.theme") ?? "";
  const apply = (/** @type {string} */ name) => (document.documentElement.dataset.theme = name);
  apply(chosen);
  const fields = byId("theme");
  fields.querySelector(`[value="${CSS.escape(chosen)}"]`).checked = true;
  fields.addEventListener("change", (/** @type {any} */ { target }) => {
    localStorage.setItem("movie-bag.theme", target.value);
    apply(target.value);
  });
}

// `/nope` was opened as a path. Its page, if there is one, is at `/#/nope`.
if (location.pathname !== "/") history.replaceState(null, "", `/#${location.pathname}${location.search}`);
theme();
finder(byId("finder"));
history.scrollRestoration = "manual";
byId("skip").addEventListener("click", (/** @type {Event} */ event) => {
  // The part of the address behind # says which page is shown, so the link must not change it.
  event.preventDefault();
  byId("main").focus();
});
session.addEventListener("change", frame);
whenLoggedOut(toLogin);
// What the views saved may be out of date.
whenChanged(() => memory.clear());
addEventListener("hashchange", navigated);
listen((change) => {
  if (change.type === "reset") memory.clear();
  else forget(change.id);
  shown.view?.onChange?.(change);
});
show();
