"""The clips of a corpus as features over time, which is what the feature-based baseline reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np

from ..baseline.frames import FeatureFrames
from ..baseline.settings import BaselineSettings
from ..core.context import Context, unwatched
from ..core.errors import MediaError
from ..core.timeline import Clip, Transcript, Utterance
from ..core.timeline import Sequence as Rows
from ..corpora.corpus import Corpus
from ..extractors.batch import as_published
from ..extractors.engines import Engines
from ..extractors.features.clock import clock_of
from ..extractors.features.said import text_sequences
from ..extractors.features.seen import PICTURE_ENTROPY, most_informative
from ..extractors.perceive import decide, modalities_for, perceive_over_time
from ..extractors.sources import FileSource
from ..llm.settings import AnalyzeSettings
from .clips import keeping

# How long a line takes to say of which only the words are known: English is read aloud at about 170 words a minute.
SECONDS_A_WORD = 0.35
_WORDS, _VOICE = "token-embeddings", "voice-measures"


@dataclass(frozen=True, eq=False)
class Featured:
    """The features of clips, in their order.

    Attributes:
        failed: by clip id, why its file cannot be read; such a clip has nothing but what is published.
    """

    frames: Sequence[FeatureFrames]
    failed: Mapping[str, str]


def frames_of(
    corpus: Corpus,
    clips: Sequence[Clip],
    settings: BaselineSettings,
    streams: Sequence[str],
    context: Context,
    widths: Mapping[str, int] | None = None,
) -> Featured:
    """The features of clips on one clock each, in their order.

    What a corpus publishes is taken: its words, and its measurements of the
    voice.  A clip without a file has nothing else.

    Args:
        streams: names of features.
        widths: how many values of each feature a frame has, where that is known.

    Raises:
        UnavailableError: a feature's weights are not here.
    """
    measured = [name for name in streams if name != _VOICE or not corpus.voice]
    found: dict[str, Mapping[str, Rows]] = {}
    failed: dict[str, str] = {}
    with keeping(context) as kept:
        for clip, rows in _perceived(clips, settings, measured, kept):
            if isinstance(rows, MediaError):
                failed[clip.id] = str(rows)
            else:
                found[clip.id] = rows
    without = [clip for clip in clips if clip.id not in found]
    for clip, rows in zip(without, _spoken(without, settings, streams, context), strict=True):
        found[clip.id] = rows
    widths = {**_widths(corpus, found.values(), streams), **(widths or {})}
    frames = [_frames(clip, found[clip.id], corpus, settings, streams, widths) for clip in clips]
    return Featured(frames, failed)


def widths_of(frames: Sequence[FeatureFrames]) -> dict[str, int]:
    """Of each feature that any of the clips has a value of, how many there are a frame."""
    return {
        name: values.shape[1]
        for name, values in frames[0].streams.items()
        if any(np.isfinite(each.streams[name]).any() for each in frames)
    }


def _perceived(
    clips: Sequence[Clip],
    settings: BaselineSettings,
    streams: Sequence[str],
    context: Context,
) -> Iterator[tuple[Clip, Mapping[str, Rows] | MediaError]]:
    """Each clip that has a file, with its features or why there are none."""
    asked = AnalyzeSettings(
        # Of sound alone nothing else has to be perceived, and then no letter counts.
        modalities=modalities_for(streams) or "A",
        speech=settings.speech,
        face=settings.face,
        voice=settings.voice,
    )
    decided, _ = decide(asked.for_corpora(), context)
    alone = replace(context, progress=unwatched)
    with_media = [clip for clip in clips if clip.media is not None]
    with Engines(context) as engines:
        for done, clip in enumerate(with_media, 1):
            try:
                with closing(FileSource(str(clip.media), store=context.store, tracks=decided.media)) as source:
                    cues = perceive_over_time(
                        source,
                        decided,
                        settings.features,
                        engines,
                        alone,
                        names=streams,
                        interval=(clip.start_s, clip.end_s),
                        transcript=as_published(clip, source.media),
                    )
                yield clip, cues.sequences
            except MediaError as error:
                yield clip, error
            context.progress("perceiving", done / len(with_media))


def _spoken(
    clips: Sequence[Clip], settings: BaselineSettings, streams: Sequence[str], context: Context
) -> list[dict[str, Rows]]:
    """What clips without a file have: embeddings of their words, if those are asked for."""
    if _WORDS not in streams or not clips:
        return [{} for _ in clips]
    transcripts = []
    for clip in clips:
        said = (Utterance(0.0, _duration_s(clip), clip.text, clip.speaker),) if clip.text else ()
        transcripts.append(Transcript(said, language=None, source="corpus"))
    rows = text_sequences(
        transcripts,
        [_duration_s(clip) for clip in clips],
        settings.features,
        context,
    )
    return [{_WORDS: each} for each in rows]


def _duration_s(clip: Clip) -> float:
    if clip.start_s is not None and clip.end_s is not None:
        return clip.end_s - clip.start_s
    return SECONDS_A_WORD * max(1, len((clip.text or "").split()))


def _widths(corpus: Corpus, found: Iterable[Mapping[str, Rows]], streams: Sequence[str]) -> dict[str, int]:
    widths = {name: len(rows.names) for sequences in found for name, rows in sequences.items()}
    if _VOICE in streams and corpus.voice:
        widths[_VOICE] = len(next(iter(corpus.voice.values())))
    # Of a feature that no clip has, one column of nothing.
    return {name: widths.get(name, 1) for name in streams}


def _frames(
    clip: Clip,
    found: Mapping[str, Rows],
    corpus: Corpus,
    settings: BaselineSettings,
    streams: Sequence[str],
    widths: Mapping[str, int],
) -> FeatureFrames:
    rate_hz = settings.features.rate_hz
    times_s = next((rows.times_s for rows in found.values()), None)
    if times_s is None:
        times_s = clock_of(0.0, _duration_s(clip), rate_hz).times_s
    values = {}
    for name in streams:
        if name in found:
            values[name] = found[name].values
        elif name == _VOICE and clip.id in corpus.voice:
            # One measurement of the whole clip holds for each of its frames.
            measured = np.array([*corpus.voice[clip.id].values()], dtype=np.float32)
            values[name] = np.repeat(measured[None], len(times_s), axis=0)
        else:
            values[name] = np.full((len(times_s), widths[name]), np.nan, dtype=np.float32)
    share = settings.features.informative_share
    if share < 1 and PICTURE_ENTROPY in found:
        rows = most_informative(found[PICTURE_ENTROPY].values[:, 0], share)
        times_s, values = times_s[rows], {name: each[rows] for name, each in values.items()}
    return FeatureFrames(clip.id, times_s, values, clip.target)
