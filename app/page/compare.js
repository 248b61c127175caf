// Two results on one axis of time: two videos, two runs, before and after correction.

import { createClock } from "../../outputs/page/clock.js";
import { button, clockTime, el, laneNames, reading } from "../../outputs/page/dom.js";
import { describeAt, peopleLanes } from "../../outputs/page/emotions.js";
import { createInk } from "../../outputs/page/ink.js";
import { createKeys } from "../../outputs/page/keys.js";
import { createLanes } from "../../outputs/page/lanes.js";
import { createMinimap } from "../../outputs/page/minimap.js";
import { palette } from "../../outputs/page/palette.js";
import { mediaElement } from "../../outputs/page/player.js";
import { section } from "../../outputs/page/sections.js";
import { createSpan } from "../../outputs/page/span.js";
import { agreement, differences } from "./agreement.js";

// How far the second video may run from the first, in seconds, before it is put right.
const DRIFT_S = 0.15;
const MOST_LISTED = 200;
const MOST_LETTERS = 26;
const NAMES = ["first", "second"];

/**
 * @param root is filled whenever it is shown: no longer `hidden`.
 * @param jobs () → promise of the jobs there are; `result` (id, query) → promise of a job's result.
 */
export function createCompare(root, { jobs, result }) {
  const selects = NAMES.map(() => el("select", { onchange: show }));
  const note = el("p", { class: "note", role: "status" });
  const place = el("div", { class: "viewer" });
  const fields = selects.map((select, i) => el("label", { class: "field" }, el("span", {}, NAMES[i]), select));
  root.replaceChildren(el("div", { class: "compared" }, fields), note, place);
  let drawn = null;
  let choices = [];
  let asked = 0;

  async function refresh() {
    try {
      choices = choicesOf((await jobs()).filter(({ state }) => state === "done"));
    } catch (error) {
      return tell(error.message);
    }
    const before = selects.map(({ value }) => value);
    selects.forEach((select, i) => {
      select.replaceChildren(...choices.map(({ value, label }) => el("option", { value }, label)));
      const wanted = choices.some(({ value }) => value === before[i]) ? before[i] : choices[Math.min(i, choices.length - 1)]?.value;
      if (wanted !== undefined) select.value = wanted;
      select.disabled = choices.length < 2;
    });
    if (choices.length < 2) {
      clear();
      return tell("Two results are compared: analyse a second video, read one with another run, or correct a result. Kept results (.json) can be dropped on the page.");
    }
    await show();
  }

  async function show() {
    const mine = ++asked;
    const [first, second] = selects.map(({ value }) => choices.find((one) => one.value === value));
    try {
      const results = await Promise.all([first, second].map(({ id, query }) => result(id, query)));
      if (mine !== asked) return;
      clear();
      tell("");
      drawn = compare(place, [first, second].map((choice, i) => ({ ...choice, result: results[i] })));
    } catch (error) {
      if (mine === asked) tell(error.message);
    }
  }

  function clear() {
    drawn?.destroy();
    drawn = null;
    place.replaceChildren();
  }

  const tell = (line) => (note.textContent = line);

  // What was corrected since it was last in sight is another result.
  const seen = () => (root.hidden ? clear() : refresh());
  new MutationObserver(seen).observe(root, { attributes: true, attributeFilter: ["hidden"] });
  if (!root.hidden) refresh();
}

/** A job is one result to choose; a corrected one is two.  Of those with one name, the time of day tells which it is. */
function choicesOf(jobs) {
  return jobs.flatMap(({ id, name, corrected, created, has_media }) => {
    const alike = jobs.some((other) => other.id !== id && other.name === name);
    const called = alike ? `${name} (${new Date(1000 * created).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })})` : name;
    const choice = (query, label) => ({ value: id + query, id, query, label, has_media });
    return corrected ? [choice("?original=1", `${called}, as it was read`), choice("", `${called}, corrected`)] : [choice("", called)];
  });
}

/** Draws two results into a place: `[{id, label, result, has_media}]`. */
function compare(place, two) {
  const ended = new AbortController();
  const { signal } = ended;
  const [first, second] = two.map(({ result }) => result);
  const duration_s = Math.max(first.media.duration_s, second.media.duration_s);
  const players = playersOf(two);
  const clock = createClock(players[0] ?? null, duration_s);
  const span = createSpan();
  const view = { clock, span, signal, ink: createInk(place, signal) };
  const tints = palette([...new Set(two.flatMap(({ result }) => laneNames(result)))]);
  const found = differences(first, second);

  const describe = (time_s) => two.map(({ result }) => describeAt(result, time_s)).join(" · ");
  const lanes = createLanes(view, { name: "Two readings over time", describe });
  const minimap = createMinimap(view);
  const now = el("p", { class: "told-apart", "aria-hidden": "true" });
  const list = differenceList(found, two, clock);
  const overTime = section("Over time", minimap.tools, el("figure", {}, minimap.node, lanes.node, el("figcaption", {}, "One axis for both. The red lane is where they are read differently.")));
  const apart = section("Read differently", null, el("p", { class: "agreement" }, inWords(first, second, found.length)), list.node);
  const screens = el("div", { class: "screens" }, players.map((player, i) => el("figure", {}, player, players.length > 1 && el("figcaption", { dir: "auto" }, two[i].label))));
  const { node: dialog, keys } = createKeys(place, signal);
  place.replaceChildren(overTime, now, screens, apart, dialog);

  const how = { tints, ink: view.ink, isDim: () => false };
  const named = (lane, i) => ({ ...lane, label: lane.label === "read as" ? NAMES[i] : `${NAMES[i]} · ${lane.label}` });
  const drawn = two.flatMap(({ result }, i) =>
    peopleLanes({ ...result, media: { ...result.media, duration_s } }, how).map((lane) => named(lane, i)),
  );
  const marks = { label: "differ", kind: "few", draw: differMarks(found, view.ink) };
  span.fit(duration_s);
  place.style.setProperty("--gutter", Math.min(Math.max(...drawn.map(({ label }) => label.length)), MOST_LETTERS));
  lanes.show([...drawn, marks]);
  minimap.show(marks.draw);

  clock.listen((time_s) => {
    now.textContent = `${clockTime(time_s, true)}  ${describe(time_s)}`;
    list.mark(time_s);
    if (clock.playing) span.reveal(time_s);
  });
  follow(clock, players[1]);
  const step = (by) => {
    const before = (one) => one.start_s < clock.now - 0.01;
    const next = by > 0 ? found.find((one) => one.start_s > clock.now + 0.01) : found.findLast(before);
    if (next) clock.seek(next.start_s);
    if (next) span.reveal(next.start_s);
  };
  const shortcuts = [
    [" ", "play, pause", clock.toggle],
    ["ArrowLeft", "a second back, on", () => clock.seek(clock.now - 1)],
    ["ArrowRight", "a second back, on", () => clock.seek(clock.now + 1)],
    ["n", "next, previous difference", () => step(1)],
    ["N", "next, previous difference", () => step(-1)],
    ["+", "zoom in, out, show all", () => span.zoom(0.5, clock.now)],
    ["-", "zoom in, out, show all", () => span.zoom(2, clock.now)],
    ["a", "zoom in, out, show all", () => span.set(0, span.duration_s)],
  ];
  for (const [key, about, run] of shortcuts) keys.set(key, { about, run });
  clock.seek(0);

  return {
    destroy() {
      clock.close();
      ended.abort();
    },
  };
}

/** The video of each, or one where both are of the same; the second is silent. */
function playersOf(two) {
  const shown = two[0].id === two[1].id ? two.slice(0, 1) : two;
  return shown
    .filter(({ has_media, result }) => has_media && result.media.duration_s > 0)
    .map(({ id, label, result }, i) => {
      const player = mediaElement({ kind: result.media.width ? "video" : "audio", sources: [`/api/jobs/${id}/media`], name: label });
      player.controls = i === 0;
      player.muted = i > 0;
      return player;
    });
}

// The second goes where the first is.
function follow(clock, player) {
  if (!player) return;
  clock.listen((time_s) => {
    if (player.readyState > 0 && Math.abs(player.currentTime - time_s) > DRIFT_S && time_s <= player.duration) player.currentTime = time_s;
  });
  clock.changed(() => {
    player.playbackRate = Math.abs(clock.rate) || 1;
    clock.playing && clock.rate > 0 ? player.play().catch(() => {}) : player.pause();
  });
}

const differMarks = (found, ink) => ({ context, x, height, from_s, to_s }) => {
  context.fillStyle = ink().mark;
  for (const { start_s, end_s } of found) {
    if (end_s < from_s || start_s > to_s) continue;
    context.fillRect(x(start_s), 4, Math.max(x(end_s) - x(start_s) - 1, 1), height - 4);
  }
};

function inWords(first, second, count) {
  const { both_s, differ_s, kappa, apart } = agreement(first, second);
  if (!both_s) return "There is no time at which both are read as anything.";
  const told = [`For ${lasting(differ_s)} of the ${lasting(both_s)} that both are read as something (${Math.round((100 * differ_s) / both_s)} %), in ${count === 1 ? "one stretch" : `${count} stretches`}.`];
  if (kappa !== null) told.push(`Cohen’s kappa is ${kappa.toFixed(2)}: 1 is agreement throughout, 0 what two come to by chance who give each label for as long as these do; every second counts alike.`);
  if (apart !== null) told.push(`The ratings lie ${apart.toFixed(2)} apart on average; what is more than a quarter of the scale apart counts as different.`);
  if (String(first.labels) !== String(second.labels)) told.push("They were read with other labels, so there is little they can agree on.");
  return told.join(" ");
}

const lasting = (s) => (s < 60 ? `${s.toFixed(1)} s` : clockTime(s));

/** The differences, to go to; the one that is on is marked. */
function differenceList(found, two, clock) {
  const items = found.slice(0, MOST_LISTED).map(({ start_s, end_s, one, other }) => {
    const [a, b] = [two[0].result.segments[one], two[1].result.segments[other]];
    const go = button(clockTime(start_s, true), () => clock.seek(start_s), { class: "plain", "aria-label": `Go to ${clockTime(start_s, true)}` });
    const item = el("li", {}, go, el("span", { class: "pair" }, el("b", {}, reading(a)), " → ", el("b", {}, reading(b))), (a.text || b.text) && el("q", { dir: "auto" }, b.text || a.text));
    return { start_s, end_s, item };
  });
  const left = found.length - items.length;
  const node = el("div", {}, el("ol", { class: "differences" }, items.map(({ item }) => item)), left > 0 && el("p", { class: "note" }, `and ${left} more`));
  let on = null;
  return {
    node,
    mark(time_s) {
      const now = items.find(({ start_s, end_s }) => time_s >= start_s - 1e-6 && time_s < end_s)?.item ?? null;
      if (now === on) return;
      on?.removeAttribute("aria-current");
      now?.setAttribute("aria-current", "true");
      on = now;
    },
  };
}
