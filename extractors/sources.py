"""What there is to perceive: a file or a stretch of one, or what a camera and a microphone give as it comes."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from ..core import memory
from ..core.context import Store
from ..core.errors import EmoscribeError, SettingsError
from ..core.timeline import Media
from . import media
from .media import SAMPLE_RATE, Frame, Sound, span
from .media.peaks import MOST_PEAKS, PEAKS_PER_S, SoundPeaks, peaks_of
from .media.settings import MediaSettings
from .sampling import SamplingGrid
from .store import kept

# Raised where a file is read as something else than before, so that what a store kept of it is perceived anew.
DECODING = 2

PLAYERS_CHOICE = MediaSettings()

# What a live source remembers of the sound: longer than anything that is heard or measured at once.
KEPT_S = 90.0
# What waits to be heard and to be looked at; whoever pushes more waits for it.
WAITING_S = 20.0
WAITING_FRAMES = 32


class Source(Protocol):
    """Attributes: `media`, what it is."""

    @property
    def media(self) -> Media: ...

    def frames(self, sampling_fps: float | None) -> Iterator[Frame]:
        """Its frames in order, at most so many a second; `None` for all."""
        ...

    def sound(self) -> Sound: ...


class FileSource:
    """A file, or a stretch of it; times are the file's.

    It is identified once: hashed, and opened to see what is in it unless a
    store knows.  Pictures and sound are decoded side by side, each when asked for.

    Args:
        start_s, end_s: the stretch; by default all.
        store: may know the file.
        tracks: which of its tracks; by default those that a player would choose.

    Raises:
        MediaError: it cannot be read as video, sound or picture.
        SettingsError: there is no such stretch.
    """

    def __init__(
        self,
        path: str | Path,
        start_s: float = 0.0,
        end_s: float | None = None,
        *,
        store: Store | None = None,
        tracks: MediaSettings = PLAYERS_CHOICE,
    ) -> None:
        whole = identify(path, store, tracks)
        self.start_s, self.end_s = start_s, math.inf if end_s is None else end_s
        if start_s < 0 or self.end_s <= start_s or (start_s and start_s >= whole.duration_s):
            asked = f"{start_s:g} to {'its end' if end_s is None else f'{end_s:g}'} s"
            raise SettingsError(f"{path} lasts {whole.duration_s:.2f} s: there is no stretch from {asked}")
        self.media = replace(whole, start_s=start_s, end_s=None if end_s is None else min(end_s, whole.duration_s))
        self._sound: Sound | None = None
        self._lock = threading.Lock()

    @property
    def interval(self) -> tuple[float, float]:
        """The stretch, as a store has it: without an end where it is the file's."""
        return self.start_s, self.end_s

    def frames(self, sampling_fps: float | None) -> Iterator[Frame]:
        """See `media.frames`."""
        return media.frames_of(self.media, sampling_fps)

    def read_as(self, kind: Literal["video", "audio"]) -> dict[str, Any]:
        """What cues of its pictures, or of its sound, depend on besides the file and who perceives."""
        return {"decoding": DECODING, "track": self.media.video_track if kind == "video" else self.media.audio_track}

    def sound(self) -> Sound:
        """See `media.decode_sound`; decoded at the first call."""
        with self._lock:
            if self._sound is None:
                # An encoder pads its last block: nothing is heard after the end.
                end_s = min(self.end_s, self.media.duration_s)
                self._sound = media.decode_sound(self.media.path, self.start_s, end_s, track=self.media.audio_track)
            return self._sound

    def peaks(self, store: Store | None = None) -> SoundPeaks:
        """How loud it is over time; from the store, if that knows, without decoding anything."""
        about = {"most": MOST_PEAKS, "per_s": PEAKS_PER_S} | self.read_as("audio")
        return kept(store, self.media.sha256, "peaks", about, lambda: peaks_of(self.sound()), self.interval)

    def close(self) -> None:
        """Let go of the sound, and of the memory that perceiving the file took."""
        with self._lock:
            if self._sound is not None:
                self._sound.close()
                self._sound = None
        memory.give_back()


def identify(path: str | Path, store: Store | None = None, tracks: MediaSettings = PLAYERS_CHOICE) -> Media:
    """What a file is: told by the store, or else probed.

    Raises:
        MediaError: it cannot be read as video, sound or picture.
        SettingsError: it has no such track.
    """
    sha256, asked = media.sha256_of(path), tracks.model_dump()
    known = kept(store, sha256, "media", {"decoding": DECODING} | asked, lambda: media.probe(path, sha256, **asked))
    # The same content may lie under another name today.
    return replace(known, path=str(path))


# ── live ─────────────────────────────────────────────────────────────────────


class LiveSource:
    """What comes in chunk by chunk, with times from its own beginning.

    Whoever pushes does so from another thread than the one that reads, and
    waits where hearing or looking falls behind.  Memory does not grow with it.

    Args:
        has_audio, has_video: what will be pushed.
    """

    def __init__(self, *, has_audio: bool = True, has_video: bool = True) -> None:
        self._has_audio, self._has_video = has_audio, has_video
        self._sound = LiveSound()
        self._waiting: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._grid = SamplingGrid(None)
        self._last_frame_s = 0.0
        self._size: tuple[int, int] | None = None
        self._looked_at = True
        self._closed = False

    @property
    def media(self) -> Media:
        """Its `sha256` is `None`, and so is `duration_s` until it is closed."""
        width, height = self._size or ((0, 0) if self._has_video else (None, None))
        # Neither is known before the end, and no file has the second.
        open_end: Any = None
        end_s = max(self._sound.end_s, self._last_frame_s) if self._closed else open_end
        return Media("live", end_s, open_end, width=width, height=height, has_audio=self._has_audio)

    def push_sound(self, samples: np.ndarray, start_s: float | None = None) -> None:
        """The next of the sound: (N,) float in −1–1, mono, 16 kHz.

        Args:
            start_s: where it begins, if not where the last ended; what is left out is silence.

        Raises:
            SettingsError: there is to be no sound.
            EmoscribeError: the source is closed.
        """
        self._check(self._has_audio, "sound")
        self._sound.push(samples, start_s)

    def push_frame(self, image: np.ndarray, time_s: float) -> None:
        """The next picture: (H, W, 3) uint8 RGB, upright, shown at `time_s`; it waits for those before it.

        Raises:
            SettingsError: there are to be no pictures.
            EmoscribeError: the source is closed.
        """
        self._check(self._has_video, "pictures")
        with self._changed:
            self._size = image.shape[1], image.shape[0]
            self._last_frame_s = max(self._last_frame_s, time_s)
            if not self._grid.takes(time_s):
                return
            self._changed.wait_for(lambda: self._closed or not self._looked_at or len(self._waiting) < WAITING_FRAMES)
            if self._looked_at:
                self._waiting.append(Frame(time_s, image))
            self._changed.notify_all()

    @property
    def pictures_end_s(self) -> float:
        """When the last picture so far was shown."""
        return self._last_frame_s

    @property
    def unheard_s(self) -> float:
        """How much of the sound waits to be heard."""
        return self._sound.unheard_s

    @property
    def unseen(self) -> int:
        """How many pictures wait to be looked at."""
        return len(self._waiting)

    def want(self, *, sound: bool, frames: bool) -> None:
        """What somebody will go through; the rest is let go as it comes."""
        if not sound:
            self._sound.ignore()
        with self._changed:
            self._looked_at = frames
            if not frames:
                self._waiting.clear()
            self._changed.notify_all()

    def close(self, *, drop: bool = False) -> None:
        """There is no more to come.

        Args:
            drop: nor is what waits to be heard and seen.
        """
        with self._changed:
            self._closed = True
            if drop:
                self._waiting.clear()
            self._changed.notify_all()
        self._sound.end(drop=drop)

    def frames(self, sampling_fps: float | None) -> Iterator[Frame]:
        """The frames as they come, until the source is closed; what comes between ticks is not kept."""
        with self._changed:
            self._grid = SamplingGrid(sampling_fps)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or bool(self._waiting))
                if not self._waiting:
                    return
                frame = self._waiting.popleft()
                self._changed.notify_all()
            yield frame

    def sound(self) -> Sound:
        return self._sound

    def _check(self, has: bool, what: str) -> None:
        if not has:
            raise SettingsError(f"this live source was made without {what}")
        if self._closed:
            raise EmoscribeError("this live source is closed; make another one")


class LiveSound(Sound):
    """A sound that grows; its last minute and a half can be read."""

    growing = True

    def __init__(self) -> None:
        self.start_s = 0.0
        self._pieces: deque[np.ndarray] = deque()
        self._forgotten = 0
        self._samples = 0
        # How much has been given to whoever goes through it block by block; `None` where nobody will.
        self._heard: int | None = 0
        self._changed = threading.Condition()
        self._ended = self._dropped = False

    def push(self, samples: np.ndarray, start_s: float | None) -> None:
        """See `LiveSource.push_sound`; waits for whoever goes through it."""
        samples = np.asarray(samples, dtype=np.float32)
        with self._changed:
            if start_s is not None and (gap := round(start_s * SAMPLE_RATE) - self._samples) > 0:
                samples = np.concatenate([np.zeros(gap, dtype=np.float32), samples])
            self._changed.wait_for(lambda: self._heard is None or self._samples - self._heard < WAITING_S * SAMPLE_RATE)
            self._pieces.append(samples)
            self._samples += len(samples)
            behind = self._samples if self._heard is None else self._heard
            while self._pieces and behind - self._forgotten - len(self._pieces[0]) > KEPT_S * SAMPLE_RATE:
                self._forgotten += len(self._pieces.popleft())
            self._changed.notify_all()

    def ignore(self) -> None:
        """Nobody will go through it."""
        with self._changed:
            self._heard = None
            self._changed.notify_all()

    @property
    def unheard_s(self) -> float:
        """How much of it waits for whoever goes through it."""
        with self._changed:
            return 0.0 if self._heard is None else (self._samples - self._heard) / SAMPLE_RATE

    def end(self, *, drop: bool = False) -> None:
        """There is no more to come; or to be gone through, either."""
        with self._changed:
            self._ended, self._dropped = True, drop
            self._changed.notify_all()

    def read(self, start_s: float, end_s: float) -> np.ndarray:
        """As `Sound.read`; what is forgotten is left out too."""
        with self._changed:
            first, last = span(start_s, end_s, self._samples)
            return self._between(max(first, self._forgotten), last)

    def blocks(self, block_s: float) -> Iterator[tuple[float, np.ndarray]]:
        """The sound as it comes, in blocks of at most that length; shorter ones are whole steps of `LIVE_STEP_S`."""
        step, longest, first = round(LIVE_STEP_S * SAMPLE_RATE), round(block_s * SAMPLE_RATE), 0
        while True:
            with self._changed:
                self._heard = first
                self._changed.notify_all()
                self._changed.wait_for(lambda at=first: self._ended or self._samples - at >= step)
                there = min(self._samples - first, longest)
                if not self._ended:
                    there -= there % step
                if there <= 0 or self._dropped:
                    return
                samples = self._between(first, first + there)
            yield first / SAMPLE_RATE, samples
            first += there

    def _between(self, first: int, last: int) -> np.ndarray:
        at, found = self._forgotten, []
        for piece in self._pieces:
            if at < last and at + len(piece) > first:
                found.append(piece[max(first - at, 0) : last - at])
            at += len(piece)
        return np.concatenate(found) if found else np.zeros(0, dtype=np.float32)


# A whole number of the voice-activity detector's frames of 32 ms.
LIVE_STEP_S = 0.256
