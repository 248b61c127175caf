// All that is drawn of a result, in step with its player.  Needs `report.css` and a place to be put in.

import { createClock } from "./clock.js";
import { el, laneNames } from "./dom.js";
import { timeline } from "./emotions.js";
import { faceBoxes, unitCurves } from "./faces.js";
import { moments } from "./moments.js";
import { palette } from "./palette.js";

/**
 * @param root is filled with the sections.
 * @param media {kind: "video" | "audio" | "img" | null, sources: [address], name}
 * @param editor {moment(index, segment, node), speaker(name, node), person(number, node)} puts its controls into what
 *   is drawn; null where nothing is corrected.
 * @returns {{show(result), readings(byName), clock, selected(), select(index), listen(fn), keys, destroy()}}
 *   `show` again after each change keeps time and selection; `readings` takes `{shown, T, V, A}`, each a list of
 *   `{label, scores, evidence, rating?}`, one a moment, or null: `shown` stands in for the scores, and where words,
 *   face and voice alone disagree is marked.
 */
export function createViewer(root, { media, editor = null }) {
  const player = media.kind === "video" || media.kind === "audio" ? playerOf(media) : null;
  const clock = createClock(player, 0);
  const keys = new Map();
  const listeners = [];
  let result = null;
  let chosen = -1;

  const select = (index) => {
    chosen = index;
    const segment = result?.segments[index];
    if (segment) clock.seek(segment.start_s);
    for (const listener of listeners) listener(index);
  };

  function show(next) {
    result = next;
    clock.duration_s = result.media.duration_s;
    const tints = palette(laneNames(result));
    const faces = result.tracks?.faces;
    const items = moments(clock, result, tints);
    root.replaceChildren(
      section("Over time", timeline(clock, result, tints)),
      el("div", { class: "columns" }, el("div", { class: "side" }, player && el("div", { class: `screen ${media.kind}` }, player, faces && faceBoxes(clock, faces, result.media))), section("Moments", items)),
      ...(faces?.people.length ? [section("Faces", unitCurves(clock, faces))] : []),
    );
    if (editor) [...items.children].forEach((node, i) => editor.moment(i, result.segments[i], node));
  }

  return {
    show,
    readings() {},
    clock,
    selected: () => chosen,
    select,
    listen: (listener) => listeners.push(listener),
    keys,
    destroy: () => root.replaceChildren(),
  };
}

const section = (title, ...nodes) => el("section", {}, el("h2", {}, title), nodes);

function playerOf({ kind, sources, name }) {
  return el(kind, { controls: true, preload: "metadata", "aria-label": name }, sources.map((src) => el("source", { src })));
}
