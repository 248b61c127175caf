// A job's result on the page: shown, corrected, read again with other signals, and taken away.

import { el } from "../../outputs/page/dom.js";
import { createViewer } from "../../outputs/page/viewer.js";
import { check, get, post, put } from "./api.js";
import { contribution, signalsOf } from "./contribution.js";
import { createEditor } from "./editing.js";
import { createHistory } from "./history.js";

/**
 * @param root is filled with whatever result is open.
 * @returns {{open(status), isOpen(), remember(id, blob)}} `remember` keeps what was recorded live, to be played with its result.
 */
export function createResult(root, options, fail) {
  const recordings = new Map();
  let opened = null;

  function close() {
    opened?.history.close();
    opened?.editor.close();
    opened?.viewer.destroy();
    opened = null;
  }

  async function open(status) {
    try {
      const result = await get(`/api/jobs/${status.id}/result.json`);
      close();
      opened = mount(status, result);
    } catch (error) {
      fail(error);
    }
  }

  function mount({ id, name, has_media }, result) {
    const saved = el("p", { class: "saved note", role: "status" });
    const place = el("div", {});
    const told = { saving: "saving …", saved: "corrections are kept", failed: "not saved; it is tried again" };
    const history = createHistory(result, {
      save: (corrected, keepalive) => put(`/api/jobs/${id}/result`, corrected, { keepalive }),
      state: (state) => (saved.textContent = told[state] ?? ""),
    });
    const switches = el("div", {});
    // What is drawn says nothing to what is read, and may be large.
    const readOf = (some, signals) => post("/api/read", { result: { ...some, tracks: undefined, transcript: undefined }, signals });
    const read = (signals) => readOf(history.result, signals);
    const editor = createEditor(history, { read: async (some) => Object.values((await readOf(some, [signalsOf(some).join("")])).readings)[0] });
    root.hidden = false;
    root.replaceChildren(
      el("header", { class: "taken" }, el("h1", { dir: "auto" }, name), el("div", { class: "tools" }, switches, editor.node, downloads(id, options.formats, { settled: history.settled, fail })), saved),
      place,
    );
    const viewer = createViewer(place, { media: mediaOf(id, name, result, has_media), editor });
    editor.attach(viewer);
    const again = contribution(switches, { read, viewer, fail });
    history.listen((corrected) => {
      viewer.show(corrected);
      again.refresh(corrected);
    });
    viewer.show(result);
    again.refresh(result);
    root.scrollIntoView({ block: "start" });
    return { history, viewer, editor };
  }

  function mediaOf(id, name, { media }, has_media) {
    const recording = recordings.get(id);
    if (!has_media && !recording) return { kind: null, sources: [], name };
    const kind = media.width === null || media.width === undefined ? "audio" : media.duration_s > 0 ? "video" : "img";
    return { kind, sources: [recording ? URL.createObjectURL(recording) : `/api/jobs/${id}/media`], name };
  }

  return { open, isOpen: () => opened !== null, remember: (id, recording) => recordings.set(id, recording) };
}

/** Links to the result in each format; what was corrected last is kept first. */
function downloads(id, formats, { settled, fail }) {
  const take = async (event) => {
    event.preventDefault();
    const { href } = event.currentTarget;
    try {
      await settled();
      // Not every format holds every result: that is to be said, and not to be downloaded.
      await check(href);
      el("a", { href, download: true }).click();
    } catch (error) {
      fail(error);
    }
  };
  const link = (query, words) => el("a", { href: `/api/jobs/${id}/result.${query}`, download: true, onclick: take }, words);
  const item = (format, suffix) => el("li", {}, link(format, suffix));
  return el(
    "details",
    { class: "downloads" },
    el("summary", {}, "Download"),
    el("ul", {}, Object.entries(formats).map(([format, suffix]) => item(format, suffix))),
    el("p", { class: "note" }, "Each holds the corrections. ", link("json?original=1", "The model’s own result"), " is kept beside them. ", el("code", {}, "emoscribe finetune table"), " learns from .emoscribe.json."),
  );
}
