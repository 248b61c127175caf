"""Packs: a run in the form in which it is deployed, its adapter merged into its base and written out for onnxruntime.

A pack is a run's folder in which `model.onnx` stands in for base, adapter and
head.  `pack.json` says what was made and how well it agrees with the run, and
lists every other file with its SHA-256; without that list holding, nothing of
the folder is read.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from ..core.errors import SettingsError, UnavailableError
from ..core.settings import Settings
from ..core.versioned import read_versioned
from .chat import ChatFrame
from .manifest import ListedFile, check_listed

PACK = "pack.json"
VERSION = 1

MODEL = "model.onnx"
MEMORY = "memory.onnx"

# The folder with what a tokenizer is read from, and the base's own card and licence.
BASE = "base"

# What of a model is in eight bits: everything, the table of its tokens alone, or nothing.
Precision = Literal["int8", "int8-embeddings", "float32"]


class Agreement(Settings):
    """How often a pack answers as the run it was made from.

    Attributes:
        data: whose clips were read.
        texts: how many.
        answers: the share of them that got the same label, or the same set of labels.
        difference: of any score at most.
        tried: by precision, the share that was reached; those below what was asked for are not what the pack has.
    """

    data: str
    texts: int = Field(ge=1)
    answers: float = Field(ge=0, le=1)
    difference: float = Field(ge=0)
    tried: Mapping[Precision, float] = {}


class Pack(Settings):
    """`pack.json`.

    Attributes:
        parameters: of base, adapter and head together.
        export_difference: how far a score of the model in float32 was from the run's at most, on lines of our own.
        agreement: `None` where there was nothing to compare on, and so nothing was left to eight bits.
        frame: `None` where nobody chats.
        licences: of the adapter and of the base, as far as they are known.
        made_with: versions, by package.
    """

    version: Literal[1] = VERSION
    precision: Precision
    parameters: int = Field(ge=1)
    export_difference: float = Field(ge=0)
    agreement: Agreement | None = None
    frame: ChatFrame | None = None
    licences: Mapping[str, str] = {}
    made_with: Mapping[str, str] = {}
    files: Mapping[str, ListedFile]

    @property
    def told(self) -> dict[str, str]:
        """For provenance: what reads, and that it is this."""
        return {"precision": self.precision, "sha256": self.files[MODEL].sha256}

    @model_validator(mode="after")
    def _holds_a_model(self) -> Pack:
        if MODEL not in self.files:
            raise ValueError(f"files list no {MODEL}")
        return self


def read_pack(folder: Path) -> Pack | None:
    """What a folder holds that is a pack, every file of it seen to be the one that was put there; `None` if it is none.

    Raises:
        SettingsError: `pack.json` is damaged, or of a newer version.
        EmoscribeError: a file is not the one that it lists; see `check_listed`.
    """
    path = folder / PACK
    if not path.is_file():
        return None
    if path.is_symlink():
        raise SettingsError(f"{path} is a link; copy the folder with what it links to")
    pack = read_versioned(Pack, path, VERSION)
    check_listed(folder, pack.files, PACK)
    return pack


def check_onnxruntime(*, making: bool = False) -> None:
    """
    Args:
        making: whether packs are to be made, not only read.

    Raises:
        UnavailableError: what is needed for that is not installed.
    """
    for package in ("onnxruntime", "onnx") if making else ("onnxruntime",):
        if importlib.util.find_spec(package) is None:
            verb = "made with" if making else "read by"
            raise UnavailableError(
                f"a pack is {verb} {package}, which is not here; get it with: pip install 'emoscribe[pack]'"
            )
