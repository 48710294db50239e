/* What a guest in a real browser shows and says, whatever the SFU. */
"use strict";
const now = () => performance.timeOrigin + performance.now();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/* Draws pictures as tests/rig/picture.py describes them, at 30 a second on the wall clock. */
class Painter {
  constructor(look, width, height, colour) {
    this.look = look;
    this.canvas = document.createElement("canvas");
    this.canvas.width = width;
    this.canvas.height = height;
    this.colour = `rgb(${colour.join(",")})`;
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.draw(0);
    this.track = this.canvas.captureStream(0).getVideoTracks()[0];
    this.frame = 0;
    this.drawn = 0;
    this.skipped = 0;
    this.running = true;
    this.tick();
  }
  fill(area, style) {
    const { width, height } = this.canvas;
    this.pen.fillStyle = style;
    const x = Math.round(area.left * width), y = Math.round(area.top * height);
    this.pen.fillRect(x, y, Math.round(area.right * width) - x, Math.round(area.bottom * height) - y);
  }
  draw(number) {
    this.pen.fillStyle = this.colour;
    this.pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    if (number < this.look.flash_pictures) this.fill(this.look.flash, "#fff");
    this.look.codes[number].forEach((bit, i) => this.fill(this.look.blocks[i], bit ? "#fff" : "#000"));
  }
  tick() {
    if (!this.running) return;
    const fps = this.look.fps, frame = Math.floor((now() / 1000) * fps + 1e-6);
    if (frame !== this.frame) {
      if (this.drawn) this.skipped += frame - this.frame - 1;
      this.frame = frame;
      this.drawn += 1;
      this.draw(frame % fps);
      this.track.requestFrame();
    }
    setTimeout(() => this.tick(), Math.max(1, ((this.frame + 1) / fps) * 1000 - now()));
  }
  stop() {
    this.running = false;
    this.track.stop();
  }
}

/* Hums all the time and beeps on each whole second of the wall clock. */
class Voice {
  constructor(sound) {
    this.context = new AudioContext({ sampleRate: 48000 });
    const out = this.context.createMediaStreamDestination();
    const tone = (frequency, level) => {
      const oscillator = new OscillatorNode(this.context, { frequency });
      const gain = new GainNode(this.context, { gain: level });
      oscillator.connect(gain).connect(out);
      oscillator.start();
      return gain;
    };
    this.hum = tone(sound.hum_frequency, sound.hum_amplitude);
    this.beep = tone(sound.beep_frequency, 0);
    this.sound = sound;
    this.track = out.stream.getAudioTracks()[0];
    this.planned = Math.ceil(now() / 1000);
    // The context's clock is read in steps: it is never ahead, so the largest difference of the last second or two is
    // the true one. Where the machine was too busy the context stood still, and the difference falls for good.
    this.ahead = this.before = -Infinity;
    this.turned = now();
    this.best = -Infinity;
    this.late = 0;
    this.timer = setInterval(() => this.plan(), 20);
  }
  plan() {
    const seen = this.context.currentTime - now() / 1000;
    if (now() - this.turned > 1000) {
      this.before = this.recent;
      this.recent = seen;
      this.turned = now();
    }
    this.recent = Math.max(seen, this.recent ?? -Infinity);
    this.ahead = Math.max(this.recent, this.before);
    this.best = Math.max(this.best, this.ahead);
    this.late = Math.max(this.late, this.best - this.ahead);
    if (this.planned - now() / 1000 > 0.3) return;
    const at = this.planned + this.ahead;
    if (at > this.context.currentTime) {
      this.beep.gain.setValueAtTime(this.sound.beep_amplitude, at);
      this.beep.gain.setValueAtTime(0, at + this.sound.beep_seconds);
    }
    this.planned += 1;
  }
  /* So loud that everybody's client shows a speaker. */
  speak(on) {
    this.hum.gain.value = on ? this.sound.speech_amplitude : this.sound.hum_amplitude;
  }
  stop() {
    clearInterval(this.timer);
    this.context.close();
  }
}
