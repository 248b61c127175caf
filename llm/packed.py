"""What reads a pack: prompts to scores by onnxruntime; neither torch nor `transformers` is imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.context import DEFAULT, Context
from ..core.errors import EmoscribeError, UnavailableError
from ..core.prompt import Prompt, Scored
from .answers import answers_of
from .pack import BASE, MEMORY, MODEL, Pack, check_onnxruntime
from .predictor import BATCH_TOKENS
from .run import TextRun
from .tokens import PromptTokenizer, batches_by_length, padded
from .turns import Turns, read_once

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

# A file that keeps weights in other files names them under this key; those would be read unverified.
_ELSEWHERE = b"\n\x08location"


@dataclass(frozen=True, eq=False)
class PackedPredictor:
    """A `training.predictor.Predictor` of prompts, as `predictor.TextPredictor` is.

    Attributes:
        model: `ids`, `attended` and `target` (B, T) to what is read of each prompt (B, L), or (B, L + M) where turns
            are remembered.
        memory: what is remembered (U, M) of the U prompts that are read, and which of them each of N follows, to what
            that adds to its logits (N, L); `None` where nothing is remembered.
    """

    run: TextRun
    pack: Pack
    tokenizer: PromptTokenizer
    model: InferenceSession
    memory: InferenceSession | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.run.labels

    @property
    def sizes(self) -> dict[str, float]:
        """`{"parameters", "bytes"}`, the base included."""
        networks = [file.bytes for name, file in self.pack.files.items() if name in (MODEL, MEMORY)]
        return {"parameters": self.pack.parameters, "bytes": sum(networks)}

    def predict(
        self,
        prompts: Sequence[Prompt],
        batch_tokens: int | None = None,
        progress: Callable[[float], None] = lambda done: None,
    ) -> list[Scored]:
        """See `TextPredictor.predict`."""
        if not prompts:
            return []
        logits = self._logits(prompts, batch_tokens or BATCH_TOKENS["cpu"], progress)
        return answers_of(self.run, prompts, logits.astype(np.float64))

    def _logits(self, prompts: Sequence[Prompt], batch_tokens: int, progress: Callable[[float], None]) -> np.ndarray:
        """(N, L)"""
        read, turns = read_once(prompts)
        tokens = self.tokenizer(read)
        rows: list[np.ndarray] = [np.empty(0)] * len(read)
        done = 0
        for batch in batches_by_length([len(each) for each in tokens], batch_tokens):
            arrays = padded([tokens[i] for i in batch], self.tokenizer.padding_id)
            for index, row in zip(batch, _run(self.model, arrays), strict=True):
                rows[index] = row
            done += len(batch)
            progress(done / len(read))
        return self._judged(np.stack(rows), turns)

    def _judged(self, read: np.ndarray, turns: Turns) -> np.ndarray:
        """As `heads.Classification.judged`."""
        if self.memory is None:
            return read[turns.own]
        own, noted = read[turns.own, : self.run.outputs], read[:, self.run.outputs :]
        return own + _run(
            self.memory, {"noted": noted, "places": turns.places, "who": turns.who, "lengths": turns.lengths}
        )


def load_packed(run: TextRun, pack: Pack, context: Context = DEFAULT) -> PackedPredictor:
    """The predictor of a pack, whose files were seen to be as listed when the run was loaded.

    Raises:
        UnavailableError: onnxruntime is not here, or a GPU is asked for.
        EmoscribeError: a network is none, or is not all in its file.
    """
    check_onnxruntime()
    if context.device == "cuda":
        raise UnavailableError(
            f"run {run.name} is a pack, which is read on the processor; take model.device cpu or auto"
        )
    return PackedPredictor(
        run=run,
        pack=pack,
        tokenizer=PromptTokenizer(run.folder / BASE, frame=pack.frame),
        model=open_network(run.folder / MODEL),
        memory=open_network(run.folder / MEMORY) if run.prompt.history_turns > 0 else None,
    )


def open_network(path: Path) -> InferenceSession:
    """A network in one file of ONNX, on the processor.

    Raises:
        EmoscribeError: it is none, or keeps weights in other files.
    """
    from onnxruntime import InferenceSession, SessionOptions  # pyright: ignore[reportAttributeAccessIssue]

    options = SessionOptions()
    # Left to itself, it takes all cores of the machine, whatever share of them a container has.
    options.intra_op_num_threads = _threads()
    options.log_severity_level = 3
    try:
        data = path.read_bytes()
        if _ELSEWHERE in data:
            raise EmoscribeError(f"{path} keeps weights in other files, which no pack does; make the pack anew")
        return InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except EmoscribeError:
        raise
    except Exception as error:  # onnxruntime has classes of its own for each way of being damaged
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EmoscribeError(f"{path} cannot be read by onnxruntime ({reason}); make the pack anew") from None


def _threads() -> int:
    """Those that OMP_NUM_THREADS gives, or one a core that this process may use."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(network: InferenceSession, arrays: dict[str, np.ndarray]) -> np.ndarray:
    # A head that looks at the last token needs no target: it is then no input.
    asked = {given.name: arrays[given.name] for given in network.get_inputs() if given.name in arrays}
    try:
        (answer,) = network.run(None, asked)
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise EmoscribeError(f"a network of the pack does not take what it should ({reason}); make it anew") from None
    result: Any = answer
    return result
