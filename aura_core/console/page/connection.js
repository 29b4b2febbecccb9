// The WebSocket: comes back by itself, pairs each command with its answer, and notices silence.

export const VERSION = 1;
const HEADER = 16; // bytes before the content of a binary message, see protocol/binary.py
export const LIVE = 1;
export const FOUND = 2;
export const SOUND = 3;
export const SEEN = 4;
const QUIET_MS = 6000; // the server says something each second
const ANSWER_MS = 30_000;
const WAITS_MS = [300, 1000, 2000, 4000, 8000];
const HELD_MS = 2000; // after pictures or sound were refused, before more are sent
const KEY = "aura-token";

export class Connection {
  #socket = null;
  #commands = new Map(); // id -> {resolve, reject, timer, picture}
  #count = 0;
  #failures = 0;
  #last = 0;
  #retry = 0;
  #bye = null;
  #held = new Map(); // kind of binary messages -> until when none is sent
  #opening = null; // {promise, go, fail} until it is entered, or has failed

  // onMessage(message), onPicture(camera, stamp, blob), onState({name, wait_ms, bye}),
  // onRefused(kind, error): pictures or sound of this page
  constructor({ onMessage, onPicture, onState, onRefused }) {
    Object.assign(this, { onMessage, onPicture, onState, onRefused });
    this.token = takeToken();
    this.entered = false;
    setInterval(() => this.#check(), 1000);
    window.addEventListener("online", () => this.hurry());
    window.addEventListener("hashchange", () => {
      // the address with another token was opened in this tab
      if (!new URLSearchParams(location.hash.slice(1)).has("token")) return;
      this.token = takeToken();
      this.open();
    });
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry());
  }

  open() {
    clearTimeout(this.#retry);
    this.#bye = null;
    this.#last = performance.now();
    const address = new URL("socket", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.hash = address.search = "";
    const socket = (this.#socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onopen = () =>
      socket.send(JSON.stringify({ type: "enter", version: VERSION, token: this.token }));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#take(data);
    socket.onclose = () => socket === this.#socket && this.#closed();
    this.#opening ??= waiting();
    this.onState({ name: "connecting" });
  }

  // Tries at once where it waits to try again.
  hurry() {
    if (!this.#socket && (!this.#bye || this.#bye.again)) this.open();
    else this.#check();
  }

  enterToken(token) {
    this.token = token;
    keepToken(token);
    this.open();
  }

  // Gives the data of the answer; `picture` in it is the JPEG that came with it. Rejects with the
  // server's reason. A command that is given while the connection opens waits for it.
  async send(type, fields = {}) {
    await this.#opening?.promise;
    if (!this.#isOpen()) throw new Away();
    const id = (this.#count = (this.#count % 0xffffffff) + 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#end(id)?.reject(new Away()), ANSWER_MS);
      this.#commands.set(id, { resolve, reject, timer, picture: null });
      this.#socket.send(JSON.stringify({ type, id, ...fields }));
    });
  }

  // Sends sound or a picture; leaves it out where the network is behind, and for a while after one
  // was refused: the server closes a page that goes on. False: it was left out.
  sendBinary(kind, camera, content) {
    if (performance.now() < this.#held.get(kind)) return false;
    if (!this.#isOpen() || this.#socket.bufferedAmount > 512 * 1024) return false;
    const message = new Uint8Array(HEADER + content.byteLength);
    const head = new DataView(message.buffer);
    head.setUint8(0, kind);
    head.setUint8(1, camera);
    head.setBigInt64(8, BigInt(Math.round(performance.now() * 1e6)));
    message.set(new Uint8Array(content), HEADER);
    this.#socket.send(message);
    return true;
  }

  // A connection that is being lost is closed before its event comes.
  #isOpen() {
    return this.entered && this.#socket.readyState === WebSocket.OPEN;
  }

  #take(data) {
    this.#last = performance.now();
    if (typeof data !== "string") return this.#takePicture(data);
    const message = JSON.parse(data);
    if (message.type === "answer") {
      if (message.id === 0) return this.#refused(message);
      const command = this.#end(message.id);
      if (!command) return;
      if (message.ok) command.resolve({ ...message.data, picture: command.picture });
      else command.reject(new Refusal(message));
      return;
    }
    if (message.type === "hello") {
      this.entered = true;
      this.#failures = 0;
      this.#opened(({ go }) => go());
      this.onState({ name: "open" });
    }
    if (message.type === "bye") this.#bye = message;
    else this.onMessage(message);
  }

  // One reason for all that were under way.
  #refused(message) {
    const { kind } = message.data;
    const now = performance.now();
    if (now < this.#held.get(kind)) return;
    this.#held.set(kind, now + HELD_MS);
    this.onRefused(kind, new Refusal(message));
  }

  #takePicture(data) {
    const head = new DataView(data);
    const content = new Blob([data.slice(HEADER)], { type: "image/jpeg" });
    if (head.getUint8(0) === LIVE) {
      this.onPicture(head.getUint8(1), head.getBigInt64(8).toString(), content);
    } else if (head.getUint8(0) === FOUND) {
      const command = this.#commands.get(head.getUint32(4));
      if (command) command.picture = content;
    }
  }

  #end(id) {
    const command = this.#commands.get(id);
    if (command) clearTimeout(command.timer);
    this.#commands.delete(id);
    return command;
  }

  #check() {
    if (this.#socket && performance.now() - this.#last > QUIET_MS) {
      const silent = this.#socket;
      this.#closed();
      silent.close();
    }
  }

  #opened(end) {
    const opening = this.#opening;
    this.#opening = null;
    if (opening) end(opening);
  }

  #closed() {
    this.#socket = null;
    this.entered = false;
    this.#opened(({ fail }) => fail(new Away()));
    for (const id of [...this.#commands.keys()]) this.#end(id).reject(new Away());
    if (this.#bye && !this.#bye.again) return this.onState({ name: "refused", bye: this.#bye });
    const wait = WAITS_MS[Math.min(this.#failures++, WAITS_MS.length - 1)];
    const some = wait * (0.8 + 0.4 * Math.random()); // not all pages at the same moment
    this.#retry = setTimeout(() => this.open(), some);
    this.onState({ name: "away", wait_ms: some, bye: this.#bye, failures: this.#failures });
  }
}

// The server has not done a command; its reason is in the answer.
export class Refusal extends Error {
  constructor(answer) {
    super(answer.error);
    this.answer = answer;
  }
}

// The connection has ended before the answer came.
export class Away extends Error {
  name = "Away";
}

function waiting() {
  let go, fail;
  const promise = new Promise((resolve, reject) => ([go, fail] = [resolve, reject]));
  promise.catch(() => {}); // nobody may wait for it
  return { promise, go, fail };
}

// The token comes in the address after "#", which no server is sent. It is taken off the address,
// so that nobody copies it along, and lives as long as this tab.
function takeToken() {
  const words = new URLSearchParams(location.hash.slice(1));
  const token = words.get("token");
  if (token !== null) {
    keepToken(token);
    words.delete("token");
    const rest = words.toString();
    history.replaceState(null, "", location.pathname + location.search + (rest && `#${rest}`));
    return token;
  }
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage is switched off
  }
}

function keepToken(token) {
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // storage is switched off: a reload asks for the token again
  }
}
