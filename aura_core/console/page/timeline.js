// The last minutes, drawn: p(silent), what was asked and said, alerts, how full the window is,
// milliseconds of each step, and what was dropped. Pointing at a second shows its frame.

import { byId, el, say } from "./dom.js";
import { clockTime, language, t } from "./language.js";
import { decisionWords, number } from "./status.js";

const STEPS_MS = [5_000, 10_000, 15_000, 30_000, 60_000, 120_000];
const DRAW_MS = 200;
const MOST_ROWS = 60;
const CROSSES = new Set(["refused", "problem"]);
const JOINED_MS = 1900; // seconds that are farther apart have a gap between them
const LEFT_REM = 4.1; // for the names of the rows
const RIGHT = 8;

export class Timeline {
  #model;
  #size = { width: 0, height: 0 };
  #at = null; // the second that is pointed at
  #pinned = false; // it was chosen by the keyboard
  #colours = null;
  #rem = 16; // pixels
  #asked = 0;
  #drawn = 0;
  #soon = 0; // a timer

  constructor(model, pictures) {
    this.#model = model;
    this.pictures = pictures;
    this.canvas = byId("canvas");
    this.context = this.canvas.getContext("2d");
    model.on("seconds talk alerts chosen snapshot playback language", () => this.#changed());
    model.on("language chosen", () => this.#names());
    const chart = byId("chart");
    chart.onpointermove = (event) => this.#point(event);
    chart.onpointerdown = (event) => this.#point(event);
    chart.onpointerleave = () => this.#leave();
    chart.onkeydown = (event) => this.#key(event);
    chart.onblur = () => this.#leave(true);
    byId("span").onchange = () => this.draw();
    byId("table-button").onclick = () => this.#toggleTable();
    new ResizeObserver(() => this.#fit()).observe(chart);
    setInterval(() => this.#tick(), 500);
  }

  get #left() {
    return Math.round(LEFT_REM * this.#rem);
  }

  get spanMs() {
    return Number(byId("span").value) * 1000;
  }

  recolour() {
    this.#colours = null;
    this.draw();
  }

  #names() {
    for (const option of byId("span").options) option.textContent = t(`span_${option.value}`);
    const kinds = ["asked", "said", "alert", "problem", "dropped", "switched", "slow"];
    byId("legend").replaceChildren(
      ...kinds.map((kind) => el("li", {}, el("i", { class: kind }), t(`legend_${kind}`))),
    );
  }

  // However much happens, it is drawn a few times a second.
  #changed() {
    if (this.#soon) return;
    const wait = Math.max(0, this.#drawn + DRAW_MS - performance.now());
    this.#soon = setTimeout(() => {
      this.#soon = 0;
      this.draw();
      this.#table();
      if (this.#pinned) this.#showHover();
    }, wait);
  }

  // Time goes on where nothing happens.
  #tick() {
    if (!document.hidden && performance.now() - this.#drawn > 400) this.draw();
  }

  #fit() {
    const box = byId("chart").getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    const size = { width: Math.round(box.width), height: Math.round(box.height) };
    if (!size.width || !size.height) return;
    this.#size = size;
    this.#rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.canvas.width = Math.round(size.width * ratio);
    this.canvas.height = Math.round(size.height * ratio);
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.draw();
  }

  // ---- drawing ----

  draw() {
    const { width, height } = this.#size;
    if (!width || byId("chart").offsetParent === null) return;
    this.#drawn = performance.now();
    this.#colours ??= colours();
    const view = this.#view();
    const { context: c } = this;
    c.clearRect(0, 0, width, height);
    c.font = `${0.8 * this.#rem}px ${this.#colours.letters}`;
    c.textBaseline = "middle";
    this.#grid(c, view);
    if (!view.seconds.length) {
      c.fillStyle = this.#colours.soft;
      c.textAlign = "center";
      c.fillText(t("no_seconds"), this.#left + (width - this.#left) / 2, (view.rows.p.top + view.rows.p.end) / 2);
    }
    this.#silence(c, view);
    this.#window(c, view);
    this.#steps(c, view);
    this.#happened(c, view);
    this.#pointer(c, view);
    this.#reach(view);
  }

  #view() {
    const { width, height } = this.#size;
    const rem = this.#rem;
    const end = this.#model.clock.now();
    const begin = end - this.spanMs;
    const x = (ms) => this.#left + ((ms - begin) / (end - begin)) * (width - this.#left - RIGHT);
    const axis = 1.2 * rem;
    const free = height - axis - 32;
    const rows = {
      marks: { top: 0, end: 32 },
      p: { top: 36, end: 32 + free * 0.46 },
      window: { top: 32 + free * 0.46 + 8, end: 32 + free * 0.7 },
      step: { top: 32 + free * 0.7 + 8, end: 32 + free },
      axis: { top: height - axis, end: height },
    };
    const all = this.#model.secondsOf(this.#model.chosen);
    const seconds = all.filter(({ at_ms }) => at_ms >= begin - 1500 && at_ms <= end + 1500);
    const one = Math.max(1.5, x(begin + 1000) - this.#left);
    // whole pixels, so that neighbours touch
    const edges = seconds.map(({ at_ms }, i) => {
      const joined = i > 0 && at_ms - seconds[i - 1].at_ms < JOINED_MS;
      const left = Math.round(joined ? x(seconds[i - 1].at_ms) : x(at_ms) - one);
      const right = Math.max(left + 1, Math.round(x(at_ms)));
      return { left: Math.max(this.#left, left), right: Math.max(this.#left, right), joined };
    });
    return { begin, end, x, rows, seconds, edges, one, right: width - RIGHT };
  }

  #grid(c, { begin, end, x, rows, right }) {
    const paint = this.#colours;
    const step = STEPS_MS.find((ms) => x(begin + ms) - this.#left > 5.2 * this.#rem) ?? STEPS_MS.at(-1);
    c.strokeStyle = paint.line;
    c.fillStyle = paint.soft;
    c.lineWidth = 1;
    c.textAlign = "center";
    for (let at = Math.ceil(begin / step) * step; at <= end; at += step) {
      const place = Math.round(x(at)) + 0.5;
      c.beginPath();
      c.moveTo(place, rows.p.top);
      c.lineTo(place, rows.step.end);
      c.stroke();
      const half = (step >= 60_000 ? 1.1 : 1.8) * this.#rem;
      if (place - half < this.#left || place + half > right + RIGHT) continue;
      const words = clockTime(at);
      c.fillText(step >= 60_000 && words.length === 8 ? words.slice(0, 5) : words, place, rows.axis.end - 0.55 * this.#rem);
    }
    for (const row of [rows.p, rows.window, rows.step]) {
      c.beginPath();
      c.moveTo(this.#left, row.end + 0.5);
      c.lineTo(right, row.end + 0.5);
      c.stroke();
    }
    c.textAlign = "right";
    const name = (row, words) => c.fillText(words, this.#left - 8, (row.top + row.end) / 2, this.#left - 10);
    name(rows.p, t("p_silent"));
    name(rows.window, t("row_window"));
    c.fillText(t("row_step"), this.#left - 8, (rows.step.top + rows.step.end) / 2 - 0.47 * this.#rem, this.#left - 10);
    c.textAlign = "left";
  }

  // Filled up to p(silent); a second in which it spoke is a column of its own.
  #silence(c, { rows, seconds, edges }) {
    const paint = this.#colours;
    const high = rows.p.end - rows.p.top;
    seconds.forEach(({ p_silent, state }, i) => {
      const { left, right } = edges[i];
      c.fillStyle = paint.blueSoft;
      c.fillRect(left, rows.p.end - p_silent * high, right - left, p_silent * high);
      if (state !== "speak") return;
      c.globalAlpha = 0.45;
      c.fillStyle = paint.accent;
      c.fillRect(left, rows.p.top, right - left, high);
      c.globalAlpha = 1;
    });
    c.strokeStyle = paint.blue;
    c.lineWidth = 1.6;
    c.beginPath();
    seconds.forEach(({ p_silent }, i) => {
      const { left, right, joined } = edges[i];
      const y = rows.p.end - p_silent * (high - 2) - 1;
      if (joined) c.lineTo(left, y);
      else c.moveTo(left, y);
      c.lineTo(right, y);
    });
    c.stroke();
  }

  #window(c, { rows, seconds, edges }) {
    const paint = this.#colours;
    const most = Math.max(1, ...seconds.map((s) => s.window_max || s.window_chunks));
    const high = rows.window.end - rows.window.top;
    seconds.forEach(({ window_chunks, switched }, i) => {
      const { left, right } = edges[i];
      const tall = (Math.min(window_chunks, most) / most) * high;
      c.fillStyle = paint.fill;
      c.fillRect(left, rows.window.end - tall, right - left, tall);
      if (switched) {
        c.fillStyle = paint.text;
        c.fillRect(right - 1, rows.window.top - 3, 2, high + 3);
      }
    });
  }

  #steps(c, { rows, seconds, edges, one }) {
    const paint = this.#colours;
    const most = Math.max(20, ...seconds.map(({ step_ms }) => step_ms));
    const high = rows.step.end - rows.step.top;
    const gap = one > 4 ? 1 : 0;
    seconds.forEach(({ step_ms, missed, dropped }, i) => {
      const { left, right } = edges[i];
      const tall = Math.max(1, (step_ms / most) * high);
      c.fillStyle = step_ms > 1000 ? paint.amber : paint.fill;
      c.fillRect(left, rows.step.end - tall, Math.max(1, right - left - gap), tall);
      const lost = missed + dropped;
      if (!lost) return;
      c.fillStyle = paint.red;
      const from = Math.max(this.#left, left - Math.max(2, lost * one));
      c.fillRect(from, rows.step.top, Math.max(2, left - from), high);
    });
    c.fillStyle = paint.soft;
    c.textAlign = "right";
    const middle = (rows.step.top + rows.step.end) / 2;
    if (seconds.length) c.fillText(`≤ ${Math.round(most)}`, this.#left - 8, middle + 0.47 * this.#rem);
    c.textAlign = "left";
  }

  #happened(c, { x, rows, begin, end }) {
    const paint = this.#colours;
    const camera = this.#model.chosen;
    const mine = (one) => one.camera === camera && one.at_ms >= begin && one.at_ms <= end + 1500;
    const [above, below] = [rows.marks.top + 8, rows.marks.end - 8]; // asked, and said
    const place = (one) => Math.min(x(one.at_ms), this.#size.width - RIGHT - 5);
    for (const entry of this.#model.talk.filter(mine)) {
      if (entry.type === "said") {
        const alert = !entry.acknowledgment && entry.kind && entry.kind !== "real-time";
        if (!alert) dot(c, place(entry), below, paint.accent);
      } else if (entry.type === "asked") diamond(c, place(entry), above, paint.blue);
      else if (CROSSES.has(entry.type)) cross(c, place(entry), above, paint.red);
    }
    for (const alert of this.#model.alerts.filter(mine)) {
      triangle(c, place(alert), below, alert.severity === "critical" ? paint.red : paint.amber);
    }
  }

  #pointer(c, { x, rows, one }) {
    if (!this.#at) return;
    const place = x(this.#at.at_ms) - one / 2;
    if (place < this.#left) return;
    c.strokeStyle = this.#colours.text;
    c.lineWidth = 1;
    c.beginPath();
    c.moveTo(Math.round(place) + 0.5, rows.marks.top);
    c.lineTo(Math.round(place) + 0.5, rows.step.end);
    c.stroke();
  }

  // What a screen reader is told of the chart.
  #reach({ seconds }) {
    const chart = byId("chart");
    const second = this.#at ?? seconds.at(-1);
    chart.setAttribute("aria-valuemax", Math.max(0, seconds.length - 1));
    chart.setAttribute("aria-valuenow", Math.max(0, seconds.indexOf(second)));
    chart.setAttribute("aria-valuetext", second ? wordsOf(second).join(", ") : t("no_seconds"));
  }

  // ---- pointing ----

  #point({ clientX }) {
    const box = byId("chart").getBoundingClientRect();
    const { seconds, x, one } = this.#view();
    const at = clientX - box.left;
    let best = null;
    for (const second of seconds) {
      const away = Math.abs(x(second.at_ms) - one / 2 - at);
      if (!best || away < best.away) best = { second, away };
    }
    this.#pinned = false;
    if (!best || best.away > Math.max(30, one)) return this.#leave(true);
    if (best.second === this.#at) return;
    this.#at = best.second;
    this.#showHover();
    this.draw();
  }

  #leave(always = false) {
    if (this.#pinned && !always) return;
    this.#at = null;
    this.#pinned = false;
    byId("hover").hidden = true;
    this.draw();
  }

  #key(event) {
    if (event.key === "Escape") return this.#leave(true);
    const { seconds } = this.#view();
    const now = this.#at ? seconds.indexOf(this.#at) : seconds.length;
    const to = {
      ArrowLeft: now - 1,
      ArrowRight: now + 1,
      PageUp: now - 10,
      PageDown: now + 10,
      Home: 0,
      End: seconds.length - 1,
    }[event.key];
    if (to === undefined || !seconds.length) return;
    event.preventDefault();
    this.#at = seconds[Math.max(0, Math.min(seconds.length - 1, to))];
    this.#pinned = true;
    this.#showHover();
    this.draw();
  }

  #showHover() {
    const second = this.#at;
    const box = byId("hover");
    const { x, begin, one } = this.#view();
    if (!second || second.at_ms < begin) return this.#leave(true);
    const [head, ...lines] = wordsOf(second);
    const happened = happenedIn(this.#model, second);
    byId("hover-words").replaceChildren(
      el("strong", { class: "number" }, head),
      ...lines.map((line) => el("p", {}, line)),
      ...happened.slice(0, 3).map((line) => el("p", { class: "text" }, line)),
    );
    box.hidden = false;
    const chart = byId("chart");
    const wide = box.offsetWidth;
    const most = byId("timeline").clientWidth - wide - 8;
    const place = chart.offsetLeft + x(second.at_ms) - one / 2 - wide / 2;
    box.style.left = `${Math.max(8, Math.min(most, place))}px`;
    this.#showPicture(second);
  }

  // Only the newest second that was pointed at is asked for, when the pointer rests.
  #showPicture(second) {
    const image = byId("hover-picture");
    const mine = ++this.#asked;
    if (image.dataset.stamp !== `${second.camera}/${second.stamp_ns}`) {
      image.removeAttribute("src");
      delete image.dataset.stamp;
    }
    setTimeout(async () => {
      if (mine !== this.#asked) return;
      const address = await this.pictures.get(second.camera, second.stamp_ns);
      if (mine !== this.#asked) return;
      image.hidden = !address;
      if (address) {
        image.src = address;
        image.dataset.stamp = `${second.camera}/${second.stamp_ns}`;
      } else byId("hover-words").append(el("p", {}, t("no_picture")));
    }, 40);
  }

  // ---- the table ----

  #toggleTable() {
    const table = byId("table");
    table.hidden = !table.hidden;
    byId("table-button").setAttribute("aria-expanded", !table.hidden);
    this.#table();
  }

  #table() {
    const box = byId("table");
    if (box.hidden) return;
    const rows = this.#model.secondsOf(this.#model.chosen).slice(-MOST_ROWS).reverse();
    if (!box.firstChild || box.dataset.language !== language()) {
      const names = ["time", "state", "p", "window", "step", "words"];
      const titles = names.map((name) => (name === "p" ? t("p_silent") : t(`column_${name}`)));
      const head = el("tr", {}, ...titles.map((title) => el("th", { scope: "col" }, title)));
      const caption = el("caption", { class: "hidden" }, t("newest_seconds", { n: MOST_ROWS }));
      box.replaceChildren(el("table", {}, caption, el("thead", {}, head), el("tbody")));
      box.dataset.language = language();
    }
    const body = box.querySelector("tbody");
    body.replaceChildren(
      ...rows.map((second) => {
        const cells = [
          clockTime(second.at_ms),
          t(second.state === "speak" ? "spoke" : "silent"),
          second.p_silent.toFixed(3),
          `${second.window_chunks}/${second.window_max || "–"}`,
          t("ms", { n: number(second.step_ms) }),
          [...happenedIn(this.#model, second), ...extras(second)].join(" · "),
        ];
        return el("tr", {}, ...cells.map((cell) => el("td", {}, cell)));
      }),
    );
  }
}

function wordsOf(second) {
  const lines = [
    `${clockTime(second.at_ms)} · ${t(second.state === "speak" ? "spoke" : "silent")}`,
    decisionWords(second),
    `${t("ms", { n: number(second.step_ms) })} · ${t("window_of", { n: second.window_chunks, max: second.window_max || "–" })}`,
  ];
  return [...lines, ...extras(second)];
}

function extras(second) {
  const lost = second.missed + second.dropped;
  const lines = [];
  if (second.switched) lines.push(t("switched"));
  if (lost) lines.push(t("dropped", { n: lost }));
  return lines;
}

// What was asked and said in a second.
function happenedIn(model, second) {
  const lines = [];
  for (const entry of model.talk) {
    if (entry.camera !== second.camera) continue;
    if (entry.type === "asked" && entry.id === second.query_id) lines.push(`“${entry.text}”`);
    if (entry.type === "said" && entry.id === second.response_id) lines.push(`→ ${entry.text}`);
  }
  return lines;
}

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    text: of("text"),
    soft: of("soft"),
    line: of("line"),
    accent: of("accent"),
    blue: of("blue"),
    blueSoft: of("blue-soft"),
    amber: of("amber"),
    red: of("red"),
    fill: of("line-strong"),
    letters: of("letters"),
  };
}

function path(c, colour, points) {
  c.fillStyle = colour;
  c.beginPath();
  points.forEach(([x, y], at) => (at ? c.lineTo(x, y) : c.moveTo(x, y)));
  c.closePath();
  c.fill();
}

function dot(c, x, y, colour) {
  c.fillStyle = colour;
  c.beginPath();
  c.arc(x, y, 4.5, 0, 7);
  c.fill();
}

const diamond = (c, x, y, colour) =>
  path(c, colour, [[x, y - 6], [x + 6, y], [x, y + 6], [x - 6, y]]);
const triangle = (c, x, y, colour) => path(c, colour, [[x, y - 7], [x + 7, y + 6], [x - 7, y + 6]]);

function cross(c, x, y, colour) {
  c.strokeStyle = colour;
  c.lineWidth = 2;
  c.beginPath();
  c.moveTo(x - 4, y - 4);
  c.lineTo(x + 4, y + 4);
  c.moveTo(x + 4, y - 4);
  c.lineTo(x - 4, y + 4);
  c.stroke();
}
