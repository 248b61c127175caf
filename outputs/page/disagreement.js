// What words, face and voice alone would be read as, and where they disagree.

import { judged, shown } from "./dom.js";

/** The signals by their letters. */
export const SIGNALS = { T: "words", V: "face", A: "voice" };

// A reading that is less sure than that contradicts nobody.
const SURE = 0.5;
// Of ratings: further apart than this share of the scale is another rating.
const APART = 0.25;

/**
 * The readings of single signals where two that are sure disagree, or else null.
 *
 * @param alone {letter: {label, labels?, scores, evidence, rating?}}
 * @returns [[letter, reading]]
 */
export function disagreement(alone, range = null) {
  const told = Object.keys(SIGNALS)
    .map((letter) => [letter, alone[letter]])
    .filter(([, one]) => one && judged(one));
  if (told.length < 2) return null;
  if (range) {
    const ratings = told.map(([, { rating }]) => rating);
    return Math.max(...ratings) - Math.min(...ratings) > APART * (range[1] - range[0]) ? told : null;
  }
  const sure = told.filter(([, one]) => shown(one).some((label) => one.scores[label] >= SURE));
  const sets = new Set(sure.map(([, one]) => [...shown(one)].sort().join("\n")));
  return sets.size > 1 ? told : null;
}
