"""How words become a prompt."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..core.settings import Settings


class PromptSettings(Settings):
    """How words become a prompt.  A trained run knows the prompt it reads."""

    template: str = "brief"
    """Name of a template in `prompts/templates`."""
    context_turns: int = Field(default=0, ge=0, le=64)
    """How many of the turns before it are read with an utterance, in its prompt."""
    history_turns: int = Field(default=0, ge=0, le=64)
    """How many are read each by itself, and remembered by a head over turns; of a file, each is read once."""
    frame: Literal["plain", "chat", "auto"] = "plain"
    """`chat` asks in the turns of the base's own chat template, `auto` where it has one, `plain` never."""

    @property
    def turns_before(self) -> int:
        """How many of the turns before it a prompt depends on."""
        return max(self.context_turns, self.history_turns)
