"""One video to its labelled transcript, read as prose.

    video ─ perceive ─▶ cues ─ moments_of ─▶ moments ─ render ─▶ prompts ─ score ─▶ labelled transcript

What can be decided before a video is opened is decided once, in a `Plan`.
"""

from __future__ import annotations

import importlib.metadata
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .core.context import Context, Progress, Store, gpu_is_here, unwatched
from .core.errors import EmoscribeError, SettingsError
from .core.labels import BASIC, LabelSet, compound_from_basic, label_set
from .core.settings import Settings, load
from .core.timeline import Cues, LabelledTranscript, Moment, Prompt, Segment
from .extractors.perceive import decide, identify, perceive
from .extractors.store import CueStore
from .llm.run import Run, answering, find_run
from .llm.settings import AnalyzeSettings
from .outputs.tracks import face_tracks
from .prompts.render import render
from .prompts.settings import PromptSettings
from .textualize.face import UNIT_WORDS
from .textualize.levels import population_norms
from .textualize.moments import moments_of
from .textualize.settings import WordingSettings

if TYPE_CHECKING:
    from .llm.reader import Reader


@dataclass(frozen=True)
class Plan:
    """All that is decided before a video is opened.

    Attributes:
        settings: as asked for, every `auto` resolved.
        run: the adapter that reads.
        labels: the answers there will be.
        wording, prompt: the run's own.
        choices: what `auto` chose and why, a line each.
    """

    settings: AnalyzeSettings
    run: Run
    labels: LabelSet
    wording: WordingSettings
    prompt: PromptSettings
    choices: tuple[str, ...]


def analyze(video: str | Path, config: str | Path = "default", **given: Any) -> LabelledTranscript:
    """The labelled transcript of one video, sound file or picture.

    >>> analyze("interview.mp4", labels="compound").segments[0].label

    Args:
        config: a shipped config's name or a YAML file.
        given: settings that override it (`modalities="TV"`, `offline=True`,
            `windows__window_s=2.0`), `transcript=` a subtitle file and
            `store=` a folder to keep cues in.

    Raises:
        EmoscribeError: the file or a setting is not as it has to be.
    """
    transcript, store = given.pop("transcript", None), given.pop("store", None)
    settings = load(AnalyzeSettings, config, **given)
    context = context_for(settings, CueStore(store) if store is not None else None)
    ((_, result),) = analyze_each([video], make_plan(settings, context), context, transcript=transcript)
    if isinstance(result, EmoscribeError):
        raise result
    return result


def context_for(settings: AnalyzeSettings, store: Store | None = None, progress: Progress = unwatched) -> Context:
    """The circumstances that the settings describe."""
    return Context(settings.model.device, settings.offline, progress, store)


def make_plan(settings: AnalyzeSettings, context: Context) -> Plan:
    """Decide everything that does not depend on the video.

    Raises:
        SettingsError: a setting contradicts the run, or the run cannot give
            those labels.
        UnavailableError: an engine that was asked for by name is not here.
    """
    run = find_run(settings.model.run)
    if run.zero_shot and settings.labels is not None:
        run = answering(run, label_set(settings.labels))
    settings = settings.model_copy(update={"modalities": _modalities_for(run, settings)})
    labels = _labels_from(run, settings.labels)
    wording = _as_trained("wording", settings.wording, run.wording, run)
    prompt = _as_trained("prompt", settings.prompt, run.prompt, run)
    settings, choices = decide(settings, context)
    return Plan(settings, run, labels, wording, prompt, tuple(choices))


def analyze_each(
    videos: Iterable[str | Path],
    plan: Plan,
    context: Context,
    *,
    transcript: str | Path | None = None,
) -> Iterator[tuple[str | Path, LabelledTranscript | EmoscribeError]]:
    """The labelled transcript of each video, or why there is none.

    One bad video does not stop the others.  The language model loads while
    the first one that can be read is being perceived, on a GPU before that,
    and stays.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="loading") as pool:
        loading: Future[Reader] | None = None
        for video in videos:
            try:
                clip = identify(video, context)
                loading = loading or pool.submit(load_model, plan, context)
                if plan.settings.model.device != "cpu" and gpu_is_here():
                    # For weights in bfloat16 `transformers` changes torch's default type, for all threads.
                    loading.result()
                cues = perceive(clip, plan.settings, context, transcript=transcript)
                yield video, label(cues, plan, loading.result(), context)
            except EmoscribeError as error:
                yield video, error


def load_model(plan: Plan, context: Context) -> Reader:
    """The language model that reads; seconds, most of them imports."""
    from .llm.reader import load_reader

    return load_reader(plan.run, context)


def label(cues: Cues, plan: Plan, reader: Reader, context: Context) -> LabelledTranscript:
    """Put the cues into words, let the model read them, and keep its scores."""
    from .llm.score import score

    began = time.perf_counter()
    moments = moments_from(cues, plan)
    prompts = prompts_from(moments, plan)
    scored = score(reader, prompts, batch_tokens=plan.settings.model.batch_tokens, progress=context.stage("reading"))
    scores = [each.scores for each in scored]
    if plan.labels.name != plan.run.label_set:
        scores = [compound_from_basic(each) for each in scores]
    return LabelledTranscript(
        media=cues.media,
        label_set=plan.labels.name,
        labels=plan.labels.labels,
        segments=tuple(Segment(moment, each) for moment, each in zip(moments, scores, strict=True)),
        provenance=_provenance(cues, plan, seconds=time.perf_counter() - began),
        tracks=face_tracks(cues.face, UNIT_WORDS) if cues.face is not None else None,
    )


def moments_from(cues: Cues, plan: Plan) -> list[Moment]:
    """The cues in words, as the run was trained to read them."""
    norms = population_norms(plan.run.norms, f"run {plan.run.name}") if plan.run.norms is not None else None
    return moments_of(cues, plan.settings.windows, plan.wording, norms, plan.settings.modalities)


def prompts_from(moments: Sequence[Moment], plan: Plan) -> list[Prompt]:
    """The exact text the model reads, one prompt a moment."""
    return [
        render(moments, index, plan.prompt, id=f"{moment.start_s:.2f}-{moment.end_s:.2f}", labels=plan.run.labels)
        for index, moment in enumerate(moments)
    ]


# ── what the run says ────────────────────────────────────────────────────────


def _labels_from(run: Run, name: str | None) -> LabelSet:
    """The label set asked for, if the run can give it."""
    if name is None or name == run.label_set:
        return LabelSet(run.label_set, run.labels)
    wanted = label_set(name)
    if wanted.constituents is not None and run.label_set == BASIC.name:
        return wanted
    raise SettingsError(
        f"run {run.name} scores {run.label_set} labels ({', '.join(run.labels)}) and cannot give {name!r} ones; "
        "leave --labels out or choose another --run"
    )


G = TypeVar("G", bound=Settings)


def _modalities_for(run: Run, settings: AnalyzeSettings) -> str:
    """What was asked for, or else what the run was trained on; it cannot read anything else."""
    if "modalities" not in settings.model_fields_set:
        return run.modalities
    untaught = [letter for letter in settings.modalities if letter not in run.modalities]
    if untaught:
        raise SettingsError(
            f"run {run.name} was trained on {run.modalities} and has not learnt to read {', '.join(untaught)}; "
            f"leave modalities to it, or use another run"
        )
    return settings.modalities


def _as_trained(section: str, asked: G | None, trained: G, run: Run) -> G:
    """The run's own settings; a config that contradicts them is refused by name."""
    for key in asked.model_fields_set if asked is not None else ():
        wanted, fixed = getattr(asked, key), getattr(trained, key)
        if wanted != fixed:
            raise SettingsError(
                f"{section}.{key}={wanted} contradicts run {run.name}, which was trained with {fixed}; "
                "leave it out or choose another --run"
            )
    return trained


def _provenance(cues: Cues, plan: Plan, seconds: float) -> dict[str, Any]:
    rule = {} if plan.labels.name == plan.run.label_set else {"rule": "compound scores from basic ones"}
    return {
        "emoscribe": importlib.metadata.version("emoscribe"),
        **cues.provenance,
        "model": {
            "run": plan.run.name,
            "base": plan.run.base.id,
            "sha256": plan.run.base.sha256,
            "label_set": plan.run.label_set,
            "seconds": round(seconds, 2),
            **rule,
        },
        "settings": plan.settings.model_dump(exclude={"wording", "prompt"})
        | {"wording": plan.wording.model_dump(), "prompt": plan.prompt.model_dump()},
        "choices": list(plan.choices),
    }
