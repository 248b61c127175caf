// Lanes over a common axis of time: the scores of labels, the units of a face.

import { clockTime, el, percent } from "./dom.js";

const STEPS_S = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const MOST_TICKS = 7;

/**
 * @param lanes [{label, detail, tint, marks: [{kind, d}]}], `d` an SVG path whose
 *   x is seconds and whose y runs from 1 (nothing) up to 0 (all).
 * @param shaded [[start_s, end_s]], stretches with nothing to judge by.
 * @param describe says in words what is at a time.
 * @param name makes the chart a slider for the keyboard, too.
 */
export function chart(clock, { lanes, shaded = [], describe, name = null }) {
  const at = (time_s) => percent(time_s / clock.duration_s);
  const cursor = el("div", { class: "cursor" });
  const tip = el("output", { class: "tip" });
  const ghost = el("div", { class: "ghost", hidden: true }, tip);
  const plot = el(
    "div",
    {
      class: "plot",
      style: { "grid-row": `1 / span ${lanes.length}` },
      ...(name && { role: "slider", tabindex: 0, "aria-label": name, "aria-valuemin": 0 }),
      ...(name && { "aria-valuemax": clock.duration_s.toFixed(1) }),
      onkeydown: (event) => steer(clock, event),
    },
    shaded.map(([start_s, end_s]) =>
      el("div", { class: "shade", style: { left: at(start_s), width: at(end_s - start_s) } }),
    ),
    ticks(clock.duration_s).map((time_s) => {
      const side = time_s === 0 ? "first" : time_s > 0.97 * clock.duration_s ? "last" : "";
      const label = el("span", {}, clockTime(time_s, clock.duration_s < 4));
      return el("div", { class: `tick ${side}`, style: { left: at(time_s) } }, label);
    }),
    cursor,
    ghost,
  );

  const pointed = (event) => {
    const box = plot.getBoundingClientRect();
    return clock.duration_s * Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  };
  plot.addEventListener("pointermove", (event) => {
    const time_s = pointed(event);
    ghost.style.left = at(time_s);
    ghost.classList.toggle("late", time_s > clock.duration_s / 2);
    tip.textContent = `${clockTime(time_s, true)}  ${describe(time_s)}`;
    ghost.hidden = false;
    if (event.buttons === 1) clock.seek(time_s);
  });
  plot.addEventListener("pointerleave", () => (ghost.hidden = true));
  plot.addEventListener("pointerdown", (event) => event.button === 0 && clock.seek(pointed(event)));

  const place = (time_s) => {
    cursor.style.left = at(time_s);
    if (!name) return;
    plot.setAttribute("aria-valuenow", time_s.toFixed(1));
    plot.setAttribute("aria-valuetext", `${clockTime(time_s)}, ${describe(time_s)}`);
  };
  clock.listen(place);
  place(clock.now);

  const size = lanes.length > 16 ? "many" : lanes.length > 8 ? "several" : "few";
  return el(
    "div",
    { class: `chart ${size}` },
    lanes.map((lane, i) => [
      el("span", { class: "name", dir: "auto", title: lane.label, style: { "grid-row": i + 1 } }, lane.label),
      lane.detail && el("span", { class: "detail", style: { "grid-row": i + 1 } }, lane.detail),
      el(
        "svg",
        {
          class: "lane",
          viewBox: `0 0 ${clock.duration_s} 1`,
          preserveAspectRatio: "none",
          "aria-hidden": "true",
          style: { ...lane.tint, "grid-row": i + 1 },
        },
        lane.marks.map(({ kind, d }) => el("path", { class: kind, d })),
      ),
    ]),
    plot,
  );
}

/** Path of a block that stands on the lane's floor. */
export function block(start_s, end_s, height) {
  return `M${num(start_s)} 1V${num(1 - height)}H${num(end_s)}V1Z`;
}

/** Path of the area under a curve; it breaks where samples are further apart than `gap_s`. */
export function area(times_s, values, gap_s) {
  let path = "";
  let start_s = null;
  times_s.forEach((time_s, i) => {
    if (start_s === null) path += `M${num((start_s = time_s))} 1`;
    path += `L${num(time_s)} ${num(1 - (values[i] ?? 0))}`;
    const next_s = times_s[i + 1];
    if (next_s === undefined || next_s - time_s > gap_s) {
      path += `V1Z`;
      start_s = null;
    }
  });
  return path;
}

function ticks(duration_s) {
  const step_s = STEPS_S.find((step) => duration_s / step <= MOST_TICKS) ?? duration_s;
  return Array.from({ length: Math.floor(duration_s / step_s) + 1 }, (_, i) => i * step_s);
}

function steer(clock, event) {
  const step_s = Math.max(1, clock.duration_s / 100);
  const to = {
    ArrowRight: clock.now + step_s,
    ArrowUp: clock.now + step_s,
    ArrowLeft: clock.now - step_s,
    ArrowDown: clock.now - step_s,
    PageUp: clock.now + 10 * step_s,
    PageDown: clock.now - 10 * step_s,
    Home: 0,
    End: clock.duration_s,
  }[event.key];
  if (to !== undefined) clock.seek(to);
  else if (event.key === " " || event.key === "Enter") clock.toggle();
  else return;
  event.preventDefault();
}

const num = (value) => +value.toFixed(3);
