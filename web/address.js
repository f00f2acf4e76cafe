// @ts-check
// Going from one page to another: the part of the address behind `#` says which page is shown.

import { guard, mayLeave } from "./leaving.js";

/** Goes to a page, unless the person chooses to stay with unsaved changes.
 * @param {string} hash @param {{ replace?: boolean }} [how]  `replace`: the back button skips the page that is left */
export async function go(hash, how) {
  if (await mayLeave()) move(hash, how);
}

/** @param {string} hash @param {{ replace?: boolean }} [how] */
function move(hash, { replace = false } = {}) {
  if (!replace && hash !== location.hash) return void (location.hash = hash);
  // The place in the history stays the same, but what it shows is new.
  if (replace) history.replaceState({ at: history.state?.at }, "", hash);
  setTimeout(() => dispatchEvent(new Event("hashchange")));
}

/** To the login page, with the reason and the way back. @param {string} why */
export function toLogin(why) {
  const here = location.hash || "#/";
  if (here.startsWith("#/login")) return;
  // A form keeps what was typed until after the login.
  guard();
  move(`#/login?${new URLSearchParams({ why, back: here })}`, { replace: true });
}

/** Where to go after a login. The address bar says it, so it may only be one of our pages.
 * @param {URLSearchParams} query */
export const wayBack = (query) =>
  query.get("back")?.startsWith("#/") ? /** @type {string} */ (query.get("back")) : "#/";
