// Building blocks of the drawings.  Text only ever enters as text nodes, so
// nothing that was said in a video can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `style` sets custom properties, `on…` listeners. */
export function el(tag, attributes = {}, ...children) {
  const svg = tag === "svg" || tag === "path";
  const node = svg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") {
      for (const [property, set] of Object.entries(value)) node.style.setProperty(property, set);
    } else if (name.startsWith("on")) {
      node.addEventListener(name.slice(2), value);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** A button that shows a word, or a picture (an SVG path) that the word tells of. */
export function button(word, run, { path = null, ...attributes } = {}) {
  const picture = path && el("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, el("path", { d: path }));
  return el("button", { type: "button", onclick: run, ...(picture && { "aria-label": word, title: word }), ...attributes }, picture ?? word);
}

/** `0:06`, or with tenths `0:06.2`; hours where there are any. */
export function clockTime(time_s, tenths = false) {
  const unit = tenths ? 10 : 1;
  const total = Math.round(time_s * unit);
  const seconds = (total % (60 * unit)) / unit;
  const minutes = Math.floor(total / (60 * unit));
  const two = (number) => String(number).padStart(2, "0");
  const head = minutes >= 60 ? `${Math.floor(minutes / 60)}:${two(minutes % 60)}` : String(minutes);
  return `${head}:${tenths ? seconds.toFixed(1).padStart(4, "0") : two(seconds)}`;
}

export const percent = (fraction) => `${(100 * fraction).toFixed(3)}%`;

/** The labels that people read: of any number all that are given, or else the likeliest. */
export const shown = (segment) => (segment.labels?.length ? segment.labels : [segment.label]);

/** Whether a moment is read as anything: there was something to judge by, or a person did. */
export const judged = ({ corrected, evidence }) => corrected || evidence !== "none";

/** What a moment was read as, in words; the model's score is not how sure a person was. */
export function reading(segment) {
  if (!judged(segment)) return "no evidence";
  const rating = segment.rating === undefined ? "" : `rating ${segment.rating.toFixed(2)}`;
  if (segment.corrected) return `${rating || shown(segment).join(", ")} (set by a person)`;
  return rating || shown(segment).map((label) => `${label} ${segment.scores[label].toFixed(2)}`).join(", ");
}

/** What is drawn over time: the labels, or the rating. */
export const laneNames = ({ labels, range }) => (range ? ["rating"] : labels);

/** Where a rating is on its scale, in 0 to 1; what lies beyond is at the end. */
export const placed = (rating, [low, high]) => Math.min(Math.max((rating - low) / (high - low), 0), 1);
