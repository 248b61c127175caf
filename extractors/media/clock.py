"""One clock for all that is read of a file, from 0 on, which never jumps.

Timestamps are the container's business, and containers get them wrong:
transport streams joined by `cat` start anew at the joint, those of a live
broadcast begin anywhere, a damaged one leaps by days.  What follows on what is
told by the order in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer

# A track that goes back by more begins anew: orders of decoding and rounding are below.
_BACK_S = 0.5
# Or by more than so many of its packets, where pictures are few.
_BACK_PACKETS = 16

# The longest time in which no track has anything.  FFmpeg's `-dts_delta_threshold` where a format
# is known for clocks that jump; else an hour, since a recorded screen may stand still for long.
_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 3600.0


class Clock:
    """Puts packets on the clock, all tracks that are read in the order of the file.

    A clock that starts anew or leaps does so for all tracks, though not in the
    same packet: the first that is met there begins an epoch, which follows
    what came before, and the others join it.
    """

    def __init__(self, container: InputContainer) -> None:
        self._pause_s = _PAUSE_S if jumps(container) else _LONGEST_PAUSE_S
        # Of each epoch, what is added to a timestamp in seconds.
        self._shifts = [-(container.start_time or 0) / 1e6]
        self._epoch: dict[int, int] = {}
        self._ends: dict[int, float] = {}

    def place(self, packet: Any) -> float | None:
        """Changes the packet's timestamps to those on the clock; where it ends there, `None` where it has none."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None or not packet.time_base:
            return None
        tick_s, track = float(packet.time_base), packet.stream.index
        length_s = (packet.duration or 0) * tick_s
        epoch = self._epoch_of(track, stamp * tick_s, length_s)
        self._epoch[track] = epoch
        shift = round(self._shifts[epoch] / tick_s)
        self._ends[track] = (stamp + shift) * tick_s + length_s
        if packet.pts is not None:
            packet.pts += shift
        if packet.dts is not None:
            packet.dts += shift
        # What has no time of presentation is shown when it is decoded.
        shown = packet.pts if packet.pts is not None else stamp + shift
        return shown * tick_s + length_s

    def _epoch_of(self, track: int, stamp_s: float, length_s: float) -> int:
        """The one in which this stamp follows what the track had before; a new one where there is none."""
        latest_s = max(self._ends.values(), default=stamp_s + self._shifts[0])
        expected_s = self._ends.get(track)
        back_s = max(_BACK_S, _BACK_PACKETS * length_s)
        for epoch in range(self._epoch.get(track, 0), len(self._shifts)):
            at_s = stamp_s + self._shifts[epoch]
            if at_s - latest_s <= self._pause_s and (expected_s is None or at_s - expected_s >= -back_s):
                return epoch
        self._shifts.append((latest_s if expected_s is None else expected_s) - stamp_s)
        return len(self._shifts) - 1


def jumps(container: InputContainer) -> bool:
    """Whether the clock of such files is known to jump: then a time cannot be sought, only waited for."""
    from av.format import Flags

    return bool(container.format.flags & (Flags.ts_discont.value | Flags.no_timestamps.value))
