// What a person corrects of the chosen moment: its label at a click, its words, times and speaker in a form.

import { button, clockTime, el, laneNames, shown } from "../../outputs/page/dom.js";
import { palette } from "../../outputs/page/palette.js";
import { confirm, deleteMoment, isRead, merge, release, setLabel, setRating, toggleLabel } from "./edits.js";
import { setBounds, setSpeaker, setText, speakersOf, takesSets } from "./edits.js";

/**
 * @param apply (change(result)) corrects, and tells whether it could.
 * @param divide (result, index) at the playhead.
 * @param closed is told when the form has closed.
 * @returns {{node, show(result, index), choose(index, place), edit(), isEditing()}} `choose` sets the label at a place
 *   in the label set.
 */
export function createPanel({ apply, divide, closed }) {
  const choices = el("div", { class: "choices", role: "group", "aria-label": "Label" });
  const of = (change) => () => apply((now) => change(now, index));
  const right = button("Confirm", of(confirm), { "aria-keyshortcuts": "c", title: "It is read rightly (c)" });
  const back = button("As the model reads it", of(release), { title: "Take back what was set" });
  const timed = [
    button("Divide here", of(divide), { "aria-keyshortcuts": "s", title: "At the playhead (s)" }),
    button("Join with next", of(merge), { "aria-keyshortcuts": "m", title: "(m)" }),
  ];
  const correct = button("Correct …", edit, { "aria-keyshortcuts": "Enter", title: "Words, times, speaker (Enter)" });
  const remove = button("Remove", of(deleteMoment), { title: "The moment, not what is recorded" });
  const actions = el("div", { class: "actions" }, right, correct, timed, back, remove);
  const place = el("div", {});
  const node = el("div", { class: "panel", role: "group", "aria-label": "Correct this moment" }, choices, actions, place);
  let [result, index] = [null, -1];
  let form = null;
  let drawnFor = "";

  function show(next, at) {
    [result, index] = [next, at];
    const segment = result.segments[index];
    right.hidden = segment.corrected === true || segment.evidence === "none";
    back.hidden = segment.corrected !== true || result.range !== undefined;
    for (const each of timed) each.hidden = !(result.media.duration_s > 0);
    result.range ? showRating(segment) : showLabels(segment);
  }

  function showLabels(segment) {
    const now = JSON.stringify(result.labels);
    if (now !== drawnFor) {
      drawnFor = now;
      const tints = palette(laneNames(result));
      choices.replaceChildren(
        ...result.labels.map((label, i) =>
          el(
            "button",
            { type: "button", class: "choice", style: tints[label], onclick: () => choose(index, i), ...(i < 9 && { "aria-keyshortcuts": `${i + 1}` }) },
            i < 9 && el("kbd", { "aria-hidden": "true" }, `${i + 1}`),
            el("span", { dir: "auto" }, label),
          ),
        ),
      );
    }
    const read = isRead(segment) ? shown(segment) : [];
    [...choices.children].forEach((choice, i) => choice.setAttribute("aria-pressed", read.includes(result.labels[i])));
  }

  function showRating({ rating }) {
    const [low, high] = result.range;
    const field = el("input", { type: "number", min: low, max: high, step: "any", value: Number(rating.toFixed(2)), "aria-label": `Rating, from ${low} to ${high}` });
    const save = of((now, at) => setRating(now, at, field.value === "" ? NaN : Number(field.value)));
    field.addEventListener("keydown", (event) => event.key === "Enter" && save());
    choices.replaceChildren(field, button("Set the rating", save));
  }

  /** The label at a place of the label set. */
  const choose = (at, i) =>
    apply((now) => (i < now.labels.length ? (takesSets(now) ? toggleLabel : setLabel)(now, at, now.labels[i]) : now));

  function edit() {
    if (form || !node.isConnected) return;
    const segment = result.segments[index];
    const words = el("textarea", { rows: 2, dir: "auto", spellcheck: "true" });
    words.value = segment.text ?? "";
    const [from, to] = [segment.start_s, segment.end_s].map((time_s) => el("input", { value: exactTime(time_s), inputmode: "decimal", size: 9, autocomplete: "off" }));
    const who = el("input", { value: segment.speaker ?? "", list: "moment-speakers", maxlength: 80, autocomplete: "off", spellcheck: "false" });
    const names = el("datalist", { id: "moment-speakers" }, speakersOf(result).map((name) => el("option", { value: name })));
    const field = (label, input) => el("label", {}, el("span", {}, label), input);
    form = el(
      "form",
      { class: "correcting", "aria-label": "Words, times and speaker" },
      field("Words", words),
      result.media.duration_s > 0 && [field("Begins", from), field("Ends", to)],
      field("Speaker", who),
      names,
      el("p", { class: "actions" }, el("button", { type: "submit" }, "Save"), button("Leave it", close)),
    );
    const kept = from.value + to.value;
    const save = () => {
      const changed = (now) => {
        // While one writes, time goes on, and another moment may be the chosen one.
        const at = now.segments.indexOf(segment);
        const said = setSpeaker(setText(now, at, words.value), at, who.value);
        return from.value + to.value === kept ? said : setBounds(said, at, parseTime(from.value), parseTime(to.value));
      };
      if (apply(changed)) close();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      save();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      else if (event.key === "Enter" && event.target === words && !event.shiftKey && !event.isComposing) save();
      else return;
      event.preventDefault();
    });
    place.replaceChildren(form);
    words.focus();
  }

  function close() {
    if (!form) return;
    form = null;
    place.replaceChildren();
    closed();
  }

  return { node, show, choose, edit, isEditing: () => form !== null };
}

/** A time as people write it: `6.2`, `0:06.2`, `1:02:03`; NaN of what is none. */
export function parseTime(text) {
  const parts = text.trim().replace(",", ".").split(":");
  if (parts.length > 3 || !parts.every((part) => /^\d+(\.\d*)?$/.test(part))) return NaN;
  return parts.reduce((seconds, part) => 60 * seconds + Number(part), 0);
}

/** A time to the millisecond, written as shortly as that allows. */
export function exactTime(time_s) {
  const thousandths = Math.round(time_s * 1000);
  const part = String(thousandths % 1000).padStart(3, "0").replace(/0+$/, "");
  return clockTime(Math.floor(thousandths / 1000)) + (part && `.${part}`);
}
