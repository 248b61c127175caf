// What was read over time: whose moments they are, and the scores of each label.

import { judged, laneNames, placed, reading, shown } from "./dom.js";
import { blocks, drawnSpans, strip } from "./marks.js";
import { faceNames, peopleOf, whose } from "./people.js";
import { lowerBound } from "./series.js";

// Of more labels than that, as of blends, only those that were read are shown.
export const MOST_LANES = 16;

/** The moment that is on at a time: of several, the one that began last. */
export function momentAt(segments, time_s) {
  // None that began earlier than the longest lasts can still be on.
  const earliest_s = time_s - longestOf(segments);
  for (let i = lowerBound(segments, time_s + 1e-6, ({ start_s }) => start_s) - 1; i >= 0 && segments[i].start_s >= earliest_s; i--) {
    if (time_s < segments[i].end_s) return i;
  }
  return -1;
}

const longest = new WeakMap();
function longestOf(segments) {
  const known = longest.get(segments);
  if (known !== undefined) return known;
  const most_s = segments.reduce((most, { start_s, end_s }) => Math.max(most, end_s - start_s), 0);
  longest.set(segments, most_s);
  return most_s;
}

/** The labels that have a lane. */
export function drawnLabels(transcript) {
  const { labels, segments } = transcript;
  const read = new Set(segments.filter(judged).flatMap(shown));
  return labels && labels.length > MOST_LANES && read.size > 0
    ? labels.filter((label) => read.has(label))
    : laneNames(transcript);
}

/** How sure, in 0 to 1: a person is; of a rating, where it is on its scale. */
const heightOf = ({ corrected, rating, scores, label }, range) => (range ? placed(rating, range) : corrected ? 1 : scores[label]);

/**
 * A lane for each of those whose moments they are.
 *
 * @param how {tints, isDim(segment), ink}
 */
export function peopleLanes(result, { tints, isDim, ink }) {
  const names = faceNames(result.tracks);
  const people = peopleOf(result);
  const byName = new Map(people.map(({ name }) => [name, []]));
  const nobody = [];
  for (const segment of result.segments) (byName.get(whose(segment, names)) ?? nobody).push(segment);
  const lane = (label, segments, person = null) => ({
    label,
    person,
    kind: "strip",
    draw: strip(drawnSpans(segments, result.media.duration_s), { read: told(result, tints, ink), isDim, ink }),
  });
  const lanes = people.map((person) => ({ person, segments: byName.get(person.name) })).filter(({ segments }) => segments.length);
  // One, or nobody, needs no name to be told from others.
  if (lanes.length <= 1 && !result.segments.some(({ speaker }) => speaker)) return [lane("read as", result.segments)];
  return [
    ...lanes.map(({ person, segments }) => lane(person.name, segments, person)),
    ...(nobody.length ? [lane("nobody seen", nobody)] : []),
  ];
}

/** What a strip shows of a moment. */
export function told({ range }, tints, ink) {
  return (segment) => {
    if (!judged(segment)) return null;
    const read = range ? ["rating"] : shown(segment);
    return {
      fills: read.map((label) => ink().of(tints[label] ?? tints.rating)),
      height: heightOf(segment, range),
      words: range ? segment.rating.toFixed(2) : read.join(", "),
    };
  };
}

/** A lane a label: the height of a block is its score, the labels read are filled.  Ratings have one lane. */
export function scoreLanes(result, { tints, isDim, ink }) {
  const spans = drawnSpans(result.segments, result.media.duration_s);
  const labels = drawnLabels(result);
  const size = labels.length > 16 ? "many" : labels.length > 8 ? "several" : "few";
  return labels.map((label) => ({
    label,
    kind: size,
    draw: blocks(spans, {
      of: {
        height: ({ rating, scores }) => (result.range ? placed(rating, result.range) : (scores[label] ?? 0)),
        isRead: (segment) => (judged(segment) ? Boolean(result.range) || shown(segment).includes(label) : null),
        fill: () => ink().of(tints[label]),
      },
      isDim,
      ink,
    }),
  }));
}

/** What is at a time, in words. */
export function describeAt(result, time_s) {
  const segment = result?.segments[momentAt(result.segments, time_s)];
  return segment ? reading(segment) : "between moments";
}
