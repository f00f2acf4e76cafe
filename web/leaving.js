// @ts-check
// A form with unsaved changes: the page asks before they are lost.

import { ask } from "./dialog.js";
import { h } from "./dom.js";

/** Whether the page that is shown has unsaved changes. @type {() => boolean} */
let isUnsaved = () => false;
let isAsking = false;

/** @param {() => boolean} [check]  of the page that is shown from now on */
export function guard(check = () => false) {
  isUnsaved = check;
  // A question disappears with its page.
  isAsking = false;
}

export const hasUnsaved = () => isUnsaved();

/** Asks if something would be lost. After a yes the page can be left without another question. */
export async function mayLeave() {
  if (!isUnsaved()) return true;
  if (isAsking) return false;
  isAsking = true;
  const leaves = await ask({
    title: "Leave without saving?",
    body: [h("p", {}, "What you typed on this page will be lost.")],
    agree: "Leave",
    decline: "Stay",
  });
  isAsking = false;
  if (leaves) guard();
  return leaves;
}

// Closing the tab, reloading, another site: the browser asks in its own words.
addEventListener("beforeunload", (event) => {
  if (isUnsaved()) event.preventDefault();
});
