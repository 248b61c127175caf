// How far two results agree, over time.

import { judged, shown } from "../../outputs/page/dom.js";
import { momentAt } from "../../outputs/page/emotions.js";

// Of ratings: further apart than this share of the scale is another rating.
const APART = 0.25;

/**
 * Time in pieces within which neither result changes: `[{start_s, end_s, one, other, differs}]`, where `one` and `other`
 * are places of moments, or −1; `differs` is null where one of them says nothing.
 */
export function pieces(first, second) {
  const bounds = [...new Set([first, second].flatMap(({ segments }) => segments.flatMap(({ start_s, end_s }) => [start_s, end_s])))].sort((a, b) => a - b);
  return bounds.slice(1).flatMap((end_s, i) => {
    const start_s = bounds[i];
    const middle_s = (start_s + end_s) / 2;
    const [one, other] = [first, second].map(({ segments }) => momentAt(segments, middle_s));
    if (one < 0 && other < 0) return [];
    return [{ start_s, end_s, one, other, differs: differ(first, one, second, other) }];
  });
}

function differ(first, one, second, other) {
  const [a, b] = [first.segments[one], second.segments[other]];
  if (!a || !b || !judged(a) || !judged(b)) return null;
  if (!first.range && !second.range) return answer(a) !== answer(b);
  if (!first.range || !second.range) return true;
  return Math.abs(a.rating - b.rating) > APART * (first.range[1] - first.range[0]);
}

/** What a moment is read as, in words; of any number of labels all, in the order of the alphabet. */
const answer = (segment) => [...shown(segment)].sort().join(", ");

/**
 * How long both judged, for how much of that they differ, and Cohen's kappa: agreement beyond that of two who give each
 * label as often as these do, but by chance, each second counting alike; null of ratings, and where nothing could be
 * told apart.  Of ratings `apart` is how far they lie from each other, on average over time.
 *
 * @returns {{both_s, differ_s, kappa, apart}}
 */
export function agreement(first, second) {
  const told = pieces(first, second).filter(({ differs }) => differs !== null);
  const length = ({ start_s, end_s }) => end_s - start_s;
  const sum = (some, of = length) => some.reduce((total, piece) => total + of(piece), 0);
  const both_s = sum(told);
  const differ_s = sum(told.filter(({ differs }) => differs));
  const rated = Boolean(first.range && second.range);
  const apart = rated && both_s > 0 ? sum(told, (piece) => length(piece) * Math.abs(first.segments[piece.one].rating - second.segments[piece.other].rating)) / both_s : null;
  return { both_s, differ_s, kappa: first.range || second.range || !both_s ? null : kappaOf(told, first, second, length, both_s, differ_s), apart };
}

function kappaOf(told, first, second, length, both_s, differ_s) {
  const [ours, theirs] = [new Map(), new Map()];
  const add = (times, label, s) => times.set(label, (times.get(label) ?? 0) + s);
  for (const piece of told) {
    add(ours, answer(first.segments[piece.one]), length(piece));
    add(theirs, answer(second.segments[piece.other]), length(piece));
  }
  const chance = [...ours].reduce((total, [label, s]) => total + (s / both_s) * ((theirs.get(label) ?? 0) / both_s), 0);
  return chance < 1 ? (1 - differ_s / both_s - chance) / (1 - chance) : null;
}

/** Where they differ, as stretches of one pair of moments each: `[{start_s, end_s, one, other}]`. */
export function differences(first, second) {
  const found = [];
  for (const { differs, ...piece } of pieces(first, second)) {
    if (!differs) continue;
    const last = found.at(-1);
    if (last && last.end_s === piece.start_s && last.one === piece.one && last.other === piece.other) last.end_s = piece.end_s;
    else found.push(piece);
  }
  return found;
}
