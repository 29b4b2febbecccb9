// What the page knows: bounded lists, changed by the server's messages, and who listens.

import { because } from "./reasons.js";

const MOST_SECONDS = 600; // of each camera
const MOST_TALK = 550; // the server keeps 500 entries, and 50 problems
const MOST_ALERTS = 100;
const MOST_WATCHES = 200;
const MOST_WORDS = 32; // answers under way

export class Model {
  hello = null;
  status = null;
  playback = null;
  cameras = [];
  chosen = ""; // camera of the timeline and of new questions
  cameraStatus = new Map();
  seconds = new Map(); // camera -> oldest first
  talk = []; // questions, answers, refusals, problems: oldest first
  alerts = []; // oldest first
  watches = [];
  fresh = new Set(); // keys of alerts that came while this page was open

  #answers = []; // that were said since `takeAnswers`
  #listeners = new Map();
  #dirty = new Set();
  #count = 0;
  #scheduled = false;

  // Calls `listener` before the next picture on the screen when one of the topics has changed.
  on(topics, listener) {
    for (const topic of topics.split(" ")) {
      if (!this.#listeners.has(topic)) this.#listeners.set(topic, new Set());
      this.#listeners.get(topic).add(listener);
    }
  }

  changed(topic) {
    this.#dirty.add(topic);
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.flush());
  }

  flush() {
    this.#scheduled = false;
    const calls = new Set();
    for (const topic of this.#dirty) this.#listeners.get(topic)?.forEach((f) => calls.add(f));
    this.#dirty.clear();
    for (const call of calls) call();
  }

  take(message) {
    TAKE[message.type]?.call(this, message);
  }

  choose(camera) {
    this.chosen = camera;
    this.changed("chosen");
  }

  // The cameras whose pictures are shown: a page takes only so many.
  get shown() {
    return this.cameras.slice(0, this.hello?.most_shown);
  }

  secondsOf(camera) {
    return this.seconds.get(camera) ?? [];
  }

  watchOf(id) {
    return this.watches.find((watch) => watch.id === id);
  }

  // Why something cannot be done now; "": it can.
  abilityWhy(name) {
    return because(this.refusal(name), "error");
  }

  // The same as the answer to a command.
  refusal(name) {
    const { abilities, abilities_code: codes, abilities_values: values } = this.hello ?? {};
    return { error: abilities?.[name], error_code: codes?.[name], error_values: values?.[name] };
  }

  system(kind, at_ms, fields = {}) {
    this.addTalk({ type: "system", kind, at_ms, ...fields });
  }

  addTalk(entry) {
    entry.key = entry.id ? `${entry.type}/${entry.id}` : `${entry.type}/${++this.#count}`;
    const at = this.talk.findLastIndex((old) => old.key === entry.key);
    if (at >= 0) this.talk[at] = entry;
    else this.talk.push(entry);
    if (this.talk.length > MOST_TALK) this.talk.splice(0, this.talk.length - MOST_TALK);
    this.changed("talk");
  }

  // Takes away what was being said and is not said after all.
  dropWords(test) {
    const before = this.talk.length;
    this.talk = this.talk.filter((entry) => !(entry.streaming && test(entry)));
    if (this.talk.length !== before) this.changed("talk");
  }

  // What was said since this was called last: several answers may come before the next picture.
  takeAnswers() {
    return this.#answers.splice(0);
  }

  addAnswer(said) {
    this.#answers.push(said);
    if (this.#answers.length > MOST_TALK) this.#answers.shift(); // nobody sees the page
  }

  addSecond(second) {
    if (!this.seconds.has(second.camera)) this.seconds.set(second.camera, []);
    const ring = this.seconds.get(second.camera);
    ring.push(second);
    if (ring.length > MOST_SECONDS + 60) ring.splice(0, ring.length - MOST_SECONDS);
  }

  addAlert(alert) {
    const at = this.alerts.findLastIndex((old) => old.key === alert.key);
    if (at >= 0) this.alerts[at] = alert;
    else this.alerts.push(alert);
    if (alert.acknowledged) this.fresh.delete(alert.key);
    for (const old of this.alerts.splice(0, Math.max(0, this.alerts.length - MOST_ALERTS))) {
      this.fresh.delete(old.key);
    }
    return at < 0;
  }
}

// What each message changes; `this` is the model.
const TAKE = {
  hello(message) {
    this.hello = message;
    this.cameras = message.cameras;
    if (!this.cameras.some(({ name }) => name === this.chosen)) {
      this.chosen = this.cameras[0]?.name ?? "";
    }
    this.cameraStatus.clear();
    this.changed("hello");
    this.changed("cameras");
  },

  // What can be done has changed: an assistant or a speech recognition has come or gone.
  abilities({ type, ...message }) {
    this.hello = { ...this.hello, ...message };
    this.changed("hello");
  },

  snapshot({ seconds, conversation, alerts, watches, problems }) {
    this.seconds.clear();
    for (const second of seconds) this.addSecond(second);
    // the page's own lines are not the server's: a command may have failed a moment ago
    const own = this.hello?.replay ? [] : this.talk.filter(({ type }) => type === "system");
    this.talk = [];
    const lines = [...conversation, ...own];
    lines.push(...problems.map((one) => ({ type: "problem", ...one })));
    lines.sort((one, other) => one.at_ms - other.at_ms);
    for (const line of lines) this.addTalk(line);
    this.alerts = [];
    for (const alert of alerts) this.addAlert(alert);
    const known = new Set(this.alerts.map(({ key }) => key));
    for (const key of this.fresh) if (!known.has(key)) this.fresh.delete(key);
    this.watches = watches.slice(-MOST_WATCHES);
    for (const topic of ["seconds", "talk", "alerts", "watches", "snapshot"]) this.changed(topic);
  },

  status(message) {
    const before = this.status;
    this.status = message;
    if (before?.run && message.run && before.run !== message.run) {
      this.system("restarted", message.server_ms);
      this.dropWords(() => true);
    }
    this.changed("status");
  },

  camera_status(message) {
    this.cameraStatus.set(message.camera, { ...message, heard: performance.now() });
    this.changed("status");
  },

  second(message) {
    this.addSecond(message);
    this.dropWords(
      (entry) => entry.camera === message.camera && entry.id !== message.response_id,
    );
    this.changed("seconds");
  },

  asked(message) {
    this.addTalk(message);
  },

  words(message) {
    const old = this.talk.findLast((entry) => entry.key === `said/${message.id}`);
    if (old && !old.streaming) return;
    if (this.talk.filter((entry) => entry.streaming).length > MOST_WORDS) {
      this.dropWords(() => true);
    }
    this.addTalk({ ...message, type: "said", streaming: true });
    this.changed("words");
  },

  said(message) {
    if (message.acknowledgment) { // says the same as the page's own line
      this.talk = this.talk.filter(({ key }) => key !== `system/${message.query_id}`);
    }
    this.addTalk(message);
    this.addAnswer(message);
    this.changed("said");
  },

  refused(message) {
    this.dropWords((entry) => entry.camera === message.camera);
    this.addTalk(message);
  },

  alert(message) {
    if (this.addAlert(message) && !message.acknowledged) this.fresh.add(message.key);
    this.changed("alerts");
  },

  watches(message) {
    this.watches = message.watches.slice(-MOST_WATCHES);
    this.changed("watches");
  },

  note() {
    this.changed("note");
  },

  // A snapshot of what is left comes next.
  forgotten() {
    this.takeAnswers();
    this.heard = null;
    this.changed("heard");
    this.changed("forgotten");
  },

  heard(message) {
    this.heard = message;
    this.changed("heard");
  },

  problem(message) {
    this.addTalk({ ...message, type: "problem" });
  },

  playback(message) {
    this.playback = message;
    this.changed("playback");
  },
};
