"""A support vector machine on a fusion model's embedding, in the place of its last layer.

It is linear, one machine a label against the rest, so that it is kept as what
it comes down to: the weights and biases of a layer.  Its distances become
logits by a scale and an offset a label (Platt, 1999; vector scaling: Guo et
al., 2017), fitted on the training clips that each of five folds leaves out.
The embedding has seen those clips all the same, so that the probabilities are
surer of themselves than they should be.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.tensors import load_tensors, save_tensors
from ..training.tasks import Objective
from .run import FusionRun
from .settings import BaselineSettings

_FOLDS = 5
# What keeps scales finite where distances tell the labels apart without a mistake.
_RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear layer: `weight` (L, E) and `bias` (L,), float64."""

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, embedded: np.ndarray) -> np.ndarray:
        """Embeddings (N, E) to logits (N, L)."""
        return embedded @ self.weight.T + self.bias


def fit_svm(embedded: np.ndarray, clips: np.ndarray, targets: Tensor, objective: Objective, run: FusionRun) -> Linear:
    """The machines of a run's task, as a layer.

    Args:
        embedded: (N, E) embeddings of windows.
        clips: (N,) whose windows they are: folds keep a clip's together.
        targets: of the windows; see `targets_of`.
        objective: by which distances become logits; of numbers, distances are the targets.
    """
    from sklearn.model_selection import GroupKFold

    if objective.task == "number":
        return _regression(embedded, targets[:, 0].numpy(), run.settings)
    given = targets.numpy() > 0 if objective.task == "label-sets" else _one_of(targets, len(run.labels))
    machines = _machines(embedded, given, run.settings)
    folds = min(_FOLDS, len(np.unique(clips)))
    if folds < 2:
        return machines
    distances = np.zeros(given.shape)
    for rest, held_out in GroupKFold(folds).split(embedded, groups=clips):
        distances[held_out] = _machines(embedded[rest], given[rest], run.settings)(embedded[held_out])
    scale, offset = _calibrated(distances, targets, objective)
    return Linear(scale[:, None] * machines.weight, scale * machines.bias + offset)


def save_svm(layer: Linear, path: Path) -> None:
    """Raises:
    EmoscribeError: the file cannot be written.
    """
    save_tensors({"weight": torch.from_numpy(layer.weight), "bias": torch.from_numpy(layer.bias)}, path)


def load_svm(path: Path) -> Linear:
    """Raises:
    EmoscribeError: the file is missing or damaged.
    """
    tensors = load_tensors(path)
    return Linear(tensors["weight"].numpy(), tensors["bias"].numpy())


def _machines(embedded: np.ndarray, given: np.ndarray, settings: BaselineSettings) -> Linear:
    """A machine for each label, given (N, L) or not; of one that all have or none has, the answer alone."""
    from sklearn.svm import LinearSVC

    centre, spread = _moments(embedded)
    normalised = (embedded - centre) / spread
    weight, bias = np.zeros((given.shape[1], embedded.shape[1])), np.where(given.any(axis=0), 1.0, -1.0)
    balance = None if settings.class_weights == "none" else "balanced"
    for label in np.flatnonzero(given.any(axis=0) & ~given.all(axis=0)):
        machine = LinearSVC(dual="auto", class_weight=balance, max_iter=10_000, random_state=settings.seed)  # pyright: ignore[reportArgumentType]
        machine.fit(normalised, given[:, label])
        weight[label], bias[label] = machine.coef_[0], np.ravel(machine.intercept_)[0]
    return _unnormalised(weight, bias, centre, spread)


def _regression(embedded: np.ndarray, numbers: np.ndarray, settings: BaselineSettings) -> Linear:
    from sklearn.svm import LinearSVR

    centre, spread = _moments(embedded)
    # The squared loss: with the absolute one the solver does not converge where an embedding tells the numbers well.
    machine = LinearSVR(loss="squared_epsilon_insensitive", dual="auto", max_iter=10_000, random_state=settings.seed)  # pyright: ignore[reportArgumentType]
    machine.fit((embedded - centre) / spread, numbers)
    return _unnormalised(np.atleast_2d(machine.coef_), np.atleast_1d(machine.intercept_), centre, spread)


def _moments(embedded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spread = embedded.std(axis=0)
    return embedded.mean(axis=0), np.where(spread > 0, spread, 1.0)


def _unnormalised(weight: np.ndarray, bias: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> Linear:
    """The layer that says of an embedding what this one says of it normalised."""
    return Linear(weight / spread, bias - (weight / spread) @ centre)


def _calibrated(distances: np.ndarray, targets: Tensor, objective: Objective) -> tuple[np.ndarray, np.ndarray]:
    """The scale and the offset (L,) of distances (N, L) that make the objective least."""
    known = torch.from_numpy(distances).float()
    scale = torch.ones(known.shape[1], requires_grad=True)
    offset = torch.zeros(known.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, offset], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        ridge = _RIDGE * (scale.square().sum() + offset.square().sum())
        loss = objective.each(known * scale + offset, targets).mean() + ridge
        loss.backward()
        return loss

    optimizer.step(closure)
    return scale.detach().double().numpy(), offset.detach().double().numpy()


def _one_of(targets: Tensor, labels: int) -> np.ndarray:
    return targets.numpy()[:, None] == np.arange(labels)
