// The transcript: each moment with what it was judged by.

import { clockTime, el, percent, placed, shown } from "./dom.js";
import { momentAt } from "./emotions.js";
import { personName } from "./faces.js";

const BARS = 3;
// From here on moments off screen are not laid out, which keeps an hour quick.
const LONG = 100;

/** The moments as a list that follows the clock. */
export function moments(clock, transcript, tints, following = () => false) {
  if (!transcript.segments.length) return el("p", { class: "note" }, "No moment was found in this file.");
  const items = transcript.segments.map((segment) => momentItem(clock, transcript, segment, tints));
  let current = null;
  clock.listen((time_s) => {
    const item = items[momentAt(transcript.segments, time_s)] ?? null;
    if (item === current) return;
    current?.removeAttribute("aria-current");
    item?.setAttribute("aria-current", "true");
    current = item;
    if (item && following()) item.scrollIntoView({ block: "center", behavior: "smooth" });
  });
  return el("ol", { class: items.length > LONG ? "moments long" : "moments" }, items);
}

function momentItem(clock, transcript, segment, tints) {
  const go = (event) => {
    // Marking words is no click, and a link goes by itself.
    if (event.type === "click" && !getSelection().isCollapsed) return;
    clock.seek(segment.start_s);
  };
  return el(
    "li",
    { class: `moment ${segment.evidence}`, style: segment.evidence === "none" ? {} : tints[segment.label ?? "rating"], onclick: go },
    clock.duration_s > 0 && el(
      "a",
      { class: "when", href: `#t=${segment.start_s}`, "aria-label": `Go to ${clockTime(segment.start_s, true)}` },
      el("time", {}, clockTime(segment.start_s, true)),
      el("time", { class: "until" }, clockTime(segment.end_s, true)),
    ),
    el("div", { class: "said" }, spoken(segment), cues(transcript, segment)),
    el("div", { class: "read" }, verdict(transcript, segment, tints)),
  );
}

function spoken(segment) {
  return [
    segment.speaker && el("p", { class: "speaker", dir: "auto" }, segment.speaker),
    segment.text && el("p", { class: "words", dir: "auto" }, segment.text),
    segment.text === "" && el("p", { class: "words silent" }, "no words"),
  ];
}

function cues(transcript, segment) {
  const followed = transcript.tracks?.faces.people ?? [];
  const named = (person) => personName(person, followed.find((face) => face.person === +person)?.speaker);
  const people = Object.entries(segment.faces);
  const faces = people.length > 1 ? people.map(([person, words]) => [named(person), words]) : [];
  const rows = [...(faces.length ? faces : [["face", segment.face]]), ["voice", segment.voice]].filter(
    ([, words]) => words,
  );
  return rows.length > 0 && el("dl", { class: "cues" }, rows.map(([name, words]) => cue(name, words)));
}

const cue = (name, words) => el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, words));

function verdict(transcript, segment, tints) {
  if (segment.evidence === "none") return el("p", { class: "no-evidence" }, "no evidence");
  return [
    el("ul", { class: "scores" }, (transcript.range ? ratingBar : scoreBars)(segment, transcript, tints)),
    segment.evidence === "weak" && el("p", { class: "weak-evidence" }, "on weak evidence"),
  ];
}

function scoreBars(segment, { labels }, tints) {
  const read = shown(segment);
  const best = [...labels].sort((a, b) => segment.scores[b] - segment.scores[a]);
  const bars = [...read, ...best.filter((label) => !read.includes(label))].slice(0, Math.max(BARS, read.length));
  return bars.map((label) => {
    const score = segment.scores[label];
    return bar(label, score, score, read.includes(label), tints[label]);
  });
}

const ratingBar = ({ rating }, { range }, tints) => bar("rating", rating, placed(rating, range), true, tints.rating);

function bar(label, value, share, read, tint) {
  return el(
    "li",
    { class: read ? "read" : null, style: tint },
    el("span", { class: "label", dir: "auto" }, label),
    el("span", { class: "number" }, value.toFixed(2)),
    el("span", { class: "bar" }, el("i", { style: { width: percent(share) } })),
  );
}
