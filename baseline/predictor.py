"""A trained fusion model, and what it makes of clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.context import DEFAULT, Context, resolve_device
from ..training.probe import Probe, check_probe, probe_of
from .batches import check_streams, collate, sorted_batches
from .deciding import ClipScores, decided
from .frames import FeatureFrames
from .fusion import Embeds, FusionModel, build
from .run import MODEL, SCALER, SVM, FusionRun
from .scaler import Scaler, load_scaler
from .svm import Linear, load_svm
from .weights import put_weights
from .windows import Window, stitched, windows_of

# Windows at once; without gradients there is room for more than in training.
_BATCH = 64

# What a model is asked when it is saved, and when it is read again.
_PROBED, _PROBED_FRAMES = "waves", 24


@dataclass(frozen=True, eq=False)
class FusionPredictor:
    """A `training.predictor.Predictor` of clips' feature frames.

    Attributes:
        svm: what reads the model's embedding in the place of its own last layer.
    """

    run: FusionRun
    model: FusionModel
    scaler: Scaler
    device: str
    svm: Linear | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        return self.run.labels

    @property
    def sizes(self) -> dict[str, float]:
        """`{"parameters", "bytes"}`."""
        parameters = sum(each.numel() for each in self.model.parameters())
        if self.svm is not None:
            parameters += self.svm.weight.size + self.svm.bias.size
        files = [MODEL, SCALER, *([SVM] if self.svm is not None else [])]
        return {"parameters": parameters, "bytes": sum((self.run.folder / name).stat().st_size for name in files)}

    def predict(self, clips: Sequence[FeatureFrames], decide: str | None = None) -> list[ClipScores]:
        """The scores of clips, in their order.

        Per frame they are the probabilities of the logits that `stitched` makes of
        the windows'; a model that reads windows as a whole says the same of every
        frame of one.

        Args:
            decide: how frames decide a clip, unless as in the run's settings.

        Raises:
            SettingsError: a clip lacks a feature that the run reads, or there is no such decision.
        """
        check_streams(clips, self.run.streams)
        settings = self.run.settings
        windows = windows_of(clips, settings.window_frames, settings.hop_frames)
        logits = self._logits(clips, windows)
        of_clip: dict[int, list[int]] = {}
        for place, window in enumerate(windows):
            of_clip.setdefault(window.clip, []).append(place)
        return [
            decided(
                self.run,
                clips[index].id,
                stitched([windows[place] for place in places], [logits[place] for place in places]),
                decide or settings.decide,
            )
            for index, places in of_clip.items()
        ]

    def probed(self) -> Probe:
        """What it answers to a clip that nobody filmed: each measure goes up and down in its own time."""
        times_s = np.arange(_PROBED_FRAMES) * 0.2
        streams = {
            name: np.sin(1.0 + np.outer(times_s, 1.0 + np.arange(width) % 7)).astype(np.float32)
            for name, width in self.run.streams.items()
        }
        clip = FeatureFrames(_PROBED, times_s, streams)
        (logits,) = self._logits([clip], [Window(0, 0, _PROBED_FRAMES)])
        mean = logits.reshape(-1, logits.shape[-1]).mean(axis=0)
        return probe_of(self.run, (_PROBED,), mean[None], exact=self.device == "cpu")

    def embeddings(self, clips: Sequence[FeatureFrames], windows: Sequence[Window]) -> np.ndarray:
        """(N, E) of the windows, of a model that has embeddings."""
        assert isinstance(self.model, Embeds)
        return np.stack(self._mapped(clips, windows, self.model.embedding))

    def _logits(self, clips: Sequence[FeatureFrames], windows: Sequence[Window]) -> list[np.ndarray]:
        """Of each window (t, L), or (L,) of a model that reads it as a whole."""
        if self.svm is None:
            return self._mapped(clips, windows, self.model)
        return list(self.svm(self.embeddings(clips, windows)))

    def _mapped(
        self,
        clips: Sequence[FeatureFrames],
        windows: Sequence[Window],
        read: Callable[[Mapping[str, Tensor], Tensor], Tensor],
    ) -> list[np.ndarray]:
        """What `read` makes of each window, without its padding, in double precision."""
        results: list[np.ndarray] = [np.empty(0)] * len(windows)
        self.model.eval()
        with torch.inference_mode():
            for batch in sorted_batches(windows, _BATCH):
                chosen = [windows[place] for place in batch]
                values = read(*collate(clips, chosen, self.scaler, self.device)).double().cpu().numpy()
                for place, window, value in zip(batch, chosen, values, strict=True):
                    results[place] = value[: len(window)] if value.ndim == 2 else value
        return results


def load_predictor(run: FusionRun, context: Context = DEFAULT) -> FusionPredictor:
    """A run's model from its folder.

    Raises:
        EmoscribeError: a file is missing, damaged, of another model, or not the one that the run was saved with.
        UnavailableError: the device is not here.
    """
    device = resolve_device(context.device)
    scaler = load_scaler(run.folder / SCALER, tuple(run.streams))
    model = untrained(run)
    put_weights(model, run.folder / MODEL)
    svm = load_svm(run.folder / SVM) if run.settings.svm else None
    predictor = FusionPredictor(run, model.to(device).eval(), scaler, device, svm)
    if run.probe is not None:
        check_probe(run, predictor.probed())
    return predictor


def untrained(run: FusionRun) -> FusionModel:
    """The run's fusion model with random weights."""
    return build(run.settings.fusion, run.streams, run.outputs, dropout=run.settings.dropout)
