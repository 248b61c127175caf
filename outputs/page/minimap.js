// All of the time at a glance, with a window over the part that the lanes show.

import { button, clockTime, el, percent } from "./dom.js";
import { onPaper } from "./ink.js";
import { penOn } from "./lanes.js";

// How near to an edge of the window one has to be to move it alone, in pixels.
const EDGE = 7;
const CLOSER = 0.5;

/** @returns {{node, tools, show(draw)}} `tools` are buttons that zoom. */
export function createMinimap({ clock, span, signal }) {
  const canvas = el("canvas", { "aria-hidden": "true" });
  const cursor = el("div", { class: "cursor" });
  const frame = el("div", { class: "window", role: "slider", tabindex: 0, "aria-label": "Part of the time that is shown", "aria-valuemin": 0, "aria-valuenow": 0, onkeydown: move });
  const node = el("div", { class: "minimap", hidden: true }, canvas, cursor, frame);
  const middle = () => (clock.now >= span.from_s && clock.now <= span.to_s ? clock.now : (span.from_s + span.to_s) / 2);
  const closer = () => span.zoom(CLOSER, middle());
  const wider = () => span.zoom(1 / CLOSER, middle());
  const all = () => span.set(0, span.duration_s);
  const [near, far, whole] = [button("Zoom in", closer, { path: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z" }), button("Zoom out", wider, { path: "M5 11h14v2H5z" }), button("all", all, { "aria-label": "Show all of the time" })];
  const tools = el("div", { class: "zoom", role: "group", "aria-label": "Zoom" }, far, near, whole);
  let draw = null;
  let drawn = 0;

  function place() {
    node.hidden = span.whole;
    far.disabled = whole.disabled = span.whole;
    const share = (time_s) => time_s / (span.duration_s || 1);
    frame.style.left = percent(share(span.from_s));
    frame.style.width = percent(share(span.to_s - span.from_s));
    frame.setAttribute("aria-valuemax", span.duration_s.toFixed(1));
    frame.setAttribute("aria-valuenow", span.from_s.toFixed(1));
    const tenths = span.to_s - span.from_s < 60;
    frame.setAttribute("aria-valuetext", `${clockTime(span.from_s, tenths)} to ${clockTime(span.to_s, tenths)}`);
    if (!node.hidden && drawn !== node.clientWidth) redraw();
  }

  function redraw() {
    if (!draw || node.hidden) return;
    drawn = node.clientWidth;
    draw(penOn(canvas, { from_s: 0, to_s: span.duration_s }));
    follow(clock.now);
  }

  function follow(time_s) {
    if (!node.hidden) cursor.style.transform = `translateX(${((time_s / (span.duration_s || 1)) * drawn).toFixed(1)}px)`;
  }

  function move(event) {
    const length_s = span.to_s - span.from_s;
    const by = { ArrowLeft: -0.1, ArrowUp: -0.1, ArrowRight: 0.1, ArrowDown: 0.1, PageUp: -0.9, PageDown: 0.9, Home: -Infinity, End: Infinity }[event.key];
    if (by !== undefined) span.pan(Number.isFinite(by) ? by * length_s : Math.sign(by) * span.duration_s);
    else if (event.key === "+" || event.key === "=") closer();
    else if (event.key === "-") wider();
    else return;
    event.preventDefault();
  }

  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const box = node.getBoundingClientRect();
    const timeOf = ({ clientX }) => ((clientX - box.left) / box.width) * span.duration_s;
    const reach_s = (EDGE / box.width) * span.duration_s;
    const begun = timeOf(event);
    if (begun < span.from_s - reach_s || begun > span.to_s + reach_s) span.pan(begun - (span.from_s + span.to_s) / 2);
    const [from_s, to_s] = [span.from_s, span.to_s];
    const narrow = to_s - from_s < 4 * reach_s;
    const edge = narrow ? null : Math.abs(begun - from_s) <= reach_s ? "from" : Math.abs(begun - to_s) <= reach_s ? "to" : null;
    const drag = (moved) => {
      const by_s = timeOf(moved) - begun;
      if (edge === "from") span.set(Math.min(from_s + by_s, to_s - 1), to_s);
      else if (edge === "to") span.set(from_s, Math.max(to_s + by_s, from_s + 1));
      else span.pan(from_s + by_s - span.from_s);
    };
    const done = new AbortController();
    node.setPointerCapture(event.pointerId);
    node.addEventListener("pointermove", drag, { signal: done.signal });
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => done.abort(), { signal: done.signal });
  });
  node.addEventListener("dblclick", all);
  span.listen(place);
  clock.listen(follow);
  onPaper(node, redraw, signal);

  return {
    node,
    tools,
    show(next) {
      draw = next;
      place();
      redraw();
    },
  };
}
