"""How words become a prompt."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..core.settings import Settings


class PromptSettings(Settings):
    """How words become a prompt.  A trained run knows the prompt it reads."""

    template: str = "brief"
    context_turns: int = Field(default=0, ge=0, le=64)
    # `chat` asks in the turns that an instruct model's own template makes,
    # `auto` where the base has one.
    frame: Literal["plain", "chat", "auto"] = "plain"
