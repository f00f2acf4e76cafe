// @ts-check
// Forms that show each problem at the field that it is about.

import { Problem } from "./api.js";
import { counted, h, present } from "./dom.js";

/** Problems that are about one field, although they have no `errors`. @type {Record<string, string>} */
const FIELD_OF = { "email-taken": "email", "wrong-password": "current_password", "duplicate-movie": "name" };

let lastId = 0;

/**
 * @typedef {{ name: string, label: string, node: HTMLElement, input: HTMLElement, value: () => any, set: (value: any) => void,
 *   fail: (message: string | null) => void, remark: (...content: any[]) => void }} Field
 *   `remark`: says something below the input; without content it takes that away
 * @typedef {{ hint?: string, type?: string, value?: any, required?: boolean, [attribute: string]: any }} FieldOptions
 */

/** The label, the hint and the places for a complaint and a remark around an input.
 * @param {string} name @param {string} label @param {string | undefined} hint @param {any} input @param {() => any} value
 * @param {(value: any) => void} set @param {Node} [shown]  what the form shows, if the input is only a part of it
 * @returns {Field} */
function labelled(name, label, hint, input, value, set, shown = input) {
  const id = `field-${++lastId}`;
  input.id = id;
  const complaint = h("p.complaint", { id: `${id}-complaint`, hidden: true });
  const remark = h("div.remark", { id: `${id}-remark`, hidden: true });
  const node = h(
    "div.field",
    { "data-field": name },
    h("label", { for: id }, label),
    hint && h("p.hint", { id: `${id}-hint` }, hint),
    shown,
    complaint,
    remark,
  );
  const describe = () => {
    const words = [!complaint.hidden && complaint.id, !remark.hidden && remark.id, hint && `${id}-hint`];
    input.setAttribute("aria-describedby", words.filter(Boolean).join(" "));
  };
  describe();
  return {
    name,
    label,
    node,
    input,
    value,
    set,
    fail(message) {
      complaint.textContent = message ?? "";
      complaint.hidden = !message;
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      describe();
    },
    remark(...content) {
      remark.replaceChildren(...present(content));
      remark.hidden = !content.length;
      describe();
    },
  };
}

/** A line, a number or, with `type: "multiline"`, a text. @param {string} name @param {string} label @param {FieldOptions} [options] */
export function field(name, label, { hint, type = "text", value, ...more } = {}) {
  const input = type === "multiline" ? h("textarea", { rows: 5, name, ...more }) : h("input", { type, name, ...more });
  const set = (/** @type {any} */ value) => (input.value = value ?? "");
  set(value);
  return labelled(name, label, hint, input, () => input.value, set);
}

/** One of several. @param {string} name @param {string} label @param {[string, string][]} options  value and words */
export function choice(name, label, options) {
  const input = h("select", { name }, options.map(([value, words]) => h("option", { value }, words)));
  const set = (/** @type {any} */ value) => (input.value = value);
  return labelled(name, label, undefined, input, () => input.value, set);
}

/** A list. Each entry is a chip that can be removed. Names may hold commas, so Enter ends an entry.
 * @param {string} name @param {string} label @param {FieldOptions} [options] */
export function list(name, label, { hint, value = [], suggestions = [] } = {}) {
  /** @type {string[]} */
  let entries = [...value];
  const options = h(
    "datalist",
    { id: `suggestions-${name}` },
    suggestions.map((/** @type {string} */ text) => h("option", { value: text })),
  );
  const input = h("input", {
    type: "text",
    enterkeyhint: "enter",
    autocomplete: "off",
    list: suggestions.length ? options.id : null,
  });
  const chips = h("ul.chips", { "aria-label": label });
  const show = () =>
    chips.replaceChildren(
      ...entries.map((entry, at) =>
        h(
          "li",
          {},
          h(
            "button.chip",
            {
              type: "button",
              "aria-label": `Remove ${entry}`,
              onclick: () => {
                entries.splice(at, 1);
                show();
                input.focus();
              },
            },
            entry,
          ),
        ),
      ),
    );
  /** The entries, followed by the lines of a text. @param {string} text */
  const withLines = (text) => [
    ...new Set([
      ...entries,
      ...text
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean),
    ]),
  ];
  const set = (/** @type {string[]} */ value) => {
    entries = [...value];
    input.value = "";
    show();
  };
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && input.value.trim()) {
      event.preventDefault();
      set(withLines(input.value));
    } else if (event.key === "Backspace" && !input.value && entries.length) {
      entries.pop();
      show();
    }
  });
  input.addEventListener("paste", (/** @type {ClipboardEvent} */ event) => {
    const text = event.clipboardData?.getData("text") ?? "";
    if (!text.includes("\n")) return;
    // The input has one line and would turn line breaks into blanks.
    event.preventDefault();
    entries = withLines(text);
    show();
  });
  show();
  // Text in the input counts as an entry when the form is sent. It becomes a chip no earlier: a chip that
  // appeared while a button is being pressed would push the button away.
  return labelled(name, label, hint, input, () => withLines(input.value), set, h("div.entries", {}, chips, input, options));
}

/**
 * A form. While `send` runs it cannot be sent again. A problem that `send` throws is shown in words, each complaint at its field.
 * `label` names the form for a screen reader, and `name` its button, where the text of the button says too little.
 * `done` gets what `send` returned, when the form has nothing unsaved any more; `isChanged` tells whether it has.
 * @param {{ fields: Field[], submit: string, send: (values: Record<string, any>) => Promise<any>, done?: (result: any) => void, more?: any[],
 *   onProblem?: (problem: Problem, notice: (...content: any[]) => void) => boolean | Promise<boolean>, label?: string, name?: string, look?: string }} options
 */
export function form({ fields, submit, send, done, more = [], onProblem, label, name, look = ".primary" }) {
  const alert = h("div.alert", { role: "alert" });
  const button = h(`button${look}`, { type: "submit", "aria-label": name }, submit);
  const notice = (/** @type {any[]} */ ...content) => {
    alert.replaceChildren(...present(content));
    if (content.length) alert.scrollIntoView({ block: "nearest" });
  };
  const node = h(
    "form",
    { novalidate: true, "aria-label": label, onsubmit: submitted },
    fields.map(({ node }) => node),
    alert,
    h("div.actions", {}, button, more),
  );
  const values = () => Object.fromEntries(fields.map((field) => [field.name, field.value()]));
  let sent = JSON.stringify(values());
  const isChanged = () => JSON.stringify(values()) !== sent;

  async function submitted(/** @type {SubmitEvent} */ event) {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    for (const field of fields) field.fail(null);
    notice();
    button.setAttribute("aria-disabled", "true");
    try {
      const result = await send(values());
      sent = JSON.stringify(values());
      done?.(result);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!(await onProblem?.(problem, notice)) && !problem.loggedOut) show(problem);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  function show(/** @type {Problem} */ problem) {
    const complaints = new Map();
    const named = FIELD_OF[problem.code];
    const errors = named ? [{ field: named, message: null }] : problem.errors;
    const elsewhere = [];
    for (const { field: path, message } of errors) {
      const [, name, at] = path.match(/^(\w*)(?:\[(\d+)\])?/) ?? [];
      const field = fields.find((field) => field.name === name);
      if (!field) {
        elsewhere.push(`${path} ${message}`);
        continue;
      }
      const entry = at === undefined ? "" : `, entry ${Number(at) + 1} (“${field.value()[Number(at)] ?? ""}”),`;
      const words = message === null ? problem.words : `${field.label}${entry} ${message}.`;
      complaints.set(field, complaints.has(field) ? `${complaints.get(field)} ${words}` : words);
    }
    for (const [field, words] of complaints) field.fail(words);
    if (complaints.size)
      notice(h("p", {}, `${counted(complaints.size, "field needs", "fields need")} another look.`), ...elsewhere);
    else notice(h("p", {}, problem.words), ...elsewhere);
    fields.find((field) => complaints.has(field))?.input.focus();
  }

  return { node, notice, isChanged };
}
