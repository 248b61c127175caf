// Parts of the page with a heading.

import { el } from "./dom.js";

let headings = 0;

/** A section by its title, with tools beside it. */
export function section(title, tools, ...nodes) {
  const id = `heading-${++headings}`;
  return el("section", { "aria-labelledby": id }, el("div", { class: "heading" }, el("h2", { id }, title), tools), nodes);
}
