// The transcript: each moment with what it was judged by.

import { clockTime, el, judged, percent, placed, shown } from "./dom.js";
import { disagreement, SIGNALS } from "./disagreement.js";
import { placesOf } from "./filter.js";
import { createFilling } from "./lazily.js";
import { faceNames, personName } from "./people.js";

const BARS = 3;
// From here on moments off screen are not laid out, which keeps an hour quick, and the list scrolls by itself.
const LONG = 100;
// In pixels, so that a moment has room.
const LEAST_SEEN = 160;
// What is searched for has this name in the style sheet.
const HIT = "emoscribe-hit";

/**
 * The moments as a list.
 *
 * @param select (index) when one is clicked.
 * @param editor see `createViewer`.
 * @returns {{node, show(result, how), mark(index, follow), keep(filter)}} `how` is `{tints, readings}`; only the
 *   items of moments that are others than before are made anew.
 */
export function createMoments({ select, editor, signal }) {
  const list = el("ol", { class: "moments", onclick: choose });
  const empty = el("p", { class: "note" });
  const node = el("div", { class: "transcript" }, list, empty);
  const filling = createFilling(fill, signal);
  const byNode = new WeakMap();
  let items = [];
  let common = null;
  let marked = null;
  let sought = { query: "", hits: new Set() };
  let highlight = null;

  function choose(event) {
    const item = byNode.get(event.target.closest(".moment"));
    // Marking words is no click, and what is edited goes nowhere.
    if (!item || !getSelection().isCollapsed || event.target.closest("button, input, select, textarea, summary, label, [contenteditable]")) return;
    event.preventDefault();
    select(item.index);
  }

  function show(result, { tints, readings }) {
    const names = faceNames(result.tracks);
    // What all items hang on.
    const key = JSON.stringify([result.labels, result.range, [...names], result.media.duration_s > 0]);
    const before = new Map(common?.key === key ? items.map((item) => [item.segment, item]) : []);
    common = { key, result, names, tints };
    items = result.segments.map((segment, index) => {
      const told = readings?.shown?.[index] ?? null;
      const apart = readings ? disagreement(alone(readings, index), result.range) : null;
      const known = before.get(segment);
      if (known && known.told === told && same(known.apart, apart)) {
        before.delete(segment);
        if (known.index !== index && known.node.hasChildNodes()) editor?.moment(index, segment, known.node);
        return Object.assign(known, { index });
      }
      const item = { segment, index, told, apart, node: el("li", { class: "moment" }) };
      byNode.set(item.node, item);
      return item;
    });
    const isLong = items.length > LONG;
    list.classList.toggle("long", isLong);
    node.classList.toggle("scrolls", isLong);
    arrange(list, items.map((item) => item.node));
    for (const item of items) if (!item.node.hasChildNodes()) isLong ? filling.add(item.node) : fill(item.node);
    empty.textContent = items.length ? "" : "No moment was found in this file.";
  }

  function fill(at) {
    const { segment, told, apart, index } = byNode.get(at);
    fillMoment(at, told && !segment.corrected ? { ...segment, ...told } : segment, { ...common, apart });
    editor?.moment(index, segment, at);
    if (highlight && sought.hits.has(index)) for (const range of rangesOf(at, sought.query)) highlight.add(range);
  }

  function mark(index, follow) {
    const item = items[index]?.node ?? null;
    if (item !== marked) {
      marked?.removeAttribute("aria-current");
      item?.setAttribute("aria-current", "true");
      marked = item;
    }
    if (!item || !follow) return;
    filling.now(item);
    // A long list scrolls by itself, a short one with the page.
    if (node.classList.contains("scrolls")) bring(item);
    else item.scrollIntoView({ block: "nearest" });
  }

  // Those above it that come into sight may be of another height than was thought: it is looked after for some frames.
  function bring(item, frames = 12) {
    const [frame, box] = [node.getBoundingClientRect(), item.getBoundingClientRect()];
    const [top, bottom] = [Math.max(frame.top, 0), Math.min(frame.bottom, innerHeight)];
    // Of a list of which hardly anything is in sight, its own bounds count.
    const seen = bottom - top > LEAST_SEEN ? [top, bottom] : [frame.top, frame.bottom];
    if (box.top < seen[0] || box.bottom > seen[1]) node.scrollTop += box.top - seen[0] - (seen[1] - seen[0]) / 5;
    if (frames > 0 && item === marked) requestAnimationFrame(() => bring(item, frames - 1));
  }

  /** Show those that a filter keeps, and where they hold what is searched for. */
  function keep(filter) {
    let some = false;
    items.forEach(({ node: item }, i) => {
      const kept = filter.kept(i);
      if (item.hidden === kept) item.hidden = !kept;
      some ||= kept;
    });
    if (items.length) empty.textContent = some ? "" : "No moment is like that.";
    sought = { query: filter.query, hits: filter.query ? filter.hits() : new Set() };
    emphasize();
  }

  function emphasize() {
    if (!globalThis.CSS?.highlights) return;
    highlight = null;
    CSS.highlights.delete(HIT);
    if (!sought.hits.size) return;
    highlight = new Highlight(...[...sought.hits].flatMap((i) => rangesOf(items[i].node, sought.query)));
    CSS.highlights.set(HIT, highlight);
  }

  return { node, show, mark, keep };
}

const alone = (readings, index) => Object.fromEntries(Object.keys(SIGNALS).map((letter) => [letter, readings[letter]?.[index]]));
const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

/** Put nodes into a list in this order; those that are there stay where they are. */
function arrange(list, nodes) {
  const kept = new Set(nodes);
  for (const node of [...list.children]) if (!kept.has(node)) node.remove();
  let at = list.firstElementChild;
  for (const node of nodes) {
    if (node === at) at = at.nextElementSibling;
    else list.insertBefore(node, at);
  }
}

function rangesOf(item, query) {
  return [...item.querySelectorAll(".words, .speaker, .cues dd")].flatMap((part) =>
    [...part.childNodes]
      .filter((text) => text.nodeType === Node.TEXT_NODE)
      .flatMap((text) =>
        placesOf(text.data, query).map(([from, to]) => {
          const range = new Range();
          range.setStart(text, from);
          range.setEnd(text, to);
          return range;
        }),
      ),
  );
}

function fillMoment(item, segment, { result, names, tints, apart }) {
  item.classList.add(judged(segment) ? segment.evidence : "none");
  item.classList.toggle("corrected", Boolean(segment.corrected));
  const tint = judged(segment) ? tints[segment.label ?? "rating"] : {};
  for (const [property, value] of Object.entries(tint ?? {})) item.style.setProperty(property, value);
  item.append(
    ...(result.media.duration_s > 0 ? [whenOf(segment)] : []),
    el("div", { class: "said" }, spoken(segment), cues(names, segment)),
    el("div", { class: "read" }, scoreList(segment, result, tints), apart && divided(apart)),
  );
}

const whenOf = ({ start_s, end_s }) =>
  el(
    "a",
    { class: "when", href: `#t=${start_s}`, "aria-label": `Go to ${clockTime(start_s, true)}` },
    el("time", {}, clockTime(start_s, true)),
    el("time", { class: "until" }, clockTime(end_s, true)),
  );

function spoken(segment) {
  return [
    segment.speaker && el("p", { class: "speaker", dir: "auto" }, segment.speaker),
    segment.text && el("p", { class: "words", dir: "auto" }, segment.text),
    segment.text === "" && el("p", { class: "words silent" }, "no words"),
  ];
}

function cues(names, segment) {
  const people = Object.entries(segment.faces ?? {});
  const faces = people.length > 1 ? people.map(([person, words]) => [names.get(+person) ?? personName(person), words]) : [["face", segment.face]];
  const rows = [...faces, ["voice", segment.voice]].filter(([, words]) => words);
  return rows.length > 0 && el("dl", { class: "cues" }, rows.map(([name, words]) => cue(name, words)));
}

const cue = (name, words) => el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, words));

/** What words, face and voice alone were read as. */
function divided(apart) {
  const words = ([letter, one]) => [el("dt", {}, SIGNALS[letter]), el("dd", {}, one.rating === undefined ? shown(one).join(", ") : one.rating.toFixed(2))];
  return el("div", { class: "divided" }, el("p", {}, "read apart"), el("dl", {}, apart.map((one) => el("div", {}, words(one)))));
}

/** What a moment was read as, with its scores: nodes. */
export function scoreList(segment, result, tints) {
  if (!judged(segment)) return el("p", { class: "no-evidence" }, "no evidence");
  return [
    el("ul", { class: "scores" }, (result.range ? ratingBar : scoreBars)(segment, result, tints)),
    segment.corrected && el("p", { class: "weak-evidence" }, "set by a person"),
    !segment.corrected && segment.evidence === "weak" && el("p", { class: "weak-evidence" }, "on weak evidence"),
  ];
}

function scoreBars(segment, { labels }, tints) {
  const read = shown(segment);
  const score = (label) => segment.scores[label] ?? 0;
  const best = [...labels].sort((a, b) => score(b) - score(a));
  const bars = [...read, ...best.filter((label) => !read.includes(label))].slice(0, Math.max(BARS, read.length));
  return bars.map((label) => bar(label, score(label), score(label), read.includes(label), tints[label]));
}

const ratingBar = ({ rating }, { range }, tints) => bar("rating", rating, placed(rating, range), true, tints.rating);

function bar(label, value, share, read, tint) {
  return el(
    "li",
    { class: read ? "read" : null, style: tint ?? {} },
    el("span", { class: "label", dir: "auto" }, label),
    el("span", { class: "number" }, value.toFixed(2)),
    el("span", { class: "bar" }, el("i", { style: { width: percent(share) } })),
  );
}
