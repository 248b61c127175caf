// What words, face and voice each contribute: switches that have moments read without them, and where the three disagree.

import { disagreement, SIGNALS } from "../../outputs/page/disagreement.js";
import { button, el } from "../../outputs/page/dom.js";

// Of more moments than that, each signal alone is read when somebody asks: an hour's takes a while.
const READ_AT_ONCE = 150;
const PAUSE_MS = 250;
const FIELDS = { T: "text", V: "face", A: "voice" };

/** The letters of the signals that a result was read from. */
export const signalsOf = ({ segments }) =>
  Object.keys(FIELDS).filter((letter) => segments.some((segment) => segment[FIELDS[letter]] !== null));

/**
 * @param place is filled with the switches; it stays empty where there is but one signal.
 * @param read (signals) → promise of `{readings: {letters: [reading, one a moment]}}`.
 * @returns {{refresh(result)}} to be called with each result that is shown.
 */
export function contribution(place, { read, viewer, fail }) {
  const told = el("span", { class: "apart", role: "status" });
  const switches = el("fieldset", { class: "signals" });
  let result = null;
  let there = "";
  let off = new Set();
  let compares = null;
  let timer = 0;
  let asked = 0;
  let readFor = "";
  let count = 0;

  function build(letters) {
    off = new Set();
    const boxes = letters.map((letter) => {
      const box = el("input", { type: "checkbox", checked: true, value: letter });
      box.addEventListener("change", () => {
        box.checked ? off.delete(letter) : off.add(letter);
        // Something has to be read.
        for (const other of boxes) other.disabled = other.checked && off.size === letters.length - 1;
        ask(0);
      });
      return box;
    });
    compares ??= result.segments.length <= READ_AT_ONCE;
    const compare = button(`Compare ${letters.map((letter) => SIGNALS[letter]).join(", ")}`, () => {
      compares = true;
      compare.hidden = true;
      ask(0);
    });
    compare.hidden = compares;
    switches.replaceChildren(el("legend", {}, "Read from"), ...letters.map((letter, i) => el("label", {}, boxes[i], ` ${SIGNALS[letter]}`)));
    place.replaceChildren(...(letters.length > 1 ? [switches, compare, told] : []));
  }

  function ask(pause_ms) {
    clearTimeout(timer);
    timer = setTimeout(readNow, pause_ms);
  }

  async function readNow() {
    const shown = [...there].filter((letter) => !off.has(letter)).join("");
    const alone = compares ? [...there] : [];
    const signals = [...new Set([...alone, ...(off.size ? [shown] : [])])];
    if (!signals.length) return viewer.readings(null);
    const mine = ++asked;
    const of = words(result);
    place.setAttribute("aria-busy", "true");
    told.textContent = "reading …";
    try {
      const { readings } = await read(signals);
      if (mine !== asked || of !== words(result)) return;
      readFor = of;
      const single = Object.fromEntries(alone.map((letter) => [letter, readings[letter]]));
      viewer.readings({ ...single, ...(off.size && { shown: readings[shown] }) });
      tell(single);
    } catch (error) {
      told.textContent = "";
      fail(error);
    } finally {
      if (mine === asked) place.removeAttribute("aria-busy");
    }
  }

  function tell(single) {
    const at = (index) => Object.fromEntries(Object.entries(single).map(([letter, readings]) => [letter, readings[index]]));
    const apart = result.segments.filter((_, i) => disagreement(at(i), result.range)).length;
    told.textContent = compares ? `read apart in ${apart} of ${result.segments.length} moments` : "";
  }

  return {
    refresh(next) {
      result = next;
      const letters = signalsOf(result);
      if (letters.join("") !== there) {
        there = letters.join("");
        build(letters);
      }
      // A label that a person sets changes nothing of what is read.
      if (letters.length < 2 || words(result) === readFor) return;
      // What was read of other moments stands beside none of these.
      if (readFor && result.segments.length !== count) viewer.readings(null);
      count = result.segments.length;
      ask(PAUSE_MS);
    },
  };
}

const words = ({ segments }) => JSON.stringify(segments.map(({ start_s, end_s, speaker, text, face, voice }) => [start_s, end_s, speaker, text, face, voice]));
