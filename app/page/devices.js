// Camera and microphone: what they give as it comes, and what is recorded of it in this browser.

import { RATE } from "./microphone.js";

// As often as faces are looked at, and as wide as that needs.
const PICTURES_PER_S = 5;
const WIDEST = 640;
const QUALITY = 0.8;
// So far the microphone's count of samples may be behind the clock before something is missing in it.
const GAP_S = 0.5;
const RECORDED = ["video/webm;codecs=vp8,opus", "video/mp4", "audio/webm;codecs=opus", "audio/mp4"];

/** What a refusal of camera and microphone means, and what to do. */
export function refusal({ name, message }) {
  return (
    {
      NotAllowedError: "Camera and microphone are not allowed for this page: allow them at the browser’s address bar, then start again.",
      NotFoundError: "There is no camera and no microphone here: connect one, then start again.",
      NotReadableError: "Another program uses the camera or the microphone: close it, then start again.",
      OverconstrainedError: "The chosen camera or microphone is gone: choose another one, then start again.",
    }[name] ?? `Camera and microphone cannot be used: ${message || name}.`
  );
}

/** @returns {{stream, missing}} what there is of what was asked for; a missing camera leaves the sound, and the other way round. */
export async function capture(wanted, chosen) {
  if (!navigator.mediaDevices) throw new Error("The browser gives camera and microphone to https and to this machine’s own address only.");
  const of = { audio: { echoCancellation: true, ...exactly(chosen.audio) }, video: { width: { ideal: WIDEST }, frameRate: { ideal: 30 }, ...exactly(chosen.video) } };
  const asked = (kinds) => navigator.mediaDevices.getUserMedia(Object.fromEntries(kinds.map((kind) => [kind, of[kind]])));
  try {
    return { stream: await asked(wanted), missing: [] };
  } catch (error) {
    if (wanted.length < 2) throw new Error(refusal(error));
    for (const kind of wanted) {
      try {
        return { stream: await asked([kind]), missing: wanted.filter((other) => other !== kind) };
      } catch {
        // Then the other alone.
      }
    }
    throw new Error(refusal(error));
  }
}

const exactly = (deviceId) => (deviceId ? { deviceId: { exact: deviceId } } : {});

/** Hands on the microphone's chunks, Int16Array each; gives back what ends it. */
export async function listen(stream, take) {
  const context = new AudioContext();
  await context.audioWorklet.addModule(new URL("./microphone.js", import.meta.url));
  await context.resume();
  const node = new AudioWorkletNode(context, "microphone", { numberOfOutputs: 0 });
  node.port.onmessage = ({ data }) => take(data);
  context.createMediaStreamSource(stream).connect(node);
  return () => context.close();
}

/** Hands on pictures of what the camera shows, as JPEG with their size; gives back what ends it. */
export function look(video, take) {
  const canvas = document.createElement("canvas");
  let busy = false;
  const timer = setInterval(() => {
    if (busy || !video.videoWidth) return;
    [canvas.width, canvas.height] = sizeOf(video.videoWidth, video.videoHeight);
    const shown_at = performance.now();
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    busy = true;
    canvas.toBlob(
      async (blob) => {
        if (blob) take(await blob.arrayBuffer(), shown_at, [canvas.width, canvas.height]);
        busy = false;
      },
      "image/jpeg",
      QUALITY,
    );
  }, 1000 / PICTURES_PER_S);
  return () => clearInterval(timer);
}

/** Keeps what is recorded in this browser; `stop()` gives it as a Blob, or null. */
export function record(stream) {
  const video = stream.getVideoTracks().length > 0;
  const type = globalThis.MediaRecorder && RECORDED.filter((one) => one.startsWith("video") === video).find((one) => MediaRecorder.isTypeSupported(one));
  if (!type) return { stop: async () => null };
  const [recorder, parts] = [new MediaRecorder(stream, { mimeType: type }), []];
  recorder.ondataavailable = ({ data }) => parts.push(data);
  recorder.start(1000);
  return {
    stop: () =>
      new Promise((resolve) => {
        const whole = () => resolve(parts.length ? new Blob(parts, { type: type.split(";")[0] }) : null);
        if (recorder.state === "inactive") return whole();
        recorder.onstop = whole;
        recorder.stop();
      }),
  };
}

/** When each chunk of sound began: by the count of samples, unless the clock says that some are missing. */
export class SoundTimes {
  /** @param now_s when the chunk of `samples` was complete. */
  next(samples, now_s) {
    const began_s = now_s - samples / RATE;
    if (this.expected_s === undefined || began_s - this.expected_s > GAP_S) this.expected_s = Math.max(0, began_s);
    const start_s = this.expected_s;
    this.expected_s += samples / RATE;
    return start_s;
  }
}

/** The size that a picture is sent in. */
export function sizeOf(width, height) {
  const scale = Math.min(1, WIDEST / width);
  return [Math.round(width * scale), Math.round(height * scale)];
}

/** How loud a chunk is, in 0–1: its peak over a range of 60 dB. */
export function loudness(samples) {
  let peak = 1;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  return Math.max(0, 1 + (20 * Math.log10(peak / 32768)) / 60);
}
