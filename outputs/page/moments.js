// The transcript: each moment with what it was judged by.

import { clockTime, el, judged, percent, placed, shown } from "./dom.js";
import { disagreement, SIGNALS } from "./disagreement.js";
import { placesOf } from "./filter.js";
import { faceNames, personName } from "./people.js";

const BARS = 3;
// From here on moments off screen are not laid out, which keeps an hour quick, and the list scrolls by itself.
const LONG = 100;

/**
 * The moments as a list.
 *
 * @param select (index) when one is clicked.
 * @param editor see `createViewer`.
 * @returns {{node, show(result, how), mark(index, follow), keep(filter)}} `how` is `{tints, readings}`; only the
 *   items of moments that are others than before are made anew.
 */
export function createMoments({ select, editor }) {
  const list = el("ol", { class: "moments", onclick: choose });
  const empty = el("p", { class: "note" });
  const node = el("div", { class: "transcript" }, list, empty);
  const indices = new WeakMap();
  let items = [];
  let drawnFor = "";
  let marked = null;

  function choose(event) {
    const item = event.target.closest(".moment");
    // Marking words is no click, and what is edited goes nowhere.
    if (!item || !getSelection().isCollapsed || event.target.closest("button, input, select, textarea, summary, label, [contenteditable]")) return;
    event.preventDefault();
    select(indices.get(item));
  }

  function show(result, how) {
    const names = faceNames(result.tracks);
    // What every item hangs on.
    const common = JSON.stringify([result.labels, result.range, [...names], result.media.duration_s > 0]);
    const before = new Map(common === drawnFor ? items.map((item) => [item.segment, item]) : []);
    drawnFor = common;
    items = result.segments.map((segment, index) => {
      const told = how.readings?.shown?.[index] ?? null;
      const apart = how.readings && disagreement(alone(how.readings, index), result.range);
      const known = before.get(segment);
      if (known && known.told === told && same(known.apart, apart) && (known.index === index || !editor)) {
        before.delete(segment);
        indices.set(known.node, index);
        return Object.assign(known, { index });
      }
      const item = momentItem(told ? { ...segment, ...told } : segment, { result, names, tints: how.tints, apart });
      indices.set(item, index);
      editor?.moment(index, segment, item);
      return { segment, index, told, apart, node: item };
    });
    list.classList.toggle("long", items.length > LONG);
    node.classList.toggle("scrolls", items.length > LONG);
    arrange(list, items.map((item) => item.node));
    empty.textContent = items.length ? "" : "No moment was found in this file.";
  }

  function mark(index, follow) {
    const item = items[index]?.node ?? null;
    if (item !== marked) {
      marked?.removeAttribute("aria-current");
      item?.setAttribute("aria-current", "true");
      marked = item;
    }
    if (item && follow) scrollTo(item);
  }

  // A long list scrolls by itself, a short one with the page.
  function scrollTo(item) {
    if (!node.classList.contains("scrolls")) return item.scrollIntoView({ block: "nearest" });
    const [frame, box] = [node.getBoundingClientRect(), item.getBoundingClientRect()];
    if (box.top < frame.top || box.bottom > frame.bottom) node.scrollTop += (box.top + box.bottom - frame.top - frame.bottom) / 2;
  }

  /** Show those that a filter keeps, and where they hold what is searched for. */
  function keep(filter) {
    const ranges = [];
    const hits = filter.query ? filter.hits() : new Set();
    let some = false;
    items.forEach((item, i) => {
      item.node.hidden = !filter.kept(i);
      some ||= filter.kept(i);
      if (hits.has(i)) ranges.push(...rangesOf(item.node, filter.query));
    });
    if (items.length) empty.textContent = some ? "" : "No moment is like that.";
    if (globalThis.CSS?.highlights) ranges.length ? CSS.highlights.set("emoscribe-hit", new Highlight(...ranges)) : CSS.highlights.delete("emoscribe-hit");
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

function momentItem(segment, { result, names, tints, apart }) {
  return el(
    "li",
    { class: `moment ${judged(segment) ? segment.evidence : "none"}${segment.corrected ? " corrected" : ""}`, style: !judged(segment) ? {} : tints[segment.label ?? "rating"] },
    result.media.duration_s > 0 && el(
      "a",
      { class: "when", href: `#t=${segment.start_s}`, "aria-label": `Go to ${clockTime(segment.start_s, true)}` },
      el("time", {}, clockTime(segment.start_s, true)),
      el("time", { class: "until" }, clockTime(segment.end_s, true)),
    ),
    el("div", { class: "said" }, spoken(segment), cues(names, segment)),
    el("div", { class: "read" }, scoreList(segment, result, tints), apart && divided(apart)),
  );
}

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
