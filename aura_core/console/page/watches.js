// Watches: add one, see what each has said with its picture, end it.

import { byId, el, show } from "./dom.js";
import { frame } from "./frame.js";
import { dayTime, language, t } from "./language.js";
import { lineOf, whyNot } from "./reasons.js";
import { setCount } from "./tabs.js";
import { refused } from "./text.js";

const MOST_SAID = 5;

export class WatchList {
  #model;
  #open = new Set(); // ids of the watches whose answers are shown

  constructor(model, connection, pictures) {
    this.#model = model;
    Object.assign(this, { connection, pictures });
    model.on("watches alerts hello language", () => this.#show());
    byId("watch-form").onsubmit = (event) => {
      event.preventDefault();
      this.#add();
    };
  }

  async #add() {
    const line = lineOf("watch-error");
    const text = byId("watch-text").value.trim();
    const wrong = refused(text, this.#model.hello?.max_question_chars);
    line.failed(wrong);
    if (wrong) return;
    const button = byId("watch-form").querySelector("button[type=submit]");
    const number = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
    button.disabled = true;
    try {
      await this.connection.send("add_watch", {
        text,
        kind: byId("watch-kind").value,
        cooldown_s: number("watch-cooldown"),
        limit: number("watch-limit"),
        urgent: byId("watch-urgent").checked,
        severity: byId("watch-severity").value,
        camera: this.#model.chosen,
      });
      byId("watch-form").reset();
      byId("watch-more").open = false;
    } catch (error) {
      line.failed(() => whyNot(error));
    } finally {
      button.disabled = false;
    }
  }

  #show() {
    const { watches, alerts } = this.#model;
    setCount("watches", watches.filter(({ open }) => open).length);
    const said = new Map();
    for (const alert of alerts) {
      if (!said.has(alert.watch_id)) said.set(alert.watch_id, []);
      said.get(alert.watch_id).push(alert);
    }
    // open ones first, the newest at the top
    const order = [...watches].reverse().sort((one, other) => other.open - one.open);
    const version = language();
    show(
      byId("watch-list"),
      order.map((watch) => this.#item(watch, said.get(watch.id) ?? [])),
      ({ watch }) => watch.id,
      (item) => this.#card(item),
      version,
    );
    byId("watches-empty").hidden = watches.length > 0;
    byId("watches-empty").replaceChildren(
      el("strong", {}, t("watches_empty")),
      t("watches_empty_why"),
    );
    const why = this.#model.abilityWhy("watch");
    for (const field of byId("watch-form").elements) field.disabled = Boolean(why);
    lineOf("watch-error").cannot(why);
  }

  #items = new Map();

  // The same object as long as nothing of it has changed, so that its card stays.
  #item(watch, said) {
    const key = JSON.stringify([watch, said.map(({ key, acknowledged }) => [key, acknowledged])]);
    const old = this.#items.get(watch.id);
    if (old?.key === key) return old;
    const item = { key, watch, said };
    this.#items.set(watch.id, item);
    if (this.#items.size > 400) this.#items.clear();
    return item;
  }

  #card({ watch, said }) {
    const chips = el("div", { class: "chips" });
    const chip = (words, kind = "") => chips.append(el("span", { class: `chip ${kind}` }, words));
    chip(t(watch.open ? "watch_open" : watch.cancelled ? "watch_cancelled" : "watch_done"), watch.open ? "open" : "");
    chip(t(watch.kind === "proactive" ? "kind_once" : "kind_each"));
    if (watch.urgent) chip(t("urgent"), "warning");
    if (watch.severity !== "info") chip(t(watch.severity), watch.severity);
    if (watch.cooldown_s) chip(t("quiet_for", { n: watch.cooldown_s }));
    if (watch.limit != null) chip(t("of_limit", { n: watch.answers, limit: watch.limit }));
    else if (watch.answers) chip(t("alerts_given", { n: watch.answers }));
    const head = el("div", { class: "row" }, el("h3", {}, watch.text));
    if (watch.open) head.append(this.#endButton(watch));
    const card = el("li", { class: `card ${watch.open ? "" : "ended"}` }, head, chips);
    card.dataset.watch = watch.id;
    const lines = said.slice(-MOST_SAID).reverse();
    if (lines.length) {
      card.append(el("div", { class: "said-list" }, ...lines.map((alert) => this.#said(alert))));
    } else if (watch.last_text && watch.answers) {
      card.append(
        el("div", { class: "said-list" }, this.#said({
          camera: watch.camera,
          stamp_ns: watch.last_stamp_ns,
          text: watch.last_text,
        })),
      );
    }
    return card;
  }

  #said(alert) {
    const words = el("div", {}, el("p", {}, alert.text));
    if (alert.at_ms != null) {
      const time = dayTime(alert.at_ms, this.#model.clock.serverNow());
      words.append(el("p", { class: "soft number" }, time));
    }
    const picture = frame(this.pictures, alert, this.#model.clock);
    return el("div", { class: "evidence" }, picture, words);
  }

  #endButton(watch) {
    const button = el("button", { type: "button", class: "tool small" }, t("end_watch"));
    button.setAttribute("aria-label", t("end_watch_label", watch));
    button.dataset.name = "end";
    button.onclick = async () => {
      button.disabled = true;
      try {
        await this.connection.send("unwatch", { watch_id: watch.id });
        lineOf("watch-error").failed(null);
      } catch (error) {
        button.disabled = false;
        lineOf("watch-error").failed(() => whyNot(error));
      }
    };
    return button;
  }
}
