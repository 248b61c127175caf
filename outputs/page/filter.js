// Which moments are shown, and which hold what is searched for.

import { button, el, judged, shown } from "./dom.js";
import { faceNames, whose } from "./people.js";

/** Letters as they are compared: without case and accents, with where each stood in the text. */
export function folded(text) {
  let letters = "";
  const places = [];
  for (let at = 0; at < text.length; ) {
    const character = String.fromCodePoint(text.codePointAt(at));
    const plain = character.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    for (let i = 0; i < plain.length; i++) places.push(at);
    letters += plain;
    at += character.length;
  }
  places.push(text.length);
  return { letters, places };
}

/** Where a text holds what is searched for: [[from, to]]. */
export function placesOf(text, query) {
  const wanted = folded(query.trim()).letters;
  if (!wanted || !text) return [];
  const { letters, places } = folded(text);
  const found = [];
  for (let at = letters.indexOf(wanted); at >= 0; at = letters.indexOf(wanted, at + wanted.length)) {
    found.push([places[at], places[at + wanted.length]]);
  }
  return found;
}

/** All that a moment says, in words. */
const wordsOf = ({ speaker, text, face, voice, faces }) => [speaker, text, face, voice, ...Object.values(faces ?? {})].filter(Boolean).join("\n");

const searched = new WeakMap();
const lettersOf = (segment) => searched.get(segment) ?? searched.set(segment, folded(wordsOf(segment)).letters).get(segment);

/**
 * @param wanted {query, label, person}: text, and names or "" for all.
 * @param names see `faceNames`.
 * @returns {{kept: [boolean], hits: [index]}} `hits` are those of the moments kept that hold the text.
 */
export function sift(segments, { query, label, person }, names) {
  const letters = folded(query.trim()).letters;
  const kept = segments.map((segment) => (!label || labelsOf(segment).includes(label)) && (!person || whose(segment, names) === person));
  const hits = [];
  segments.forEach((segment, i) => kept[i] && (!letters || lettersOf(segment).includes(letters)) && hits.push(i));
  return { kept, hits };
}

const labelsOf = (segment) => (judged(segment) ? shown(segment) : ["no evidence"]);

/** How many there are of each, the most frequent first: [[name, count]]. */
export function counted(names) {
  const counts = new Map();
  for (const name of names) if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]);
}

/**
 * @param changed is called when others are wanted, `go(index)` when a hit is; `current()` is where one is.
 * @returns {{node, search, show(result), kept(index), hits(), active, query, next(step)}}
 */
export function createFilter({ changed, go, current }) {
  const search = el("input", { type: "search", placeholder: "Search", "aria-label": "Search in the moments", oninput: update, onkeydown: enter });
  const label = el("select", { "aria-label": "Label", onchange: update });
  const person = el("select", { "aria-label": "Person", onchange: update });
  const count = el("output", { class: "count", role: "status" });
  const back = button("Previous hit", () => next(-1), { path: "M6 15l6-6 6 6-1.4 1.4-4.6-4.6-4.6 4.6z" });
  const on = button("Next hit", () => next(1), { path: "M6 9l6 6 6-6-1.4-1.4-4.6 4.6-4.6-4.6z" });
  const node = el("div", { class: "filter", role: "search" }, search, label, person, count, back, on);
  let segments = [];
  let names = new Map();
  let range = null;
  let found = { kept: [], hits: [] };
  let active = false;

  const wanted = () => ({ query: search.value, label: label.value, person: person.value });

  function update() {
    sieve();
    changed();
  }

  function sieve() {
    found = sift(segments, wanted(), names);
    active = Object.values(wanted()).some((value) => value.trim());
    count.textContent = active ? `${found.hits.length} of ${segments.length}` : "";
    back.hidden = on.hidden = !active;
    back.disabled = on.disabled = !found.hits.length;
  }

  function next(step) {
    const { hits } = found;
    if (!hits.length) return;
    const here = current();
    const after = hits.findIndex((i) => (step > 0 ? i > here : i >= here));
    const at = step > 0 ? after : (after < 0 ? hits.length : after) - 1;
    go(hits.at(at < 0 ? (step > 0 ? 0 : -1) : at));
  }

  function enter(event) {
    if (event.key === "Enter") next(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape" && search.value) {
      search.value = "";
      update();
    } else return;
    event.preventDefault();
  }

  function offer(select, all, counts) {
    const chosen = select.value;
    select.replaceChildren(el("option", { value: "" }, all), ...counts.map(([name, many]) => el("option", { value: name }, `${name} (${many})`)));
    select.value = counts.some(([name]) => name === chosen) ? chosen : "";
    select.hidden = counts.length < 2;
  }

  return {
    node,
    search,
    next,
    show(result) {
      segments = result.segments;
      names = faceNames(result.tracks);
      range = result.range;
      offer(label, "all labels", range ? [] : counted(segments.flatMap(labelsOf)));
      offer(person, "everybody", counted(segments.map((segment) => whose(segment, names))));
      node.hidden = segments.length < 2;
      sieve();
    },
    kept: (index) => found.kept[index] ?? true,
    /** Moments that hold what is searched for: Set of indices. */
    hits: () => new Set(found.hits),
    get active() {
      return active;
    },
    get query() {
      return search.value.trim();
    },
  };
}
