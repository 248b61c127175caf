// Text alone, read as it is typed or pasted: a line is a moment.

import { el, reading } from "../../outputs/page/dom.js";
import { palette } from "../../outputs/page/palette.js";
import { scoreList } from "../../outputs/page/moments.js";
import { post } from "./api.js";

// Long enough that nobody is answered in the middle of a word.
const PAUSE_MS = 350;
const MOST_LINES = 400;

/** @returns {{read(lines)}} puts text into the field and reads it. */
export function createText(root, fail) {
  const area = el("textarea", {
    rows: 10,
    "aria-label": "Text to read, a line an utterance",
    placeholder: "Type or paste what was said, a line an utterance.\nAnn: a name before a colon says who.",
  });
  const answers = el("ol", { class: "lines", "aria-live": "polite" });
  const note = el("p", { class: "note" });
  root.replaceChildren(el("h1", {}, "Text"), el("div", { class: "typed" }, area, el("div", {}, answers, note)));

  let timer = 0;
  let asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const text = area.value.split("\n").map((line) => line.trim()).filter(Boolean);
    note.textContent = text.length > MOST_LINES ? `The first ${MOST_LINES} lines are read.` : "";
    if (!text.length) return answers.replaceChildren();
    try {
      const read = await post("/api/read", { text: text.slice(0, MOST_LINES) });
      // Somebody has typed on: the answer to that is under way.
      if (mine === asked) answers.replaceChildren(...drawn(read));
    } catch (error) {
      if (mine === asked) fail(error);
    }
  };
  area.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  });

  return {
    read(lines) {
      area.value = lines.join("\n");
      ask();
      area.focus();
    },
  };
}

function drawn(read) {
  const tints = palette(read.labels.length ? read.labels : ["rating"]);
  return read.segments.map((segment) =>
    el(
      "li",
      { class: `moment ${segment.evidence}`, style: tints[segment.label ?? "rating"], "aria-label": reading(segment) },
      el("div", { class: "said" }, segment.speaker && el("p", { class: "speaker", dir: "auto" }, segment.speaker), el("p", { class: "words", dir: "auto" }, segment.text)),
      el("div", { class: "read" }, scoreList(segment, read, tints)),
    ),
  );
}
