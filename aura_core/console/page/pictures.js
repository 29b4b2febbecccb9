// The frames of seconds and alerts: asked for once, kept as addresses of this page, the oldest let
// go.

import { Away } from "./connection.js";

const MOST = 160;
const AT_ONCE = 2; // the server makes few commands of a page at a time,
const APART_MS = 70; // and few in a second

export class Pictures {
  #kept = new Map(); // "camera/stamp" -> promise of an address, or of null: not kept any more
  #addresses = new Map();
  #asking = 0;
  #waiting = []; // who asks when another has its answer; the newest first, since it is in view

  constructor(connection) {
    this.connection = connection;
  }

  get(camera, stamp) {
    const key = `${camera}/${stamp}`;
    const found = this.#kept.get(key);
    if (found) {
      this.#kept.delete(key); // to the end: used last
      this.#kept.set(key, found);
      return found;
    }
    const asked = this.#ask(key, camera, stamp);
    this.#kept.set(key, asked);
    for (const old of this.#kept.keys()) {
      if (this.#kept.size <= MOST) break;
      this.#drop(old);
    }
    return asked;
  }

  // Forgets all pictures, because notes and their pictures were deleted.
  clear() {
    for (const key of [...this.#kept.keys()]) this.#drop(key);
  }

  async #ask(key, camera, stamp) {
    if (this.#asking >= AT_ONCE) await new Promise((go) => this.#waiting.push(go));
    else this.#asking++;
    try {
      const { picture } = await this.connection.send("picture", { stamp_ns: stamp, camera });
      if (!picture) return null;
      const address = URL.createObjectURL(picture);
      if (!this.#kept.has(key)) return address; // let go meanwhile: whoever waits shows it once
      this.#addresses.set(key, address);
      return address;
    } catch (error) {
      if (error instanceof Away) this.#kept.delete(key); // asked for again when it is back
      return null;
    } finally {
      setTimeout(() => this.#next(), APART_MS);
    }
  }

  #next() {
    const go = this.#waiting.pop();
    if (go) go();
    else this.#asking--;
  }

  #drop(key) {
    this.#kept.delete(key);
    if (this.#addresses.has(key)) URL.revokeObjectURL(this.#addresses.get(key));
    this.#addresses.delete(key);
  }
}
