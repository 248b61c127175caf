"""The features of a clip: each measured once and kept, and laid on the clock that all share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ...core.context import DEFAULT, Context
from ...core.timeline import Cues, Media
from ...core.timeline import Sequence as Rows
from ..sources import FileSource
from ..store import settings_hash
from ..voice import opensmile as voice
from . import faces, heard, said, seen
from .clock import Clock, averaged, clock_of, held
from .settings import FEATURES, FeatureSettings
from .weights import device_for

# Those that are measured of the file itself, rather than put together from cues.
_SEEN = ("face-embedding", "face-resnet50", seen.PICTURE_ENTROPY)
_HEARD = tuple(heard.REACH_S)


def sequences_of(
    source: FileSource,
    cues: Cues,
    features: FeatureSettings,
    context: Context = DEFAULT,
    names: Sequence[str] | None = None,
    *,
    interval: tuple[float | None, float | None] = (None, None),
    face_engine: str = "landmarker",
) -> dict[str, Rows]:
    """Features over time, by name, all on the clock of the file or of a stretch of it.

    Each has values (T, D) float32 at `times_s` (T,) from the start of the
    stretch; NaN where nothing was measured, which is all of it where the file
    lacks the signal.  With `informative_share` below 1, `picture-entropy` is
    among them.

    What is seen and heard is measured of the whole file and kept with the
    times at which it was: clips share files, and another clock costs nothing.
    Models stay loaded for the clips to come.

    Args:
        cues: of the whole file: the words for `token-embeddings`, the voice
            for `voice-measures`, the faces for all that is about them.
        names: which of `FEATURES`; by default those of the settings.
        interval: seconds of the file; `None` is its start, or its end.
        face_engine: who would have measured faces, had there been a picture.

    Raises:
        MediaError: the file cannot be read.
        UnavailableError: weights or the device are not here.
        EmoscribeError: weights are another network's.
    """
    names, clip = features.names if names is None else names, source.media
    start_s = interval[0] or 0.0
    end_s = clip.duration_s if interval[1] is None else interval[1]
    clock = clock_of(start_s, end_s, features.rate_hz)
    extra = [seen.PICTURE_ENTROPY] if features.informative_share < 1 else []
    measured = _measured(source, cues, features, [*names, *extra], context)
    found = {}
    for name in names:
        if name == said.NAME and cues.transcript is not None:
            laid = _words(clip, cues, features, clock, end_s, context)
        else:
            laid = _laid(name, measured.get(name), cues, clock)
        found[name] = laid or _nothing(name, features, clock, face_engine, context)
    if extra:
        nothing = Rows((seen.PICTURE_ENTROPY,), np.empty(0), np.empty((0, 1), dtype=np.float32))
        found[seen.PICTURE_ENTROPY] = seen.informative(measured.get(seen.PICTURE_ENTROPY, nothing), clock)
    return found


def columns(
    name: str, features: FeatureSettings, context: Context, *, face_engine: str = "landmarker"
) -> tuple[str, ...]:
    """The names of a feature's values, D of them, whatever a clip holds.

    Raises:
        UnavailableError: a model that says so is not here.
    """
    if name == "face-measures":
        return faces.measure_names(face_engine)
    if name == "voice-measures":
        return voice.MEASURES
    if name == said.NAME:
        return said.columns(features, context)
    if FEATURES[name].letter == "V":
        return seen.embedding_columns(name, features, context)
    return heard.columns(name, features, context)


def _nothing(name: str, features: FeatureSettings, clock: Clock, face_engine: str, context: Context) -> Rows:
    named = columns(name, features, context, face_engine=face_engine)
    return Rows(named, clock.times_s, np.full((clock.frames, len(named)), np.nan, dtype=np.float32))


def _laid(name: str, measured: Rows | None, cues: Cues, clock: Clock) -> Rows | None:
    """A feature on the clock; `None` where the file lacks its signal."""
    if name == "face-measures" and cues.face is not None:
        values = faces.on_clock(cues.face, faces.measures(cues.face), clock)
        return Rows(faces.measure_names(cues.face.source), clock.times_s, values)
    if name == "voice-measures" and cues.voice is not None:
        values = held(cues.voice.start_s, cues.voice.end_s, cues.voice.values, clock)
        return Rows(cues.voice.names, clock.times_s, values)
    # Without a single face it is not known how wide an embedding would be.
    if measured is None or not measured.names:
        return None
    if name in _HEARD:
        values = averaged(measured.times_s, measured.values, clock, heard.REACH_S[name])
    else:
        assert cues.face is not None
        values = faces.on_clock(cues.face, measured.values, clock)
    return Rows(measured.names, clock.times_s, values)


def _words(
    clip: Media,
    cues: Cues,
    features: FeatureSettings,
    clock: Clock,
    end_s: float,
    context: Context,
) -> Rows:
    """Kept on the clock: the words differ from clip to clip of a file."""
    assert cues.transcript is not None
    key, interval = settings_hash(said.describe(cues.transcript, features)), (clock.start_s, end_s)
    kept = context.store.get(clip.sha256, said.NAME, key, interval) if context.store is not None else None
    if isinstance(kept, Rows):
        return kept
    (made,) = said.embed([cues.transcript], [clock], features, context)
    if context.store is not None:
        context.store.put(clip.sha256, said.NAME, key, made, interval)
    return made


def _measured(
    source: FileSource,
    cues: Cues,
    features: FeatureSettings,
    names: Sequence[str],
    context: Context,
) -> dict[str, Rows]:
    """What is measured of the file itself, from the store or else now; of each stream in one pass."""
    clip = source.media
    keys = {name: settings_hash(about) for name in names if (about := _depends_on(name, source, cues, features))}
    store = context.store
    kept = {name: store.get(clip.sha256, name, key) for name, key in keys.items()} if store is not None else {}
    found = {name: rows for name, rows in kept.items() if isinstance(rows, Rows)}
    missing = [name for name in keys if name not in found]
    to_see, to_hear = ([name for name in missing if name in kinds] for kinds in (_SEEN, _HEARD))
    steps = bool(to_see) + len(to_hear)

    def told(step: int, done: float) -> None:
        context.progress("measuring", (step + done) / steps)

    if to_see:
        embeddings = [name for name in to_see if name != seen.PICTURE_ENTROPY]
        networks = {name: seen.load_network(name, features, context) for name in embeddings}
        entropy_hz = features.rate_hz if seen.PICTURE_ENTROPY in to_see else None
        device = device_for(features) if networks else "cpu"
        found |= seen.look(clip, cues.face, networks, device, entropy_hz, partial(told, 0))
    if to_hear:
        for step, name in enumerate(to_hear, bool(to_see)):
            found[name] = heard.measure(name, source.sound(), features, context, partial(told, step))
    if store is not None:
        for name in missing:
            store.put(clip.sha256, name, keys[name], found[name])
    return found


def _depends_on(name: str, source: FileSource, cues: Cues, features: FeatureSettings) -> dict[str, Any] | None:
    """All that a measurement of the file depends on; `None` where it is none, or the file lacks the signal."""
    about = _source(name, source.media, cues, features)
    return about | source.read_as("video" if name in _SEEN else "audio") if about is not None else None


def _source(name: str, clip: Media, cues: Cues, features: FeatureSettings) -> dict[str, Any] | None:
    if name == seen.PICTURE_ENTROPY:
        return {"feature": name, "rate_hz": features.rate_hz} if clip.has_video else None
    if name in _SEEN:
        return seen.describe(name, cues.face, features) if cues.face is not None and clip.has_video else None
    return heard.describe(name, features) if name in _HEARD and clip.has_audio else None
