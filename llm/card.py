"""The model card of a run: what it is, what it was made of, what it may not be used for.

Says what the run knows and nothing else; what is not known is left out.
"""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from .run import Run

# What the hub calls licences, of those that adapters and their data have; the rest are "other".
HUB_LICENCES = (
    "apache-2.0",
    "mit",
    "cc0-1.0",
    "cc-by-4.0",
    "cc-by-sa-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "gpl-3.0",
    "llama3",
)
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")

SIGNALS = {"T": "what was said", "V": "how the face looked", "A": "how the voice sounded"}

# A label with a smaller share of the training data is named as rare.
RARE = 0.05

PICTURE = "curves.svg"


def model_card(run: Run) -> str:
    """The card in Markdown, with the hub's YAML in front.

    Reads what is there of these, as `finetune` leaves them: in `run.training`
    `data` (a mapping a corpus and split, with `corpus`, `split`, `clips`,
    `labels`, `licence`, `fingerprint`), `modalities`, `settings`, `versions`
    and `seconds`; in `run.metrics` `selected_on` (the measure that the epoch
    was chosen by), `best_epoch`, `epochs` and `dev`.
    """
    parts = (_front(run), _title(run), _data(run), _recipe(run), _scores(run), _reads(run), _use(run), _limits(run))
    return "\n\n".join(part for part in parts if part) + f"\n\n{NOT_FOR}\n"


NOT_FOR = """\
## Not for

Decisions about people (hiring, schooling, policing, health, credit), lie detection or surveillance. Inferring people's
emotions at work or in education is forbidden in the European Union (AI Act, Article 5(1)(f); medical and safety
reasons aside)."""


# ── what it is ───────────────────────────────────────────────────────────────


def _front(run: Run) -> str:
    front: dict[str, Any] = {"library_name": "peft", "pipeline_tag": "text-classification"}
    if HUB_ID.fullmatch(run.base.id):
        front = {"base_model": run.base.id, **front}
    if run.licence:
        known = run.licence.strip().casefold() in HUB_LICENCES
        front |= {"license": run.licence.strip().casefold()} if known else {"license": "other"}
        front |= {} if known else {"license_name": _line(run.licence)}
    front["tags"] = ["emoscribe", "lora", "emotion-recognition", "affective-computing"]
    return f"---\n{_yaml(front)}---"


def _title(run: Run) -> str:
    base = _text(run.base.id)
    if HUB_ID.fullmatch(run.base.id):
        base = f"[{base}](https://huggingface.co/{run.base.id})"
    head = {
        "classification": "and a classification head ",
        "label-words": "that scores each label by how likely its words are as the answer, ",
    }[run.head.kind]
    lines = [
        f"# {_text(run.name)}",
        f"Reads {_signals(run)} in words, and gives a probability for each of {len(run.labels)} labels (set "
        f"“{_text(run.label_set)}”): {', '.join(map(_text, run.labels))}.",
        f"A LoRA adapter{_lora(run)} {head}for {base} (weights sha256 `{run.base.sha256}`). The base is not included.",
    ]
    if run.licence:
        lines.append(f"**Licence:** {_text(run.licence)}")
    return "\n\n".join(lines)


def _signals(run: Run) -> str:
    letters = run.training.get("modalities")
    known = [SIGNALS[letter] for letter in letters if letter in SIGNALS] if isinstance(letters, str) else []
    return _listed(known) or "what was perceived of a moment"


def _lora(run: Run) -> str:
    lora = _mapping(_training(run).get("lora"))
    targets = lora.get("target_modules")
    known = [f"rank {lora['rank']}" if "rank" in lora else "", f"α {lora['alpha']}" if "alpha" in lora else ""]
    known += ["rank-stabilised" if lora.get("rank_stabilized") else ""]
    known += ["on every linear layer" if targets == "all-linear" else f"on {_listed(targets)}" if targets else ""]
    inside = ", ".join(each for each in known if each)
    return f" ({_text(inside)})" if inside else ""


# ── what it was made of ──────────────────────────────────────────────────────


def _data(run: Run) -> str:
    rows = _parts(run)
    if not rows:
        return ""
    lines = ["## Data", ""]
    lines += _table(
        ("corpus", "split", "clips", "labels", "licence"),
        [
            (
                _text(part.get("corpus", "")),
                _text(part.get("split", "")),
                _number(part.get("clips")),
                ", ".join(f"{_text(label)} {_number(count)}" for label, count in _mapping(part.get("labels")).items()),
                _text(part.get("licence", "")),
            )
            for part in rows
        ],
    )
    prints = [
        f"{_text(part.get('corpus', ''))} {_text(part.get('split', ''))} `{_code(part['fingerprint'])}`"
        for part in rows
        if part.get("fingerprint")
    ]
    if prints:
        lines += ["", f"Fingerprints of what was read: {'; '.join(prints)}."]
    return "\n".join(lines)


def _recipe(run: Run) -> str:
    settings, versions, seconds = (run.training.get(key) for key in ("settings", "versions", "seconds"))
    lines = []
    if run.seeds:
        lines.append(f"Seed{'s' if len(run.seeds) > 1 else ''} {_listed(run.seeds)}.")
    if isinstance(seconds, (int, float)):
        lines.append(f"Trained for {_duration(seconds)}.")
    if versions:
        lines.append(f"With {', '.join(f'{_text(name)} {_text(of)}' for name, of in _mapping(versions).items())}.")
    body = [" ".join(lines)] if lines else []
    if settings:
        body.append(_fenced(settings))
    return "\n\n".join(["## Recipe", *body]) if body else ""


# ── how good it is, as far as is known ───────────────────────────────────────


def _scores(run: Run) -> str:
    metrics = run.metrics
    epochs = [each for each in _sequence(metrics.get("epochs")) if isinstance(each, Mapping)]
    final = _mapping(metrics.get("dev"))
    if not epochs and not final:
        return ""
    measure = metrics.get("selected_on")
    by = f" by {_metric(measure)}" if measure else ""
    lines = [
        "## Scores on what was held out",
        "",
        f"The epoch was chosen{by} on the clips that these scores are of, so they flatter. In 0–1.",
    ]
    if final:
        lines += ["", *_table(("measure", "score"), [(_metric(name), _number(value)) for name, value in final.items()])]
    if epochs:
        measured = [_measured(each, measure) for each in epochs]
        names = list(dict.fromkeys(name for each in measured for name in each))
        # The others are in the history, and in the picture.
        names = [measure] if measure in names else names[:5]
        rows = []
        for place, (each, dev) in enumerate(zip(epochs, measured, strict=True), start=1):
            best = "best_epoch" in metrics and each.get("epoch") == metrics["best_epoch"]
            cells = [str(place), _number(each.get("loss")), *(_number(dev.get(name)) for name in names)]
            rows.append([f"**{cell}**" if best and cell else cell for cell in cells])
        lines += ["", *_table(("epoch", "training loss", *map(_metric, names)), rows)]
        if any(row[0].startswith("**") for row in rows):
            lines += ["", "The epoch in bold is the one kept."]
    if run.temperature != 1.0:
        lines += ["", f"Logits are divided by a temperature of {run.temperature:g}, fitted on what was held out."]
    if (run.folder / PICTURE).is_file():
        lines += ["", f"![Loss, what was measured on dev, and learning rate over the updates]({PICTURE})"]
    return "\n".join(lines)


def _measured(epoch: Mapping[str, Any], metric: Any) -> Mapping[str, Any]:
    """What was measured after an epoch, also where it is a number alone."""
    dev = epoch.get("dev")
    return {str(metric or "dev"): dev} if isinstance(dev, (int, float)) else _mapping(dev)


# ── how it is used ───────────────────────────────────────────────────────────


def _reads(run: Run) -> str:
    turns = run.prompt.context_turns
    before = {0: "no preceding turns", 1: "the preceding turn"}.get(turns, f"{turns} preceding turns")
    lines = [
        "## What it reads",
        "",
        f"Prompts of the template `{_code(run.prompt.template)}` with {before}. `emoscribe prompt` prints them.",
    ]
    letters = run.training.get("modalities") or "TVA"
    engines = {"T": run.extractors.speech, "V": run.extractors.face, "A": run.extractors.voice}
    named = [f"{each.engine} ({SIGNALS[letter]})" for letter, each in engines.items() if each and letter in letters]
    if named:
        lines += ["", f"Its extractors: {', '.join(named)}. Others perceive differently, and so word differently."]
    return "\n".join(lines)


def _use(run: Run) -> str:
    name = shlex.quote(_line(run.name))
    corpus = next((part["corpus"] for part in _parts(run) if part.get("corpus")), "CORPUS")
    return "\n".join(
        [
            "## Use",
            "",
            "From the folder that holds this one:",
            "",
            "```sh",
            f"emoscribe analyze VIDEO --run {name}",
            f"emoscribe evaluate {shlex.quote(_line(corpus))} --data DIR --split test --run {name} --out REPORT",
            "```",
        ]
    )


def _limits(run: Run) -> str:
    clips = {
        f"{part.get('corpus')} {part.get('split')}": part["clips"]
        for part in _parts(run)
        if part.get("split") != "train" and isinstance(part.get("clips"), int)
    }
    held_out = ", ".join(f"{_text(name)} ({_number(count)} clips)" for name, count in clips.items())
    lines = [
        "## Limits",
        "",
        "- A label is this model's reading of words about what was said, seen and heard: not what somebody feels, nor"
        " what they mean.",
    ]
    if held_out:
        lines.append(
            f"- Measured on {held_out} and, as far as this card knows, on nobody else: expect less of other people,"
            " languages, recordings and occasions."
        )
    if rare := _rare(run):
        lines.append(f"- Rare in training, and so the least to be trusted: {rare}.")
    lines.append(
        "- Whether it errs more for some people than for others (age, sex, skin colour, culture) was not measured."
    )
    return "\n".join(lines)


def _rare(run: Run) -> str:
    """Labels of the run that make up little of the training data, with how often they occur."""
    counts = dict.fromkeys(run.labels, 0)
    for part in _parts(run):
        if part.get("split") == "train":
            for label, count in _mapping(part.get("labels")).items():
                if label in counts and isinstance(count, int):
                    counts[label] += count
    total = sum(counts.values())
    rare = [label for label, count in counts.items() if count < RARE * total]
    return ", ".join(f"{_text(label)} ({_number(counts[label])} of {_number(total)} clips)" for label in rare)


# ── what is there of it ──────────────────────────────────────────────────────


def _parts(run: Run) -> list[Mapping[str, Any]]:
    return [part for part in _sequence(run.training.get("data")) if isinstance(part, Mapping)]


def _training(run: Run) -> Mapping[str, Any]:
    """The settings of the loop, also where they are a section of the command's."""
    settings = _mapping(run.training.get("settings"))
    return _mapping(settings.get("training")) or settings


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


# ── in Markdown ──────────────────────────────────────────────────────────────


def _line(value: Any) -> str:
    return " ".join(str(value).split())


def _text(value: Any) -> str:
    """A name from data, which must stay a name: no markup, no HTML, no second cell."""
    return re.sub(r"([\\`*_{}\[\]|~]|^[#+-])", r"\\\1", html.escape(_line(value), quote=False))


def _code(value: Any) -> str:
    return _line(value).replace("`", "'")


def _metric(name: Any) -> str:
    """`weighted_f1` as people write it."""
    if name == "mean":
        return "the mean over the corpora, each read by what its labels are about"
    return _text(re.sub(r"\bf1\b", "F1", str(name).replace("_", " ")))


def _number(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _text(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:.3f}"


def _duration(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} second{'' if round(seconds) == 1 else 's'}"


def _listed(values: Any) -> str:
    names = [str(value) for value in values]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *rows)]


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10**6)


def _fenced(value: Any) -> str:
    # Strings in YAML keep their line breaks escaped, so none of them ends the block.
    return f"```yaml\n{_yaml(value)}```"
