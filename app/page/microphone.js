// The sound of a microphone as the service takes it: one channel, 16 kHz, 16 bits, in chunks.
// The page imports the parts; in the audio thread the same file registers the processor.

export const RATE = 16000;
// 150 ms: short beside a window, and not hundreds of messages a second.
export const CHUNK = 2400;

// Samples on either side, at the lower of two rates, that a resampled one is made of, and how much
// of its band is kept: what lies above half the rate is down by 80 dB (a Kaiser window's β = 8).
const REACH = 32;
const BAND = 0.92;
const BETA = 8;

/** Brings a stream of samples from one rate to another, chunk by chunk. */
export class Resampler {
  constructor(from, to = RATE) {
    const shared = divisor(from, to);
    this.up = to / shared;
    this.down = from / shared;
    this.half = Math.ceil(REACH * Math.max(1, from / to));
    this.tables = from === to ? null : Array.from({ length: this.up }, (_, phase) => taps(phase / this.up, this.half, Math.min(1, to / from)));
    this.before = new Float32Array(this.half);
    // Where the next sample lies, in steps of 1 / up from the first that is kept.
    this.next = this.half * this.up;
  }

  /** What the samples so far allow to be told; the rest comes with those that follow. */
  push(samples) {
    if (!this.tables) return samples;
    const known = new Float32Array(this.before.length + samples.length);
    known.set(this.before);
    known.set(samples, this.before.length);
    const reach = (known.length - this.half) * this.up;
    const made = new Float32Array(Math.max(0, Math.ceil((reach - this.next) / this.down)));
    for (let i = 0; i < made.length; i++, this.next += this.down) {
      const table = this.tables[this.next % this.up];
      const first = Math.floor(this.next / this.up) - this.half + 1;
      let sum = 0;
      for (let k = 0; k < table.length; k++) sum += table[k] * known[first + k];
      made[i] = sum;
    }
    const done = Math.max(0, Math.floor(this.next / this.up) - this.half);
    this.before = known.slice(done);
    this.next -= done * this.up;
    return made;
  }
}

/** The weights of the samples around a point that lies `fraction` behind one of them: a windowed sinc of sum 1. */
function taps(fraction, half, band) {
  const weights = Float64Array.from({ length: 2 * half }, (_, k) => {
    const t = k - half + 1 - fraction;
    const x = band * BAND * t;
    const within = 1 - (t / half) ** 2;
    return (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)) * (within > 0 ? bessel(BETA * Math.sqrt(within)) : 0);
  });
  const sum = weights.reduce((a, b) => a + b);
  return Float32Array.from(weights, (weight) => weight / sum);
}

/** The modified Bessel function of order 0, by its series. */
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-9 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

/** Samples in −1–1 as 16-bit integers; what is louder is cut off. */
export const integers = (samples) =>
  Int16Array.from(samples, (sample) => Math.round(Math.min(Math.max(sample, -1), 1) * (sample < 0 ? 32768 : 32767)));

/** The mean of the channels; of none, nothing. */
export function mixed(channels) {
  if (channels.length < 2) return channels[0] ?? new Float32Array(0);
  return channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
}

/** Gathers samples of some rate into chunks of `CHUNK` samples at `RATE`. */
export class Chunks {
  constructor(rate) {
    this.resampler = new Resampler(rate);
    this.waiting = [];
    this.count = 0;
  }

  /** The chunks that are full now: Int16Array each. */
  push(samples) {
    const more = this.resampler.push(samples);
    this.waiting.push(more.slice());
    this.count += more.length;
    if (this.count < CHUNK) return [];
    const all = new Float32Array(this.count);
    let at = 0;
    for (const piece of this.waiting) {
      all.set(piece, at);
      at += piece.length;
    }
    const full = Math.floor(this.count / CHUNK) * CHUNK;
    this.waiting = [all.slice(full)];
    this.count -= full;
    return Array.from({ length: full / CHUNK }, (_, i) => integers(all.subarray(i * CHUNK, (i + 1) * CHUNK)));
  }
}

if (globalThis.AudioWorkletProcessor) {
  registerProcessor(
    "microphone",
    class extends AudioWorkletProcessor {
      chunks = new Chunks(sampleRate);

      process([channels]) {
        for (const chunk of this.chunks.push(mixed(channels))) this.port.postMessage(chunk, [chunk.buffer]);
        return true;
      }
    },
  );
}
