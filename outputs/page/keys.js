// Keys that people's hands know, and a list of them.

import { button, el } from "./dom.js";

// Whoever was touched last hears the keys, where there are several on a page.
let listening = null;

const TYPING = "input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]:not([contenteditable=false])";
// What a key does by itself.
const OWN = { " ": "button, a, summary, input", Enter: "button, a, summary, input" };
const CALLED = { " ": "space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc" };

/**
 * @param root what is steered.
 * @returns {{keys: Map, node, help()}} `keys` maps a key, as events name it, to `{about, run}`; `node` is a dialog
 *   that lists them.
 */
export function createKeys(root, signal) {
  const keys = new Map();
  const list = el("dl", {});
  const title = el("h2", { tabindex: -1 }, "Keys");
  const node = el("dialog", { class: "keys", "aria-label": "Keys" }, title, list, el("p", { class: "note" }, "Off while you type."), button("Close", () => node.close()));
  const here = () => (listening = keys);
  here();

  function help() {
    if (node.open) return node.close();
    const byAbout = new Map();
    for (const [key, { about }] of keys) byAbout.set(about, [...(byAbout.get(about) ?? []), key]);
    list.replaceChildren(...[...byAbout].map(([about, several]) => el("div", {}, el("dt", {}, several.map((key) => el("kbd", {}, CALLED[key] ?? key))), el("dd", {}, about))));
    node.showModal();
  }

  function press(event) {
    if (listening !== keys || !root.isConnected || !root.checkVisibility()) return;
    const chord = (event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph");
    if (event.defaultPrevented || event.isComposing || chord || event.metaKey) return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    const on = event.target instanceof Element ? event.target : document.body;
    if (on.closest(TYPING) || (OWN[event.key] && on.closest(OWN[event.key]))) return;
    const found = keys.get(event.key);
    if (!found) return;
    event.preventDefault();
    found.run(event);
  }

  root.addEventListener("pointerdown", here, { signal });
  root.addEventListener("focusin", here, { signal });
  document.addEventListener("keydown", press, { signal });
  signal.addEventListener("abort", () => {
    if (listening === keys) listening = null;
  });
  keys.set("?", { about: "these keys", run: help });
  return { keys, node, help };
}

/** The keys of a viewer: [[key, about, run]]. */
export function viewerKeys({ clock, span, step, repeat, filter, fullscreen }) {
  const shuttle = (direction) => {
    const same = clock.playing && Math.sign(clock.rate) === direction;
    const faster = { 1: 1.5, 1.5: 2, 2: 3 };
    clock.play(direction * (same ? (faster[Math.abs(clock.rate)] ?? 3) : 1));
  };
  const middle = () => Math.min(Math.max(clock.now, span.from_s), span.to_s);
  const nextHit = (by) => (filter.active ? filter.next(by) : step(by));
  return [
    [" ", "play, pause", clock.toggle],
    ["ArrowLeft", "a second back, on", () => clock.seek(clock.now - 1)],
    ["ArrowRight", "a second back, on", () => clock.seek(clock.now + 1)],
    ["ArrowUp", "the moment before, after", () => step(-1)],
    ["ArrowDown", "the moment before, after", () => step(1)],
    ["j", "play backwards, stop, play; again is faster", () => shuttle(-1)],
    ["k", "play backwards, stop, play; again is faster", () => {
      clock.pause();
      clock.rate = 1;
    }],
    ["l", "play backwards, stop, play; again is faster", () => shuttle(1)],
    [",", "a frame back, on", () => clock.step(-1)],
    [".", "a frame back, on", () => clock.step(1)],
    ["r", "repeat the moment", repeat],
    ["<", "slower, faster", () => clock.faster(-1)],
    [">", "slower, faster", () => clock.faster(1)],
    ["[", "slower, faster", () => clock.faster(-1)],
    ["]", "slower, faster", () => clock.faster(1)],
    ["+", "zoom in, out, show all", () => span.zoom(0.5, middle())],
    ["-", "zoom in, out, show all", () => span.zoom(2, middle())],
    ["a", "zoom in, out, show all", () => span.set(0, span.duration_s)],
    ["f", "full screen", fullscreen],
    ["/", "search", () => filter.search.focus()],
    ["n", "next, previous hit", () => nextHit(1)],
    ["N", "next, previous hit", () => nextHit(-1)],
  ];
}
