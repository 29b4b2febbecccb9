// This device's camera as a camera of the assistant.

import { SEEN } from "./connection.js";
import { byId, el } from "./dom.js";
import { t } from "./language.js";
import { deviceWords } from "./microphone.js";
import { lineOf, whyNot } from "./reasons.js";

const FPS = 4; // the assistant uses two; more makes the picture of now newer
const WIDTH = 640;
const QUALITY = 0.8;

export class Phone {
  #model;
  #on = null; // {stream, video, timer, place, camera}
  #starting = false;
  #sending = null; // the stream of which the server is being told
  #resume = null; // the stream that goes on when the connection is there again

  constructor(model, connection) {
    this.#model = model;
    this.connection = connection;
    byId("phone").onclick = () => (this.#on ? this.stop() : this.start());
    model.on("hello language connection", () => this.#show());
    document.addEventListener("visibilitychange", () => this.#keepAwake());
  }

  #show() {
    const why = this.#model.abilityWhy("camera");
    const button = byId("phone");
    button.disabled = Boolean(why) && !this.#on;
    button.setAttribute("aria-pressed", Boolean(this.#on));
    button.querySelector(".label").textContent = t(this.#on ? "phone_stop" : "phone");
    lineOf("phone-why").cannot(why);
  }

  #failed(words) {
    lineOf("phone-why").failed(words);
  }

  // The server takes no pictures of this camera now. Whoever has stopped it knows.
  refused(error) {
    const text = () => whyNot(error);
    if (!this.#on || !lineOf("phone-why").refused(text)) return;
    this.#model.system("problem", this.#model.clock.now(), { text }); // the menu may be closed
  }

  // The connection was lost: no picture is sent before the server was told of this camera again.
  left() {
    const stream = this.#on?.stream ?? this.#sending;
    if (!stream) return;
    this.#resume = stream;
    this.#end(false);
  }

  async entered() {
    const stream = this.#resume;
    this.#resume = null;
    if (stream) await this.#send(stream);
  }

  async start() {
    if (!navigator.mediaDevices) return this.#failed(() => t("camera_insecure"));
    if (this.#starting) return; // a second click, before the first one has its picture
    this.#starting = true;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: { width: WIDTH, height: 480, facingMode: "environment" },
      });
      await this.#send(stream);
    } catch (error) {
      this.#failed(() => deviceWords("camera", error));
    } finally {
      this.#starting = false;
    }
  }

  async #send(stream) {
    const cameras = this.#model.cameras;
    const free = cameras.filter(({ phone }) => phone);
    const place = Math.max(
      0,
      cameras.indexOf(free.find(({ name }) => name === this.#model.chosen) ?? free[0]),
    );
    const camera = cameras[place]?.name ?? "";
    const video = el("video", { muted: true, playsinline: true });
    this.#sending = stream;
    try {
      await this.connection.send("phone", { on: true, camera });
      video.muted = true;
      video.srcObject = stream;
      await video.play();
    } catch (error) {
      if (this.#resume !== stream) {
        stream.getTracks().forEach((track) => track.stop());
        this.#failed(() => deviceWords("camera", error));
      }
      return;
    } finally {
      this.#sending = null;
    }
    if (this.#resume === stream) return; // the connection was lost meanwhile
    stream.getTracks()[0].onended = () => this.stop();
    const canvas = el("canvas");
    const timer = setInterval(() => this.#frame(video, canvas, place), 1000 / FPS);
    this.#on = { stream, video, timer, place, camera };
    this.#failed(null);
    this.#show();
    this.#keepAwake();
  }

  #frame(video, canvas, place) {
    if (!video.videoWidth) return;
    const scale = Math.min(1, WIDTH / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const sent = async (blob) => {
      if (blob && this.#on) this.connection.sendBinary(SEEN, place, await blob.arrayBuffer());
    };
    canvas.toBlob(sent, "image/jpeg", QUALITY);
  }

  stop() {
    const camera = this.#on?.camera;
    this.#end(true);
    if (camera !== undefined) this.connection.send("phone", { on: false, camera }).catch(() => {});
    this.#show();
  }

  #end(tracks) {
    if (!this.#on) return;
    clearInterval(this.#on.timer);
    if (tracks) this.#on.stream.getTracks().forEach((track) => track.stop());
    this.#on.lock?.release();
    this.#on = null;
  }

  // A phone that goes dark sends nothing.
  async #keepAwake() {
    if (!this.#on || document.hidden) return;
    try {
      this.#on.lock = await navigator.wakeLock?.request("screen");
    } catch {
      // the battery is low, or the browser does not want to
    }
  }
}
