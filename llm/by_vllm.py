"""Label words scored by vLLM.

What is read, and what becomes of how likely the answers are, is as in
`predictor.TextPredictor`; `label_words.LabelWords` is what vLLM stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.context import DEFAULT, Context
from ..core.errors import EmoscribeError, SettingsError
from ..core.prompt import Prompt, Scored
from ..core.weights import find_base
from ..extractors.executors import Executor, Lost
from ..training import processes
from ..training.run import Run
from .adapter_config import read_adapter_config
from .answers import answers_of
from .predictor import tokenizer_for
from .run import ADAPTER, TextRun
from .tokens import PromptTokenizer
from .turns import read_once
from .vllm_process import Chunk, Opening, vllm_python, vllm_version

# Prompts that a worker is given at once: vLLM fills a GPU with some hundred.
_AT_ONCE = 1024


@dataclass(frozen=True)
class Vllm:
    """That label words are scored by vLLM, and where.

    Attributes:
        executor: who has the workers.
        gpus: that hold the model of a worker between them.
    """

    executor: Executor
    gpus: int = 1

    @property
    def in_words(self) -> str:
        """For a report."""
        return f"Labels' words were scored by vLLM {vllm_version(vllm_python())}"


def check_scorable(run: Run) -> None:
    """Raises:
    SettingsError: vLLM cannot score for the run.
    UnavailableError: it is not here.
    """
    if not isinstance(run, TextRun) or run.pack is not None or run.head.kind != "label-words":
        raise SettingsError(
            f"--engine vllm scores labels' words, and run {run.name} answers otherwise; "
            "leave it out, or take a run that was trained with head.kind: label-words"
        )
    if run.base.quantization != "none":
        raise SettingsError(
            f"--engine vllm scores on whole weights, and run {run.name} reads its base in {run.base.quantization}, "
            "where scores differ; leave it out"
        )
    if processes.count() > 1:
        raise SettingsError("--engine vllm begins processes of its own; leave accelerate launch out, and see --workers")
    vllm_version(vllm_python())


@dataclass(frozen=True, eq=False)
class VllmPredictor:
    """A `training.predictor.Predictor` of prompts, for runs with label words.

    Attributes:
        run: whose labels it answers with.
        opening: makes a worker.
        executor: who has the workers.
        files: where its weights lie.
    """

    run: TextRun
    tokenizer: PromptTokenizer
    opening: Opening
    executor: Executor
    files: tuple[Path, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        return self.run.labels

    @property
    def sizes(self) -> Mapping[str, float]:
        """`{"parameters", "bytes"}`, the base included."""
        from safetensors import safe_open

        parameters = 0
        for path in self.files:
            with safe_open(path, "np") as tensors:
                parameters += sum(int(np.prod(tensors.get_slice(name).get_shape())) for name in tensors.keys())  # noqa: SIM118
        return {"parameters": parameters, "bytes": sum(path.stat().st_size for path in self.files)}

    def predict(self, prompts: Sequence[Prompt], progress: Callable[[float], None] = lambda done: None) -> list[Scored]:
        """What each prompt is answered with, in their order.

        Args:
            progress: told how much is done, in 0–1.

        Raises:
            EmoscribeError: vLLM cannot load the model, or hold a prompt, or its worker ended.
        """
        if not prompts:
            return []
        read, turns = read_once(prompts)
        ids = [tokens.ids.tolist() for tokens in self.tokenizer(read)]
        answers = self.tokenizer.answers
        chunks = [Chunk(first, ids[first : first + _AT_ONCE], answers) for first in range(0, len(ids), _AT_ONCE)]
        rows, done = np.empty((len(ids), len(answers))), 0
        for chunk, told in self.executor.map(self.opening, chunks):
            if isinstance(told, Lost):
                raise EmoscribeError(f"vLLM scored only a part of the prompts: {told.reason}")
            rows[chunk.first : chunk.first + len(told)] = told
            done += len(told)
            progress(done / len(ids))
        return answers_of(self.run, prompts, rows[turns.own])


def load_vllm(run: TextRun, vllm: Vllm, context: Context = DEFAULT) -> VllmPredictor:
    """The model that a run describes, in vLLM once something is to be scored.

    Raises:
        UnavailableError: the base model, or vLLM, is not here.
        SettingsError: see `check_scorable`.
        EmoscribeError: the run's files are damaged.
    """
    check_scorable(run)
    base = find_base(run.base.id, run.base.sha256, context)
    adapter = None if run.zero_shot else run.folder.absolute()
    rank = read_adapter_config(adapter)["r"] if adapter is not None else None
    job = {"model": str(base), "adapter": adapter and str(adapter), "rank": rank, "gpus": vllm.gpus}
    files = [*base.glob("*.safetensors"), *([adapter / ADAPTER] if adapter is not None else [])]
    opening = Opening(vllm_python(), job)
    return VllmPredictor(run, tokenizer_for(base, run), opening, vllm.executor, tuple(files))
