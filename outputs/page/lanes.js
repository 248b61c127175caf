// Lanes over one axis of time, drawn for the part of it that is shown.

import { clockTime, el, percent } from "./dom.js";
import { isPrinting, onPaper, onSight } from "./ink.js";

const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const MOST_TICKS = 7;
// How much closer one notch of a wheel comes.
const NOTCH = 1.0015;

/**
 * @param name what the lanes are, for whoever does not see them.
 * @param describe says in words what is at a time.
 * @returns {{node, show(lanes, named), redraw()}} `show` takes `[{label, kind, detail?, draw(pen)}]`: `draw` is told
 *   where (see `penOn`), `kind` is the class of its height; `named(lane, node)` may add to a lane's name.
 */
export function createLanes({ clock, span, signal }, { name, describe }) {
  const cursor = el("div", { class: "cursor" });
  const loop = el("div", { class: "loop", hidden: true });
  const tip = el("output", { class: "tip" });
  const ghost = el("div", { class: "ghost", hidden: true }, tip);
  const ticks = el("div", { class: "ticks" });
  const plot = el("div", { class: "plot", role: "slider", tabindex: 0, "aria-label": name, "aria-valuemin": 0, "aria-valuenow": 0 }, ticks, loop, ghost, cursor);
  const node = el("div", { class: "chart" }, plot);
  let lanes = [];
  let canvases = [];
  // Width of all, height of each: asked for once, since the answer costs a layout.
  let sizes = null;

  const at = (time_s) => (time_s - span.from_s) / (span.to_s - span.from_s || 1);
  const timeOf = (event) => {
    const box = plot.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    return span.from_s + share * (span.to_s - span.from_s);
  };

  function show(next, named = () => {}) {
    const same = next.length === lanes.length && next.every(({ label, kind }, i) => label === lanes[i].label && kind === lanes[i].kind);
    lanes = next;
    if (!same) {
      canvases = lanes.map(({ kind = "" }, i) => el("canvas", { class: `lane ${kind}`, "aria-hidden": "true", style: { "--row": i + 1 } }));
      const names = lanes.map((lane, i) => {
        const label = el("span", { class: `name ${lane.kind ?? ""}`, dir: "auto", title: [lane.label, lane.detail].filter(Boolean).join(" "), style: { "--row": i + 1 } }, el("span", {}, lane.label), lane.detail && el("small", {}, lane.detail));
        named(lane, label);
        return label;
      });
      node.style.setProperty("--rows", lanes.length);
      node.replaceChildren(...names.flatMap((label, i) => [label, canvases[i]]), plot);
      sizes = null;
    }
    plot.setAttribute("aria-valuemax", clock.duration_s.toFixed(1));
    redraw();
  }

  // Lanes that nobody sees are drawn when they come into sight.
  let inSight = false;
  let stale = true;
  let asked = 0;
  function redraw() {
    stale = true;
    if (isPrinting()) draw();
    else if (inSight && !asked) asked = requestAnimationFrame(draw);
  }

  function draw() {
    asked = 0;
    stale = false;
    sizes ??= { width: plot.clientWidth, heights: canvases.map(({ clientHeight }) => clientHeight) };
    if (!sizes.width) return;
    lanes.forEach((lane, i) => lane.draw(penOn(canvases[i], span, sizes.width, sizes.heights[i])));
    const step_s = STEPS_S.find((step) => (span.to_s - span.from_s) / step <= MOST_TICKS) ?? span.to_s - span.from_s;
    const first = Math.ceil(span.from_s / step_s - 1e-9);
    const count = step_s > 0 ? Math.floor(span.to_s / step_s + 1e-9) - first + 1 : 0;
    ticks.replaceChildren(...Array.from({ length: count }, (_, i) => tick((first + i) * step_s, step_s < 1)));
    place(clock.now);
  }

  function tick(time_s, tenths) {
    const side = at(time_s) < 0.02 ? "first" : at(time_s) > 0.97 ? "last" : "";
    return el("div", { class: `tick ${side}`, style: { left: percent(at(time_s)) } }, el("span", {}, clockTime(time_s, tenths)));
  }

  let told_s = -1;
  function place(time_s) {
    const x = at(time_s);
    cursor.hidden = x < 0 || x > 1;
    cursor.style.transform = `translateX(${(x * (sizes?.width ?? 0)).toFixed(1)}px)`;
    // Words change with each moment, not with each frame.
    if (Math.abs(time_s - told_s) < 0.25) return;
    told_s = time_s;
    plot.setAttribute("aria-valuenow", time_s.toFixed(1));
    plot.setAttribute("aria-valuetext", `${clockTime(time_s)}, ${describe(time_s)}`);
  }

  function placeLoop() {
    loop.hidden = !clock.loop;
    if (!clock.loop) return;
    const [from, to] = clock.loop.map((time_s) => Math.min(Math.max(at(time_s), 0), 1));
    loop.style.left = percent(from);
    loop.style.width = percent(to - from);
  }

  plot.addEventListener("pointermove", (event) => {
    const time_s = timeOf(event);
    ghost.style.left = percent(at(time_s));
    ghost.classList.toggle("late", at(time_s) > 0.5);
    tip.textContent = `${clockTime(time_s, true)}  ${describe(time_s)}`;
    ghost.hidden = false;
    if (event.buttons === 1) clock.seek(time_s);
  });
  plot.addEventListener("pointerleave", () => (ghost.hidden = true));
  plot.addEventListener("pointerdown", (event) => event.button === 0 && clock.seek(timeOf(event)));
  plot.addEventListener("keydown", (event) => steer(clock, span, event));
  node.addEventListener("wheel", (event) => turn(span, event, timeOf(event), sizes?.width ?? 1), { passive: false });
  clock.listen(place);
  clock.changed(placeLoop);
  span.listen(() => {
    placeLoop();
    redraw();
  });
  onPaper(node, () => {
    sizes = null;
    redraw();
  }, signal);
  onSight(node, (visible) => {
    inSight = visible;
    if (inSight && stale) redraw();
  }, signal);
  return { node, show, redraw };
}

/**
 * Where a lane is drawn: `x(time_s)` in pixels from 0 to `width`, y from 0 at the top to `height`.
 *
 * @returns {{context, x, width, height, from_s, to_s}}
 */
export function penOn(canvas, { from_s, to_s }, width = canvas.clientWidth, height = canvas.clientHeight) {
  const dots = devicePixelRatio || 1;
  const [across, down] = [Math.round(width * dots), Math.round(height * dots)];
  const context = canvas.getContext("2d");
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  else context.clearRect(0, 0, width, height);
  context.setTransform(dots, 0, 0, dots, 0, 0);
  const scale = width / (to_s - from_s || 1);
  return { context, x: (time_s) => (time_s - from_s) * scale, width, height, from_s, to_s };
}

function steer(clock, span, event) {
  const page_s = (span.to_s - span.from_s) / 10;
  const to = {
    ArrowRight: clock.now + 1,
    ArrowUp: clock.now + 1,
    ArrowLeft: clock.now - 1,
    ArrowDown: clock.now - 1,
    PageUp: clock.now + page_s,
    PageDown: clock.now - page_s,
    Home: 0,
    End: clock.duration_s,
  }[event.key];
  if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  clock.seek(to);
  event.preventDefault();
}

// With Ctrl, or two fingers spread on a trackpad, a wheel zooms; sideways, or with Shift, it pans.
function turn(span, event, time_s, width) {
  const sideways = event.deltaX || (event.shiftKey ? event.deltaY : 0);
  if (event.ctrlKey) span.zoom(NOTCH ** event.deltaY, time_s);
  else if (!span.whole && Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) span.pan((sideways / width) * (span.to_s - span.from_s));
  else return;
  event.preventDefault();
}
