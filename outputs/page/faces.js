// What the faces did: their action units over time, and where they are in the picture.

import { area, chart } from "./chart.js";
import { el, percent } from "./dom.js";

// Units that never get this strong are named, not drawn.
const DRAWN_FROM = 0.2;

export const personName = (person) => `person ${person}`;

/** Curves of one person's units, with a button for each other person. */
export function unitCurves(clock, faces) {
  const place = el("div", {});
  const buttons = faces.people.map((person) =>
    el("button", { type: "button", onclick: () => show(person) }, personName(person.person)),
  );

  function show(person) {
    place.replaceChildren(...curvesOf(clock, faces, person));
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", faces.people[i] === person));
  }

  const longest = faces.people.reduce((a, b) => (b.times_s.length > a.times_s.length ? b : a));
  show(longest);
  return [faces.people.length > 1 && el("p", { class: "people" }, buttons), place];
}

function curvesOf(clock, faces, person) {
  const named = (code) => faces.names[code] ?? code;
  const gap_s = 2.5 * usualStep(person.times_s);
  const curves = faces.units.map((code, unit) => {
    const values = person.action_units.map((row) => row[unit]);
    return { code, values, greatest: Math.max(0, ...values) };
  });
  const drawn = curves.filter((curve) => curve.greatest >= DRAWN_FROM);
  const faint = curves.filter((curve) => curve.greatest < DRAWN_FROM).map((curve) => curve.code);
  return [
    drawn.length > 0 &&
      chart(clock, {
        lanes: drawn.map(({ code, values }) => ({
          label: code,
          detail: faces.names[code],
          tint: {},
          marks: [{ kind: "unit", d: area(person.times_s, values, gap_s) }],
        })),
        describe: (time_s) => strongest(drawn, nearest(person.times_s, time_s, gap_s), named),
      }),
    faint.length > 0 && el("p", { class: "note" }, `Below ${DRAWN_FROM} throughout: ${faint.join(", ")}.`),
  ].filter(Boolean);
}

/** Frames around the faces, laid over the picture. */
export function faceBoxes(clock, faces, media) {
  const frames = faces.people.map((person) => ({
    person,
    gap_s: 1.5 * usualStep(person.times_s),
    node: el("div", { class: "box", hidden: true }, faces.people.length > 1 && personName(person.person)),
  }));
  const draw = (time_s) => {
    for (const { person, gap_s, node } of frames) {
      const row = nearest(person.times_s, time_s, gap_s);
      node.hidden = row < 0;
      if (row < 0) continue;
      const [left, top, right, bottom] = person.boxes[row];
      node.style.left = percent(left / media.width);
      node.style.top = percent(top / media.height);
      node.style.width = percent((right - left) / media.width);
      node.style.height = percent((bottom - top) / media.height);
    }
  };
  clock.listen(draw);
  draw(clock.now);
  return el("div", { class: "boxes", "aria-hidden": "true" }, frames.map(({ node }) => node));
}

function strongest(curves, row, named) {
  if (row < 0) return "no face";
  const most = curves.filter(({ values }) => values[row] >= 0.5).sort((a, b) => b.values[row] - a.values[row]);
  return most.length ? most.slice(0, 3).map(({ code }) => named(code)).join(", ") : "nothing marked";
}

/** Row of the sample nearest in time, or −1 if none is near. */
function nearest(times_s, time_s, gap_s) {
  let low = 0;
  let high = times_s.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    times_s[middle] < time_s ? (low = middle + 1) : (high = middle);
  }
  const row = low > 0 && (low === times_s.length || time_s - times_s[low - 1] < times_s[low] - time_s) ? low - 1 : low;
  return Math.abs(times_s[row] - time_s) <= gap_s ? row : -1;
}

/** The median distance of samples. */
function usualStep(times_s) {
  const steps = times_s.slice(1).map((time_s, i) => time_s - times_s[i]).sort((a, b) => a - b);
  return steps[steps.length >> 1] ?? 1;
}
