// Frames around the faces over the picture, with who it is and what the face does.

import { el, percent } from "./dom.js";
import { activeUnits } from "./faces.js";
import { peopleOf, personName } from "./people.js";
import { personColour } from "./palette.js";
import { nearest, usualStep } from "./series.js";

/** @returns {{node, show(result)}} */
export function createBoxes(clock) {
  const node = el("div", { class: "boxes", "aria-hidden": "true" });
  let drawn = [];

  function draw(time_s) {
    for (const one of drawn) {
      const row = nearest(one.person.times_s, time_s, one.gap_s);
      if (row === one.row) continue;
      one.row = row;
      one.box.hidden = row < 0;
      if (row >= 0) put(one, row);
    }
  }

  function put({ person, faces, media, box, doing }, row) {
    const [left, top, right, bottom] = person.boxes[row];
    box.style.left = percent(left / media.width);
    box.style.top = percent(top / media.height);
    box.style.width = percent((right - left) / media.width);
    box.style.height = percent((bottom - top) / media.height);
    // Words stand on the side that has more room for them.
    box.classList.toggle("right", left > media.width - right);
    const active = activeUnits(faces, person.action_units[row]).map((code) => faces.names?.[code] ?? code);
    if (doing.dataset.now !== active.join()) {
      doing.dataset.now = active.join();
      doing.replaceChildren(...active.map((words) => el("span", {}, words)));
    }
  }

  clock.listen(draw);
  return {
    node,
    show(result) {
      const faces = result.tracks?.faces;
      const order = peopleOf(result).map(({ name }) => name);
      drawn = (faces?.people ?? []).map((person) => {
        const name = personName(person.person, person.speaker);
        const doing = el("span", { class: "doing" });
        // One alone needs no name to be told from others.
        const who = el("span", { class: "who", dir: "auto" }, order.length > 1 || person.speaker ? name : "");
        const box = el("div", { class: "box", hidden: true, style: { "--person": personColour(order.indexOf(name)) } }, who, doing);
        return { person, faces, media: result.media, gap_s: 1.5 * usualStep(person.times_s), box, doing, row: -1 };
      });
      node.replaceChildren(...drawn.map(({ box }) => box));
      draw(clock.now);
    },
  };
}
