// @ts-check
// The client: what the address bar says, which view that is, and the frame around it.
//
// The address is the whole state: `#/` and the API's own query is the catalogue, `#/movie/<id>` a
// movie. A view is a function that gets the address and makes a title and a body of it.

import { go, toLogin, wayBack } from "./address.js";
import { Problem, request, session, whenChanged, whenLoggedOut } from "./api.js";
import { catalogue } from "./catalogue.js";
import { byId, h } from "./dom.js";
import { addMovie, editMovie } from "./editor.js";
import { finder } from "./finder.js";
import { movieHistory } from "./history.js";
import { listen } from "./live.js";
import { moviePage } from "./movie.js";
import { invitation, sharing } from "./sharing.js";
import { returned } from "./providers.js";
import { account, forgot, logIn, reset, signUp } from "./account.js";
import { trashPage } from "./trash.js";
import { verify } from "./devices.js";

/**
 * @typedef {{ path: string, query: URLSearchParams, id: string, from: string | null, saved: any }} Address
 *   `from`: the page whose link led here; `saved`: what the view left here, when one comes back
 * @typedef {{ title: string, body: Node | Node[], update?: (query: URLSearchParams) => string, save?: () => any,
 *   onChange?: (change: import("./live.js").Change) => void }} View
 */

/** Path, view, and whether one must be logged in. @type {[RegExp, (address: Address) => View | Promise<View>, boolean?][]} */
const VIEWS = [
  [/^\/$/, catalogue],
  [/^\/mine$/, catalogue, true],
  [/^\/shared$/, catalogue, true],
  // Only what can be an id: `/api/movies/facets` and its like are no movies.
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
  [/^(code|error)=/, returned],
];

/** What the views left behind, by the number that each entry of the history has got. @type {Map<number, any>} */
const memory = new Map();
let lastEntry = Date.now();
/** @type {{ path: string, entry: number, view: View | null }} */
let shown = { path: "", entry: 0, view: null };

async function show() {
  const [path, search] = (location.hash.slice(1) || "/").split("?", 2);
  const query = new URLSearchParams(search);
  if (shown.view?.save) memory.set(shown.entry, { scroll: scrollY, view: shown.view.save() });
  else memory.set(shown.entry, { scroll: scrollY });
  // Only an entry that one comes back to has a number already.
  const before = memory.get(history.state?.entry);
  if (!history.state?.entry) history.replaceState({ entry: ++lastEntry }, "");
  const entry = history.state.entry;
  if (path === shown.path && shown.view?.update) {
    shown.entry = entry;
    document.title = `${shown.view.update(query)} · Movie Bag`;
    return frame();
  }
  const [pattern, make, personal] = VIEWS.find(([pattern]) => pattern.test(path)) ?? [/^/, nothingHere];
  if (personal && !session.user) return toLogin("login-needed");
  const first = shown.path === "";
  const from = before ? null : shown.path;
  shown = { path, entry, view: null };
  const main = byId("main");
  main.setAttribute("aria-busy", "true");
  /** @type {View} */
  let view;
  try {
    view = await make({ path, query, id: path.match(pattern)?.[1] ?? "", from, saved: before?.view });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    // The login is on its way.
    if (problem.loggedOut) return;
    view = broken(problem);
  }
  // Somebody has gone on while this was on its way.
  if (shown.entry !== entry) return;
  shown.view = view;
  document.title = `${view.title} · Movie Bag`;
  main.replaceChildren(...[view.body].flat());
  main.removeAttribute("aria-busy");
  scrollTo(0, before?.scroll ?? 0);
  // A new page is read from its heading on; at the start that is the reader's own affair.
  if (!first) main.querySelector("h1")?.focus({ preventScroll: true });
  frame();
}

/** @returns {View} */
const nothingHere = () => ({
  title: "Nothing here",
  body: h(
    "div.page",
    {},
    h("h1", { tabindex: -1 }, "Nothing here"),
    h("p", {}, "There is no page at this address. ", h("a", { href: "#/" }, "To the catalogue")),
  ),
});

/** @param {Problem} problem @returns {View} */
const broken = (problem) => ({
  title: problem.status === 404 ? "Not found" : "Something is wrong",
  body: h(
    "div.page",
    {},
    h("h1", { tabindex: -1 }, problem.status === 404 ? "Not found" : "That did not work"),
    h("p", { role: "alert" }, problem.words),
    h(
      "div.actions",
      {},
      problem.status !== 404 && h("button.primary", { onclick: show }, "Try again"),
      h("a.button", { href: "#/" }, "To the catalogue"),
    ),
  ),
});

/** The links at the top: what one can do depends on who one is. */
function frame() {
  const link = (/** @type {string} */ path, /** @type {string} */ text, tag = "a", search = "") =>
    h(tag, { href: `#${path}${search}`, "aria-current": shown.path === path ? "page" : null }, text);
  // From the login on to the sign-up: the way back stays what it was.
  const here = location.hash || "#/";
  const back = /^#\/(login|signup)/.test(here) ? wayBack(new URLSearchParams(here.split("?")[1])) : here;
  const search = `?${new URLSearchParams({ back })}`;
  byId("account").replaceChildren(
    ...(session.user
      ? [
          link("/add", "Add a movie"),
          link("/mine", "My movies"),
          link("/account", "Account"),
          h("button.link", { onclick: logOut }, "Log out"),
        ]
      : [link("/login", "Log in", "a", search), link("/signup", "Sign up", "a.button", search)]),
  );
}

async function logOut() {
  try {
    await request("POST", "/auth/logout");
  } catch (problem) {
    // Whatever the server says: this browser forgets the token.
    if (!(problem instanceof Problem)) throw problem;
  }
  session.current = null;
  go("#/");
}

/** Light, dark or what the system says. */
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

theme();
finder(byId("finder"));
history.scrollRestoration = "manual";
byId("skip").addEventListener("click", (/** @type {Event} */ event) => {
  // The part behind # is taken: it says where one is.
  event.preventDefault();
  byId("main").focus();
});
session.addEventListener("change", frame);
whenLoggedOut(toLogin);
// What was left behind may show what is no longer so.
whenChanged(() => memory.clear());
addEventListener("hashchange", show);
listen((change) => {
  if (change.type !== "created") memory.clear();
  shown.view?.onChange?.(change);
});
show();
