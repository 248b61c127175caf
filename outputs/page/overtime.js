// The section “Over time”: the sound, whose moments were read as what, and the score of each label.

import { button, el, judged } from "./dom.js";
import { SIGNALS } from "./disagreement.js";
import { describeAt, peopleLanes, scoreLanes, told } from "./emotions.js";
import { createLanes } from "./lanes.js";
import { drawnSpans, strip, wave } from "./marks.js";
import { createMinimap } from "./minimap.js";
import { levelsOf } from "./series.js";
import { section } from "./sections.js";
import { createSpan } from "./span.js";

/**
 * @param help shows the keys.
 * @returns {{node, scrubber, show(result, how)}} `scrubber` is a lane that shows all of the time; `how` is
 *   `{tints, readings, isDim(index)}`.
 */
export function createOverTime(view, help) {
  const { ink, span } = view;
  let result = null;
  const describe = (time_s) => describeAt(result, time_s);
  const lanes = createLanes(view, { name: "Emotions over time", describe });
  const whole = createSpan();
  const scrubber = createLanes({ ...view, span: whole }, { name: "Position in time", describe });
  const minimap = createMinimap(view);
  const key = el("figcaption", {});
  const tools = el("div", { class: "tools" }, minimap.tools, button("keys", help, { class: "plain" }));
  const node = section("Over time", tools, el("figure", {}, minimap.node, lanes.node, key));

  function show(next, { tints, readings, isDim }) {
    result = next;
    node.hidden = !(result.media.duration_s > 0) || !result.segments.length;
    if (node.hidden) return;
    const places = new Map(result.segments.map((segment, i) => [segment, i]));
    const how = { tints, ink, isDim: (segment) => isDim(places.get(segment)) };
    const { sound } = result.tracks ?? {};
    lanes.show([...(sound ? [soundLane(sound)] : []), ...peopleLanes(result, how), ...aloneLanes(readings, tints), ...scoreLanes(result, how)]);
    const read = told(result, tints, ink);
    const all = strip(drawnSpans(result.segments, result.media.duration_s), { ...how, read, words: 0 });
    whole.fit(result.media.duration_s);
    scrubber.show([{ label: "", kind: "scrub", draw: all }]);
    minimap.show(all);
    key.replaceChildren(...keyOf(result));
  }

  const soundLane = ({ peaks, per_s, start_s = 0 }) => ({ label: "sound", kind: "wave", draw: wave(peakLevels(peaks), per_s, start_s, { ink }) });

  /** What words, face and voice alone were read as, where that is known. */
  function aloneLanes(readings, tints) {
    const spans = drawnSpans(result.segments, result.media.duration_s);
    const read = told(result, tints, ink);
    return Object.keys(SIGNALS)
      .filter((letter) => readings?.[letter])
      .map((letter) => {
        const at = new Map(result.segments.map((segment, i) => [segment, readings[letter][i]]));
        return { label: `${SIGNALS[letter]} alone`, kind: "alone", draw: strip(spans, { read: (segment) => at.get(segment) && read(at.get(segment)), ink }) };
      });
  }

  return { node, scrubber: scrubber.node, show };
}

const levelsOfPeaks = new WeakMap();
const peakLevels = (peaks) => levelsOfPeaks.get(peaks) ?? levelsOfPeaks.set(peaks, levelsOf(peaks)).get(peaks);

function keyOf({ range, segments }) {
  const shade = !segments.every(judged) && [el("span", { class: "key shade" }), " nothing heard or seen to judge by."];
  const words = range
    ? `The rating, from ${range[0]} at the foot of the lane to ${range[1]} at the top. `
    : ["A block is a moment. Above, its colour is what it was read as and its height how sure; below, its height is the score of one label, from 0 to 1: ", el("span", { class: "key read" }), " read, ", el("span", { class: "key other" }), " not. "];
  return [words, shade].flat().filter(Boolean);
}
