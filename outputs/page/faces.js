// What a face did over time: its expression, its action units, its blinks, where the head turned.

import { curve, instants, line, strip } from "./marks.js";
import { columnOf, levelsOf, usualStep } from "./series.js";

// Units that never get this strong are named, not drawn.
export const DRAWN_FROM = 0.2;
// Further than so many usual steps apart, nothing was seen between.
const STEPS_MISSED = 2.5;
const POSE = ["head up, down", "head turned", "head tilted"];
const FURTHEST_DEG = 45;

// What is computed of a person's track is kept as long as the track is.
const prepared = new WeakMap();

/** Columns of a person's track, ready to be drawn. */
export function seriesOf(person, units) {
  const known = prepared.get(person);
  if (known) return known;
  const times_s = Float64Array.from(person.times_s);
  const gap_s = STEPS_MISSED * usualStep(person.times_s);
  const series = (values) => ({ times_s, gap_s, levels: levelsOf(values) });
  const column = (rows, i) => series(columnOf(rows, i));
  const made = {
    times_s,
    gap_s,
    units: units.map((code, i) => ({ code, ...column(person.action_units, i) })),
    pose: person.pose ? POSE.map((_, i) => column(person.pose, i)) : [],
    ratings: ["valence", "arousal"].filter((name) => person[name]).map((name) => ({ name, ...series(person[name].map((value) => value ?? NaN)) })),
  };
  prepared.set(person, made);
  return made;
}

/** The furthest that a series goes from 0. */
export const extreme = ({ levels }) => levels.at(-1).reduce((most, value) => (Math.abs(value) > most ? Math.abs(value) : most), 0);

/**
 * Lanes of one person's face.
 *
 * @param how {tints, ink}
 * @returns {{lanes, faint: [code]}} `faint` are units too weak to be drawn.
 */
export function faceLanes(faces, person, { tints, ink }) {
  const { units, pose, ratings } = seriesOf(person, faces.units);
  const strong = faces.grades?.[1];
  const drawn = units.filter((unit) => extreme(unit) >= DRAWN_FROM);
  const lanes = [];
  if (person.emotions) lanes.push({ label: "looks like", kind: "strip", draw: strip(expressions(faces, person), { read: ({ label, score }) => ({ fills: [ink().of(tints[label])], height: score, words: label }), ink }) });
  for (const { code, ...series } of drawn) {
    const words = faces.names?.[code];
    // What has a number in FACS is known by it.
    lanes.push({ label: words ?? code, detail: words && /^AU\d/.test(code) ? code : null, kind: "unit", draw: curve(series, { strong, ink }) });
  }
  if (person.blinks_s) lanes.push({ label: "blinks", kind: "unit", draw: instants(person.blinks_s, { ink }) });
  for (const [i, series] of pose.entries()) {
    lanes.push({ label: POSE[i], kind: "unit", draw: line(series, { low: -FURTHEST_DEG, high: FURTHEST_DEG, ink }) });
  }
  for (const { name, ...series } of ratings) lanes.push({ label: name, kind: "unit", draw: line(series, { low: -1, high: 1, ink }) });
  return { lanes, faint: units.filter((unit) => !drawn.includes(unit)).map(({ code }) => code) };
}

/** Stretches over which a face looks like one emotion most: [{segment: {label, score}, start_s, end_s}]. */
export function expressions(faces, person) {
  const gap_s = STEPS_MISSED * usualStep(person.times_s);
  const spans = [];
  person.emotions.forEach((row, i) => {
    const score = Math.max(...row.map((value) => value ?? 0));
    const label = score > 0 ? faces.emotions[row.indexOf(score)] : null;
    const start_s = person.times_s[i];
    const next_s = person.times_s[i + 1] ?? Infinity;
    const end_s = next_s - start_s <= gap_s ? next_s : start_s + gap_s / STEPS_MISSED;
    const before = spans.at(-1);
    if (label === null) return;
    if (before?.segment.label === label && start_s - before.end_s < 1e-6) {
      before.segment.score = Math.max(before.segment.score, score);
      before.end_s = end_s;
    } else {
      spans.push({ segment: { label, score }, start_s, end_s });
    }
  });
  return spans;
}

/** The units that are active in a row, the strongest first: [code]. */
export function activeUnits(faces, row, { least = faces.grades?.[1] ?? 0.5, most = 4 } = {}) {
  return faces.units
    .map((code, i) => [code, row[i] ?? 0])
    .filter(([, value]) => value >= least)
    .sort((a, b) => b[1] - a[1])
    .slice(0, most)
    .map(([code]) => code);
}

/** What a face does in a row, in words. */
export function doing(faces, row) {
  const active = activeUnits(faces, row, { most: 3 });
  return active.length ? active.map((code) => faces.names?.[code] ?? code).join(", ") : "nothing marked";
}
