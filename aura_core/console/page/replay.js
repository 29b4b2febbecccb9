// A recording: play, stop, and scrub; marks where something happened.

import { byId, setIcon } from "./dom.js";
import { position, t } from "./language.js";
import { because, lineOf, whyNot } from "./reasons.js";

const COLOURS = {
  question: "--blue",
  said: "--accent",
  alert: "--amber",
  refused: "--red",
  problem: "--red",
};

export class Replay {
  #model;
  #wanted = null; // where the user has moved to, while a seek is under way
  #busy = false;
  #jumped = false;

  constructor(model, connection) {
    this.#model = model;
    this.connection = connection;
    model.on("hello playback language", () => this.#show());
    model.on("hello status language", () => this.#notice());
    byId("play").onclick = () => this.#play(!this.#model.playback?.playing);
    byId("speed").onchange = () => this.#play(this.#model.playback?.playing ?? false);
    byId("seek").oninput = () => this.seek(this.#begin + Number(byId("seek").value) * 1000);
    byId("mark-before").onclick = () => this.#toMark(-1);
    byId("mark-after").onclick = () => this.#toMark(1);
    new ResizeObserver(() => this.draw()).observe(byId("marks"));
    setInterval(() => this.#tick(), 200);
    window.addEventListener("hashchange", () => this.#jump());
  }

  get #begin() {
    return this.#model.playback?.begin_ms ?? 0;
  }

  get #now() {
    return this.#wanted ?? this.#model.clock.now();
  }

  #show() {
    const { hello, playback } = this.#model;
    byId("replay").hidden = !hello?.replay;
    if (hello && !hello.replay && !this.#jumped) {
      this.#jumped = true;
      this.#jump();
    }
    if (!hello?.replay || !playback) return;
    const input = byId("seek");
    input.max = Math.max(0.1, (playback.end_ms - playback.begin_ms) / 1000);
    byId("play").setAttribute("aria-pressed", playback.playing);
    byId("play").setAttribute("aria-label", t(playback.playing ? "stop" : "play"));
    byId("play").title = t(playback.playing ? "stop" : "play");
    setIcon(byId("play").firstElementChild, playback.playing ? "pause" : "play");
    if ([...byId("speed").options].some(({ value }) => Number(value) === playback.speed)) {
      byId("speed").value = String(playback.speed);
    }
    this.#tick();
    this.draw();
    if (!this.#jumped) {
      this.#jumped = true;
      this.#jump();
    }
  }

  // What is missing in the recording, and that a link is of another one.
  #notice() {
    const { hello, status } = this.#model;
    const told = hello?.replay && status && !status.trouble;
    const missing = told ? because(status, "detail") : "";
    lineOf("replay-notice").cannot([otherRun(hello), missing].filter(Boolean).join(" "));
  }

  // `#run=NAME&at=SECONDS` in the address: a report links to a moment of a recording.
  #jump() {
    const { hello, clock } = this.#model;
    this.#notice();
    if (otherRun(hello)) {
      if (!hello.replay) this.#model.system("problem", clock.now(), { text: () => otherRun(hello) });
      return;
    }
    const at = Number.parseFloat(linked().get("at"));
    if (hello?.replay && Number.isFinite(at)) this.seek(this.#begin + at * 1000);
  }

  #tick() {
    if (!this.#model.playback || byId("replay").hidden) return;
    const seconds = (this.#now - this.#begin) / 1000;
    const all = (this.#model.playback.end_ms - this.#begin) / 1000;
    const input = byId("seek");
    if (this.#wanted === null) input.value = seconds;
    const words = `${position(seconds)} / ${position(all)}`;
    byId("position").textContent = words;
    input.setAttribute("aria-valuetext", words);
  }

  draw() {
    const canvas = byId("marks");
    const { hello, playback } = this.#model;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (!hello?.replay || !playback || !width) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const all = Math.max(1, playback.end_ms - playback.begin_ms);
    for (const { at_ms, kind } of hello.marks) {
      c.fillStyle = style.getPropertyValue(COLOURS[kind] ?? "--soft");
      const x = 8 + ((at_ms - playback.begin_ms) / all) * (width - 16); // half of the input's handle
      c.fillRect(x - 1.5, 2, 3, height * 0.36);
    }
  }

  #toMark(direction) {
    const marks = this.#model.hello?.marks ?? [];
    const now = this.#now;
    const next =
      direction > 0
        ? marks.find(({ at_ms }) => at_ms > now + 300)
        : marks.findLast(({ at_ms }) => at_ms < now - 700);
    if (next) this.seek(next.at_ms);
  }

  // Of the places that a moving hand passes, only the newest is asked for.
  async seek(at_ms) {
    const { begin_ms, end_ms } = this.#model.playback;
    this.#wanted = Math.min(end_ms, Math.max(begin_ms, at_ms));
    byId("seek").value = (this.#wanted - begin_ms) / 1000;
    this.#tick();
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let asked = null; asked !== this.#wanted; ) {
        asked = this.#wanted;
        await this.connection.send("seek", { at_ms: asked });
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#busy = false;
      this.#wanted = null;
    }
  }

  async #play(on) {
    try {
      await this.connection.send("play", { on, speed: Number(byId("speed").value) });
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error) {
    this.#model.system("problem", this.#model.clock.now(), { text: () => whyNot(error) });
  }
}

function linked() {
  return new URLSearchParams(location.hash.slice(1));
}

// That the link is of another recording than the one that is shown; "": it is not.
function otherRun(hello) {
  const run = linked().get("run");
  if (!hello || !run || run === hello.title) return "";
  // the file of each recording of the console has this name
  if (run === "run.jsonl" && hello.replay && !hello.title.endsWith(".jsonl")) return "";
  return t("link_other", { run: run.slice(0, 100), title: hello.title });
}
