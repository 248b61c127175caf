// Live: what camera and microphone give is sent as it comes, and each window's label drawn as it comes back.

import { createClock } from "../../outputs/page/clock.js";
import { clockTime, el, percent, reading } from "../../outputs/page/dom.js";
import { describeAt, scoreLanes } from "../../outputs/page/emotions.js";
import { createInk } from "../../outputs/page/ink.js";
import { createLanes } from "../../outputs/page/lanes.js";
import { palette } from "../../outputs/page/palette.js";
import { createSpan } from "../../outputs/page/span.js";
import { capture, listen, look, loudness, record, SoundTimes } from "./devices.js";
import { RATE } from "./microphone.js";

const SOUND = 1;
const PICTURE = 2;

// What may wait to be sent: pictures that would come late are left out, sound is kept for half a minute.
const MOST_WAITING = { [PICTURE]: 192 * 1024, [SOUND]: 30 * RATE * 2 };
// Windows in the list; the lanes show all.
const MOST_SHOWN = 40;
// So much room the lanes have at least, that the first windows do not fill them.
const LEAST_DRAWN_S = 60;
const TOLD_BEFORE_S = 60;
const SIGNALS = [["T", "words"], ["V", "face"], ["A", "voice"]];

// ── pure parts ──────────────────────────────────────────────────────────────

/** A message with sound or a picture: its kind, the time in seconds, and what it holds. */
export function framed(kind, time_s, payload) {
  const message = new Uint8Array(9 + payload.byteLength);
  const head = new DataView(message.buffer);
  head.setUint8(0, kind);
  head.setFloat64(1, time_s, true);
  message.set(new Uint8Array(payload.buffer ?? payload, payload.byteOffset ?? 0, payload.byteLength), 9);
  return message;
}

/** Whether there is room for one more, with so many bytes still to be sent. */
export const mayFollow = (kind, waiting) => waiting < MOST_WAITING[kind];

export const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

// ── a run of it ─────────────────────────────────────────────────────────────

/** Sends what the devices give, and tells `on` what comes back. */
function stream(start, media, video, on) {
  const socket = new WebSocket(new URL("/ws/live", location.href.replace(/^http/, "ws")));
  socket.binaryType = "arraybuffer";
  const endings = [];
  let recording = null;
  let began = 0;
  let ended = false;
  const now_s = (at = performance.now()) => (at - began) / 1000;
  const release = () => endings.splice(0).forEach((end) => end());
  const end = async (job, error) => {
    if (ended) return;
    ended = true;
    release();
    on.end(job, (await recording?.stop()) ?? null, error);
    media.getTracks().forEach((track) => track.stop());
    socket.close();
  };
  const send = (kind, time_s, payload) => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (mayFollow(kind, socket.bufferedAmount)) socket.send(framed(kind, time_s, payload));
    else on.late(kind);
  };
  const begin = async () => {
    began = performance.now();
    recording = record(media);
    if (start.picture) {
      endings.push(
        look(video, (picture, shown_at, size) => {
          on.size(size);
          send(PICTURE, now_s(shown_at), picture);
        }),
      );
    }
    if (start.sound) {
      const times = new SoundTimes();
      const close = await listen(media, (samples) => {
        on.level(loudness(samples));
        send(SOUND, times.next(samples.length, now_s()), samples);
      });
      ended ? close() : endings.push(close);
    }
  };

  const told = {
    loading: on.loading,
    ready: (message) => {
      on.ready(message);
      begin().catch((error) => end(null, error.message));
    },
    segment: (message) => on.segment(message, now_s()),
    notice: on.notice,
    error: ({ error }) => end(null, error),
    end: ({ job }) => end(job),
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    told[message.type]?.(message);
  };
  socket.onopen = () => socket.send(JSON.stringify({ type: "start", ...start }));
  socket.onclose = () => end(null, "The connection was closed before the end.");
  for (const track of media.getTracks()) track.onended = () => on.notice({ notice: `The ${track.kind === "audio" ? "microphone" : "camera"} is gone.` });

  return {
    now_s,
    stop() {
      release();
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "stop" }));
      else end(null, "The connection is not open.");
    },
  };
}

// ── the view ────────────────────────────────────────────────────────────────

/**
 * @param options what `/api/options` tells.
 * @param onend(job, recording) when it has become a job, with what was recorded: a Blob, or null.
 */
export function createLive(root, { options = {}, onend = () => {} }) {
  const run = options.runs?.[0] ?? { labels: {}, label_sets: [], modalities: "TVA" };
  const limit_s = options.limits?.live_s ?? Infinity;
  const devices = { video: select("Camera"), audio: select("Microphone") };
  const sets = select("Labels", [["", "the model’s"], ...run.label_sets.map((name) => [name, name])]);
  const signals = SIGNALS.filter(([letter]) => run.modalities.includes(letter)).map(([letter, name]) => {
    const input = el("input", { type: "checkbox", checked: true, value: letter });
    return { input, node: el("label", {}, input, ` ${name}`) };
  });
  const toggle = el("button", { type: "button", class: "go" }, "Start");
  const video = el("video", { muted: true, playsinline: true, "aria-label": "What the camera shows" });
  video.muted = true; // the attribute counts in the mark-up alone
  const boxes = el("div", { class: "boxes", "aria-hidden": "true" });
  const camera = el("div", { class: "camera" }, video, boxes);
  const meter = el("meter", { min: 0, max: 1, low: 0.25, value: 0, "aria-label": "How loud the microphone is" });
  const status = el("p", { class: "note state", role: "status" });
  const facts = el("p", { class: "note figures" });
  const newest = el("p", { class: "newest", "aria-live": "polite", "aria-atomic": "true" });
  const lanes = el("div", { class: "grown" });
  const list = el("ol", { class: "moments windows", "aria-label": "The latest windows, the newest first" });
  const setting = el("fieldset", { class: "settings" }, el("legend", {}, "What is read"), devices.video.node, devices.audio.node, sets.node,
    el("div", { class: "field" }, el("span", {}, "Signals"), el("span", { class: "checks", role: "group", "aria-label": "Signals" }, signals.map(({ node }) => node))));
  root.replaceChildren(
    el("h1", {}, "Live"),
    el("div", { class: "live" },
      el("div", { class: "taken-in" }, camera, el("div", { class: "controls" }, meter, toggle), status, facts),
      el("div", { class: "given-out" }, setting, newest, lanes, list)),
    el("p", { class: "note" }, "Sound and pictures go to the service, which keeps the result and not them; what was recorded stays in this browser until the page is closed."),
  );

  let current = null;
  let drawing = null;
  let ticking = 0;
  const say = (text) => (status.textContent = text);
  const idle = () => {
    clearInterval(ticking);
    current = null;
    toggle.textContent = "Start";
    toggle.disabled = setting.disabled = false;
    meter.value = 0;
    boxes.replaceChildren();
    video.srcObject = null;
  };
  const tick = () => {
    const left_s = limit_s - current.now_s();
    facts.textContent = [
      Number.isFinite(limit_s) ? `${clockTime(current.now_s())} of ${clockTime(limit_s)}` : clockTime(current.now_s()),
      drawing.latency(),
    ].filter(Boolean).join(" · ");
    if (left_s < TOLD_BEFORE_S) say(`It ends by itself in ${Math.max(0, Math.ceil(left_s))} s.`);
  };

  const start = async () => {
    toggle.disabled = setting.disabled = true;
    const letters = signals.filter(({ input }) => input.checked).map(({ input }) => input.value).join("");
    if (!letters) throw new Error("Nothing is to be read: choose at least one signal.");
    const wanted = [/[TA]/.test(letters) && "audio", letters.includes("V") && "video"].filter(Boolean);
    say("Asking for camera and microphone …");
    const { stream: media, missing } = await capture(wanted, { video: devices.video.input.value, audio: devices.audio.input.value });
    await listDevices(devices);
    const has = (kind) => wanted.includes(kind) && !missing.includes(kind);
    if (has("video")) {
      video.srcObject = media;
      video.play().catch(() => {});
    }
    const alone = { video: " No camera: sound alone is read.", audio: " No microphone: pictures alone are read." }[missing[0]] ?? "";
    const read = [...letters].filter((letter) => has(letter === "V" ? "video" : "audio")).join("");
    drawing?.close();
    drawing = createDrawing({ newest, lanes, list, boxes }, run, sets.input.value);
    let size = null;
    current = stream(
      {
        signals: read, sound: has("audio"), picture: has("video"), window_s: 2, name: `Live ${new Date().toTimeString().slice(0, 5)}`,
        ...(sets.input.value && { labels: sets.input.value }),
      },
      media,
      video,
      {
        loading: () => say(`The models are being loaded.${alone}`),
        ready() {
          say(`It is listening and looking.${alone}`);
          toggle.textContent = "Stop";
          toggle.disabled = false;
          ticking = setInterval(tick, 500);
        },
        segment: (message, at_s) => drawing.add(message, at_s, size),
        size(sent) {
          size = sent;
          camera.style.aspectRatio = `${sent[0]} / ${sent[1]}`;
        },
        level: (level) => (meter.value = level),
        late: (kind) => say(kind === SOUND ? "The connection is too slow: some of the sound is missing." : "The connection is slow: pictures are left out."),
        notice: ({ notice }) => say(notice),
        end(job, recording, error) {
          idle();
          say(error ?? "");
          if (job) onend(job, recording);
        },
      },
    );
  };
  toggle.addEventListener("click", () => {
    if (current) {
      toggle.disabled = true;
      say("What came last is still being read.");
      return current.stop();
    }
    start().catch((error) => {
      idle();
      say(error.message);
    });
  });
  navigator.mediaDevices?.addEventListener?.("devicechange", () => listDevices(devices));
  listDevices(devices);
}

/** The windows as they come: the newest in words, all of them as lanes, the latest as a list. */
function createDrawing({ newest, lanes, list, boxes }, run, set) {
  const ended = new AbortController();
  const labels = run.labels?.[set || run.label_sets[0]] ?? [];
  const tints = palette(labels.length ? labels : ["rating"]);
  // As much of a result as lanes are drawn of.
  const result = { media: { duration_s: 0 }, labels, segments: [], tracks: null, ...(run.range && { range: run.range }) };
  const [clock, span, ink] = [createClock(null, LEAST_DRAWN_S), createSpan(), createInk(lanes, ended.signal)];
  const drawn = createLanes({ clock, span, signal: ended.signal }, { name: "Labels so far", describe: (time_s) => describeAt(result, time_s) });
  const behind = [];
  list.replaceChildren();
  newest.textContent = "";
  lanes.replaceChildren(drawn.node);

  return {
    latency: () => behind.length > 0 && `${behind.at(-1).toFixed(1)} s behind, ${median(behind).toFixed(1)} s as a rule`,
    add({ segment, faces = [] }, at_s, size) {
      behind.push(at_s - segment.end_s);
      if (behind.length > 1000) behind.shift();
      newest.textContent = segment.evidence === "none" ? "Nothing to read." : reading(segment);
      newest.className = `newest ${segment.evidence}`;
      for (const [property, value] of Object.entries(tintOf(segment, tints))) newest.style.setProperty(property, value);
      result.segments.push(segment);
      result.media.duration_s = clock.duration_s = Math.max(LEAST_DRAWN_S, segment.end_s);
      span.fit(clock.duration_s);
      drawn.show(scoreLanes(result, { tints, isDim: () => false, ink }));
      list.prepend(windowItem(segment, tints));
      while (list.children.length > MOST_SHOWN) list.lastChild.remove();
      if (size) boxes.replaceChildren(...faces.map((face) => faceBox(face, size)));
    },
    close: () => ended.abort(),
  };
}

const tintOf = (segment, tints) => tints[segment.label ?? "rating"] ?? {};

function windowItem(segment, tints) {
  const cue = (name, words) => words && el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, words));
  return el(
    "li",
    { class: `moment ${segment.evidence}`, style: segment.evidence === "none" ? {} : tintOf(segment, tints) },
    el("time", { class: "when" }, clockTime(segment.start_s)),
    el("div", { class: "said" },
      segment.text && el("p", { class: "words", dir: "auto" }, segment.text),
      segment.text === "" && el("p", { class: "words silent" }, "no words"),
      el("dl", { class: "cues" }, cue("face", segment.face), cue("voice", segment.voice))),
    el("p", { class: "read" }, el("b", {}, reading(segment)), segment.evidence === "weak" && el("span", { class: "weak-evidence" }, " on weak evidence")),
  );
}

function faceBox({ person, box: [left, top, right, bottom], units }, [width, height]) {
  return el(
    "div",
    {
      class: left + right > width ? "box right" : "box",
      style: { left: percent(left / width), top: percent(top / height), width: percent((right - left) / width), height: percent((bottom - top) / height) },
    },
    el("span", { class: "who" }, `person ${person}`),
    el("span", { class: "doing" }, units.map((unit) => el("span", {}, unit))),
  );
}

async function listDevices(devices) {
  const found = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  for (const [kind, { input }] of Object.entries(devices)) {
    const before = input.value;
    const these = found.filter((device) => device.kind === `${kind}input` && device.deviceId);
    input.replaceChildren(el("option", { value: "" }, "the browser’s choice"), ...these.map(({ deviceId, label }, i) => el("option", { value: deviceId }, label || `${kind} ${i + 1}`)));
    input.value = these.some(({ deviceId }) => deviceId === before) ? before : "";
  }
}

function select(label, choices = [["", "the browser’s choice"]]) {
  const input = el("select", {}, choices.map(([value, shown]) => el("option", { value }, shown)));
  return { input, node: el("label", { class: "field" }, el("span", {}, label), input) };
}
