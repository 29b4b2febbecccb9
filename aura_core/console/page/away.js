// The connection, large and plain, where it is not there.

import { byId, el, icon } from "./dom.js";
import { known, language, t } from "./language.js";
import { because } from "./reasons.js";

export class AwayNotice {
  #state = { name: "connecting" };
  #until = 0;
  #first = performance.now();
  #bye = null; // why the last connection has ended, while it is tried again
  #shown = ""; // what the notice says

  constructor(connection) {
    this.connection = connection;
    setInterval(() => this.#count(), 500);
  }

  take(state) {
    this.#state = state;
    this.#until = performance.now() + (state.wait_ms ?? 0);
    this.show();
  }

  get name() {
    return this.#state.name;
  }

  show() {
    const node = byId("away");
    const { name, bye } = this.#state;
    // a reconnection that works at once is not worth a notice
    if (name !== "connecting") this.#bye = name === "away" ? bye : null;
    if (name === "open") {
      node.hidden = true;
      node.replaceChildren();
      this.#shown = "";
    } else if (name === "refused") this.#refused(node, bye);
    else if (name === "away" || !node.hidden || performance.now() - this.#first > 1500) {
      this.#away(node, this.#bye);
    }
  }

  // The same notice stays while it is tried again: its button keeps the focus.
  #away(node, bye) {
    const shown = JSON.stringify([language(), bye]);
    if (this.#shown === shown) return this.#count();
    this.#shown = shown;
    node.hidden = false;
    node.className = "trouble whole";
    const button = el("button", { type: "button", class: "button primary" }, t("try_now"));
    button.onclick = () => this.connection.hurry();
    const title = bye ? known("bye", bye.code || "other") : t("away_title");
    node.replaceChildren(
      icon("away"),
      el("strong", {}, title),
      el("p", { class: "countdown", "aria-live": "off" }, ""),
      bye?.reason ? el("p", {}, because(bye)) : "",
      button,
    );
    this.#count();
  }

  #count() {
    const line = byId("away").querySelector(".countdown");
    if (!line) return;
    const left = Math.ceil((this.#until - performance.now()) / 1000);
    line.textContent =
      this.#state.name === "connecting" || left <= 0 ? t("away_trying") : t("away_why", { n: left });
  }

  #refused(node, bye) {
    this.#shown = "";
    node.hidden = false;
    node.className = "trouble whole";
    const code = bye.code || "other";
    const lines = [icon("warning"), el("strong", {}, known("bye", code))];
    if (code === "token") lines.push(el("p", {}, t("bye_token_why")), this.#tokenForm());
    else {
      if (code === "version") lines.push(el("p", {}, t("bye_version_why")));
      lines.push(el("p", {}, because(bye)));
      const button = el("button", { type: "button", class: "button primary" }, t("load_again"));
      button.onclick = () => location.reload();
      lines.push(button);
    }
    node.replaceChildren(...lines);
    node.querySelector("input")?.focus();
  }

  #tokenForm() {
    const input = el("input", { type: "password", autocomplete: "off", required: true });
    input.setAttribute("aria-label", t("token"));
    input.placeholder = t("token");
    const button = el("button", { class: "button primary" }, t("enter"));
    const form = el("form", { id: "token-form" }, input, button);
    form.onsubmit = (event) => {
      event.preventDefault();
      this.connection.enterToken(input.value.trim());
    };
    return form;
  }
}
