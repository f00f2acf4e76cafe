// @ts-check
// Forms that show what the server says at the field that it speaks of.

import { Problem } from "./api.js";
import { counted, h, present } from "./dom.js";

/** A problem that is about one field without saying so in `errors`. @type {Record<string, string>} */
const FIELD_OF = { "email-taken": "email", "wrong-password": "current_password", "duplicate-movie": "name" };

let lastId = 0;

/**
 * @typedef {{ name: string, label: string, node: HTMLElement, input: HTMLElement, value: () => any, fail: (message: string | null) => void }} Field
 * @typedef {{ hint?: string, type?: string, value?: any, required?: boolean, [attribute: string]: any }} FieldOptions
 */

/** The label, the hint and the place for a complaint around an input.
 * @param {string} name @param {string} label @param {string | undefined} hint @param {any} input @param {() => any} value
 * @param {Node} [shown]  what stands in the form, if the input is only a part of it
 * @returns {Field} */
function labelled(name, label, hint, input, value, shown = input) {
  const id = `field-${++lastId}`;
  input.id = id;
  const complaint = h("p.complaint", { id: `${id}-complaint`, hidden: true });
  const node = h(
    "div.field",
    { "data-field": name },
    h("label", { for: id }, label),
    hint && h("p.hint", { id: `${id}-hint` }, hint),
    shown,
    complaint,
  );
  const describe = (/** @type {boolean} */ broken) =>
    input.setAttribute("aria-describedby", [broken && complaint.id, hint && `${id}-hint`].filter(Boolean).join(" "));
  describe(false);
  return {
    name,
    label,
    node,
    input,
    value,
    fail(message) {
      complaint.textContent = message ?? "";
      complaint.hidden = !message;
      if (message) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
      describe(Boolean(message));
    },
  };
}

/** A line, a number or, with `type: "multiline"`, a text. @param {string} name @param {string} label @param {FieldOptions} [options] */
export function field(name, label, { hint, type = "text", value, ...more } = {}) {
  const input = type === "multiline" ? h("textarea", { rows: 5, name, ...more }) : h("input", { type, name, ...more });
  input.value = value ?? "";
  return labelled(name, label, hint, input, () => input.value);
}

/** One of several. @param {string} name @param {string} label @param {[string, string][]} options  value and words */
export function choice(name, label, options) {
  const input = h("select", { name }, options.map(([value, words]) => h("option", { value }, words)));
  return labelled(name, label, undefined, input, () => input.value);
}

/** A list: each entry a chip that can be taken out again. Names may hold commas, so Enter ends one.
 * @param {string} name @param {string} label @param {FieldOptions} [options] */
export function list(name, label, { hint, value = [], suggestions = [] } = {}) {
  /** @type {string[]} */
  const entries = [...value];
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
  const take = () => {
    // Several lines may have been pasted.
    const found = input.value
      .split("\n")
      .map((/** @type {string} */ line) => line.trim())
      .filter(Boolean);
    entries.push(...found.filter((/** @type {string} */ entry) => !entries.includes(entry)));
    input.value = "";
    show();
  };
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && input.value.trim()) {
      event.preventDefault();
      take();
    } else if (event.key === "Backspace" && !input.value && entries.length) {
      entries.pop();
      show();
    }
  });
  input.addEventListener("paste", (/** @type {ClipboardEvent} */ event) => {
    const text = event.clipboardData?.getData("text") ?? "";
    if (!text.includes("\n")) return;
    // A line of input would make blanks of the line ends.
    event.preventDefault();
    entries.push(
      ...text
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line && !entries.includes(line)),
    );
    show();
  });
  show();
  // What stands in the line when the form is sent is an entry too. It becomes none sooner: a chip that
  // appears while one presses the button would push the button away.
  return labelled(name, label, hint, input, () => (take(), [...entries]), h("div.entries", {}, chips, input, options));
}

/**
 * A form. While `send` runs it cannot be sent again; what `send` throws is shown in words, each at its field.
 * @param {{ fields: Field[], submit: string, send: (values: Record<string, any>) => Promise<unknown>, more?: any[],
 *   onProblem?: (problem: Problem, notice: (...content: any[]) => void) => boolean, label?: string, look?: string }} options
 */
export function form({ fields, submit, send, more = [], onProblem, label, look = ".primary" }) {
  const alert = h("div.alert", { role: "alert" });
  const button = h(`button${look}`, { type: "submit" }, submit);
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

  async function submitted(/** @type {SubmitEvent} */ event) {
    event.preventDefault();
    if (button.getAttribute("aria-disabled")) return;
    for (const field of fields) field.fail(null);
    notice();
    button.setAttribute("aria-disabled", "true");
    try {
      await send(Object.fromEntries(fields.map((field) => [field.name, field.value()])));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!onProblem?.(problem, notice) && !problem.loggedOut) show(problem);
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

  return { node, notice };
}
