// How files are read: the settings of an analysis, and presets of them that this browser keeps.

import { el } from "../../outputs/page/dom.js";

const KEPT = "emoscribe.presets";
const SIGNALS = [["T", "words"], ["V", "face"], ["A", "voice"]];

/**
 * @param options what `/api/options` tells.
 * @returns {{node, settings()}} settings by their names in the service; those left alone are left out.
 */
export function createForm(options) {
  const run = select("run", "Model", [["", "the default"], ...options.runs.map(({ name }) => [name, name])]);
  const labels = select("labels", "Labels", []);
  const config = select("config", "Config", [["", "the default"], ...options.configs.map((name) => [name, name])]);
  const signals = SIGNALS.map(([letter, name]) => check(letter, name));
  const fields = [
    run,
    labels,
    field("Signals", el("span", { class: "checks", role: "group", "aria-label": "Signals" }, signals.map(({ node }) => node))),
    number("start_s", "From, in seconds"),
    number("end_s", "To, in seconds"),
    number("window", "Windows of so many seconds", "utterances"),
    text("language", "Language", "what is heard"),
    text("speakers", "Speakers", "auto, voices, seen or none"),
    config,
  ];
  const inputs = fields.map(({ input }) => input).filter(Boolean);

  const fit = () => {
    const chosen = options.runs.find(({ name }) => name === run.input.value) ?? options.runs[0];
    const before = labels.input.value;
    const sets = chosen?.label_sets ?? [];
    labels.input.replaceChildren(option("", "the model’s"), ...sets.map((name) => option(name, name)));
    labels.input.value = sets.includes(before) ? before : "";
    for (const { letter, input } of signals) {
      const learnt = !chosen || chosen.modalities.includes(letter);
      input.disabled = !learnt;
      if (!learnt) input.checked = false;
    }
  };
  run.input.addEventListener("change", fit);
  fit();

  const read = () => ({
    ...Object.fromEntries(inputs.map((input) => [input.name, input.value.trim()])),
    signals: signals.filter(({ input }) => input.checked).map(({ letter }) => letter).join(""),
  });
  const write = (values) => {
    for (const input of inputs) input.value = values[input.name] ?? "";
    fit();
    labels.input.value = values.labels ?? "";
    for (const { letter, input } of signals) input.checked = !input.disabled && (values.signals ?? "TVA").includes(letter);
  };

  return {
    node: el("form", { class: "settings", onsubmit: (event) => event.preventDefault() }, fields.map(({ node }) => node), presets(read, write)),
    settings() {
      const { signals: chosen, ...values } = read();
      const learnt = signals.filter(({ input }) => !input.disabled).length;
      const given = Object.entries(values).filter(([, value]) => value !== "");
      return { ...Object.fromEntries(given), ...(chosen && chosen.length < learnt && { modalities: chosen }) };
    },
  };
}

function presets(read, write) {
  const kept = () => JSON.parse(localStorage.getItem(KEPT) ?? "{}");
  const chosen = el("select", { "aria-label": "Preset" });
  const name = el("input", { type: "text", "aria-label": "Name of the preset", placeholder: "name", size: 10 });
  const draw = (current = "") => {
    const names = Object.keys(kept()).sort();
    chosen.replaceChildren(option("", names.length ? "choose …" : "none yet"), ...names.map((one) => option(one, one)));
    chosen.value = current;
  };
  const keep = (presets, current) => {
    localStorage.setItem(KEPT, JSON.stringify(presets));
    draw(current);
  };
  chosen.addEventListener("change", () => chosen.value && write(kept()[chosen.value]));
  const save = () => {
    const title = name.value.trim() || chosen.value;
    if (title) keep({ ...kept(), [title]: read() }, title);
    else name.focus();
    name.value = "";
  };
  const forget = () => {
    const { [chosen.value]: _, ...others } = kept();
    keep(others);
  };
  draw();
  return field(
    "Presets, kept in this browser",
    el("span", { class: "presets" }, chosen, name, button("Keep", save), button("Forget", forget)),
  ).node;
}

const option = (value, label) => el("option", { value }, label);
const button = (label, onclick) => el("button", { type: "button", onclick }, label);

function field(label, node, input = null) {
  return { node: el(input ? "label" : "div", { class: "field" }, el("span", {}, label), node), input };
}

function select(name, label, choices) {
  const input = el("select", { name }, choices.map(([value, shown]) => option(value, shown)));
  return field(label, input, input);
}

function text(name, label, placeholder) {
  const input = el("input", { name, type: "text", placeholder, autocomplete: "off", spellcheck: "false" });
  return field(label, input, input);
}

function number(name, label, placeholder = "") {
  const input = el("input", { name, type: "number", min: 0, step: "any", placeholder, inputmode: "decimal" });
  return field(label, input, input);
}

function check(letter, name) {
  const input = el("input", { type: "checkbox", checked: true });
  return { letter, input, node: el("label", {}, input, ` ${name}`) };
}
