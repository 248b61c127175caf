"""A trained fusion model, and what it makes of clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.context import resolve_device
from ..core.settings import Device
from .batches import check_streams, collate, sorted_batches
from .deciding import ClipScores, decided
from .frames import Frames
from .fusion import Embeds, FusionModel, build
from .run import MODEL, SCALER, SVM, BaselineRun
from .scaler import Scaler, load_scaler
from .svm import Linear, load_svm
from .weights import put_weights
from .windows import Window, stitched, windows_of

# Windows at once; without gradients there is room for more than in training.
_BATCH = 64


@dataclass(frozen=True, eq=False)
class Baseline:
    """A run, ready to score.

    Attributes:
        svm: what reads the model's embedding in the place of its own last layer.
    """

    run: BaselineRun
    model: FusionModel
    scaler: Scaler
    device: str
    svm: Linear | None = None


def load(run: BaselineRun, device: Device | None = None) -> Baseline:
    """A run's model from its folder; on the device of its settings unless another is given.

    Raises:
        EmoscribeError: a file is missing, damaged, or of another model.
        UnavailableError: the device is not here.
    """
    chosen = resolve_device(device or run.settings.device)
    scaler = load_scaler(run.folder / SCALER, tuple(run.streams))
    model = untrained(run)
    put_weights(model, run.folder / MODEL)
    svm = load_svm(run.folder / SVM) if run.settings.svm else None
    return Baseline(run, model.to(chosen).eval(), scaler, chosen, svm)


def predict(baseline: Baseline, clips: Sequence[Frames], decide: str | None = None) -> list[ClipScores]:
    """The scores of clips, in their order.

    Per frame they are the probabilities of the logits that `stitched` makes of
    the windows'; a model that reads windows as a whole says the same of every
    frame of one.

    Args:
        decide: how frames decide a clip, unless as in the run's settings.

    Raises:
        SettingsError: a clip lacks a feature that the run reads, or there is no such decision.
    """
    check_streams(clips, baseline.run.streams)
    settings = baseline.run.settings
    windows = windows_of(clips, settings.window_frames, settings.hop_frames)
    logits = _logits(baseline, clips, windows)
    of_clip: dict[int, list[int]] = {}
    for place, window in enumerate(windows):
        of_clip.setdefault(window.clip, []).append(place)
    return [
        decided(
            baseline.run,
            clips[index].id,
            stitched([windows[place] for place in places], [logits[place] for place in places]),
            decide or settings.decide,
        )
        for index, places in of_clip.items()
    ]


def embeddings(baseline: Baseline, clips: Sequence[Frames], windows: Sequence[Window]) -> np.ndarray:
    """(N, E) of the windows, of a model that has embeddings."""
    assert isinstance(baseline.model, Embeds)
    return np.stack(_mapped(baseline, clips, windows, baseline.model.embedding))


def untrained(run: BaselineRun) -> FusionModel:
    """The run's fusion model with random weights."""
    outputs = 1 if run.task == "number" else len(run.labels)
    return build(run.settings.fusion, run.streams, outputs, dropout=run.settings.dropout)


# ── windows through the model ────────────────────────────────────────────────


def _logits(baseline: Baseline, clips: Sequence[Frames], windows: Sequence[Window]) -> list[np.ndarray]:
    """Of each window (t, L), or (L,) of a model that reads it as a whole."""
    if baseline.svm is None:
        return _mapped(baseline, clips, windows, baseline.model)
    return list(baseline.svm(embeddings(baseline, clips, windows)))


def _mapped(
    baseline: Baseline,
    clips: Sequence[Frames],
    windows: Sequence[Window],
    read: Callable[[Mapping[str, Tensor], Tensor], Tensor],
) -> list[np.ndarray]:
    """What `read` makes of each window, without its padding, in double precision."""
    results: list[np.ndarray] = [np.empty(0)] * len(windows)
    baseline.model.eval()
    with torch.inference_mode():
        for batch in sorted_batches(windows, _BATCH):
            chosen = [windows[place] for place in batch]
            values = read(*collate(clips, chosen, baseline.scaler, baseline.device)).double().cpu().numpy()
            for place, window, value in zip(batch, chosen, values, strict=True):
                results[place] = value[: len(window)] if value.ndim == 2 else value
    return results
