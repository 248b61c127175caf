"""How far stages of work are, and how long the rest will take."""

from __future__ import annotations

import time


class Pace:
    """Stages that run side by side.

    Attributes:
        done: by stage, in the order in which they were first heard of, how much of it is done, in 0–1.
    """

    def __init__(self) -> None:
        self.done: dict[str, float] = {}
        # When a stage was first heard of, and how much was done by then: by a run that is resumed, say.
        self._began: dict[str, tuple[float, float]] = {}

    def tell(self, stage: str, done: float) -> None:
        """A `StageProgress`."""
        self.done[stage] = min(max(done, 0.0), 1.0)
        self._began.setdefault(stage, (time.monotonic(), self.done[stage]))

    def forget(self, stage: str) -> None:
        """It is over, and begins anew if it is heard of again."""
        self.done.pop(stage, None)
        self._began.pop(stage, None)

    def left_s(self, stage: str) -> float | None:
        """The seconds that the rest takes if it takes as long as what was done; `None` where nothing tells."""
        since, before = self._began[stage]
        done = self.done[stage]
        if done <= before:
            return None
        return (time.monotonic() - since) * (1 - done) / (done - before)
