// The page: which view is on, what is dropped where, and what goes wrong.

import { get, post, upload } from "./api.js";
import { createCompare } from "./compare.js";
import { createForm } from "./form.js";
import { createLive } from "./live.js";
import { createQueue } from "./queue.js";
import { createResult } from "./result.js";
import { createText } from "./text.js";

const VIEWS = ["videos", "live", "text", "compare"];
const SUBTITLES = /\.(srt|vtt|ass|eaf|textgrid)$/i;
const DOCUMENT = /\.(pdf|txt|md)$/i;
const RESULT = /\.json$/i;

const find = (selector) => document.querySelector(selector);
const alerted = find(".alert");

function fail(error) {
  alerted.textContent = error.message ?? String(error);
  alerted.hidden = false;
}

function show(view) {
  for (const name of VIEWS) {
    find(`#${name}`).hidden = name !== view;
    const link = find(`nav a[href="#${name}"]`);
    name === view ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  alerted.hidden = true;
}

function followAddress() {
  const view = location.hash.slice(1);
  if (VIEWS.includes(view)) show(view);
}

/** The name without folder and endings, by which files belong together: of `a/b.emoscribe.json` it is `b`. */
export const stem = (name) => name.replace(/^.*[/\\]/, "").replace(/(\.emoscribe|\.corrected)?\.[^.]*$/i, "");

/** Files as they belong together. */
export function sorted(files) {
  const of = (kind) => files.filter(({ name }) => kind.test(name));
  const [subtitles, documents, results] = [of(SUBTITLES), of(DOCUMENT), of(RESULT)];
  const media = files.filter((file) => ![subtitles, documents, results].some((group) => group.includes(file)));
  const beside = (file, others) => others.find((other) => stem(other.name) === stem(file.name)) ?? null;
  return {
    videos: media
      .filter((file) => !beside(file, results))
      .map((file) => ({ file, transcript: beside(file, subtitles) ?? (media.length === 1 ? (subtitles[0] ?? null) : null) })),
    results: results.map((file) => ({ file, media: beside(file, media) ?? (results.length === 1 ? (media[0] ?? null) : null) })),
    documents,
  };
}

/** What is on the page, once the service has told what there is. */
async function build() {
  const options = await get("/api/options");
  const form = createForm(options);
  find("[data-place=form]").replaceChildren(form.node);
  const result = createResult(find("[data-place=result]"), options, fail);
  const queue = createQueue(find("[data-place=queue]"), (status) => result.open(status), {
    isFree: () => !result.isOpen(),
    onfirst: () => (find(".queue").hidden = false),
    onempty: () => (find(".queue").hidden = true),
  });
  const text = createText(find("#text"), fail);
  createCompare(find("#compare"), { jobs: () => get("/api/jobs"), result: (id, query = "") => get(`/api/jobs/${id}/result.json${query}`) });
  createLive(find("#live"), {
    options,
    async onend(id, recording) {
      if (recording) result.remember(id, recording);
      location.hash = "videos";
      await queue.watch(id);
    },
  });
  await queue.restore();
  return { form, queue, text };
}

/** Takes files as they belong together. */
async function take(files, built) {
  alerted.hidden = true;
  const { videos, results, documents } = sorted([...files]);
  const { form, queue, text } = await built;
  if (videos.length || results.length) location.hash = "videos";
  for (const { file, transcript } of videos) queue.add(file, form.settings(), transcript);
  for (const { file, media } of results) {
    const { id } = await upload("/api/results", formOf({ result: file, file: media }), () => {}).done;
    await queue.watch(id);
  }
  for (const file of documents) {
    const { text: paragraphs } = await post("/api/documents", formOf({ file }));
    location.hash = "text";
    text.read(paragraphs);
  }
}

function formOf(parts) {
  const form = new FormData();
  for (const [name, part] of Object.entries(parts)) if (part) form.append(name, part);
  return form;
}

function start() {
  const built = build();
  built.catch(fail);
  const taken = (files) => take(files, built).catch(fail);
  const input = find(".drop input");
  input.addEventListener("change", () => {
    taken([...input.files]);
    input.value = "";
  });
  acceptDrops(taken);
  addEventListener("hashchange", followAddress);
  followAddress();
}

// Files may be dropped anywhere: a page that opens a dropped video instead has lost its work.
function acceptDrops(take) {
  let inside = 0;
  const mark = (change) => document.body.classList.toggle("dropping", (inside += change) > 0);
  addEventListener("dragenter", () => mark(1));
  addEventListener("dragleave", () => mark(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(-inside);
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
  });
}

if (globalThis.document) start();
