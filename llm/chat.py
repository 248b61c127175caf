"""What a chat model's own template puts around a prompt and after an answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import SettingsError
from ..core.files import read_mapping
from ..core.text import first_line

# For templates that would name today's: scores must not change overnight.  Llama 3's own, where it is not known.
_DATE = "26 Jul 2024"

# Stand for the prompt and the answer while the template is filled in.
_PROMPT, _ANSWER = "⟦what is asked⟧", "⟦what is answered⟧"


@dataclass(frozen=True)
class ChatFrame:
    """A template cut at the places of the prompt and the answer.

    Attributes:
        before, between, after: the text around them, special tokens included.
    """

    before: str
    between: str
    after: str


def has_chat_template(base: Path) -> bool:
    """Whether a base model comes with a template for chats."""
    config = base / "tokenizer_config.json"
    return (base / "chat_template.jinja").is_file() or (
        config.is_file() and bool(read_mapping(config).get("chat_template"))
    )


def chat_frame(base: Path) -> ChatFrame:
    """The frame of a base model's template, for one question and its answer.

    A model that can think aloud is told not to: the answer is scored at once.

    Raises:
        SettingsError: the base has no template, or one that changes what is asked.
    """
    from jinja2 import TemplateError
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise SettingsError(
            f"the chat template of {base.name} cannot be read: {first_line(error)}; use prompt.frame plain"
        ) from None
    if not tokenizer.chat_template:
        raise SettingsError(f"prompt.frame chat needs a base with a chat template, and {base.name} has none; use plain")
    asked = [{"role": "user", "content": _PROMPT}]
    told: dict[str, Any] = {"tokenize": False, "enable_thinking": False, "date_string": _DATE}
    try:
        question = tokenizer.apply_chat_template(asked, add_generation_prompt=True, **told)
        answered = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": _ANSWER}], **told)
    except TemplateError as error:
        raise SettingsError(f"the chat template of {base.name} takes no single question: {error}") from None
    if question.count(_PROMPT) != 1 or answered.count(_ANSWER) != 1:
        raise SettingsError(f"the chat template of {base.name} changes what is asked; use prompt.frame plain")
    before, between = question.split(_PROMPT)
    return ChatFrame(before, between, answered.split(_ANSWER)[1])
