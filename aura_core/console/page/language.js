// The words of the page, in the language that the user has chosen or that the browser prefers.

import { WORDS as en } from "./words_en.js";
import { WORDS as zh } from "./words_zh.js";

const LANGUAGES = { en, zh };
const KEY = "aura-language";
const listeners = new Set();
let current = start();

function start() {
  const kept = recallChoice(KEY);
  if (kept in LANGUAGES) return kept;
  const wanted = navigator.languages.map((name) => name.slice(0, 2).toLowerCase());
  return wanted.find((name) => name in LANGUAGES) ?? "en";
}

export function recallChoice(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // storage is switched off
  }
}

export function keepChoice(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // storage is switched off: the choice lasts until the page is loaded again
  }
}

export const language = () => current;
export const onLanguage = (listener) => listeners.add(listener);

// The words of a key with its values, such as {n: 3}.
export const t = (key, values) => fill(LANGUAGES[current][key] ?? en[key] ?? key, values);

// Words with values in the places of their names; {n|one note|{n} notes} chooses by number.
export function fill(words, values = {}) {
  return words
    .replace(/\{(\w+)\|([^|{}]*)\|((?:[^|{}]|\{\w+\})*)\}/g, (_, name, one, many) =>
      values[name] === 1 ? one : many,
    )
    .replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// The words of a key, or the foreign word itself where there are none for it.
export function known(prefix, word) {
  const key = `${prefix}_${word.replaceAll(/[^\w]/g, "_")}`;
  return key in en ? t(key) : word;
}

export function setLanguage(name) {
  current = name;
  keepChoice(KEY, name);
  apply();
  for (const listener of listeners) listener();
}

export function other() {
  return current === "en" ? "zh" : "en";
}

// Puts the words into the elements of index.html.
export function apply(root = document) {
  document.documentElement.lang = current === "zh" ? "zh-Hans" : "en";
  for (const node of root.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of root.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", t(node.dataset.tLabel));
    if (node.tagName === "BUTTON") node.title = t(node.dataset.tLabel);
  }
  for (const node of root.querySelectorAll("[data-t-placeholder]")) {
    node.placeholder = t(node.dataset.tPlaceholder);
  }
}

// ---- times ----

const locale = () => (current === "zh" ? "zh-CN" : "en-GB");

const FIRST_DAY_MS = 1e11; // a recording may count from its first frame: that is no time of day

export function clockTime(ms, withDay = false) {
  if (Math.abs(ms) < FIRST_DAY_MS) return position(ms / 1000);
  const day = withDay ? { day: "numeric", month: "short" } : {};
  const form = { ...day, hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false };
  return new Date(ms).toLocaleString(locale(), form);
}

// For programs; null where a recording has no time of day.
export const isoTime = (ms) => (ms < FIRST_DAY_MS ? null : new Date(ms).toISOString());

export function dayTime(ms, now) {
  const [day, today] = [new Date(ms), new Date(now)].map((date) => date.toDateString());
  return clockTime(ms, day !== today);
}

export function span(seconds) {
  if (seconds < 10) return t("seconds", { n: seconds.toFixed(1) });
  if (seconds < 100) return t("seconds", { n: Math.round(seconds) });
  if (seconds < 6000) return t("minutes", { n: Math.round(seconds / 60) });
  return t("hours", { n: Math.round(seconds / 3600) });
}

export function position(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
