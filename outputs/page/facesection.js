// The section “Faces”: what one of the faces that were followed did over time.

import { createAffect } from "./affect.js";
import { button, el } from "./dom.js";
import { doing, DRAWN_FROM, faceLanes } from "./faces.js";
import { onSight } from "./ink.js";
import { createLanes } from "./lanes.js";
import { personName } from "./people.js";
import { section } from "./sections.js";
import { nearest, usualStep } from "./series.js";

const CAPTION = "Facial action units as estimated from the picture, each from 0 to 1; darker where they count as shown. Empty stretches: no face found.";

/**
 * @param editor see `createViewer`.
 * @returns {{node, show(result, tints)}}
 */
export function createFaces(view, editor) {
  const choices = el("span", { class: "choices-of-people" });
  const tools = el("span", {});
  const faint = el("p", { class: "note" });
  const lanes = createLanes(view, { name: "The face over time", describe });
  const affect = createAffect(view);
  const node = section("Faces", el("p", { class: "people" }, choices, tools), el("figure", {}, lanes.node, faint, el("figcaption", {}, CAPTION)), affect.node);
  let faces = null;
  let person = null;
  let tints = {};
  // What nobody looks at is not computed.
  let inSight = false;
  let drawn = null;

  function describe(time_s) {
    const row = person ? nearest(person.times_s, time_s, 2.5 * usualStep(person.times_s)) : -1;
    return row < 0 ? "no face" : doing(faces, person.action_units[row]);
  }

  function draw() {
    if (!inSight || node.hidden || drawn === person) return;
    drawn = person;
    tools.replaceChildren();
    editor?.person(person.person, tools);
    const { lanes: those, faint: weak } = faceLanes(faces, person, { tints, ink: view.ink });
    lanes.show(those);
    affect.show(faces, person);
    faint.textContent = weak.length ? `Below ${DRAWN_FROM} throughout: ${weak.map((code) => faces.names?.[code] ?? code).join(", ")}.` : "";
  }

  function press() {
    for (const choice of choices.children) choice.setAttribute("aria-pressed", choice.textContent === personName(person.person, person.speaker));
  }

  onSight(node, (visible) => {
    inSight = visible;
    draw();
  }, view.signal);

  return {
    node,
    show(result, palette) {
      const same = faces === result.tracks?.faces && JSON.stringify(tints) === JSON.stringify(palette);
      tints = palette;
      faces = result.tracks?.faces;
      const people = faces?.people ?? [];
      node.hidden = !people.length || !(result.media.duration_s > 0);
      if (node.hidden) return;
      // The one who was chosen stays; at first it is who was seen longest.
      person = people.find((one) => one.person === person?.person) ?? people.reduce((a, b) => (b.times_s.length > a.times_s.length ? b : a));
      const choose = (one) => () => {
        person = one;
        press();
        draw();
      };
      choices.replaceChildren(...(people.length > 1 ? people.map((one) => button(personName(one.person, one.speaker), choose(one), { dir: "auto" })) : []));
      press();
      if (!same) drawn = null;
      draw();
    },
  };
}
