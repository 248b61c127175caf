// Numbers over time, kept so that any stretch of them is drawn at once.

// So many numbers become one on the next level.
const FACTOR = 8;

/** A column of rows as numbers; what was not measured is NaN. */
export function columnOf(rows, at) {
  const values = new Float32Array(rows.length);
  for (let i = 0; i < rows.length; i++) values[i] = rows[i][at] ?? NaN;
  return values;
}

/** Of numbers, the furthest from 0 of each eight, of each eight of those, and so on; NaN is nothing. */
export function levelsOf(values) {
  const levels = [Float32Array.from(values)];
  while (levels.at(-1).length > FACTOR) {
    const below = levels.at(-1);
    const level = new Float32Array(Math.ceil(below.length / FACTOR)).fill(NaN);
    for (let i = 0; i < below.length; i++) {
      const at = (i / FACTOR) | 0;
      level[at] = larger(level[at], below[i]);
    }
    levels.push(level);
  }
  return levels;
}

// Of two numbers that which is further from 0; NaN is no number.
const larger = (a, b) => (Math.abs(a) >= Math.abs(b) || Number.isNaN(b) ? a : b);

/** The number furthest from 0, from `first` up to, not including, `last`; NaN where there is none. */
export function greatest(levels, first, last) {
  let most = NaN;
  const take = (value) => {
    most = larger(most, value);
  };
  for (let level = 0; first < last; level++) {
    const values = levels[level];
    if (level === levels.length - 1) {
      for (let i = first; i < last; i++) take(values[i]);
      break;
    }
    while (first < last && first % FACTOR) take(values[first++]);
    while (first < last && last % FACTOR) take(values[--last]);
    first /= FACTOR;
    last /= FACTOR;
  }
  return most;
}

/** The first place at which a number is at least `value`, of numbers that grow; `of` gives an item's number. */
export function lowerBound(items, value, of = (item) => item) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    of(items[middle]) < value ? (low = middle + 1) : (high = middle);
  }
  return low;
}

/** Row of the sample nearest in time, or −1 if none is near. */
export function nearest(times_s, time_s, gap_s) {
  const after = lowerBound(times_s, time_s);
  const before = after - 1;
  const row = before >= 0 && (after === times_s.length || time_s - times_s[before] < times_s[after] - time_s) ? before : after;
  return Math.abs(times_s[row] - time_s) <= gap_s ? row : -1;
}

/** The median distance of samples; of very many, of some that are spread over them. */
export function usualStep(times_s) {
  const stride = Math.max(Math.floor((times_s.length - 1) / 500), 1);
  const steps = [];
  for (let i = 1; i < times_s.length; i += stride) steps.push(times_s[i] - times_s[i - 1]);
  return steps.sort((a, b) => a - b)[steps.length >> 1] ?? 1;
}

/** Whole percentages that add up to 100: what rounding leaves goes to those that it takes most from. */
export function percentages(amounts) {
  const total = amounts.reduce((sum, amount) => sum + amount, 0);
  if (!(total > 0)) return amounts.map(() => 0);
  const exact = amounts.map((amount) => (100 * amount) / total);
  const whole = exact.map(Math.floor);
  const short = 100 - whole.reduce((sum, one) => sum + one, 0);
  const order = exact.map((_, i) => i).sort((a, b) => exact[b] - whole[b] - (exact[a] - whole[a]));
  for (const i of order.slice(0, short)) whole[i] += 1;
  return whole;
}
