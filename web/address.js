// @ts-check
// Going from one page to another: the part of the address behind `#` says where one is.

/** @param {string} hash @param {{ replace?: boolean }} [how]  `replace`: the back button passes over where we are */
export function go(hash, { replace = false } = {}) {
  if (hash === location.hash) dispatchEvent(new Event("hashchange"));
  else if (replace) location.replace(hash);
  else location.hash = hash;
}

/** To the login, with the reason and the way back. @param {string} why */
export function toLogin(why) {
  const here = location.hash || "#/";
  if (!here.startsWith("#/login")) go(`#/login?${new URLSearchParams({ why, back: here })}`, { replace: true });
}

/** Where to go after a login. It comes from the address bar, so it may only be one of our pages.
 * @param {URLSearchParams} query */
export const wayBack = (query) =>
  query.get("back")?.startsWith("#/") ? /** @type {string} */ (query.get("back")) : "#/";
