"""A stream in the models' process: chunks of sound and pictures in, windows out, a normal result in the end.

Whoever sends faster than is heard and seen is not made to wait: pictures that
would be seen late are left out, and so is sound once much of it waits.
"""

from __future__ import annotations

import io
import struct
import threading
import time
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import EmoscribeError
from ..core.measures import FACE
from ..core.timeline import Cues, LabelledTranscript
from ..extractors.media import SAMPLE_RATE
from ..extractors.sources import WAITING_S, LiveSource
from .live_record import LiveRecord
from .live_start import SOUND, LiveStart, arrival_of, unframed
from .process import Hand, Stop

if TYPE_CHECKING:
    from ..pipeline import Session

# Pictures that wait to be looked at; whoever looks more slowly than they come sees some of them.
_UNSEEN = 3
_UNHEARD_S = WAITING_S - 2.0
# So much may be missing between one chunk and the next.
_GAP_S = 30.0
_LEAST_SIDE, _MOST_SIDE = 16, 4096
# A stream whose time goes more slowly than the clock ends so long after its limit.
_SLACK_S = 60.0
# That it will end is told so long before.
_TOLD_S = 60.0
# A unit is named beside a face while it is at least plain.
_PLAIN = 1
_MOST_UNITS = 4


def run_live(hand: Hand, session: Session) -> LabelledTranscript:
    """The labelled transcript of a stream, whose windows are told as they come.

    Args:
        hand: its payload has `start`, a `LiveStart`, and `limit_s`; its chunks are as `arrived` makes them.

    Raises:
        EmoscribeError: what came is no sound and no picture, or an engine failed.
        Stop: it was called off.
    """
    start: LiveStart = hand.payload["start"]
    hand.send({"type": "loading"})
    session.load()
    source = LiveSource(has_audio=start.sound, has_video=start.picture)
    intake, record = Intake(source, hand, hand.payload["limit_s"]), LiveRecord()
    hand.send({"type": "ready", "limit_s": hand.payload["limit_s"]})
    threading.Thread(target=intake.run, name="intake", daemon=True).start()
    with closing(session.stream_with_cues(source, patient=False)) as stream:
        for segment, cues in stream:
            record.add(segment, cues)
            told = {"type": "segment", "segment": segment.to_dict(), "faces": faces_at(cues, segment.moment.end_s)}
            hand.send(told | {"latency_s": round(intake.since(segment.moment.end_s), 3)})
    hand.check()
    if intake.failure is not None:
        raise intake.failure
    return record.transcript(source.media, session)


class Intake:
    """Puts what comes into a source, until there is no more or it is of no use.

    Attributes:
        failure: why it ended, if it did before its time.
    """

    def __init__(self, source: LiveSource, hand: Hand, limit_s: float) -> None:
        self._source, self._hand, self._limit_s = source, hand, limit_s
        self.failure: EmoscribeError | None = None
        # Up to when what came reaches, and when it came.
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=4096)
        self._reached_s, self._shown_s = 0.0, -1.0
        self._told = {"end": False, "late": False}

    def run(self) -> None:
        """In a thread of its own."""
        until = time.monotonic() + self._limit_s + _SLACK_S
        try:
            for chunk in self._hand:
                if isinstance(chunk, bytes):
                    self.take(chunk)
                if self._reached_s >= self._limit_s or time.monotonic() > until:
                    self._tell(f"a stream lasts {self._limit_s:,.0f} s at most: this one has ended")
                    break
        except EmoscribeError as error:
            self.failure = error
        except Stop:
            pass  # whoever iterates over the segments is told too
        finally:
            self._source.close()

    def take(self, chunk: bytes) -> None:
        """The next chunk.

        Raises:
            EmoscribeError: it is not as it has to be.
        """
        came, chunk = arrival_of(chunk)
        kind, time_s, payload = unframed(chunk)
        if time_s > self._reached_s + _GAP_S:
            raise EmoscribeError(
                f"a chunk's time {time_s:.1f} s is {time_s - self._reached_s:.1f} s behind the last; "
                f"at most {_GAP_S:.0f} s may be missing"
            )
        end_s = self._sound(payload, time_s) if kind == SOUND else self._picture(payload, time_s)
        self._reached_s = max(self._reached_s, end_s)
        self._arrivals.append((end_s, came))
        if self._reached_s > self._limit_s - _TOLD_S and not self._told["end"] and self._limit_s > 2 * _TOLD_S:
            self._told["end"] = True
            self._tell(f"it ends by itself in {_TOLD_S:.0f} s")

    def since(self, time_s: float) -> float:
        """Seconds since what ended at that time came."""
        now, arrivals = time.monotonic(), tuple(self._arrivals)  # more may come meanwhile
        return now - next((came for end_s, came in arrivals if end_s >= time_s), now)

    def _sound(self, payload: memoryview, time_s: float) -> float:
        samples = np.frombuffer(payload, dtype="<i2").astype(np.float32) / 32768.0
        if self._source.unheard_s < _UNHEARD_S:
            self._source.push_sound(samples, time_s)
        elif not self._told["late"]:
            self._told["late"] = True
            self._tell("hearing falls behind on this machine: some of the sound is left out")
        return time_s + len(samples) / SAMPLE_RATE

    def _picture(self, payload: memoryview, time_s: float) -> float:
        if self._source.unseen < _UNSEEN and time_s > self._shown_s:
            self._source.push_frame(decoded(payload), time_s)
            self._shown_s = time_s
        return time_s

    def _tell(self, notice: str) -> None:
        self._hand.send({"type": "notice", "notice": notice})


def decoded(payload: memoryview) -> np.ndarray:
    """A JPEG or WebP picture: (H, W, 3) uint8 RGB.

    Raises:
        EmoscribeError: it is none, or too small or large; told before it is decoded.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(payload), formats=("JPEG", "WEBP")) as image:
            if not all(_LEAST_SIDE <= side <= _MOST_SIDE for side in image.size):
                raise EmoscribeError(
                    f"a picture of {image.width} × {image.height} pixels; "
                    f"a side may have {_LEAST_SIDE} to {_MOST_SIDE}: send it smaller"
                )
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, struct.error) as error:
        reason = " ".join(str(error).split())[:80]
        raise EmoscribeError(f"a picture cannot be read as JPEG or WebP ({reason}); send whole files") from None


def faces_at(cues: Cues, end_s: float) -> list[dict[str, Any]]:
    """Where faces were when the window ended, in pixels, and what they did that is plain to see."""
    track = cues.face
    if track is None or not len(track.times_s) or not (before := track.times_s[track.times_s <= end_s]).size:
        return []
    told = []
    for row in np.flatnonzero(track.times_s == before[-1]):
        values = track.action_units[row]
        strongest = [i for i in np.argsort(-values)[:_MOST_UNITS] if values[i] >= track.scale.grades[_PLAIN]]
        spoken = [track.names[i] for i in strongest if track.names[i] not in track.scale.unspoken]
        told.append(
            {
                "person": int(track.person[row]),
                "box": [round(float(edge)) for edge in track.boxes[row]],
                "units": [FACE[name].about for name in spoken],
            }
        )
    return told
