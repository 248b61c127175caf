// What lanes are drawn with.  Each function gives one that draws with a pen (see `lanes.js`).

import { lowerBound, greatest } from "./series.js";

const LEAST_WIDTH = 1;
// Room for words over the blocks of a strip, in pixels.
const FOR_WORDS = 14;
const FAINT = 0.38;
const DIMMED = 0.16;

/** Moments as they are drawn: where they overlap, a later one is drawn over the end of an earlier one. */
export function drawnSpans(segments, duration_s) {
  return segments.map((segment, i) => {
    const end_s = Math.min(segment.end_s, segments[i + 1]?.start_s ?? Infinity, duration_s);
    return { segment, start_s: segment.start_s, end_s: Math.max(end_s, segment.start_s) };
  });
}

/** Bounds in pixels of those spans that are in sight; neighbours keep a sliver between them. */
function* inSightOf(spans, { x, from_s, to_s }) {
  let i = Math.max(lowerBound(spans, from_s, ({ start_s }) => start_s) - 1, 0);
  for (; i < spans.length && spans[i].start_s <= to_s; i++) {
    const { start_s, end_s } = spans[i];
    if (end_s < from_s) continue;
    const left = x(start_s);
    const width = x(end_s) - left;
    yield [spans[i], left, Math.max(width > 4 ? width - 1 : width, LEAST_WIDTH), i];
  }
}

/**
 * Blocks of one colour that stand on the lane's floor; those that were not read are faint.
 *
 * @param of {height(segment): 0 to 1, isRead(segment): or null where there is nothing to judge by, fill(): colour}
 */
export function blocks(spans, { of, isDim, ink }) {
  return (pen) => {
    const { context, height } = pen;
    const room = height - 3;
    context.fillStyle = of.fill();
    let opacity = 1;
    for (const [{ segment }, left, width] of inSightOf(spans, pen)) {
      const isRead = of.isRead(segment);
      if (isRead === null) {
        hatch(context, left, width, 3, height, ink().rule);
        continue;
      }
      const wanted = (isRead ? 1 : FAINT) * (isDim(segment) ? DIMMED : 1);
      if (wanted !== opacity) context.globalAlpha = opacity = wanted;
      const tall = room * of.height(segment);
      if (tall > 0.3) context.fillRect(left, height - tall, width, tall);
    }
    context.globalAlpha = 1;
  };
}

/**
 * A strip of blocks in the colours of what was read, with its words above where there is room.
 *
 * @param spans [{segment, start_s, end_s}]
 * @param words how much room there is for them, in pixels.
 * @param read (segment) → {fills: [colour], height: 0 to 1, words} or null where there is nothing to judge by.
 */
export function strip(spans, { read, isDim = () => false, ink, words = FOR_WORDS }) {
  return (pen) => {
    const { context, x, height, width: all } = pen;
    const { ink: letters, soft, sans, rule } = ink();
    const room = height - words - 3;
    context.font = `11px ${sans}`;
    context.textBaseline = "alphabetic";
    for (const [{ segment }, left, width, i] of inSightOf(spans, pen)) {
      const told = read(segment);
      if (!told) {
        hatch(context, left, width, words + 3, height, rule);
        continue;
      }
      context.globalAlpha = isDim(segment) ? DIMMED : 1;
      const tall = Math.max(room * told.height, 2);
      told.fills.forEach((fill, part) => {
        context.fillStyle = fill;
        context.fillRect(left, height - (tall * (part + 1)) / told.fills.length, width, tall / told.fills.length);
      });
      const next = i + 1 < spans.length ? Math.min(x(spans[i + 1].start_s), all) : all;
      const begin = Math.max(left, 0);
      if (words && context.measureText(told.words).width <= next - begin - 4) {
        context.fillStyle = isDim(segment) ? soft : letters;
        context.fillText(told.words, begin, height - tall - 4);
      }
    }
    context.globalAlpha = 1;
  };
}

/** The loudest of the sound, pixel by pixel, both ways from the middle. */
export function wave(levels, per_s, start_s, { ink }) {
  return ({ context, width, height, from_s, to_s }) => {
    context.fillStyle = ink().soft;
    context.globalAlpha = 0.75;
    const step_s = (to_s - from_s) / width;
    for (let column = 0; column < width; column++) {
      const first = Math.floor((from_s + column * step_s - start_s) * per_s);
      const last = Math.max(Math.floor((from_s + (column + 1) * step_s - start_s) * per_s), first + 1);
      const peak = greatest(levels, Math.max(first, 0), Math.min(last, levels[0].length));
      if (peak >= 0) context.fillRect(column, ((height - 2) * (1 - peak / 100)) / 2 + 1, 1, Math.max((height - 2) * (peak / 100), 0.75));
    }
    context.globalAlpha = 1;
  };
}

/** The area under a curve of values in 0 to 1, darker from `strong` on; it breaks where samples are over `gap_s` apart. */
export function curve(series, { strong = Infinity, ink }) {
  return (pen) => {
    const { context, height } = pen;
    const y = (value) => height - (height - 3) * Math.min(Math.max(value, 0), 1);
    const fill = (points, opacity) => {
      context.globalAlpha = opacity;
      context.beginPath();
      context.moveTo(points[0][0], height);
      for (const [x, value] of points) context.lineTo(x, y(value));
      context.lineTo(Math.max(points.at(-1)[0], points[0][0] + LEAST_WIDTH), height);
      context.fill();
    };
    context.fillStyle = ink().soft;
    for (const run of runsOf(series, pen)) {
      fill(run, 0.4);
      for (const part of split(run, ([, value]) => value >= strong)) fill(part, 0.75);
    }
    context.globalAlpha = 1;
  };
}

/** A line of values in `low` to `high`, over a rule where nothing is. */
export function line(series, { low, high, ink }) {
  return (pen) => {
    const { context, height, width } = pen;
    const { soft, rule } = ink();
    const y = (value) => 2 + (height - 4) * (1 - (Math.min(Math.max(value, low), high) - low) / (high - low));
    context.fillStyle = rule;
    context.fillRect(0, Math.round(y(0)), width, 1);
    context.strokeStyle = soft;
    context.lineWidth = 1.25;
    context.beginPath();
    for (const run of runsOf(series, pen)) {
      context.moveTo(run[0][0], y(run[0][1]));
      for (const [x, value] of run) context.lineTo(Math.max(x, run[0][0] + LEAST_WIDTH), y(value));
    }
    context.stroke();
  };
}

/** Points in time. */
export function instants(times_s, { ink }) {
  return ({ context, x, height, from_s, to_s }) => {
    context.fillStyle = ink().ink;
    for (let i = lowerBound(times_s, from_s); i < times_s.length && times_s[i] <= to_s; i++) {
      context.fillRect(x(times_s[i]) - 0.75, 4, 1.5, height - 4);
    }
  };
}

/** Parts of a list of which all items are so. */
function split(items, isSo) {
  const parts = [];
  items.forEach((item, i) => {
    if (!isSo(item)) return;
    i > 0 && isSo(items[i - 1]) ? parts.at(-1).push(item) : parts.push([item]);
  });
  return parts;
}

/**
 * Points of a series in sight, as lists without a gap: its samples, or, where they are denser than pixels, the greatest of
 * each pixel.
 *
 * @param series {times_s, levels, gap_s}: see `levelsOf`.
 * @returns [[[x, value]]]
 */
function runsOf({ times_s, levels, gap_s }, { x, width, from_s, to_s }) {
  const first = Math.max(lowerBound(times_s, from_s) - 1, 0);
  const last = Math.min(lowerBound(times_s, to_s) + 1, times_s.length);
  const runs = [];
  let end_s = -Infinity;
  const put = (at, value, time_s) => {
    if (Number.isNaN(value)) return;
    if (time_s - end_s > gap_s) runs.push([]);
    runs.at(-1).push([at, value]);
    end_s = time_s;
  };
  if (last - first <= 2 * width) {
    for (let i = first; i < last; i++) put(x(times_s[i]), levels[0][i], times_s[i]);
    return runs;
  }
  const step_s = (to_s - from_s) / width;
  let begin = first;
  for (let column = 0; column < width; column++) {
    const end = Math.min(lowerBound(times_s, from_s + (column + 1) * step_s), last);
    if (end > begin) put(column + 0.5, greatest(levels, begin, end), times_s[end - 1]);
    begin = end;
  }
  return runs;
}

/** Where there was nothing to judge by. */
function hatch(context, left, width, top, bottom, colour) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, bottom - top);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  const tall = bottom - top;
  for (let at = Math.floor((left - tall) / 6) * 6; at < left + width; at += 6) {
    context.moveTo(at, bottom);
    context.lineTo(at + tall, top);
  }
  context.stroke();
  context.restore();
}
