// The header, the decision of the newest second, and the gauges.

import { Refusal } from "./connection.js";
import { announce, byId, el, say, setIcon } from "./dom.js";
import { known, language, span, t } from "./language.js";
import { whyNot } from "./reasons.js";

export class StatusLine {
  #model;
  #busy = new Set(); // commands whose answers have not come

  constructor(model, connection, away) {
    this.#model = model;
    this.connection = connection;
    this.away = away;
    model.on("hello status seconds chosen language connection playback", () => this.#show());
    byId("pause").onclick = () => this.#command("pause", { on: !model.status?.paused });
    byId("record").onclick = () => this.#record();
  }

  #show() {
    const { hello, status } = this.#model;
    document.title = hello ? `${hello.title} · Aura` : "Aura";
    say(byId("title"), hello?.title || "Aura");
    byId("title").title = hello?.title ?? "";
    this.#state();
    this.#decision();
    this.#gauges();
    this.#button("pause", status?.paused, status?.paused ? "resume" : "pause");
    this.#button("record", Boolean(status?.recording), status?.recording ? "recording" : "record");
    setIcon(byId("pause").firstElementChild, status?.paused ? "play" : "pause");
    this.#about();
  }

  #button(name, pressed, words) {
    const button = byId(name);
    const why = this.#model.abilityWhy(name);
    button.hidden = Boolean(this.#model.hello?.replay);
    button.setAttribute("aria-pressed", Boolean(pressed));
    button.setAttribute("aria-disabled", Boolean(why));
    say(button.querySelector(".label"), t(words));
    button.setAttribute("aria-label", t(words));
    button.title = why || this.#model.status?.recording || t(words);
  }

  #state() {
    const [level, words] = this.#stateWords();
    byId("state").dataset.level = level;
    say(byId("state-words"), words);
  }

  #stateWords() {
    const { hello, status, playback } = this.#model;
    if (this.away.name !== "open") {
      const first = this.away.name === "connecting" && !hello;
      return first ? ["idle", t("state_connecting")] : ["bad", t("state_away")];
    }
    if (hello?.replay) {
      return ["good", t(playback?.playing ? "state_replay" : "state_replay_stopped")];
    }
    const trouble = status?.trouble;
    if (trouble) {
      const bad = ["model_failed", "server_away", "no_frames", "memory_failed"].includes(trouble);
      return [bad ? "bad" : "warning", `${this.#whose(trouble)}${t(`trouble_${trouble}`)}`];
    }
    const states = [...this.#model.cameraStatus.values()].map(({ state }) => state);
    if (states.includes("speaking")) return ["speaking", t("state_speaking")];
    return ["good", t("state_good")];
  }

  // Of several cameras, the name of the one that has the trouble.
  #whose(trouble) {
    const { cameras, cameraStatus } = this.#model;
    const own = [...cameraStatus.values()].filter((one) => one.trouble === trouble);
    if (cameras.length < 2 || own.length !== 1) return "";
    const camera = cameras.find(({ name }) => name === own[0].camera);
    return `${camera?.title || own[0].camera}: `;
  }

  #decision() {
    const second = this.#model.secondsOf(this.#model.chosen).at(-1);
    const line = byId("decision");
    line.hidden = !second;
    if (!second) return;
    if (!line.firstChild) {
      const meter = el("span", { class: "meter", "aria-hidden": "true" }, el("i"));
      line.append(meter, el("b"), el("span"));
    }
    const [meter, state, why] = line.children;
    const paused = this.#model.status?.trouble === "paused"; // then the newest is an old one
    line.classList.toggle("speak", second.state === "speak");
    meter.firstChild.style.transform = `scaleX(${paused ? 0 : second.p_silent.toFixed(3)})`;
    say(state, t(paused ? "trouble_paused" : second.state === "speak" ? "spoke" : "silent"));
    say(why, paused ? "" : decisionWords(second));
  }

  #gauges() {
    const { status } = this.#model;
    const second = this.#model.secondsOf(this.#model.chosen).at(-1);
    const camera = this.#model.cameraStatus.get(this.#model.chosen);
    const rows = [];
    if (status?.model) rows.push(["gauge_model", status.model]);
    if (status?.device) rows.push(["gauge_device", status.device]);
    if (status?.step_ms) rows.push(["gauge_step", t("ms", { n: number(status.step_ms) })]);
    if (second?.decide_ms) rows.push(["gauge_decide", t("ms", { n: number(second.decide_ms) })]);
    if (camera?.window_max) {
      rows.push(["gauge_window", `${camera.window_chunks}/${camera.window_max}`]);
    }
    const dropped = (camera?.chunks_dropped ?? 0) + (camera?.chunks_missed ?? 0);
    if (dropped) rows.push(["gauge_dropped", t("seconds", { n: dropped }), true]);
    if (status?.rss_mb) rows.push(["gauge_ram", megabytes(status.rss_mb)]);
    if (status && status.memory !== "off") {
      rows.push(["gauge_memory", known("memory", status.memory), status.memory === "failed"]);
    }
    if (status?.clients > 1) rows.push(["gauge_clients", String(status.clients)]);
    const live = this.#model.hello && !this.#model.hello.replay;
    const ahead = live ? this.#model.clock.difference : 0;
    if (Math.abs(ahead) > 5000) {
      const words = t(ahead > 0 ? "clock_ahead" : "clock_behind", { n: span(Math.abs(ahead) / 1000) });
      rows.push(["gauge_clock", words, true]);
    }
    fill(byId("gauges"), rows);
  }

  #about() {
    const { hello, status } = this.#model;
    const rows = [["gauge_version", hello?.aura_version || "–"]];
    if (hello) rows.push(["gauge_source", hello.title]);
    if (status?.model) rows.push(["gauge_model", status.model]);
    if (status?.device) rows.push(["gauge_device", status.device]);
    if (status?.run) rows.push(["gauge_run", status.run]);
    const key = JSON.stringify([rows, language()]);
    const list = byId("about");
    if (list.dataset.key === key) return;
    list.dataset.key = key;
    list.replaceChildren(
      ...rows.flatMap(([name, value]) => [el("dt", {}, t(name)), el("dd", {}, value)]),
    );
  }

  async #record() {
    const on = !this.#model.status?.recording;
    const data = await this.#command("record", { on });
    if (!data) return;
    const text = () => t(on ? "recording_began" : "recording_ended", data);
    this.#model.system("line", this.#model.clock.now(), { text });
    announce(text());
  }

  async #command(name, fields) {
    const why = this.#model.abilityWhy(name);
    if (this.#busy.has(name)) return null; // what is on is not known before the answer
    this.#busy.add(name);
    try {
      if (why) throw new Refusal(this.#model.refusal(name));
      return await this.connection.send(name, fields);
    } catch (error) {
      const text = () => whyNot(error);
      this.#model.system("problem", this.#model.clock.now(), { text });
      announce(text(), true);
      return null;
    } finally {
      this.#busy.delete(name);
    }
  }
}

// Why this second was silent, or not.
export function decisionWords(second) {
  const parts = [t("sure", { percent: percent(second.p_silent) })];
  if (second.suppressed) parts.push(known("suppressed", second.suppressed));
  else if (second.reason) parts.push(known("reason", second.reason));
  return parts.join(" · ");
}

// "100" and "0" only where it is certain
function percent(p) {
  if (p > 0.99 && p < 1) return Math.min(99.9, Math.round(p * 1000) / 10);
  if (p < 0.01 && p > 0) return Math.max(0.1, Math.round(p * 1000) / 10);
  return Math.round(p * 100);
}

export function number(ms) {
  return ms < 10 ? ms.toFixed(1) : Math.round(ms);
}

function megabytes(mb) {
  return mb < 1000 ? `${Math.round(mb)} MB` : `${(mb / 1000).toFixed(1)} GB`;
}

function fill(list, rows) {
  while (list.children.length > rows.length) list.lastChild.remove();
  while (list.children.length < rows.length) list.append(el("div", {}, el("dt"), el("dd")));
  rows.forEach(([name, value, bad], at) => {
    const row = list.children[at];
    row.className = bad ? "bad" : "";
    row.dataset.name = name;
    say(row.firstChild, t(name));
    say(row.lastChild, String(value));
    row.lastChild.title = value;
  });
}
