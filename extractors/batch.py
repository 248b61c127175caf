"""The cues of many clips, as a corpus cuts them: one at a time here, or by workers elsewhere into a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from ..core.context import DEFAULT, Context, unwatched
from ..core.errors import EmoscribeError, MediaError
from ..core.settings import Device
from ..core.timeline import Clip, Cues, Media, Transcript, Utterance
from .engines import Engines
from .perceive import perceive
from .settings import PerceiveSettings
from .sources import FileSource
from .store import CueStore, DamagedError, claimed


def cues_of(
    clips: Sequence[Clip],
    settings: PerceiveSettings,
    context: Context = DEFAULT,
) -> Iterator[tuple[Clip, Cues | MediaError]]:
    """Each clip that has a file, with its cues or why there are none.

    Args:
        settings: as `perceive.decide` leaves them.
    """
    with_media = [clip for clip in clips if clip.media is not None]
    with Engines(context) as engines:
        for done, clip in enumerate(with_media, 1):
            try:
                cues = cues_of_clip(clip, settings, engines, context)
                assert cues is not None
                yield clip, cues
            except MediaError as error:
                yield clip, error
            context.progress("perceiving", done / len(with_media))


def cues_of_clip(
    clip: Clip, settings: PerceiveSettings, engines: Engines, context: Context, *, wait: bool = True
) -> Cues | None:
    """The cues of a clip that has a file; `None` where another process with the same store is at work on it.

    Where a corpus gives the words they are taken as said throughout the
    clip, and the voice is measured over all of it; where it does not, they
    are recognised.

    Args:
        wait: until that process has ended, and take from the store what it found.

    Raises:
        MediaError: the file cannot be read.
        DamagedError: what the store holds of it is not what was written.
    """
    # Of many clips, each is a step; what goes on within one is not told.
    alone = replace(context, progress=unwatched)
    with (
        closing(FileSource(str(clip.media), store=context.store, tracks=settings.media)) as source,
        claimed(context.store, source.media.sha256, source.interval, wait=wait) as mine,
    ):
        if not mine:
            return None
        return perceive(source, settings, engines, alone, transcript=as_published(clip, source.media))


# ── elsewhere ────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Extracted:
    """What came of a clip.

    Attributes:
        error: why its cues are not in the store.
        elsewhere: another process was at work on it, so nothing was done.
    """

    error: EmoscribeError | None = None
    elsewhere: bool = False


@dataclass(frozen=True)
class Extraction:
    """What makes a worker that perceives clips into a store: see `executors`.

    Attributes:
        settings: as `perceive.decide` leaves them.
        store: its folder or URL, which every worker reaches.
        wait: for other processes that are at work on a clip.
    """

    settings: PerceiveSettings
    store: str
    device: Device
    offline: bool
    wait: bool = False

    def __call__(self) -> Callable[[Clip], Extracted]:
        """A worker; its engines are loaded with the first clip that needs them, and kept.

        Raises:
            EmoscribeError: the store cannot be read.
        """
        context = Context(self.device, self.offline, store=CueStore(self.store))
        engines = Engines(context)

        def extract(clip: Clip) -> Extracted:
            try:
                cues = cues_of_clip(clip, self.settings, engines, context, wait=self.wait)
                return Extracted(elsewhere=cues is None)
            except (MediaError, DamagedError) as error:
                return Extracted(error)

        return extract


def as_published(clip: Clip, found: Media) -> Transcript | None:
    """What a corpus says was said in a clip of a file, all through it; `None` where it does not say."""
    if clip.text is None:
        return None
    end_s = clip.end_s if clip.end_s is not None else found.duration_s
    said = Utterance(clip.start_s or 0.0, end_s, clip.text, clip.speaker)
    return Transcript((said,), language=None, source="corpus")
