// All that is drawn of a result, in step with its player.  To be mounted it needs `report.css` and an element.

import { createClock } from "./clock.js";
import { clockTime, el, laneNames, reading } from "./dom.js";
import { momentAt } from "./emotions.js";
import { createFaces } from "./facesection.js";
import { createFilter } from "./filter.js";
import { createInk } from "./ink.js";
import { createKeys, viewerKeys } from "./keys.js";
import { createMoments } from "./moments.js";
import { createOverTime } from "./overtime.js";
import { palette } from "./palette.js";
import { peopleOf } from "./people.js";
import { createPlayer, mediaElement } from "./player.js";
import { section } from "./sections.js";
import { createSpan } from "./span.js";
import { summary } from "./summary.js";

// Names of lanes take between so many letters; those of what a face does need more.
const [LEAST_LETTERS, MOST_LETTERS, FACE_LETTERS] = [8, 26, 24];
// Somebody who listens to the page is told of a moment no more often than this.
const SPOKEN_EVERY_MS = 2500;

/**
 * @param root is filled with the sections.
 * @param media {kind: "video" | "audio" | "img" | null, sources: [address], name}
 * @param editor {moment(index, segment, node), speaker(name, node), person(number, node)} puts its controls into what
 *   is drawn: into the item of a moment, and beside the name of somebody who speaks or is seen; null where nothing is
 *   corrected.
 * @returns {{show(result), readings(byName), clock, selected(), select(index), listen(fn(index)), keys, destroy()}}
 *   `show` again after each change keeps time, zoom, selection and scroll; moments that are the same objects as before
 *   are not drawn anew.  `readings` takes `{shown, T, V, A}`, each a list of `{label, labels?, scores, evidence,
 *   rating?}`, one a moment, and each may be missing; or null.  `shown` stands in for what the result says; where
 *   words, face and voice alone disagree is marked.  `keys` maps a key to `{about, run(event)}`.
 */
export function createViewer(root, { media, editor = null }) {
  const ended = new AbortController();
  const { signal } = ended;
  const element = mediaElement(media);
  const clock = createClock(media.kind === "img" ? null : element, 0);
  const span = createSpan();
  const view = { clock, span, signal, ink: createInk(root, signal) };
  const listeners = [];
  let result = null;
  let readings = null;
  let tints = {};
  let chosen = -1;

  const { keys, node: dialog, help } = createKeys(root, signal);
  const filter = createFilter({ changed: sifted, go: (index) => select(index, { scroll: true }), current: () => chosen });
  const moments = createMoments({ select, editor, signal });
  const overTime = createOverTime(view, help);
  const faces = createFaces(view, editor);
  const player = createPlayer(view, { media, element, lane: overTime.scrubber, repeat });
  const follow = el("input", { type: "checkbox" });
  const followed = el("label", {}, follow, " follow");
  const often = el("div", {});
  const frequent = section("How often", null, often);
  const listed = section("Moments", followed, filter.node, moments.node);
  const spoken = el("p", { class: "spoken", "aria-live": "polite" });
  const columns = el("div", { class: "columns" }, el("div", { class: "side" }, player.node, frequent), listed);
  root.replaceChildren(overTime.node, columns, faces.node, dialog, spoken);
  root.classList.add("viewer");
  for (const [key, about, run] of viewerKeys({ clock, span, step, repeat, filter, fullscreen: player.fullscreen })) keys.set(key, { about, run });

  clock.listen(follows);
  clock.listen((time_s) => clock.playing && span.reveal(time_s));

  function show(next) {
    const first = result === null;
    result = next;
    tints = palette([...new Set([...laneNames(result), ...(result.tracks?.faces?.emotions ?? [])])]);
    Object.assign(clock, { duration_s: result.media.duration_s, fps: result.media.fps ?? null });
    span.fit(clock.duration_s);
    if (first) closeUp();
    chosen = Math.min(chosen, result.segments.length - 1);
    const timed = clock.duration_s > 0;
    listed.classList.toggle("still", !timed);
    followed.hidden = !timed;
    frequent.hidden = !timed || !result.segments.length;
    frequent.querySelector("h2").textContent = result.range ? "On average" : "How often";
    root.style.setProperty("--gutter", gutterOf(result));
    filter.show(result);
    player.show(result);
    faces.show(result, tints);
    draw();
  }

  // Of a long recording, of which a stretch was analysed, that stretch is shown.
  function closeUp() {
    const { segments } = result;
    if (!segments.length) return;
    const [from_s, to_s] = [segments[0].start_s, Math.max(...segments.map(({ end_s }) => end_s))];
    if (to_s - from_s < clock.duration_s / 2) span.set(from_s, to_s);
  }

  /** What depends on how moments are read. */
  function draw() {
    const now = drawn();
    moments.show(result, { tints, readings });
    moments.keep(filter);
    overTime.show(now, { tints, readings, isDim });
    often.replaceChildren(...summary(now, tints, nameTools));
    on = momentAt(result.segments, clock.now);
    tell(clock.now);
    chosen < 0 && on >= 0 ? choose(on) : moments.mark(chosen, false);
  }

  /** A moment with the scores of other signals, where those are shown; what a person has set stays. */
  function shownAt(index) {
    const segment = result.segments[index];
    const instead = readings?.shown?.[index];
    return instead && !segment.corrected ? { ...segment, ...instead } : segment;
  }

  const drawn = () => (readings?.shown ? { ...result, segments: result.segments.map((_, i) => shownAt(i)) } : result);

  const isDim = (index) => filter.active && !filter.kept(index);

  function sifted() {
    moments.keep(filter);
    overTime.show(drawn(), { tints, readings, isDim });
  }

  function nameTools({ name, persons }, node) {
    if (!editor) return;
    if (result.segments.some(({ speaker }) => speaker === name)) editor.speaker(name, node);
    for (const person of persons) editor.person(person, node);
  }

  // ── where one is ──

  // The moment that is on; whoever was chosen stays chosen until another one begins.
  let on = -1;
  let said_ms = -Infinity;

  function follows(time_s) {
    if (!result) return;
    const before = on;
    on = momentAt(result.segments, time_s);
    tell(time_s);
    if (on === before || on < 0) return;
    choose(on, { scroll: follow.checked && clock.playing });
    speak(shownAt(on));
  }

  function tell(time_s) {
    player.tell(`${clockTime(time_s, true)}  `, on < 0 ? "" : reading(shownAt(on)));
  }

  function speak(moment) {
    const now_ms = performance.now();
    if (now_ms - said_ms < SPOKEN_EVERY_MS) return;
    said_ms = now_ms;
    spoken.textContent = [moment.speaker, moment.text, reading(moment)].filter(Boolean).join(", ");
  }

  function choose(index, { scroll = false } = {}) {
    moments.mark(index, scroll);
    if (index === chosen) return;
    chosen = index;
    for (const listener of listeners) listener(index);
  }

  function select(index, { scroll = false } = {}) {
    const segment = result?.segments[index];
    if (!segment) return;
    // Of moments that begin together the last is on, and this one is chosen.
    on = momentAt(result.segments, segment.start_s);
    choose(index, { scroll });
    if (clock.loop) clock.loop = boundsOf(index);
    clock.seek(segment.start_s);
    span.reveal(segment.start_s);
  }

  /** To the moment before or after, of those that a filter keeps. */
  function step(by) {
    const count = result?.segments.length ?? 0;
    let index = chosen < 0 && by < 0 ? count : chosen;
    do index += by;
    while (index >= 0 && index < count && !filter.kept(index));
    select(index, { scroll: true });
  }

  function boundsOf(index) {
    const segment = result?.segments[index];
    return segment && segment.end_s > segment.start_s ? [segment.start_s, segment.end_s] : null;
  }

  function repeat() {
    clock.loop = clock.loop ? null : boundsOf(chosen);
    if (!clock.loop) return;
    clock.seek(clock.loop[0]);
    if (!clock.playing) clock.play(Math.abs(clock.rate));
  }

  return {
    show,
    readings(next) {
      readings = next;
      if (result) draw();
    },
    clock,
    selected: () => chosen,
    select: (index) => select(index, { scroll: true }),
    listen: (listener) => listeners.push(listener),
    keys,
    destroy() {
      clock.close();
      ended.abort();
      root.replaceChildren();
    },
  };
}

/** How many letters the names of lanes may have; all charts begin at one place, so that their times stand above each other. */
function gutterOf(result) {
  const names = [...laneNames(result), ...peopleOf(result).map(({ name }) => name)];
  const letters = Math.max(LEAST_LETTERS, ...names.map((name) => name.length), result.tracks?.faces?.people.length ? FACE_LETTERS : 0);
  return Math.min(letters, MOST_LETTERS);
}
