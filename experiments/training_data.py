"""What a fine-tuning learns from and is measured on: corpora in words, as labelled examples."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import fmean

from ..core.context import Context
from ..core.errors import EmoscribeError, MediaError, SettingsError
from ..core.labels import label_set
from ..core.prompt import Prompt, Scored
from ..core.settings import validate
from ..core.timeline import FIELD_OF, Moment
from ..corpora.corpus import Corpus, CorpusRequest
from ..corpora.registry import read_corpus, reader
from ..evaluation.predictions import unique_names
from ..llm.batches import Example
from ..llm.learner import LabelledPrompts
from ..llm.run import TextRun
from ..prompts.render import render
from ..textualize.clips import moments_of_clips
from ..textualize.mixture import Labelled, Mixture, MixtureSettings, Signal
from ..training.progress import Metrics
from ..training.run import Task
from .clips import before_each, perceived
from .dev_metrics import Answered, metrics_of, task_of
from .request import TARGETS
from .settings import FinetuneSettings, MixSettings

# By clip id, how likely each label is in a teacher's eyes.
Opinions = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class TrainingCorpus:
    """A corpus, what its labels are about, and how much of it an epoch draws (`None`: all)."""

    name: str
    corpus: Corpus
    teaches: Signal
    examples: int | None = None


@dataclass(frozen=True, eq=False)
class LabelledClip:
    """A clip in words.

    Attributes:
        group: its dialogue or source, which a teacher knows whole or not at all.
        before: the moments before it in its dialogue, in order.
    """

    id: str
    group: str
    labelled: Labelled
    before: Sequence[Moment]

    def with_only(self, letters: str) -> LabelledClip:
        """The clip, and what was before it, without the signals that are not among `letters`."""
        left_out = {field: None for letter, field in FIELD_OF.items() if letter not in letters}
        labelled = replace(self.labelled, moment=replace(self.labelled.moment, **left_out))
        return replace(self, labelled=labelled, before=[replace(moment, **left_out) for moment in self.before])


@dataclass(frozen=True, eq=False)
class TrainingData:
    """A source's labelled clips by split."""

    source: TrainingCorpus
    splits: Mapping[str, Sequence[LabelledClip]]


# ── reading ──────────────────────────────────────────────────────────────────


def read_sources(request: CorpusRequest, settings: FinetuneSettings, context: Context) -> list[TrainingCorpus]:
    """The corpus and those mixed in, all with its labels.

    Raises:
        EmoscribeError: one cannot be read, or has nothing labelled to learn from or choose by.
    """
    name, data = request.name, request.data
    labels = label_set(settings.labels) if settings.labels is not None else None
    asked = replace(request, labels=labels, task=settings.task or "", range=settings.range)
    main = read_corpus(asked, context)
    check_settings(settings, task_of(main), name)
    if main.label_set is not None and len(main.label_set.labels) == 1 and task_of(main) == "labels":
        raise SettingsError(
            f"all clips of {name} in {data} are {main.label_set.labels[0]!r}: there is nothing to tell apart"
        )
    for split in ("train", "dev"):
        if not any(clip.target is not None for clip in main.split(split)):
            raise SettingsError(f"{name} in {data} has no labelled clips in its {split} split; try --folds source")
    sources = [TrainingCorpus(name, main, settings.teaches)]
    for mixed in settings.mix:
        name = mixed.name or mixed.corpus
        if mixed.data is None:
            raise SettingsError(f"where is {name}? Give it with --mix {name}=DIR, or leave it out of the config's mix")
        asked = CorpusRequest(mixed.corpus, mixed.data, columns=mixed.columns, labels=main.label_set)
        corpus = read_corpus(asked, context)
        if not any(isinstance(clip.target, str) for clip in corpus.split("train")):
            raise SettingsError(f"{name} in {mixed.data} has no clips with one label in its train split")
        sources.append(TrainingCorpus(name, corpus, mixed.teaches, mixed.examples))
    # What is remembered of two tables, and measured on each, stays apart.
    names = unique_names([source.name for source in sources])
    return [replace(source, name=name) for source, name in zip(sources, names, strict=True)]


def check_settings(settings: FinetuneSettings, task: Task, name: str) -> None:
    """Raises:
    SettingsError: a setting is about clips with one label each, and these have something else.
    """
    loss = settings.loss
    asked = {
        "mix": settings.mix,
        "mixture": settings.mixture,
        "teachers": settings.teachers,
        "head.kind: label-words": settings.head.kind == "label-words",
        "loss.logit_adjustment": loss.logit_adjustment,
        "loss.label_smoothing": loss.label_smoothing,
        "loss.class_weights": task == "number" and loss.class_weights != "none",
    }
    about_one_label = [what for what, given in asked.items() if given]
    if task != "labels" and about_one_label:
        raise SettingsError(
            f"clips of {name} have {TARGETS[task]} each, and {about_one_label[0]} is for one label a clip; leave it "
            f"out, or choose annotations that are one label with --task ({', '.join(reader(name).tasks)})"
        )


def mixed_in(settings: FinetuneSettings, mixed: Sequence[str]) -> FinetuneSettings:
    """The settings with the corpora of `--mix`: `NAME=DIR` each, or `NAME:V=DIR` where a corpus teaches faces.

    NAME is one of the settings' own mix, which then lies in DIR, or a corpus.

    Raises:
        SettingsError: another form, or an unknown corpus.
    """
    mix = {each.name or each.corpus: each for each in settings.mix}
    given_before = set()
    for assignment in mixed:
        name, equals, folder = assignment.partition("=")
        name, _, teaches = name.partition(":")
        if not equals or not name or not folder or teaches not in ("", "T", "V", "A"):
            raise SettingsError(
                f"--mix takes NAME=DIR, or NAME:V=DIR where its labels are about the face (A the voice, T what is "
                f"said), got {assignment!r}"
            )
        if name in given_before:
            raise SettingsError(f"--mix {name} is given twice; name the corpora apart in a config's mix")
        given_before.add(name)
        given = {"data": folder} | ({"teaches": teaches} if teaches else {})
        known = mix[name].model_dump() if name in mix else {"corpus": reader(name).name, "teaches": "T"}
        mix[name] = validate(MixSettings, known | given, "--mix")
    return validate(FinetuneSettings, {**settings.model_dump(), "mix": tuple(mix.values())}, "--mix")


def training_data_of(
    source: TrainingCorpus, run: TextRun, settings: FinetuneSettings, context: Context
) -> TrainingData:
    """The labelled clips of a source in words, as the run perceives and words them.

    Raises:
        EmoscribeError: a clip's file cannot be perceived.
    """
    splits = {}
    for split in ("train", "dev"):
        clips = source.corpus.split(split)
        seen = perceived(source.corpus, clips, run, settings.modalities, context)
        for id, why in list(seen.failed.items())[:1]:
            raise EmoscribeError(
                f"{len(seen.failed)} clips of {source.name} cannot be perceived, the first {id}: {why}"
            )
        words = (clips, seen.cues, source.corpus.voice)
        moments = moments_of_clips(*words, run.wording, run.population, settings.modalities)
        voices: list[str | None] = [None] * len(clips)
        if (settings.mix or settings.mixture) and "A" in settings.modalities:
            by_population = run.wording.model_copy(update={"voice_scope": "population"})
            voices = [each.voice for each in moments_of_clips(*words, by_population, run.population, "A")]
        splits[split] = tuple(
            LabelledClip(
                clip.id,
                clip.dialogue or clip.source or clip.id,
                Labelled(moment, clip.target, source.teaches, voice),
                before,
            )
            for clip, moment, voice, before in zip(clips, moments, voices, before_each(clips, moments), strict=True)
            if clip.target is not None and _teaches(source, moment)
        )
        if clips and not splits[split]:
            missing = next(iter(source.corpus.missing.values()), None)
            raise MediaError(
                f"the {split} split of {source.name} has nothing to read: modalities {settings.modalities}, "
                + (f"no {missing}" if missing else "and neither words, faces nor voices in them")
            )
    return TrainingData(source, splits)


def _teaches(source: TrainingCorpus, moment: Moment) -> bool:
    """Whether there is anything to learn from: not from a still in which no face was found, say."""
    if source.teaches == "V":
        return bool(moment.faces)
    return bool(moment.signals)


# ── learning ─────────────────────────────────────────────────────────────────


def examples_of(
    data: Sequence[TrainingData], run: TextRun, settings: FinetuneSettings, epoch: int, opinions: Opinions
) -> list[Example]:
    """What an epoch learns from: every clip as it is, or moments put together of several."""
    if not settings.mix and settings.mixture is None:
        return [example(clip, clip.labelled.moment, run, opinions=opinions) for clip in data[0].splits["train"]]
    clips = {id(clip.labelled): clip for each in data for clip in each.splits["train"]}
    mixed = settings.mixture or MixtureSettings()
    mixture = Mixture([clip.labelled for clip in clips.values()], mixed)
    rng = random.Random(1000 * settings.seed + epoch)
    examples = []
    for each in data:
        source = each.source
        # Clips of different corpora may have the same id.
        heard = opinions if each is data[0] else {}
        if source.examples is None:
            drawn = [clip.labelled for clip in each.splits["train"]]
        else:
            drawn = mixture.draw(source.teaches, source.examples, rng)
        moments = [mixture.mixed(one, rng) for one in drawn]
        # What a clip follows has been heard as it is learnt from itself, in this epoch.
        as_mixed = {id(one.moment): moment for one, moment in zip(drawn, moments, strict=True)}
        for one, moment in zip(drawn, moments, strict=True):
            clip = clips[id(one)]
            before = [as_mixed.get(id(turn), turn) for turn in clip.before]
            examples.append(example(replace(clip, before=before), moment, run, source.name, heard))
    for _ in range(round(mixed.nothing * len(examples))):
        nothing = mixture.nothing(rng)
        examples.append(Example(_prompt((), nothing.moment, run), nothing.label, "nothing"))
    return examples


def example(
    clip: LabelledClip, moment: Moment, run: TextRun, source: str = "", opinions: Opinions | None = None
) -> Example:
    """`moment`, which is the clip's or made of it, as the run reads it."""
    soft = (opinions or {}).get(clip.id)
    return Example(_prompt(clip.before, moment, run), clip.labelled.label, source, soft)


def _prompt(before: Sequence[Moment], moment: Moment, run: TextRun) -> Prompt:
    return render([*before, moment], len(before), run.prompt, id="", labels=run.labels)


# ── being measured ───────────────────────────────────────────────────────────


def labelled_prompts(
    data: Sequence[TrainingData], run: TextRun, settings: FinetuneSettings, opinions: Opinions
) -> LabelledPrompts:
    """What the run learns from epoch by epoch, and the dev prompts with how they are measured.

    Of several corpora, each is read by what its labels are about alone, and
    by all it has; selected is on the mean of what each is about.
    """
    parts = _dev_parts(data, run, settings)
    taught = [f"{each.source.name}[{each.source.teaches}] " for each in data if each.splits["dev"]]

    def metrics(scored: Sequence[Scored]) -> dict[str, float]:
        rest = iter(scored)
        measured = {}
        for name, part in parts.items():
            measures = part.metrics(list(islice(rest, len(part.examples))))
            measured |= {f"{name}{measure}": value for measure, value in measures.items()}
        if settings.mix:
            measured["mean"] = fmean(measured[f"{name}{parts[name].select}"] for name in taught)
        return measured

    return LabelledPrompts(
        lambda epoch: examples_of(data, run, settings, epoch, opinions),
        [each for part in parts.values() for each in part.examples],
        metrics,
        "mean" if settings.mix else parts[""].select,
    )


@dataclass(frozen=True, eq=False)
class _DevPart:
    """Dev clips of a corpus, read one way; how they are measured, and the corpus's own measure."""

    examples: Sequence[Example]
    metrics: Metrics[Answered]
    select: str


def _dev_parts(data: Sequence[TrainingData], run: TextRun, settings: FinetuneSettings) -> dict[str, _DevPart]:
    """By what its measures begin with, each corpus's dev clips, once for each way to read them."""
    parts = {}
    for each in data:
        source, clips = each.source, each.splits["dev"]
        has = "".join(letter for letter in FIELD_OF if any(letter in clip.labelled.moment.signals for clip in clips))
        for letters in dict.fromkeys([source.teaches, has] if settings.mix else [has]):
            if clips:
                alone = [clip.with_only(letters) for clip in clips]
                examples = [example(clip, clip.labelled.moment, run) for clip in alone]
                measured = metrics_of(source.corpus, [each.target for each in examples])
                parts[f"{source.name}[{letters}] " if settings.mix else ""] = _DevPart(examples, *measured)
    return parts
