"""The language models of a process: each loaded when it is first needed, and the last few kept."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

from ..core.context import DEFAULT, Context, gpu_is_here
from .run import TextRun

if TYPE_CHECKING:
    from .packed import PackedPredictor
    from .predictor import TextPredictor

# Of adapters on a base, and of packs.
AnyPredictor: TypeAlias = "TextPredictor | PackedPredictor"

# A run, and what it answers with: the same without an adapter may be asked for other labels.
_Key: TypeAlias = tuple[str, tuple[str, ...]]


class Predictors:
    """Loads language models, each in a thread of its own, and keeps those that were asked for last.

    Args:
        most: how many are kept.
    """

    def __init__(self, context: Context, most: int = 2) -> None:
        self._context, self._most = context, most
        self._loading: dict[_Key, Future[AnyPredictor]] = {}
        self._lock = threading.Lock()

    def begin(self, run: TextRun) -> Future[AnyPredictor]:
        """The run's model, at once or once it is loaded; what failed is tried again.

        On a GPU it is there when this returns.
        """
        key = str(run.folder), run.labels
        with self._lock:
            loading = self._loading.pop(key, None)
            if loading is None or (loading.done() and loading.exception() is not None):
                pool = ThreadPoolExecutor(1, thread_name_prefix="loading")
                loading = pool.submit(_predictor_of, run, self._context)
                pool.shutdown(wait=False)
            self._loading[key] = loading
            for old in list(self._loading)[: -self._most]:
                del self._loading[old]
        if run.pack is None and self._context.device != "cpu" and gpu_is_here():
            # For weights in bfloat16 `transformers` changes torch's default type, for all threads.
            loading.result()
        return loading

    def close(self) -> None:
        """Let go of all of them."""
        with self._lock:
            for loading in self._loading.values():
                # Whoever loads in a thread that nobody waits for would be killed in the middle of it.
                loading.exception()
            self._loading.clear()


def _predictor_of(run: TextRun, context: Context) -> AnyPredictor:
    """Seconds, most of them imports."""
    loading = context.stage(f"loading {run.name}")
    loading(0.0)
    predictor = load(run, context)
    loading(1.0)
    return predictor


def load(run: TextRun, context: Context = DEFAULT) -> AnyPredictor:
    """The model that a run describes, or that a pack is.

    Raises:
        UnavailableError: the base model, the device or what its weights need is not here.
        EmoscribeError: the run's files are damaged or do not fit its base.
    """
    if run.pack is not None:
        from .packed import load_packed

        return load_packed(run, run.pack, context)
    from .predictor import load_predictor

    return load_predictor(run, context)
