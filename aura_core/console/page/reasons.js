// Why something cannot be done, or has failed, in the page's language.

import { byId, say } from "./dom.js";
import { fill, language, onLanguage, t } from "./language.js";
import { REASONS as zh } from "./reasons_zh.js";

const WORDS = { zh }; // in English the server's sentences are shown

// The reason `key` of a message of the server, which has its code and values beside it.
export function because(message, key = "reason") {
  const words = WORDS[language()]?.[message[`${key}_code`]];
  return words ? fill(words, message[`${key}_values`]) : (message[key] ?? "");
}

// Why a command has failed.
export function whyNot(error) {
  if (error.name === "Away") return t("not_connected");
  return error.answer ? because(error.answer, "error") : error.message;
}

const OVER_MS = 5000;
const lines = new Map();

// The line for reasons with this id; there is one of each.
export function lineOf(id) {
  if (!lines.has(id)) lines.set(id, new Line(byId(id)));
  return lines.get(id);
}

// Shows why something cannot be done now, or else why it has failed last, in the language of now.
class Line {
  #why = "";
  #failed = null;

  constructor(node) {
    this.node = node;
    onLanguage(() => this.#show());
  }

  // What has failed: a function that gives the words; null: nothing has.
  failed(words) {
    this.#failed = words;
    this.#show();
  }

  // What is refused again and again: shown until it was not for a while. False: it is shown already.
  refused(words) {
    const fresh = this.#failed === null;
    this.failed(words);
    setTimeout(() => this.#failed === words && this.failed(null), OVER_MS);
    return fresh;
  }

  // Why it cannot be done; "": it can.
  cannot(why) {
    if (why) this.#failed = null;
    this.#why = why;
    this.#show();
  }

  #show() {
    const words = this.#why || this.#failed?.() || "";
    this.node.hidden = !words;
    say(this.node, words);
  }
}
