// The browser's microphone, for the ASR that runs.

import { SOUND } from "./connection.js";
import { byId } from "./dom.js";
import { t } from "./language.js";
import { lineOf, whyNot } from "./reasons.js";

export class Microphone {
  #model;
  #on = null; // {stream, context}
  #starting = false;
  #refused = false; // that it cannot be used is shown

  constructor(model, connection) {
    this.#model = model;
    this.connection = connection;
    byId("microphone").onclick = () => (this.#on ? this.stop() : this.start());
    model.on("hello status language connection", () => this.#show());
  }

  #show() {
    const button = byId("microphone");
    const why = this.#model.abilityWhy("microphone");
    const taken = this.#model.status?.microphone === "other";
    const words = t(this.#on ? "microphone_stop" : "microphone");
    button.setAttribute("aria-pressed", Boolean(this.#on));
    button.setAttribute("aria-disabled", Boolean(why) || taken);
    button.setAttribute("aria-label", words);
    button.title = why || (taken ? t("microphone_other") : words);
    if (this.#refused && !why) this.#failed(null);
  }

  // The server takes no sound now. Whoever has stopped it knows.
  refused(error) {
    if (this.#on) lineOf("ask-error").refused(() => whyNot(error));
  }

  // The connection was lost. Nobody is heard again without having pressed the button.
  left() {
    if (this.#end()) this.#failed(() => t("microphone_lost"));
  }

  async start() {
    const why = this.#model.abilityWhy("microphone");
    if (why) {
      this.#failed(() => this.#model.abilityWhy("microphone"));
      this.#refused = true;
      return;
    }
    if (!navigator.mediaDevices) return this.#failed(() => t("microphone_insecure"));
    if (this.#starting) return;
    this.#starting = true;
    let stream, context;
    let told = false;
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true },
      });
      context = new AudioContext();
      await context.audioWorklet.addModule(new URL("sampler.js", import.meta.url));
      await this.connection.send("microphone", { on: true, rate: context.sampleRate });
      told = true;
      const sampler = new AudioWorkletNode(context, "aura-sampler", { numberOfOutputs: 0 });
      sampler.port.onmessage = ({ data }) => this.connection.sendBinary(SOUND, 0, data);
      context.createMediaStreamSource(stream).connect(sampler);
      stream.getTracks()[0].onended = () => this.stop();
      this.#on = { stream, context };
      this.#failed(null);
      await context.resume();
    } catch (error) {
      this.#on = null;
      stream?.getTracks().forEach((track) => track.stop());
      if (context && context.state !== "closed") context.close(); // a page may have only some
      if (told) this.connection.send("microphone", { on: false }).catch(() => {});
      this.#failed(() => deviceWords("microphone", error));
    } finally {
      this.#starting = false;
    }
    this.#show();
  }

  stop() {
    if (!this.#end()) return;
    this.connection.send("microphone", { on: false }).catch(() => {}); // it ends with the connection
    this.#show();
  }

  // Ends the sound on this side. False: there was none.
  #end() {
    const on = this.#on;
    this.#on = null;
    if (!on) return false;
    on.stream.getTracks().forEach((track) => track.stop());
    on.context.close();
    return true;
  }

  #failed(words) {
    this.#refused = false;
    lineOf("ask-error").failed(words);
  }
}

// Why a camera or microphone of this device cannot be used.
export function deviceWords(device, error) {
  if (error.name === "NotAllowedError") return t(`${device}_denied`);
  if (error.name === "NotFoundError") return t(`${device}_none`);
  return whyNot(error);
}
