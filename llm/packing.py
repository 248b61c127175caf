"""Making a pack of a run: merged, exported, compared with what it was made from, and quantised as far as labels stay.

Nothing is taken on trust: what onnxruntime reads must give the run's scores,
on lines of every length, and eight bits are kept where labels were seen to
stay the same.
"""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.context import DEFAULT, Context
from ..core.errors import EmoscribeError, SettingsError
from ..core.files import atomic_path, check_folder, make_folder, passing_folder, plain, write_json, write_text, writing
from ..core.prompt import Prompt, Scored
from ..core.timeline import Moment
from ..core.weights import MODELS, find_base
from ..prompts.render import render
from ..training.curves import FIGURE
from ..training.traces import TRACES
from .manifest import listed
from .pack import BASE, MEMORY, MODEL, PACK, Agreement, Pack, Precision, check_onnxruntime
from .pack_card import pack_card
from .packed import PackedPredictor, load_packed, network_of
from .run import NORMS, TextRun

if TYPE_CHECKING:
    from .predictor import TextPredictor

# How far a score in float32 may be from the run's: sums in another order, and nothing else.
MOST_DIFFERENCE = 1e-4

# The share of texts whose answer has to stay for weights to be kept in eight bits, and how many texts can tell it:
# of two hundred, one in a hundred is two.
LEAST_AGREEMENT = 0.99
FEWEST_TEXTS = 200

# One file of ONNX holds less than 2 GB.
MOST_BYTES = 2**31 - 2**24

# What is tried, the smallest first, by the operations whose weights it leaves to eight bits.
_QUANTIZED: dict[Precision, tuple[str, ...]] = {
    "int8": ("MatMul", "Gemm", "Gather"),
    "int8-embeddings": ("Gather",),
}

# Of the base, what a tokenizer is read from, and what it may be used for.
_OF_BASE = ("config.json", "tokenizer.json", "tokenizer_config.json", "README.md", "LICEN[CS]E*", "NOTICE*")
_OF_RUN = (NORMS, TRACES, FIGURE, "LICEN[CS]E*", "NOTICE*")

_PACKAGES = ("emoscribe", "torch", "onnx", "onnxruntime")


@dataclass(frozen=True)
class Texts:
    """What a pack is compared on.

    Attributes:
        name: whose clips they are, in words.
    """

    name: str
    prompts: Sequence[Prompt]


def make_pack(
    run: TextRun,
    out: Path,
    texts: Texts | None = None,
    *,
    precision: Precision | None = None,
    context: Context = DEFAULT,
) -> TextRun:
    """Write a pack of a run into a folder, which is not there or empty; the run that the pack is.

    Args:
        texts: what it is to answer as the run does; without them everything stays in float32.
        precision: the one to have; by default the smallest at which `LEAST_AGREEMENT` of the answers stay.

    Raises:
        SettingsError: the run is of a kind that has no pack, or the folder is taken.
        UnavailableError: the base model, or a package that makes packs, is not here.
        EmoscribeError: what was written out does not give the run's scores, or eight bits too few of its answers.
    """
    check_packable(run)
    check_free(out)
    check_onnxruntime(making=True)
    from .predictor import load_predictor

    predictor = load_predictor(run, Context(device="cpu", offline=context.offline, progress=context.progress))
    make_folder(out.absolute().parent)
    # Libraries that write do not say what they could not write.
    with writing(out), passing_folder(beside=out.absolute().parent) as passing:
        folder = passing / run.name
        folder.mkdir()
        _copy(run, find_base(run.base.id, run.base.sha256, context), folder)
        _write_out(predictor, folder)
        pack = _compared(predictor, folder, texts, precision, context)
        write_text(folder / "README.md", pack_card(run, pack))
        pack = pack.model_copy(update={"files": listed(folder)})
        write_json(folder / PACK, plain(pack.model_dump(mode="json")))
        if out.is_dir():
            out.rmdir()
        with atomic_path(out) as moved:
            folder.rename(moved)
    return TextRun.load(out)


def check_packable(run: TextRun) -> None:
    """
    Raises:
        SettingsError: the run is of a kind that has no pack.
    """
    if run.pack is not None:
        raise SettingsError(f"run {run.name} is a pack already; name the run that it was made from")
    if run.head.kind == "label-words":
        raise SettingsError(
            f"run {run.name} scores the words of each label by a causal model (head.kind label-words), with a cache "
            "that a pack cannot hold; pack a run with a classification head, or deploy this one as it is"
        )
    if run.base.quantization != "none":
        raise SettingsError(
            f"run {run.name} was trained on a base in four bits ({run.base.quantization}), which needs a GPU to be "
            "read; a pack is read on the processor: deploy this run as it is"
        )


def check_free(out: Path) -> None:
    """
    Raises:
        SettingsError: the folder is a file, or holds something.
    """
    check_folder(out)
    if out.is_dir() and any(out.iterdir()):
        raise SettingsError(f"--out {out} holds files already; choose another folder")


def _copy(run: TextRun, base: Path, folder: Path) -> None:
    """The run's description and what stands beside it, and of the base all but its weights."""
    run.model_copy(update={"folder": folder}).save()
    (folder / BASE).mkdir()
    for source, target, patterns in ((run.folder, folder, _OF_RUN), (base, folder / BASE, _OF_BASE)):
        for path in (found for pattern in patterns for found in source.glob(pattern)):
            if path.is_file():
                shutil.copyfile(path, target / path.name)


# ── the model ────────────────────────────────────────────────────────────────


def _write_out(predictor: TextPredictor, folder: Path) -> None:
    from .exporting import export_memory, export_model
    from .heads import Classification

    size = 4 * predictor.sizes["parameters"]
    if size > MOST_BYTES:
        raise EmoscribeError(
            f"run {predictor.run.name} has {size / 1e9:.1f} GB in float32, and one file of ONNX holds 2 GB; "
            "deploy this run as it is"
        )
    model = predictor.model
    assert isinstance(model, Classification)
    name = predictor.run.name
    export_model(model, predictor.tokenizer(_lines(predictor.run)[:2]), folder / MODEL, name)
    if model.head.memory is not None:
        export_memory(model.head.memory, folder / MEMORY, name)


def _compared(
    predictor: TextPredictor, folder: Path, texts: Texts | None, wanted: Precision | None, context: Context
) -> Pack:
    """The description of what is kept in the folder: as exported, or in eight bits."""
    run, lines = predictor.run, _lines(predictor.run)
    licences = {"adapter": run.licence, "base": MODELS[run.base.id].licence if run.base.id in MODELS else ""}
    pack = Pack(
        precision="float32",
        parameters=int(predictor.sizes["parameters"]),
        export_difference=0.0,
        frame=predictor.tokenizer.frame,
        licences={part: licence for part, licence in licences.items() if licence},
        made_with={package: importlib.metadata.version(package) for package in _PACKAGES},
        files=listed(folder),
    )
    packed = load_packed(run.model_copy(update={"folder": folder}), pack)
    prompts = [*lines, *(texts.prompts if texts else ())]
    before = predictor.predict(prompts, progress=context.stage("reading as the run"))
    after = packed.predict(prompts, progress=context.stage("reading as the pack"))
    difference = _difference(before, after)
    if not difference <= MOST_DIFFERENCE:
        raise EmoscribeError(
            f"run {run.name} cannot be packed: written out for onnxruntime, its base {run.base.id} gives scores that "
            f"are {difference:.2g} off; deploy this run as it is"
        )
    pack = pack.model_copy(update={"export_difference": difference})
    if texts is None or run.task == "number":
        if wanted not in (None, "float32"):
            what = "gives ratings, not labels" if run.task == "number" else "can be compared on nothing without --data"
            raise SettingsError(f"--precision {wanted} is for labels that stay, and run {run.name} {what}; use float32")
        return pack
    answers = _Answers(texts, before[len(lines) :])
    return _quantized(replace(packed, pack=pack), answers, after[len(lines) :], wanted, context)


@dataclass(frozen=True)
class _Answers:
    """What the run answers to texts."""

    texts: Texts
    given: Sequence[Scored]

    def shared(self, others: Sequence[Scored]) -> float:
        """The share of texts to which others answer the same."""
        return sum(a.answer == b.answer for a, b in zip(self.given, others, strict=True)) / len(self.given)

    def agreement(self, others: Sequence[Scored], tried: Mapping[Precision, float]) -> Agreement:
        """How others agree, for the pack's description."""
        return Agreement(
            data=self.texts.name,
            texts=len(others),
            answers=self.shared(others),
            difference=_difference(self.given, others),
            tried=tried,
        )


def _quantized(
    packed: PackedPredictor,
    answers: _Answers,
    exported: Sequence[Scored],
    wanted: Precision | None,
    context: Context,
) -> Pack:
    """The description of the smallest model at which enough answers stay, which is then the one in the folder.

    Args:
        packed: as it was written out,
        exported: and what it answers.
    """
    from .exporting import quantize

    folder, texts, tried = packed.run.folder, answers.texts, {}
    enough = len(texts.prompts) >= FEWEST_TEXTS
    if wanted not in (None, "float32") and not enough:
        raise SettingsError(
            f"--precision {wanted} needs {FEWEST_TEXTS} texts to be compared on, and {texts.name} has "
            f"{len(texts.prompts)}; give more, or use float32"
        )
    for precision, operations in _QUANTIZED.items() if enough else ():
        if wanted not in (None, precision):
            continue
        smaller = folder / f"{precision}.onnx"
        quantize(folder / MODEL, smaller, operations)
        scored = replace(packed, model=network_of(packed.run, smaller.name)).predict(
            texts.prompts, progress=context.stage(f"reading in {precision}")
        )
        tried[precision] = round(answers.shared(scored), 4)
        if tried[precision] >= LEAST_AGREEMENT:
            smaller.replace(folder / MODEL)
            agreement = answers.agreement(scored, tried)
            return packed.pack.model_copy(update={"precision": precision, "agreement": agreement})
        smaller.unlink()
    if wanted not in (None, "float32"):
        raise EmoscribeError(
            f"in {wanted}, run {packed.run.name} keeps {tried[wanted]:.2%} of its answers to {texts.name}, and "
            f"{LEAST_AGREEMENT:.0%} are asked for; use float32"
        )
    return packed.pack.model_copy(update={"agreement": answers.agreement(exported, tried)})


def _difference(one: Sequence[Scored], other: Sequence[Scored]) -> float:
    """Of any score, or rating, at most."""
    return max((abs(x - y) for a, b in zip(one, other, strict=True) for x, y in _numbers(a, b)), default=0.0)


def _numbers(one: Scored, other: Scored) -> Iterator[tuple[float, float]]:
    if one.rating is not None and other.rating is not None:
        yield one.rating, other.rating
    yield from zip(one.scores.values(), other.scores.values(), strict=True)


def _lines(run: TextRun) -> list[Prompt]:
    """Prompts of every length, with and without each signal, one after another in a talk."""
    faces = (None, "lip corner puller (smile), cheek raiser", "no face seen", "strong brow lowerer (frown), lips part")
    voices = ("loud, high, fast", None, "low, soft, slow", "an even, medium voice")
    said = ("Oh no!", "I really thought he would come back.", "", "What? “No” — never… 信じられない", "Well. " * 400)
    moments = [
        Moment(
            number,
            number + 1.0,
            "AB"[number % 2],
            text if "T" in run.modalities or not number else None,
            faces[number % 4] if "V" in run.modalities else None,
            voices[number % 4] if "A" in run.modalities else None,
        )
        for number, text in enumerate(said * 3)
    ]
    return [
        render(moments, index, run.prompt, id=str(index), labels=run.labels)
        for index in sorted(range(len(moments)), key=lambda index: len(moments[index].text or ""))
    ]
