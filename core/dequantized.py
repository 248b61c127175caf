"""Models that a package carries in few bits, in one file of llama.cpp's format GGUF, as folders like any other's.

Nothing computes on a GGUF file here: once, its weights are written out in
float16, with configuration, tokenizer and chat template beside them.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from typing import Any

from .digests import sha256_of
from .downloads import models_folder, require_room
from .errors import EmoscribeError, WriteError
from .files import make_folder, passing_folder
from .text import reason_of

# Of a file's size, at four to five bits a weight.
_GROWTH = 4


def can_dequantize() -> bool:
    """Whether the package that reads the format is here."""
    return importlib.util.find_spec("gguf") is not None


def dequantized(file: Path, sha256: str) -> Path:
    """The folder with what a GGUF file holds: made on first use, kept in the user's cache.

    Args:
        sha256: what the file's has to be.

    Raises:
        EmoscribeError: it is another file, or the cache has no room for its weights.
    """
    kept = models_folder() / f"{file.stem}-{sha256[:12]}"
    if kept.is_dir():
        return kept
    if (found := sha256_of(file)) != sha256:
        raise EmoscribeError(f"{file} is not what was published (sha256 {found[:12]}…, not {sha256[:12]}…)")
    require_room(kept.parent, _GROWTH * file.stat().st_size)
    with passing_folder(beside=make_folder(kept.parent)) as partial:
        whole = partial / kept.name
        _write(file, whole)
        try:
            whole.rename(kept)
        except OSError as error:
            # Another process may have been as far a moment before.
            if not kept.is_dir():
                raise WriteError(f"cannot write {kept}: {reason_of(error)}") from None
    return kept


def _write(file: Path, folder: Path) -> None:
    """Everything that a base is read from; the same bytes of weights wherever it is done."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    # Of the bars drawn meanwhile, one minds no setting.
    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    tokenizer.save_pretrained(folder)
    config: Any = model.config
    # Nothing in the folder is quantized any more.
    del config.quantization_config
    config.dtype = torch.float16
    config.save_pretrained(folder)
    state = model.state_dict()
    if config.tie_word_embeddings:
        # Tied to the embeddings when the folder is read.
        state.pop("lm_head.weight", None)
    halves = {name: tensor.to(torch.float16).contiguous() for name, tensor in state.items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
