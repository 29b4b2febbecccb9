// Runs where sound is made: hands on the microphone's samples, 20 ms and more at a time.

class Sampler extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.ceil(sampleRate / 50);
    this.samples = new Int16Array(this.size);
    this.count = 0;
  }

  process([[channel]]) {
    for (const value of channel ?? []) {
      this.samples[this.count++] = Math.max(-1, Math.min(1, value)) * 32767;
      if (this.count === this.size) {
        const { buffer } = this.samples;
        this.port.postMessage(buffer, [buffer]);
        this.samples = new Int16Array(this.size);
        this.count = 0;
      }
    }
    return true;
  }
}

registerProcessor("aura-sampler", Sampler);
