// The part of the time that is shown; all lanes share it.

// Closer than this nothing more is to be seen.
const LEAST_S = 1;

/**
 * @returns {{from_s, to_s, duration_s, whole, fit(duration_s), set(from_s, to_s), zoom(factor, at_s), pan(by_s),
 *   reveal(time_s), listen(fn)}} `fit` is for a result of another length: whoever saw all sees all again.
 */
export function createSpan() {
  const listeners = [];
  const span = {
    from_s: 0,
    to_s: 0,
    duration_s: 0,
    get whole() {
      return span.from_s <= 0 && span.to_s >= span.duration_s;
    },
    listen: (listener) => listeners.push(listener),
    fit(duration_s) {
      const all = span.whole;
      span.duration_s = duration_s;
      span.set(all ? 0 : span.from_s, all ? duration_s : span.to_s);
    },
    set(from_s, to_s) {
      const length_s = Math.min(Math.max(to_s - from_s, LEAST_S), span.duration_s);
      // What is stretched to the least length grows around its middle.
      const start_s = (from_s + to_s - length_s) / 2;
      span.from_s = Math.min(Math.max(start_s, 0), span.duration_s - length_s);
      span.to_s = span.from_s + length_s;
      for (const listener of listeners) listener();
    },
    /** Closer where `factor` is below 1; what is at `at_s` stays where it is. */
    zoom(factor, at_s) {
      const length_s = Math.min(Math.max((span.to_s - span.from_s) * factor, LEAST_S), span.duration_s);
      const share = (at_s - span.from_s) / (span.to_s - span.from_s || 1);
      const from_s = at_s - share * length_s;
      span.set(from_s, from_s + length_s);
    },
    pan(by_s) {
      const from_s = Math.min(Math.max(span.from_s + by_s, 0), span.duration_s - (span.to_s - span.from_s));
      span.set(from_s, from_s + span.to_s - span.from_s);
    },
    /** Turn the page where a time is not shown. */
    reveal(time_s) {
      if (time_s >= span.from_s && time_s <= span.to_s) return;
      const length_s = span.to_s - span.from_s;
      const from_s = time_s - 0.08 * length_s;
      span.set(from_s, from_s + length_s);
    },
  };
  return span;
}
