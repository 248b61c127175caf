"""Cues of a source that goes on: heard and looked at as it comes, and told up to any time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..core.errors import EmoscribeError
from ..core.timeline import Cues, FaceTrack, Transcript, Utterance, VoiceTrack, Word
from . import registry
from .engines import Engines
from .face.recogniser import describe as describe_identity
from .face.recogniser import recogniser_of
from .face.track import FaceTracker, with_pictures
from .settings import PerceiveSettings
from .sources import LiveSource
from .speech.transcribe import describe as describe_speech
from .speech.transcribe import understood
from .speech.vad import UNSETTLED_S, Stretch, stretches

# What was seen stays for so long behind what was asked for last: a moment that
# nobody looked at is described by what was seen up to a second from it.
_SEEN_BEHIND_S = 2.0
# Where sound goes on for so long without pictures, or pictures without sound, no more of them is waited for.
_LOST_S = 1.0
# Of voices so many are remembered to compare with: half an hour of speech.
_MOST_VOICES = 500


class LiveCues:
    """Perceives a live source in two threads of its own, until the source is closed.

    Memory does not grow with it: what was said and seen before the last
    question is forgotten, of voices some hundred are remembered.

    Args:
        settings: as `perceive.decide` leaves them.
        patient: whether a stretch of speech is heard when it has ended, as of
            a file; or else as far as it has come whenever it is asked for.
    """

    def __init__(
        self, source: LiveSource, settings: PerceiveSettings, engines: Engines, *, patient: bool = True
    ) -> None:
        self._patient = patient
        self._source, self._settings, self._engines = source, settings, engines
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        media, letters = source.media, set(settings.modalities)
        self._hears = bool(letters & set("TA")) and settings.speech.engine != "none" and media.has_audio
        self._sees = "V" in letters and settings.face.engine != "none" and media.has_video
        self._measures = self._hears and "A" in letters and settings.voice.engine != "none"
        # Up to when it is known what was said and seen.
        self._heard_s = -np.inf if self._hears else np.inf
        self._seen_s = -np.inf if self._sees else np.inf
        self._asked_s = -np.inf
        self._said: list[Utterance] = []
        # The last word that was told, and up to when all were.
        self._last_word: Word | None = None
        self._told_s = 0.0
        self._voices: list[VoiceTrack] = []
        self._heard_by: tuple[str | None, str] = (None, "nobody")
        self._tracker: FaceTracker | None = None
        source.want(sound=self._hears, frames=self._sees)
        self._threads = [
            threading.Thread(target=partial(self._watched, work), name=work.__name__, daemon=True)
            for wanted, work in ((self._hears, self._hear), (self._sees, self._see))
            if wanted
        ]
        for thread in self._threads:
            thread.start()
        self._provenance = self._described()

    def close(self) -> None:
        """Hear and see no more; engines are left alone once it returns."""
        self._source.close(drop=True)
        for thread in self._threads:
            thread.join()

    def until(self, start_s: float, end_s: float) -> Cues | None:
        """What is known of the time from `start_s`, once all that began before `end_s` is known; `None` after the end.

        Questions come in order of time.

        Raises:
            EmoscribeError: perceiving failed.
        """
        with self._changed:
            self._asked_s = end_s
            self._changed.wait_for(lambda: self._failure is not None or self._is_known(end_s))
            if self._failure is not None:
                raise self._failure
            media = self._source.media
            if media.duration_s is not None and start_s >= max(media.duration_s, 1e-9):
                return None
            if self._tracker is not None:
                self._tracker.forget(start_s - _SEEN_BEHIND_S)
            self._said = [utterance for utterance in self._said if utterance.end_s > start_s]
            self._voices = self._voices[-_MOST_VOICES:]
            return Cues(media, self._transcript(), self._faces(), self._voice(), provenance=self._provenance)

    def _described(self) -> dict[str, Any]:
        """Who hears, sees and measures, by part, as `Cues` has it."""
        speech, face, voice = self._settings.speech, self._settings.face, self._settings.voice
        return {
            **({"speech": describe_speech(speech)} if self._hears else {}),
            **({"face": registry.describe("face", face) | describe_identity(face.identity)} if self._sees else {}),
            **({"voice": registry.describe("voice", voice)} if self._measures else {}),
        }

    def _is_known(self, end_s: float) -> bool:
        sound_s, pictures_s = self._source.sound().end_s, self._source.pictures_end_s
        heard = self._heard_s >= end_s or (sound_s < end_s and pictures_s >= end_s + _LOST_S)
        seen = self._seen_s >= end_s or (pictures_s < end_s and sound_s >= end_s + _LOST_S)
        return heard and seen

    def _transcript(self) -> Transcript | None:
        return Transcript(tuple(self._said), *self._heard_by) if self._hears else None

    def _faces(self) -> FaceTrack | None:
        return self._tracker.track() if self._tracker is not None else None

    def _voice(self) -> VoiceTrack | None:
        """One row an utterance so far."""
        if not self._measures:
            return None
        nothing = np.empty(0)
        tracks = self._voices
        if not tracks:
            return VoiceTrack((), nothing, nothing, (), np.empty((0, 0)))
        return replace(
            tracks[0],
            start_s=np.concatenate([track.start_s for track in tracks]),
            end_s=np.concatenate([track.end_s for track in tracks]),
            speaker=tuple(name for track in tracks for name in track.speaker),
            values=np.concatenate([track.values for track in tracks]),
        )

    # ── the two threads ──────────────────────────────────────────────────────

    def _hear(self) -> None:
        sound, engine = self._source.sound(), self._engines.speech(self._settings.speech)
        measure = self._engines.voice(self._settings.voice).measure if self._measures else None
        spoken: deque[Stretch] = deque()

        def noted() -> Iterator[Stretch]:
            for stretch in stretches(sound, self._settled, due=self._is_due):
                spoken.append(stretch)
                yield stretch

        for utterance in engine.hear(sound, noted()):
            goes_on = spoken.popleft().goes_on
            said = self._news(utterance, goes_on)
            transcript = Transcript((said,), engine.language, engine.source)
            voice = measure(sound, transcript) if measure is not None else None
            with self._changed:
                self._said.append(said)
                self._heard_by = engine.language, engine.source
                self._voices += [voice] if voice is not None else []
            if goes_on:
                self._settled(said.end_s)
        self._settled(np.inf)

    def _is_due(self, time_s: float) -> bool:
        """Whether a stretch that goes on has come far enough for what is asked for."""
        with self._changed:
            return not self._patient and self._heard_s < self._asked_s <= time_s - UNSETTLED_S

    def _news(self, heard: Utterance, goes_on: bool) -> Utterance:
        """What of a stretch was not told before, as far as it is settled."""
        start_s = max(heard.start_s, self._told_s)
        end_s = max(start_s, heard.end_s - UNSETTLED_S if goes_on else heard.end_s)
        words = heard.words if start_s == heard.start_s else words_after(self._last_word, heard.words, start_s)
        words = tuple(word for word in words if not goes_on or word.start_s + word.end_s < 2 * end_s)
        if words:
            self._last_word = words[-1]
        self._told_s = end_s
        said = replace(heard, start_s=start_s, end_s=end_s, text=" ".join(word.text for word in words), words=words)
        return said if heard.words else understood(said)

    def _settled(self, time_s: float) -> None:
        """All that was said before has been heard: the next stretch is asked for when the last one is."""
        with self._changed:
            self._heard_s = max(self._heard_s, time_s)
            self._changed.notify_all()

    def _see(self) -> None:
        engine, fps = self._engines.face(self._settings.face), self._settings.face.sampling_fps
        with self._changed:
            self._tracker = FaceTracker(engine.vocabulary, recogniser_of(self._settings.face.identity))
        for seen, image in with_pictures(engine.see, self._source.frames(None if fps == "auto" else fps)):
            with self._changed:
                self._tracker.add(seen, image)
                self._seen_s = seen.time_s
                self._changed.notify_all()
        with self._changed:
            self._seen_s = np.inf
            self._changed.notify_all()

    def _watched(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever it is, whoever waits must hear of it
            failure = error if isinstance(error, EmoscribeError) else EmoscribeError(f"{type(error).__name__}: {error}")
            with self._changed:
                self._failure = failure
                self._changed.notify_all()


def words_after(last: Word | None, words: Sequence[Word], from_s: float) -> tuple[Word, ...]:
    """The words of a stretch, heard again as it goes on, that come after those that were told.

    A word that was told with another beginning or end is not told again; none is earlier than `from_s`.
    """
    if last is not None:
        words = [word for word in words if not _is_told(word, last)]
    return tuple(replace(word, start_s=max(word.start_s, from_s), end_s=max(word.end_s, from_s)) for word in words)


def _is_told(word: Word, last: Word) -> bool:
    before = (word.start_s + word.end_s) / 2 < last.end_s
    shared_s = min(word.end_s, last.end_s) - max(word.start_s, last.start_s)
    return before or shared_s > 0.5 * (last.end_s - last.start_s)
