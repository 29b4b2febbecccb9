// The cameras: the newest picture of each with its age, what is being said, and what is wrong.

import { byId, el, icon, say, show } from "./dom.js";
import { language, span, t } from "./language.js";
import { because } from "./reasons.js";

const OLD_MS = 3000;
const CAPTION_MS = 7000;
const ICONS = {
  no_frames: "no-camera",
  waiting: "wait",
  model_loading: "wait",
  paused: "pause",
  stopped: "check",
  server_away: "away",
};
const CALM = new Set(["waiting", "model_loading", "paused", "stopped"]);
// the picture is of use, and stays in view
const BESIDE = new Set([
  ...["paused", "stopped", "step_failed", "black", "frozen", "slow", "memory_failed", "fallback"],
]);

export class Stage {
  #tiles = new Map(); // camera -> {node, canvas, context, age, ...}
  #model;
  #onDrawn;

  constructor(model, connection) {
    this.#model = model;
    this.connection = connection;
    this.open = false;
    model.on("cameras chosen language", () => this.#build());
    model.on("status", () => this.#troubles());
    model.on("words said", () => this.#captions());
    model.on("forgotten", () => {
      for (const { caption } of this.#tiles.values()) {
        say(caption.firstChild, "");
        caption.hidden = true;
      }
    });
    setInterval(() => this.#ages(), 250);
    document.addEventListener("visibilitychange", () => this.askPictures());
  }

  // A page that nobody sees asks for no pictures.
  askPictures() {
    const cameras = this.#model.shown.map(({ name }) => name);
    this.connection
      .send("view", { cameras, fps: document.hidden ? 0 : cameras.length > 4 ? 1 : 2 })
      .catch(() => {}); // it is asked again at the next hello
  }

  async draw(place, stamp, blob) {
    const camera = this.#model.cameras[place]?.name;
    if (camera === undefined) return;
    // the first picture may come before the page is drawn, and no other may follow
    if (!this.#tiles.has(camera)) this.#build();
    const tile = this.#tiles.get(camera);
    const number = (tile.came = (tile.came ?? 0) + 1);
    let picture;
    try {
      picture = await createImageBitmap(blob);
    } catch {
      say(tile.note, t("bad_picture"));
      tile.note.hidden = false;
      return;
    }
    // a picture that took longer to decode than a newer one is of the past
    if (number < (tile.drawn ?? 0)) return picture.close();
    tile.drawn = number;
    tile.note.hidden = true;
    const { canvas } = tile;
    if (canvas.width !== picture.width || canvas.height !== picture.height) {
      canvas.width = picture.width;
      canvas.height = picture.height;
    }
    tile.context.drawImage(picture, 0, 0);
    picture.close();
    canvas.dataset.stamp = stamp;
    // the first one after connecting may be of long ago: its status tells
    if (tile.stamp !== undefined && stamp !== tile.stamp) tile.seen = performance.now();
    tile.stamp = stamp;
  }

  #build() {
    const { shown: cameras, chosen } = this.#model;
    const many = cameras.length > 1;
    byId("tiles").style.setProperty("--columns", Math.ceil(Math.sqrt(cameras.length)) || 1);
    show(
      byId("tiles"),
      cameras,
      ({ name }) => name,
      (camera, old) => this.#tile(camera, old),
      `${language()}/${many}`,
    );
    const names = new Set(cameras.map(({ name }) => name));
    for (const name of this.#tiles.keys()) if (!names.has(name)) this.#tiles.delete(name);
    for (const [name, tile] of this.#tiles) {
      tile.node.classList.toggle("chosen", many && name === chosen);
      tile.name.setAttribute?.("aria-pressed", String(name === chosen));
    }
    const all = this.#model.cameras.length;
    byId("more-cameras").hidden = cameras.length === all;
    say(byId("more-cameras"), t("cameras_shown", { n: cameras.length, all }));
    this.#troubles();
  }

  #tile(camera, old) {
    const many = this.#model.cameras.length > 1;
    const title = camera.title || t("the_camera");
    const canvas =
      old?.querySelector("canvas") ?? el("canvas", { role: "img", width: 640, height: 480 });
    canvas.setAttribute("aria-label", t("camera_picture", { name: title }));
    const name = many
      ? el("button", { type: "button", class: "pill name" }, title)
      : el("span", { class: "pill name" }, title);
    name.hidden = !many;
    if (many) {
      name.title = t("choose_camera", { name: title });
      name.onclick = () => this.#model.choose(camera.name);
    }
    const age = el("span", { class: "pill age number" }, t("age_none"));
    const note = el("span", { class: "pill", hidden: true });
    const caption = el("div", { class: "caption", "aria-hidden": "true", hidden: true }, el("span"));
    const trouble = el("div", { class: "trouble", hidden: true });
    const node = el("div", { class: "tile" });
    node.dataset.camera = camera.name;
    node.append(canvas, el("div", { class: "bar" }, name, note, age), caption, trouble);
    const before = this.#tiles.get(camera.name);
    this.#tiles.set(camera.name, {
      stamp: before?.stamp,
      seen: before?.seen,
      context: canvas.getContext("2d", { alpha: false }),
      ...{ node, canvas, name, age, note, caption, trouble },
    });
    return node;
  }

  // After a new connection nothing is known of how old the picture is.
  forgetAges() {
    for (const tile of this.#tiles.values()) {
      tile.stamp = undefined;
      tile.seen = undefined;
    }
  }

  #ages() {
    for (const [name, tile] of this.#tiles) {
      const age = this.#age(name, tile);
      const replay = this.#model.hello?.replay;
      tile.age.hidden = replay || age === null;
      if (age === null) continue;
      say(tile.age, t("age", { age: span(Math.max(0, age) / 1000) }));
      tile.age.dataset.level = age > OLD_MS ? "old" : "fresh";
    }
    for (const tile of this.#tiles.values()) {
      if (tile.spoken && performance.now() > tile.spoken) tile.caption.hidden = true;
    }
  }

  #age(name, tile) {
    const now = performance.now();
    const status = this.#model.cameraStatus.get(name);
    const told =
      status?.frame_age_ms == null ? null : status.frame_age_ms + now - status.heard;
    if (tile.seen === undefined) return told;
    return told === null ? now - tile.seen : Math.min(told, now - tile.seen);
  }

  #captions() {
    const newest = new Map();
    for (const entry of this.#model.talk) if (entry.type === "said") newest.set(entry.camera, entry);
    for (const [camera, entry] of newest) {
      const tile = this.#tiles.get(camera);
      if (!tile || (tile.captioned === entry.id && tile.text === entry.text)) continue;
      const age = this.#model.clock.now() - entry.at_ms;
      if (age > CAPTION_MS) continue;
      Object.assign(tile, { captioned: entry.id, text: entry.text });
      say(tile.caption.firstChild, entry.text);
      tile.caption.hidden = !entry.text;
      tile.spoken = performance.now() + CAPTION_MS;
    }
  }

  #troubles() {
    const { status } = this.#model;
    for (const [name, tile] of this.#tiles) {
      const own = this.#model.cameraStatus.get(name);
      const code = own?.trouble || (status?.trouble && this.#wholly(status) ? status.trouble : "");
      const detail = because((own?.trouble ? own : status) ?? {}, "detail");
      fillTrouble(tile.trouble, code, detail);
    }
  }

  // Whether a trouble of the assistant is one of all cameras.
  #wholly({ trouble }) {
    const own = [...this.#model.cameraStatus.values()].some((one) => one.trouble === trouble);
    return !own;
  }
}

export function fillTrouble(node, code, detail) {
  const key = `${code}/${detail ?? ""}/${language()}`;
  node.hidden = !code;
  if (node.dataset.key === key) return;
  node.dataset.key = key;
  node.dataset.code = code;
  if (!code) return node.replaceChildren();
  const beside = BESIDE.has(code);
  node.className = `trouble ${beside ? "small" : ""} ${CALM.has(code) ? "calm" : ""} ${
    ICONS[code] === "wait" ? "busy" : ""
  }`;
  const why = t(`trouble_${code}_why`);
  const title = t(`trouble_${code}`);
  const more = detail && !title.toLowerCase().includes(detail.toLowerCase()) ? detail : "";
  const lines = [why === `trouble_${code}_why` ? "" : why, more].filter(Boolean);
  const words = el("div", {}, el("strong", {}, title));
  words.append(...lines.map((line) => el("p", {}, line)));
  node.replaceChildren(icon(ICONS[code] ?? "warning"), words);
}
