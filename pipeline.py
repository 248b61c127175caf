"""One video to its labelled transcript, read as prose.

    source ─ perceive ─▶ cues ─ moments_of ─▶ moments ─ render ─▶ prompts ─ score ─▶ labelled transcript

What can be decided before a video is opened is decided once, in a `Plan`; what
can be loaded once is loaded once, in a `Session`.
"""

from __future__ import annotations

import importlib.metadata
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .core.context import Context, StageProgress, Store, unwatched
from .core.errors import EmoscribeError
from .core.labels import THRESHOLD
from .core.measures import FACE
from .core.prompt import Prompt
from .core.settings import Device
from .core.timeline import Cues, LabelledTranscript, Moment, Segment, Transcript
from .extractors.engines import Engines
from .extractors.finding import media_files
from .extractors.live import LiveCues
from .extractors.media.peaks import SoundPeaks
from .extractors.perceive import perceive
from .extractors.sources import FileSource, LiveSource
from .extractors.speakers.turns import check_several
from .extractors.store import CueStore, claimed
from .llm.live import live_plan, stream_windows
from .llm.plan import Plan, check_taught, make_plan
from .llm.predictors import Predictors
from .llm.reading import Remembering, made_of_basic, prompts_from, read_again, segments_from
from .llm.settings import AnalyzeSettings, analyze_settings
from .outputs.tracks import tracks_of
from .textualize.moments import moments_of, weighed
from .textualize.windows import check_windows

if TYPE_CHECKING:
    from .llm.predictors import AnyPredictor


# What is drawn over time is the movement; what it means is said in the moments' words.
_UNIT_NAMES = {name: measure.about for name, measure in FACE.items()}


def analyze(
    video: str | Path,
    config: str | Path = "default",
    *,
    transcript: str | Path | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    **given: Any,
) -> LabelledTranscript:
    """The labelled transcript of one video, sound file or picture, or of a stretch of it.

    Engines are loaded for it and let go; for several videos, `analyze_all` loads them once.

    >>> analyze("interview.mp4", labels="compound").segments[0].label

    Args:
        config: a shipped config's name or a YAML file.
        transcript: subtitles, instead of recognised speech.
        given: as for `open_session`.

    Raises:
        EmoscribeError: the file or a setting is not as it has to be.
    """
    with _session(config, given, transcript) as session, closing(session.opened(video, start_s, end_s)) as source:
        return session.analyze(source, transcript=transcript)


def analyze_all(
    videos: str | Path | Iterable[str | Path], config: str | Path = "default", *, recursive: bool = False, **given: Any
) -> Iterator[tuple[Path, LabelledTranscript | EmoscribeError]]:
    """Each video with its labelled transcript, or with why there is none, as soon as it is analysed.

    >>> for video, result in analyze_all("interviews"):
    ...     print(video, result if isinstance(result, EmoscribeError) else result.segments[0].label)

    Args:
        videos: files, folders and patterns; see `media_files`.
        config: a shipped config's name or a YAML file.
        recursive: of folders, also what is in the folders in them.
        given: as for `open_session`.

    Raises:
        EmoscribeError: a setting is not as it has to be, or there are no videos.
    """
    named = [videos] if isinstance(videos, str | Path) else videos
    found = media_files(named, recursive=recursive)
    with open_session(config, **given) as session:
        check_several(session.plan.settings.speech.speakers, len(found))
        for video in found:
            try:
                yield video, session.analyze(video)
            except EmoscribeError as error:
                yield video, error


def open_session(config: str | Path = "default", **given: Any) -> Session:
    """A session with a config's settings.

    >>> with open_session("embedded", labels="compound") as session:
    ...     for video in videos:
    ...         session.analyze(video)

    Args:
        config: a shipped config's name or a YAML file.
        given: settings that override it: `run`, `labels`, `modalities`,
            `window`, `hop`, `speakers`, `language`, `model`, `device` and
            `offline` as the command line has them, any other with `__` for the
            dot (`face__sampling_fps=2.0`).  Beside them `store=`, a folder to
            keep cues in, and `progress=`, which is told the name of a stage
            and how much of it is done, from several threads.

    Raises:
        EmoscribeError: a setting is not as it has to be, or an engine is not here.
    """
    return _session(config, given)


def _session(config: str | Path, given: dict[str, Any], transcript: str | Path | None = None) -> Session:
    store, progress = given.pop("store", None), given.pop("progress", unwatched)
    settings = analyze_settings(config, **given)
    context = context_for(settings, CueStore(store) if store is not None else None, progress)
    return Session(make_plan(settings, context, transcript), context)


def context_for(settings: AnalyzeSettings, store: Store | None = None, progress: StageProgress = unwatched) -> Context:
    """The circumstances that the settings describe."""
    return Context(settings.model.device, settings.offline, progress, store)


@dataclass(frozen=True)
class Analysis:
    """What makes a worker that analyses videos: see `extractors.executors`.

    >>> for video, result in LocalExecutor(2).map(Analysis(plan, device="cpu"), videos): ...

    Attributes:
        store: a folder or a URL to keep cues in, which every worker reaches.
        start_s, end_s: the stretch of each video.
    """

    plan: Plan
    store: str | None = None
    device: Device = "auto"
    offline: bool = False
    start_s: float = 0.0
    end_s: float | None = None

    def __call__(self) -> Callable[[Path], LabelledTranscript | EmoscribeError]:
        """A worker: a session, and for each video its labelled transcript or why there is none."""
        context = Context(self.device, self.offline, store=CueStore(self.store) if self.store is not None else None)
        session = Session(self.plan, context)

        def analyze(video: Path) -> LabelledTranscript | EmoscribeError:
            try:
                with closing(session.opened(video, self.start_s, self.end_s)) as source:
                    return session.analyze(source)
            except EmoscribeError as error:
                return error

        return analyze


class Session:
    """Engines and a language model, loaded once: by the first that needs them.

    One analysis or stream at a time; whoever comes meanwhile waits.

    >>> with Session(make_plan(settings, context), context) as session:
    ...     for video in videos:
    ...         session.analyze(video)

    Attributes:
        engines: those that are loaded; `engines.loads` counts.

    Args:
        engines, predictors: loaded ones, to share with sessions of other settings; they are closed with any of them.
    """

    def __init__(
        self, plan: Plan, context: Context, *, engines: Engines | None = None, predictors: Predictors | None = None
    ) -> None:
        self.plan, self.context = plan, context
        self.engines = engines if engines is not None else Engines(context)
        self._predictors = predictors if predictors is not None else Predictors(context)
        self._lock = threading.Lock()
        self._remembering = Remembering(lambda: self._predictors.begin(plan.run).result())

    def analyze(
        self, source: FileSource | str | Path, *, transcript: str | Path | Transcript | None = None
    ) -> LabelledTranscript:
        """The labelled transcript of a video, a sound file, a picture, or a stretch of one.

        Args:
            transcript: what is said, or a file that tells, instead of recognised speech.

        Raises:
            EmoscribeError: the source or the transcript is not as it has to be, or an engine cannot be loaded.
        """
        with self._lock, ExitStack() as stack:
            if not isinstance(source, FileSource):
                source = stack.enter_context(closing(self.opened(source)))
            # The language model loads while the source is being perceived; on a GPU before that.
            predictor = self._predictors.begin(self.plan.run)
            stack.enter_context(claimed(self.context.store, source.media.sha256, source.interval))
            cues = perceive(source, self.plan.settings, self.engines, self.context, transcript=transcript)
            heard = source.media.has_audio and set(self.plan.settings.modalities) & set("TA")
            peaks = source.peaks(self.context.store) if heard else None
            return label(cues, self.plan, predictor.result(), self.context, peaks)

    def prompts(self, source: FileSource | str | Path, *, transcript: str | Path | None = None) -> list[Prompt]:
        """The exact text that the model would read of a video, one prompt a moment; it is not loaded for that."""
        with self._lock, ExitStack() as stack:
            if not isinstance(source, FileSource):
                source = stack.enter_context(closing(self.opened(source)))
            cues = perceive(source, self.plan.settings, self.engines, self.context, transcript=transcript)
            return prompts_from(moments_from(cues, self.plan), self.plan)

    def opened(self, path: str | Path, start_s: float = 0.0, end_s: float | None = None) -> FileSource:
        """A file, or a stretch of it, as the session's settings read it; to be closed.

        Raises:
            MediaError, SettingsError: see `FileSource`, and `check_windows`.
        """
        source = FileSource(path, start_s, end_s, store=self.context.store, tracks=self.plan.settings.media)
        check_windows(self.plan.settings.windows, source.media.until_s - source.media.start_s)
        return source

    def stream(self, source: LiveSource, *, patient: bool = True) -> Generator[Segment, None, None]:
        """Windows of what is seen and heard, each as soon as all that began in it is known.

        They are those of the settings, or `LIVE_WINDOW_S` long.  Whatever the
        run was trained with, voices are compared with the past alone.

        Args:
            patient: whether a stretch of speech is heard when it has ended,
                which gives the words that a file gives; or else as far as it
                has come when a window is over, which gives them sooner.

        Raises:
            SettingsError: a setting is for files only.
            EmoscribeError: an engine cannot be loaded, or fails.
        """
        return (segment for segment, _ in self.stream_with_cues(source, patient=patient))

    def stream_with_cues(
        self, source: LiveSource, *, patient: bool = True
    ) -> Generator[tuple[Segment, Cues], None, None]:
        """As `stream`; each window with what was perceived around it."""
        with self._lock:
            predictor, plan = self._predictors.begin(self.plan.run), live_plan(self.plan)
            with closing(LiveCues(source, plan.settings, self.engines, patient=patient)) as live:
                yield from stream_windows(live, plan, predictor.result, self.context)

    def read(self, text: Sequence[str], speakers: Sequence[str | None] | None = None) -> list[Segment]:
        """What the model makes of lines of text, said one after another; their times are their numbers.

        It may be called while something is being analysed, and tells nobody how far it is.

        Args:
            speakers: who says each, where that is known.

        Raises:
            SettingsError: the run does not read what is said.
        """
        check_taught(self.plan.run, "T")
        said = enumerate(zip(text, speakers or [None] * len(text), strict=True))
        moments = [weighed(Moment(number, number + 1.0, who, line)) for number, (line, who) in said]
        return segments_from(moments, prompts_from(moments, self.plan), self.plan, self._remembering)

    def load(self) -> None:
        """Load now what the first source would; the language model side by side with the engines.

        Raises:
            EmoscribeError: one of them cannot be loaded.
        """
        predictor = self._predictors.begin(self.plan.run)
        self.engines.load(self.plan.settings)
        predictor.result()

    def read_again(self, result: LabelledTranscript, signals: Sequence[str]) -> dict[str, list[Segment]]:
        """What the moments of a result are read as when only some of their signals are told; nothing is decoded.

        The moments may have been corrected, divided and joined since.  It
        waits for no analysis, and may be called from several threads.

        >>> session.read_again(result, ["TVA", "T", "V", "A"])["V"][0].label

        Args:
            signals: sets of letters, `T`, `VA`, each to be read by itself.

        Returns:
            By set of letters a segment a moment, its evidence weighed again.

        Raises:
            SettingsError: the run has not learnt to read a signal, or gives other answers than the result has.
        """
        return read_again(result, signals, self.plan, self._remembering)

    def close(self) -> None:
        """Let go of all that is loaded."""
        self.engines.close()
        self._predictors.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def label(
    cues: Cues, plan: Plan, predictor: AnyPredictor, context: Context, peaks: SoundPeaks | None = None
) -> LabelledTranscript:
    """Put the cues into words, let the model read them, and keep its scores.

    Args:
        peaks: see `labelled`.
    """
    began = time.perf_counter()
    moments = moments_from(cues, plan)
    segments = segments_from(moments, prompts_from(moments, plan), plan, predictor, context.stage("reading"))
    return labelled(segments, cues, plan, seconds=time.perf_counter() - began, peaks=peaks)


def labelled(
    segments: Sequence[Segment], cues: Cues, plan: Plan, seconds: float, peaks: SoundPeaks | None = None
) -> LabelledTranscript:
    """The segments with what they were read from, and how.

    Args:
        seconds: that reading took.
        peaks: how loud the sound is, to be drawn.
    """
    run, labels = plan.run, plan.labels
    return LabelledTranscript(
        media=cues.media,
        label_set=labels.name if labels is not None else "",
        labels=labels.labels if labels is not None else (),
        segments=tuple(segments),
        provenance=_provenance(cues, plan, seconds),
        tracks=tracks_of(cues, peaks, _UNIT_NAMES),
        thresholds={label: run.thresholds.get(label, THRESHOLD) for label in run.labels if run.task == "label-sets"},
        range=run.range,
        transcript=cues.transcript,
    )


def moments_from(cues: Cues, plan: Plan) -> list[Moment]:
    """The cues in words, as the run was trained to read them."""
    return moments_of(cues, plan.settings.windows, plan.wording, plan.run.population, plan.settings.modalities)


def _provenance(cues: Cues, plan: Plan, seconds: float) -> dict[str, Any]:
    made, media, pack = made_of_basic(plan), cues.media, plan.run.pack
    part = media.start_s > 0 or media.end_s is not None
    rule = {"rule": f"{made.name} scores from basic ones"} if made is not None else {}
    packed = {"pack": pack.told} if pack is not None else {}
    return {
        "emoscribe": importlib.metadata.version("emoscribe"),
        **({"stretch": {"start_s": media.start_s, "end_s": media.until_s}} if part else {}),
        **cues.provenance,
        "model": {
            "run": plan.run.name,
            "base": plan.run.base.id,
            "sha256": plan.run.base.sha256,
            "label_set": plan.run.label_set,
            "seconds": round(seconds, 2),
            **(rule | packed),
        },
        "settings": plan.settings.model_dump(exclude={"wording", "prompt"})
        | {"wording": plan.wording.model_dump(), "prompt": plan.prompt.model_dump()},
        "choices": list(plan.choices),
    }
