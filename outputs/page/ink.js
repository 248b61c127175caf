// The colours of the style sheet, for what is drawn into canvases.

import { inked } from "./palette.js";

const PRINTING = "printing";

/** Whether a printer waits: what is drawn later is not on its paper. */
export const isPrinting = () => document.documentElement.classList.contains(PRINTING);

/**
 * @returns a function that gives `{ink, soft, rule, paper, mark, sans, lift, of(tint)}` as they are where the element
 *   stands; `of` is a tint as canvases take it.
 */
export function createInk(node, signal) {
  let known = null;
  const forget = () => (known = null);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", forget, { signal });
  for (const [event, printing] of [["beforeprint", true], ["afterprint", false]]) {
    addEventListener(event, () => {
      document.documentElement.classList.toggle(PRINTING, printing);
      forget();
    }, { signal });
  }
  return () => (known ??= inksOf(getComputedStyle(node)));
}

function inksOf(style) {
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const inks = Object.fromEntries(["ink", "soft", "rule", "paper", "mark", "sans"].map((name) => [name, of(name)]));
  const lift = Number(of("lift"));
  const mixed = new Map();
  const mix = (tint) => mixed.get(tint) ?? mixed.set(tint, inked(tint, lift)).get(tint);
  return { ...inks, lift, of: mix };
}

/** Tells, until the signal, when what is drawn has to be drawn anew: on paper of another size or colour; or a printer's. */
export function onPaper(node, redraw, signal) {
  const observer = new ResizeObserver(redraw);
  observer.observe(node);
  signal.addEventListener("abort", () => observer.disconnect());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw, { signal });
  for (const event of ["beforeprint", "afterprint"]) addEventListener(event, redraw, { signal });
}

/** Tells, until the signal, whether an element is in sight, or soon will be; on a printer's paper it always is. */
export function onSight(node, tell, signal) {
  const observer = new IntersectionObserver((seen) => tell(seen.at(-1).isIntersecting), { rootMargin: "200px" });
  observer.observe(node);
  signal.addEventListener("abort", () => observer.disconnect());
  addEventListener("beforeprint", () => tell(true), { signal });
}
