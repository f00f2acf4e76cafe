// @ts-check
// A question that must be answered before anything else.

import { Problem } from "./api.js";
import { byId, h } from "./dom.js";

/**
 * Settles when the dialog closes: true if the person agreed and `act` succeeded. While `act` fails, the dialog stays and
 * says why. It is part of the page, so it disappears with it.
 * @param {{ title: string, body?: any[], agree: string, decline: string, act?: () => Promise<unknown>,
 *   onProblem?: (problem: Problem) => string }} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, body = [], agree, decline, act, onProblem = ({ words }) => words }) {
  const complaint = h("div", { role: "alert" });
  const button = h("button.danger", { onclick: agreed }, agree);
  let answer = false;
  const dialog = h(
    "dialog",
    { "aria-labelledby": "question" },
    h("h2.clamp", { id: "question" }, title),
    body,
    complaint,
    h("div.actions", {}, button, h("button", { autofocus: true, onclick: () => dialog.close() }, decline)),
  );

  async function agreed() {
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    try {
      await act?.();
      answer = true;
      dialog.close();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (problem.loggedOut) return dialog.close();
      complaint.replaceChildren(h("p.alert", {}, onProblem(problem)));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    byId("main").append(dialog);
    dialog.showModal();
  });
}
