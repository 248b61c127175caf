"""A run made into a pack, compared with itself on the clips of a corpus."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..core.context import DEFAULT, Context
from ..llm.pack import Precision
from ..llm.packing import Texts, check_free, check_packable, make_pack
from ..llm.run import TextRun, find_run
from .prompting import prompts
from .request import EvaluationRequest


def pack(
    name: str | Path,
    out: Path,
    compared: EvaluationRequest | None = None,
    precision: Precision | None = None,
    context: Context = DEFAULT,
) -> TextRun:
    """Make a pack of a run; see `llm.packing.make_pack`.

    Args:
        compared: the split whose prompts, with each set of modalities, are to be answered as the run does; `None` for
            none.

    Raises:
        EmoscribeError: the run has no pack, or the corpus is not as it has to be; nothing is written then.
    """
    run = find_run(name)
    check_packable(run)
    check_free(out)
    texts = None
    if compared is not None:
        sets = compared.modalities or (run.modalities,)
        read = [
            prompt
            for letters in sets
            for prompt in prompts(replace(compared, runs=[name], modalities=[letters]), context=context)
        ]
        texts = Texts(f"{compared.corpus.name} {compared.split} [{','.join(sets)}]", read)
    return make_pack(run, out, texts, precision=precision, context=context)
