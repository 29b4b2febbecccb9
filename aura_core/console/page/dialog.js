// The one dialog of the page: a question before something cannot be undone, or a large picture.

import { t } from "./language.js";
import { byId, el } from "./dom.js";

// Shows `body` (nodes), and gives the value of the button, "" where it was left. A choice is
// {value, words, danger}.
export function ask(title, body, choices) {
  const buttons = [
    el("button", { type: "button", value: "", class: "button" }, t("cancel")),
    ...choices.map(({ value, words, danger }) =>
      el(
        "button",
        { type: "button", value, class: `button ${danger ? "danger sure" : "primary"}` },
        words,
      ),
    ),
  ];
  return open("", title, body, buttons);
}

export function openPicture(address, text, time) {
  const body = [el("img", { src: address, alt: text }), el("p", {}, time)];
  const close = el("button", { type: "button", value: "", class: "button" }, t("close"));
  return open("picture", text, body, [close]);
}

function open(kind, title, body, buttons) {
  const dialog = byId("dialog");
  dialog.className = kind;
  byId("dialog-title").textContent = title;
  byId("dialog-body").replaceChildren(...body);
  byId("dialog-buttons").replaceChildren(...buttons);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      byId("dialog-body").replaceChildren();
      resolve(dialog.returnValue);
    };
    dialog.onclick = ({ target }) => {
      if (target === dialog) dialog.close("");
      else if (target.tagName === "BUTTON") dialog.close(target.value);
    };
  });
}
