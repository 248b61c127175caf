// Corrections by mouse, keyboard and screen reader: what is put beside moments, speakers and faces, and the tools above.

import { button, el } from "../../outputs/page/dom.js";
import { assignFace, confirm, confirmAll, merge, namePerson, Refused, renameSpeaker, speakersOf, split, withReadings } from "./edits.js";
import { createPanel } from "./panel.js";

// As many turns before a moment as any prompt tells of.
const MOST_BEFORE = 64;

/**
 * @param history see `createHistory`.
 * @param read (result) → promise of what its moments are read as now, one reading each; null where nothing reads.
 * @returns what `createViewer` takes as `editor`, and besides {node, attach(viewer), close()}: `node` holds the tools.
 */
export function createEditor(history, { read = null } = {}) {
  const items = new Map();
  const ended = new AbortController();
  const rename = (from, to) => apply((result) => renameSpeaker(result, from, to));
  const name = (person, to) => apply((result) => (to.trim() ? namePerson(result, person, to) : assignFace(result, person, null)));
  const tools = createTools(history, { undo: () => step("undo"), redo: () => step("redo"), confirmAll: () => apply(confirmAll), rename, name });
  const divide = (result, index) => split(result, index, viewer.clock.now);
  const panel = createPanel({ apply, divide, closed });
  let viewer = null;

  /** Apply a correction; false, with the reason shown, where it is refused. */
  function apply(change) {
    tools.tell("");
    const before = history.result;
    try {
      history.edit(change);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      tools.tell(error.message);
      return false;
    }
    follow(before.segments, history.result.segments);
    readAnew(before, history.result);
    return true;
  }

  /** A moment whose bounds are others stays the chosen one, wherever it has come to stand. */
  function follow(before, after) {
    const known = new Set(before);
    const changed = after.filter((segment) => !known.has(segment));
    if (before.length !== after.length || changed.length !== 1) return;
    const index = after.indexOf(changed[0]);
    if (before[index]?.start_s !== changed[0].start_s) viewer.select(index);
  }

  // The scores of what was said otherwise are those of other words: they are read again.
  async function readAnew(before, after) {
    if (!read || before === after) return;
    const known = new Set(before.segments.map(wordsOf));
    const changed = after.segments.flatMap((segment, i) => (known.has(wordsOf(segment)) ? [] : [i]));
    if (!changed.length) return;
    // With those before them, which a prompt may tell of.
    const near = after.segments.map((_, i) => i).filter((i) => changed.some((at) => at >= i && at - i <= MOST_BEFORE));
    const readings = await read({ ...after, segments: near.map((i) => after.segments[i]) }).catch(() => null);
    const anew = near.map((i, k) => [i, readings?.[k]]).filter(([i, reading]) => reading && changed.includes(i));
    if (anew.length) history.amend(after, (result) => withReadings(result, anew));
  }

  function step(which) {
    tools.tell("");
    history[which]();
  }

  const chosen = (change) => () => apply((result) => change(result, viewer.selected()));

  /** The panel is in the item of the chosen moment; where somebody writes in it, it stays. */
  function place() {
    const index = viewer.selected();
    const item = items.get(index);
    if (panel.isEditing() && panel.node.isConnected) return;
    if (!item || !history.result.segments[index]) return panel.node.remove();
    if (panel.node.parentElement !== item) {
      // Who moves to an item that is drawn anew loses the focus, until that is in the page.
      const focused = panel.node.contains(document.activeElement) ? document.activeElement : null;
      item.append(panel.node);
      if (focused) queueMicrotask(() => focused.focus({ preventScroll: true }));
    }
    panel.show(history.result, index);
  }

  function closed() {
    place();
    panel.node.querySelector("[aria-keyshortcuts=Enter]").focus({ preventScroll: true });
  }

  function attach(to) {
    viewer = to;
    viewer.listen(place);
    history.listen((result) => {
      tools.show(result);
      for (const index of items.keys()) if (index >= result.segments.length) items.delete(index);
      place();
    });
    const keys = [
      ...Array.from({ length: 9 }, (_, i) => [`${i + 1}`, "set the label", () => panel.choose(viewer.selected(), i)]),
      ["c", "the moment is read rightly", chosen(confirm)],
      ["C", "all moments are", () => apply(confirmAll)],
      ["Enter", "correct words, times and speaker", () => panel.edit()],
      ["s", "divide the moment at the playhead", chosen(divide)],
      ["m", "join it with the next", chosen(merge)],
      ["Ctrl+Z", "undo, redo with Shift", () => {}],
    ];
    for (const [key, about, run] of keys) viewer.keys.set(key, { about, run });
    tools.show(history.result);
  }

  function undoKeys(event) {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "z") return;
    const on = event.target instanceof Element ? event.target : document.body;
    if (on.closest("input:not([type=checkbox], [type=radio]), textarea, select") || !tools.node.isConnected || !tools.node.checkVisibility()) return;
    event.preventDefault();
    step(event.shiftKey ? "redo" : "undo");
  }
  document.addEventListener("keydown", undoKeys, { signal: ended.signal });

  return {
    node: tools.node,
    attach,
    moment(index, segment, node) {
      items.set(index, node);
      if (viewer && index === viewer.selected()) place();
    },
    speaker: (speaker, node) => node.append(tools.forSpeaker(speaker)),
    person(number, node) {
      const followed = (history.result.tracks?.faces?.people ?? []).find(({ person }) => person === number);
      if (followed) node.append(tools.forFace(followed, `face ${number} is …`));
    },
    close: () => ended.abort(),
  };
}

/** All that a moment is read by. */
const wordsOf = ({ start_s, speaker, text, face, voice }) => JSON.stringify([start_s, speaker, text, face, voice]);

/** What stands above a result: undo, redo, confirm all, who is who, and how many moments a person set. */
function createTools(history, { undo, redo, confirmAll, rename, name }) {
  const back = button("Undo", undo, { "aria-keyshortcuts": "Control+Z" });
  const again = button("Redo", redo, { "aria-keyshortcuts": "Control+Shift+Z" });
  const all = button("Confirm all", confirmAll, { "aria-keyshortcuts": "Shift+C" });
  const count = el("span", { class: "how-many", role: "status" });
  const people = el("ul", { class: "people-named" });
  const who = el("details", { class: "who-is-who" }, el("summary", {}, "Who is who"), people);
  const refused = el("p", { class: "refused", role: "alert", hidden: true });
  const node = el("div", { class: "corrections", role: "group", "aria-label": "Corrections" }, back, again, all, who, count, refused);
  let named = "";

  function show(result) {
    back.disabled = !history.canUndo;
    again.disabled = !history.canRedo;
    const { segments } = result;
    const set = segments.filter(({ corrected }) => corrected).length;
    all.disabled = !segments.some(({ corrected, evidence }) => !corrected && evidence !== "none");
    count.textContent = set ? `${set} of ${segments.length} set by a person` : "";
    showPeople(result);
  }

  function showPeople(result) {
    const speakers = speakersOf(result);
    const faces = result.tracks?.faces?.people ?? [];
    who.hidden = !speakers.length && !faces.length;
    const now = JSON.stringify([speakers, faces.map(({ person, speaker }) => [person, speaker])]);
    if (now === named) return;
    named = now;
    people.replaceChildren(
      ...speakers.map((speaker) => el("li", {}, el("span", { dir: "auto" }, speaker), forSpeaker(speaker))),
      ...faces.map((face) => el("li", {}, el("span", { dir: "auto" }, `face ${face.person}${face.speaker ? ` is ${face.speaker}` : ""}`), forFace(face, "who is it?"))),
    );
  }

  // A field whose name is gone with what it did leaves the focus with all names.
  const home = who.firstElementChild;
  const names = () => speakersOf(history.result);
  const forSpeaker = (speaker) => naming({ label: `Rename ${speaker} everywhere`, word: "rename", value: speaker, names, home, save: (to) => rename(speaker, to) });
  const forFace = ({ person, speaker = "" }, word) => naming({ label: `Who face ${person} is`, word, value: speaker, names, home, save: (to) => name(person, to) });

  function tell(line) {
    refused.textContent = line;
    refused.hidden = !line;
  }

  return { node, show, tell, forSpeaker, forFace };
}

let lists = 0;

/** A button that becomes a field for a name, and a button again: Enter saves, Esc does not. */
function naming({ label, word, value, names, home, save }) {
  const place = el("span", { class: "naming" });
  const open = button(word, write, { class: "plain", "aria-label": label });

  function write() {
    const id = `names-${++lists}`;
    const field = el("input", { "aria-label": label, value, list: id, maxlength: 80, autocomplete: "off", spellcheck: "false" });
    const done = () => (field.value === value || save(field.value)) && close();
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && !event.isComposing) done();
      else return;
      event.preventDefault();
    });
    place.replaceChildren(field, el("datalist", { id }, names().map((name) => el("option", { value: name }))), button("save", done), button("leave", close));
    field.focus();
    field.select();
  }

  function close() {
    place.replaceChildren(open);
    (open.isConnected ? open : home).focus({ preventScroll: true });
  }

  place.append(open);
  return place;
}
