"""What reads a pack: prompts to scores by onnxruntime; neither torch nor `transformers` is imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.context import DEFAULT, Context
from ..core.errors import EmoscribeError, UnavailableError
from ..core.onnx_files import open_network
from ..core.prompt import Prompt, Scored
from ..core.text import first_line
from ..training.probe import Probe, check_probe, probe_of
from .answers import answers_of
from .pack import BASE, MEMORY, MODEL, Pack, check_onnxruntime
from .predictor import BATCH_TOKENS, one_after_another
from .run import TextRun
from .tokens import PromptTokenizer, batches_by_length, padded
from .turns import Turns, read_once

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


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

    def probed(self, asked: Sequence[str]) -> Probe:
        """See `TextPredictor.probed`."""
        logits = self._logits(one_after_another(self.run, asked), BATCH_TOKENS["cpu"], lambda done: None)
        return probe_of(self.run, asked, logits, exact=self.pack.precision == "float32")

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
        EmoscribeError: a network is none, is not all in its file, or does not give what the run was saved with.
    """
    check_onnxruntime()
    if context.device == "cuda":
        raise UnavailableError(
            f"run {run.name} is a pack, which is read on the processor; take model.device cpu or auto"
        )
    predictor = PackedPredictor(
        run=run,
        pack=pack,
        tokenizer=PromptTokenizer(run.folder / BASE, frame=pack.frame),
        model=network_of(run, MODEL),
        memory=network_of(run, MEMORY) if run.prompt.history_turns > 0 else None,
    )
    if run.probe is not None:
        check_probe(run, predictor.probed(tuple(run.probe.logits)))
    return predictor


def network_of(run: TextRun, name: str) -> InferenceSession:
    """A network in a pack's folder.

    Raises:
        EmoscribeError: it is none, or keeps weights in other files.
    """
    return open_network(run.folder / name, f"pack {run.name}", alone=True)


def _run(network: InferenceSession, arrays: dict[str, np.ndarray]) -> np.ndarray:
    # A head that looks at the last token needs no target: it is then no input.
    asked = {given.name: arrays[given.name] for given in network.get_inputs() if given.name in arrays}
    try:
        (answer,) = network.run(None, asked)
    except Exception as error:
        raise EmoscribeError(
            f"a network of the pack does not take what it should ({first_line(error)}); make the pack anew"
        ) from None
    result: Any = answer
    return result
