// The scores over time, and how often each label was read.

import { block, chart } from "./chart.js";
import { el, laneNames, percent, placed, reading, shown } from "./dom.js";

// Of more labels than that, as of blends, only those that were read are shown.
const MOST_LANES = 16;

/** The moment that is on at a time: of several, the one that began last. */
export function momentAt(segments, time_s) {
  let found = -1;
  for (let i = 0; i < segments.length && segments[i].start_s <= time_s; i++) {
    if (time_s < segments[i].end_s) found = i;
  }
  return found;
}

/** The labels that have a lane. */
export function drawnLabels(transcript) {
  const { labels, segments } = transcript;
  const read = new Set(segments.filter(({ evidence }) => evidence !== "none").flatMap(shown));
  return labels && labels.length > MOST_LANES && read.size > 0
    ? labels.filter((label) => read.has(label))
    : laneNames(transcript);
}

/** A lane a label: the height of a block is its score, the labels read are filled.  Ratings have one lane. */
export function timeline(clock, transcript, tints) {
  const spans = drawnSpans(transcript.segments, clock.duration_s);
  const judged = spans.filter(({ segment }) => segment.evidence !== "none");
  const height = ({ rating, scores }, label) => (transcript.range ? placed(rating, transcript.range) : scores[label]);
  const lanes = drawnLabels(transcript).map((label) => {
    const marks = { read: "", other: "" };
    for (const { segment, start_s, end_s } of judged) {
      const read = transcript.range || shown(segment).includes(label);
      marks[read ? "read" : "other"] += block(start_s, end_s, height(segment, label));
    }
    return { label, tint: tints[label], marks: Object.entries(marks).map(([kind, d]) => ({ kind, d })) };
  });
  return chart(clock, {
    lanes,
    shaded: spans.filter(({ segment }) => segment.evidence === "none").map((span) => [span.start_s, span.end_s]),
    name: "Position in time",
    describe(time_s) {
      const segment = transcript.segments[momentAt(transcript.segments, time_s)];
      return segment ? reading(segment) : "between moments";
    },
  });
}

/** The mean rating over the time of all moments that have one; null if none has. */
export function meanRating(segments) {
  let [sum, total_s] = [0, 0];
  for (const { evidence, rating, start_s, end_s } of segments) {
    if (evidence === "none") continue;
    sum += rating * (end_s - start_s);
    total_s += end_s - start_s;
  }
  return total_s > 0 ? sum / total_s : null;
}

/** The mean rating, in words. */
export function average({ segments, range }) {
  const mean = meanRating(segments);
  const told = mean === null ? "Nothing was rated." : `${mean.toFixed(2)}, on a scale from ${range[0]} to ${range[1]}.`;
  return el("p", {}, told);
}

/** Share of the time of all moments that each label has, as a table. */
export function frequencies(transcript, tints) {
  const times = new Map(transcript.labels.map((label) => [label, 0]));
  times.set("no evidence", 0);
  let total_s = 0;
  for (const segment of transcript.segments) {
    const length_s = segment.end_s - segment.start_s;
    const read = segment.evidence === "none" ? ["no evidence"] : shown(segment);
    for (const label of read) times.set(label, times.get(label) + length_s);
    total_s += length_s;
  }
  if (total_s === 0) return [];
  const seen = [...times].filter(([, time]) => time > 0).sort((a, b) => b[1] - a[1]);
  const never = transcript.labels.filter((label) => times.get(label) === 0);
  const listed = never.length > MOST_LANES ? `${never.length} of ${transcript.labels.length} labels` : never.join(", ");
  return [
    el(
      "table",
      { class: "frequencies" },
      el("tbody", {}, seen.map(([label, time]) => frequencyRow(label, time / total_s, seen[0][1] / total_s, tints[label]))),
    ),
    el(
      "p",
      { class: "note" },
      "Share of the time of all moments.",
      transcript.segments.some((segment) => segment.labels) && " A moment may have several.",
      never.length > 0 && ` Never read: ${listed}.`,
    ),
  ];
}

function frequencyRow(label, share, greatest, tint) {
  return el(
    "tr",
    { class: tint ? null : "none", style: tint ?? {} },
    el("th", { scope: "row", dir: "auto" }, label),
    el("td", {}, el("span", { class: "bar" }, el("i", { style: { width: percent(share / greatest) } }))),
    el("td", { class: "number" }, share >= 0.005 ? `${Math.round(100 * share)} %` : "< 1 %"),
  );
}

// Where moments overlap, a later one is drawn over the end of an earlier one.
// A sliver is left between neighbours, so that each can be told as one.
function drawnSpans(segments, duration_s) {
  return segments.map((segment, i) => {
    const end_s = Math.min(segment.end_s, segments[i + 1]?.start_s ?? Infinity, duration_s);
    const sliver_s = Math.min(0.002 * duration_s, 0.1 * (end_s - segment.start_s));
    return { segment, start_s: segment.start_s, end_s: Math.max(end_s - sliver_s, segment.start_s) };
  });
}
