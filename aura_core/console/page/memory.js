// The memory: search in words and by time, notes with pictures, forget.

import { announce, byId, el, show } from "./dom.js";
import { ask } from "./dialog.js";
import { dayTime, known, language, t } from "./language.js";
import { openPicture } from "./dialog.js";
import { because, lineOf, whyNot } from "./reasons.js";
import { refused } from "./text.js";

const MOST = 50;
const NEWER_MS = 3000; // so often at most the newest notes are asked for

export class Memory {
  #model;
  #notes = null; // null: nothing was searched yet
  #selected = new Set();
  #search = null; // the newest search, to do it again
  #asked = 0; // searches that were sent
  #timer = 0;
  #told = ""; // what was forgotten
  #unfound = false; // that a search has failed is shown

  constructor(model, connection, pictures) {
    this.#model = model;
    Object.assign(this, { connection, pictures });
    model.on("hello language", () => this.#show());
    model.on("status language", () => this.#pause());
    model.on("forgotten", () => this.#forgotten());
    model.on("hello note", () => this.#newest());
    window.addEventListener("aura-layout", () => this.#newest());
    byId("recall").onsubmit = (event) => {
      event.preventDefault();
      this.#recall();
    };
    byId("recall-when").onchange = () => {
      const own = byId("recall-when").value === "own";
      for (const label of document.querySelectorAll("#recall .own")) label.hidden = !own;
      if (!own) this.#recall();
    };
    byId("forget-selected").onclick = () => this.#forgetSelected();
    byId("forget-more").onclick = () => this.#forgetMore();
    byId("memory-pause").onclick = () => this.#togglePause();
  }

  // ---- searching ----

  async #recall() {
    const text = byId("recall-text").value.trim();
    const wrong = text ? refused(text) : null;
    this.#failed(wrong);
    if (wrong) return;
    try {
      this.#search = { text, ...this.#time() };
    } catch (error) {
      return this.#failed(() => t(error.message));
    }
    this.#told = "";
    await this.#again();
  }

  // Without words and time the newest notes are shown, and those that are taken from now on.
  #newest() {
    if (this.#timer || this.#model.abilityWhy("recall") || !this.#model.hello) return;
    if (byId("memory").offsetParent === null) return;
    const { text, begin_ms, end_ms } = this.#search ?? {};
    if (text || begin_ms != null || end_ms != null) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#search ??= { text: "", begin_ms: null, end_ms: null };
      this.#again();
    }, this.#notes ? NEWER_MS : 0);
  }

  async #again() {
    const number = ++this.#asked;
    try {
      const { notes } = await this.connection.send("recall", { ...this.#search, limit: MOST });
      if (number !== this.#asked) return; // a newer search is under way, or has its answer
      if (this.#unfound) this.#failed(null);
      this.#notes = notes;
    } catch (error) {
      this.#failed(() => whyNot(error));
      this.#unfound = true;
      return;
    }
    const found = new Set(this.#notes.map(({ id }) => id));
    for (const id of this.#selected) if (!found.has(id)) this.#selected.delete(id);
    this.#show();
  }

  // The time of the search by the server's clock.
  #time() {
    const when = byId("recall-when").value;
    if (!when) return { begin_ms: null, end_ms: null };
    if (when !== "own") {
      const now = this.#model.clock.serverNow();
      return { begin_ms: now - Number(when) * 1000, end_ms: null };
    }
    const [begin_ms, end_ms] = ["from", "to"].map((name) => {
      const { value } = byId(`recall-${name}`);
      return value ? new Date(value).getTime() : null;
    });
    if (begin_ms === null && end_ms === null) throw new Error("time_missing");
    if (begin_ms !== null && end_ms !== null && begin_ms >= end_ms) throw new Error("time_order");
    return { begin_ms, end_ms };
  }

  #failed(words) {
    this.#unfound = false;
    lineOf("recall-error").failed(words);
  }

  // ---- showing ----

  #show() {
    const notes = this.#notes ?? [];
    const why = this.#model.abilityWhy("recall");
    for (const field of byId("recall").elements) field.disabled = Boolean(why);
    show(byId("note-list"), notes, ({ id }) => id, (note) => this.#card(note), language());
    const empty = byId("memory-empty");
    empty.hidden = notes.length > 0;
    const key = this.#notes ? "memory_nothing" : "memory_empty";
    empty.replaceChildren(el("strong", {}, why || t(key)), why ? "" : t(`${key}_why`));
    this.#tools();
  }

  #tools() {
    const count = (this.#notes ?? []).length;
    const no = Boolean(this.#model.abilityWhy("forget"));
    byId("note-tools").hidden = Boolean(this.#model.abilityWhy("recall")) || no;
    byId("note-count").textContent = this.#told || (this.#notes ? t("notes_found", { n: count }) : "");
    const button = byId("forget-selected");
    button.disabled = !this.#selected.size;
    button.hidden = !this.#selected.size;
    button.textContent = t("forget_selected", { n: this.#selected.size });
  }

  #card(note) {
    const check = el("input", { type: "checkbox", "aria-label": t("note_select", note) });
    check.checked = this.#selected.has(note.id);
    check.disabled = Boolean(this.#model.abilityWhy("forget"));
    check.onchange = () => {
      if (check.checked) this.#selected.add(note.id);
      else this.#selected.delete(note.id);
      this.#tools();
    };
    const time = dayTime(note.end_ms, this.#model.clock.serverNow());
    const words = el("div", {});
    if (note.question) words.append(el("p", { class: "soft" }, `“${note.question}”`));
    words.append(el("h3", {}, note.text));
    const kinds = el("div", { class: "chips" }, el("span", { class: "chip" }, known("note", note.kind)));
    if (note.camera) kinds.append(el("span", { class: "chip" }, note.camera));
    kinds.append(el("span", { class: "chip number" }, time));
    words.append(kinds);
    const pick = el("label", { class: "pick" }, check);
    const card = el("li", { class: `card ${note.thumbnail ? "" : "bare"}` }, pick);
    if (note.thumbnail) {
      const address = `data:image/jpeg;base64,${note.thumbnail}`;
      const button = el("button", { type: "button", class: "frame", "aria-label": t("enlarge") });
      button.append(el("img", { src: address, alt: "", loading: "lazy" }));
      button.onclick = () => openPicture(address, note.text, time);
      card.append(button);
    }
    card.append(words);
    card.dataset.note = note.id;
    return card;
  }

  // ---- forgetting ----

  async #forgetSelected() {
    const ids = [...this.#selected];
    const body = [el("p", {}, t("forget_these", { n: ids.length }))];
    const choice = { value: "yes", words: t("forget"), danger: true };
    if (await ask(t("forget_title"), body, [choice])) await this.#forget({ ids });
  }

  async #forgetMore() {
    const times = [["10", "forget_10"], ["60", "forget_60"]];
    const { begin_ms, end_ms } = this.#search ?? {};
    if (begin_ms != null || end_ms != null) times.push(["time", "forget_time"]);
    times.push(["all", "forget_all"]);
    const select = el("select", { id: "forget-what" });
    select.append(...times.map(([value, words]) => el("option", { value }, t(words))));
    const label = el("label", {}, t("when"), select);
    const body = [el("p", {}, t("forget_which")), label];
    const choice = { value: "yes", words: t("forget"), danger: true };
    if (!(await ask(t("forget_title"), body, [choice]))) return;
    const what = select.value;
    if (what === "all") await this.#forget({ everything: true });
    else if (what === "time") await this.#forget({ begin_ms, end_ms });
    else {
      await this.#forget({ begin_ms: this.#model.clock.serverNow() - Number(what) * 60_000 });
    }
  }

  async #forget(what) {
    this.#failed(null);
    try {
      const { count } = await this.connection.send("forget", what);
      this.#selected.clear();
      this.#told = t("forgotten", { n: count });
      announce(this.#told);
      if (this.#search) await this.#again();
      else this.#show();
    } catch (error) {
      this.#failed(() => whyNot(error));
    }
  }

  // Somebody has forgotten something, on this page or another.
  #forgotten() {
    this.pictures.clear();
    if (this.#search) this.#again();
  }

  // ---- pausing ----

  #pause() {
    const { status } = this.#model;
    const button = byId("memory-pause");
    const paused = status?.memory === "paused";
    button.hidden = !status || status.memory === "off" || Boolean(this.#model.abilityWhy("memory_pause"));
    button.setAttribute("aria-pressed", paused);
    button.textContent = t(paused ? "memory_go_on" : "memory_stop");
  }

  async #togglePause() {
    try {
      const on = this.#model.status?.memory !== "paused";
      const data = await this.connection.send("memory_pause", { on });
      this.#failed(data.warning ? () => because(data, "warning") : null);
    } catch (error) {
      this.#failed(() => whyNot(error));
    }
  }
}
