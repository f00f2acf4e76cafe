// @ts-check
// Makes elements, and words for numbers and times. Text from the server only becomes a text node or an attribute,
// never markup: the browser refuses that, as the page's Content-Security-Policy (`require-trusted-types-for`) asks.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * An element: `h("a.card", { href, onclick }, "text")`.
 * @param {string} tag  a name, and classes after dots
 * @param {Record<string, any>} [attributes]  `on…` is a listener; null, undefined and false are left out
 * @param {...(Child | Child[])} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name), { class: classes.join(" ") || null, ...attributes }, children);
}

/** The same for an SVG element. @param {string} tag @param {Record<string, any>} attributes @param {...Child} children */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** @param {Element} node @param {Record<string, any>} attributes @param {(Child | Child[])[]} children */
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...present(children));
  return node;
}

/** @param {(Child | Child[])[]} children @returns {(Node | string)[]} */
export const present = (children) =>
  children
    .flat()
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : String(child)));

/** @param {string} id @returns {any} an element of index.html */
export const byId = (id) => document.getElementById(id);

/** Says something to people who use a screen reader. @param {string} text */
export function announce(text) {
  const region = byId("polite");
  // A screen reader reads the same text twice only if the region was empty in between.
  region.textContent = "";
  setTimeout(() => (region.textContent = text), 50);
}

/** Shows a message in the place of an element that had the focus, and gives it to the message. @param {Element} node @param {string} text */
export function replaceWithNotice(node, text) {
  const notice = h("p.notice", { tabindex: -1 }, text);
  node.replaceWith(notice);
  notice.focus();
}

/** Removes an entry of a list. The focus goes to the next entry, or to the page. @param {Element} row */
export function removeRow(row) {
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  (neighbour?.querySelector("button") ?? byId("main")).focus();
}

/** @param {number} count @param {string} one @param {string} [many] */
export const counted = (count, one, many = `${one}s`) => `${count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** @param {string} time */
export const moment = (time) => new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** @param {string} time */
export const day = (time) => new Date(time).toLocaleDateString("en-GB", { dateStyle: "long" });

/** A page with a heading and one column. @param {string} title @param {...any} content @returns {import("./app.js").View} */
export const narrow = (title, ...content) => ({
  title,
  body: h("div.page.narrow", {}, h("h1", { tabindex: -1 }, title), ...content),
});
