// The server's clock. Ages are differences of its times, never of this machine's clock.

export class Clock {
  #server = 0;
  #local = 0; // performance.now() when the server's clock was #server
  #replay = null;

  // A message of the server tells what its clock shows. A message can only be late, so the clock is
  // moved on at once, and back only where it is wrong by a second.
  hear(serverMs) {
    const now = this.serverNow();
    if (this.#local && serverMs < now && now - serverMs < 1000) return;
    this.#server = serverMs;
    this.#local = performance.now();
  }

  serverNow() {
    return this.#local ? this.#server + performance.now() - this.#local : Date.now();
  }

  // By how much this machine's clock is ahead, in ms.
  get difference() {
    return Date.now() - this.serverNow();
  }

  // Where a replay is; null: this is live.
  follow(playback) {
    this.#replay = playback && { ...playback, heard: performance.now() };
  }

  // The time at the right end of the timeline.
  now() {
    const at = this.#replay;
    if (!at) return this.serverNow();
    if (!at.playing) return at.at_ms;
    return Math.min(at.end_ms, at.at_ms + (performance.now() - at.heard) * at.speed);
  }
}
