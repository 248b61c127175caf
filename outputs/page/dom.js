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

/** What a moment was read as, in words. */
export function reading(segment) {
  return segment.evidence === "none"
    ? "no evidence"
    : `${segment.label} ${segment.scores[segment.label].toFixed(2)}`;
}
