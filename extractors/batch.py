"""The cues of many clips, one at a time, as a corpus cuts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from ..core.context import DEFAULT, Context, unwatched
from ..core.errors import MediaError
from ..core.timeline import Clip, Cues, Media, Transcript, Utterance
from .engines import Engines
from .perceive import perceive
from .settings import PerceiveSettings
from .sources import FileSource


def cues_of(
    clips: Sequence[Clip],
    settings: PerceiveSettings,
    context: Context = DEFAULT,
) -> Iterator[tuple[Clip, Cues | MediaError]]:
    """Each clip that has a file, with its cues or why there are none.

    Where a corpus gives the words they are taken as said throughout the
    clip, and the voice is measured over all of it; where it does not, they
    are recognised.

    Args:
        settings: as `perceive.decide` leaves them.
    """
    with_media = [clip for clip in clips if clip.media is not None]
    # Of many clips, each is a step; what goes on within one is not told.
    alone = replace(context, progress=unwatched)
    with Engines(context) as engines:
        for done, clip in enumerate(with_media, 1):
            try:
                with closing(FileSource(str(clip.media), store=context.store, tracks=settings.media)) as source:
                    published = as_published(clip, source.media)
                    yield clip, perceive(source, settings, engines, alone, transcript=published)
            except MediaError as error:
                yield clip, error
            context.progress("perceiving", done / len(with_media))


def as_published(clip: Clip, found: Media) -> Transcript | None:
    """What a corpus says was said in a clip of a file, all through it; `None` where it does not say."""
    if clip.text is None:
        return None
    end_s = clip.end_s if clip.end_s is not None else found.duration_s
    said = Utterance(clip.start_s or 0.0, end_s, clip.text, clip.speaker)
    return Transcript((said,), language=None, source="corpus")
