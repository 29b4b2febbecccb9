// Alerts with their picture, until somebody acknowledges them: a list, and a notice over the picture.

import { announce, byId, el, icon, show } from "./dom.js";
import { frame } from "./frame.js";
import { dayTime, language, t } from "./language.js";
import { whyNot } from "./reasons.js";
import { setCount } from "./tabs.js";

const TOAST_MS = 10_000; // an alert that is not urgent
const MOST_TOASTS = 3;

export class AlertList {
  #model;
  #toasts = new Map(); // key -> when its notice ends

  constructor(model, connection, pictures) {
    this.#model = model;
    Object.assign(this, { connection, pictures });
    model.on("alerts language", () => this.#show());
    byId("acknowledge-all").onclick = () => {
      for (const alert of this.#model.alerts) if (!alert.acknowledged) this.#acknowledge(alert);
    };
    setInterval(() => this.#model.fresh.size && this.#showToasts(), 1000);
  }

  #show() {
    const alerts = [...this.#model.alerts].reverse();
    const waiting = alerts.filter(({ acknowledged }) => !acknowledged);
    setCount("alerts", waiting.length);
    byId("acknowledge-all").hidden = waiting.length < 2;
    byId("alerts-empty").hidden = alerts.length > 0;
    byId("alerts-empty").replaceChildren(el("strong", {}, t("alerts_empty")), t("alerts_empty_why"));
    show(byId("alert-list"), alerts, ({ key }) => key, (alert) => this.#card(alert), language());
    this.#showToasts();
  }

  #card(alert) {
    const chips = el("div", { class: "chips" });
    if (alert.urgent) chips.append(el("span", { class: "chip warning" }, t("urgent")));
    if (alert.severity !== "info") {
      chips.append(el("span", { class: `chip ${alert.severity}` }, t(alert.severity)));
    }
    if (alert.confidence) {
      const sure = t("confidence", { n: Math.round(alert.confidence * 100) });
      chips.append(el("span", { class: "chip" }, sure));
    }
    const words = el(
      "div",
      {},
      el("h3", {}, alert.text),
      el("p", { class: "soft" }, t("for_watch", { text: alert.instruction })),
      chips,
    );
    const picture = frame(this.pictures, alert, this.#model.clock);
    const time = dayTime(alert.at_ms, this.#model.clock.serverNow());
    const row = el("div", { class: "row" }, el("span", { class: "soft number" }, time));
    row.append(
      alert.acknowledged
        ? el("span", { class: "soft" }, t("acknowledged"))
        : this.#button(alert, "tool small"),
    );
    const card = el(
      "li",
      { class: `card alert ${alert.acknowledged ? "acknowledged" : ""}` },
      el("div", { class: "evidence" }, picture, words),
      row,
    );
    card.dataset.severity = alert.severity;
    card.dataset.key = alert.key;
    return card;
  }

  #button(alert, kind) {
    const button = el("button", { type: "button", class: kind }, icon("check"), t("acknowledge"));
    button.setAttribute("aria-label", t("acknowledge_label", alert));
    button.dataset.name = "acknowledge";
    button.onclick = () => this.#acknowledge(alert, button);
    return button;
  }

  async #acknowledge(alert, button) {
    if (button) button.disabled = true;
    try {
      await this.connection.send("acknowledge", { key: alert.key });
    } catch (problem) {
      if (button) button.disabled = false;
      announce(whyNot(problem), true);
    }
  }

  // ---- over the picture ----

  #showToasts() {
    const now = performance.now();
    const fresh = this.#model.alerts.filter(({ key }) => this.#model.fresh.has(key));
    for (const alert of fresh) {
      if (this.#toasts.has(alert.key)) continue;
      const stays = alert.urgent || alert.severity === "critical";
      this.#toasts.set(alert.key, stays ? Infinity : now + TOAST_MS);
      announce(t("alert_said", alert), stays);
    }
    for (const [key, until] of this.#toasts) {
      if (until < now) this.#model.fresh.delete(key);
      if (!this.#model.fresh.has(key)) this.#toasts.delete(key);
    }
    const shown = fresh.filter(({ key }) => this.#toasts.has(key)).slice(-MOST_TOASTS).reverse();
    show(byId("toasts"), shown, ({ key }) => key, (alert) => this.#toast(alert), language());
  }

  #toast(alert) {
    const button = this.#button(alert, "tool round");
    button.replaceChildren(icon("check"));
    button.title = t("acknowledge");
    const words = el("div", {}, el("strong", {}, alert.text), el("p", {}, alert.instruction));
    const node = el("div", { class: "toast" }, frame(this.pictures, alert, this.#model.clock));
    node.append(words, button);
    node.dataset.severity = alert.severity;
    return node;
  }
}
