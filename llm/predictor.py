"""A base model with a run's adapter and head: prompts to scores, or to a rating."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.context import DEFAULT, Context, resolve_device
from ..core.errors import EmoscribeError, SettingsError, UnavailableError
from ..core.files import read_mapping
from ..core.prompt import PrecedingTurn, Prompt, Scored
from ..core.tensors import load_tensors
from ..core.text import first_line
from ..core.weights import find_base
from ..training.probe import Probe, check_probe, probe_of
from .answers import answers_of
from .run import ADAPTER, HEAD, TextRun
from .tokens import PromptTokenizer, Tokens, batches_by_length, collate
from .turns import read_once

if TYPE_CHECKING:
    from torch import Tensor

    from .heads import Classification
    from .label_words import LabelWords
    from .prefix import Prefix


# Tokens a batch holds: on a CPU more are no faster, and of prompts of many lengths more is padded (with 2048, 1.6 times
# the time where half of them are short); a GPU idles with fewer.
BATCH_TOKENS = {"cpu": 512, "cuda": 16384}

# What a model is asked when it is saved, and when it is read again.
ASKED = (
    "I really thought he would come back.",
    "Wait, what? Face: strong lip corner puller (smile), cheek raiser. Voice: very loud, high, fast.",
)


@dataclass(frozen=True, eq=False)
class TextPredictor:
    """A `training.predictor.Predictor` of prompts.

    Attributes:
        run: whose labels, thresholds or scale it answers by.
        model: a batch as `collate` makes it, and what it begins with, to what
            is read of each prompt; that, `judged`, to logits (N, L), L as
            `run.outputs`.  Its `head` is what was trained beside the adapter, or `None`.
        files: where its weights lie.
    """

    run: TextRun
    model: Classification | LabelWords
    tokenizer: PromptTokenizer
    device: str
    files: tuple[Path, ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        return self.run.labels

    @property
    def sizes(self) -> dict[str, float]:
        """`{"parameters", "bytes"}`, the base included."""
        return {
            "parameters": sum(each.numel() for each in self.model.parameters()),
            "bytes": sum(path.stat().st_size for path in self.files),
        }

    def predict(
        self,
        prompts: Sequence[Prompt],
        batch_tokens: int | None = None,
        progress: Callable[[float], None] = lambda done: None,
    ) -> list[Scored]:
        """What each prompt is answered with, in their order.

        What reads alike, as the turns before a prompt and the prompts that
        these had themselves, is read once.  Prompts of similar length share a
        batch, so that little is padded; what all begin with, an instruction
        say, is read once where the model allows.

        Args:
            batch_tokens: tokens a batch holds at most, padding and answers
                included; by default what suits the device.
            progress: told how much is done, in 0–1.

        Raises:
            EmoscribeError: the GPU's memory does not hold a batch.
        """
        import torch

        if not prompts:
            return []
        most = batch_tokens or BATCH_TOKENS[self.device]
        try:
            with torch.inference_mode():
                logits = self._logits(prompts, most, progress)
        except torch.OutOfMemoryError:
            raise EmoscribeError(
                f"the GPU's memory does not hold the model and {most} tokens at a time; set model.batch_tokens lower, "
                "or free memory that others use"
            ) from None
        return answers_of(self.run, prompts, logits)

    def probed(self, asked: Sequence[str] = ASKED) -> Probe:
        """What it answers to some texts, each of which follows the ones before."""
        import torch

        prompts = one_after_another(self.run, asked)
        with torch.inference_mode():
            logits = self._logits(prompts, BATCH_TOKENS[self.device], lambda done: None)
        whole = all(each.dtype == torch.float32 for each in self.model.parameters())
        return probe_of(self.run, asked, logits, exact=whole and self.device == "cpu")

    def _logits(self, prompts: Sequence[Prompt], batch_tokens: int, progress: Callable[[float], None]) -> np.ndarray:
        """(N, L)."""
        import torch

        read, turns = read_once(prompts)
        tokens = self.tokenizer(read)
        rows: list[Tensor] = [torch.empty(0)] * len(read)
        done = 0
        prefix = self._prefix(tokens)
        rest = tokens if prefix is None else [each.after(prefix.length) for each in tokens]
        # The answers' tokens are read with each prompt; keys and values of what is shared lie there for each, too.
        answers = sum(len(answer) - 1 for answer in self.tokenizer.answers)
        lengths = [len(each) + answers for each in tokens]
        for batch in batches_by_length(lengths, batch_tokens):
            tensors = collate([rest[i] for i in batch], self.tokenizer.padding_id, self.device)
            for index, row in zip(batch, self.model(tensors, prefix), strict=True):
                rows[index] = row
            done += len(batch)
            progress(done / len(read))
        return self.model.judged(torch.stack(rows), turns).double().cpu().numpy()

    def _prefix(self, tokens: Sequence[Tokens]) -> Prefix | None:
        """What all prompts begin with, read ahead."""
        import torch

        from .prefix import shared_length

        length = shared_length(tokens)
        return self.model.read_ahead(torch.from_numpy(tokens[0].ids[:length]).to(self.device)) if length else None


def one_after_another(run: TextRun, texts: Sequence[str]) -> list[Prompt]:
    """Texts as prompts, each of which follows the ones before."""
    prompts: list[Prompt] = []
    for text in texts:
        # What turns are remembered by is to be seen, too.
        turns = [PrecedingTurn(turn, False) for turn in prompts] if run.prompt.history_turns else []
        prompts.append(Prompt(text, text, {"target": (0, len(text))}, history=tuple(turns)))
    return prompts


def load_predictor(run: TextRun, context: Context = DEFAULT) -> TextPredictor:
    """The model that a run describes.

    Raises:
        UnavailableError: the base model, the device or what its weights need is not here.
        EmoscribeError: the run's files are damaged, do not fit its base, or are not those that it was saved with.
    """
    from safetensors import SafetensorError

    chosen = resolve_device(context.device)
    folder = find_base(run.base.id, run.base.sha256, context)
    tokenizer = tokenizer_for(folder, run)
    try:
        model = _load_model(run, folder, tokenizer, chosen)
    except (UnavailableError, SettingsError):
        raise
    except (
        OSError,
        SafetensorError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        ImportError,
        EmoscribeError,
    ) as error:
        raise EmoscribeError(f"run {run.folder} cannot be loaded onto {run.base.id}: {first_line(error)}") from None
    predictor = TextPredictor(
        run=run,
        model=model.to(chosen).eval(),
        tokenizer=tokenizer,
        device=chosen,
        files=tuple(
            path for path in (*folder.glob("*.safetensors"), run.folder / ADAPTER, run.folder / HEAD) if path.is_file()
        ),
    )
    if run.probe is not None:
        check_probe(run, predictor.probed(tuple(run.probe.logits)))
    return predictor


def _load_model(run: TextRun, base: Path, tokenizer: PromptTokenizer, device: str) -> Classification | LabelWords:
    if run.head.kind == "label-words":
        from .base import check_fit, dtype_for, load_adapted, load_base
        from .label_words import LabelWords

        if run.zero_shot:
            check_fit(read_config(base), run.head)
            model = load_base(base, run.head, run.base.quantization, device, dtype_for(device))
        else:
            model = load_adapted(base, run.folder, run.head, device, run.base.quantization)
        return LabelWords(model, tokenizer.answers)

    from .encoder import Encoder, load_encoder
    from .heads import Classification, Classifier

    config = read_config(base)
    encoder = load_encoder(base, run.folder, config, device, run.base.quantization)
    hidden_size = encoder.hidden_size if isinstance(encoder, Encoder) else config["hidden_size"]
    head = Classifier(hidden_size, run.outputs, run.head.pooling, remembers=run.prompt.history_turns > 0)
    head.load_state_dict({name: tensor.float() for name, tensor in load_tensors(run.folder / HEAD).items()})
    return Classification(encoder, head)


def tokenizer_for(base: Path, run: TextRun) -> PromptTokenizer:
    """Label words are prepared together with the prompts that they follow, and these as turns of a chat.

    Raises:
        UnavailableError: the base has no fast tokenizer.
        SettingsError: it cannot tell the labels apart, or has no template for chats.
    """
    from .chat import chat_frame, has_chat_template

    chat = run.prompt.frame == "chat" or (run.prompt.frame == "auto" and has_chat_template(base))
    answers = run.labels if run.head.kind == "label-words" else ()
    return PromptTokenizer(base, answers, chat_frame(base) if chat else None)


def read_config(folder: Path) -> dict[str, Any]:
    """A base model's `config.json`."""
    return read_mapping(folder / "config.json")
