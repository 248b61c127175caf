// The queue: what is being uploaded, waits, is analysed or done, each with how far it is.

import { el } from "../../outputs/page/dom.js";
import { follow, get, remove, upload } from "./api.js";

const SAID = { queued: "waiting", running: "", done: "", failed: "failed", cancelled: "cancelled" };

/**
 * @param list the list that it fills.
 * @param open is given the status of a job whose result is to be shown; where `isFree()`, without being asked for.
 * @returns {{add(file, settings, transcript), watch(id), restore()}}
 */
export function createQueue(list, open, { isFree, onempty, onfirst }) {
  let count = 0;

  function place(name) {
    if (count++ === 0) onfirst();
    const row = createRow(name, () => {
      row.node.remove();
      if (--count === 0) onempty();
    });
    list.prepend(row.node);
    return row;
  }

  function watch({ id }, row, eager) {
    row.node.dataset.job = id;
    row.cancelled = () => remove(`/api/jobs/${id}`).catch(() => {});
    row.removed = follow(id, (now) => {
      row.draw(now, () => open(now));
      if (now.state === "done" && (eager === "always" || (eager && isFree()))) open(now);
    });
  }

  return {
    /** Uploads a file and follows its job. */
    async add(file, settings, transcript = null) {
      const form = new FormData();
      for (const [name, value] of Object.entries(settings)) form.append(name, value);
      if (transcript) form.append("transcript", transcript);
      form.append("file", file);
      const row = place(file.name);
      const { done, abort } = upload("/api/analyze", form, (share) => row.draw({ state: "running", stages: { uploading: share } }));
      row.cancelled = abort;
      try {
        watch(await done, row, true);
      } catch (error) {
        if (error.name !== "AbortError") row.draw({ state: "failed", stages: {}, error: error.message });
      }
    },
    /** Follows a job that is there already, and shows what comes of it. */
    async watch(id) {
      const status = await get(`/api/jobs/${id}`);
      watch(status, place(status.name), "always");
    },
    /** Follows all jobs that the service has, as after the page was loaded anew. */
    async restore() {
      for (const status of await get("/api/jobs")) watch(status, place(status.name), false);
    },
  };
}

function createRow(name, gone) {
  const state = el("span", { class: "state", role: "status" });
  const bars = el("ul", { class: "stages" });
  const title = el("span", { class: "title", dir: "auto" }, name);
  const row = {
    cancelled: () => {},
    removed: () => {},
    draw(status, open = null) {
      const { state: now, error, place, remaining_s, stages } = status;
      row.node.className = `job ${now}`;
      const left = now === "running" && remaining_s ? `about ${inWords(remaining_s)} left` : SAID[now];
      state.textContent = error ?? (place > 1 ? `${place - 1} before it` : left);
      title.replaceChildren(
        now === "done" && open ? el("button", { type: "button", class: "open", onclick: open }, name) : name,
      );
      bars.replaceChildren(
        ...(now === "running" ? Object.entries(stages).filter(([stage, done]) => !(stage.startsWith("loading") && done >= 1)) : []).map(
          ([stage, done]) => el("li", {}, el("label", {}, el("span", {}, stage), el("progress", { max: 1, value: done }))),
        ),
      );
      row.drop.textContent = now === "queued" || now === "running" ? "Cancel" : "Remove";
    },
  };
  row.drop = el(
    "button",
    {
      type: "button",
      "aria-label": `Cancel or remove ${name}`,
      onclick() {
        row.removed();
        row.cancelled();
        gone();
      },
    },
    "Cancel",
  );
  row.node = el("li", { class: "job queued" }, title, row.drop, state, bars);
  return row;
}

/** `40 s`, `3 min`. */
export function inWords(s) {
  return s < 90 ? `${Math.max(1, Math.round(s))} s` : `${Math.round(s / 60)} min`;
}
