// The way through valence and arousal: how pleasant, and how aroused, a face looked.

import { el } from "./dom.js";
import { isPrinting, onPaper } from "./ink.js";
import { penOn } from "./lanes.js";
import { seriesOf } from "./faces.js";
import { lowerBound, nearest } from "./series.js";

// So many points draw a way; between them lies their mean.
const POINTS = 120;
const MARGIN = 26;

/** @returns {{node, show(faces, person)}} hidden where nothing is rated. */
export function createAffect({ clock, span, ink, signal }) {
  const canvas = el("canvas", { role: "img" });
  const note = el("figcaption", {}, "Valence and arousal as the face looked, over the part of the time that is shown; lighter is earlier, the ring is now.");
  const node = el("figure", { class: "affect", hidden: true }, canvas, note);
  let series = null;
  let asked = 0;

  function redraw() {
    if (isPrinting()) draw();
    else if (series && !asked) asked = requestAnimationFrame(draw);
  }

  function draw() {
    asked = 0;
    if (!series || !canvas.clientWidth) return;
    const { context, width, height } = penOn(canvas, span);
    const side = Math.min(width, height) - 2 * MARGIN;
    const [left, top] = [(width - side) / 2, (height - side) / 2];
    const [x, y] = [(valence) => left + ((valence + 1) / 2) * side, (arousal) => top + ((1 - arousal) / 2) * side];
    axes(context, { x, y, side, left, top }, ink());
    const points = wayOf(series, span);
    context.strokeStyle = ink().ink;
    context.lineWidth = 1.25;
    for (let i = 1; i < points.length; i++) {
      context.globalAlpha = 0.1 + (0.75 * i) / points.length;
      context.beginPath();
      context.moveTo(x(points[i - 1][0]), y(points[i - 1][1]));
      context.lineTo(x(points[i][0]), y(points[i][1]));
      context.stroke();
    }
    context.globalAlpha = 1;
    const row = nearest(series.times_s, clock.now, series.gap_s);
    if (row < 0) return;
    context.strokeStyle = ink().mark;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x(series.valence[row]), y(series.arousal[row]), 5, 0, 7);
    context.stroke();
  }

  span.listen(redraw);
  clock.listen(redraw);
  onPaper(node, redraw, signal);
  return {
    node,
    show(faces, person) {
      series = null;
      if (person?.valence && person.arousal) {
        const { times_s, gap_s, ratings } = seriesOf(person, faces.units);
        const [valence, arousal] = ratings.map(({ levels }) => levels[0]);
        series = { times_s, gap_s, valence, arousal };
        canvas.setAttribute("aria-label", `Path through valence and arousal; on average ${mean(valence)} and ${mean(arousal)}`);
      }
      node.hidden = !series;
      redraw();
    },
  };
}

function mean(values) {
  const told = values.filter((value) => !Number.isNaN(value));
  return (told.reduce((sum, value) => sum + value, 0) / (told.length || 1)).toFixed(2);
}

/** Means of valence and arousal over equal parts of the samples in sight: [[valence, arousal]]. */
export function wayOf({ times_s, valence, arousal }, { from_s, to_s }) {
  const first = lowerBound(times_s, from_s);
  const last = lowerBound(times_s, to_s + 1e-6);
  const parts = Math.min(last - first, POINTS);
  const bound = (part) => first + Math.floor((part * (last - first)) / parts);
  const points = [];
  for (let part = 0; part < parts; part++) {
    let [count, v, a] = [0, 0, 0];
    for (let i = bound(part); i < bound(part + 1); i++) {
      if (Number.isNaN(valence[i]) || Number.isNaN(arousal[i])) continue;
      [count, v, a] = [count + 1, v + valence[i], a + arousal[i]];
    }
    if (count) points.push([v / count, a / count]);
  }
  return points;
}

function axes(context, { x, y, side, left, top }, { rule, soft, sans }) {
  context.strokeStyle = rule;
  context.lineWidth = 1;
  context.beginPath();
  context.arc(x(0), y(0), side / 2, 0, 7);
  context.moveTo(left, y(0));
  context.lineTo(left + side, y(0));
  context.moveTo(x(0), top);
  context.lineTo(x(0), top + side);
  context.stroke();
  context.fillStyle = soft;
  context.font = `11px ${sans}`;
  context.textAlign = "center";
  context.fillText("aroused", x(0), top - 8);
  context.fillText("calm", x(0), top + side + 16);
  context.textAlign = "start";
  context.fillText("unpleasant", left + 6, y(0) - 6);
  context.textAlign = "end";
  context.fillText("pleasant", left + side - 6, y(0) - 6);
}
