// The video, the sound or the picture, with what moves it.

import { createBoxes } from "./boxes.js";
import { RATES } from "./clock.js";
import { button, clockTime, el } from "./dom.js";

// Paths in a square of 24.
const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  back: "M16 5v14L6 12zM17.5 5H20v14h-2.500z",
  on: "M8 5v14l10-7zM4 5h2.500v14H4z",
  repeat: "M7 5h9V2.500L21 6l-5 3.500V7H7a2 2 0 0 0-2 2v3H3V9a4 4 0 0 1 4-4zM17 19H8v2.500L3 18l5-3.500V17h9a2 2 0 0 0 2-2v-3h2v3a4 4 0 0 1-4 4z",
  sound: "M3 9v6h4l5 4.500v-15L7 9zM14.500 8.500v7a4 4 0 0 0 0-7zM14.500 4.500v2a6 6 0 0 1 0 11v2a8 8 0 0 0 0-15z",
  silence: "M3 9v6h4l5 4.500v-15L7 9zM15 9.400l1.400-1.400 2.100 2.100L20.600 8 22 9.400 19.900 11.500 22 13.600 20.600 15l-2.100-2.100-2.100 2.100-1.400-1.400 2.100-2.100z",
  large: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
};

/** The element that plays, or shows, a file; null where there is none. */
export function mediaElement({ kind, sources, name }) {
  if (kind === null || !sources.length) return null;
  if (kind === "img") return el("img", { alt: `The picture ${name}`, src: sources[0] });
  return el(kind, { preload: "metadata", playsinline: true, "aria-label": name }, sources.map((src) => el("source", { src })));
}

/**
 * @param element see `mediaElement`; `lane` is a node that shows, and sets, the position.
 * @param repeat is called to play a moment again and again, or no longer.
 * @returns {{node, show(result), tell(time, words), fullscreen()}}
 */
export function createPlayer({ clock, signal }, { media, element, lane, repeat }) {
  const boxes = createBoxes(clock);
  const seen = media.kind === "video" || media.kind === "img";
  const told = el("p", { class: "told", "aria-hidden": "true" });
  const picture = el("div", { class: "picture" }, element, seen && boxes.node, seen && told);
  const screen = el("div", { class: `screen ${media.kind ?? "none"}` }, picture);
  const missing = el("p", { class: "missing", hidden: true }, "The file is not where it was, or browsers cannot play its kind. Everything else works without; put ", el("q", {}, media.name), " next to this page to play it here.");
  const [when, read] = [new Text(), el("b", {})];
  const caption = el("figcaption", {}, when, read);
  const fullscreen = () => (document.fullscreenElement ? document.exitFullscreen() : screen.requestFullscreen?.())?.catch?.(() => {});
  const controls = controlsOf({ clock, element, media, repeat, fullscreen });
  const bar = el("div", { class: "bar-of-time" }, lane, controls.node);
  const node = el("figure", { class: "player" }, screen, bar, missing, caption);

  if (element) watch(element, signal, { shape, fail });
  clock.listen(controls.place);
  clock.changed(controls.state);
  if (media.kind === "video") picture.addEventListener("click", clock.toggle);
  if (media.kind === "video") picture.addEventListener("dblclick", fullscreen);

  function shape(width, height) {
    if (width && height) screen.style.setProperty("--ratio", width / height);
  }

  function fail() {
    screen.hidden = true;
    missing.hidden = false;
    controls.fail();
  }

  return {
    node,
    fullscreen,
    /** What is read of the moment that is on. */
    tell(time, words) {
      if (when.data !== time) when.data = time;
      if (read.textContent !== words) read.textContent = told.textContent = words;
    },
    show(result) {
      screen.hidden ||= !element || media.kind === "audio";
      bar.hidden = caption.hidden = !(result.media.duration_s > 0);
      shape(result.media.width, result.media.height);
      boxes.show(result);
      controls.place(clock.now);
      controls.state();
    },
  };
}

function controlsOf({ clock, element, media, repeat, fullscreen }) {
  const play = button("Play", clock.toggle, { path: ICONS.play, class: "play" });
  const back = button("A frame back", () => clock.step(-1), { path: ICONS.back });
  const on = button("A frame on", () => clock.step(1), { path: ICONS.on });
  const again = button("Repeat the moment", repeat, { path: ICONS.repeat, "aria-pressed": "false" });
  const sounding = media.kind === "video" || media.kind === "audio";
  const mute = button("Mute", () => (element.muted = !element.muted), { path: ICONS.sound, "aria-pressed": "false" });
  const large = button("Full screen", fullscreen, { path: ICONS.large });
  const speed = el("select", { "aria-label": "Speed", onchange: () => (clock.rate = Number(speed.value)) }, RATES.map((rate) => el("option", { value: rate }, `${rate}×`)));
  const time = el("span", { class: "time" });
  const node = el("div", { class: "controls", role: "group", "aria-label": "Player" }, play, back, on, time, again, speed, sounding && mute, media.kind === "video" && document.fullscreenEnabled && large);
  element?.addEventListener("volumechange", () => {
    mute.setAttribute("aria-pressed", element.muted);
    mute.querySelector("path").setAttribute("d", element.muted ? ICONS.silence : ICONS.sound);
  });
  let shownTime = "";
  return {
    node,
    place(time_s) {
      const words = `${clockTime(time_s, true)} / ${clockTime(clock.duration_s)}`;
      if (words !== shownTime) time.textContent = shownTime = words;
    },
    state() {
      const word = clock.playing ? "Pause" : "Play";
      play.setAttribute("aria-label", word);
      play.title = word;
      play.querySelector("path").setAttribute("d", clock.playing ? ICONS.pause : ICONS.play);
      again.setAttribute("aria-pressed", clock.loop !== null);
      // Backwards, and faster than is offered, time goes too.
      speed.value = String(clock.rate);
    },
    fail() {
      mute.hidden = large.hidden = true;
    },
  };
}

// The file may have moved, or be of a kind that browsers do not play.
function watch(element, signal, { shape, fail }) {
  if (element.tagName === "IMG") {
    element.addEventListener("load", () => shape(element.naturalWidth, element.naturalHeight), { signal });
    element.addEventListener("error", fail, { signal });
    return;
  }
  element.addEventListener("loadedmetadata", () => shape(element.videoWidth, element.videoHeight), { signal });
  const sources = element.querySelectorAll("source");
  sources[sources.length - 1].addEventListener("error", fail, { signal });
}
