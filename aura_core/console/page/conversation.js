// Questions, answers and alerts, with words as they come; and the field to ask.

import { announce, byId, download, el, say, show } from "./dom.js";
import { clockTime, dayTime, isoTime, known, language, t } from "./language.js";
import { openPicture } from "./dialog.js";
import { because, lineOf, whyNot } from "./reasons.js";
import { refused } from "./text.js";

const NEAR = 90; // pixels from the end: whoever is there goes on to the newest

export class Conversation {
  #model;
  #asking = false;

  constructor(model, connection, pictures) {
    this.#model = model;
    Object.assign(this, { connection, pictures });
    model.on("talk hello language", () => this.#show());
    model.on("said", () => this.#announce());
    model.on("hello language", () => this.#field());
    model.on("heard status", () => this.#heard());
    const scroll = byId("talk-scroll");
    scroll.onscroll = () => this.#atEnd() && (byId("newest").hidden = true);
    byId("newest").onclick = () => this.#toEnd();
    new ResizeObserver(() => this.#stick && this.#toEnd()).observe(scroll);
    const field = byId("question");
    byId("ask").onsubmit = (event) => {
      event.preventDefault();
      this.ask(field.value);
    };
    field.oninput = () => {
      this.#grow();
      lineOf("ask-error").failed(null);
    };
    field.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.ask(field.value);
    };
    for (const button of ["markdown", "json"]) {
      byId(`export-${button}`).onclick = () => this.#export(button);
    }
  }

  #stick = true;

  #atEnd() {
    const scroll = byId("talk-scroll");
    this.#stick = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
    return this.#stick;
  }

  #toEnd() {
    const scroll = byId("talk-scroll");
    scroll.scrollTop = this.#model.talk.length ? scroll.scrollHeight : 0;
    this.#stick = true;
    byId("newest").hidden = true;
  }

  #show() {
    const { talk } = this.#model;
    const stick = this.#stick;
    const many = this.#model.cameras.length > 1;
    const version = `${language()}/${many}`;
    show(byId("messages"), talk, ({ key }) => key, (entry, old) => this.#message(entry, old), version);
    byId("talk-empty").hidden = talk.length > 0;
    if (!talk.length) this.#empty();
    if (stick) this.#toEnd();
    else byId("newest").hidden = false;
  }

  #empty() {
    const suggestions = el("div", { class: "suggestions" });
    if (!this.#model.abilityWhy("ask")) {
      for (const key of ["suggestion_1", "suggestion_2"]) {
        const button = el("button", { type: "button", class: "tool small" }, t(key));
        button.onclick = () => this.ask(t(key));
        suggestions.append(button);
      }
    }
    byId("talk-empty").replaceChildren(
      el("strong", {}, t(this.#model.hello?.replay ? "talk_empty_replay" : "talk_empty")),
      this.#model.hello?.replay ? "" : t("talk_empty_why"),
      suggestions,
    );
  }

  #message(entry, old) {
    if (entry.type === "said") return this.#said(entry, old);
    if (entry.type === "asked") return this.#asked(entry);
    const node = el("li", { class: `message system ${entry.type}` });
    if (entry.type === "refused") {
      node.classList.add("problem");
      node.textContent = t("was_refused", { ...entry, reason: because(entry) });
    } else if (entry.type === "problem") {
      node.textContent = `${clockTime(entry.at_ms)} ${because(entry, "text")}`;
    } else {
      if (entry.kind === "problem") node.classList.add("problem");
      node.textContent = `${clockTime(entry.at_ms)} ${entry.text?.() ?? t(entry.kind)}`;
    }
    return node;
  }

  #asked(entry) {
    const source = entry.source && entry.source !== "console" ? t("said_by", entry) : t("you");
    const meta = el("div", { class: "meta" }, el("span", {}, source), this.#camera(entry));
    meta.append(this.#time(entry));
    return el("li", { class: "message user" }, el("div", { class: "bubble" }, entry.text), meta);
  }

  #said(entry, old) {
    if (old && entry.streaming) {
      say(old.firstElementChild, entry.text);
      return old;
    }
    const question = this.#question(entry.query_id);
    const later = entry.kind === "proactive" || entry.kind === "multi-response";
    const alert = later && !entry.acknowledgment;
    const kind = `${alert ? "alert" : ""} ${entry.streaming ? "streaming" : ""}`;
    const meta = el("div", { class: "meta" });
    if (alert && question) meta.append(el("span", {}, t("for_watch", { text: question })));
    else if (entry.acknowledgment) meta.append(el("span", {}, t("acknowledged_words")));
    meta.append(this.#camera(entry) ?? "", this.#time(entry));
    if (!entry.streaming && entry.stamp_ns != null) meta.append(this.#picture(entry));
    for (const note of (entry.evidence ?? []).slice(0, 3)) {
      const time = dayTime(note.at_ms, this.#model.clock.serverNow());
      meta.append(el("span", {}, t("from_memory", { time })));
    }
    return el("li", { class: `message ${kind}` }, el("div", { class: "bubble" }, entry.text), meta);
  }

  #picture(entry) {
    const button = el("button", { type: "button" }, t("show_picture"));
    button.dataset.name = "picture";
    button.onclick = async () => {
      const address = await this.pictures.get(entry.camera, entry.stamp_ns);
      if (address) openPicture(address, entry.text, clockTime(entry.at_ms));
      else button.replaceWith(el("span", {}, t("no_picture")));
    };
    return button;
  }

  #camera({ camera }) {
    if (this.#model.cameras.length < 2) return null;
    const title = this.#model.cameras.find(({ name }) => name === camera)?.title;
    return el("span", {}, title || camera);
  }

  #time({ at_ms }) {
    const words = dayTime(at_ms, this.#model.clock.serverNow());
    return el("time", { class: "number", datetime: isoTime(at_ms) }, words);
  }

  #question(id) {
    if (!id) return "";
    return (
      this.#model.watchOf(id)?.text ??
      this.#model.talk.findLast((entry) => entry.type === "asked" && entry.id === id)?.text ??
      ""
    );
  }

  // A screen reader is told each answer once, when it is complete.
  #announce() {
    const later = ["proactive", "multi-response"]; // told with the alerts
    for (const entry of this.#model.takeAnswers()) {
      if (!later.includes(entry.kind)) announce(t("answer_said", entry));
    }
  }

  // ---- asking ----

  async ask(words) {
    const text = words.trim();
    const field = byId("question");
    if (!text || this.#asking || this.#model.abilityWhy("ask")) return;
    const wrong = refused(text, this.#model.hello?.max_question_chars);
    if (wrong) return this.#failed(wrong);
    this.#asking = true;
    this.#field();
    try {
      const data = await this.connection.send("ask", { text, camera: this.#model.chosen });
      if (field.value.trim() === text) field.value = "";
      this.#failed(null);
      if (data.watch) {
        this.#model.system("watch_added", this.#model.clock.now(), { id: data.query_id });
      }
    } catch (error) {
      this.#failed(() => whyNot(error));
      if (!field.value) field.value = text;
    } finally {
      this.#asking = false;
      this.#field();
      this.#grow();
      this.#toEnd();
      field.focus();
    }
  }

  #failed(words) {
    lineOf("ask-error").failed(words);
  }

  #grow() {
    const field = byId("question");
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + 2}px`;
  }

  #field() {
    const why = this.#model.abilityWhy("ask");
    byId("question").disabled = Boolean(why);
    byId("question").placeholder = why || t("ask_placeholder");
    byId("send").disabled = Boolean(why) || this.#asking;
    // words in the field hide its placeholder
    lineOf("ask-error").cannot(byId("question").value && why);
    const no = this.#model.abilityWhy("export");
    for (const form of ["markdown", "json"]) byId(`export-${form}`).disabled = Boolean(no);
    lineOf("export-why").cannot(no);
  }

  #heard() {
    const line = byId("heard");
    const mine = this.#model.status?.microphone === "you";
    const heard = this.#model.heard;
    const recent = heard && this.#model.clock.serverNow() - heard.at_ms < 8000;
    line.hidden = !mine && !recent;
    if (line.hidden) return;
    const reason = recent && known("rejected", heard.reason);
    say(line, recent ? t(`heard_${heard.state}`, { ...heard, reason }) : t("heard_listening"));
  }

  async #export(form) {
    try {
      const { name, text } = await this.connection.send("export", { form });
      download(name, text, form === "json" ? "application/json" : "text/markdown");
      lineOf("export-why").failed(null);
    } catch (error) {
      lineOf("export-why").failed(() => whyNot(error));
    }
  }
}
