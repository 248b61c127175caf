// How often each label was read: of all, and of each person.

import { MOST_LANES } from "./emotions.js";
import { el, judged, percent, shown } from "./dom.js";
import { faceNames, peopleOf, whose } from "./people.js";
import { percentages } from "./series.js";

const NOTHING = "no evidence";

/** How often, or how high, moments were read: nodes. */
export function summary(result, tints, named = () => {}) {
  if (!result.segments.length) return [];
  const people = momentsByPerson(result);
  return [
    ...(result.range ? [average(result.segments, result.range)] : frequencies(result, tints)),
    people.length > 1 &&
      el("ul", { class: "each" }, people.map(([person, segments]) => personItem(person, segments, result, tints, named))),
  ].filter(Boolean);
}

/** The moments of each person who has any: [[{name, persons}, [segment]]]. */
function momentsByPerson(result) {
  const names = faceNames(result.tracks);
  const byName = new Map();
  for (const segment of result.segments) {
    const name = whose(segment, names);
    byName.has(name) ? byName.get(name).push(segment) : byName.set(name, [segment]);
  }
  return peopleOf(result).map((person) => [person, byName.get(person.name) ?? []]).filter(([, segments]) => segments.length);
}

// A picture has no time: its moments count alike.
const lengthOf = (segments) => {
  const timed = segments.some(({ start_s, end_s }) => end_s > start_s);
  return ({ start_s, end_s }) => (timed ? end_s - start_s : 1);
};

/** The time for which each label was read, those first that were read longest: [[label, seconds]], and of how much. */
export function timesOf(segments) {
  const times = new Map();
  const length = lengthOf(segments);
  let total_s = 0;
  for (const segment of segments) {
    total_s += length(segment);
    const read = judged(segment) ? shown(segment) : [NOTHING];
    for (const label of read) times.set(label, (times.get(label) ?? 0) + length(segment));
  }
  return { times: [...times].sort((a, b) => b[1] - a[1]), total_s };
}

/** What was read longest of what could be judged; of equals, that which scored higher.  Null where nothing could. */
export function dominant(segments, labels) {
  const told = segments.filter(judged);
  const length = lengthOf(told);
  const of = (label) => told.reduce(([share, mean], one) => [share + (shown(one).includes(label) ? length(one) : 0), mean + length(one) * (one.scores[label] ?? 0)], [0, 0]);
  let best = null;
  for (const label of told.length ? labels : []) {
    const [share, mean] = of(label);
    if (!best || share > best.share || (share === best.share && mean > best.mean)) best = { label, share, mean };
  }
  return best?.label ?? null;
}

/** The mean rating over the time of all moments that have one; null if none has. */
export function meanRating(segments) {
  const rated = segments.filter(judged);
  const length = lengthOf(rated);
  const total_s = rated.reduce((sum, one) => sum + length(one), 0);
  return total_s > 0 ? rated.reduce((sum, one) => sum + one.rating * length(one), 0) / total_s : null;
}

/** Shares as whole percentages, in words; of labels that stand alone they add up to 100. */
export function shares(times, total_s, alone) {
  const whole = alone ? percentages(times.map(([, time]) => time)) : times.map(([, time]) => Math.round((100 * time) / total_s));
  return whole.map((one) => (one > 0 ? `${one} %` : "< 1 %"));
}

function average(segments, range) {
  const mean = meanRating(segments);
  const words = mean === null ? "Nothing was rated." : `${mean.toFixed(2)}, on a scale from ${range[0]} to ${range[1]}.`;
  return el("p", {}, words);
}

function frequencies({ segments, labels }, tints) {
  const { times, total_s } = timesOf(segments);
  const alone = !segments.some((segment) => segment.labels);
  const told = shares(times, total_s, alone);
  const read = new Set(times.map(([label]) => label));
  const never = labels.filter((label) => !read.has(label));
  const listed = never.length > MOST_LANES ? `${never.length} of ${labels.length} labels` : never.join(", ");
  const rows = times.map(([label, time], i) => frequencyRow(label, told[i], time / times[0][1], tints[label]));
  return [
    el("table", { class: "frequencies" }, el("tbody", {}, rows)),
    el("p", { class: "note" }, "Share of the time of all moments.", !alone && " A moment may have several.", never.length > 0 && ` Never read: ${listed}.`),
  ];
}

function frequencyRow(label, share, length, tint) {
  return el(
    "tr",
    { class: tint ? null : "none", style: tint ?? {} },
    el("th", { scope: "row", dir: "auto" }, label),
    el("td", {}, el("span", { class: "bar" }, el("i", { style: { width: percent(length) } }))),
    el("td", { class: "number" }, share),
  );
}

function personItem(person, segments, result, tints, named) {
  const called = el("span", { class: "who", dir: "auto" }, person.name);
  named(person, called);
  if (result.range) return el("li", {}, called, average(segments, result.range));
  const { times, total_s } = timesOf(segments);
  const told = shares(times, total_s, !segments.some((segment) => segment.labels));
  const most = dominant(segments, result.labels);
  const sum_s = times.reduce((sum, [, time]) => sum + time, 0);
  return el(
    "li",
    {},
    called,
    el("span", { class: "mostly" }, most ? `mostly ${most}` : NOTHING),
    el("span", { class: "stack", "aria-hidden": "true" }, times.map(([label, time]) => el("i", { class: tints[label] ? null : "none", style: { ...tints[label], width: percent(time / sum_s) } }))),
    el("span", { class: "shares" }, times.map(([label], i) => `${label} ${told[i]}`).join(" · ")),
  );
}
